#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flow_plugin::artifact::model::{Tensor, read_model, write_model};
use flow_plugin::artifact::{Dataset, DatasetWriter, Variable, metrics::read_metrics, table::Table};
use flow_plugin::protocol::Reply;
use flow_plugin::serde_json::json;
use flow_plugin::testing::{Fingerprint, Trial};
use flow_plugin::{ErrorKind, Kind};

use super::{Predict, Time, Train};

/// Twelve samples: the target is the input's running mean along the columns, at two "times".
fn data(path: &Path) {
    let (samples, rows, columns) = (12, 6, 8);
    let cells = rows * columns;
    let wave = |s: usize, cell: usize| {
        ((s * 7 + 3) as f32 * 0.1 * (cell % columns) as f32 + (s * cell / columns) as f32).sin()
    };
    let x: Vec<f32> = (0..samples * cells).map(|i| wave(i / cells, i % cells)).collect();
    let mut y = Vec::new();
    for s in 0..samples {
        for time in 1..=2 {
            y.extend((0..cells).map(|cell| {
                let next = cell / columns * columns + (cell + 1) % columns;
                time as f32 * (wave(s, cell) + wave(s, next))
            }));
        }
    }
    let mask: Vec<u8> = (0..samples * cells).map(|i| u8::from(i % cells < cells - columns)).collect();
    let mut writer = DatasetWriter::create(path).unwrap();
    let mut write = |name: &str, dims: &[&str], shape: &[usize], values: &[f32]| {
        writer.write(&Variable::new::<f32>(name, dims, shape, "1", name), values).unwrap();
    };
    write("x", &["sample", "channel", "z", "r"], &[samples, 1, rows, columns], &x);
    write("y", &["sample", "time", "z", "r"], &[samples, 2, rows, columns], &y);
    let split: Vec<u8> = (0..samples).map(|s| [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2][s]).collect();
    let ids: Vec<i64> = (0..samples as i64).map(|s| 100 + s).collect();
    let r: Vec<f64> = (0..columns).map(|j| 1.5f64.powi(j as i32)).collect();
    writer.write(&Variable::new::<u8>("split", &["sample"], &[samples], "1", "part"), &split).unwrap();
    writer.write(&Variable::new::<i64>("sample", &["sample"], &[samples], "1", "number"), &ids).unwrap();
    writer.write(&Variable::new::<f64>("r", &["r"], &[columns], "m", "radius"), &r).unwrap();
    let variable = Variable::new::<u8>("mask", &["sample", "z", "r"], &[samples, rows, columns], "1", "mask");
    writer.write(&variable, &mask).unwrap();
    writer.finish().unwrap();
}

fn params() -> flow_plugin::serde_json::Value {
    json!({
        "model": { "n_modes": [4, 4], "hidden_channels": 6, "n_layers": 2, "projection_channel_ratio": 2 },
        "epochs": 3,
        "batch_size": 3,
    })
}

#[test]
fn a_network_is_trained_stored_applied_and_timed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    data(&at("data"));
    let train = |name: &str| {
        Trial::new(at(name))
            .input("data", Kind::Dataset, at("data"))
            .params(params())
            .seed(3)
            .run(&Train)
            .unwrap()
    };
    let (one, two) = (train("one"), train("two"));
    for file in ["model/model.safetensors", "model/config.json", "history", "metrics"] {
        let read = |name: &str| std::fs::read(at(name).join(file)).unwrap();
        assert_eq!(read("one"), read("two"), "{file}");
    }
    let history = Table::read(one.output("history")).unwrap();
    assert_eq!(history.rows(), 3);
    let metrics = read_metrics(two.output("metrics")).unwrap();
    assert!(metrics["validation_error"].as_f64().unwrap() < 2.0);

    let predicted = Trial::new(at("predicted"))
        .input("model", Kind::Model, one.output("model"))
        .input("data", Kind::Dataset, at("data"))
        .params(json!({ "split": "test", "batch_size": 1 }))
        .run(&Predict)
        .unwrap();
    let dataset = Dataset::open(predicted.output("prediction")).unwrap();
    assert_eq!(dataset.attributes()["target"], "y");
    assert_eq!(dataset.read::<i64>("sample").unwrap(), [110, 111]);
    assert_eq!(dataset.variable("prediction").unwrap().dims, ["sample", "time", "z", "r"]);
    assert_eq!(dataset.variable("prediction").unwrap().shape, [2, 2, 6, 8]);
    let values = dataset.read::<f32>("prediction").unwrap();
    assert!(values[..40].iter().all(|v| *v != 0.0) && values[40..48].iter().all(|v| *v == 0.0));
    assert_eq!(dataset.read::<f64>("r").unwrap().len(), 8);

    let timed = Trial::new(at("timed"))
        .input("model", Kind::Model, one.output("model"))
        .input("data", Kind::Dataset, at("data"))
        .params(json!({ "repetitions": 2, "batch_size": 2 }))
        .run(&Time)
        .unwrap();
    assert!(read_metrics(timed.output("metrics")).unwrap()["seconds_per_sample"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_cancelled_training_leaves_a_checkpoint_and_goes_on_to_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    data(&at("data"));
    let trial = |name: &str| Trial::new(at(name)).input("data", Kind::Dataset, at("data")).params(params());
    trial("whole").run(&Train).unwrap();
    let stop = Arc::new(AtomicBool::new(true));
    let cancelled = trial("cancelled").checkpoints(at("checkpoints")).cancelled_by(stop).run(&Train);
    assert_eq!(cancelled.err().unwrap().kind, ErrorKind::Cancelled);
    trial("resumed").checkpoints(at("checkpoints")).run(&Train).unwrap();
    let model = |name: &str| std::fs::read(at(name).join("model/model.safetensors")).unwrap();
    assert_eq!(model("whole"), model("resumed"));
}

#[test]
fn a_longer_training_goes_on_from_a_shorter_one_to_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    data(&at("data"));
    let trial = |name: &str, epochs: usize| {
        let mut params = params();
        params["epochs"] = json!(epochs);
        params["schedule"] = json!("constant");
        Trial::new(at(name)).input("data", Kind::Dataset, at("data")).params(params)
    };
    trial("whole", 8).run(&Train).unwrap();
    trial("short", 4).checkpoints(at("state")).keep_state().run(&Train).unwrap();
    let long = trial("long", 8).continue_from(at("state")).run(&Train).unwrap();
    let resumed = |reply: &Reply| matches!(reply, Reply::Resumed { shorter: true, step: 12, .. });
    assert!(long.replies.iter().any(resumed), "4 epochs of 3 steps are behind it");
    for file in ["model/model.safetensors", "model/config.json", "history", "metrics"] {
        let read = |name: &str| std::fs::read(at(name).join(file)).unwrap();
        assert_eq!(read("whole"), read("long"), "{file}");
    }
    // A damaged state: all of it again, and a note.
    let state = std::fs::read_dir(at("state")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(state, "damaged").unwrap();
    let afresh = trial("afresh", 8).continue_from(at("state")).run(&Train).unwrap();
    assert!(!afresh.replies.iter().any(resumed));
    let noted =
        |reply: &Reply| matches!(reply, Reply::Log { message, .. } if message.contains("starts afresh"));
    assert!(afresh.replies.iter().any(noted));
    let model = |name: &str| std::fs::read(at(name).join("model/model.safetensors")).unwrap();
    assert_eq!(model("whole"), model("afresh"));
}

#[test]
fn wrong_variables_and_grids_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    data(&at("data"));
    let train = |name: &str, params| {
        let trial = Trial::new(at(name)).input("data", Kind::Dataset, at("data")).params(params);
        trial.run(&Train).err().unwrap().to_string()
    };
    let error = train("a", json!({ "target": "z" }));
    assert!(error.contains("`z`"), "{error}");
    let error = train("b", json!({ "target": "r" }));
    assert!(error.contains("(sample, channel, row, column)"), "{error}");
    let error = train("c", json!({ "learning_rate": -1.0 }));
    assert!(error.contains("learning_rate"), "{error}");
    let error = train("d", json!({ "model": { "n_modes": [64, 64] } }));
    assert!(error.contains("n_modes"), "{error}");
}

/// Results of an operation must not change without its version. Training multiplies what rounding differs between
/// instruction sets, so few epochs and 1e-3; a change of the method shows as more.
#[test]
fn results_are_those_stored_with_the_version() {
    const STORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/operations/stored");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    data(&at("data"));
    let trained = Trial::new(at("trained"))
        .input("data", Kind::Dataset, at("data"))
        .params(params())
        .seed(3)
        .run(&Train)
        .unwrap();
    let mut found = Fingerprint::default();
    found.model(trained.output("model"));
    found.metrics(trained.output("metrics"));
    found.compare(&Train, 1e-3, STORED);

    // A network made by a formula, so that a change of training is not one of prediction.
    let mut model = read_model(trained.output("model")).unwrap();
    for tensor in &mut model.tensors {
        let count: usize = tensor.shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| 0.3 * (i as f32 * 0.7).sin()).collect();
        *tensor = Tensor::new(tensor.name.clone(), &tensor.shape, &values).unwrap();
    }
    write_model(at("formula"), &model.tensors, &model.config).unwrap();
    let predicted = Trial::new(at("predicted"))
        .input("model", Kind::Model, at("formula"))
        .input("data", Kind::Dataset, at("data"))
        .run(&Predict)
        .unwrap();
    let mut found = Fingerprint::default();
    found.dataset(predicted.output("prediction"));
    found.compare(&Predict, 1e-4, STORED);
}
