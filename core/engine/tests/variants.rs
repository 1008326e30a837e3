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
fn cells_that_are_none_or_there_already() {
    let stage =
        |axes: &str| format!("flow: 1\nstages:\n  a: {{ uses: demo/text, {axes}, with: {{ text: t }} }}\n");
    let all: Vec<String> = [
        "matrix: { include: [1, 2] }",
        "matrix: { n: [1], include: [{}] }",
        "matrix: { include: [{ \"a b\": 1 }] }",
        "matrix: { n: [1, 2], include: [{ n: 2 }] }",
        "matrix: { include: [{ n: [a] }, { n: [a] }] }",
        "matrix: { n: [{ a: 1 }, { a: 1 }] }",
        "zip: { m: [x, y, x], n: [1, 1, 1] }",
    ]
    .map(|axes| problems(&stage(axes)))
    .into();
    assert_snapshot!(all.join("\n"));
}

#[test]
fn a_collection_of_nothing() {
    assert_snapshot!(problems("flow: 1\nstages:\n  a: { uses: demo/join, inputs: { parts: [] } }\n"));
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
fn a_published_table_is_no_axis() {
    let folder = Folder::new();
    folder.write("out/cases.csv", "a\n1\n2\n");
    let text = "
flow: 1
stages:
  make: { uses: demo/text, with: { text: t }, publish: { text: out/cases.csv } }
  use: { uses: demo/text, matrix: { case: { rows: out/cases.csv } }, with: { text: t } }
";
    assert_snapshot!(wrong(&folder, text, &[]));
}

#[test]
fn conditions_see_seeds_and_inherited_axes() {
    let text = "
flow: 1
params: { all: false }
stages:
  a: { uses: demo/text, matrix: { m: [x, y] }, seeds: [1, 2], with: { text: t } }
  b:
    uses: demo/grep
    when: \"${{ params.all or matrix.m == 'x' and seed == 2 }}\"
    inputs: { text: a.text }
    with: { contains: t }
  c: { uses: demo/join, inputs: { parts: { collect: b.text, over: [seed] } } }
";
    let folder = Folder::new();
    let graph = folder.load(text, None, &[]).unwrap();
    assert_eq!(
        (names(&graph, "b"), names(&graph, "c")),
        (vec!["b[m=x,seed=2]".into()], vec!["c[m=x]".into()])
    );
    assert_eq!(graph.stages[1].off.len(), 3);
    let all = folder.load(text, None, &["all=true"]).unwrap();
    assert_eq!((names(&all, "b").len(), names(&all, "c").len()), (4, 2));
}

#[test]
fn included_files_include_others() {
    let folder = Folder::new();
    folder.write("study/lib/deep/c.yaml", "flow: 1\nparams: { f: c.txt, k: 1 }\nstages:\n  c: { uses: demo/grep, inputs: { text: { path: \"${{ params.f }}\" } }, with: { contains: \"${{ str(params['k']) }}\" } }\n");
    folder.write("study/lib/deep/c.txt", "t");
    folder.write("study/lib/b.yaml", "flow: 1\nparams: { k: 2 }\ninclude: { c: { path: deep/c.yaml, params: { k: \"${{ params.k * 10 }}\" } } }\nstages:\n  b: { uses: demo/join, needs: c.c, inputs: { parts: { collect: c.c.text } } }\n");
    let text = "flow: 1\ninclude: { b: { path: study/lib/b.yaml, params: { k: 7 } } }\n";
    let graph = folder.load(text, None, &[]).unwrap();
    let order: Vec<_> = graph.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(order, ["b.c.c", "b.b"]);
    assert_eq!(graph.nodes[0].params["contains"], json!("70"));
    match &graph.nodes[0].inputs[0].1[0].from {
        flow_engine::graph::Origin::External { path, .. } => assert!(path.ends_with("study/lib/deep/c.txt")),
        other => panic!("{other:?}"),
    }
    let set = folder.load(text, None, &["b.c.k=4", "b.c.c.with.invert=true"]).unwrap();
    assert_eq!(set.nodes[0].params, json!({ "contains": "4", "invert": true }));
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
