//! Environments that flow makes from a file: once, whole or not at all, and anew when what they are made from changes.
//!
//! Without an index of packages: what is installed is a folder beside the requirements, which builds itself. Skipped, with
//! a message, where python3 can make no environments.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Command;

use common::{Project, not_tested, text};

/// A package that needs nothing to be built.
const PYPROJECT: &str = "[build-system]
requires = []
build-backend = \"backend\"
backend-path = [\".\"]

[project]
name = \"tool\"
version = \"1.0\"
";
const BACKEND: &str = r#"import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, info = "tool-1.0-py3-none-any.whl", "tool-1.0.dist-info"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.write("tool.py")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"tool.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return name
"#;
const OPERATIONS: &str = "import tool
from flowstages import Metrics, operation

@operation
def value() -> Metrics:
    return Metrics(value=tool.VALUE)
";

fn can_make_environments() -> bool {
    let works = |args: &[&str]| Command::new("python3").args(args).output().is_ok_and(|o| o.status.success());
    let can = works(&["-c", "import ensurepip, venv, pip"]);
    if !can {
        not_tested("python3 has no pip, or cannot make virtual environments");
    }
    can
}

fn project(env: &str) -> Project {
    let project = Project::new("");
    let plugins = format!("plugins:\n  mine: {{ python: ops.py, env: {env} }}\n");
    project
        .write("w.yaml", &format!("flow: 1\nname: w\n{plugins}stages:\n  value: {{ uses: mine/value }}\n"));
    project.write("ops.py", OPERATIONS);
    project
}

/// The environments that are there.
fn environments(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.path(".flow/plugins/environments")).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn an_environment_is_made_once_from_requirements() {
    if !can_make_environments() {
        return;
    }
    let project = project("requirements.txt");
    fs::create_dir(project.path("pkg")).unwrap();
    project.write("pkg/pyproject.toml", PYPROJECT);
    project.write("pkg/backend.py", BACKEND);
    project.write("pkg/tool.py", "VALUE = 1\n");
    project.write("requirements.txt", "# Nothing from outside.\n--no-index\n./pkg\n");
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [1, 0, 0, 0]), "{:?} {}", run.events, run.stderr);
    assert!(run.stderr.contains("making the environment of requirements.txt, once"), "{}", run.stderr);
    assert!(run.stderr.contains("the environment of requirements.txt is ready"), "{}", run.stderr);
    assert!(project.output("value", "result").contains("1"));

    let run = project.run(&[]);
    assert_eq!((run.counts(), run.stderr.as_str()), ([0, 1, 0, 0], ""), "it is there");
    let made = environments(&project);
    assert_eq!(made.len(), 1);

    // One that was not finished is made anew.
    fs::remove_file(project.path(&format!(".flow/plugins/environments/{}/made-by-flow", made[0]))).unwrap();
    let run = project.run(&[]);
    assert_eq!(run.counts(), [0, 1, 0, 0], "the same packages, the same results");
    assert!(run.stderr.contains("once"), "{}", run.stderr);

    // A package without a version of its own is what it consists of.
    project.write("pkg/tool.py", "VALUE = 2\n");
    let run = project.run(&[]);
    assert_eq!(run.executed(), ["value"], "{}", run.stderr);
    assert!(project.output("value", "result").contains("2"));
    let reason = run.node("value")["reason"].as_str().unwrap();
    assert!(reason.contains("pkg"), "{reason}");
}

#[test]
fn a_failed_installation_is_told_and_leaves_nothing() {
    if !can_make_environments() {
        return;
    }
    let project = project("requirements.txt");
    project.write("requirements.txt", "--no-index\nno-such-package-anywhere\n");
    for _ in 0..2 {
        let said = project.refused(&["plan", "w.yaml"]);
        assert!(said.contains("the environment of `requirements.txt` cannot be made"), "{said}");
        assert!(said.contains("no-such-package-anywhere"), "what the installer says: {said}");
        assert!(environments(&project).is_empty());
    }
}

#[test]
fn what_no_environment_can_be_made_from() {
    if !can_make_environments() {
        return;
    }
    let project = project("requirements.txt");
    let said = |project: &Project| text(&project.flow(&["plan", "w.yaml"]).stderr);
    let message = said(&project);
    assert!(message.contains("there is no file `requirements.txt`"), "{message}");
    project.write("requirements.txt", "-r more.txt\n");
    let message = said(&project);
    assert!(message.contains("`requirements.txt` names") && message.contains("more.txt"), "{message}");
}
