//! Nodes that are known only at run time: an axis over what an output holds.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Project, text};
use nix::sys::signal::Signal;
use serde_json::json;

/// One node an entry of a folder: `split` puts out the files below `data`, `cell` changes each, `all` joins them.
const FOLDER: &str = r#"
  split:
    uses: exec/run
    inputs: { data: { path: data } }
    with: { run: "cp -r ${{ inputs.data }} ${{ outputs.parts }}" }
    outputs: { parts: folder }
  cell:
    uses: exec/run
    matrix: { part: { from: split.parts } }
    inputs: { part: matrix.part }
    with: { run: "tr a-z A-Z < ${{ inputs.part }} > ${{ outputs.text }}" }
    outputs: { text: file }
    publish: { text: "out/${{ matrix.part.stem }}.txt" }
  all:
    uses: demo/join
    inputs: { parts: [cell.text] }
"#;

fn parts(names: &[(&str, &str)]) -> Project {
    let project = Project::new(FOLDER);
    fs::create_dir(project.path("data")).unwrap();
    for (name, text) in names {
        project.write(&format!("data/{name}"), text);
    }
    project
}

#[test]
fn a_node_an_entry_of_a_folder() {
    let project = parts(&[("b.txt", "bb"), ("a.txt", "aa"), (".hidden", "no")]);
    let plan = project.plan(&[]);
    let split = ("split".into(), "run".into(), true, "never computed".into());
    let later = |stage: &str| (stage.to_owned(), "unknown".into(), false, "unknown until split".into());
    assert_eq!(plan, [split, later("cell"), later("all")]);

    let run = project.run(&[]);
    assert_eq!(run.counts(), [4, 0, 0, 0], "{}", run.stderr);
    assert_eq!(run.executed(), ["all", "cell[part=a]", "cell[part=b]", "split"]);
    let grown: Vec<_> = run.events.iter().filter(|event| event["event"] == "graph_grown").collect();
    assert_eq!(grown.len(), 1);
    assert_eq!(grown[0]["nodes"], 4);
    assert_eq!(grown[0]["stages"], json!([["cell", 2], ["all", 1]]));
    assert_eq!(project.output("all", "text"), "AA\nBB");
    assert_eq!(fs::read_to_string(project.path("out/b.txt")).unwrap(), "BB");

    // The second time everything is known, to the plan as well.
    assert!(project.plan(&[]).iter().all(|(_, state, certain, _)| state == "cached" && *certain));
    let run = project.run(&[]);
    assert_eq!(run.counts(), [0, 4, 0, 0]);
}

#[test]
fn one_more_entry_is_one_more_node_and_one_less_is_none() {
    let project = parts(&[("a.txt", "aa"), ("b.txt", "bb")]);
    project.run(&[]);
    project.write("data/c.txt", "cc");
    let run = project.run(&[]);
    assert_eq!(run.executed(), ["all", "cell[part=c]", "split"]);
    assert_eq!(project.output("all", "text"), "AA\nBB\nCC");
    project.write("data/b.txt", "xx");
    assert_eq!(project.run(&[]).executed(), ["all", "cell[part=b]", "split"]);
    fs::remove_file(project.path("data/b.txt")).unwrap();
    assert_eq!(project.run(&[]).executed(), ["all", "split"]);
    assert_eq!(project.output("all", "text"), "AA\nCC");
}

#[test]
fn an_empty_folder_switches_off_what_depends_on_it() {
    let project = parts(&[(".keep", "")]);
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [1, 0, 0, 0]));
    let off = |stage: &str, why: &str| (stage.to_owned(), "off".to_owned(), true, why.to_owned());
    let plan = project.plan(&[]);
    assert_eq!(
        plan[1..],
        [off("cell", "split.parts is empty"), off("all", "it reads cell.text, which is off")]
    );
}

#[test]
fn entries_may_be_folders_and_nodes_inherit_the_axis() {
    let project = Project::new(
        r#"
  split:
    uses: exec/run
    with: { run: "mkdir -p $OUT/x $OUT/y; echo 1 > $OUT/x/n; echo 2 > $OUT/y/n; echo 3 > $OUT/y/m" , env: [] }
    outputs: { parts: folder }
  size:
    uses: exec/run
    matrix: { part: { from: split.parts } }
    inputs: { part: matrix.part }
    with: { run: "cat ${{ inputs.part }}/* > ${{ outputs.text }}" }
    outputs: { text: file }
  both:
    uses: exec/run
    inputs: { text: size.text, folder: matrix.part }
    with: { run: "ls ${{ inputs.folder }} | cat ${{ inputs.text }} - > ${{ outputs.text }}" }
    outputs: { text: file }
"#
        .replace("$OUT", "${{ outputs.parts }}")
        .as_str(),
    );
    let run = project.run(&[]);
    assert_eq!(run.counts(), [5, 0, 0, 0], "{:?} {}", run.events, run.stderr);
    assert_eq!(project.output("both[part=y]", "text"), "3\n2\nm\nn\n");
}

/// One node an item of a JSON list.
const LIST: &str = r#"
  pick:
    uses: exec/run
    inputs: { list: { path: list.json } }
    with: { run: "cp ${{ inputs.list }} ${{ outputs.list }}" }
    outputs: { list: file }
  count:
    uses: demo/count
    matrix: { case: { from: pick.list, key: cases }, twice: [1, 2] }
    needs: [pick]
    with: { to: "${{ matrix.case.to * matrix.twice }}", step_ms: 0 }
"#;

#[test]
fn a_node_an_item_of_a_list() {
    let project = Project::new(LIST);
    project.write("list.json", r#"{ "cases": [{ "name": "low", "to": 1 }, { "name": "high", "to": 5 }] }"#);
    let run = project.run(&[]);
    assert_eq!(
        run.executed(),
        [
            "count[case=high,twice=1]",
            "count[case=high,twice=2]",
            "count[case=low,twice=1]",
            "count[case=low,twice=2]",
            "pick"
        ]
    );
    let table = project.flow(&["table", "w", "count.metrics", "--metric", "sum"]);
    assert!(table.status.success(), "{}", text(&table.stderr));
    assert!(text(&table.stdout).contains("high  2"), "{}", text(&table.stdout));
    let why = project.flow(&["why", "w.yaml", "count[case=low,twice=2]"]);
    assert!(text(&why.stdout).contains("cached"), "{}", text(&why.stdout));
    let verified = project.flow(&["verify", "w.yaml", "--node", "count[case=low,twice=2]"]);
    assert!(verified.status.success(), "{} {}", text(&verified.stdout), text(&verified.stderr));
    let graph = project.flow(&["graph", "w.yaml"]);
    assert!(text(&graph.stdout).contains("count ×4"), "{}", text(&graph.stdout));
}

#[test]
fn what_is_wrong_with_a_list_is_said_with_its_place() {
    let project = Project::new(LIST);
    let problem = |list: &str| {
        project.write("list.json", list);
        let run = project.run(&[]);
        assert_eq!(run.code, Some(1));
        assert_eq!(run.node("pick")["status"], "succeeded");
        assert_eq!(run.node("count")["status"], "skipped");
        let said = run.events.iter().find(|event| event["level"] == "warning");
        said.unwrap_or_else(|| panic!("nothing said of {list}"))["message"].as_str().unwrap().to_owned()
    };
    let place = "w.yaml:12:29: ";
    let key = "w.yaml:12:45: ";
    assert_eq!(problem("[1, 2]"), format!("{key}`pick.list` has no `cases`"));
    assert_eq!(
        problem(r#"{ "cases": 3 }"#),
        format!("{place}`cases` of `pick.list` is not a list: it is `3`")
    );
    assert!(problem("{").starts_with(&format!("{place}`pick.list` is not a JSON list: ")));
    assert_eq!(
        problem(r#"{ "cases": ["a", "b", "a"] }"#),
        format!(
            "{place}`a` is in `cases` of `pick.list` twice; items 1 and 3; each item is one value of the axis `case`"
        )
    );
}

#[test]
fn a_failing_source_leaves_what_depends_on_it_out() {
    let project = Project::new(&FOLDER.replace("cp -r", "exit 3; cp -r"));
    fs::create_dir(project.path("data")).unwrap();
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(1), [0, 0, 1, 2]));
    assert_eq!(run.node("cell")["reason"], "split did not succeed");
    let shown = project.flow(&["show", "w", "cell"]);
    assert!(!text(&shown.stderr).contains("panicked"));
}

#[test]
fn a_run_killed_after_it_has_grown_goes_on() {
    let project = parts(&[("a.txt", "aa"), ("b.txt", "bb"), ("c.txt", "cc")]);
    let slow = "test -e go || case $(cat ${{ inputs.part }}) in aa) ;; *) sleep 30;; esac; tr a-z";
    project.stages(&FOLDER.replace(r#"run: "tr a-z"#, &format!(r#"untracked: [go], run: "{slow}"#)));
    let mut run = project.start(&["-j", "1"]);
    run.until(|event| event["event"] == "node_finished" && event["node"] == "cell[part=a]");
    run.signal(Signal::SIGKILL);
    run.wait();
    project.write("go", "");
    let run = project.run(&[]);
    assert_eq!(run.executed(), ["all", "cell[part=b]", "cell[part=c]"], "{}", run.stderr);
    assert_eq!(project.output("all", "text"), "AA\nBB\nCC");
}

#[test]
fn a_folder_that_is_gone_from_the_store_is_made_again_when_an_entry_is_needed() {
    let project = parts(&[("a.txt", "aa"), ("b.txt", "bb")]);
    project.run(&[]);
    fs::remove_dir_all(project.path(".flow/objects")).unwrap();
    assert_eq!(project.run(&[]).counts(), [0, 4, 0, 0]);
    project.stages(&FOLDER.replace("tr a-z A-Z", "tr a-y B-Z"));
    let run = project.run(&[]);
    assert_eq!(run.executed(), ["all", "cell[part=a]", "cell[part=b]", "split"], "{}", run.stderr);
    assert_eq!(project.output("all", "text"), "BB\nCC");
}

#[test]
fn a_list_that_is_gone_from_the_store_is_made_again() {
    let project = Project::new(LIST);
    let long: String = (0..2000).map(|number| format!(r#", {{ "n": {number} }}"#)).collect();
    project.write("list.json", &format!(r#"{{ "cases": [{{ "to": 1 }}], "more": [0{long}] }}"#));
    project.run(&[]);
    fs::remove_dir_all(project.path(".flow/objects")).unwrap();
    let plan = project.plan(&[]);
    assert!(plan[0].3.ends_with("is missing in the store"), "{plan:?}");
    assert_eq!(plan[1].1, "unknown");
    let run = project.run(&[]);
    assert_eq!((run.executed(), run.counts()), (vec!["pick"], [1, 2, 0, 0]));
}

#[test]
fn names_that_mean_nothing_are_found_before_anything_runs() {
    let project = Project::new(
        r#"
  split:
    uses: exec/run
    with: { run: "mkdir ${{ outputs.parts }}" }
    outputs: { parts: folder }
  cell:
    uses: exec/run
    matrix: { part: { from: split.parts }, size: [1, 2] }
    inputs: { part: matrix.prat }
    when: "${{ matrix.sise > 1 }}"
    with: { run: "wc ${{ inputs.part }} ${{ matrix.part.nmae }} > ${{ outputs.text }}", env: ["${{ matrix.szie }}"] }
    outputs: { text: file }
    publish: { text: "out/${{ matrix.part.stm }}-${{ seed }}.txt" }
    resources: { cpus: "${{ min(matrix.size, parms.cpus) }}" }
  next:
    uses: demo/grep
    inputs: { text: cell.text }
    with: { contains: "${{ str(matrix.part.stem) + sr(matrix.size) }}" }
  all:
    uses: demo/count
    needs: next
    with: { to: 1 }
"#,
    );
    let said = project.refused(&["plan", "w.yaml"]);
    for (place, expected, help) in [
        ("w.yaml:12:21", "this stage has no axis `prat`", "did you mean `part`?"),
        ("w.yaml:13:16", "`matrix` has no `sise`", "did you mean `size`?"),
        ("w.yaml:14:45", "`matrix.part` has no `nmae`", "did you mean `name`?"),
        ("w.yaml:14:100", "`matrix` has no `szie`", "did you mean `size`?"),
        ("w.yaml:16:31", "`matrix.part` has no `stm`", "did you mean `stem`?"),
        ("w.yaml:16:54", "`seed` has no value here", "this stage has no `seeds`"),
        ("w.yaml:17:46", "`parms` is not known here", "did you mean `params`?"),
        ("w.yaml:21:52", "there is no function `sr`", "did you mean `str`?"),
    ] {
        let found = said.split("error").find(|problem| problem.contains(place));
        let found = found.unwrap_or_else(|| panic!("nothing at {place} ({expected}):\n{said}"));
        assert!(found.contains(expected) && found.contains(help), "{place}: {expected}, {help}:\n{found}");
    }
    assert!(!project.path(".flow").exists());
}

#[test]
fn what_all_depends_on_values_is_left_for_when_they_are_known() {
    let project = Project::new(
        r#"
  pick:
    uses: exec/run
    with: { run: "echo '[{\"name\": \"a\", \"to\": 2}]' > ${{ outputs.cases }}" }
    outputs: { cases: file }
  count:
    uses: demo/count
    matrix: { case: { from: pick.cases } }
    seeds: [1]
    when: "${{ matrix.case.to > 1 and seed == 1 and matrix.case['name'] == 'a' }}"
    with: { to: "${{ matrix.case.more if 'more' in matrix.case else matrix.case.to }}", step_ms: 0 }
  twice:
    uses: exec/run
    inputs: { of: count.metrics }
    with: { run: "cat ${{ inputs.of }} > ${{ outputs.text }}; : ${{ matrix.case.name }} ${{ seed }} ${{ resources.cpus }}" }
    outputs: { text: file }
"#,
    );
    let run = project.run(&[]);
    assert_eq!((run.code, run.counts()), (Some(0), [3, 0, 0, 0]), "{}", run.stderr);
}

#[test]
fn that_nodes_have_become_known_is_said_where_one_of_them_is_computed() {
    let project = parts(&[("a.txt", "aa"), ("b.txt", "bb")]);
    let lines = |args: &[&str]| {
        let output = project.flow(&[&["run", "w.yaml"], args].concat());
        let more = |line: &&str| line.trim_start().starts_with("more ");
        text(&output.stdout).lines().filter(more).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&[]), ["   more  cell ×2, all ×1"]);
    assert!(lines(&[]).is_empty(), "all is cached");
    project.write("data/c.txt", "cc");
    assert_eq!(lines(&["-j", "1"]), ["   more  cell ×3, all ×1"]);
}
