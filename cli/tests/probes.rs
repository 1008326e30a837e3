//! The twelve questions that show whether reuse is right, with programs for nodes and two at a time:
//!
//! ```text
//! a ──▶ b ──▶ d      a drops comments, b makes upper case, c counts, d joins b and c
//!       c ────┘
//! ```

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use common::{Project, Run};
use nix::sys::signal::Signal;

const DIAMOND: &str = "
  a:
    uses: exec/run
    inputs: { in: { path: data.txt } }
    with: { run: \"grep -v '^#' ${{ inputs.in }} > ${{ outputs.out }}\" }
    outputs: { out: file }
  b:
    uses: exec/run
    inputs: { in: a.out }
    with: { run: \"B ${{ inputs.in }} > ${{ outputs.out }}\" }
    outputs: { out: file }
    publish: { out: b.txt }
  c:
    uses: exec/run
    inputs: { in: { path: other.txt } }
    with: { run: \"wc -l < ${{ inputs.in }} > ${{ outputs.out }}\" }
    outputs: { out: file }
  d:
    uses: exec/run
    inputs: { b: b.out, c: c.out }
    with: { run: \"cat ${{ inputs.b }} ${{ inputs.c }} > ${{ outputs.out }}\" }
    outputs: { out: file }
    publish: { out: result.txt }
";

/// Enough that outputs are objects of their own.
fn data(comment: &str, text: &str) -> String {
    format!("# {comment}\n{}", format!("{text}\n").repeat(2000))
}

/// The diamond with this command for `b`.
fn with(b: &str) -> String {
    DIAMOND.replace("B ", &format!("{b} "))
}

const UPPER: &str = "tr a-z A-Z <";

struct Probe(Project);

impl Probe {
    fn new() -> Self {
        let project = Project::new(&with(UPPER));
        project.write("data.txt", &data("comment", "some text"));
        project.write("other.txt", "x\ny\n");
        let probe = Self(project);
        assert_eq!(probe.run().executed(), ["a", "b", "c", "d"]);
        probe.holds("SOME TEXT");
        probe
    }

    fn run(&self) -> Run {
        self.0.run(&["--cores", "2"])
    }

    /// Runs, and gives the names of the nodes that ran, once the run has succeeded.
    fn ran(&self) -> String {
        let run = self.run();
        assert_eq!(run.code, Some(0), "{}{:?}", run.stderr, run.events);
        run.executed().join("")
    }

    /// What is published is right.
    fn holds(&self, text: &str) {
        let b = format!("{text}\n").repeat(2000);
        assert_eq!(self.read("b.txt"), b);
        assert_eq!(self.read("result.txt"), format!("{b}2\n"));
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path(name)).unwrap()
    }

    fn object(&self, node: &str) -> PathBuf {
        let store = self.0.store();
        let nodes = store.nodes(&store.runs().unwrap()[0].start.id).unwrap();
        let node = nodes.iter().find(|found| found.name == node).unwrap();
        store.artifact_path(&node.outputs[0].digest).unwrap()
    }
}

#[test]
fn run_again() {
    assert_eq!(Probe::new().ran(), "");
}

#[test]
fn touch_an_input() {
    let probe = Probe::new();
    let file = fs::File::options().append(true).open(probe.0.path("data.txt")).unwrap();
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(probe.ran(), "");
}

#[test]
fn comment_only_edit() {
    let probe = Probe::new();
    probe.0.write("data.txt", &data("another comment", "some text"));
    assert_eq!(probe.ran(), "a");
}

#[test]
fn real_edit_and_taken_back() {
    let probe = Probe::new();
    // Of the same length, within the same second.
    probe.0.write("data.txt", &data("comment", "same text"));
    assert_eq!(probe.ran(), "abd");
    probe.holds("SAME TEXT");
    probe.0.write("data.txt", &data("comment", "some text"));
    assert_eq!(probe.ran(), "");
    probe.holds("SOME TEXT");
}

#[test]
fn command_changed_with_the_same_output() {
    let probe = Probe::new();
    probe.0.stages(&with("tr '[:lower:]' '[:upper:]' <"));
    assert_eq!(probe.ran(), "b");
}

#[test]
fn intermediate_deleted() {
    let probe = Probe::new();
    fs::remove_file(probe.0.path("b.txt")).unwrap();
    assert_eq!(probe.ran(), "");
    probe.holds("SOME TEXT");
}

#[test]
fn intermediate_deleted_also_from_the_store() {
    let probe = Probe::new();
    fs::remove_file(probe.0.path("b.txt")).unwrap();
    fs::remove_file(probe.object("b")).unwrap();
    assert_eq!(probe.ran(), "b", "only what makes it");
    probe.holds("SOME TEXT");
}

#[test]
fn result_deleted() {
    let probe = Probe::new();
    fs::remove_file(probe.0.path("result.txt")).unwrap();
    assert_eq!(probe.ran(), "");
    probe.holds("SOME TEXT");
}

#[test]
fn intermediate_tampered_with() {
    let probe = Probe::new();
    probe.0.write("b.txt", "tampered");
    assert_eq!(probe.ran(), "");
    probe.holds("SOME TEXT");
    assert_eq!(probe.read("b.txt.edited-1"), "tampered", "what someone wrote is not lost");

    let object = probe.object("b");
    fs::set_permissions(&object, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&object, "tampered").unwrap();
    probe.0.write("other.txt", "x\nz\n");
    assert_eq!(probe.ran(), "c", "c gives the same, so nobody reads what b made");
    probe.0.write("other.txt", "x\n");
    assert_eq!(probe.ran(), "bcd", "d reads it");
    assert_eq!(probe.read("result.txt"), format!("{}1\n", "SOME TEXT\n".repeat(2000)));
    assert!(fs::read_to_string(&object).unwrap().starts_with("SOME"), "it was repaired");
}

#[test]
fn one_branch_fails_and_the_other_still_runs() {
    let probe = Probe::new();
    probe.0.stages(&with("false"));
    probe.0.write("other.txt", "x\n");
    let run = probe.run();
    assert_eq!((run.code, run.executed()), (Some(1), vec!["c"]));
    assert_eq!(
        (run.node("b")["status"].as_str(), run.node("d")["status"].as_str()),
        (Some("failed"), Some("skipped"))
    );
    probe.0.stages(&with(UPPER));
    assert_eq!(probe.ran(), "d", "what was right is still there");
}

#[test]
fn kill_9_with_half_an_output() {
    let probe = Probe::new();
    // It writes half, says so, and waits, as long as there is a file `wait`.
    let slow = "half() { head -c 9000 $1 | tr a-z A-Z; echo half >&2; while [ -e wait ]; do sleep 0.05; done; \
                tail -c +9001 $1 | tr a-z A-Z; }; half";
    probe.0.stages(&with(slow));
    probe.0.write("data.txt", &data("comment", "more text"));
    probe.0.write("wait", "");
    let mut run = probe.0.start(&["--cores", "2"]);
    run.until(|event| event["message"] == "half");
    run.signal(Signal::SIGKILL);
    run.wait();
    fs::remove_file(probe.0.path("wait")).unwrap();
    assert_eq!(probe.ran(), "bd");
    probe.holds("MORE TEXT");
}

#[test]
fn two_runs_at_once() {
    let probe = Probe::new();
    probe.0.stages(&with("sleep 0.3; tr a-z A-Z <"));
    probe.0.write("data.txt", &data("comment", "more text"));
    probe.0.write("other.txt", "x\nz\n");
    let runs = [0, 1].map(|_| probe.0.start(&["--cores", "2"]));
    let runs = runs.map(common::Started::wait);
    let mut ran: Vec<&str> = runs.iter().flat_map(Run::executed).collect();
    ran.sort_unstable();
    assert_eq!(runs.each_ref().map(|run| run.code), [Some(0), Some(0)]);
    assert_eq!(ran.join(""), "abcd", "each once, by either");
    probe.holds("MORE TEXT");
}
