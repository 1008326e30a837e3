//! The example of users' own data.
#![cfg(feature = "data")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::path::Path;

use common::Project;
use flow_artifact::Dataset;
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
fn the_report_shows_every_variable() {
    let project = example();
    let run = project.run(&[]);
    let path = run.events.iter().find(|event| event["event"] == "report_written").unwrap()["path"].clone();
    let html = std::fs::read_to_string(project.path(path.as_str().unwrap())).unwrap();
    let figures = html.split("describe.figures").nth(1).unwrap();
    let pictures = figures.matches("<img ").count();
    assert!(pictures >= 4, "{pictures} pictures for station, day, temperature and rain");
    for caption in ["Air temperature at noon, K", "rain, mm", "day, d", "station"] {
        assert!(figures.contains(caption), "{caption}");
    }
}

#[test]
fn what_is_scaled_is_scaled_back() {
    let project = Project::new(
        "
  read: { uses: data/read, inputs: { file: { path: x.csv } }, with: { variables: {
    x: { units: m }, y: { units: degC, dtype: f32 }, n: { dtype: i32 } } } }
  scale:
    uses: data/normalize
    matrix: { method: [standard, range] }
    inputs: { data: read.data }
    with: { method: \"${{ matrix.method }}\" }
  back:
    uses: data/normalize
    inputs: { data: scale.data, statistics: scale.statistics }
    with: { inverse: true }
",
    );
    // One value is missing; a constant has no deviation to divide by.
    let row = |i: i32| match i {
        7 => ",-3.25,7".to_owned(),
        _ => format!("{},-3.25,{i}", f64::from(i * i) / 3.0 - 20.0),
    };
    let rows: Vec<String> = (0..50).map(row).collect();
    project.write("x.csv", &format!("x,y,n\n{}\n", rows.join("\n")));
    let run = project.run(&[]);
    assert_eq!(run.counts()[0], 5, "{:?}", run.last());
    let open = |node: &str| {
        let store = project.store();
        let nodes = store.nodes(&store.runs().unwrap()[0].start.id).unwrap();
        let node = nodes.iter().find(|n| n.name == node).unwrap();
        let digest = node.outputs.iter().find(|output| output.port == "data").unwrap().digest;
        Dataset::open(store.artifact_path(&digest).unwrap()).unwrap()
    };
    let read = open("read");
    for method in ["standard", "range"] {
        let scaled = open(&format!("scale[method={method}]")).statistics("x").unwrap();
        let (low, high) =
            if method == "range" { (scaled.min, scaled.max) } else { (scaled.mean, scaled.std) };
        assert!(low.abs() < 1e-12 && (high - 1.0).abs() < 1e-12, "{scaled:?}");
        let back = open(&format!("back[method={method}]"));
        assert_eq!(back.variables(), read.variables());
        assert_eq!(back.read::<i32>("n").unwrap(), read.read::<i32>("n").unwrap());
        assert_eq!(back.read::<f32>("y").unwrap(), read.read::<f32>("y").unwrap());
        let pairs: Vec<(f64, f64)> =
            back.read::<f64>("x").unwrap().into_iter().zip(read.read::<f64>("x").unwrap()).collect();
        assert!(pairs[7].0.is_nan() && pairs[7].1.is_nan());
        for (found, expected) in pairs.into_iter().filter(|(_, expected)| !expected.is_nan()) {
            assert!((found - expected).abs() <= 4.0 * f64::EPSILON * 800.0, "{method}: {found} {expected}");
        }
    }
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
