//! Runs that are stopped, killed, or share their work.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use common::{Project, entries};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SLOW: &str = "
  quick: { uses: demo/text, with: { text: x } }
  slow:  { uses: demo/count, inputs: { after: quick.text }, with: { to: 120, step_ms: 10 } }
";

#[test]
fn an_interrupted_run_stops_in_order_and_goes_on_later() {
    let project = Project::new(SLOW);
    let mut run = project.start(&[]);
    run.until_progress("slow", 5);
    run.signal(Signal::SIGINT);
    let run = run.wait();
    assert_eq!((run.code, run.last()["status"].as_str()), (Some(130), Some("interrupted")));
    assert_eq!(run.node("slow")["status"], "cancelled");
    assert_eq!(entries(&project.path(".flow/scratch")), 0);

    let again = project.run(&[]);
    assert_eq!((again.code, again.counts()), (Some(0), [1, 1, 0, 0]));
    let message =
        |e: &&serde_json::Value| e["message"].as_str().is_some_and(|m| m.starts_with("going on from"));
    assert!(again.events.iter().any(|event| message(&event)), "it went on from its checkpoint");
    assert!(project.output("slow", "metrics").contains("7260"), "the sum of 1 to 120");
}

#[test]
fn what_an_interrupted_run_did_not_try_is_counted_and_not_listed() {
    let project = Project::new(&format!(
        "{SLOW}  after: {{ uses: demo/text, needs: [slow], with: {{ text: y }} }}
  last: {{ uses: demo/join, inputs: {{ parts: [after.text] }} }}
"
    ));
    let mut child = project.piped(&["run", "w.yaml"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.contains("run  slow")).unwrap();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let of = |word: &str| rest.iter().filter(|line| line.contains(word)).count();
    assert_eq!([of("stopped  slow"), of("after"), of("last"), of("3 skipped")], [1, 0, 0, 1], "{rest:?}");
    assert_eq!(of("stopping: what runs has ten seconds"), 1, "what a second one does is said: {rest:?}");
}

#[test]
fn a_second_interrupt_does_not_wait() {
    // One step takes longer than the ten seconds that a node has for its checkpoint.
    let project = Project::new("  slow: { uses: demo/count, with: { to: 2, step_ms: 60000 } }\n");
    let mut run = project.start(&[]);
    run.until(|event| event["event"] == "node_started");
    run.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(200));
    run.signal(Signal::SIGINT);
    let since = Instant::now();
    let run = run.wait();
    assert_eq!(run.code, Some(130));
    assert!(since.elapsed() < Duration::from_secs(9), "it waited for the checkpoint all the same");
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_leaves_no_worker_and_nothing_half_done() {
    let project = Project::new(SLOW);
    let mut run = project.start(&[]);
    run.until_progress("slow", 30);
    let workers = common::children(run.id());
    assert!(!workers.is_empty());
    run.signal(Signal::SIGKILL);
    run.wait();
    let patience = Instant::now() + Duration::from_secs(10);
    while workers.iter().any(|id| common::is_alive(*id)) {
        assert!(Instant::now() < patience, "a worker outlived the run");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(entries(&project.path(".flow/scratch")), 1, "what it left");

    let again = project.run(&[]);
    assert_eq!((again.code, again.counts()), (Some(0), [1, 1, 0, 0]), "what was finished does not run again");
    assert_eq!(entries(&project.path(".flow/scratch")), 0, "and what it left is cleared");
    assert!(project.output("slow", "metrics").contains("7260"));
    let runs = common::text(&project.flow(&["runs"]).stdout);
    assert!(runs.contains("died") && runs.contains("succeeded"), "{runs}");
}

#[test]
fn two_runs_at_once_share_the_work() {
    let stages: String = (1..=4)
        .map(|n| format!("  s{n}: {{ uses: demo/count, with: {{ to: 2{n}, step_ms: 10 }} }}\n"))
        .collect();
    let project = Project::new(&stages);
    let (one, two) = (project.start(&["--cores", "1"]), project.start(&["--cores", "1"]));
    let (one, two) = (one.wait(), two.wait());
    assert_eq!((one.code, two.code), (Some(0), Some(0)), "{}{}", one.stderr, two.stderr);
    let (one, two) = (one.counts(), two.counts());
    assert_eq!(one[0] + two[0], 4, "each node was computed once");
    assert_eq!(one[1] + two[1], 4, "and taken from the other once");
}

#[test]
fn who_waits_for_a_run_that_dies_computes_it_itself() {
    let project = Project::new("  slow: { uses: demo/count, with: { to: 100, step_ms: 10 } }\n");
    let mut first = project.start(&[]);
    first.until_progress("slow", 5);
    let mut second = project.start(&[]);
    second.until(|event| event["event"] == "node_waits");
    first.signal(Signal::SIGKILL);
    first.wait();
    let second = second.wait();
    assert_eq!((second.code, second.counts()), (Some(0), [1, 0, 0, 0]));
}

#[test]
fn a_lock_file_left_behind_is_in_nobodys_way() {
    let project = Project::new(SLOW);
    fs::create_dir_all(project.path(".flow/runs")).unwrap();
    project.write(".flow/runs/20200101-000000-abcd.lock", "");
    assert_eq!(project.run(&[]).code, Some(0));
    assert_eq!(entries(&project.path(".flow/scratch")), 0);
}
