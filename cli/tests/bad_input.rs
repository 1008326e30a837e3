//! What the program says to a wrong request or a wrong workflow: the whole text, and exit status 2.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::{Command, Output};

use insta::assert_snapshot;

fn flow(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flow"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("FLOW_STORE")
        .output()
        .unwrap()
}

/// Standard error of a request that is refused, and that leaves nothing behind.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = flow(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(!folder.join(".flow").exists());
    String::from_utf8(output.stderr).unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

const WRONG: &str = "flow: 1
name: wrong
params: { words: 3 }
stages:
  text:
    uses: demo/txt
    with: { text: a }
  grep:
    uses: demo/grep
    inputs: { texts: text.text }
    with: { contain: \"${{ params.word }}\" }
  join:
    uses: demo/join
    inputs: { parts: grep.text }
    need: [text]
report: [join.texts]
";

#[test]
fn everything_wrong_with_a_workflow() {
    let folder = folder(&[("workflows/wrong.yaml", WRONG)]);
    let told = refused(folder.path(), &["run", "wrong"]);
    assert_snapshot!(told);
    // Every command that reads a workflow says the same.
    for command in ["plan", "graph"] {
        assert_eq!(refused(folder.path(), &[command, "workflows/wrong.yaml"]), told);
    }
}

#[test]
fn a_workflow_that_is_not_there() {
    let folder = folder(&[("workflows/waves.yaml", "flow: 1\n"), ("notes.yaml", "a: 1\n")]);
    assert_snapshot!(refused(folder.path(), &["run", "wave"]), @r"
    error: there is no workflow `wave`
    help: did you mean `workflows/waves.yaml`?
    ");
    assert_snapshot!(refused(folder.path(), &["run", "workflows"]), @r"
    error: `workflows` is a folder, not a workflow file
    help: the workflows here are `workflows/waves.yaml`
    ");
}

#[test]
fn a_workflow_is_found_by_the_name_in_it() {
    let stages = "stages: { a: { uses: demo/text, with: { text: x } } }\n";
    let named = format!("flow: 1\nname: \"waves\"   # of water\n{stages}");
    let folder = folder(&[("workflows/first.yaml", &named), ("second.yaml", "flow: 1\n")]);
    let plan = flow(folder.path(), &["plan", "waves"]);
    assert!(plan.status.success(), "{}", String::from_utf8_lossy(&plan.stderr));
}

#[test]
fn no_workflow_and_too_many() {
    let none = folder(&[]);
    assert_snapshot!(refused(none.path(), &["run"]), @r"
    error: there is no workflow here
    help: name one, or write `workflows/NAME.yaml`
    ");
    let two = folder(&[("a.yaml", "flow: 1\n"), ("b.yml", "flow: 1\n")]);
    assert_snapshot!(refused(two.path(), &["graph"]), @r"
    error: there are several workflows here
    help: name one of `a.yaml`, `b.yml`
    ");
}

#[test]
fn a_file_that_is_not_text() {
    let folder = folder(&[]);
    std::fs::write(folder.path().join("a.yaml"), b"flow: 1\nname: \xff\n").unwrap();
    assert_snapshot!(refused(folder.path(), &["run", "a.yaml"]), @r"
    error: the workflow `a.yaml` is not UTF-8 text (line 2)
    help: save the file as UTF-8

    1 problem found; nothing was run
    ");
}

#[test]
fn settings_and_profiles_that_name_nothing() {
    let text = "flow: 1
params: { word: a }
profiles: { long: { params: { word: aaaa } } }
stages: { text: { uses: demo/text, with: { text: '${{ params.word }}' } } }
";
    let folder = folder(&[("a.yaml", text)]);
    let arguments = ["run", "a.yaml", "--profile", "lnog", "--set", "wrod=b", "--set", "text.with.txt=b"];
    assert_snapshot!(refused(folder.path(), &arguments));
}

#[test]
fn requests_that_name_nothing_or_too_little() {
    let text = "flow: 1\nstages: { text: { uses: demo/text, with: { text: a } } }\n";
    let folder = folder(&[("a.yaml", text)]);
    assert_snapshot!(refused(folder.path(), &["run", "--force", "txt"]), @r"
    error: there is no stage or node `txt` to force
    help: did you mean `text`?
    ");
    assert_snapshot!(refused(folder.path(), &["get", "text.text"]), @r"
    error: expected an output, and where to put it
    help: for example `flow get ccs evaluate.cases cases.csv`
    ");
    assert_snapshot!(refused(folder.path(), &["run", "--set", "text=b"]), @r"
    error: there is no parameter `text`
     --> command line:1:7
      |
    1 | --set text=b
      |       ^^^^
      |
    help: parameters of a stage are set with `--set text.with.NAME=VALUE`

    1 problem found; nothing was run
    ");
    assert_snapshot!(refused(folder.path(), &["runs", "--limit", "x"]), @r"
    error: invalid value 'x' for '--limit <N>': expected a whole number from 1 on

    For more information, try '--help'.
    ");
}

#[test]
fn an_operation_that_is_not_there() {
    let folder = folder(&[]);
    assert_snapshot!(refused(folder.path(), &["plugins", "demo/jion"]), @r"
    error: there is no plugin or operation `demo/jion`
    help: did you mean `demo/join`?
    ");
}
