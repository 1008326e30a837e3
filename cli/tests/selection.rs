//! Choosing what runs: `--until`, `--only`, `--force`, `--frozen`, `--fail-fast`, `needs`.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Project, text};

/// Two chains with a common start.
const CHAINS: &str = "
  start: { uses: demo/text, with: { text: \"a x\\nb\" } }
  left:  { uses: demo/grep, matrix: { word: [a, b] }, inputs: { text: start.text }, with: { contains: \"${{ matrix.word }}\" } }
  join:  { uses: demo/join, inputs: { parts: [left.text] } }
  right: { uses: demo/grep, inputs: { text: start.text }, with: { contains: x } }
";

#[test]
fn until_a_stage_runs_it_and_what_it_needs() {
    let project = Project::new(CHAINS);
    let planned: Vec<_> = project.plan(&["--until", "left[word=b]"]).into_iter().map(|node| node.0).collect();
    assert_eq!(planned, ["start", "left[word=b]"]);
    assert_eq!(project.run(&["--until", "left[word=b]"]).executed(), ["left[word=b]", "start"]);
    assert_eq!(
        project.run(&["--until", "join", "--until", "right"]).executed(),
        ["join", "left[word=a]", "right"]
    );
}

#[test]
fn only_a_stage_takes_what_it_needs_from_the_store() {
    let project = Project::new(CHAINS);
    for command in ["plan", "run"] {
        let refused = project.refused(&[command, "w.yaml", "--only", "right"]);
        assert_eq!(
            refused,
            "error: `start` is needed, and not in the store: never computed\n\
             help: `--until` in place of `--only` computes what is needed too\n",
        );
    }
    project.run(&["--until", "start"]);
    assert_eq!(project.run(&["--only", "right"]).executed(), ["right"]);
    // What lies between two chosen nodes, and may have to run, is missing too.
    let refused = project.refused(&["run", "w.yaml", "--only", "join", "--only", "start"]);
    assert!(refused.contains("`left[word=a]` is needed, and not in the store: never computed"), "{refused}");
    assert_eq!(
        project.run(&["--only", "join", "--only", "left"]).executed(),
        ["join", "left[word=a]", "left[word=b]"]
    );
}

#[test]
fn forced_nodes_run_again_and_the_plan_says_so() {
    let project = Project::new(CHAINS);
    project.run(&[]);
    let plan = project.plan(&["--force", "left"]);
    let states: Vec<_> = plan.iter().map(|node| (node.1.as_str(), node.2, node.3.as_str())).collect();
    assert_eq!(states[1], ("run", true, "forced"));
    assert_eq!(states[2], ("run", true, "forced"));
    assert_eq!(
        states[3],
        ("run", false, "runs only if left[word=a].text or left[word=b].text comes out different")
    );
    assert_eq!(states[4].0, "cached");
    assert_eq!(project.run(&["--force", "left"]).executed(), ["left[word=a]", "left[word=b]"]);
}

#[test]
fn names_that_mean_nothing_and_wishes_that_contradict_each_other_are_refused() {
    let project = Project::new(CHAINS);
    project.run(&[]);
    for (args, expected) in [
        (&["--until", "lefft"][..], "no stage or node `lefft` to run up to\nhelp: did you mean `left`?"),
        (
            &["--only", "left[word=c]"],
            "no stage or node `left[word=c]` to run alone\nhelp: did you mean `left[word=a]`?",
        ),
        (
            &["--force", "nothing"],
            "`nothing` to force\nhelp: the stages are `start`, `left`, `join`, `right`",
        ),
        (&["--frozen", "rihgt"], "no stage or node `rihgt` to freeze\nhelp: did you mean `right`?"),
        (&["--until", "left", "--force", "right"], "`right` is to be forced, but is left out by `--until`"),
        (&["--only", "left", "--force", "start"], "`start` is to be forced, but is left out by `--only`"),
        (&["--frozen", "left", "--force", "left[word=a]"], "`left[word=a]` is frozen, and cannot be forced"),
        (&["--only", "left", "--until", "left"], "cannot be used with"),
    ] {
        for command in ["plan", "run"] {
            let refused = project.refused(&[&[command, "w.yaml"], args].concat());
            assert!(refused.contains(expected), "{args:?}: {refused}");
        }
    }
}

#[test]
fn a_frozen_stage_keeps_its_last_result_and_says_so() {
    let chain = |start: &str, word: &str, frozen: &str| {
        format!(
            "
  start: {{ uses: demo/text, with: {{ text: \"{start}\" }} }}
  slow:  {{ uses: demo/grep, inputs: {{ text: start.text }}, with: {{ contains: {word} }}, {frozen} }}
  end:   {{ uses: demo/join, inputs: {{ parts: [slow.text] }} }}
"
        )
    };
    let project = Project::new(&chain("a b", "a", "frozen: true"));
    let refused = project.refused(&["run", "w.yaml"]);
    assert!(
        refused.contains("`slow` is frozen, and it has no result yet\nhelp: compute it once"),
        "{refused}"
    );
    project.stages(&chain("a b", "a", "frozen: false"));
    assert_eq!(project.run(&[]).counts(), [3, 0, 0, 0]);

    // Another parameter and another input: the result of before is used, and what is below it is up to date.
    project.stages(&chain("a c", "c", "frozen: true"));
    let plan = project.plan(&[]);
    assert_eq!((plan[1].1.as_str(), plan[1].2), ("frozen", true));
    let changed = "is used, though params.contains \"a\" → \"c\"";
    assert!(plan[1].3.contains(changed), "{}", plan[1].3);
    assert_eq!(plan[2].1, "cached");
    let run = project.run(&[]);
    assert_eq!((run.executed(), run.code), (vec!["start"], Some(0)));
    let warned =
        |e: &serde_json::Value| e["level"] == "warning" && e["message"].to_string().contains("frozen");
    assert!(run.events.iter().any(warned), "it is said while it runs");
    assert_eq!(project.output("end", "text"), "a b\n");
    let report = project.store().run_folder(run.events[0]["run"].as_str().unwrap()).join("report.html");
    assert!(std::fs::read_to_string(report).unwrap().contains("though params.contains"), "and in the report");
    // With the new input known, the plan tells of it as well, and so does the run.
    let both = "though params.contains \"a\" → \"c\"; input data changed: text from start.text";
    assert!(project.plan(&[])[1].3.contains(both), "{:?}", project.plan(&[]));
    let again = project.run(&[]);
    assert!(again.node("slow")["reason"].as_str().unwrap().contains(both), "{:?}", again.events);
    assert_eq!(again.counts(), [0, 3, 0, 0]);

    // What it had is recorded as what it is: thawed, it is computed, and not taken for the new result.
    let store = project.store();
    let runs = store.runs().unwrap();
    let nodes = |run: usize| store.nodes(&runs[run].start.id).unwrap();
    assert_eq!(nodes(1)[1].key, nodes(2)[1].key);
    assert_eq!((nodes(0)[1].key, &nodes(0)[1].params), (nodes(1)[1].key, &nodes(1)[1].params));
    assert_eq!(
        project.run(&["--frozen", "slow", "--until", "end"]).counts(),
        [0, 2, 0, 0],
        "it needs nothing"
    );
    project.stages(&chain("a c", "c", "frozen: false"));
    assert_eq!(project.run(&[]).executed(), ["end", "slow"]);
    assert_eq!(project.output("end", "text"), "a c\n");
}

#[test]
fn a_frozen_result_that_is_gone_is_not_computed() {
    let project = Project::new(
        "
  wave: { uses: demo/wave, with: { cells: 4096, times: 64 } }
  mean: { uses: demo/mean, inputs: { data: [wave.wave] } }
",
    );
    project.run(&[]);
    // Objects are read only.
    let removed = std::process::Command::new("sh")
        .args(["-c", "chmod -R u+w .flow/objects && rm -r .flow/objects/*"])
        .current_dir(project.path(""))
        .status();
    assert!(removed.unwrap().success());
    let refused = project.refused(&["plan", "w.yaml", "--frozen", "wave"]);
    assert!(refused.contains("`wave` is frozen, and of its last result its output wave ("), "{refused}");
}

#[test]
fn with_fail_fast_nothing_is_started_after_a_failure() {
    let project = Project::new(
        "
  bad:   { uses: demo/fail }
  after: { uses: demo/grep, inputs: { text: bad.text }, with: { contains: x } }
  other: { uses: demo/text, with: { text: x } }
",
    );
    let run = project.run(&["--fail-fast", "--cores", "1"]);
    assert_eq!((run.code, run.counts()), (Some(1), [0, 0, 1, 2]));
    assert_eq!(run.last()["status"], "failed");
    assert_eq!(run.node("other")["status"], "skipped");
    assert_eq!(run.node("other")["reason"], "not started, since bad failed (--fail-fast)");
    assert_eq!(project.run(&["--keep-going"]).counts(), [1, 0, 1, 1]);
    assert!(
        project.refused(&["run", "w.yaml", "--fail-fast", "--keep-going"]).contains("cannot be used with")
    );
}

#[test]
fn needs_is_an_order_and_no_input() {
    let stages = |word: &str| {
        format!(
            "
  late:  {{ uses: demo/text, with: {{ text: x }}, needs: first }}
  first: {{ uses: demo/text, matrix: {{ n: [1, 2] }}, with: {{ text: \"{word} ${{{{ matrix.n }}}}\" }} }}
"
        )
    };
    let project = Project::new(&stages("a"));
    let run = project.run(&["--cores", "2"]);
    let order: Vec<_> = run.finished().map(|event| event["node"].as_str().unwrap()).collect();
    assert_eq!(order.last(), Some(&"late"));
    project.stages(&stages("b"));
    assert_eq!(project.plan(&[])[0].1, "cached", "what it waits for is not in its key");
    assert_eq!(project.run(&[]).executed(), ["first[n=1]", "first[n=2]"]);
    let planned: Vec<_> = project.plan(&["--until", "late"]).into_iter().map(|node| node.0).collect();
    assert_eq!(planned, ["late", "first[n=1]", "first[n=2]"]);
    project.stages(
        "\n  late:  { uses: demo/text, with: { text: y }, needs: first }\n  first: { uses: demo/fail }\n",
    );
    assert_eq!(project.run(&[]).node("late")["status"], "skipped");
}

#[test]
fn nodes_that_become_known_later_follow_the_selection() {
    let project = Project::new(
        r#"
  split: { uses: exec/run, with: { run: "mkdir ${{ outputs.parts }}; for p in a b; do echo $p > ${{ outputs.parts }}/$p; done" }, outputs: { parts: folder } }
  cell:  { uses: demo/grep, matrix: { part: { from: split.parts } }, inputs: { text: matrix.part }, with: { contains: a } }
  all:   { uses: demo/join, inputs: { parts: [cell.text] } }
  other: { uses: demo/text, with: { text: x } }
  after: { uses: demo/grep, matrix: { part: { from: split.parts } }, inputs: { text: matrix.part }, with: { contains: b }, needs: other }
"#,
    );
    let names =
        |more: &[&str]| -> Vec<String> { project.plan(more).into_iter().map(|node| node.0).collect() };
    assert_eq!(names(&["--until", "cell"]), ["split", "cell"]);
    assert_eq!(names(&["--until", "split"]), ["split"]);
    assert_eq!(names(&["--until", "after"]), ["split", "other", "after"]);
    assert!(project.refused(&["run", "w.yaml", "--only", "cell"]).contains("`split` is needed"));
    assert_eq!(project.run(&["--until", "cell"]).executed(), ["cell[part=a]", "cell[part=b]", "split"]);
    assert_eq!(project.run(&["--only", "all"]).executed(), ["all"]);
    assert_eq!(
        project.run(&["--until", "cell", "--force", "cell"]).executed(),
        ["cell[part=a]", "cell[part=b]"]
    );
    assert_eq!(project.run(&["--until", "after"]).executed(), ["after[part=a]", "after[part=b]", "other"]);
    assert_eq!(project.run(&["--frozen", "cell"]).counts(), [0, 7, 0, 0]);
}

#[test]
fn what_a_frozen_stage_would_read_and_run_is_compared_as_well() {
    let project = Project::new("");
    let stages = |frozen: &str| {
        project.stages(&format!(
            r#"
  copy:
    uses: exec/run
    inputs: {{ table: {{ path: table.csv }} }}
    with: {{ run: "sh script.sh < ${{{{ inputs.table }}}} > ${{{{ outputs.table }}}}" }}
    outputs: {{ table: file }}
    {frozen}
"#
        ));
    };
    stages("");
    project.write("table.csv", "a,b");
    project.write("script.sh", "cat");
    assert_eq!(project.run(&[]).counts(), [1, 0, 0, 0]);
    stages("frozen: true");
    assert!(!text(&project.flow(&["run", "w.yaml"]).stdout).contains("though"), "nothing has changed");
    project.write("table.csv", "a,c");
    project.write("script.sh", "cat -n");
    let run = project.run(&[]);
    let reason = run.node("copy")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("though input data changed: table from "), "{reason}");
    assert!(reason.ends_with("; script.sh changed"), "{reason}");
    assert_eq!(project.plan(&[])[0].3, reason);
    assert_eq!((run.counts(), project.output("copy", "table").as_str()), ([0, 1, 0, 0], "a,b"));
}

/// What `flow show` and the like say to an earlier result: standard output, and standard error.
fn said(project: &Project, args: &[&str]) -> (String, String) {
    let output = project.flow(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn results_that_the_latest_run_was_not_about_are_found_in_the_run_that_has_them() {
    let project = Project::new(
        "
  start: { uses: demo/text, with: { text: hello } }
  end:   { uses: demo/grep, inputs: { text: start.text }, with: { contains: h } }
  sum:   { uses: demo/count, with: { to: 3, step_ms: 0 } }
  bad:   { uses: demo/fail, needs: [sum] }
",
    );
    let names = || project.store().runs().unwrap().into_iter().map(|run| run.start.id).collect::<Vec<_>>();
    assert_eq!(project.run(&["--until", "end", "--until", "sum"]).code, Some(0));
    assert_eq!(project.run(&["--until", "start"]).code, Some(0));
    let [later, first] = names().try_into().unwrap();
    let note = |what: &str| format!("`{what}` is of run {first}: run {later} is later, and has none\n");

    let (shown, told) = said(&project, &["show", "w", "end"]);
    assert!(shown.starts_with(&format!("end: succeeded in run {first}\n")), "{shown}");
    assert_eq!(told, note("end"));
    let (shown, told) = said(&project, &["show", "end.text"]);
    assert!(shown.contains("made by    end.text"), "{shown}");
    assert_eq!(told, note("end.text"));
    let (_, told) = said(&project, &["get", "w", "end.text", "end.txt"]);
    assert_eq!(told, format!("{}end.txt\n", note("end.text")));
    assert_eq!(std::fs::read_to_string(project.path("end.txt")).unwrap(), "hello\n");
    assert_eq!(said(&project, &["log", "w", "sum"]).1, note("sum"));
    assert!(said(&project, &["table", "w", "sum.metrics"]).0.contains('6'));
    // What the latest run has is of that one, and what none has is nowhere.
    assert_eq!(said(&project, &["show", "w", "start"]).1, "");
    let refused = project.refused(&["show", "w", "bad"]);
    assert!(refused.contains(&format!("run {later} of `w` has no node `bad`")), "{refused}");
    // A run that is named is meant alone.
    let refused = project.refused(&["show", &later, "end"]);
    assert!(refused.contains(&format!("run {later} of `w` has no node `end`")), "{refused}");

    // A log is that of the latest attempt, whatever came of it.
    assert_eq!(project.run(&["--until", "bad"]).code, Some(1));
    assert_eq!(project.run(&["--until", "start"]).code, Some(0));
    let (log, told) = said(&project, &["log", "w", "bad"]);
    assert!(log.contains("failed"), "{log}");
    assert!(told.contains("`bad` is of run ") && !told.contains(&first), "{told}");
}
