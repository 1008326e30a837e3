#![allow(clippy::unwrap_used)]

mod peers;
mod work;

use std::path::{Path, PathBuf};

use flow_plugin::artifact::{Dataset, DatasetWriter, Variable};
use flow_plugin::testing::{Finished, Trial};
use flow_plugin::{Kind, Operation, serde_json::Value};

/// The folder of files that other programs wrote: `make.py` in it says how.
fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files")
}

/// Runs an operation with inputs given as `port`, kind and path.
fn run(
    operation: &impl Operation,
    inputs: &[(&str, Kind, &Path)],
    params: Value,
) -> (tempfile::TempDir, Result<Finished, flow_plugin::Error>) {
    let folder = tempfile::tempdir().unwrap();
    let mut trial = Trial::new(folder.path().join("out")).params(params);
    for (port, kind, path) in inputs {
        trial = trial.input(port, *kind, path);
    }
    let finished = trial.run(operation);
    (folder, finished)
}

/// The dataset that an operation puts out; its folder stays as long as the first of both.
fn dataset(
    operation: &impl Operation,
    inputs: &[(&str, Kind, &Path)],
    params: Value,
    port: &str,
) -> (tempfile::TempDir, Dataset) {
    let (folder, finished) = run(operation, inputs, params);
    let data = Dataset::open(finished.unwrap().output(port)).unwrap();
    (folder, data)
}

fn problem(operation: &impl Operation, inputs: &[(&str, Kind, &Path)], params: Value) -> String {
    run(operation, inputs, params).1.map(|_| ()).unwrap_err().to_string()
}

/// Ten samples of `x` (sample, point), with `group`, `time`, and a mask along `point`.
fn samples(path: &Path) {
    let mut writer = DatasetWriter::create(path).unwrap();
    writer.attribute("title", "Samples");
    let x: Vec<f32> = (0..30).map(|i| i as f32).collect();
    writer.write(&Variable::new::<f32>("x", &["sample", "point"], &[10, 3], "m", "Place"), &x).unwrap();
    let group = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3];
    writer.write(&Variable::new::<i32>("group", &["sample"], &[10], "1", ""), &group).unwrap();
    let time = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0];
    writer.write(&Variable::new::<f64>("time", &["sample"], &[10], "s", "Time"), &time).unwrap();
    writer.write(&Variable::new::<f64>("point", &["point"], &[3], "m", ""), &[0.0, 0.5, 1.0]).unwrap();
    writer.write(&Variable::new::<u8>("mask", &["point"], &[3], "1", ""), &[1_u8, 0, 1]).unwrap();
    writer.finish().unwrap();
}
