//! The plugins in `plugins/examples` and their workflows, as the book goes through them.
//!
//! Skipped, with a message, where python3 has not what they need.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Project, text};

/// Whether python3 has these modules.
fn has(modules: &str) -> bool {
    let import = format!("import {modules}");
    let found = Command::new("python3").args(["-c", &import]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("not tested: python3 has not all of {modules}");
    }
    found
}

/// An example in a folder of its own, for the python3 that there is.
fn example(name: &str) -> Project {
    let project = Project::new("");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/examples").join(name);
    for entry in fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), project.path(&entry.file_name().into_string().unwrap())).unwrap();
    }
    let written = fs::read_to_string(project.path("workflow.yaml")).unwrap();
    let here = written.replace(", env: requirements.txt", "");
    assert_ne!(here, written, "the example's environment is made from a file");
    project.write("w.yaml", &here);
    project
}

#[test]
fn a_simulator_with_a_command_line_is_a_stage() {
    if !has("numpy") {
        return;
    }
    let project = example("heat");
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [7, 0, 0, 0]), "{:?} {}", run.events, run.stderr);
    let progress = |event: &&serde_json::Value| {
        event["event"] == "progress" && event["total"] == 2000 && event["done"] == 2000
    };
    assert!(run.events.iter().any(|event| progress(&event)), "{:?}", run.events);
    assert!(run.log("simulate[diffusivity=0.0001]").contains(&"STEP 100 OF 2000".to_owned()));
    let line = fs::read_to_string(project.path("results/furthest.txt")).unwrap();
    let reach: f64 = line.trim().trim_start_matches("\"reach\": ").parse().unwrap();
    // The fastest rod is nearly steady: from 100 to 20 degrees in a line, 30 at 0.875 m, the last cell before that.
    assert_eq!(reach, 0.87, "{line}");
    let slow = run_reach(&project, "warmed[diffusivity=0.00001]");
    // The slowest does not know of its end: T = 20 + 80 erfc(x / (2 sqrt(a t))), 30 at erfc = 1/8, x = 0.307 m. A cell
    // has 2 cm.
    assert!((slow - 0.307).abs() < 0.02, "{slow}");

    // What the simulator says is wrong.
    let run = project.run(&["--set", "simulate.with.time_step=10 s"]);
    let error = &run.node("simulate[diffusivity=0.0002]")["error"];
    assert!(error["message"].as_str().unwrap().contains("ERROR 17: UNSTABLE"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("shorter steps"), "{error}");
    // Another simulator is another result.
    let program = fs::read_to_string(project.path("simulator.py")).unwrap();
    project.write("simulator.py", &format!("{program}# Another one.\n"));
    assert_eq!(project.run(&[]).counts()[0], 3);
}

fn run_reach(project: &Project, node: &str) -> f64 {
    let scores: serde_json::Value = serde_json::from_str(&project.output(node, "scores")).unwrap();
    scores["reach"].as_f64().unwrap()
}

#[test]
#[cfg(all(feature = "ccs", feature = "operators"))]
fn a_model_of_scikit_learn_is_a_control_beside_the_network() {
    if !has("numpy, sklearn") {
        return;
    }
    let project = example("control");
    let run = project.run(&["--set", "epochs=2"]);
    assert_eq!((run.code, run.counts()), (Some(0), [6, 0, 0, 0]), "{:?} {}", run.events, run.stderr);
    let scores: serde_json::Value = serde_json::from_str(&project.output("control", "scores")).unwrap();
    let of = |name: &str| scores[name].as_f64().unwrap();
    assert_eq!(of("samples"), 4.0);
    // Better than a field of zeros, whose error is 1.
    assert!(of("control") > 0.0 && of("control") < 1.0, "{scores}");
    assert!((of("network") / of("control") - of("ratio")).abs() < 1e-12, "{scores}");
    assert_eq!(project.run(&["--set", "epochs=2"]).counts(), [0, 6, 0, 0]);
}

#[test]
fn the_examples_say_what_they_do() {
    if !has("numpy") {
        return;
    }
    let project = example("heat");
    let shown = text(&project.flow(&["plugins", "heat/simulate", "--workflow", "w.yaml"]).stdout);
    assert!(shown.contains("Thermal diffusivity of the rod"), "{shown}");
}
