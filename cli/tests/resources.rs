//! What nodes may use, and what they did use.

#![allow(clippy::unwrap_used)]

mod common;

use common::Project;
use serde_json::Value;

/// When the nodes of the latest run were computed: name, start and end. What is recorded as the start is before
/// the work, and what is recorded as its length is without the way there and back, so these intervals overlap
/// only where the work did, or very nearly so.
fn spans(project: &Project) -> Vec<(String, f64, f64)> {
    let store = project.store();
    let run = store.runs().unwrap()[0].start.id.clone();
    let nodes = store.nodes(&run).unwrap();
    nodes.into_iter().map(|node| (node.name, node.started, node.started + node.wall_s)).collect()
}

/// The most nodes that ran at once in a run with so many cores.
fn at_once(project: &Project, cores: &str) -> usize {
    let run = project.run(&["--cores", cores]);
    assert_eq!(run.counts(), [4, 0, 0, 0], "{:?}", run.events.last());
    let spans = spans(project);
    let beside = |at: f64| spans.iter().filter(|(_, start, end)| (*start..*end).contains(&at)).count();
    spans.iter().map(|(_, start, _)| beside(*start)).max().unwrap()
}

/// Four nodes that take a while, with these resources each.
fn four(resources: &str) -> Project {
    Project::new(&format!(
        "
  work:
    uses: demo/count
    matrix: {{ n: [31, 32, 33, 34] }}
    with: {{ to: \"${{{{ matrix.n }}}}\", step_ms: 10 }}
    resources: {{ {resources} }}
"
    ))
}

#[test]
fn cores_limit_how_many_nodes_run_at_once() {
    assert_eq!(at_once(&four("cpus: 1"), "2"), 2);
    assert_eq!(at_once(&four("cpus: 2"), "2"), 1);
    assert_eq!(at_once(&four("cpus: all"), "4"), 1);
}

#[test]
fn memory_limits_how_many_nodes_run_at_once() {
    // A node that asks for more than the machine has gets all there is, and so runs alone.
    assert_eq!(at_once(&four("memory: 1000 TiB"), "4"), 1);
}

#[test]
fn what_a_running_node_holds_is_told_once_a_second() {
    let project = Project::new("  long: { uses: demo/count, with: { to: 120, step_ms: 10 } }\n");
    let run = project.run(&[]);
    let told: Vec<_> = run.events.iter().filter(|event| event["event"] == "memory").collect();
    assert!((1..=3).contains(&told.len()), "{told:?}");
    // A process of its own holds more than a mebibyte, and counting takes no gibibyte.
    let bytes = told[0]["bytes"].as_u64().unwrap();
    assert!(told[0]["node"] == "long" && (1 << 20..1 << 30).contains(&bytes), "{told:?}");
}

#[test]
fn a_node_that_needs_more_memory_than_it_said_is_stopped() {
    let project = Project::new(
        "  greedy: { uses: demo/count, with: { to: 200, step_ms: 10 }, resources: { memory: 1 MiB } }\n",
    );
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(1), [0, 0, 1, 0]));
    let error = &run.node("greedy")["error"];
    assert!(error["message"].as_str().unwrap().ends_with("and its limit is 1 MiB"), "{error}");
    assert_eq!(error["hint"], "raise `resources: { memory: … }` of the stage");
}

/// What it says it used when it was ended, in MiB.
fn used(error: &Value, limit: u64) -> u64 {
    let message = error["message"].as_str().unwrap();
    let used = message
        .strip_prefix("it used ")
        .and_then(|rest| rest.strip_suffix(&format!(" MiB of memory, and its limit is {limit} MiB")));
    used.unwrap_or_else(|| panic!("{message}")).parse().unwrap()
}

/// A grandchild of the worker's program holds 256 MiB: `tail` keeps what it is to put out in the end.
#[test]
#[cfg(target_os = "linux")]
fn what_a_program_starts_counts_too() {
    let project = Project::new(
        "
  greedy:
    uses: exec/run
    with: { run: '(head -c 268435456 /dev/zero | tail -c 268435456 | (sleep 20; cat)) > \"${{ outputs.it }}\"' }
    outputs: { it: file }
    resources: { memory: 100 MiB }
  modest:
    uses: exec/run
    with: { run: 'echo x > \"${{ outputs.it }}\"' }
    outputs: { it: file }
    resources: { memory: 100 MiB }
",
    );
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(1), [1, 0, 1, 0]));
    let seen = used(&run.node("greedy")["error"], 100);
    assert!((90..=400).contains(&seen), "{seen}");
    let store = project.store();
    let id = store.runs().unwrap()[0].start.id.clone();
    let nodes = store.nodes(&id).unwrap();
    let peak = nodes.iter().find(|node| node.name == "greedy").unwrap().peak_rss >> 20;
    assert_eq!(peak, seen, "the record says the same");
    let report = std::fs::read_to_string(project.path(&format!(".flow/runs/{id}/report.html"))).unwrap();
    let kept = |how: &str| report.contains(&format!("<dt>memory limits</dt><dd>{how}</dd>"));
    assert!(kept("by watching the processes") || kept("by control groups"));
}

/// The second attempt is enough: each gets as much more as the first had. Programs are told what they have.
#[test]
#[cfg(target_os = "linux")]
fn later_attempts_can_have_more() {
    let project = Project::new(
        "
  hungry:
    uses: exec/run
    with:
      run: |
        echo ${{ resources.memory }} >> tries
        head -c 134217728 /dev/zero | tail -c 134217728 | (sleep 1; wc -c) > \"${{ outputs.it }}\"
    outputs: { it: file }
    resources: { memory: \"${{ attempt * 80 }} MiB\" }
    retry: 4
",
    );
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [1, 0, 0, 0]), "{:?}", run.events.last());
    let tries: Vec<u64> = std::fs::read_to_string(project.path("tries"))
        .unwrap()
        .lines()
        .map(|line| line.parse::<u64>().unwrap() >> 20)
        .collect();
    assert_eq!(tries, [80, 160]);
    let retries: Vec<_> = run.events.iter().filter(|event| event["event"] == "node_retries").collect();
    assert_eq!((retries.len(), &retries[0]["attempt"]), (1, &2.into()));
    // Nothing of that is in the key.
    assert_eq!(project.run(&[]).counts(), [0, 1, 0, 0]);
}

/// Where the next attempt would have no more, it would end the same way.
#[test]
fn without_more_memory_it_is_not_tried_again() {
    let project = Project::new(
        "  greedy: { uses: demo/count, with: { to: 200, step_ms: 10 }, retry: 3, resources: { memory: 1 MiB } }\n",
    );
    let run = project.run(&[]);
    assert_eq!(run.counts(), [0, 0, 1, 0]);
    assert!(run.events.iter().all(|event| event["event"] != "node_retries"));
}

const MEASURED: &str = "
  large: { uses: demo/wave, with: { cells: 1000000, times: 20 } }
  small: { uses: demo/wave, with: { cells: 16, times: 2 } }
  other: { uses: demo/count, with: { to: 40, step_ms: 10 } }
  cost:  { uses: demo/cost, inputs: { of: [large.wave, small.wave] } }
";

#[test]
fn what_a_node_cost_is_recorded_and_told_to_those_that_measure() {
    let project = Project::new(MEASURED);
    // One core: the same worker serves the large node and the small one.
    let run = project.run(&["--cores", "1"]);
    assert_eq!(run.code, Some(0), "{:?}", run.events.last());
    let metrics: Value = serde_json::from_str(&project.output("cost", "metrics")).unwrap();
    let store = project.store();
    let id = store.runs().unwrap()[0].start.id.clone();
    let nodes = store.nodes(&id).unwrap();
    for (name, at) in [("large", "1"), ("small", "2")] {
        let node = nodes.iter().find(|node| node.name == name).unwrap();
        let told = |what: &str| metrics[at][what].as_f64().unwrap();
        assert_eq!((told("wall_s"), told("cpu_s")), (node.wall_s, node.cpu_s), "{name}");
        assert!((told("peak_mb") - node.peak_rss as f64 / 1e6).abs() < 1e-6, "{name}");
        assert!(node.wall_s > 0.0 && node.peak_rss > 1_000_000, "{name}");
    }
    // A million places in double precision, and a row of heights in single.
    let peak = |at: &str| metrics[at]["peak_mb"].as_f64().unwrap();
    assert!(peak("1") > 12.0, "{metrics}");
    #[cfg(target_os = "linux")]
    assert!(peak("2") < peak("1") - 4.0, "the peak is that of the node, not of its worker: {metrics}");
    // Cached, it says what it said.
    assert_eq!(project.run(&[]).counts(), [0, 4, 0, 0]);
}

#[test]
fn nothing_runs_beside_a_node_that_measures() {
    let project = Project::new(MEASURED);
    let run = project.run(&["--cores", "4"]);
    assert_eq!(run.code, Some(0));
    let spans = spans(&project);
    let (_, start, end) = spans.iter().find(|(name, ..)| name == "cost").unwrap();
    for (name, from, to) in spans.iter().filter(|(name, ..)| name != "cost") {
        assert!(to <= start || from >= end, "{name}: {spans:?}");
    }
}

/// Workers are waited for, not left to the system: else whoever started `flow` is told too little.
#[test]
fn what_workers_used_counts_as_used_by_the_run() {
    // Reading one dataset many times is work for the worker, and next to none for `flow` itself.
    let many = vec!["wave.wave"; 40].join(", ");
    let project = Project::new(&format!(
        "
  wave: {{ uses: demo/wave, with: {{ cells: 1000000, times: 4 }} }}
  mean: {{ uses: demo/mean, inputs: {{ data: [{many}] }} }}
"
    ));
    let shell = std::process::Command::new("sh")
        .args(["-c", "\"$0\" run w.yaml --cores 1 >&2 && times", env!("CARGO_BIN_EXE_flow")])
        .current_dir(project.path(""))
        .env_remove("FLOW_STORE")
        .output()
        .unwrap();
    assert!(shell.status.success(), "{shell:?}");
    // The second line is about what the shell has started: `0m0.25s 0m0.10s`, user and system.
    let times = common::text(&shell.stdout);
    let seconds = |text: &str| {
        let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let told: f64 = times.lines().nth(1).unwrap().split_whitespace().map(seconds).sum();
    let store = project.store();
    let run = store.runs().unwrap()[0].start.id.clone();
    let worker: f64 = store.nodes(&run).unwrap().iter().map(|node| node.cpu_s).sum();
    assert!(told >= worker, "the nodes used {worker} s, and all that `flow` used is {told} s");
}
