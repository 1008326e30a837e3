//! `flow show`, `flow get` and the report: what people see of results.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Output;

use common::Project;
use flow_artifact::{Dataset, Kind, digest};
use serde_json::Value;

const STAGES: &str = "  wave:
    uses: demo/wave
    matrix: { amplitude: [1.0, 2.0] }
    with: { cells: 16, amplitude: \"${{ matrix.amplitude }}\" }
  mean:
    uses: demo/mean
    inputs: { data: [wave.wave] }
report: [mean.metrics, wave.wave]
";

fn project() -> Project {
    let project = Project::new(STAGES);
    assert!(project.flow(&["run", "w.yaml"]).status.success());
    project
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", err(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_output_that_something_else_gave_before_is_shown_with_its_own_origin() {
    let project = Project::new(
        "  cut: { uses: demo/grep, inputs: { text: { path: a.txt } }, with: { contains: x } }\n",
    );
    project.write("a.txt", "x\ny\n");
    assert!(project.flow(&["run", "w.yaml"]).status.success());
    project.write("b.txt", "x\nz\n");
    project.stages("  cut: { uses: demo/grep, inputs: { text: { path: b.txt } }, with: { contains: x } }\n");
    assert!(project.flow(&["run", "w.yaml"]).status.success());
    let shown = out(&project.flow(&["show", "w", "cut.text"]));
    assert!(shown.contains("b.txt") && !shown.contains("a.txt"), "{shown}");
}

#[test]
fn a_workflow_is_called_by_its_name_or_by_its_file() {
    let project = project();
    fs::create_dir(project.path("sub")).unwrap();
    project.write("sub/other.yaml", "flow: 1\nname: waves\nstages:\n  one: { uses: demo/wave }\n");
    assert!(project.flow(&["run", "sub/other.yaml", "--store", ".flow"]).status.success());
    for name in ["waves", "other", "other.yaml", "sub/other.yaml", "./sub/other.yaml"] {
        let shown = out(&project.flow(&["show", name, "one"]));
        assert!(shown.contains("demo/wave"), "{name}: {shown}");
    }
    let unknown = err(&project.flow(&["show", "another.yaml", "one"]));
    assert!(unknown.contains("no workflow") && unknown.contains("waves"), "{unknown}");
}

#[test]
fn an_output_is_shown_with_its_statistics_and_its_origin() {
    let project = project();
    let shown = out(&project.flow(&["show", "w", "wave[amplitude=2.0].wave"]));
    for part in
        ["height  (time=8, x=16)  f32", "m  Height of the wave", "demo/wave version 1", "amplitude  2"]
    {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    // The workflow may be left out; a stage stands for its nodes; programs get the same.
    let json: Value =
        serde_json::from_str(&out(&project.flow(&["show", "wave.wave", "--format", "json"]))).unwrap();
    let outputs = json["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 2);
    assert_eq!(outputs[1]["content"]["variables"][0]["units"], "m");
    // By digest: the same artifact.
    let digest = outputs[1]["digest"].as_str().unwrap();
    assert!(out(&project.flow(&["show", &digest[..12]])).contains("wave[amplitude=2.0].wave in run"));
    let node = out(&project.flow(&["show", "w.yaml", "mean"]));
    assert!(node.contains("data ← wave[amplitude=1.0].wave"), "{node}");
    let run = out(&project.flow(&["show", "w"]));
    assert!(run.contains("3 executed, 0 cached"), "{run}");
}

#[test]
fn what_is_not_there_is_said() {
    let project = project();
    for (words, message, help) in [
        (&["show", "x"][..], "has no node `x`", "its stages are wave, mean"),
        (&["show", "w", "mean.plot"][..], "`mean` has no output `plot`", "its outputs are metrics"),
        (&["show", "v", "mean"][..], "`v` is no workflow, run or artifact", "there are runs of w"),
        (&["get", "w", "wave.wave", "x"][..], "is an output of 2 nodes", "'wave[amplitude=1.0].wave'"),
        (&["get", "w", "mean", "x"][..], "is a node, not an output", "'mean.metrics'"),
        (
            &["get", "w", "mean.metrics", "x", "--as", "npz"][..],
            "cannot be written as npz",
            "form of a dataset",
        ),
    ] {
        let said = project.refused(words);
        assert!(said.contains(message) && said.contains(help), "{words:?}\n{said}");
    }
}

#[test]
fn artifacts_are_copied_out_and_converted() {
    let project = project();
    let wave = "wave[amplitude=1.0].wave";
    for args in [
        &["get", "w", wave, "wave.zarr"][..],
        &["get", wave, "wave.nc"][..],
        &["get", wave, "wave.npz", "--as", "npz"][..],
        &["get", "w", wave, "arrays", "--as", "npy"][..],
        &["get", "w", "mean.metrics", "sub/"][..],
    ] {
        out(&project.flow(args));
    }
    let copy = Dataset::open(project.path("wave.zarr")).unwrap();
    assert_eq!(copy.dim("x"), Some(16));
    let shown = out(&project.flow(&["show", wave]));
    let identity = digest::of(Kind::Dataset, &project.path("wave.zarr")).unwrap();
    assert!(shown.contains(&identity.digest.to_string()));
    assert_eq!(fs::read(project.path("wave.nc")).unwrap()[..4], *b"CDF\x02");
    assert_eq!(fs::read(project.path("wave.npz")).unwrap()[..2], *b"PK");
    assert!(project.path("arrays/height.npy").is_file());
    assert!(project.path("sub/mean.metrics.json").is_file());
    // A copy is its owner's: it can be changed. What is there is not replaced without being asked.
    fs::write(project.path("sub/mean.metrics.json"), "mine").unwrap();
    let again = project.refused(&["get", "w", "mean.metrics", "sub/mean.metrics.json"]);
    assert!(again.contains("--overwrite replaces it"));
    out(&project.flow(&["get", "w", "mean.metrics", "sub/mean.metrics.json", "--overwrite"]));
    assert_ne!(fs::read(project.path("sub/mean.metrics.json")).unwrap(), b"mine");
}

#[test]
fn every_run_leaves_a_report() {
    let project = project();
    let again = out(&project.flow(&["run", "w.yaml"]));
    let path = again.lines().find_map(|line| line.strip_prefix("report: ")).unwrap();
    let html = fs::read_to_string(path).unwrap();
    assert!(html.contains("everything was cached") && html.contains("mean.metrics"));
    assert!(html.contains("<td><code>height</code></td>"));
}
