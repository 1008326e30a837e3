//! Datasets come back as they were written, and say so when they cannot.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::{Error, Kind, digest};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn arrays() -> impl Strategy<Value = (Vec<usize>, Vec<f32>)> {
    prop::collection::vec(0_usize..5, 0..4).prop_flat_map(|shape| {
        let len = shape.iter().product::<usize>();
        (Just(shape), prop::collection::vec(any::<f32>(), len))
    })
}

fn names(shape: &[usize]) -> Vec<&'static str> {
    ["a", "b", "c", "d"][..shape.len()].to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read((shape, values) in arrays(), chunk in 1_usize..64) {
        let folder = Folder::new();
        let path = folder.path("d");
        let variable = Variable::new::<f32>("x", &names(&shape), &shape, "m/s", "A speed");
        let mut writer = DatasetWriter::create(&path).unwrap().chunk_bytes(chunk);
        writer.attribute("b", 1).attribute("a", "text");
        writer.write(&variable, &values).unwrap();
        writer.finish().unwrap();
        let dataset = Dataset::open(&path).unwrap();
        prop_assert_eq!(dataset.variables(), std::slice::from_ref(&variable));
        let read = dataset.read::<f32>("x").unwrap();
        let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read), bits(&values));
        // Any range of rows is the corresponding part.
        let (rows, row) = (variable.rows(), variable.row_len());
        for start in 0..=rows {
            for end in start..=rows {
                let part = dataset.read_rows::<f32>("x", start..end).unwrap();
                prop_assert_eq!(bits(&part), bits(&values[start * row..end * row]));
            }
        }
    }

    #[test]
    fn the_digest_does_not_depend_on_chunks_or_on_how_rows_came(
        (shape, values) in arrays(), chunk in 1_usize..64, step in 1_usize..4,
    ) {
        let folder = Folder::new();
        let variable = Variable::new::<f32>("x", &names(&shape), &shape, "m", "");
        let mut whole = DatasetWriter::create(folder.path("whole")).unwrap();
        whole.write(&variable, &values).unwrap();
        whole.finish().unwrap();
        let mut pieces = DatasetWriter::create(folder.path("pieces")).unwrap().chunk_bytes(chunk);
        let row = variable.row_len();
        if shape.is_empty() || row == 0 {
            pieces.write(&variable, &values).unwrap();
        } else {
            let mut stream = pieces.stream::<f32>(&variable).unwrap();
            for rows in values.chunks(step * row) {
                pieces.append(&mut stream, rows).unwrap();
            }
        }
        pieces.finish().unwrap();
        let a = digest::of(Kind::Dataset, &folder.path("whole")).unwrap();
        let b = digest::of(Kind::Dataset, &folder.path("pieces")).unwrap();
        prop_assert_eq!(a.digest, b.digest);
    }
}

fn write(path: &std::path::Path, variables: &[(Variable, Vec<f64>)]) -> crate::Result<()> {
    let mut writer = DatasetWriter::create(path)?;
    for (variable, values) in variables {
        writer.write(variable, values)?;
    }
    writer.finish()
}

fn line(name: &str, n: usize, units: &str) -> (Variable, Vec<f64>) {
    (Variable::new::<f64>(name, &["x"], &[n], units, ""), (0..n).map(|i| i as f64).collect())
}

#[test]
fn the_digest_covers_names_units_shape_and_values() {
    let folder = Folder::new();
    let mut shifted = line("a", 3, "m");
    shifted.1[1] += 1.0;
    let mut other_dim = line("a", 3, "m");
    other_dim.0.dims = vec!["y".into()];
    let mut labelled = line("a", 3, "m");
    labelled.0.long_name = "Another label".into();
    let cases =
        [line("a", 3, "m"), line("b", 3, "m"), line("a", 2, "m"), line("a", 3, "s"), shifted, other_dim];
    let mut digests: Vec<_> = cases
        .into_iter()
        .enumerate()
        .map(|(i, case)| {
            let path = folder.path(&i.to_string());
            write(&path, &[case]).unwrap();
            digest::of(Kind::Dataset, &path).unwrap().digest
        })
        .collect();
    let first = digests[0];
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 6);
    write(&folder.path("labelled"), &[labelled]).unwrap();
    assert_eq!(digest::of(Kind::Dataset, &folder.path("labelled")).unwrap().digest, first);
}

#[test]
fn the_bytes_do_not_depend_on_the_order_of_writing() {
    let folder = Folder::new();
    write(&folder.path("1"), &[line("b", 3, "m"), line("a", 3, "m")]).unwrap();
    write(&folder.path("2"), &[line("a", 3, "m"), line("b", 3, "m")]).unwrap();
    let files = |name: &str| digest::of(Kind::Dataset, &folder.path(name)).unwrap().files;
    assert_eq!(files("1"), files("2"));
}

#[test]
fn chunks_end_with_a_page_where_they_can() {
    let folder = Folder::new();
    let sizes = |row: usize, rows: usize| {
        let (whole, stream) = (folder.path(&format!("w{row}")), folder.path(&format!("s{row}")));
        let variable = Variable::new::<f32>("x", &["a", "b"], &[rows, row], "1", "");
        let values = vec![1.0_f32; rows * row];
        let mut writer = DatasetWriter::create(&whole).unwrap().chunk_bytes(50_000);
        writer.write(&variable, &values).unwrap();
        writer.finish().unwrap();
        let mut writer = DatasetWriter::create(&stream).unwrap().chunk_bytes(50_000);
        let mut rows = writer.stream::<f32>(&variable).unwrap();
        writer.append(&mut rows, &values).unwrap();
        writer.finish().unwrap();
        [whole, stream].map(|path| fs::metadata(path.join("x/c.0.0")).unwrap().len())
    };
    assert_eq!(sizes(3, 10_000), [48 << 10; 2], "three pages of 16 KiB");
    assert_eq!(sizes(512, 100), [48 << 10; 2], "eight rows are a page of 16 KiB");
    assert_eq!(sizes(1001, 30), [10 * 1001 * 4, 12 * 1001 * 4], "no number of rows fits");
    assert_eq!(sizes(7, 100), [2800; 2], "all in one");
}

#[test]
fn mistakes_are_named() {
    let folder = Folder::new();
    write(&folder.path("d"), &[line("a", 3, "m")]).unwrap();
    let dataset = Dataset::open(folder.path("d")).unwrap();
    let text = |error: Error| error.to_string();
    assert_eq!(text(dataset.read::<f32>("a").unwrap_err()), "variable `a` has elements of type f64, not f32");
    assert!(text(dataset.read::<f32>("b").unwrap_err()).ends_with("has no variable `b`; it has `a`"));
    assert!(text(dataset.read_rows::<f64>("a", 2..4).unwrap_err()).contains("which has 3"));
    let clash = write(&folder.path("e"), &[line("a", 3, "m"), line("b", 4, "m")]).unwrap_err();
    assert!(text(clash).contains("dimension `x` with length 3 in variable `a` but 4 in `b`"));
    let twice = write(&folder.path("f"), &[line("a", 3, "m"), line("a", 3, "m")]).unwrap_err();
    assert!(text(twice).contains("written twice"));
    let outside = write(&folder.path("g"), &[line("../a", 3, "m")]).unwrap_err();
    assert!(text(outside).contains("names consist of"));
    let mut short = line("a", 3, "m");
    short.1.pop();
    assert!(text(write(&folder.path("h"), &[short]).unwrap_err()).contains("but 2 values were given"));
}

#[test]
fn a_damaged_or_unfinished_dataset_is_refused() {
    let folder = Folder::new();
    let path = folder.path("d");
    write(&path, &[line("a", 3, "m")]).unwrap();
    fs::write(path.join("a/c.0"), [0; 23]).unwrap();
    let error = digest::of(Kind::Dataset, &path).unwrap_err().to_string();
    assert!(error.contains("has 23 bytes instead of 24"), "{error}");
    fs::remove_file(path.join("a/c.0")).unwrap();
    assert!(digest::of(Kind::Dataset, &path).is_err());
    fs::remove_file(path.join("zarr.json")).unwrap();
    assert!(Dataset::open(&path).unwrap_err().to_string().contains("is not a dataset"));
    assert!(Dataset::open(folder.path("missing")).unwrap_err().to_string().starts_with("cannot read"));
}

#[test]
fn statistics_leave_out_what_is_not_finite() {
    let folder = Folder::new();
    let variable = Variable::new::<f64>("a", &["x"], &[5], "m", "");
    let values = vec![1.0, 2.0, f64::NAN, 3.0, f64::INFINITY];
    write(&folder.path("d"), &[(variable, values)]).unwrap();
    let found = Dataset::open(folder.path("d")).unwrap().statistics("a").unwrap();
    assert_eq!((found.min, found.mean, found.max, found.non_finite), (1.0, 2.0, 3.0, 2));
    assert!((found.std - (2.0_f64 / 3.0).sqrt()).abs() < 1e-15);
}
