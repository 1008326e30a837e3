//! A store on a network file system: a rollback journal, and one run at a time. The system is told that it is one.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Project, text};
use nix::sys::signal::Signal;

const STAGES: &str = "
  slow: { uses: demo/count, matrix: { n: [60, 61, 62] }, with: { to: \"${{ matrix.n }}\", step_ms: 10 } }
  wave: { uses: demo/wave, with: { cells: 5000, times: 10 } }
  mean: { uses: demo/mean, inputs: { data: [wave.wave] } }
";

fn project() -> Project {
    Project::new(STAGES).with_env("FLOW_FILE_SYSTEM", "network")
}

/// The journal of the index, as its header says: 1 rollback, 2 write-ahead.
fn journal(project: &Project) -> u8 {
    std::fs::read(project.path(".flow/index.sqlite")).unwrap()[18]
}

#[test]
fn the_second_run_is_told_plainly_and_the_first_goes_on() {
    let project = project();
    let mut first = project.start(&["--cores", "2"]);
    let started = first.until(|event| event["event"] == "run_started");
    let warning = first.until(|event| event["event"] == "warning");
    assert!(warning["message"].as_str().unwrap().contains("runs use it one at a time"), "{warning}");
    first.until_progress("slow[n=60]", 5);

    let said = project.refused(&["run", "w.yaml"]);
    let owner = format!("run {} on ", started["run"].as_str().unwrap());
    assert!(said.contains(&owner) && said.contains("where runs go one at a time"), "{said}");
    assert!(said.contains("help: wait for the other run"), "{said}");
    // What only reads goes beside it.
    assert!(project.flow(&["runs"]).status.success());
    assert!(project.flow(&["plan", "w.yaml"]).status.success());
    let clearing = project.flow(&["store", "gc"]);
    assert!(text(&clearing.stderr).contains("where runs go one at a time"), "{}", text(&clearing.stderr));

    let first = first.wait();
    assert_eq!((first.code, first.counts()), (Some(0), [5, 0, 0, 0]), "{}", first.stderr);
    assert_eq!(journal(&project), 1);
    assert_eq!(project.run(&[]).counts(), [0, 5, 0, 0]);
    assert!(project.flow(&["store", "gc"]).status.success());
    assert!(project.flow(&["store", "check"]).status.success());
}

#[test]
fn a_killed_run_leaves_the_store_good_and_free() {
    let project = project();
    for at in [3, 20, 45] {
        let mut run = project.start(&["--cores", "2"]);
        run.until_progress("slow[n=61]", at);
        run.signal(Signal::SIGKILL);
        run.wait();
    }
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?} {}", run.events, run.stderr);
    assert_eq!(project.run(&[]).executed(), [""; 0]);
    assert!(project.flow(&["store", "check"]).status.success());
}

/// A folder that was on a disk of this machine and is shared later.
#[test]
fn a_store_that_was_made_on_a_local_disk_is_taken_over() {
    let local = Project::new(STAGES).with_env("FLOW_FILE_SYSTEM", "local");
    assert_eq!(local.run(&[]).counts(), [5, 0, 0, 0]);
    assert_eq!(journal(&local), 2);
    let shared = local.with_env("FLOW_FILE_SYSTEM", "network");
    assert_eq!(shared.run(&[]).counts(), [0, 5, 0, 0]);
    assert_eq!(journal(&shared), 1);
}
