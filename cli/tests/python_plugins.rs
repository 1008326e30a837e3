//! Plugins in Python: what counts in their keys, and what their authors are told.
//!
//! Skipped, with a message, where there is no Python. What needs numpy is tested in the package itself.

#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;

use common::{Project, has_python, path_with_packages, text, virtual_environment, with_packages};

const OPERATIONS: &str = r#""""Operations of the tests."""

import os
import subprocess
from typing import List

import helper
from flowstages import Context, File, Metrics, Range, operation
from typing import Annotated


@operation
def count(text: File, scale: Annotated[float, Range(0, 10)] = 1.0) -> Metrics:
    """Counts lines.

    Args:
        text: What to count in.
        scale: What to multiply by.
    """
    print("counting")
    return Metrics(lines=len(text.read_text().splitlines()) * scale * helper.FACTOR)


@operation
def wait(context: Context, marker: str = "") -> File:
    out = context.path()
    for step in range(3):
        context.progress(step, 3)
        context.metric("step", step, step / 2)
    context.note("half way")
    out.write_text(f"{context.node} {context.threads}\n")
    return File(out)


@operation
def noisy(context: Context) -> File:
    """Writes to what was its standard output, by itself and by a program."""
    os.write(1, b"raw\n")
    subprocess.run(["echo", "from a program"])
    context.path().touch()
    return File(context.path())


@operation
def fail(text: File) -> Metrics:
    """Fails."""
    return deeper(text)


def deeper(text: File) -> Metrics:
    raise ValueError(f"no good: {text.read_text().strip()}")


@operation
def gather(texts: List[File]) -> Metrics:
    return Metrics({item.coordinates["n"]: len(item.read_text()) for item in texts})


@operation(checkpoints=True)
def steps(context: Context, total: int = 3) -> Metrics:
    saved = context.checkpoints.last()
    start = saved[0] if saved else 0
    for step in range(start, total):
        context.checkpoints.save(step + 1, b"state")
        if saved is None and step == 1:
            raise RuntimeError("half way")
    return Metrics(start=start)


def positive(length: int) -> None:
    if length % 2:
        raise ValueError("`length` must be even")


@operation(check=positive)
def pad(length: int) -> File:
    raise AssertionError("it was checked, and must not run")
"#;

const STAGES: &str = "
  text: { uses: demo/text, with: { text: \"a\\nb\\n\" } }
  count: { uses: mine/count, inputs: { text: text.text } }
  wait: { uses: mine/wait }
";

/// What is under way while a notebook looks at what is there.
const HALF_WAY: &str = "
import sys, flowstages
wave = flowstages.load('w', 'wave.wave')
assert wave['height'].shape == (4, 8), wave
assert set(flowstages.load_all('w', 'wave.wave')) == {'wave'}
try:
    flowstages.load('w', 'later.text')
except LookupError as error:
    sys.exit(0 if 'later' in str(error) else str(error))
sys.exit('it was there before it was made')
";

/// A project with the plugin `mine`.
fn project(stages: &str) -> Project {
    let project = Project::new("");
    write(&project, stages);
    project.write("my_ops.py", OPERATIONS);
    project.write("helper.py", "FACTOR = 2\n");
    project
}

fn write(project: &Project, stages: &str) {
    let head = "flow: 1\nname: w\nplugins:\n  mine: { python: my_ops.py }\n";
    project.write("w.yaml", &format!("{head}stages:\n{stages}"));
}

#[test]
fn functions_run_as_stages_and_their_code_counts() {
    if !has_python() {
        return;
    }
    let project = project(STAGES);
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [3, 0, 0, 0]), "{:?} {}", run.events, run.stderr);
    assert_eq!(project.output("count", "result"), "{\n  \"lines\": 4.0\n}\n");
    assert_eq!(project.output("wait", "result"), "wait 1\n");
    assert_eq!(run.log("count"), ["counting"]);
    assert_eq!(run.log("wait"), ["half way"]);
    assert_eq!(project.run(&[]).counts(), [0, 3, 0, 0]);

    // What does not count.
    project.write("other.py", "X = 1\n");
    project.write("helper.py", "# A comment.\n\"\"\"A docstring.\"\"\"\n\nFACTOR  =  2\n");
    project.write("my_ops.py", &OPERATIONS.replace("Counts lines.", "Counts the lines of a text."));
    let run = project.run(&[]);
    assert_eq!(run.counts(), [0, 3, 0, 0], "{:?}", run.events);

    // What does.
    project.write("helper.py", "FACTOR = 3\n");
    let reason = &project.plan(&[])[1].3;
    assert!(reason.contains("helper.py changed"), "{reason}");
    let run = project.run(&[]);
    assert_eq!(run.counts(), [2, 1, 0, 0], "{:?}", run.events);
    assert_eq!(project.output("count", "result"), "{\n  \"lines\": 6.0\n}\n");
    write(&project, &STAGES.replace("inputs: { text", "with: { scale: 2 }, inputs: { text"));
    assert_eq!(project.run(&[]).executed(), ["count"]);
}

#[test]
fn where_nothing_changed_no_interpreter_starts() {
    if !has_python() {
        return;
    }
    let project = project(STAGES);
    let marker = project.path("started");
    let code = format!("{OPERATIONS}\nopen({marker:?}, 'a').write('x')\n");
    project.write("my_ops.py", &code);
    assert_eq!(project.run(&[]).code, Some(0));
    let starts = || std::fs::read(&marker).unwrap().len();
    let before = starts();
    assert_eq!(project.run(&[]).counts(), [0, 3, 0, 0]);
    assert_eq!(project.plan(&[]).len(), 3);
    assert_eq!(starts(), before);
}

#[test]
fn what_goes_to_standard_output_is_in_the_log() {
    if !has_python() {
        return;
    }
    let project = project("  noisy: { uses: mine/noisy }\n");
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?} {}", run.events, run.stderr);
    assert_eq!(run.log("noisy"), ["raw", "from a program"]);
}

#[test]
fn a_folder_or_an_installed_module_is_a_plugin_too() {
    let project = Project::new("");
    if !virtual_environment(&project.path(".venv")) {
        return;
    }
    let library = std::fs::read_dir(project.path(".venv/lib")).unwrap().next().unwrap().unwrap().path();
    let packages = library.join("site-packages");
    let code = "from flowstages import Metrics, operation\nfrom . import inner\n
@operation\ndef value() -> Metrics:\n    return Metrics(value=inner.X)\n";
    let put = |at: &std::path::Path, value: i32| {
        std::fs::create_dir_all(at).unwrap();
        std::fs::write(at.join("__init__.py"), code).unwrap();
        std::fs::write(at.join("inner.py"), format!("X = {value}\n")).unwrap();
    };
    put(&project.path("lib/own"), 1);
    put(&packages.join("installed"), 2);
    // As an editable installation leaves it.
    let elsewhere = tempfile::tempdir().unwrap();
    put(&elsewhere.path().join("editable"), 3);
    std::fs::write(packages.join("editable.pth"), elsewhere.path().to_str().unwrap()).unwrap();
    project.write(
        "uses.py",
        "from flowstages import Metrics, operation\nimport editable.inner\n
@operation\ndef value() -> Metrics:\n    return Metrics(value=editable.inner.X)\n",
    );
    let plugins = "
  folder: { python: lib/own, env: .venv }
  module: { python: installed, env: .venv }
  uses: { python: uses.py, env: .venv }
";
    let stages = "  a: { uses: folder/value }\n  b: { uses: module/value }\n  c: { uses: uses/value }\n";
    project.write("w.yaml", &format!("flow: 1\nname: w\nplugins:{plugins}stages:\n{stages}"));
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [3, 0, 0, 0]), "{:?} {}", run.events, run.stderr);
    let values = ["a", "b", "c"].map(|node| project.output(node, "result"));
    assert_eq!(values, [1, 2, 3].map(|value| format!("{{\n  \"value\": {value}\n}}\n")));
    assert_eq!(project.run(&[]).counts(), [0, 3, 0, 0]);
    let places = [project.path("lib/own"), packages.join("installed"), elsewhere.path().join("editable")];
    for (index, (at, node)) in places.iter().zip(["a", "b", "c"]).enumerate() {
        std::fs::write(at.join("inner.py"), format!("# A comment.\nX = {}\n", index + 1)).unwrap();
        assert_eq!(project.run(&[]).counts(), [0, 3, 0, 0], "{node}");
        std::fs::write(at.join("inner.py"), "X = 9\n").unwrap();
        let run = project.run(&[]);
        assert_eq!(run.executed(), [node], "{:?}", run.events);
        assert!(project.output(node, "result").contains('9'));
    }
}

#[test]
fn an_editor_knows_the_operations_and_parameters_of_the_workflows_own_plugins() {
    if !has_python() {
        return;
    }
    let project = project(STAGES);
    let schema: serde_json::Value =
        serde_json::from_str(&text(&project.flow(&["schema", "w.yaml"]).stdout)).unwrap();
    let stage = &schema["$defs"]["stage"];
    let offered = stage["properties"]["uses"]["oneOf"].as_array().unwrap();
    let count = offered.iter().find(|operation| operation["const"] == "mine/count").unwrap();
    assert_eq!(count["description"], "Counts lines.");
    let rules = stage["allOf"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["if"]["properties"]["uses"]["const"] == "mine/count").unwrap();
    let scale = &rule["then"]["properties"]["with"]["properties"]["scale"];
    assert_eq!((&scale["description"], &scale["default"]), (&"What to multiply by.".into(), &1.0.into()));
    assert_eq!(scale["anyOf"][0]["maximum"].as_f64(), Some(10.0), "{scale}");
    let input = &rule["then"]["properties"]["inputs"]["properties"]["text"];
    assert_eq!(input["description"], "What to count in. (file)");
}

#[test]
fn results_open_while_the_run_goes_on() {
    let Some(path) = path_with_packages() else { return };
    let project = Project::new(
        "
  wave: { uses: demo/wave, with: { cells: 8, times: 4 } }
  slow: { uses: demo/count, needs: [wave], with: { to: 1000, step_ms: 100 } }
  later: { uses: demo/text, needs: [slow], with: { text: a } }
",
    );
    let mut run = project.start(&[]);
    run.until_progress("slow", 1);
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/python/src");
    let mut python = Command::new("python3");
    python.args(["-c", HALF_WAY]).current_dir(project.path("")).env("PATH", path).env("PYTHONPATH", package);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    run.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(run.wait().code, Some(130));
}

#[test]
fn an_error_is_the_users_own() {
    if !has_python() {
        return;
    }
    let project = project(&format!("{STAGES}  fail: {{ uses: mine/fail, inputs: {{ text: text.text }} }}\n"));
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(1), [3, 0, 1, 0]));
    let error = &run.node("fail")["error"];
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("ValueError: no good: a\nb (my_ops.py, line "), "{message}");
    let trace: Vec<&str> =
        error["stderr"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let frames: Vec<_> = trace.iter().filter(|line| line.trim_start().starts_with("File ")).collect();
    assert_eq!(frames.len(), 2, "only the frames of the plugin: {trace:?}");
    assert!(frames[1].contains("my_ops.py") && frames[1].ends_with("in deeper"), "{trace:?}");
    assert_eq!(trace.last(), Some(&"b"), "{trace:?}");
}

#[test]
fn collections_come_with_their_coordinates() {
    if !has_python() {
        return;
    }
    let project = project(
        "
  text: { uses: demo/text, matrix: { n: [a, b] }, with: { text: \"${{ matrix.n * 3 }}\" } }
  gather: { uses: mine/gather, inputs: { texts: [text.text] } }
"
        .replace("${{ matrix.n * 3 }}", "xx${{ matrix.n }}")
        .as_str(),
    );
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?} {}", run.events, run.stderr);
    assert_eq!(project.output("gather", "result"), "{\n  \"a\": 3,\n  \"b\": 3\n}\n");
}

#[test]
fn work_goes_on_from_its_last_checkpoint() {
    if !has_python() {
        return;
    }
    let project = project("  steps: { uses: mine/steps, with: { total: 4 } }\n");
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(1), [0, 0, 1, 0]), "{}", run.stderr);
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [1, 0, 0, 0]), "{:?} {}", run.events, run.stderr);
    assert_eq!(project.output("steps", "result"), "{\n  \"start\": 2\n}\n");
    let resumed = run.events.iter().find(|event| event["event"] == "node_resumed").unwrap();
    assert_eq!(resumed["from"], "its checkpoint at step 2");
}

/// What `flow plan` says about a workflow that is wrong.
fn problems(project: &Project) -> String {
    project.refused(&["plan", "w.yaml"])
}

#[test]
fn what_is_wrong_with_a_plugin_is_said_before_the_run() {
    if !has_python() {
        return;
    }
    let project = project(STAGES);
    let mut found = Vec::new();
    for (what, code) in [
        ("a syntax error", "import flowstages\n\ndef f(:\n    pass\n"),
        ("an import that fails", "import flowstages\n\nimport nothing_of_this_name\n"),
        ("an error while it is loaded", "import flowstages\n\ndef half(x):\n    return 1 / x\n\nhalf(0)\n"),
        (
            "a parameter without a type",
            "from flowstages import *\n\n@operation\ndef f(x) -> Metrics:\n    ...\n",
        ),
        ("no outputs", "from flowstages import *\n\n@operation\ndef f(x: int):\n    ...\n"),
        (
            "a type that is none",
            "from flowstages import *\n\n@operation\ndef f(x: set) -> Metrics:\n    ...\n",
        ),
        ("no operations", "import flowstages\n"),
    ] {
        project.write("my_ops.py", code);
        found.push(format!("# {what}\n{}", problems(&project)));
    }
    project.write("my_ops.py", OPERATIONS);
    write(
        &project,
        "  count: { uses: mine/count, with: { scale: 11 } }\n  pad: { uses: mine/pad, with: { length: 3 } }\n",
    );
    found.push(format!("# parameters\n{}", problems(&project)));
    write(&project, "  count: { uses: mine/cuont }\n");
    found.push(format!("# an operation that is not there\n{}", problems(&project)));
    for plugin in
        ["{ python: my_opps.py }", "{ python: my_ops.py, env: .venv }", "{ pyhton: my_ops.py }", "{}"]
    {
        let head = format!("flow: 1\nname: w\nplugins:\n  mine: {plugin}\n");
        project.write("w.yaml", &format!("{head}stages:\n{STAGES}"));
        found.push(format!("# {plugin}\n{}", problems(&project)));
    }
    let folder = project.path("").canonicalize().unwrap();
    let found = found.join("\n").replace(&*folder.to_string_lossy(), "FOLDER");
    // Versions of Python point at parts of a line, and word some errors, in ways of their own.
    let is_mark =
        |line: &str| line.starts_with("  ") && line.trim().chars().all(|c| matches!(c, '^' | '~' | ' '));
    let lines = found.lines().filter(|line| line.trim().is_empty() || !is_mark(line));
    let found: String = lines
        .map(|line| format!("{}\n", line.replace("SyntaxError: expected", "SyntaxError: invalid")))
        .collect();
    insta::assert_snapshot!(found.replace(&*project.path("").to_string_lossy(), "FOLDER"));
}

#[test]
fn the_package_tests_itself_and_opens_results() {
    let project = Project::new(
        "
  wave: { uses: demo/wave, matrix: { height: [1, 2] }, with: { cells: 8, times: 4, amplitude: \"${{ matrix.height }}\" } }
  mean: { uses: demo/mean, inputs: { data: [wave.wave] } }
",
    );
    assert_eq!(project.run(&[]).code, Some(0));
    with_packages("package.py", &[project.path("").as_os_str()]);
}
