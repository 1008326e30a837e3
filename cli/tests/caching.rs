//! What runs again, and what does not.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Project, text};

/// `a` → `b` → `d` ← `c`, where `b` drops lines that contain `#`.
const DIAMOND: &str = "
  a: { uses: demo/text, with: { text: \"one\\n# two\\nthree\\n\" } }
  b: { uses: demo/grep, inputs: { text: a.text }, with: { contains: '#', invert: true } }
  c: { uses: demo/text, with: { text: see } }
  d: { uses: demo/join, inputs: { parts: [b.text, c.text] } }
";

#[test]
fn a_second_run_computes_nothing() {
    let project = Project::new(DIAMOND);
    let first = project.run(&[]);
    assert_eq!((first.code, first.counts()), (Some(0), [4, 0, 0, 0]));
    assert_eq!(project.output("d", "text"), "one\nthree\n\nsee");
    let second = project.run(&[]);
    assert_eq!((second.code, second.counts()), (Some(0), [0, 4, 0, 0]));
    assert_eq!(first.node("d")["key"], second.node("d")["key"]);
    let shown = text(&project.flow(&["run", "w.yaml"]).stdout);
    assert!(shown.contains("everything was cached (4 nodes)"), "{shown}");
}

#[test]
fn formatting_names_and_resources_do_not_matter() {
    let project = Project::new(DIAMOND);
    project.run(&[]);
    project.stages(
        "
  # The stages in another order, with other names.
  see:   { uses: demo/text, resources: { cpus: 2 }, with: { text: 'see' } }
  one:
    uses: demo/text
    retry: 3
    with:
      text: |
        one
        # two
        three
  kept:  { uses: demo/grep, inputs: { text: one.text }, with: { invert: true, contains: '#' } }
  all:   { uses: demo/join, inputs: { parts: [kept.text, see.text] } }
",
    );
    assert_eq!(project.run(&[]).counts(), [0, 4, 0, 0]);
}

#[test]
fn a_changed_parameter_runs_what_depends_on_it() {
    let project = Project::new(DIAMOND);
    project.run(&[]);
    let plan = project.plan(&["--set", "c.with.text=sea"]);
    assert_eq!(plan[0].1, "cached");
    assert_eq!(plan[2], ("c".into(), "run".into(), true, "params.text \"see\" → \"sea\"".into()));
    assert_eq!(plan[3], ("d".into(), "run".into(), false, "runs only if c.text comes out different".into()));
    assert_eq!(project.run(&["--set", "c.with.text=sea"]).executed(), ["c", "d"]);
    let back = project.run(&[]);
    assert_eq!(back.executed(), [""; 0], "the old results are still there");
    let why = text(&project.flow(&["why", "w.yaml", "c", "--set", "c.with.text=saw"]).stdout);
    assert!(why.contains("params.text \"see\" → \"saw\""), "{why}");
}

#[test]
fn work_stops_where_an_output_comes_out_the_same() {
    let project = Project::new(DIAMOND);
    project.run(&[]);
    let run = project.run(&["--set", r#"a.with.text="one\n# other\nthree\n""#]);
    assert_eq!(run.executed(), ["a", "b"]);
    assert_eq!(run.node("d")["cached"], true);
}

#[test]
fn external_files_count_by_content() {
    let project = Project::new(
        "
  lines: { uses: demo/grep, inputs: { text: { path: data.txt } }, with: { contains: a } }
",
    );
    project.write("data.txt", "ab\ncd\n");
    assert_eq!(project.run(&[]).executed(), ["lines"]);
    fs::copy(project.path("data.txt"), project.path("copy.txt")).unwrap();
    fs::rename(project.path("copy.txt"), project.path("data.txt")).unwrap();
    assert_eq!(project.run(&[]).executed(), [""; 0], "the same content, another file and time");
    project.write("data.txt", "ax\ncd\n");
    let run = project.run(&[]);
    assert_eq!(run.executed(), ["lines"]);
    let reason = run.node("lines")["reason"].as_str().unwrap();
    assert!(reason.starts_with("input data changed: text from ") && reason.contains("data.txt"), "{reason}");
    fs::remove_file(project.path("data.txt")).unwrap();
    let gone = project.refused(&["run", "w.yaml"]);
    assert!(gone.contains("data.txt"), "{gone}");
}

/// `big` puts out more than is kept in the index.
const BIG: &str = "
  big: { uses: demo/text, with: { text: TEXT } }
  use: { uses: demo/grep, inputs: { text: big.text }, with: { contains: x } }
";

fn big() -> (Project, std::path::PathBuf) {
    let project = Project::new(&BIG.replace("TEXT", &"x".repeat(20_000)));
    project.run(&[]);
    let store = project.store();
    let run = store.runs().unwrap()[0].start.id.clone();
    let digest = store.nodes(&run).unwrap()[0].outputs[0].digest;
    let path = store.artifact_path(&digest).unwrap();
    (project, path)
}

#[test]
fn a_lost_result_is_computed_again_only_when_it_is_needed() {
    let (project, object) = big();
    fs::remove_file(object).unwrap();
    assert_eq!(project.run(&[]).executed(), [""; 0], "nothing needs it");
    let plan = project.plan(&["--set", "use.with.contains=y"]);
    assert_eq!((plan[0].1.as_str(), plan[1].1.as_str()), ("run", "run"));
    assert!(plan[0].3.contains("is missing in the store"), "{}", plan[0].3);
    let run = project.run(&["--set", "use.with.contains=y"]);
    assert_eq!((run.code, run.executed()), (Some(0), vec!["big", "use"]));
}

#[test]
fn a_tampered_result_is_never_used() {
    let (project, object) = big();
    fs::set_permissions(&object, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&object, "y".repeat(20_000)).unwrap();
    let run = project.run(&["--set", "use.with.contains=y"]);
    assert_eq!((run.code, run.executed()), (Some(0), vec!["big", "use"]));
    assert_eq!(project.output("use", "text"), "", "the true result has no y");
    assert!(fs::read_to_string(object).unwrap().starts_with("xxx"), "it was repaired");
}

#[test]
fn a_stage_can_be_forced() {
    let project = Project::new(DIAMOND);
    project.run(&[]);
    let run = project.run(&["--force", "b"]);
    assert_eq!((run.executed(), run.counts()), (vec!["b"], [1, 3, 0, 0]));
    project.refused(&["run", "w.yaml", "--force", "x"]);
}

#[test]
fn results_and_keys_do_not_depend_on_the_number_of_cores() {
    let (one, two) = (Project::new(DIAMOND), Project::new(DIAMOND));
    one.run(&["--cores", "1"]);
    two.run(&["--cores", "2"]);
    let digests = |project: &Project| {
        let store = project.store();
        let run = store.runs().unwrap()[0].start.id.clone();
        let nodes = store.nodes(&run).unwrap();
        nodes.into_iter().map(|n| (n.name, n.key, n.outputs)).collect::<Vec<_>>()
    };
    assert_eq!(digests(&one), digests(&two));
}
