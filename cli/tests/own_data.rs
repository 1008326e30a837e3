//! The example of users' own data.
#![cfg(feature = "data")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::path::Path;

use common::Project;
use serde_json::Value;

/// Copies the example beside its data into a project.
fn example() -> Project {
    let project = Project::new("");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows");
    let read = |name: &str| std::fs::read_to_string(from.join(name)).unwrap();
    project.write("w.yaml", &read("own_data.yaml"));
    std::fs::create_dir_all(project.path("data")).unwrap();
    project.write("data/stations.csv", &read("data/stations.csv"));
    project
}

#[test]
fn a_table_is_read_split_scaled_and_written() {
    let project = example();
    let run = project.run(&[]);
    assert_eq!(run.counts(), [6, 0, 0, 0], "{:?}", run.last());
    let metrics = |node, port| serde_json::from_str::<Value>(&project.output(node, port)).unwrap();
    let counts = metrics("split", "counts");
    assert_eq!((counts["train"].as_f64(), counts["test"].as_f64()), (Some(80.0), Some(40.0)));
    let scaled = metrics("scale", "statistics");
    assert_eq!((&scaled["temperature"]["units"], &scaled["rain"]["units"]), (&"K".into(), &"mm".into()));
    assert_eq!(project.run(&[]).counts()[1], 6);
}

#[test]
fn a_value_that_cannot_be_stops_the_run_with_its_place() {
    let project = example();
    let table = std::fs::read_to_string(project.path("data/stations.csv")).unwrap();
    project.write("data/stations.csv", &table.replacen("2,5,", "2,5,-999", 1));
    let run = project.run(&[]);
    let problem = format!("{:?}", run.node("read"));
    assert!(problem.contains("`temperature`") && problem.contains("at [45]"), "{problem}");
    assert!(problem.contains("expected are values from 250 to 320"), "{problem}");
}

#[test]
fn one_node_reads_each_file_and_a_collection_joins_them() {
    let project = Project::new(
        "
  read:
    uses: data/read
    matrix: { part: { files: \"parts/*.csv\" } }
    inputs: { file: { path: \"${{ matrix.part.path }}\" } }
  all: { uses: data/concat, inputs: { data: [read.data] }, with: { dim: row } }
  text: { uses: data/write, inputs: { data: all.data }, with: { format: csv }, publish: { file: all.csv } }
",
    );
    std::fs::create_dir_all(project.path("parts")).unwrap();
    project.write("parts/a.csv", "n,x\n1,0.5\n2,1.5\n");
    project.write("parts/b.csv", "n,x\n3,2.5\n");
    let run = project.run(&[]);
    assert_eq!(run.counts()[0], 4, "{:?}", run.last());
    assert_eq!(std::fs::read_to_string(project.path("all.csv")).unwrap(), "n,x\n1,0.5\n2,1.5\n3,2.5\n");
    project.write("parts/c.csv", "n,x\n4,3.5\n");
    assert_eq!(project.run(&[]).counts()[..2], [3, 2]);
}
