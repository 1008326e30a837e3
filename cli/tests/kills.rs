//! Kills at any moment: nothing that was finished is lost or computed again, and what comes out is right.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::Project;
use nix::sys::signal::Signal;
use serde_json::Value;

/// Numbers that look random, the same each time (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
/// number generators").
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Short nodes, in the index and as files; long ones with checkpoints; and what joins them. All keys are other
/// ones in every round.
const STAGES: &str = "
  small: { uses: demo/text, matrix: { n: [1, 2, 3, 4, 5, 6, 7, 8] }, with: { text: 'sROUND ${{ matrix.n }}' } }
  big:   { uses: demo/text, matrix: { n: [1, 2, 3, 4] }, with: { text: 'bROUND ${{ matrix.n }} BIG' } }
  first: { uses: demo/text, with: { text: 'fROUND' } }
  wave:  { uses: demo/wave, with: { cells: 3ROUND, times: 50 } }
  long:
    uses: demo/count
    matrix: { n: [60, 70] }
    inputs: { after: first.text }
    with: { to: \"${{ matrix.n + ROUND }}\", step_ms: 1 }
  parts: { uses: demo/join, inputs: { parts: [small.text, big.text] } }
  all:   { uses: demo/join, inputs: { parts: [parts.text, first.text] }, needs: [long, wave] }
";

fn stages(round: usize) -> String {
    STAGES.replace("ROUND", &round.to_string()).replace("BIG", &"b".repeat(20_000))
}

fn expected(round: usize) -> String {
    let small = (1..=8).map(|n| format!("s{round} {n}"));
    let big = (1..=4).map(|n| format!("b{round} {n} {}", "b".repeat(20_000)));
    let parts: Vec<_> = small.chain(big).collect();
    format!("{}\nf{round}", parts.join("\n"))
}

fn finished(events: &[Value]) -> impl Iterator<Item = String> {
    let done = |event: &&Value| {
        event["event"] == "node_finished" && event["status"] == "succeeded" && event["cached"] == false
    };
    events.iter().filter(done).map(|event| event["node"].as_str().unwrap().to_owned())
}

#[test]
fn fifty_kills_lose_nothing_that_was_finished() {
    let (mut numbers, mut kills, mut round) = (Numbers(7), 0, 0);
    // A kill comes at any moment of the time that a run takes here.
    let start = Instant::now();
    assert_eq!(Project::new(&stages(round)).run(&[]).code, Some(0));
    let whole = u64::try_from(start.elapsed().as_micros()).unwrap();
    let project = Project::new(&stages(round));
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut survived = 0;
    while kills < 50 {
        let run = project.start(&[]);
        std::thread::sleep(Duration::from_micros(numbers.below(whole)));
        run.signal(Signal::SIGKILL);
        let run = run.wait();
        let ended = run.events.last().is_some_and(|event| event["event"] == "run_finished");
        for node in finished(&run.events) {
            assert!(done.insert(node.clone()), "{node} was computed again after {kills} kills");
        }
        if run.code.is_none() {
            kills += 1;
            survived += done.len();
        }
        if ended {
            assert_eq!(run.last()["status"], "succeeded", "round {round} after {kills} kills");
            assert_eq!(project.output("all", "text"), expected(round));
            round += 1;
            project.stages(&stages(round));
            done.clear();
        }
    }
    assert!(survived > 100, "the kills came too early to show anything: {survived}");
    // The last round is carried to its end.
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?}", run.events);
    for node in run.executed() {
        assert!(!done.contains(node), "{node} was computed again");
    }
    assert_eq!(project.output("all", "text"), expected(round));
    assert_eq!(run.counts()[0] + run.counts()[1], 18);
    let check = project.flow(&["store", "check"]);
    assert!(check.status.success(), "{}", common::text(&check.stdout));
}
