//! Each kind comes back as it was written; what is not of the kind is refused; digests see content only.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::figure::{FigureWriter, Figures};
use crate::metrics::{number, read_metrics, write_metrics};
use crate::model::{Tensor, read_model, write_model};
use crate::table::{Column, Table};
use crate::{Digest, Kind, digest};

fn digest_of(kind: Kind, path: &Path) -> Digest {
    digest::of(kind, path).unwrap().digest
}

fn refusal(kind: Kind, path: &Path) -> String {
    digest::of(kind, path).unwrap_err().to_string()
}

#[test]
fn metrics_keep_numbers_that_are_not_finite() {
    #[derive(serde::Serialize)]
    struct Metrics {
        r2: f64,
        losses: Vec<f32>,
        by_case: BTreeMap<u32, f64>,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    let losses = vec![1.5, f32::NEG_INFINITY];
    write_metrics(&path, &Metrics { r2: f64::NAN, losses, by_case: [(7, f64::INFINITY)].into() }).unwrap();
    let read = read_metrics(&path).unwrap();
    assert!(number(&read["r2"]).unwrap().is_nan());
    assert_eq!(number(&read["losses"][0]), Some(1.5));
    assert_eq!(number(&read["losses"][1]), Some(f64::NEG_INFINITY));
    assert_eq!(number(&read["by_case"]["7"]), Some(f64::INFINITY));
    assert!(write_metrics(&path, &3.0).unwrap_err().to_string().contains("not a JSON object"));
    write_metrics(&path, &json!({ "a": [null], "b": 2 })).unwrap();
    let read = read_metrics(&path).unwrap();
    assert_eq!((number(&read["a"][0]), number(&read["b"])), (None, Some(2.0)));
}

#[test]
fn the_digest_of_metrics_ignores_how_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    fs::write(&a, r#"{"x": 1.5, "y": {"p": 2, "q": 3}}"#).unwrap();
    fs::write(&b, "{\"y\":{\"q\":3,\"p\":2},\n\"x\":1.5}").unwrap();
    fs::write(&c, r#"{"x": 1.5, "y": {"p": 2, "q": 4}}"#).unwrap();
    assert_eq!(digest_of(Kind::Metrics, &a), digest_of(Kind::Metrics, &b));
    assert_ne!(digest_of(Kind::Metrics, &a), digest_of(Kind::Metrics, &c));
    assert_ne!(digest_of(Kind::Metrics, &a), digest_of(Kind::File, &a));
    fs::write(&c, "[1]").unwrap();
    assert!(refusal(Kind::Metrics, &c).contains("not a JSON object"));
}

#[test]
fn models_come_back_and_do_not_depend_on_order() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = [
        Tensor::new::<f32>("b.weight", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap(),
        Tensor::new::<i64>("a.steps", &[], &[7]).unwrap(),
    ];
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    write_model(&one, &tensors, &json!({ "width": 32, "modes": [4, 8] })).unwrap();
    let reversed = [tensors[1].clone(), tensors[0].clone()];
    write_model(&two, &reversed, &json!({ "modes": [4, 8], "width": 32 })).unwrap();
    assert_eq!(digest::of(Kind::Model, &one).unwrap(), digest::of(Kind::Model, &two).unwrap());
    let model = read_model(&one).unwrap();
    assert_eq!(model.config["width"], 32);
    assert_eq!(model.tensor("b.weight").unwrap(), &tensors[0]);
    assert_eq!(model.tensor("a.steps").unwrap().values::<i64>().unwrap(), [7]);
    assert!(model.tensor("a.steps").unwrap().values::<f32>().is_err());
    assert!(Tensor::new::<f32>("x", &[2], &[1.0]).is_err());
    let weights = fs::read(one.join("model.safetensors")).unwrap();
    fs::write(one.join("model.safetensors"), &weights[..weights.len() - 1]).unwrap();
    assert!(refusal(Kind::Model, &one).contains("is damaged"));
}

#[test]
fn tables_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    let table = Table::new()
        .with("case", vec![3_i64, -1])
        .with("error", vec![0.1, f64::INFINITY])
        .with("what, exactly", vec!["a \"b\"", "ü"])
        .with("failed", vec![true, false]);
    table.write(&one).unwrap();
    table.write(&two).unwrap();
    assert_eq!(Table::read(&one).unwrap(), table);
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
    assert_eq!(
        table.to_csv(),
        "case,error,\"what, exactly\",failed\n3,0.1,\"a \"\"b\"\"\",true\n-1,inf,ü,false\n"
    );
    digest_of(Kind::Table, &one);
    let empty = Table::new().with("x", Column::Float(vec![]));
    empty.write(&two).unwrap();
    assert_eq!(Table::read(&two).unwrap(), empty);
    let uneven = Table::new().with("a", vec![1_i64]).with("b", vec![1.0, 2.0]);
    assert!(uneven.write(&two).unwrap_err().to_string().contains("has 2 rows"));
    fs::write(&two, "a,b\n1,2\n").unwrap();
    assert!(refusal(Kind::Table, &two).contains("is not a table"));
}

#[test]
fn figures_keep_order_and_captions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let mut writer = FigureWriter::create(&path).unwrap();
    writer.add("z", "The first", "<svg/>", b"png").unwrap();
    writer.add("a", "The second", "<svg/>", b"png").unwrap();
    assert!(writer.add("a", "", "<svg/>", b"png").is_err());
    assert!(writer.add("../a", "", "<svg/>", b"png").is_err());
    writer.finish().unwrap();
    let names: Vec<_> = Figures::open(&path)
        .unwrap()
        .pictures()
        .iter()
        .map(|p| (p.name.clone(), p.caption.clone()))
        .collect();
    assert_eq!(names, [("z".into(), "The first".into()), ("a".into(), "The second".to_owned())]);
    assert_eq!(digest::of(Kind::Figure, &path).unwrap().files.len(), 5);
    fs::remove_file(path.join("index.json")).unwrap();
    assert_eq!(Figures::open(&path).unwrap().pictures()[0].name, "a");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(refusal(Kind::Figure, &empty).contains("holds no pictures"));
}

#[test]
fn a_folder_is_its_paths_and_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    fs::create_dir_all(path.join("sub")).unwrap();
    fs::write(path.join("sub/a"), "1").unwrap();
    fs::write(path.join("b"), "2").unwrap();
    let first = digest::of(Kind::Folder, &path).unwrap();
    let names: Vec<_> = first.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!((names, first.bytes), (vec!["b", "sub/a"], 2));
    assert_eq!(first.files[0].hash, Digest::of(b"2"));
    fs::rename(path.join("b"), path.join("c")).unwrap();
    assert_ne!(digest_of(Kind::Folder, &path), first.digest);
    std::os::unix::fs::symlink("c", path.join("d")).unwrap();
    assert!(refusal(Kind::Folder, &path).contains("cannot hold links"));
}

#[test]
fn a_file_is_its_bytes_whatever_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    for len in [0, 1, 300_000, 5_000_000] {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        assert_eq!(digest_of(Kind::File, &path), Digest::of(&bytes));
    }
    assert!(refusal(Kind::File, folder.path()).contains("is a folder"));
}
