//! What is wrong with conditions, files, rows and included workflows.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Folder, names, problems};
use insta::assert_snapshot;
use serde_json::json;

fn wrong(folder: &Folder, text: &str, set: &[&str]) -> String {
    match folder.load(text, None, set) {
        Ok(graph) => panic!("no problem found; {} nodes", graph.nodes.len()),
        Err(problems) => problems,
    }
}

#[test]
fn conditions_that_are_none() {
    let stage = |when: &str| {
        format!(
            "flow: 1\nparams: {{ n: 2 }}\nstages:\n  a:\n    uses: demo/text\n    when: {when}\n    with: {{ text: t }}\n"
        )
    };
    assert_snapshot!(problems(&stage("\"${{ params.n }}\"")));
    assert_snapshot!(problems(&stage("\"${{ matrix.n > 1 }}\"")));
    assert_snapshot!(problems(&stage("yes")));
}

#[test]
fn values_that_are_switched_off_are_not_missing() {
    let text = "
flow: 1
stages:
  a: { uses: demo/text, matrix: { m: [x, y] }, when: \"${{ matrix.m == 'x' }}\", with: { text: t } }
  b: { uses: demo/grep, matrix: { m: [y, x] }, inputs: { text: a.text }, with: { contains: t } }
";
    assert_eq!(names(&common::graph(text), "b"), ["b[m=x]"]);
    assert_snapshot!(problems(&text.replace("[y, x]", "[x, z]")));
}

#[test]
fn files_that_are_not_there() {
    let stage = |axis: &str| {
        format!(
            "flow: 1\nstages:\n  a:\n    uses: demo/text\n    matrix: {{ f: {axis} }}\n    with: {{ text: t }}\n"
        )
    };
    let folder = Folder::new();
    folder.write("cases.csv", "a,b\n1,2\n3\n");
    folder.write("same.csv", "a,b\n1,2\n1,2\n");
    folder.write("empty.csv", "a,b\n");
    for axis in [
        "{ files: \"data/*.csv\" }",
        "{ files: cases.CSV }",
        "{ rows: case.csv }",
        "{ rows: cases.csv }",
        "{ rows: same.csv }",
        "{ rows: empty.csv }",
        "{ rows: cases.csv, files: \"*\" }",
        "{ rows: cases.csv, column: a }",
        "{ files: [a, b] }",
        "{ fiels: \"*\" }",
        "{ folder: data }",
        "{ from: b.text }",
    ] {
        assert_snapshot!(wrong(&folder, &stage(axis), &[]));
    }
}

#[test]
fn files_of_one_stem_are_told_apart_by_their_paths() {
    let folder = Folder::new();
    for path in ["data/x/one.txt", "data/y/one.txt"] {
        folder.write(path, "t");
    }
    let text = "
flow: 1
params: { all: 'data/*/*.txt' }
stages:
  a:
    uses: demo/grep
    matrix: { f: { files: \"${{ params.all }}\" } }
    inputs: { text: { path: \"${{ matrix.f.path }}\" } }
    with: { contains: t }
";
    let graph = folder.load(text, None, &[]).unwrap();
    assert_eq!(names(&graph, "a"), ["a[f=data/x/one.txt]", "a[f=data/y/one.txt]"]);
    // What others are told is the name, not where it lies.
    assert_eq!(graph.nodes[0].coordinates["f"], json!("data/x/one.txt"));
    let one = folder.load(text, None, &["all=data/x/*.txt"]).unwrap();
    assert_eq!(names(&one, "a"), ["a[f=one]"]);
    assert_eq!(one.nodes[0].coordinates["f"], json!("one"));
}

/// A workflow that includes others with all that can be wrong about it.
const INCLUDING: &str = "flow: 1
params: { n: 3 }
include:
  ok: { path: part.yaml, params: { n: \"${{ params.n }}\" } }
stages:
  use: { uses: demo/grep, inputs: { text: ok.a.text }, with: { contains: t } }
";

#[test]
fn includes_that_are_wrong() {
    let folder = Folder::new();
    folder.write("part.yaml", "flow: 1\nparams: { n: 1, text: t }\nstages:\n  a: { uses: demo/text, with: { text: \"${{ str(params.n) }}\" } }\n");
    folder.write("bad.yaml", "flow: 1\nparam: {}\nstages:\n  a: { uses: demo/txt, with: { text: \"${{ len(params) }}\" } }\n  b: { uses: demo/grep, inputs: { text: a.txt, more: c.text }, with: { contains: \"${{ params.n }}\" } }\n");
    folder.write(
        "self.yaml",
        "flow: 1\ninclude: { me: self.yaml }\nstages:\n  a: { uses: demo/text, with: { text: t } }\n",
    );
    let graph = folder.load(INCLUDING, None, &[]).unwrap();
    assert_eq!(graph.nodes[0].params, json!({ "text": "3" }));
    assert_eq!(graph.params, *json!({ "n": 3, "ok.n": 3, "ok.text": "t" }).as_object().unwrap());
    let set = folder.load(INCLUDING, None, &["ok.n=5"]).unwrap();
    assert_eq!(set.nodes[0].params, json!({ "text": "5" }));
    for (from, to) in [
        ("part.yaml,", "prat.yaml,"),
        ("params: { n: \"$", "params: { m: \"$"),
        ("part.yaml, params", "part.yaml, with"),
        ("params: { n: \"${{ params.n }}\" }", "profile: long"),
        ("ok: {", "n: {"),
        ("ok: {", "o.k: {"),
        ("ok: { path: part.yaml,", "ok: {"),
        ("part.yaml, params: { n: \"${{ params.n }}\" }", "self.yaml"),
        ("part.yaml, params: { n: \"${{ params.n }}\" }", "bad.yaml"),
        ("ok.a.text", "ok.b.text"),
        ("ok.a.text", "ok.a.txt"),
    ] {
        assert!(INCLUDING.contains(from));
        assert_snapshot!(wrong(&folder, &INCLUDING.replacen(from, to, 1), &[]));
    }
    assert_snapshot!(wrong(&folder, INCLUDING, &["ok.m=1", "ok.a.with.txt=x", "ok.b.with.text=x"]));
}
