//! What the program says about workflows and operations without running anything.
#![allow(clippy::unwrap_used, missing_docs)]

use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

const STUDY: &str = "flow: 1
name: study
stages:
  words:
    uses: demo/text
    matrix: { language: [en, de], size: [1, 2] }
    with: { text: '${{ matrix.language }} \"${{ matrix.size }}\"' }
  slow: { uses: demo/count, with: { to: 3 } }
  grep: { uses: demo/grep, inputs: { text: words.text }, with: { contains: e } }
  sizes: { uses: demo/join, inputs: { parts: { collect: grep.text, over: [size] } } }
  all: { uses: demo/join, inputs: { parts: [sizes.text, words.text] }, needs: [slow] }
";

fn flow(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("study.yaml"), STUDY).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_flow")).args(arguments).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_graph_as_text() {
    assert_snapshot!(flow(&["graph"]));
}

#[test]
fn a_graph_of_nodes_lists_every_cell() {
    let text = flow(&["graph", "--nodes"]);
    assert!(text.contains("words[language=de,size=2]"), "{text}");
    assert!(text.contains("text ← words[language=de,size=2].text"), "{text}");
}

#[test]
fn a_graph_for_mermaid_and_graphviz() {
    assert_snapshot!(flow(&["graph", "--format", "mermaid"]));
    assert_snapshot!(flow(&["graph", "--format", "dot"]));
}

#[test]
fn a_graph_as_a_picture_has_every_stage_and_every_arrow_once() {
    let svg = flow(&["graph", "--format", "svg"]);
    assert_eq!(svg.matches("class=\"t\"").count(), 5);
    for stage in ["words ×4", "slow", "grep ×4", "sizes ×2", "all"] {
        assert!(svg.contains(&format!(">{stage}</text>")), "{stage}");
    }
    assert_eq!(svg.matches("marker-end").count(), 5);
    assert_eq!(svg.matches("class=\"e d\"").count(), 1);
}

#[test]
fn an_operation_is_documented() {
    assert_snapshot!(flow(&["plugins", "demo/fail"]));
    assert_eq!(flow(&["plugins", "show", "demo/fail"]), flow(&["plugins", "demo/fail"]));
}

#[test]
fn an_operation_is_documented_for_programs() {
    let document: Value = serde_json::from_str(&flow(&["plugins", "demo/join", "--format", "json"])).unwrap();
    assert_eq!(document["name"], "demo/join");
    assert_eq!(document["inputs"][0]["multiplicity"], "many");
    assert_eq!(document["parameters"][0]["default"], "\n");
}

#[test]
fn the_schema_of_workflow_files_knows_every_operation() {
    let schema: Value = serde_json::from_str(&flow(&["schema"])).unwrap();
    let stage = &schema["$defs"]["stage"];
    let names = stage["properties"]["uses"]["oneOf"].as_array().unwrap();
    let rules = stage["allOf"].as_array().unwrap();
    assert_eq!(rules.len(), names.len());
    let grep = rules.iter().find(|rule| rule["if"]["properties"]["uses"]["const"] == "demo/grep").unwrap();
    assert_eq!(grep["then"]["required"], serde_json::json!(["inputs", "with"]));
    assert_eq!(grep["then"]["properties"]["inputs"]["required"], serde_json::json!(["text"]));
    assert!(grep["then"]["properties"]["with"]["properties"]["invert"]["anyOf"].is_array());
}
