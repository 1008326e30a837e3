use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flow_plugin::artifact::metrics::{number, read_metrics};
use flow_plugin::artifact::table::{Column, Table};
use flow_plugin::protocol::Reply;
use flow_plugin::{ErrorKind, Kind};

use super::*;

fn trial(folder: &Path, reservoirs: &Path) -> Trial {
    Trial::new(folder).input("reservoirs", Kind::Dataset, reservoirs)
}

#[test]
fn reservoirs_are_simulated_and_those_left_out_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = draw(&folder.path().join("geology"), 10);
    // Low enough for some of these reservoirs, too low for others.
    let limited = trial(&folder.path().join("simulate"), drawn.output("reservoirs"))
        .params(json!({ "pressure_limit": 250.0 }))
        .run(&Simulate)
        .unwrap();
    let summary = read_metrics(limited.output("summary")).unwrap();
    let value = |name: &str| number(&summary[name]).unwrap();
    let failures = Table::read(limited.output("failures")).unwrap();
    assert!(value("pressure_limit") >= 1.0 && value("simulated") >= 1.0, "{summary:?}");
    assert_eq!(value("pressure_limit") + value("not_converged") + value("simulated"), 10.0);
    assert_eq!(failures.rows() as f64, value("pressure_limit") + value("not_converged"));
    assert_eq!(failures.column("reason").unwrap().text(0), "pressure_limit");
    let Some(Column::Int(left_out)) = failures.column("sample") else { panic!("no samples") };

    let solutions = Dataset::open(limited.output("solutions")).unwrap();
    let ids: Vec<i64> = solutions.read("sample").unwrap();
    assert_eq!(ids.len() as f64, value("simulated"));
    assert!(ids.iter().all(|id| !left_out.contains(id)));
    let saturation: Vec<f32> = solutions.read("saturation").unwrap();
    assert_eq!(solutions.variable("saturation").unwrap().shape, [ids.len(), 6, 8, 20]);
    assert!(saturation.iter().all(|s| (0.0..=0.9).contains(s)) && saturation.iter().any(|s| *s > 0.3));
    assert!(solutions.read::<f32>("mass_error").unwrap().iter().all(|e| *e < 1e-5));
    // Nothing is left of the samples kept along the way.
    let left = std::fs::read_dir(folder.path().join("simulate")).unwrap().count();
    assert_eq!(left, 3);
}

#[test]
fn a_run_broken_off_goes_on_and_gives_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = draw(&folder.path().join("geology"), 6);
    let kept = folder.path().join("kept");
    let whole = trial(&folder.path().join("whole"), drawn.output("reservoirs")).run(&Simulate).unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (stop, samples) = (stop.clone(), kept.join("samples"));
        std::thread::spawn(move || {
            let done = || std::fs::read_dir(&samples).is_ok_and(|files| files.count() >= 2);
            while !done() {
                std::thread::yield_now();
            }
            stop.store(true, Ordering::Relaxed);
        })
    };
    let broken = trial(&folder.path().join("broken"), drawn.output("reservoirs"))
        .checkpoints(&kept)
        .cancelled_by(stop)
        .run(&Simulate);
    watcher.join().unwrap();
    // The last samples may have been done before the request to stop was seen.
    if let Err(error) = broken {
        assert_eq!(error.kind, ErrorKind::Cancelled);
        let resumed = trial(&folder.path().join("resumed"), drawn.output("reservoirs"))
            .checkpoints(&kept)
            .run(&Simulate)
            .unwrap();
        let log = |reply: &Reply| matches!(reply, Reply::Log { message, .. } if message.contains("going on"));
        assert!(resumed.replies.iter().any(log));
        assert_eq!(contents(resumed.output("solutions")), contents(whole.output("solutions")));
    }
    assert!(!kept.join("samples").exists());
}
