//! Bounded loops: a group of stages repeated until metrics meet a condition.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Project, text};
use nix::sys::signal::Signal;

/// Data grows by an answer an iteration, until it has `target` lines.
const LOOP: &str = r#"
  start:
    uses: demo/text
    with: { text: "1\n" }
  learn:
    repeat:
      at_most: 5
      until: "${{ score.metrics.lines >= params.target }}"
      carry:
        data: { first: start.text, then: extend.text }
      stages:
        score:
          uses: exec/run
          inputs: { data: carry.data }
          with: { run: "printf '{\"lines\": %d}' $(wc -l < ${{ inputs.data }}) > ${{ outputs.metrics }}" }
          outputs: { metrics: metrics }
        ask:
          uses: exec/run
          inputs: { data: carry.data }
          with: { run: "awk 'END { print $1 * 2 }' ${{ inputs.data }} > ${{ outputs.answer }}" }
          outputs: { answer: file }
        extend:
          uses: exec/run
          inputs: { parts: [carry.data, ask.answer] }
          with: { run: "cat ${{ inputs.parts }} > ${{ outputs.text }}" }
          outputs: { text: file }
  result:
    uses: exec/run
    inputs: { last: learn.score.metrics, all: [learn.score.metrics] }
    with: { run: "cat ${{ inputs.last }} ${{ inputs.all }} > ${{ outputs.text }}" }
    outputs: { text: file }
"#;

fn project(stages: &str) -> Project {
    let project = Project::new("");
    project.write("w.yaml", &format!("flow: 1\nname: w\nparams: {{ target: 3 }}\nstages:{stages}"));
    project
}

#[test]
fn a_loop_ends_when_its_condition_holds() {
    let project = project(LOOP);
    let planned = project.plan(&[]);
    let later = |node: &str| (node.to_owned(), "unknown".to_owned(), false, "unknown until learn".to_owned());
    assert_eq!(planned.iter().filter(|node| **node == later("result")).count(), 1, "{planned:?}");
    let run = project.run(&[]);
    assert_eq!(
        run.executed(),
        [
            "learn.ask[iteration=1]",
            "learn.ask[iteration=2]",
            "learn.extend[iteration=1]",
            "learn.extend[iteration=2]",
            "learn.score[iteration=1]",
            "learn.score[iteration=2]",
            "learn.score[iteration=3]",
            "result",
            "start"
        ],
        "{}",
        run.stderr
    );
    assert_eq!(run.code, Some(0));
    let lines = |lines: u32| format!("{{\"lines\": {lines}}}");
    assert_eq!(project.output("result", "text"), [3, 1, 2, 3].map(lines).concat());
    assert_eq!(project.output("learn.extend[iteration=2]", "text"), "1\n2\n4\n");

    assert!(project.plan(&[]).iter().all(|(_, state, certain, _)| state == "cached" && *certain));
    assert_eq!(project.run(&[]).counts(), [0, 9, 0, 0]);
    let table = project.flow(&["table", "w", "learn.score.metrics"]);
    assert!(text(&table.stdout).contains("3          3"), "{}{}", text(&table.stdout), text(&table.stderr));
    let graph = project.flow(&["graph", "w.yaml"]);
    // Stages in a circle all the same are in the list, in the order of the file.
    let drawn = text(&graph.stdout);
    let at = |name: &str| drawn.find(name).unwrap_or_else(|| panic!("no {name} in {drawn}"));
    assert!(at("start ") < at("learn.score ×3") && at("learn.score ×3") < at("learn.extend ×2"), "{drawn}");
    assert!(at("learn.score ×3") < at("result "), "{drawn}");
}

#[test]
fn another_condition_uses_the_iterations_that_are_there() {
    let project = project(LOOP);
    project.run(&[]);
    let fewer = project.run(&["--set", "target=2"]);
    assert_eq!(fewer.executed(), ["result"]);
    let more = project.run(&["--set", "target=4"]);
    assert_eq!(
        more.executed(),
        ["learn.ask[iteration=3]", "learn.extend[iteration=3]", "learn.score[iteration=4]", "result"]
    );
    // The budget ends it in any case, and asks nobody for what no iteration would use.
    let budget = project.run(&["--set", "target=100"]);
    assert_eq!(
        budget.executed(),
        ["learn.ask[iteration=4]", "learn.extend[iteration=4]", "learn.score[iteration=5]", "result"]
    );
    assert_eq!(project.output("learn.extend[iteration=4]", "text"), "1\n2\n4\n8\n16\n");
}

#[test]
fn a_loop_of_one_iteration_and_one_without_a_condition() {
    let once = project(&LOOP.replace("at_most: 5", "at_most: 1"));
    let run = once.run(&[]);
    assert_eq!(run.executed(), ["learn.score[iteration=1]", "result", "start"]);
    let plan = once.plan(&[]);
    let ask = plan.iter().find(|node| node.0 == "learn.ask").unwrap();
    assert_eq!((ask.1.as_str(), ask.3.as_str()), ("off", "only a further iteration would need it"));

    let counted = LOOP.lines().filter(|line| !line.contains("until:")).collect::<Vec<_>>().join("\n");
    let counted = project(&counted.replace("at_most: 5", "at_most: \"${{ params.target - 1 }}\""));
    // Nothing decides: all is known at once.
    let plan = counted.plan(&[]);
    assert!(plan.iter().all(|(_, state, ..)| state == "run"), "{plan:?}");
    assert_eq!(counted.run(&[]).counts(), [6, 0, 0, 0]);
}

#[test]
fn every_variant_of_a_loop_ends_by_itself() {
    let stages = LOOP
        .replace("  learn:\n", "  learn:\n    matrix: { target: [2, 4] }\n")
        .replace("params.target", "matrix.target");
    let project = project(&stages);
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let names = run.executed();
    let of = |stage: &str| names.iter().filter(|name| name.starts_with(stage)).count();
    // Both begin alike, with two of their scores and one question: these are computed once.
    assert_eq!([of("learn.score["), of("learn.ask["), of("result[")], [4, 3, 2], "{names:?}");
    assert!(names.contains(&"learn.score[target=4,iteration=4]"), "{names:?}");
    assert!(
        project.output("result[target=2]", "text").starts_with("{\"lines\": 2}{\"lines\": 1}{\"lines\": 2}")
    );
}

#[test]
fn stages_of_a_loop_have_axes_of_their_own() {
    let stages = r#"
  learn:
    repeat:
      at_most: 3
      until: "${{ vote.metrics.mean > 2 }}"
      carry: { seen: { first: { path: seed.txt }, then: all.text } }
      stages:
        split:
          uses: exec/run
          inputs: { seen: carry.seen }
          with: { run: "mkdir ${{ outputs.parts }}; while read n; do echo $n > ${{ outputs.parts }}/p$n; done < ${{ inputs.seen }}" }
          outputs: { parts: folder }
        each:
          uses: exec/run
          matrix: { part: { from: split.parts } }
          inputs: { part: matrix.part }
          with: { run: "n=$(cat ${{ inputs.part }}); i=${{ matrix.iteration }}; echo $n > ${{ outputs.text }}; echo $((n + 10 * i)) >> ${{ outputs.text }}" }
          outputs: { text: file }
        all:
          uses: exec/run
          inputs: { parts: [each.text] }
          with: { run: "cat ${{ inputs.parts }} > ${{ outputs.text }}" }
          outputs: { text: file }
        vote:
          uses: exec/run
          inputs: { all: all.text }
          with: { run: "printf '{\"mean\": %d}' $(wc -l < ${{ inputs.all }}) > ${{ outputs.metrics }}" }
          outputs: { metrics: metrics }
"#;
    // Without a condition, too, what the next iteration is given has to come first.
    let until = "      until: \"${{ vote.metrics.mean > 2 }}\"\n";
    assert!(stages.contains(until));
    let fixed = project(&stages.replace(until, "").replace("at_most: 3", "at_most: 2"));
    fixed.write("seed.txt", "1\n");
    let run = fixed.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [9, 0, 0, 0]), "{:?} {}", run.events, run.stderr);
    let project = project(stages);
    project.write("seed.txt", "1\n");
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{:?} {}", run.events, run.stderr);
    assert_eq!(
        run.executed(),
        [
            "learn.all[iteration=1]",
            "learn.all[iteration=2]",
            "learn.each[iteration=1,part=p1]",
            "learn.each[iteration=2,part=p11]",
            "learn.each[iteration=2,part=p1]",
            "learn.split[iteration=1]",
            "learn.split[iteration=2]",
            "learn.vote[iteration=1]",
            "learn.vote[iteration=2]"
        ]
    );
    assert_eq!(project.output("learn.all[iteration=2]", "text"), "1\n21\n11\n31\n");
    assert!(project.plan(&[]).iter().all(|(_, state, ..)| state == "cached"));
    assert_eq!(project.run(&[]).counts(), [0, 9, 0, 0]);
}

#[test]
fn a_loop_of_an_included_file() {
    let project = project(
        "\n  last:\n    uses: demo/grep\n    inputs: { text: al.learn.extend.text }\n    with: { contains: '4' }\n",
    );
    project.write("al.yaml", &format!("flow: 1\nname: al\nparams: {{ target: 3 }}\nstages:{LOOP}"));
    let own = std::fs::read_to_string(project.path("w.yaml")).unwrap();
    project.write("w.yaml", &own.replace("stages:", "include: { al: al.yaml }\nstages:"));
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.executed().contains(&"al.learn.score[iteration=3]"));
    // What is read from outside is made in the last iteration, too.
    assert_eq!(project.output("al.learn.extend[iteration=3]", "text"), "1\n2\n4\n8\n");
    assert_eq!(project.output("last", "text"), "4\n");
}

#[test]
fn a_failing_iteration_ends_the_loop_and_the_run_goes_on_from_there() {
    let stages = LOOP.replace(
        "run: \"awk",
        "untracked: [go], run: \"test -e go || test $(wc -l < ${{ inputs.data }}) -lt 2; awk",
    );
    let project = project(&stages);
    let run = project.run(&[]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.node("learn.ask[iteration=2]")["status"], "failed");
    assert_eq!(run.node("learn.extend[iteration=2]")["status"], "skipped");
    assert_eq!(run.node("result")["status"], "skipped");
    project.write("go", "");
    let run = project.run(&[]);
    assert_eq!(
        run.executed(),
        ["learn.ask[iteration=2]", "learn.extend[iteration=2]", "learn.score[iteration=3]", "result"],
        "{}",
        run.stderr
    );
}

#[test]
fn a_loop_that_is_killed_goes_on() {
    let project = project(&LOOP.replace("run: \"awk", "run: \"sleep 0.2; awk"));
    let mut run = project.start(&[]);
    run.until(|event| event["event"] == "node_finished" && event["node"] == "learn.extend[iteration=1]");
    run.signal(Signal::SIGKILL);
    run.wait();
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(!run.executed().contains(&"learn.extend[iteration=1]"));
    assert!(run.executed().contains(&"learn.score[iteration=3]"));
    assert_eq!(project.run(&[]).counts(), [0, 9, 0, 0]);
}

#[test]
fn a_loop_that_is_interrupted_goes_on() {
    let project = project(&LOOP.replace("run: \"awk", "run: \"sleep 0.3; awk"));
    let mut run = project.start(&[]);
    run.until(|event| event["event"] == "node_started" && event["node"] == "learn.ask[iteration=2]");
    run.signal(Signal::SIGINT);
    let run = run.wait();
    assert_eq!((run.code, run.last()["status"].as_str()), (Some(130), Some("interrupted")));
    assert_eq!(run.node("result")["status"], "cancelled");
    let shown = project.flow(&["show", "w", "learn.ask"]);
    assert!(!text(&shown.stderr).contains("panicked"), "{}", text(&shown.stderr));
    assert_eq!(project.run(&[]).counts(), [4, 5, 0, 0]);
}

#[test]
fn the_report_of_a_loop_shows_every_iteration() {
    let project = project(LOOP);
    let run = project.run(&[]);
    let path = run.events.iter().find(|event| event["event"] == "report_written").unwrap()["path"].clone();
    let page = std::fs::read_to_string(path.as_str().unwrap()).unwrap();
    let (_, table) = page.split_once("<table class=\"nodes").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    assert_eq!(run.executed().len(), 9);
    for node in run.executed() {
        assert!(table.contains(node), "{node} is not in the table of nodes");
    }
    assert!(!run.events.iter().any(|event| event["event"] == "warning"));
}

#[test]
fn a_condition_that_cannot_be_computed_is_said() {
    let project = project(&LOOP.replace("\\\"lines\\\": %d", "\\\"line\\\": %d"));
    let run = project.run(&[]);
    assert_eq!(run.code, Some(1));
    let said = run.events.iter().find(|event| event["level"] == "warning").unwrap();
    let message = said["message"].as_str().unwrap();
    assert!(message.starts_with("w.yaml:11:19: `score.metrics` has no `lines`"), "{message}");
    assert!(message.contains("after learn[iteration=1]"), "{message}");
    assert_eq!(run.node("result")["status"], "skipped");
}

/// The examples of the book run as they stand there.
#[test]
fn the_examples_of_the_how_to_run() {
    let page = include_str!("../../docs/how-to/results-decide.md");
    let blocks = page.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let examples: Vec<&str> = blocks.filter(|block| block.starts_with("flow: 1")).collect();
    assert_eq!(examples.len(), 2);

    let words = Project::new("");
    words.write("w.yaml", examples[0]);
    words.write("words.txt", "one two\nthree\nfour five six\n");
    let plan = words.flow(&["plan", "w.yaml"]);
    let shown = "later   count  unknown until split\nlater   all    unknown until split\nwords: 1 to run, 0 cached, 2 unknown";
    assert!(text(&plan.stdout).contains(shown) && page.contains(shown), "{}", text(&plan.stdout));
    let run = words.run(&[]);
    assert_eq!(
        run.executed(),
        ["all", "count[part=part-aa]", "count[part=part-ab]", "split"],
        "{}",
        run.stderr
    );
    words.write("words.txt", "one two\nthree\nfour five six\nseven\neight\n");
    assert_eq!(words.run(&[]).executed(), ["all", "count[part=part-ab]", "count[part=part-ac]", "split"]);

    let active = Project::new("");
    active.write("w.yaml", examples[1]);
    let run = active.run(&[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // Gaps of 8, 4, 4, 2, 2, 2, 2 and 1: eight scores, seven answers.
    let names = run.executed();
    let of = |stage: &str| names.iter().filter(|name| name.starts_with(stage)).count();
    assert_eq!([of("learn.score"), of("learn.oracle"), of("learn.extend"), of("history")], [8, 7, 7, 1]);
    let fewer = active.run(&["--set", "width=4"]);
    assert_eq!(fewer.executed(), ["history"]);
    let table = active.flow(&["table", "active", "learn.score.metrics", "--metric", "width"]);
    assert_eq!(text(&table.stdout).lines().count(), 3, "{}", text(&table.stdout));
}

#[test]
fn what_a_loop_carries_can_be_read_from_outside() {
    let outside = r#"
  kept:
    uses: exec/run
    inputs: { last: learn.carry.data, all: [learn.carry.data], history: { collect: learn.carry.data, over: [iteration] } }
    with: { run: "cat ${{ inputs.last }} - ${{ inputs.all }} <<< -- > ${{ outputs.text }}; wc -l ${{ inputs.history }} >> ${{ outputs.text }}" }
    outputs: { text: file }
report: [learn.carry.data]
"#;
    let project = project(&format!("{LOOP}{}", outside.trim_start_matches('\n')));
    let run = project.run(&[]);
    assert_eq!(run.code, Some(0), "{} {:?}", run.stderr, run.events);
    // After the last iteration it is what another one would have got: `extend` is there for that.
    let said = project.output("kept", "text");
    assert!(said.starts_with("1\n2\n4\n8\n--\n1\n2\n1\n2\n4\n1\n2\n4\n8\n"), "{said}");
    assert!(run.executed().contains(&"learn.extend[iteration=3]"), "{:?}", run.executed());

    project.write(
        "w.yaml",
        &std::fs::read_to_string(project.path("w.yaml"))
            .unwrap()
            .replace("last: learn.carry.data", "last: learn.carry.dat"),
    );
    let output = project.flow(&["plan", "w.yaml"]);
    let said = text(&output.stderr);
    assert!(said.contains("the loop carries no `dat`") && said.contains("did you mean `data`?"), "{said}");
    assert_eq!(said.matches("error").count(), 1, "{said}");
}

#[test]
fn names_in_the_condition_of_a_loop_are_checked_before_it_runs() {
    let project = project(&LOOP.replace("params.target", "params.traget"));
    let said = project.refused(&["run", "w.yaml"]);
    assert!(said.contains("`params` has no `traget`") && said.contains("did you mean `target`?"), "{said}");
    assert!(said.contains("w.yaml:11:42"), "{said}");
}

#[test]
fn a_loop_over_what_is_known_later_is_known_later_itself() {
    let stages = r#"
  split:
    uses: exec/run
    with: { run: "mkdir ${{ outputs.parts }}; echo 1 > ${{ outputs.parts }}/a" }
    outputs: { parts: folder }
  part:
    uses: exec/run
    matrix: { part: { from: split.parts } }
    inputs: { part: matrix.part }
    with: { run: "cat ${{ inputs.part }} > ${{ outputs.text }}" }
    outputs: { text: file }
  start:
    uses: demo/join
    inputs: { parts: [part.text] }
"#;
    let after = LOOP.split_once("  learn:\n").unwrap().1;
    let project = project(&format!("{stages}  learn:\n{after}"));
    let later = |node: &str| (node.to_owned(), "unknown".to_owned(), false, "unknown until split".to_owned());
    let plan = project.plan(&[]);
    assert_eq!((plan.len(), &plan[3]), (7, &later("learn.score")), "{plan:?}");
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [11, 0, 0, 0]), "{:?}", run.executed());
}
