//! `flow store`: what is damaged is found, what is not needed goes, and nothing else.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{Project, entries, text};
use serde_json::Value;

/// `big` and `kept` put out more than is kept in the index; `kept` is published.
const STAGES: &str = "
  big:  { uses: demo/text, with: { text: BIG } }
  kept: { uses: demo/text, with: { text: KEPT }, publish: { text: out/kept.txt } }
  use:  { uses: demo/grep, inputs: { text: big.text }, with: { contains: x } }
";

fn stages(big: char) -> String {
    STAGES.replace("BIG", &big.to_string().repeat(20_000)).replace("KEPT", &"k".repeat(30_000))
}

fn project() -> Project {
    let project = Project::new(&stages('x'));
    assert_eq!(project.run(&[]).code, Some(0));
    project
}

/// What `flow store …` says to programs, and its exit status.
fn store(project: &Project, args: &[&str]) -> (Option<i32>, Value) {
    let output = project.flow(&[&["store"], args, &["--format", "json"]].concat());
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (output.status.code(), json)
}

/// The object of a node's output in the latest run.
fn object(project: &Project, node: &str) -> PathBuf {
    let store = project.store();
    let run = store.runs().unwrap()[0].start.id.clone();
    let nodes = store.nodes(&run).unwrap();
    let node = nodes.iter().find(|n| n.name == node).unwrap();
    store.artifact_path(&node.outputs[0].digest).unwrap()
}

fn overwrite(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_whole_store_is_found_to_be_whole() {
    let project = project();
    let (code, found) = store(&project, &["check"]);
    assert_eq!((code, &found["results"], &found["damaged"]), (Some(0), &3.into(), &serde_json::json!([])));
    let said = text(&project.flow(&["store", "check"]).stdout);
    assert_eq!(said, "whole: 3 results, 70 kB\n");
}

#[test]
fn damage_is_found_even_where_size_and_time_tell_nothing() {
    let project = project();
    let object = object(&project, "big");
    let modified = fs::metadata(&object).unwrap().modified().unwrap();
    overwrite(&object, &[b'y'; 20_000]);
    fs::File::options().write(true).open(&object).unwrap().set_modified(modified).unwrap();
    let (code, found) = store(&project, &["check"]);
    assert_eq!((code, found["damaged"].as_array().unwrap().len()), (Some(1), 1));
    let damaged = &found["damaged"][0];
    assert_eq!((&damaged["state"], &damaged["made_by"][0]["node"]), (&"damaged".into(), &"big".into()));
    assert!(object.exists(), "it only looks");

    let repaired = project.flow(&["store", "check", "--repair"]);
    assert_eq!(repaired.status.code(), Some(0));
    assert!(text(&repaired.stdout).contains("big.text of run"), "{}", text(&repaired.stdout));
    assert!(!object.exists());
    assert_eq!(store(&project, &["check"]).0, Some(0));
    // It is computed again when something needs it, and not before.
    assert_eq!(project.run(&[]).executed(), [""; 0]);
    assert_eq!(project.run(&["--set", "use.with.contains=z"]).executed(), ["big", "use"]);
    assert_eq!(fs::read(&object).unwrap(), [b'x'; 20_000]);
}

#[test]
fn a_published_copy_that_is_whole_restores_a_result() {
    let project = project();
    let object = object(&project, "kept");
    for lose in [true, false] {
        if lose {
            fs::remove_file(&object).unwrap();
        } else {
            overwrite(&object, b"other");
        }
        let (code, found) = store(&project, &["check", "--repair"]);
        assert_eq!((code, &found["damaged"][0]["repair"]), (Some(0), &"restored".into()));
        assert_eq!(fs::read(&object).unwrap(), [b'k'; 30_000]);
        assert!(fs::metadata(&object).unwrap().permissions().readonly());
    }
    // A copy that someone changed is not taken for the result.
    fs::remove_file(&object).unwrap();
    project.write("out/kept.txt", "mine");
    let (code, found) = store(&project, &["check", "--repair"]);
    assert_eq!((code, &found["damaged"][0]["repair"]), (Some(0), &"removed".into()));
    assert_eq!(fs::read_to_string(project.path("out/kept.txt")).unwrap(), "mine");
    assert_eq!(entries(&project.path(".flow/scratch")), 0);
}

#[test]
fn a_dataset_with_a_changed_a_lost_or_a_new_file_is_damaged() {
    let project = Project::new("  wave: { uses: demo/wave, with: { cells: 16 } }\n");
    project.run(&[]);
    let object = object(&project, "wave");
    fs::write(object.join("more"), "x").unwrap();
    assert_eq!(store(&project, &["check"]).0, Some(1));
    fs::remove_file(object.join("more")).unwrap();
    assert_eq!(store(&project, &["check"]).0, Some(0));
    let chunk = object.join("height/c.0.0");
    let before = fs::read(&chunk).unwrap();
    let mut after = before.clone();
    after[5] ^= 1;
    overwrite(&chunk, &after);
    let (_, found) = store(&project, &["check"]);
    assert!(found["damaged"][0]["detail"].as_str().unwrap().contains("height/c.0.0"), "{found}");
    overwrite(&chunk, &before);
    assert_eq!(store(&project, &["check"]).0, Some(0));
}

#[test]
fn a_changed_record_of_a_small_result_is_damage_too() {
    let project = Project::new("  note: { uses: demo/text, with: { text: hello } }\n");
    project.run(&[]);
    let db = rusqlite::Connection::open(project.path(".flow/index.sqlite")).unwrap();
    db.execute("UPDATE artifacts SET content = ?", [b"hullo"]).unwrap();
    assert_eq!(store(&project, &["check"]).0, Some(1));
    assert_eq!(store(&project, &["check", "--repair"]).0, Some(0));
    assert_eq!(project.run(&["--force", "note"]).executed(), ["note"]);
    assert_eq!(project.output("note", "text"), "hello");
}

#[test]
fn clearing_away_removes_what_no_kept_run_leads_to() {
    let project = project();
    let old = object(&project, "big");
    project.stages(&stages('y'));
    project.run(&[]);
    let new = object(&project, "big");

    let (_, dry) = store(&project, &["gc", "--keep", "1", "--dry-run"]);
    // In which order depends on how long they took.
    let removed = dry["removed"].as_array().unwrap();
    let nodes: BTreeSet<_> = removed.iter().map(|item| item["node"].as_str().unwrap()).collect();
    assert_eq!((nodes, old.exists()), (BTreeSet::from(["big", "use"]), true));
    assert_eq!(store(&project, &["gc"]).1["freed"], 0, "both runs are among the latest ten");
    assert_eq!(store(&project, &["gc", "--keep", "1", "--age", "1 h"]).1["freed"], 0, "and both are young");
    let (_, du) = store(&project, &["du", "--keep", "1"]);
    assert_eq!(du["unreached"], dry["freed"]);

    let (code, done) = store(&project, &["gc", "--keep", "1"]);
    assert_eq!((code, &done["freed"], &done["left"]), (Some(0), &dry["freed"], &dry["left"]));
    assert!(!old.exists() && new.exists() && !project.path(".flow/trash").exists());
    assert_eq!(project.run(&[]).executed(), [""; 0], "nothing that is used is gone");
    assert_eq!(store(&project, &["check"]).0, Some(0));
    // What is gone is computed again when it is asked for.
    project.stages(&stages('x'));
    assert_eq!(project.run(&["--set", "use.with.contains=z"]).executed(), ["big", "use"]);
    assert!(old.exists());
}

#[test]
fn the_latest_succeeded_run_is_kept_whatever_came_after() {
    let project = project();
    let object = object(&project, "big");
    project.stages("  bad: { uses: demo/fail }\n");
    for _ in 0..2 {
        assert_eq!(project.run(&[]).code, Some(1));
    }
    assert_eq!(store(&project, &["gc", "--keep", "1"]).1["freed"], 0);
    assert!(object.exists());
}

#[test]
fn a_size_limit_removes_first_what_takes_space_and_little_time() {
    // `cheap` is larger and quick; `dear` is smaller and slow.
    let stages = |word: char| {
        format!(
            "  cheap: {{ uses: demo/text, with: {{ text: {} }} }}\n  dear: {{ uses: demo/count, with: {{ to: 4{}, step_ms: 5 }} }}\n",
            word.to_string().repeat(20_000),
            if word == 'a' { 0 } else { 1 },
        )
    };
    let project = Project::new(&stages('a'));
    project.run(&[]);
    project.stages(&stages('b'));
    project.run(&[]);
    let (_, all) = store(&project, &["gc", "--keep", "1", "--dry-run"]);
    let nodes = |value: &Value| -> Vec<String> {
        value["removed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["node"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(nodes(&all), ["cheap", "dear"]);
    let (_, some) = store(&project, &["gc", "--keep", "1", "--size", "30 kB"]);
    assert_eq!(nodes(&some), ["cheap"], "the rest is below the limit");
    let limit = project.flow(&["store", "gc", "--keep", "1", "--size", "1 kB"]);
    assert!(text(&limit.stdout).contains("above 1.0 kB: what stays is what kept runs lead to"));
    assert_eq!(project.run(&[]).executed(), [""; 0]);
}

#[test]
fn clearing_away_takes_what_a_crash_left_and_nothing_of_a_run_that_goes_on() {
    let project = Project::new(
        "
  first: { uses: demo/text, with: { text: FIRST } }
  slow:  { uses: demo/count, inputs: { after: first.text }, with: { to: 80, step_ms: 10 } }
  last:  { uses: demo/join, inputs: { parts: [first.text, first.text] }, needs: [slow] }
"
        .replace("FIRST", &"f".repeat(20_000))
        .as_str(),
    );
    let stray = project.path(".flow/objects/ab");
    let mut run = project.start(&[]);
    run.until_progress("slow", 5);
    fs::create_dir_all(&stray).unwrap();
    fs::write(stray.join("c".repeat(62)), "torn").unwrap();
    let (code, cleared) = store(&project, &["gc", "--keep", "0"]);
    assert_eq!((code, &cleared["without_record"], &cleared["freed"]), (Some(0), &1.into(), &4.into()));
    let run = run.wait();
    assert_eq!((run.code, run.counts()), (Some(0), [3, 0, 0, 0]));
    assert_eq!(project.output("last", "text").len(), 40_001);
}

#[test]
fn runs_and_clearing_away_at_once_never_lose_what_is_used() {
    // Each run uses the results of the one before last, which clearing would take.
    let project = Project::new(&stages('a'));
    project.run(&[]);
    std::thread::scope(|scope| {
        let clearing = scope.spawn(|| {
            for _ in 0..12 {
                let done = project.flow(&["store", "gc", "--keep", "0"]);
                assert!(done.status.success(), "{}", text(&done.stderr));
            }
        });
        for round in 0..12 {
            let word = ["a", "b"][round % 2].repeat(20_000);
            let set = format!("big.with.text={word}");
            let other = format!("use.with.contains=x{round}");
            let run = project.run(&["--set", &set, "--set", &other]);
            assert_eq!(run.code, Some(0), "{:?}{}", run.events, run.stderr);
        }
        clearing.join().unwrap();
    });
    assert_eq!(store(&project, &["check"]).0, Some(0));
}

#[test]
fn what_takes_space_is_shown_by_stage() {
    let project = project();
    let (_, du) = store(&project, &["du"]);
    let stages = du["stages"].as_array().unwrap();
    let of = |at: usize| (stages[at]["stage"].as_str().unwrap(), stages[at]["bytes"].as_u64().unwrap());
    assert_eq!((of(0), of(1)), (("kept", 30_000), ("use", 20_001)));
    assert_eq!((&du["objects"]["count"], &du["objects"]["bytes"]), (&3.into(), &70_001.into()));
    let said = text(&project.flow(&["store", "du"]).stdout);
    assert!(said.contains("3 results as files") && said.contains("w kept"), "{said}");
}

#[test]
fn wrong_requests_are_explained() {
    let project = project();
    for (args, expected) in [
        (&["gc", "--size", "20"][..], "expected a size with a unit"),
        (&["gc", "--age", "30"][..], "expected a time with a unit"),
        (&["gc", "--age", "1 kg"][..], "expected a time with a unit"),
        (&["check", "--store", "nowhere"][..], "there is no store in nowhere"),
    ] {
        let said = project.refused(&[&["store"], args].concat());
        assert!(said.contains(expected), "{said}");
    }
}
