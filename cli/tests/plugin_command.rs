//! `flow plugin`: what it makes works, and what it tries it tells.

#![allow(clippy::unwrap_used)]

mod common;

/// What `flow plugin new --lang rust` writes: it compiles, and its own test runs with these.
#[allow(dead_code, reason = "it is a program, and nothing calls its main here")]
#[path = "../src/commands/plugin/templates/main.rs.in"]
mod template;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Project, has_python, path_with_packages, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SHELL: &str = include_str!("../../plugins/examples/words.sh");

fn executable(project: &Project, name: &str, text: &str) {
    project.write(name, text);
    fs::set_permissions(project.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn words(stages: &str) -> Project {
    let project = Project::new("");
    let head = "flow: 1\nname: w\nplugins: { words: { command: [./words.sh] } }\nstages:\n";
    project.write("w.yaml", &format!("{head}{stages}"));
    executable(&project, "words.sh", SHELL);
    project
}

const STAGES: &str = "
  text: { uses: demo/text, with: { text: \"one two\\nthree\\n\" } }
  count: { uses: words/count, inputs: { text: text.text }, publish: { words: words.json } }
  head: { uses: words/head, inputs: { text: text.text }, with: { lines: 1 } }
";

#[test]
fn a_plugin_that_keeps_to_the_protocol_passes() {
    let project = words(STAGES);
    let output = project.flow(&["plugin", "check", "w.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{} {}", text(&output.stdout), text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
    assert!(!project.path("words.json").exists(), "a trial publishes nothing");
    assert!(!project.path(".flow/index.sqlite").exists(), "and leaves nothing in the store");
}

#[test]
fn one_that_does_not_is_told_why() {
    let project = words(STAGES);
    let bad = SHELL
        .replace("shutdown) exit ;;", "shutdown) sleep 60 ;;")
        .replace("\"Counts words.\"", "\"\"")
        .replace("head -n \"$(field lines)\" \"$text\"", "date +%N");
    assert_eq!(bad.matches("sleep 60").count() + bad.matches("date").count(), 2);
    executable(&project, "words.sh", &bad);
    let output = project.flow(&["plugin", "check", "w.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{} {}", text(&output.stdout), text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
}

const TRIED: &str = r#""""Operations to be tried."""

import time
from pathlib import Path

from flowstages import Context, File, operation


def put(context, text):
    context.path().write_text(f"{text}\n")
    return File(context.path())


@operation(checkpoints=True)
def good(context: Context) -> File:
    """Does all that is asked."""
    start, total = 0, 0
    if saved := context.checkpoints.last():
        start, total = saved[0], int(saved[1])
    for step in range(start, 20):
        context.check_cancelled()
        total += step
        time.sleep(0.02)
        context.checkpoints.save(step + 1, str(total).encode())
    return put(context, total)


@operation
def threads(context: Context) -> File:
    """Gives something else with other threads."""
    time.sleep(0.2)
    return put(context, context.threads)


@operation
def hangs(context: Context) -> File:
    """Does not end when it is asked to."""
    for _ in range(20):
        time.sleep(1000 if context.cancelled else 0.02)
    return put(context, "done")


@operation
def locks(context: Context) -> File:
    """Cannot run again when it was killed."""
    lock = Path("lock")
    lock.touch(exist_ok=False)
    time.sleep(0.4)
    lock.unlink()
    return put(context, "done")


@operation(checkpoints=True)
def forgets(context: Context) -> File:
    """Starts afresh."""
    for step in range(10):
        time.sleep(0.02)
        context.checkpoints.save(step, b"state")
    return put(context, "done")


@operation(checkpoints=True)
def drifts(context: Context) -> File:
    """Goes on to something else."""
    saved = context.checkpoints.last()
    for step in range(10):
        time.sleep(0.02)
        context.checkpoints.save(step, b"state")
    return put(context, saved is None)


@operation
def unused(context: Context) -> File:
    """Is in no workflow."""
    return put(context, "")
"#;

#[test]
fn operations_are_interrupted_and_must_come_to_the_same() {
    if !has_python() {
        return;
    }
    let project = Project::new("");
    let stages = ["good", "threads", "hangs", "locks", "forgets", "drifts"]
        .map(|name| format!("  {name}: {{ uses: mine/{name} }}\n"));
    let head = "flow: 1\nname: w\nplugins: { mine: { python: ops.py } }\nstages:\n";
    project.write("w.yaml", &format!("{head}{}", stages.concat()));
    project.write("ops.py", TRIED);
    let output = project.flow(&["plugin", "check", "w.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{} {}", text(&output.stdout), text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn a_workflow_without_plugins_has_nothing_to_try() {
    let project = Project::new("  text: { uses: demo/text, with: { text: a } }\n");
    let said = project.refused(&["plugin", "check", "w.yaml"]);
    assert!(said.contains("names no plugins"), "{said}");
}

#[test]
fn a_new_plugin_is_not_written_over_something() {
    let project = Project::new("");
    for (name, message) in [("Waves", "cannot be the name"), ("../waves", "cannot be the name"), ("w", "")] {
        let output = project.flow(&["plugin", "new", name]);
        assert_eq!(output.status.success(), message.is_empty(), "{name}");
        assert!(text(&output.stderr).contains(message), "{}", text(&output.stderr));
    }
    assert!(project.path("w/w.py").is_file());
    let output = project.flow(&["plugin", "new", "w"]);
    assert!(text(&output.stderr).contains("there is a `w` here already"), "{}", text(&output.stderr));
    assert!(project.flow(&["plugin", "new", "r", "--lang", "rust"]).status.success());
    assert!(fs::read_to_string(project.path("r/src/main.rs")).unwrap().contains("Plugin::new(\"r\""));
}

#[test]
fn a_new_plugin_works() {
    let Some(path) = path_with_packages() else { return };
    let project = Project::new("").with_env("PATH", path.clone());
    assert!(project.flow(&["plugin", "new", "waves"]).status.success());
    let workflow = fs::read_to_string(project.path("waves/workflow.yaml")).unwrap();
    fs::write(project.path("waves/workflow.yaml"), workflow.replace(", env: requirements.txt", "")).unwrap();
    let output = project.flow(&["run", "waves/workflow.yaml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(project.path("waves/results/best.txt").is_file());
    let report = text(&output.stdout).lines().last().unwrap().trim_start_matches("report: ").to_owned();
    let report = fs::read_to_string(report).unwrap();
    assert!(report.contains("smooth: height"), "the series is drawn");
    // Its own test, as the file says it is run.
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/python/src");
    let mut tests = Command::new("python3");
    tests.args(["-m", "unittest"]).current_dir(project.path("waves"));
    let tests = tests.env("PATH", path).env("PYTHONPATH", package).output().unwrap();
    assert!(text(&tests.stderr).contains("Ran 1 test") && tests.status.success(), "{}", text(&tests.stderr));
}

/// The first block of a language behind a heading of the tutorial.
fn block(heading: &str, language: &str) -> String {
    let tutorial = include_str!("../../docs/tutorial/first-plugin.md");
    let behind = tutorial.split_once(&format!("## {heading}\n")).unwrap().1;
    let block = behind.split_once(&format!("```{language}\n")).unwrap().1;
    block.split_once("```\n").unwrap().0.to_owned()
}

#[test]
fn the_long_work_of_the_tutorial_goes_on_where_it_was() {
    let Some(path) = path_with_packages() else { return };
    let project = Project::new("").with_env("PATH", path);
    assert!(project.flow(&["plugin", "new", "waves"]).status.success());
    let code = fs::read_to_string(project.path("waves/waves.py")).unwrap();
    project.write("waves.py", &format!("import time\n{code}\n\n{}", block("Long work", "python")));
    let head = "flow: 1\nname: w\nplugins: { waves: { python: waves.py } }\nstages:\n";
    let stages = format!("  measure: {{ uses: waves/measure }}\n{}", block("Long work", "yaml"));
    project.write("w.yaml", &format!("{head}{stages}"));
    let mut run = project.start(&[]);
    run.until_progress("fit", 300);
    run.signal(Signal::SIGINT);
    assert_eq!(run.wait().code, Some(130));
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [1, 1, 0, 0]), "{:?} {}", run.events, run.stderr);
    let resumed = run.events.iter().find(|event| event["event"] == "node_resumed").unwrap();
    let from = resumed["from"].as_str().unwrap().rsplit(' ').next().unwrap();
    assert!(from.parse::<u32>().unwrap() >= 300, "{resumed}");
    let found: serde_json::Value = serde_json::from_str(&project.output("fit", "result")).unwrap();
    // What is measured is a sine, with a little noise.
    assert!((found["sine"].as_f64().unwrap() - 1.0).abs() < 0.05, "{found}");
    assert!(found["cosine"].as_f64().unwrap().abs() < 0.05, "{found}");
}

#[test]
fn what_is_saved_runs_again() {
    let project = words(STAGES);
    let mut dev = project.spawn(&["plugin", "dev", "w.yaml"]);
    let published = project.path("words.json");
    let wait = |expected: &str| {
        let limit = Instant::now() + Duration::from_secs(60);
        while fs::read_to_string(&published).ok().as_deref() != Some(expected) {
            assert!(Instant::now() < limit, "{:?}", fs::read_to_string(&published));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("{ \"words\": 3 }\n");
    let head = "flow: 1\nname: w\nplugins: { words: { command: [./words.sh] } }\nstages:\n";
    project.write("w.yaml", &format!("{head}{}", STAGES.replace("three", "three four")));
    wait("{ \"words\": 4 }\n");
    kill(Pid::from_raw(i32::try_from(dev.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(dev.wait().unwrap().code(), Some(130));
}
