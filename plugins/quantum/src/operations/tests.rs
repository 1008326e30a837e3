//! Operations run as the engine runs them, on small graphs.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flow_plugin::artifact::Dataset;
use flow_plugin::artifact::metrics::read_metrics;
use flow_plugin::protocol::Reply;
use flow_plugin::serde_json::{Value, json};
use flow_plugin::testing::{Fingerprint, Finished, Trial};
use flow_plugin::{ErrorKind, Kind};

use super::*;

const STORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/operations/stored");

fn drawn(folder: &Path) -> Finished {
    let graph = json!({ "family": "torus_pm1", "rows": 5, "cols": 6, "seed": 2 });
    Trial::new(folder.join("graph")).params(json!({ "graph": graph })).run(&GraphOperation).unwrap()
}

fn on(folder: &Path, name: &str, graph: &Finished) -> Trial {
    Trial::new(folder.join(name)).input("graph", Kind::File, graph.output("graph"))
}

fn numbers(done: &Finished) -> flow_plugin::serde_json::Map<String, Value> {
    read_metrics(done.output("metrics")).unwrap()
}

/// The whole of the workflow, and what each operation computes beside what was stored with its version.
#[test]
fn from_graph_to_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let sdp = on(folder, "sdp", &graph).run(&Sdp).unwrap();
    let rounded = on(folder, "round", &graph)
        .input("vectors", Kind::Dataset, sdp.output("solution"))
        .params(json!({ "samples": 20 }))
        .run(&Round)
        .unwrap();
    let params = json!({ "restarts": 2, "epochs": 30, "layers": 16, "precision": "f64" });
    let trained = on(folder, "htaac", &graph).params(params.clone()).run(&Htaac).unwrap();
    let direct = on(folder, "direct", &graph)
        .params(json!({ "restarts": 2, "epochs": 30, "ansatz": "none" }))
        .run(&Htaac)
        .unwrap();
    let signs = on(folder, "signs", &graph)
        .input("states", Kind::Dataset, trained.output("states"))
        .run(&Round)
        .unwrap();
    let polished = on(folder, "polish", &graph)
        .input("assignments", Kind::Dataset, signs.output("assignments"))
        .run(&Polish)
        .unwrap();
    let annealed = on(folder, "anneal", &graph).params(json!({ "sweeps": 100 })).run(&Anneal).unwrap();
    let done = on(folder, "evaluate", &graph)
        .input("states", Kind::Dataset, trained.output("states"))
        .input("training", Kind::Metrics, trained.output("metrics"))
        .input("bound", Kind::Metrics, sdp.output("metrics"))
        .input("rounded", Kind::Dataset, rounded.output("assignments"))
        .input("polished", Kind::Dataset, polished.output("assignments"))
        .input("annealed", Kind::Dataset, annealed.output("assignments"))
        .input("direct", Kind::Metrics, direct.output("metrics"))
        .run(&Evaluate)
        .unwrap();
    let found = numbers(&done);
    for name in [
        "n",
        "m",
        "cut_last_mean",
        "cut_last_max",
        "cut_best_epoch_mean",
        "cut_polished_max",
        "sdp_bound",
        "sdp_residual",
        "gw_mean",
        "gw_best",
        "annealing_best",
        "best_known",
        "ratio_gw_best",
        "ratio_sdp_bound",
        "ratio_best_known",
        "ratio_annealing",
        "seeds",
        "qubits",
        "layers",
        "angles",
        "circuits_per_epoch",
        "pauli_strings",
        "cpu_s_per_seed",
    ] {
        assert!(found.contains_key(name), "{name}");
    }
    let of = |name: &str| found[name].as_f64().unwrap();
    assert!(found["best_known"].is_null() && found["ratio_best_known"].is_null());
    assert!(of("cut_polished_max") >= of("cut_last_max"));
    assert!(of("sdp_bound") >= of("annealing_best") && of("annealing_best") >= of("gw_best"));
    assert_eq!((of("qubits"), of("layers"), of("angles")), (5.0, 16.0, 80.0));
    // Anyone can recount the best cut.
    let sides = std::fs::read_to_string(done.output("assignment")).unwrap();
    let sides: Vec<i8> = sides.lines().map(|line| line.parse().unwrap()).collect();
    let graph_file = crate::graph::read(graph.output("graph"), crate::graph::Format::Gset).unwrap();
    assert_eq!(graph_file.cut(&sides), of("annealing_best").max(of("cut_polished_max")));

    let compare = |operation: &dyn Fn(&mut Fingerprint)| {
        let mut print = Fingerprint::default();
        operation(&mut print);
        print
    };
    compare(&|p| p.metrics(graph.output("statistics"))).compare(&GraphOperation, 1e-12, STORED);
    compare(&|p| p.metrics(sdp.output("metrics")))
        .forgetting(&["metrics.sdp_residual", "metrics.sdp_shift", "metrics.sdp_products"])
        .compare(&Sdp, 1e-5, STORED);
    compare(&|p| p.dataset(rounded.output("assignments"))).compare(&Round, 1e-9, STORED);
    compare(&|p| p.dataset(trained.output("states"))).compare(&Htaac, 1e-6, STORED);
    compare(&|p| p.dataset(polished.output("assignments"))).compare(&Polish, 1e-9, STORED);
    compare(&|p| p.dataset(annealed.output("assignments"))).compare(&Anneal, 1e-9, STORED);
    compare(&|p| p.metrics(done.output("metrics"))).compare(&Evaluate, 1e-5, STORED);
}

trait Forgetting {
    fn forgetting(self, names: &[&str]) -> Self;
}

impl Forgetting for Fingerprint {
    fn forgetting(mut self, names: &[&str]) -> Self {
        names.iter().for_each(|name| self.forget(name));
        self
    }
}

/// A run that is asked to stop leaves a checkpoint, and goes on from it to the same result.
#[test]
fn training_goes_on_from_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let params = json!({ "restarts": 1, "epochs": 20, "layers": 10 });
    let whole = on(folder, "whole", &graph).params(params.clone()).run(&Htaac).unwrap();
    let stop = Arc::new(AtomicBool::new(true));
    let broken = || {
        on(folder, "broken", &graph)
            .params(params.clone())
            .checkpoints(folder.join("kept"))
            .cancelled_by(stop.clone())
    };
    assert_eq!(broken().run(&Htaac).err().unwrap().kind, ErrorKind::Cancelled);
    stop.store(false, Ordering::SeqCst);
    let resumed = broken().run(&Htaac).unwrap();
    let went_on = |reply: &Reply| matches!(reply, Reply::Log { message, .. } if message.contains("going on from epoch 1 "));
    assert!(resumed.replies.iter().any(went_on), "{:?}", resumed.replies);
    let amplitudes =
        |done: &Finished| Dataset::open(done.output("states")).unwrap().read::<f64>("amplitude").unwrap();
    assert_eq!(amplitudes(&whole), amplitudes(&resumed));
}

#[test]
fn too_few_angles_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let graph = drawn(folder.path());
    let params = json!({ "restarts": 1, "epochs": 1, "layers": 3 });
    let done = on(folder.path(), "htaac", &graph).params(params).run(&Htaac).unwrap();
    let warned = |reply: &Reply| matches!(reply, Reply::Log { message, .. } if message.starts_with("15 angles cannot steer 32"));
    assert!(done.replies.iter().any(warned), "{:?}", done.replies);
}

#[test]
fn bad_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let fails = |name: &str, operation: &dyn Fn(Trial) -> flow_plugin::Result<Finished>| {
        operation(on(folder, name, &graph)).err().unwrap().to_string()
    };
    let message = fails("none", &|trial| trial.run(&Round));
    assert!(message.starts_with("connect either `vectors` or `states`"), "{message}");
    let shift = json!({ "gradient": "parameter_shift", "ansatz": "none" });
    let message = fails("shift", &|trial| trial.params(shift.clone()).run(&Htaac));
    assert!(message.contains("no angles to move"), "{message}");
    let text = folder.join("bad");
    std::fs::write(&text, "3 1\n1 4 1\n").unwrap();
    let params = json!({ "graph": text.to_str().unwrap() });
    let error = Trial::new(folder.join("g")).params(params).run(&GraphOperation).err().unwrap();
    assert!(error.message.ends_with("line 2: vertex 4 is out of range: vertices are 1 to 3"), "{error}");
    let other = Trial::new(folder.join("o"))
        .params(json!({ "graph": { "family": "torus", "rows": 3, "cols": 3 } }))
        .run(&GraphOperation)
        .unwrap();
    let annealed = on(folder, "a", &other).run(&Anneal).unwrap();
    let message = fails("p", &|trial| {
        trial.input("assignments", Kind::Dataset, annealed.output("assignments")).run(&Polish)
    });
    assert!(message.contains("does not hold a side for each of the 30 vertices"), "{message}");
}

/// A trained circuit, written, read, measured: the counts are those of its probabilities.
#[test]
fn circuits_are_written_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let graph = drawn(folder);
    let params = json!({ "restarts": 1, "epochs": 3, "layers": 8, "precision": "f64" });
    let trained = on(folder, "htaac", &graph).params(params).run(&Htaac).unwrap();
    let states = trained.output("states");
    let written = Trial::new(folder.join("c")).input("states", Kind::Dataset, states).run(&Circuit).unwrap();
    assert_eq!(numbers(&written)["gates"], json!(40 + 16));
    let text = std::fs::read_to_string(written.output("circuit")).unwrap();
    let gates = crate::circuit::qasm::read(&text).unwrap();
    let state = crate::circuit::Compiled::new(&gates).unwrap().run(&[]);
    let wanted = Dataset::open(states).unwrap().read::<f64>("amplitude").unwrap();
    for (found, wanted) in state.amplitudes.iter().zip(&wanted) {
        assert!((found.re - wanted).abs() < 1e-13 && found.im.abs() < 1e-13);
    }
    let sample = |name: &str, params: Value| {
        let done = Trial::new(folder.join(name))
            .input("circuit", Kind::File, written.output("circuit"))
            .params(params)
            .run(&Sample)
            .unwrap();
        Dataset::open(done.output("counts")).unwrap().read::<i64>("count").unwrap()
    };
    let clean = sample("clean", json!({ "shots": 20000 }));
    assert_eq!(clean.iter().sum::<i64>(), 20000);
    for (count, a) in clean.iter().zip(&wanted) {
        // Five standard deviations of a binomial count, and a little.
        let p = a * a;
        assert!((*count as f64 - 20000.0 * p).abs() < 5.0 * (20000.0 * p).sqrt() + 2.0);
    }
    let noisy = sample("noisy", json!({ "shots": 20000, "depolarizing": 0.2 }));
    let spread = |counts: &[i64]| counts.iter().map(|&c| (c as f64 / 20000.0).powi(2)).sum::<f64>();
    // Strong noise leaves nearly equal probabilities.
    assert!(spread(&noisy) < spread(&clean) && spread(&noisy) < 1.2 / 32.0, "{}", spread(&noisy));
    let test = Trial::new(folder.join("t"))
        .input("states", Kind::Dataset, states)
        .input("graph", Kind::File, graph.output("graph"))
        .params(json!({ "hadamard_test": true }))
        .run(&Circuit)
        .unwrap();
    assert_eq!(numbers(&test)["qubits"], json!(6));
    let resources = on(folder, "r", &graph).run(&ResourceCount).unwrap();
    assert_eq!(numbers(&resources)["layers"], json!(240));
}
