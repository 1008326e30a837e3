use flow_plugin::Kind;
use flow_plugin::artifact::figure::Figures;
use flow_plugin::artifact::metrics::{number, read_metrics};
use flow_plugin::artifact::table::{Column, Table};
use flow_plugin::artifact::{DatasetWriter, Variable};
use flow_plugin::serde_json::Map;

use super::*;

/// Writes predictions of the test samples: the truth, changed.
fn predict(folder: &Path, encoded: &Dataset, target: &str, change: impl Fn(f32) -> f32) {
    let split: Vec<u8> = encoded.read("split").unwrap();
    let ids: Vec<i64> = encoded.read("sample").unwrap();
    let test: Vec<usize> = (0..ids.len()).filter(|at| split[*at] == 2).collect();
    let shape = encoded.variable(target).unwrap().shape.clone();
    let mut writer = DatasetWriter::create(folder).unwrap();
    writer.attribute("target", target);
    let kept: Vec<i64> = test.iter().map(|at| ids[*at]).collect();
    writer.write(&Variable::new::<i64>("sample", &["sample"], &[test.len()], "1", ""), &kept).unwrap();
    let values = test.iter().flat_map(|at| encoded.read_rows::<f32>(target, *at..at + 1).unwrap());
    let values: Vec<f32> = values.map(change).collect();
    let dims = ["sample", "time", "z", "r"];
    let shape = [test.len(), shape[1], shape[2], shape[3]];
    writer.write(&Variable::new::<f32>("prediction", &dims, &shape, "1", ""), &values).unwrap();
    writer.finish().unwrap();
}

#[test]
fn predictions_are_scored_beside_the_trivial_ones() {
    let prepared = Prepared::new(16, 4);
    let path = |name: &str| prepared.path(name);
    let trial = |name: &str| prepared.trial(name);
    let samples = Dataset::open(prepared.encoded.output("encoded")).unwrap();
    predict(&path("s1"), &samples, "saturation", |s| s + if s > 0.0 { 0.02 } else { 0.0 });
    predict(&path("s2"), &samples, "saturation", |s| s - if s > 0.0 { 0.02 } else { 0.0 });
    predict(&path("p1"), &samples, "pressure", |p| 1.1 * p);
    let done = trial("evaluate")
        .input("predictions", Kind::Dataset, path("s1"))
        .input("predictions", Kind::Dataset, path("s2"))
        .input("predictions", Kind::Dataset, path("p1"))
        .run(&Evaluate)
        .unwrap();

    let metrics = read_metrics(done.output("metrics")).unwrap();
    let value = |group: &str, name: &str| {
        let group: &Map<_, _> = metrics[group].as_object().unwrap();
        number(&group[name]).unwrap()
    };
    assert_eq!(number(&metrics["test_cases"]), Some(4.0));
    // Saturations were moved by 0.02 where there is gas, less where clipping held them.
    let mpe = value("surrogate", "saturation_plume_mpe");
    assert!((0.015..=0.0201).contains(&mpe), "{mpe}");
    assert!(value("surrogate", "saturation_r2") > 0.95);
    // The two errors cancel in the mean, except where clipped.
    let both = value("ensemble_mean", "saturation_plume_mpe");
    assert!(both < 0.6 * mpe, "{both} {mpe}");
    assert!((value("surrogate", "pressure_relative_l2") - 0.1).abs() < 1e-5);
    assert!((value("surrogate", "pressure_peak_error") - 0.1).abs() < 1e-5);
    for name in ["training_mean", "nearest_case"] {
        assert!(value(name, "saturation_plume_mpe") > 2.0 * mpe);
        assert!(value(name, "pressure_relative_l2") > 0.2);
    }
    let scores = Table::read(done.output("scores")).unwrap();
    assert_eq!(scores.rows(), 2 + 3 + 3, "mean, half range, three seeds, three others");
    let cases = Table::read(done.output("cases")).unwrap();
    let Some(Column::Float(errors)) = cases.column("saturation_plume_mpe") else { panic!("no errors") };
    assert!(errors.len() == 4 && errors.is_sorted_by(|a, b| a >= b));
    let figures = Figures::open(done.output("figures")).unwrap();
    assert!(figures.pictures().iter().any(|picture| picture.name == "saturation_worst"));
    assert!(figures.pictures().len() >= 6);
}

#[test]
fn predictions_of_an_unknown_field_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut writer = DatasetWriter::create(path("p")).unwrap();
    writer.attribute("target", "temperature");
    writer.finish().unwrap();
    let error = Trial::new(path("evaluate")).input("predictions", Kind::Dataset, path("p")).run(&Evaluate);
    let text = error.err().unwrap().to_string();
    assert_eq!(text, "prediction 1 says `temperature`: saturation or pressure?");
}
