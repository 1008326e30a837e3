//! A longer computation goes on from a shorter one.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Project, Run, text};
use serde_json::Value;

fn stages(to: u32, more: &str) -> String {
    format!("  count: {{ uses: demo/count, with: {{ to: {to}, step_ms: 5{more} }} }}\n")
}

/// Where the node went on from, and how many steps it took.
fn resumed(run: &Run) -> (Option<&str>, usize) {
    let event = run.events.iter().find(|event| event["event"] == "node_resumed");
    let steps = run.events.iter().filter(|event| event["event"] == "metric").count();
    (event.map(|event| event["from"].as_str().unwrap()), steps)
}

/// What is stored of the latest run's node.
fn record(project: &Project) -> flow_store::NodeRecord {
    let store = project.store();
    let run = store.runs().unwrap()[0].start.id.clone();
    store.nodes(&run).unwrap().remove(0)
}

#[test]
fn more_of_the_same_goes_on_from_what_there_is() {
    let project = Project::new(&stages(40, ""));
    assert_eq!(resumed(&project.run(&[])), (None, 40));
    project.stages(&stages(30, ""));
    assert_eq!(resumed(&project.run(&[])), (None, 30), "a shorter one cannot");
    project.stages(&stages(100, ""));

    let plan = text(&project.flow(&["plan", "w.yaml", "--format", "json"]).stdout);
    let plan: Value = serde_json::from_str(plan.trim()).unwrap();
    assert_eq!((&plan["continues"]["parameter"], &plan["continues"]["from"]), (&"to".into(), &40.into()));
    assert_eq!(plan["reason"], "params.to 30 → 100; can go on from to 40");
    let (saves, takes) = (plan["continues"]["saves_s"].as_f64().unwrap(), plan["wall_s"].as_f64().unwrap());
    assert!(saves >= 0.2 && (takes / saves - 1.5).abs() < 1e-9, "60 steps at what 40 took: {plan}");

    let run = project.run(&[]);
    assert_eq!(resumed(&run), (Some("to 40"), 60));
    let reason = run.node("count")["reason"].as_str().unwrap();
    assert!(reason.starts_with("params.to 30 → 100; went on from to 40, which saved "), "{reason}");
    assert!(project.output("count", "metrics").contains("\"sum\": 5050"));
    let found = record(&project);
    assert!(found.wall_s >= 0.3 && found.wall_s < found.cost.unwrap().wall_s - 0.19, "{found:?}");
    assert_eq!(found.reason, reason);

    let why = text(&project.flow(&["why", "w.yaml", "count"]).stdout);
    assert!(why.contains("; went on from to 40, which saved"), "{why}");

    // From scratch, elsewhere: the same bytes.
    let digest = |project: &Project| record(project).outputs[0].digest;
    let other = Project::new(&stages(100, ""));
    assert_eq!(resumed(&other.run(&[])), (None, 100));
    assert_eq!(digest(&other), digest(&project));
    // Verifying computes all of it.
    let verified = text(&project.flow(&["verify", "w.yaml"]).stdout);
    assert!(verified.contains("1 the same"), "{verified}");
}

#[test]
fn what_would_come_out_otherwise_starts_afresh() {
    let project = Project::new(&stages(20, ", down: true"));
    project.run(&[]);
    assert!(!project.path(".flow/states").exists(), "nobody will go on from it");
    project.stages(&stages(40, ", down: true"));
    assert_eq!(resumed(&project.run(&[])), (None, 40));
    // Neither does anything else that is different count as shorter.
    project.stages(&stages(20, ""));
    project.run(&[]);
    project.stages(&stages(40, "").replace("step_ms: 5", "step_ms: 4"));
    assert_eq!(resumed(&project.run(&[])), (None, 40));
}

#[test]
fn a_damaged_or_missing_state_costs_time_only() {
    let project = Project::new(&stages(20, ""));
    project.run(&[]);
    let family = fs::read_dir(project.path(".flow/states")).unwrap().next().unwrap().unwrap().path();
    let state = fs::read_dir(family.join("20")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&state).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&state, bytes).unwrap();
    project.stages(&stages(40, ""));
    let run = project.run(&[]);
    assert_eq!(resumed(&run), (None, 40));
    assert!(run.events.iter().any(|e| e["message"].as_str().is_some_and(|m| m.contains("starts afresh"))));
    assert!(project.output("count", "metrics").contains("\"sum\": 820"));

    fs::remove_dir_all(family.join("40")).unwrap();
    project.stages(&stages(60, ""));
    // The next shorter one is the damaged one.
    assert_eq!(resumed(&project.run(&[])), (None, 60));
    fs::remove_dir_all(&family).unwrap();
    project.stages(&stages(80, ""));
    assert_eq!(resumed(&project.run(&[])), (None, 80));
}

#[test]
fn who_forces_a_node_wants_all_of_it() {
    let project = Project::new(&stages(20, ""));
    project.run(&[]);
    project.stages(&stages(40, ""));
    assert_eq!(resumed(&project.run(&["--force", "count"])), (None, 40));
}

#[test]
fn the_further_of_a_checkpoint_and_a_shorter_computation_counts() {
    let project = Project::new(&stages(30, ""));
    project.run(&[]);
    project.stages(&stages(100, ""));
    let mut run = project.start(&[]);
    run.until_progress("count", 50);
    run.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(run.wait().code, Some(130));
    let (run, reason) = (project.run(&[]), record(&project).reason);
    let (from, steps) = resumed(&run);
    assert!(from.unwrap().starts_with("its checkpoint at step ") && steps < 51, "{from:?} {steps}");
    assert!(reason.starts_with("it was not finished the last time; went on from its checkpoint"), "{reason}");
    assert!(record(&project).cost.unwrap().wall_s >= 0.5, "all three parts count");
    assert!(project.output("count", "metrics").contains("\"sum\": 5050"));
}

#[test]
fn states_take_space_and_are_cleared_with_what_led_to_them() {
    let project = Project::new(&stages(20, ""));
    project.run(&[]);
    let size = || {
        let out = text(&project.flow(&["store", "du", "--format", "json"]).stdout);
        serde_json::from_str::<Value>(&out).unwrap()["states"].as_u64().unwrap()
    };
    assert!(size() > 48, "a hash, a cost, and a number");
    project.stages("  note: { uses: demo/text, with: { text: x } }\n");
    project.run(&[]);
    let cleared = project.flow(&["store", "gc", "--keep", "1"]);
    assert!(cleared.status.success(), "{}", text(&cleared.stderr));
    assert_eq!(size(), 0);
}
