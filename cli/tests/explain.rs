//! `flow why` and `flow diff`: what changed, down to the values.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Project, text};
use serde_json::Value;

const STAGES: &str = "
  wave: { uses: demo/wave, with: { cells: 64, times: 2, amplitude: 1.0 } }
  mean: { uses: demo/mean, inputs: { data: [wave.wave] } }
  note: { uses: demo/text, with: { text: hello } }
";

fn project() -> Project {
    let project = Project::new(STAGES);
    assert_eq!(project.run(&[]).code, Some(0));
    project
}

fn why(project: &Project, args: &[&str]) -> Value {
    let output = project.flow(&[&["why", "w.yaml", "--format", "json"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_node_that_ran_because_of_its_data_says_which_values_changed() {
    let project = project();
    let set = ["--set", "wave.with.amplitude=1.5"];
    assert_eq!(project.run(&set).executed(), ["mean", "wave"]);
    let found = why(&project, &[&["mean"], &set[..]].concat());
    assert_eq!(found["state"], "cached");
    assert_eq!(found["data"][0]["from"], "wave.wave");
    let difference = found["data"][0]["differences"][0].as_str().unwrap();
    assert!(difference.starts_with("height: 128 of 128 values differ, max 0.5"), "{difference}");
    let shown = text(&project.flow(&[&["why", "w.yaml", "mean"], &set[..]].concat()).stdout);
    assert!(shown.contains("changed   input data changed: data from wave.wave"), "{shown}");
    assert!(shown.contains("height: 128 of 128 values differ, max 0.5"), "{shown}");
    // The node whose parameter it was.
    assert_eq!(why(&project, &[&["wave"], &set[..]].concat())["changes"][0], "params.amplitude 1 → 1.5");
    // Going back: the first run had nothing before it.
    assert_eq!(why(&project, &["mean"]).get("changes"), None);
}

#[test]
fn a_node_that_must_run_because_of_its_data_says_so_before() {
    let project = Project::new(
        "
  text: { uses: demo/text, with: { text: \"one\\ntwo\\n\" } }
  bad:  { uses: demo/fail, inputs: { after: text.text } }
  keep: { uses: demo/grep, inputs: { text: text.text }, with: { contains: o } }
",
    );
    project.run(&[]);
    // `keep` of the second run is lost, but what it would read is there.
    let set = ["--set", "text.with.text=\"one\\n2\\n\""];
    project.run(&set);
    let db = rusqlite::Connection::open(project.path(".flow/index.sqlite")).unwrap();
    let key = why(&project, &[&["keep"], &set[..]].concat())["key"].as_str().unwrap().to_owned();
    db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    db.execute("DELETE FROM computations WHERE lower(hex(key)) = ?", [key]).unwrap();
    let found = why(&project, &[&["keep"], &set[..]].concat());
    assert_eq!((&found["state"], &found["certain"]), (&"run".into(), &true.into()));
    assert_eq!(found["data"][0]["differences"][0], "line 2 `two` → `2`");
}

#[test]
fn files_from_outside_are_not_kept_and_that_is_said() {
    let project = Project::new(
        "  lines: { uses: demo/grep, inputs: { text: { path: in.txt } }, with: { contains: a } }\n",
    );
    project.write("in.txt", "a\n");
    project.run(&[]);
    project.write("in.txt", "ab\n");
    let found = why(&project, &["lines"]);
    assert!(found["changes"][0].as_str().unwrap().starts_with("input data changed: text"));
    assert_eq!(found["data"][0]["unknown"], "the store keeps no copy of files from outside");
}

fn diff(project: &Project, args: &[&str]) -> Value {
    let output = project.flow(&[&["diff"], args, &["--format", "json"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn two_runs_are_compared_by_parameters_keys_metrics_and_timings() {
    let project = Project::new("");
    let file = |height: &str, more: &str| {
        project.write(
            "w.yaml",
            &format!(
                "flow: 1\nname: w\nparams: {{ height: {height} }}\nstages:{}{more}",
                STAGES.replace("1.0", "\"${{ params.height }}\"")
            ),
        );
    };
    file("1.0", "");
    project.run(&[]);
    file("2.0", "  more: { uses: demo/text, with: { text: x } }\n");
    project.run(&[]);
    let found = diff(&project, &["w"]);
    assert_eq!(found["params"], serde_json::json!([{ "name": "height", "old": 1.0, "new": 2.0 }]));
    let nodes = found["nodes"].as_array().unwrap();
    let names: Vec<_> = nodes
        .iter()
        .map(|node| (node["node"].as_str().unwrap(), node["presence"].as_str().unwrap()))
        .collect();
    assert_eq!(names, [("wave", "both"), ("mean", "both"), ("more", "new")]);
    assert_eq!((&nodes[0]["changes"][0], &found["same"]), (&"params.amplitude 1 → 2".into(), &1.into()));
    let metrics = nodes[1]["metrics"].as_array().unwrap();
    assert!(metrics.iter().any(|m| m.as_str().unwrap().starts_with("dataset 1.std: 0.70710")), "{metrics:?}");
    assert!(nodes[1]["wall_s"][0].as_f64().is_some() && nodes[2]["wall_s"][0].is_null());

    let runs: Vec<_> = project.store().runs().unwrap().into_iter().map(|run| run.start.id).collect();
    let back = diff(&project, &[&runs[0], &runs[1]]);
    assert_eq!(back["nodes"][2]["presence"], "gone");
    let said = text(&project.flow(&["diff", &runs[1], &runs[0]]).stdout);
    for part in ["height 1.0 → 2.0", "~ wave", "+ more", "1 node the same in both"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let same = text(&project.flow(&["diff", &runs[0], &runs[0]]).stdout);
    assert!(same.contains("the same: 4 nodes"), "{same}");
}

#[test]
fn runs_that_are_not_there_are_said() {
    let project = project();
    let run = project.store().runs().unwrap()[0].start.id.clone();
    for (args, message) in [
        (vec!["diff", "w"], "`w` has been run only once"),
        (vec!["diff", "v"], "`v` is no workflow, run or artifact"),
        (vec!["diff", "w", "v"], "`v` is no workflow, run or artifact"),
        (vec!["diff", &run], "is to be compared with another one"),
    ] {
        let said = project.refused(&args);
        assert!(said.contains(message), "{said}");
    }
}
