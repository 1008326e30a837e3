//! The processes of programs: when they are asked to end, and that nothing of them stays.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::Project;
use nix::sys::signal::Signal;

/// A number of seconds that stands for one test only: its `sleep` is found by it.
fn seconds(test: u32) -> String {
    format!("{}{test}", 100 + std::process::id())
}

/// The processes whose command line has this word.
fn running(word: &str) -> usize {
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        common::is_alive(id).then_some(line)
    });
    lines.filter(|line| line.split(|byte| *byte == 0).any(|part| part == word.as_bytes())).count()
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Three `sleep`s: a child, one in the background, and one in a session of its own.
fn sleepers(seconds: &str, more: &str) -> String {
    format!(
        "
  slow:
    uses: exec/run
{more}
    with: {{ run: 'sleep {seconds} & setsid sleep {seconds} & (sleep {seconds}); wait' }}
"
    )
}

#[test]
fn a_program_that_takes_too_long_is_ended_with_all_it_started() {
    let seconds = seconds(1);
    let project = Project::new(&sleepers(&seconds, "    timeout: 0.5 s"));
    let run = project.run(&[]);
    assert_eq!(run.node("slow")["error"]["message"], "it took longer than its timeout of 0.5 s");
    assert_eq!(running(&seconds), 0);
}

#[test]
fn nothing_outlives_a_killed_run() {
    let seconds = seconds(2);
    let project = Project::new(&sleepers(&seconds, ""));
    let run = project.start(&[]);
    until("it never started", || running(&seconds) == 3);
    run.signal(Signal::SIGKILL);
    run.wait();
    until("a program outlived the run", || running(&seconds) == 0);
}

#[test]
fn a_worker_that_dies_takes_its_program_with_it() {
    let seconds = seconds(5);
    let project = Project::new(&sleepers(&seconds, ""));
    let run = project.start(&[]);
    until("it never started", || running(&seconds) == 3);
    for worker in common::children(run.id()) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker.cast_signed()), Signal::SIGKILL).unwrap();
    }
    let run = run.wait();
    let message = run.node("slow")["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("its worker process ended: killed (signal 9)"), "{message}");
    assert_eq!(running(&seconds), 0);
}

#[test]
fn an_interrupt_asks_the_program_to_end() {
    let project = Project::new(
        "  slow: { uses: exec/run, with: { run: 'trap \"echo asked; exit 1\" TERM; echo ready; sleep 1000 & wait' } }\n",
    );
    let mut run = project.start(&[]);
    run.until(|event| event["message"] == "ready");
    let since = Instant::now();
    run.signal(Signal::SIGINT);
    let run = run.wait();
    assert_eq!((run.code, run.node("slow")["status"].as_str()), (Some(130), Some("cancelled")));
    assert!(run.events.iter().any(|event| event["message"] == "asked"), "{:?}", run.events);
    assert!(since.elapsed() < Duration::from_secs(8), "it was not asked");
}

#[test]
fn a_second_interrupt_kills_at_once() {
    let seconds = seconds(3);
    let project = Project::new(&format!(
        "  slow: {{ uses: exec/run, with: {{ run: 'trap \"\" TERM; echo ready; sleep {seconds}' }} }}\n"
    ));
    let mut run = project.start(&[]);
    run.until(|event| event["message"] == "ready");
    until("it never started", || running(&seconds) == 1);
    run.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(running(&seconds), 1, "it has ten seconds");
    run.signal(Signal::SIGINT);
    let since = Instant::now();
    assert_eq!(run.wait().code, Some(130));
    assert!(since.elapsed() < Duration::from_secs(5));
    assert_eq!(running(&seconds), 0);
}

#[test]
fn what_is_left_in_the_background_is_ended() {
    let seconds = seconds(4);
    let project = Project::new(&format!(
        "  quick: {{ uses: exec/run, with: {{ run: 'sleep {seconds} & setsid sleep {seconds} & true' }} }}\n"
    ));
    let run = project.run(&[]);
    assert_eq!((run.code, running(&seconds)), (Some(0), 0));
    let warned = |event: &serde_json::Value| {
        event["level"] == "warning" && event["message"].as_str().unwrap().contains("in the background")
    };
    assert!(run.events.iter().any(warned), "{:?}", run.events);
}

#[test]
fn what_ends_soon_in_the_background_is_waited_for() {
    let project = Project::new(
        "
  quick:
    uses: exec/run
    with: { run: 'echo text > >(sleep 0.3; cat > ${{ outputs.out }})' }
    outputs: { out: file }
",
    );
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?}", run.events);
    assert_eq!(project.output("quick", "out"), "text\n");
}

#[test]
fn memory_limits_hold_for_programs() {
    let project = Project::new(
        "
  large:
    uses: exec/run
    resources: { memory: 100 MiB }
    with: { run: \"x=$(head -c 300000000 /dev/zero | tr '\\\\0' a); sleep 5; echo ${#x}\" }
",
    );
    let run = project.run(&[]);
    assert_eq!(run.code, Some(1), "{:?}", run.events);
    let message = run.node("large")["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("and its limit is 100 MiB"), "{message}");
}

#[test]
fn a_failed_program_is_tried_again_with_nothing_left_of_before() {
    let project = Project::new(
        "
  flaky:
    uses: exec/run
    retry: 1
    with: { run: \"echo try >> tries; echo $(wc -l < tries) >> ${{ outputs.out }}; test $(wc -l < tries) = 2\", untracked: [tries] }
    outputs: { out: file }
",
    );
    let run = project.run(&[]);
    assert_eq!((run.code, project.output("flaky", "out").as_str()), (Some(0), "2\n"));
}

#[test]
fn what_a_program_used_is_recorded() {
    let project = Project::new(
        "  busy: { uses: exec/run, with: { run: 'x=$(head -c 50000000 /dev/zero | tr \"\\\\0\" a); for i in {1..30000}; do :; done' } }\n",
    );
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?}", run.events);
    assert!(run.node("busy")["cpu_s"].as_f64().unwrap() > 0.01, "the program's time counts");
    let store = project.store();
    let node = &store.nodes(&store.runs().unwrap()[0].start.id).unwrap()[0];
    assert!(node.peak_rss > 50_000_000, "{} bytes", node.peak_rss);
}
