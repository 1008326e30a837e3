//! One workflow, many variants: conditions, files and rows, included files, tables of results.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Project, text};
use serde_json::{Value, json};

/// A sweep of which one node is off, a stage that reads it, and one that collects.
const SWEEP: &str = "
  one:
    uses: demo/text
    matrix: { m: [a, b, c] }
    when: \"${{ matrix.m != 'b' }}\"
    with: { text: \"${{ matrix.m }}\\n\" }
  two: { uses: demo/grep, inputs: { text: one.text }, with: { contains: '' } }
  all: { uses: demo/join, inputs: { parts: [two.text] }, with: { separator: '' } }
";

#[test]
fn a_condition_switches_single_nodes_off() {
    let project = Project::new(SWEEP);
    let plan = project.plan(&[]);
    let named = |name: &str| plan.iter().find(|node| node.0 == name).cloned();
    assert_eq!(named("one[m=b]"), Some(("one[m=b]".into(), "off".into(), true, "`when` is false".into())));
    assert_eq!(named("two[m=b]"), None);
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [5, 0, 0, 0]));
    assert_eq!(project.output("all", "text"), "a\nc\n");
    // Switched on again, only what is new runs.
    project.stages(&SWEEP.replace("matrix.m != 'b'", "true"));
    assert_eq!(project.run(&[]).executed(), ["all", "one[m=b]", "two[m=b]"]);
}

#[test]
fn what_reads_only_what_is_off_is_off() {
    let stages = "
  base: { uses: demo/text, with: { text: base } }
  extra: { uses: demo/text, when: \"${{ params.more }}\", with: { text: extra } }
  only: { uses: demo/grep, inputs: { text: extra.text }, with: { contains: x } }
  both: { uses: demo/join, inputs: { parts: [base.text, extra.text] } }
  count: { uses: demo/count, inputs: { after: extra.text }, with: { to: 1, step_ms: 0 } }
";
    let project = Project::new(stages);
    project.write(
        "w.yaml",
        &format!("flow: 1\nname: w\nparams: {{ more: false }}\nstages:{stages}report: [extra.text]\n"),
    );
    let off: Vec<_> = project.plan(&[]).into_iter().filter(|node| node.1 == "off").collect();
    let row = |node: &str, why: &str| (node.to_owned(), "off".to_owned(), true, why.to_owned());
    assert_eq!(off, [row("extra", "`when` is false"), row("only", "it reads extra.text, which is off")]);
    assert_eq!(project.run(&[]).executed(), ["base", "both", "count"]);
    assert_eq!(project.output("both", "text"), "base");
    let shown = text(&project.flow(&["plan", "w.yaml"]).stdout);
    assert!(shown.contains("off     only") && shown.ends_with("3 cached, 2 off\n"), "{shown}");
    let why = text(&project.flow(&["why", "w.yaml", "only"]).stdout);
    assert!(why.contains("only  off: it reads extra.text, which is off"), "{why}");
    let graph = text(&project.flow(&["graph", "w.yaml", "--format", "mermaid"]).stdout);
    assert!(graph.contains("extra (off)"), "{graph}");
    // `count` does not see what it waits for: with one more input it is another computation.
    assert_eq!(project.run(&["--set", "more=true"]).executed(), ["both", "count", "extra", "only"]);
}

#[test]
fn a_workflow_of_which_everything_is_off_succeeds() {
    let project = Project::new("  a: { uses: demo/text, when: false, with: { text: a } }\n");
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [0, 0, 0, 0]));
}

/// One node a file, and a collection of what they keep.
const FILES: &str = "
  keep:
    uses: demo/grep
    matrix: { sample: { files: \"data/*.txt\" } }
    inputs: { text: { path: \"${{ matrix.sample.path }}\" } }
    with: { contains: x }
    publish: { text: \"out/${{ matrix.sample.stem }}.kept\" }
  all: { uses: demo/join, inputs: { parts: [keep.text] } }
";

#[test]
fn there_is_one_node_a_file_and_a_new_file_runs_one() {
    let project = Project::new(FILES);
    std::fs::create_dir(project.path("data")).unwrap();
    project.write("data/b.txt", "xb\nno\n");
    project.write("data/a.txt", "xa\n");
    let run = project.run(&[]);
    assert_eq!(run.executed(), ["all", "keep[sample=a]", "keep[sample=b]"]);
    assert_eq!(std::fs::read_to_string(project.path("out/b.kept")).unwrap(), "xb\n");
    assert_eq!(project.output("all", "text"), "xa\n\nxb\n");
    project.write("data/c.txt", "xc\n");
    assert_eq!(project.run(&[]).executed(), ["all", "keep[sample=c]"]);
    // The same files elsewhere are the same computations: paths are in no key.
    std::fs::rename(project.path("data"), project.path("moved")).unwrap();
    project.stages(&FILES.replace("data/", "moved/"));
    assert_eq!(project.run(&[]).executed(), [""; 0]);
    project.stages(&FILES.replace("data/*", "nowhere/*"));
    let none = project.refused(&["run", "w.yaml"]);
    assert!(none.contains("no file matches `nowhere/*.txt`"), "{none}");
}

#[test]
fn there_is_one_node_a_row() {
    let project = Project::new(
        "
  line:
    uses: demo/text
    matrix: { case: { rows: cases.csv }, exclude: [{ case: second }] }
    with: { text: \"${{ matrix.case.id }} ${{ matrix.case.n + 1 }}\" }
  all: { uses: demo/join, inputs: { parts: [line.text] } }
",
    );
    project.write("cases.csv", "id,n\nfirst,1\nsecond,2\n\"third, last\",3\n");
    let run = project.run(&[]);
    assert_eq!(run.executed(), ["all", "line[case=\"third, last\"]", "line[case=first]"]);
    assert_eq!(project.output("all", "text"), "first 2\nthird, last 4");
    // A row put in front changes nothing for the others.
    project.write("cases.csv", "id,n\nnew,0\nfirst,1\nsecond,2\n\"third, last\",3\n");
    assert_eq!(project.run(&[]).executed(), ["all", "line[case=new]"]);
}

const PART: &str = "flow: 1
params: { words: [x, y], file: part.txt, joined: \"${{ join(params.words, '+') }}\" }
profiles: { long: { params: { words: [x, y, z] } } }
stages:
  kept:
    uses: demo/grep
    matrix: { word: \"${{ params.words }}\" }
    inputs: { text: { path: \"${{ params.file }}\" } }
    with: { contains: \"${{ matrix.word }}\" }
  all:
    uses: demo/join
    needs: [kept]
    inputs: { parts: [kept.text] }
    with: { separator: \"${{ params.joined }}\" }
";

#[test]
fn an_included_workflow_has_its_own_names_parameters_and_folder() {
    let project = Project::new("");
    std::fs::create_dir(project.path("parts")).unwrap();
    project.write("parts/part.yaml", PART);
    project.write("parts/part.txt", "x1\ny2\nz3\n");
    project.write("other.txt", "y9\n");
    project.write(
        "w.yaml",
        "flow: 1
name: w
params: { words: [z] }
include:
  part: parts/part.yaml
  again: { path: parts/part.yaml, params: { file: other.txt, words: \"${{ params.words }}\" } }
stages:
  both: { uses: demo/join, inputs: { parts: [part.all.text, again.all.text] }, with: { separator: '|' } }
report: [part.all.text]
",
    );
    let run = project.run(&[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        run.executed(),
        ["again.all", "again.kept[word=z]", "both", "part.all", "part.kept[word=x]", "part.kept[word=y]"]
    );
    assert_eq!(project.output("both", "text"), "x1\nx+yy2\n|");
    let more = project.run(&["--set", "part.words=[y]", "--set", "again.kept.with.contains=y"]);
    assert_eq!((more.code, more.executed().len()), (Some(0), 4), "{}", more.stderr);
    assert_eq!(project.output("both", "text"), "y2\n|y9\n");
    let shown = text(&project.flow(&["show", "w", "part.all.text"]).stdout);
    assert!(shown.starts_with("part.all.text: file"), "{shown}");
    // By itself it is the same work.
    let alone = project.flow(&["plan", "parts/part.yaml"]);
    assert!(text(&alone.stdout).contains("0 to run, 3 cached"), "{}", text(&alone.stdout));
    let long = project.flow(&["plan", "parts/part.yaml", "--profile", "long"]);
    assert!(text(&long.stdout).contains("kept[word=z]"), "{}", text(&long.stdout));
}

/// Numbers over a matrix and seeds, of which one node fails.
const NUMBERS: &str = "
  score:
    uses: demo/count
    matrix: { size: [1, 2] }
    seeds: [0, 2, 4]
    with: { to: \"${{ matrix.size + seed }}\", step_ms: 0 }
";

#[test]
fn a_table_has_mean_and_spread_over_seeds() {
    let project = Project::new(NUMBERS);
    project.run(&[]);
    let table = |more: &[&str]| {
        let output = project.flow(&[&["table", "w", "score.metrics"], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(
        table(&[]),
        "size  count  sum\n1     3 ± 2  7.3333 ± 7.0946\n2     4 ± 2  11.333 ± 9.0738\n\
         mean ± standard deviation over seed, n = 3\n"
    );
    assert_eq!(
        table(&["--each", "--metric", "sum"]),
        "size  seed  sum\n1     0     1\n1     2     6\n1     4     15\n2     0     3\n2     2     10\n2     4     21\n"
    );
    assert_eq!(
        table(&["--csv", "-", "--metric", "count", "--over", "size"]),
        "seed,count,count std,count n\n0,1.5,0.7071067811865476,2\n2,3.5,0.7071067811865476,2\n4,5.5,0.7071067811865476,2\n"
    );
    table(&["--csv", "out.csv"]);
    let written = std::fs::read_to_string(project.path("out.csv")).unwrap();
    assert!(written.starts_with("size,count,count std,count n,sum,"), "{written}");
    let lines = table(&["--format", "json", "--metric", "count"]);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let expected = json!({ "n": 3, "mean": 3.0, "std": 2.0 });
    assert_eq!(first, json!({ "coordinates": { "size": "1" }, "metrics": { "count": expected } }));
    // The stage alone will do, since it has one output of numbers.
    assert_eq!(text(&project.flow(&["table", "score"]).stdout), table(&[]));
}

#[test]
fn a_table_of_what_is_not_there_is_refused() {
    let project = Project::new(
        "  score: { uses: demo/count, seeds: [1, 2], with: { to: 1, step_ms: 0 } }\n  t: { uses: demo/text, with: { text: t } }\n",
    );
    project.run(&[]);
    for (args, expected) in [
        (vec!["w", "score.metrics", "--metric", "cuont"], "did you mean `count`?"),
        (vec!["w", "score.metrics", "--over", "sede"], "did you mean `seed`?"),
        (vec!["w", "t.text"], "t.text is a file"),
        (vec!["w", "t"], "it has no metrics to show"),
        (vec!["w"], "name the workflow and an output"),
    ] {
        let said = project.refused(&[vec!["table"], args].concat());
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn failed_nodes_are_missing_from_a_table() {
    let project = Project::new(
        "
  score:
    uses: demo/count
    matrix: { n: [1, 2] }
    seeds: [1, 2]
    timeout: \"${{ '1 ms' if matrix.n == 2 and seed == 2 else '1 h' }}\"
    with: { to: \"${{ matrix.n }}\", step_ms: \"${{ 2000 if matrix.n == 2 and seed == 2 else 0 }}\" }
",
    );
    assert_eq!(project.run(&[]).code, Some(1));
    let shown = text(&project.flow(&["table", "w", "score.metrics", "--metric", "count"]).stdout);
    assert_eq!(shown, "n  count\n1  1 ± 0 (n = 2)\n2  2 (n = 1)\nmean ± standard deviation over seed\n");
}

#[test]
fn two_stages_that_are_the_same_are_computed_once() {
    let project = Project::new(
        "
  a: { uses: demo/count, with: { to: 20, step_ms: 5 } }
  b: { uses: demo/count, with: { to: 20, step_ms: 5 } }
",
    );
    let run = project.run(&["--cores", "2"]);
    assert_eq!((run.executed(), run.counts()), (vec!["a"], [1, 1, 0, 0]));
    assert_eq!(run.node("b")["reason"], "a is the same");
    // Where the first fails, the second is on its own.
    project.stages("\n  a: { uses: demo/fail }\n  b: { uses: demo/fail }\n");
    assert_eq!(project.run(&["--cores", "2"]).counts(), [0, 0, 2, 0]);
}
