//! The plugins in `plugins/examples` and their workflows, as the book goes through them.
//!
//! Skipped, with a message, where the packages that they need cannot be had.

#![allow(clippy::unwrap_used)]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Project, path_with_packages, text, with_packages};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/examples")
}

/// An example in a folder of its own, for the Python that has the packages of the tests.
fn example(name: &str) -> Option<Project> {
    let project = Project::new("").with_env("PATH", path_with_packages()?);
    for entry in fs::read_dir(folder().join(name)).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), project.path(&entry.file_name().into_string().unwrap())).unwrap();
    }
    let written = fs::read_to_string(project.path("workflow.yaml")).unwrap();
    let here = written.replace(", env: requirements.txt", "");
    assert_ne!(here, written, "the example's environment is made from a file");
    project.write("w.yaml", &here);
    Some(project)
}

#[test]
fn a_simulator_with_a_command_line_is_a_stage() {
    let Some(project) = example("heat") else { return };
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
    let Some(project) = example("control") else { return };
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
    let Some(project) = example("heat") else { return };
    let shown = text(&project.flow(&["plugins", "heat/simulate", "--workflow", "w.yaml"]).stdout);
    assert!(shown.contains("Thermal diffusivity of the rod"), "{shown}");
}

#[test]
fn a_type_checker_accepts_the_examples_and_finds_mistakes() {
    let project = Project::new("");
    assert!(project.flow(&["plugin", "new", "waves"]).status.success());
    let right =
        [project.path("waves/waves.py"), folder().join("heat/heat.py"), folder().join("control/control.py")];
    with_packages("check_types.py", &right.each_ref().map(|path| path.as_os_str()) as &[&OsStr]);
}
