//! `flow sweep`: what is tried, what is computed, what is said.

#![allow(clippy::unwrap_used)]

mod common;

use std::process::Output;

use common::{Project, text};
use nix::sys::signal::Signal;
use serde_json::Value;

/// A prefix that no setting reaches, and a number that depends on two.
const STUDY: &str = "
  data:  { uses: demo/count, with: { to: 7, step_ms: 1 } }
  score: { uses: demo/count, needs: data, with: { to: \"${{ params.size + params.more }}\", step_ms: \"${{ params.ms }}\" } }
  other: { uses: demo/fail }
";

fn study() -> Project {
    let project = Project::new("\n");
    write(&project, STUDY);
    project
}

fn write(project: &Project, stages: &str) {
    project.write(
        "w.yaml",
        &format!("flow: 1\nname: w\nparams: {{ size: 1, more: 0, ms: 1 }}\nstages:{stages}"),
    );
}

fn sweep(project: &Project, more: &[&str]) -> Output {
    project.flow(&[&["sweep", "w.yaml", "--metric", "score.metrics.sum"], more].concat())
}

/// The events of a search, and its exit status.
fn events(project: &Project, more: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = sweep(project, &[more, &["--format", "json"]].concat());
    let lines = text(&output.stdout);
    let events = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(text(&output.stderr), "");
    (events, output.status.code())
}

/// The trials: settings, values, nodes computed.
fn trials(events: &[Value]) -> Vec<(String, Option<f64>, u64)> {
    let mut ended: Vec<&Value> = events.iter().filter(|event| event["event"] == "trial_finished").collect();
    ended.sort_by_key(|event| event["trial"].as_u64());
    let settings = |event: &Value| -> String {
        let settings = event["settings"].as_object().unwrap();
        settings.values().map(|value| value.as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    ended.iter().map(|e| (settings(e), e["value"].as_f64(), e["computed"].as_u64().unwrap())).collect()
}

fn refused(project: &Project, args: &[&str]) -> String {
    project.refused(&[&["sweep", "w.yaml"], args].concat())
}

#[test]
fn a_grid_is_ranked_and_the_best_trial_is_an_ordinary_run() {
    let project = study();
    let output = sweep(&project, &["--vary", "size=4,2,3", "--vary", "more=0..1", "--method", "grid"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let (live, end) = out.split_once("\n\n").unwrap();
    assert!(
        live.starts_with(
            "w: 6 trials to minimize score.metrics.sum\n  size  4, 2, 3\n  more  whole numbers, 0 to 1\n"
        ),
        "{live}"
    );
    assert!(live.contains("  10          size=4 more=0"), "{live}");
    assert!(!live.contains("data"), "nodes are not listed one by one: {live}");
    assert_eq!(
        end,
        "trial  sum  size  more
3      3    2     0
4      6    2     1
5      6    3     0
1      10   4     0
6      10   3     1
2      15   4     1
best: trial 3, score.metrics.sum = 3
  flow run w.yaml --set size=2 --set more=0
"
    );
    // The number does not need `other`, and trials 5 and 6 come to the same as two before them.
    let run = &project.store().runs().unwrap()[0];
    assert_eq!((run.start.workflow.as_str(), run.executed, run.failed), ("w-sweep", 5, 0));
    let names: Vec<String> =
        project.store().nodes(&run.start.id).unwrap().into_iter().map(|n| n.name).collect();
    let score = (1..=4).map(|trial| format!("score[trial={trial}]"));
    assert_eq!(names, std::iter::once("data".to_owned()).chain(score).collect::<Vec<_>>());
    let run = project.run(&["--set", "size=2", "--set", "more=0", "--until", "score"]);
    assert_eq!(run.counts(), [0, 2, 0, 0], "the best trial is there");
    let table = text(&project.flow(&["table", "w-sweep", "score.metrics", "--metric", "sum"]).stdout);
    assert!(table.contains("3      3\n"), "{table}");
}

#[test]
fn a_search_that_is_asked_for_again_computes_nothing_and_a_longer_one_the_rest() {
    for method in ["random", "tpe", "lhs"] {
        let project = study();
        let search = |trials: &str| {
            let args = ["--vary", "size=1..500", "--method", method, "--trials", trials, "--set", "ms=0"];
            events(&project, &args)
        };
        let (first, code) = search("14");
        assert_eq!(code, Some(0));
        let first = trials(&first);
        assert_eq!(first.len(), 14);
        let again = trials(&search("14").0);
        assert!(again.iter().all(|(_, _, computed)| *computed == 0), "{method}: {again:?}");
        let longer = trials(&search(if method == "lhs" { "14+4" } else { "18" }).0);
        let head = |trials: &[(String, Option<f64>, u64)]| -> Vec<String> {
            trials[..14].iter().map(|(settings, _, _)| settings.clone()).collect()
        };
        assert_eq!(head(&longer), head(&first), "{method}");
        assert!(longer[..14].iter().all(|(_, _, computed)| *computed == 0));
        assert_eq!(longer.len(), 18);
        // Another seed tries others.
        let args =
            ["--vary", "size=1..500", "--method", method, "--trials", "14", "--set", "ms=0", "--seed", "1"];
        assert_ne!(head(&trials(&events(&project, &args).0)), head(&first), "{method}");
    }
}

#[test]
fn a_search_that_is_interrupted_goes_on() {
    let project = study();
    let args =
        ["--vary", "size=20..40", "--method", "random", "--trials", "12", "--set", "ms=4", "--cores", "1"];
    let all = [&["sweep", "w.yaml", "--metric", "score.metrics.sum", "--format", "json"], &args[..]].concat();
    let mut started = project.begin(&all);
    for _ in 0..3 {
        started.until(|event| event["event"] == "trial_finished");
    }
    started.signal(Signal::SIGINT);
    let run = started.wait();
    assert_eq!((run.code, &run.events.last().unwrap()["status"]), (Some(130), &Value::from("interrupted")));
    let (events, code) = events(&project, &args);
    assert_eq!(code, Some(0));
    let trials = trials(&events);
    assert!(trials.iter().filter(|(_, _, computed)| *computed == 0).count() >= 3, "{trials:?}");
    assert!(trials.iter().all(|(_, value, _)| value.is_some()));
}

#[test]
fn trials_that_fail_are_shown_and_do_not_stop_the_search() {
    let project = study();
    write(
        &project,
        r#"
  data:  { uses: demo/wave, with: { cells: "${{ params.size }}", times: 1 } }
  check:
    uses: exec/run
    inputs: { data: data.wave }
    with: { run: "test ${{ params.more }} != 1 && printf '{\"sum\": %s}' ${{ params.more }} > ${{ outputs.metrics }}" }
    outputs: { metrics: metrics }
  score:
    uses: exec/run
    inputs: { of: check.metrics }
    with: { run: "cat ${{ inputs.of }} > ${{ outputs.metrics }}" }
    outputs: { metrics: metrics }
"#,
    );
    // Out of the schema's range, failing, and sound ones.
    let args = ["--vary", "size=0,1", "--vary", "more=0,1,2", "--method", "grid", "--maximize"];
    let (events, code) = events(&project, &args);
    assert_eq!(code, Some(0));
    let errors: Vec<Option<&str>> = (1..=6)
        .map(|trial| events.iter().find(|e| e["event"] == "trial_finished" && e["trial"] == trial).unwrap())
        .map(|event| event["error"].as_str())
        .collect();
    assert!(errors[0].unwrap().contains("`cells` must be at least 1"), "{errors:?}");
    assert_eq!(errors[3], None);
    assert!(
        errors[4].unwrap().starts_with("check[trial=5]: the command ended with exit status 1"),
        "{errors:?}"
    );
    let end = events.last().unwrap();
    assert_eq!(
        (&end["best"], &end["failed"], &end["value"]),
        (&Value::from(6), &Value::from(4), &Value::from(2.0))
    );
    assert_eq!(end["ranking"][0], 6);
    let output = sweep(&project, &args);
    assert!(text(&output.stdout).contains("failed      size=0 more=0"), "{}", text(&output.stdout));
    // None at all.
    let output = sweep(&project, &["--vary", "more=1,1.0", "--method", "grid"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).ends_with("no trial has score.metrics.sum\n"), "{}", text(&output.stdout));
}

#[test]
fn over_seeds_the_mean_counts_and_csv_has_all_digits() {
    let project = study();
    write(
        &project,
        "
  score: { uses: demo/count, seeds: [1, 2], with: { to: \"${{ params.size * seed }}\", step_ms: 0 } }
",
    );
    let output = sweep(&project, &["--vary", "size=1..2", "--method", "grid", "--csv", "-"]);
    let deviation = |a: f64, b: f64| ((a - b) * (a - b) / 2.0).sqrt();
    let expected = format!(
        "trial,size,score.metrics.sum,score.metrics.sum std,error\n1,1,2,{},\n2,2,6.5,{},\n",
        deviation(1.0, 3.0),
        deviation(3.0, 10.0)
    );
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
    let one = project.flow(&[
        "sweep",
        "w.yaml",
        "--vary",
        "size=1..2",
        "--method",
        "grid",
        "--metric",
        "score[seed=2].metrics.sum",
        "--csv",
        "all.csv",
    ]);
    assert!(text(&one.stdout).contains("all.csv: 2 rows"), "{}", text(&one.stderr));
    let csv = std::fs::read_to_string(project.path("all.csv")).unwrap();
    assert_eq!(csv, "trial,size,score[seed=2].metrics.sum,error\n1,1,3,\n2,2,10,\n");
}

#[test]
fn units_and_stage_parameters_can_be_varied() {
    let project = study();
    let args = ["--vary", "score.with.to=2..3", "--vary", "data.with.step_ms=0,1", "--method", "grid"];
    let (events, code) = events(&project, &args);
    assert_eq!(code, Some(0));
    let values: Vec<Option<f64>> = trials(&events).into_iter().map(|(_, value, _)| value).collect();
    assert_eq!(values, [Some(3.0), Some(3.0), Some(6.0), Some(6.0)]);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_suggestion() {
    let project = study();
    let metric = ["--metric", "score.metrics.sum"];
    let vary = ["--vary", "size=1..9", "--trials", "2"];
    for (args, expected) in [
        (&["--vary", "size=1..9"][..], "how many trials?\nhelp: say so with `--trials`"),
        (&["--vary", "size=9"], "`size` has one value only\nhelp: give several, or a range"),
        (&["--vary", "size=1..9", "--set", "size=3", "--trials", "2"], "`size` is set, and varied"),
        (&["--vary", "sise=1..9", "--trials", "2"], "there is no parameter `sise`"),
        (&["--vary", "score.with.too=1..9", "--trials", "2"], "`demo/count` has no parameter `too`"),
        (&["--vary", "size=0.5..0.9", "--trials", "2"], "`to` must be a whole number"),
        (&["--vary", "size=1..9", "--trials", "0"], "expected a whole number from 1 on"),
    ] {
        let refused = refused(&project, &[args, &metric].concat());
        assert!(refused.contains(expected), "{args:?}: {refused}");
    }
    for (metric, expected) in [
        (
            "scroe.metrics.sum",
            "`scroe.metrics.sum` does not begin with a stage or node\nhelp: did you mean `score`?",
        ),
        ("score.metric.sum", "`score` has no output `metric`\nhelp: did you mean `score.metrics`?"),
        ("score", "`score` does not say which output of `score`\nhelp: its metrics are `metrics`"),
        ("other.text.x", "other.text is a file, and has no numbers"),
    ] {
        let refused = refused(&project, &[&vary[..], &["--metric", metric]].concat());
        assert!(refused.contains(expected), "{metric}: {refused}");
    }
    // What numbers there are is known once a trial has ended.
    let output = project.flow(&[&["sweep", "w.yaml", "--metric", "score.metrics.summ"], &vary[..]].concat());
    let out = text(&output.stdout);
    assert!(out.contains("there is no number `summ` in score.metrics; did you mean `sum`?"), "{out}");
}

/// A number over nodes that an output decides about, and that other settings make others.
const GROWING: &str = r#"
  shared: { uses: exec/run, with: { run: "printf '[1, 2]' > ${{ outputs.list }}" }, outputs: { list: file } }
  pick:
    uses: exec/run
    with: { run: "printf '[{\"name\": \"a\", \"to\": %d}, {\"name\": \"b\", \"to\": 3}]' ${{ params.size }} > ${{ outputs.cases }}" }
    outputs: { cases: file }
  each:
    uses: demo/count
    matrix: { of: { from: shared.list } }
    with: { to: "${{ matrix.of }}", step_ms: 0 }
  score:
    uses: demo/count
    matrix: { case: { from: pick.cases } }
    needs: each
    with: { to: "${{ matrix.case.to + params.more }}", step_ms: 0 }
"#;

#[test]
fn nodes_that_become_known_only_in_a_trial_are_its_own() {
    let project = study();
    write(&project, GROWING);
    let args = ["--vary", "size=4,5", "--vary", "more=0,1", "--method", "grid"];
    let (said, code) = events(&project, &args);
    assert_eq!(code, Some(0), "{said:?}");
    let ended = trials(&said);
    let values: Vec<Option<f64>> = ended.iter().map(|(_, value, _)| *value).collect();
    // The means of the sums up to 4 and 3, 5 and 4, and so on.
    assert_eq!(values, [Some(8.0), Some(12.5), Some(10.5), Some(15.5)]);
    let store = project.store();
    let run = &store.runs().unwrap()[0];
    assert_eq!((run.start.workflow.as_str(), run.failed, run.skipped), ("w-sweep", 0, 0));
    // `shared`, two of `pick` and `each`, and of `score` the case `a` up to 4, 5 and 6, the case `b` up to 3 and 4:
    // the two up to 4 are one computation.
    assert_eq!((store.nodes(&run.start.id).unwrap().len(), run.executed), (10, 9));

    // The best trial is an ordinary run, and the same search again finds everything.
    let best = said.last().unwrap();
    assert_eq!((&best["best"], &best["value"]), (&Value::from(1), &Value::from(8.0)));
    let run = project.run(&["--set", "size=4", "--set", "more=0"]);
    assert_eq!(run.counts(), [0, 6, 0, 0]);
    let again = trials(&events(&project, &args).0);
    assert!(again.iter().all(|(_, value, computed)| value.is_some() && *computed == 0), "{again:?}");
    // One node of a stage whose nodes are not known beforehand.
    let output = project.flow(
        &[&["sweep", "w.yaml", "--metric", "score[case=b].metrics.sum", "--format", "json"], &args[..]]
            .concat(),
    );
    assert!(text(&output.stdout).contains("\"best\":1,"), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn a_trial_whose_nodes_cannot_be_known_fails_alone() {
    let project = study();
    write(
        &project,
        r#"
  pick:
    uses: exec/run
    with: { run: "case ${{ params.size }} in 1) echo '[1, 1]';; 2) echo '[]';; 3) false;; *) echo '[1, 2]';; esac > ${{ outputs.list }}" }
    outputs: { list: file }
  score:
    uses: demo/count
    matrix: { of: { from: pick.list } }
    with: { to: "${{ matrix.of }}", step_ms: 0 }
"#,
    );
    let (said, code) = events(&project, &["--vary", "size=1,2,3,4", "--method", "grid"]);
    assert_eq!(code, Some(0), "{said:?}");
    let ended =
        |trial: u64| said.iter().find(|e| e["event"] == "trial_finished" && e["trial"] == trial).unwrap();
    let error = |trial: u64| ended(trial)["error"].as_str().unwrap_or_default().to_owned();
    assert!(error(1).contains("w.yaml:") && error(1).contains("`1` is in `pick.list` twice"), "{}", error(1));
    assert!(error(2).ends_with("`score` is switched off: pick.list is empty"), "{}", error(2));
    assert!(error(3).starts_with("pick[trial=3]: the command ended with exit status 1"), "{}", error(3));
    assert_eq!((ended(4)["value"].as_f64(), &ended(4)["nodes"]), (Some(2.0), &Value::from(3)));
    assert_eq!(said.last().unwrap()["failed"], 3);
}

#[test]
fn of_a_loop_the_last_iteration_of_each_trial_counts() {
    let project = study();
    write(
        &project,
        r#"
  start: { uses: demo/text, with: { text: "x\n" } }
  learn:
    repeat:
      at_most: 5
      until: "${{ size.metrics.sum >= params.size }}"
      carry: { text: { first: start.text, then: grow.text } }
      stages:
        grow:
          uses: exec/run
          inputs: { of: carry.text }
          with: { run: "cat ${{ inputs.of }} - <<< x > ${{ outputs.text }}" }
          outputs: { text: file }
        size:
          uses: exec/run
          inputs: { of: grow.text }
          with: { run: "printf '{\"sum\": %d}' $(wc -l < ${{ inputs.of }}) > ${{ outputs.metrics }}" }
          outputs: { metrics: metrics }
"#,
    );
    let args = ["--vary", "size=3,4,9", "--method", "grid", "--format", "json"];
    let output =
        project.flow(&[&["sweep", "w.yaml", "--metric", "learn.size.metrics.sum"], &args[..]].concat());
    let said: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = said.iter().filter(|event| event["event"] == "trial_finished");
    let mut ended: Vec<_> =
        ended.map(|e| (e["trial"].as_u64(), e["value"].as_f64(), e["nodes"].as_u64())).collect();
    ended.sort_by_key(|trial| trial.0);
    // A line more an iteration; `start`, and two nodes an iteration; five at most.
    let expected =
        [(1, 3.0, 5), (2, 4.0, 7), (3, 6.0, 11)].map(|(t, value, n)| (Some(t), Some(value), Some(n)));
    assert_eq!(ended, expected, "{said:?} {}", text(&output.stderr));
}

#[test]
fn a_frozen_stage_is_that_of_the_workflow_in_every_trial() {
    let project = study();
    let stages = |frozen: &str| {
        let stages = "
  data:  { uses: demo/text, with: { text: \"a\" }, FROZEN }
  score: { uses: demo/count, inputs: { after: data.text }, with: { to: \"${{ params.size }}\", step_ms: 0 } }
";
        write(&project, &stages.replace("FROZEN", frozen));
    };
    stages("frozen: false");
    assert_eq!(project.run(&[]).code, Some(0));
    stages("frozen: true");
    let (said, code) = events(&project, &["--vary", "size=2,3", "--method", "grid"]);
    assert_eq!(code, Some(0), "{said:?}");
    let values: Vec<Option<f64>> = trials(&said).into_iter().map(|(_, value, _)| value).collect();
    assert_eq!(values, [Some(3.0), Some(6.0)]);
}
