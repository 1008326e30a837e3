//! Where published outputs go, and what becomes of what lies there.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Project, entries, text};
use insta::assert_snapshot;

const NOTE: &str = "
  note: { uses: demo/text, with: { text: NOTE }, publish: { text: results/note.txt } }
";

fn project() -> Project {
    Project::new(&NOTE.replace("NOTE", "first"))
}

fn read(project: &Project, name: &str) -> String {
    fs::read_to_string(project.path(name)).unwrap()
}

fn warnings(run: &common::Run) -> Vec<&str> {
    let logs = run.events.iter().filter(|event| event["event"] == "log" && event["level"] == "warning");
    logs.map(|event| event["message"].as_str().unwrap()).collect()
}

#[test]
fn outputs_are_put_where_they_are_wanted_and_replaced_by_newer_ones() {
    let project = project();
    assert_eq!(project.run(&[]).code, Some(0));
    assert_eq!(read(&project, "results/note.txt"), "first");
    assert_eq!(entries(&project.path("results")), 1, "no temporary file is left");
    // The copy belongs to the user: it can be written, and changing it does not reach the store.
    assert!(!fs::metadata(project.path("results/note.txt")).unwrap().permissions().readonly());
    project.stages(&NOTE.replace("NOTE", "second"));
    let run = project.run(&[]);
    assert_eq!((run.code, read(&project, "results/note.txt").as_str()), (Some(0), "second"));
    assert_eq!((warnings(&run), entries(&project.path("results"))), (vec![], 1));
    // Back to the first: nothing is computed, and the published file follows.
    project.stages(&NOTE.replace("NOTE", "first"));
    assert_eq!(project.run(&[]).counts(), [0, 1, 0, 0]);
    assert_eq!(read(&project, "results/note.txt"), "first");
}

#[test]
fn a_published_file_that_is_gone_comes_back() {
    let project = project();
    project.run(&[]);
    fs::remove_dir_all(project.path("results")).unwrap();
    assert_eq!(project.run(&[]).counts(), [0, 1, 0, 0]);
    assert_eq!(read(&project, "results/note.txt"), "first");
}

#[test]
fn a_published_file_that_someone_changed_is_kept_aside() {
    let project = project();
    project.run(&[]);
    for n in 1..=2 {
        project.write("results/note.txt", &format!("mine {n}"));
        let run = project.run(&[]);
        assert_eq!((run.code, run.counts()), (Some(0), [0, 1, 0, 0]));
        assert_eq!(read(&project, "results/note.txt"), "first");
        assert_eq!(read(&project, &format!("results/note.txt.edited-{n}")), format!("mine {n}"));
        let said = warnings(&run);
        assert!(said.len() == 1 && said[0].ends_with(&format!("note.txt.edited-{n}")), "{said:?}");
        // It is recorded, too, and so stands in the report.
        let store = project.store();
        let id = &store.runs().unwrap()[0].start.id;
        assert_eq!(store.logs(id, "note").unwrap()[0].message, said[0]);
    }
}

#[test]
fn what_flow_did_not_put_there_is_not_replaced_unasked() {
    let project = project();
    fs::create_dir(project.path("results")).unwrap();
    project.write("results/note.txt", "mine");
    let refused = project.refused(&["run", "w.yaml"]);
    let folder = project.path("").canonicalize().unwrap();
    let said = refused.replace(&*folder.to_string_lossy(), "ROOT");
    assert_snapshot!(said, @r"
    error: ROOT/results/note.txt is there already, and flow did not put it there
    help: move it away, publish to another path, or replace it with --overwrite
    ");
    assert_eq!(read(&project, "results/note.txt"), "mine");
    let runs = text(&project.flow(&["runs"]).stdout);
    assert!(!runs.contains("executed"), "nothing ran: {runs}");
    let run = project.run(&["--overwrite"]);
    assert_eq!((run.code, warnings(&run)), (Some(0), vec![]));
    assert_eq!(
        (read(&project, "results/note.txt").as_str(), entries(&project.path("results"))),
        ("first", 1)
    );
}

#[test]
fn a_file_that_appears_while_it_runs_is_not_replaced_either() {
    let project = Project::new(
        "  slow: { uses: demo/count, with: { to: 60, step_ms: 10 }, publish: { metrics: out.json } }\n",
    );
    let mut run = project.start(&[]);
    run.until_progress("slow", 1);
    project.write("out.json", "mine");
    let run = run.wait();
    assert_eq!((run.code, run.last()["status"].as_str()), (Some(1), Some("failed")));
    assert_eq!(run.node("slow")["status"], "succeeded", "the result is kept");
    let said = warnings(&run);
    assert!(said.len() == 1 && said[0].starts_with("not published: "), "{said:?}");
    assert_eq!(read(&project, "out.json"), "mine");
    assert_eq!(project.run(&["--overwrite"]).counts(), [0, 1, 0, 0]);
    assert!(read(&project, "out.json").contains("1830"));
}

#[test]
fn a_result_that_is_lost_is_computed_again_for_the_sake_of_its_published_copy() {
    let words = "x".repeat(20_000);
    let project = Project::new(&NOTE.replace("NOTE", &words));
    project.run(&[]);
    let store = project.store();
    let run = store.runs().unwrap()[0].start.id.clone();
    let object = store.artifact_path(&store.nodes(&run).unwrap()[0].outputs[0].digest).unwrap();
    drop(store);
    fs::remove_file(object).unwrap();
    assert_eq!(project.run(&[]).counts(), [0, 1, 0, 0], "the copy is there: nothing needs the object");
    fs::remove_file(project.path("results/note.txt")).unwrap();
    let plan = project.plan(&[]);
    assert_eq!((plan[0].1.as_str(), plan[0].2), ("run", true));
    assert!(plan[0].3.contains("is missing in the store"), "{}", plan[0].3);
    assert_eq!(project.run(&[]).counts(), [1, 0, 0, 0]);
    assert_eq!(read(&project, "results/note.txt"), words);
}

#[test]
fn folders_are_published_whole() {
    let project = Project::new(
        "
  wave: { uses: demo/wave, with: { cells: 8 }, publish: { wave: data/wave.zarr } }
",
    );
    assert_eq!(project.run(&[]).code, Some(0));
    let data = flow_artifact::Dataset::open(project.path("data/wave.zarr")).unwrap();
    assert_eq!(data.dim("x"), Some(8));
    assert_eq!(project.run(&["--set", "wave.with.cells=16"]).code, Some(0));
    let data = flow_artifact::Dataset::open(project.path("data/wave.zarr")).unwrap();
    assert_eq!((data.dim("x"), entries(&project.path("data"))), (Some(16), 1));
}
