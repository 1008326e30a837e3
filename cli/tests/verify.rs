//! `flow verify`: results that do not come out again are found, and nothing is changed.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Project, entries, text};
use serde_json::Value;

const STAGES: &str = "
  wave: { uses: demo/wave, matrix: { amplitude: [1.0, 1.0000001, 2.0] }, with: { cells: 16, amplitude: \"${{ matrix.amplitude }}\" } }
  mean: { uses: demo/mean, inputs: { data: [wave.wave] } }
  cost: { uses: demo/cost, inputs: { of: [wave.wave] } }
  slow: { uses: demo/count, with: { to: 30, step_ms: 5 } }
";

const WAVES: [&str; 3] = ["wave[amplitude=1.0]", "wave[amplitude=1.0000001]", "wave[amplitude=2.0]"];

fn project() -> Project {
    let project = Project::new(STAGES);
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?}{}", run.events, run.stderr);
    project
}

/// Exit status, one object a node, and the counts.
fn verify(project: &Project, args: &[&str]) -> (Option<i32>, Vec<Value>, Value) {
    let output = project.flow(&[&["verify", "w.yaml", "--format", "json"], args].concat());
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    let mut lines: Vec<Value> = text(&output.stdout).lines().map(parse).collect();
    let counts = lines.pop().unwrap_or_else(|| panic!("{}", text(&output.stderr)));
    (output.status.code(), lines, counts)
}

/// Lets the results of two nodes change places.
fn swap(project: &Project, one: &str, other: &str) {
    let store = project.store();
    let nodes = store.nodes(&store.runs().unwrap()[0].start.id).unwrap();
    let digest = |name: &str| nodes.iter().find(|node| node.name == name).unwrap().outputs[0].digest;
    let key = |name: &str| nodes.iter().find(|node| node.name == name).unwrap().key.unwrap();
    let db = rusqlite::Connection::open(project.path(".flow/index.sqlite")).unwrap();
    for (node, result) in [(one, other), (other, one)] {
        let changed = db.execute(
            "UPDATE outputs SET digest = ?1 WHERE computation = (SELECT id FROM computations WHERE key = ?2)",
            rusqlite::params![digest(result).as_bytes(), key(node).as_bytes()],
        );
        assert_eq!(changed.unwrap(), 1);
    }
}

#[test]
fn everything_that_does_not_measure_comes_out_the_same() {
    let project = project();
    let (code, nodes, counts) = verify(&project, &["--sample", "100%"]);
    assert_eq!((code, &counts["same"], &counts["computed"]), (Some(0), &5.into(), &5.into()), "{nodes:?}");
    assert!(nodes.iter().all(|node| node["node"] != "cost"));
    assert_eq!(project.store().runs().unwrap().len(), 1, "nothing is recorded");
    assert_eq!(entries(&project.path(".flow/scratch")), 0);
    assert_eq!(project.run(&[]).executed(), [""; 0]);
    assert!(project.flow(&["store", "check"]).status.success());
}

#[test]
fn differences_are_judged_by_the_tolerance_that_the_operation_declares() {
    let project = project();
    swap(&project, WAVES[0], WAVES[1]);
    let (code, nodes, counts) = verify(&project, &["--node", "wave"]);
    assert_eq!((code, &counts["within"], &counts["same"]), (Some(0), &2.into(), &1.into()), "{nodes:?}");
    swap(&project, WAVES[0], WAVES[2]);
    let (code, nodes, _) = verify(&project, &["--node", WAVES[0]]);
    assert_eq!((code, &nodes[0]["verdict"]), (Some(1), &"different".into()));
    let difference = nodes[0]["differences"][0].as_str().unwrap();
    assert!(difference.starts_with("wave: height: 128 of 128 values differ, max "), "{difference}");
    let said = text(&project.flow(&["verify", "w.yaml", "--node", "wave"]).stdout);
    assert!(said.contains("not verified: ") && said.contains("different"), "{said}");
}

#[test]
fn a_sample_is_the_same_for_the_same_seed_and_another_for_others() {
    let project = project();
    let chosen = |args: &[&str]| -> Vec<String> {
        let (code, nodes, _) = verify(&project, args);
        assert_eq!(code, Some(0));
        let mut names: Vec<_> = nodes.iter().map(|node| node["node"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(chosen(&[]).len(), 1, "a tenth of five, and at least one");
    assert_eq!(chosen(&["--sample", "2", "--seed", "5"]), chosen(&["--sample", "2", "--seed", "5"]));
    let samples: Vec<_> =
        (0..8).map(|seed| chosen(&["--sample", "1", "--seed", &seed.to_string()])).collect();
    assert!(samples.iter().any(|sample| *sample != samples[0]), "{samples:?}");
}

#[test]
fn what_cannot_be_verified_is_said() {
    let project = project();
    let (code, nodes, counts) = verify(&project, &["--node", "cost"]);
    assert_eq!((code, &counts["left_out"]), (Some(0), &1.into()));
    assert!(nodes[0]["problem"].as_str().unwrap().starts_with("it measures time"));
    let (_, nodes, _) = verify(&project, &["--node", "slow", "--set", "slow.with.to=31"]);
    assert_eq!(nodes[0]["problem"], "it has not been computed yet");
    // An input that was cleared away cannot be read.
    let store = project.store();
    let run = store.runs().unwrap()[0].start.id.clone();
    let wave = store.nodes(&run).unwrap()[2].outputs[0].digest;
    std::fs::remove_dir_all(store.artifact_path(&wave).unwrap()).unwrap();
    let (_, nodes, _) = verify(&project, &["--node", "mean"]);
    assert!(nodes[0]["problem"].as_str().unwrap().contains("is missing in the store"), "{nodes:?}");
    for (args, expected) in [
        (&["--node", "wav"][..], "did you mean `wave`?"),
        (&["--sample", "0%"][..], "expected a part such as 5%"),
        (&["--sample", "0"][..], "expected a part such as 5%"),
    ] {
        let said = project.refused(&[&["verify", "w.yaml"], args].concat());
        assert!(said.contains(expected), "{said}");
    }
    let new = Project::new(STAGES);
    assert_eq!(new.flow(&["verify", "w.yaml"]).status.code(), Some(2));
}

#[test]
fn an_interrupt_ends_it_and_leaves_nothing() {
    let project = Project::new("  slow: { uses: demo/count, with: { to: 40, step_ms: 50 } }\n");
    project.run(&[]);
    let mut child = project.spawn(&["verify", "w.yaml"]);
    let scratch = project.path(".flow/scratch");
    while entries(&scratch) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(entries(&scratch), 0);
}

/// A program is computed again in a scratch folder, whatever it has left beside its outputs.
#[test]
fn programs_are_computed_again_too() {
    let project = Project::new(
        "
  made: { uses: demo/text, with: { text: 'b a' } }
  sorted:
    uses: exec/run
    inputs: { text: made.text }
    with: { run: 'tr \" \" \"\\n\" < \"${{ inputs.text }}\" | sort > \"${{ outputs.it }}\"' }
    outputs: { it: file }
  clock:
    uses: exec/run
    inputs: { text: made.text }
    with: { run: 'date +%N > \"${{ outputs.it }}\"; mkdir \"${{ outputs.all }}\"; date +%N > \"${{ outputs.all }}/t\"' }
    outputs: { it: file, all: folder }
",
    );
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?}{}", run.events, run.stderr);
    let (code, nodes, counts) = verify(&project, &["--node", "sorted"]);
    assert_eq!((code, &counts["same"]), (Some(0), &1.into()), "{nodes:?}");
    let before = project.output("clock", "it");
    let (code, nodes, counts) = verify(&project, &["--node", "clock"]);
    assert_eq!((code, &counts["different"]), (Some(1), &1.into()), "{nodes:?}");
    let said = nodes[0]["differences"].to_string();
    assert!(said.contains("it: ") && said.contains("all: "), "{said}");
    // What is in the store stays as it was.
    assert_eq!(project.output("clock", "it"), before);
    assert_eq!(project.run(&[]).executed(), [""; 0]);
}
