//! `flow export`: a run as an RO-Crate, complete in itself, and accepted by the validator where there is one.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use common::{Project, text};
use serde_json::Value;

fn project() -> Project {
    let project = Project::new("");
    project.write("words in.txt", "b\na\n");
    project.write(
        "w.yaml",
        "flow: 1
name: w
params: { amplitude: 1.5, label: a b, sizes: [1, 2], deep: { x: true } }
stages:
  sorted:
    uses: exec/run
    inputs: { words: { path: words in.txt } }
    with: { run: 'sort \"${{ inputs.words }}\" > \"${{ outputs.out }}\"' }
    outputs: { out: file }
  wave: { uses: demo/wave, seeds: [1, 2], with: { cells: 16, amplitude: '${{ params.amplitude }}' } }
  mean: { uses: demo/mean, inputs: { data: [wave.wave] } }
  lost: { uses: demo/fail, inputs: { after: sorted.out } }
  never: { uses: demo/grep, inputs: { text: lost.text }, with: { contains: x } }
",
    );
    project
}

/// The entities of a crate.
fn graph(folder: &Path) -> Vec<Value> {
    let metadata = std::fs::read_to_string(folder.join("ro-crate-metadata.json")).unwrap();
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    metadata["@graph"].as_array().unwrap().clone()
}

fn entity<'g>(graph: &'g [Value], id: &str) -> &'g Value {
    graph.iter().find(|entity| entity["@id"] == id).unwrap_or_else(|| panic!("no entity {id}"))
}

fn named<'g>(graph: &'g [Value], kind: &str, name: &str) -> &'g Value {
    graph
        .iter()
        .find(|e| e["@type"] == kind && e["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// All that an entity refers to.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if map.len() == 1 && map.contains_key("@id") => {
            found.insert(map["@id"].as_str().unwrap().to_owned());
        }
        Value::Object(map) => map.values().for_each(|value| references(value, found)),
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn validate(folder: &Path) {
    // Where it is not in the path, the variable says where.
    let program = std::env::var("ROCRATE_VALIDATOR").unwrap_or_else(|_| "rocrate-validator".to_owned());
    let validator = Command::new(&program)
        .args(["--disable-color", "validate", "--no-paging", "--profile-identifier", "provenance-run-crate"])
        .args(["--requirement-severity", "REQUIRED"])
        .arg(folder)
        .output();
    match validator {
        Err(error) => eprintln!("skipped: {program}: {error}; `pip install roc-validator` brings it"),
        // It asks the network for what the terms mean.
        Ok(output) if text(&output.stdout).contains("URLError") => {
            eprintln!("skipped: {program} found no network")
        }
        Ok(output) => assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr)),
    }
}

#[test]
fn a_run_is_a_crate_that_is_complete_in_itself() {
    let project = project();
    assert_eq!(project.run(&[]).counts(), [4, 0, 1, 1]);
    let output = project.flow(&[
        "export",
        "w",
        "crate",
        "--author",
        "Ada",
        "--license",
        "https://spdx.org/licenses/CC0-1.0",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = project.path("crate");
    let graph = graph(&folder);

    let ids: BTreeSet<String> =
        graph.iter().map(|entity| entity["@id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), graph.len(), "an entity is there twice");
    for entity in &graph {
        let mut found = BTreeSet::new();
        let members = entity.as_object().unwrap().iter().filter(|(name, _)| *name != "@id");
        members.for_each(|(_, value)| references(value, &mut found));
        for id in found {
            let outside = id.starts_with("https://") || id.starts_with("http://");
            assert!(outside || ids.contains(&id), "{} refers to {id}", entity["@id"]);
        }
    }
    for part in entity(&graph, "./")["hasPart"].as_array().unwrap() {
        assert!(folder.join(part["@id"].as_str().unwrap()).exists(), "{part}");
    }
    assert_eq!(
        std::fs::read_to_string(folder.join("w.yaml")).unwrap(),
        std::fs::read_to_string(project.path("w.yaml")).unwrap()
    );
    assert_eq!(std::fs::read_to_string(folder.join("inputs/words_in.txt")).unwrap(), "b\na\n");
    assert_eq!(
        std::fs::read_to_string(folder.join("results/mean.metrics.json")).unwrap(),
        project.output("mean", "metrics")
    );
    // What another node reads is described, and not there.
    assert!(!folder.join("results/wave_seed_1_.wave.zarr").exists());

    let mean = named(&graph, "CreateAction", "mean");
    assert_eq!(mean["instrument"]["@id"], "#tool-demo_mean");
    assert_eq!(mean["result"]["@id"], "results/mean.metrics.json");
    let read: Vec<&Value> = mean["object"].as_array().unwrap().iter().collect();
    let wave = named(&graph, "CreateAction", "wave[seed=2]");
    assert!(read.contains(&&wave["result"]), "{read:?}");
    let lost = named(&graph, "CreateAction", "lost");
    assert_eq!(lost["actionStatus"], "http://schema.org/FailedActionStatus");
    assert!(!lost["error"].as_str().unwrap().is_empty());
    assert!(graph.iter().all(|entity| entity["name"] != "never"), "it never ran");
    assert_eq!(entity(&graph, "#value-label")["value"], "a b");
    assert_eq!(entity(&graph, "#run")["agent"]["@id"], "#person");
    assert_eq!(entity(&graph, "#person")["name"], "Ada");
    validate(&folder);
}

#[test]
fn what_was_cached_is_shown_as_it_was_computed() {
    let project = project();
    let first = project.run(&[]);
    project.run(&[]);
    let output = project.flow(&["export", "w", "all.zip", "--all"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = project.flow(&["export", "w", "all", "--all"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let graph = graph(&project.path("all"));
    let run = first.events[0]["run"].as_str().unwrap();
    let mean = named(&graph, "CreateAction", "mean");
    assert_eq!(mean["description"], format!("Its result was in the store already, from run {run}."));
    let store = project.store();
    let original = store.nodes(run).unwrap().into_iter().find(|node| node.name == "mean").unwrap();
    let second = format!("{:02}+00:00", original.started as u64 % 60);
    assert!(mean["startTime"].as_str().unwrap().ends_with(&second), "{mean}");
    assert!(project.path("all/results/wave_seed_1_.wave.zarr/zarr.json").exists());
    assert!(std::fs::read(project.path("all.zip")).unwrap().starts_with(b"PK"));
    validate(&project.path("all"));
}

#[test]
fn what_cannot_be_exported_is_said() {
    let project = project();
    let said = |args: &[&str], expected: &str| {
        let said = project.refused(&[&["export"], args].concat());
        assert!(said.contains(expected), "{said}");
    };
    said(&["w", "crate"], "there is no store");
    project.run(&[]);
    said(&["w", "words in.txt"], "exists already");
    said(&["x", "crate"], "x");
    said(&["mean", "crate"], "is not a workflow or a run");
    said(&["w", "crate", "--orcid", "me"], "expected an address such as");
    assert!(!project.path("crate").exists());
    // An input that has changed since is described only.
    project.write("words in.txt", "c\n");
    assert!(project.flow(&["export", "w", "crate"]).status.success());
    assert!(!project.path("crate/inputs").exists());
    let graph = graph(&project.path("crate"));
    assert_eq!(named(&graph, "CreativeWork", "words in.txt")["@type"], "CreativeWork");
}
