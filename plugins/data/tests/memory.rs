//! Data larger than memory: what is held at once is counted by the allocator.

#![allow(clippy::unwrap_used)]

mod counting;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use counting::{alone, most_held};

use flow_data::cut::{Part, Places, cut};
use flow_data::normalize::{Method, apply, fit};
use flow_data::read::read;
use flow_data::split::{By, split};
use flow_plugin::artifact::Dataset;
use flow_plugin::artifact::export::{write_columns_parquet, write_netcdf};

/// An `.npy` file of samples with 2048 numbers, written without holding it.
fn write_samples(path: &Path, samples: usize) {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({samples}, 2048), }}\n");
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    for sample in 0..samples {
        let row: Vec<u8> = (0..2048).flat_map(|at| ((sample + at) as f32).to_le_bytes()).collect();
        file.write_all(&row).unwrap();
    }
    file.flush().unwrap();
}

/// Read, split, scale: each step's input is removed when it is not needed any more. The most bytes held, by step.
fn pass(folder: &Path, samples: usize) -> Vec<(&'static str, usize, f64)> {
    let mut steps = Vec::new();
    let mut step = |name: &'static str, work: &mut dyn FnMut()| {
        let start = Instant::now();
        let most = most_held(work);
        steps.push((name, most, start.elapsed().as_secs_f64()));
    };
    let path = |name: &str| folder.join(name);
    write_samples(&path("data.npy"), samples);
    let dims = BTreeMap::from([("data_0".to_owned(), "sample".to_owned())]);
    step("read", &mut || {
        read(&path("data.npy"), None, &dims, &path("read"), &mut |_, _| Ok(())).unwrap();
    });
    std::fs::remove_file(path("data.npy")).unwrap();
    step("split", &mut || {
        let data = Dataset::open(path("read")).unwrap();
        let places = split(&data, "sample", &[0.9, 0.1], By::Chance(7)).unwrap();
        let targets = [path("train"), path("test")];
        let parts: Vec<Part<'_>> = places
            .into_iter()
            .zip(&targets)
            .map(|(places, to)| Part { places: Places(BTreeMap::from([("sample".to_owned(), places)])), to })
            .collect();
        cut(&data, data.variables(), &parts, &mut |_| Ok(())).unwrap();
    });
    std::fs::remove_dir_all(path("read")).unwrap();
    step("normalize", &mut || {
        let data = Dataset::open(path("train")).unwrap();
        let scalings = fit(&data, &["data".to_owned()], Method::Standard, &mut |_| Ok(())).unwrap();
        apply(&data, &scalings, false, &path("scaled"), &mut |_| Ok(())).unwrap();
    });
    std::fs::remove_dir_all(path("train")).unwrap();
    step("netcdf", &mut || write_netcdf(&Dataset::open(path("test")).unwrap(), &path("test.nc")).unwrap());
    let scaled = Dataset::open(path("scaled")).unwrap().statistics("data").unwrap();
    assert!(scaled.mean.abs() < 1e-3 && (scaled.std - 1.0).abs() < 1e-3, "{scaled:?}");
    steps
}

#[test]
fn what_is_held_at_once_does_not_grow_with_the_data() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    // 160 MB of data; pieces are of 8 MiB, and a few of them are held at once.
    let steps = pass(folder.path(), 20_000);
    for (name, most, _) in steps {
        assert!(most < 64 << 20, "{name} held {} MiB", most >> 20);
    }
}

#[test]
fn tables_are_read_and_written_in_parts() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let rows = 1_000_000;
    let mut file = BufWriter::new(File::create(path("table.csv")).unwrap());
    writeln!(file, "id,x,y,z").unwrap();
    (0..rows).for_each(|row| writeln!(file, "{row},{}.5,0.25,-1.5", row % 100).unwrap());
    file.flush().unwrap();
    drop(file);
    // 32 MB as a dataset.
    for (from, to) in [("table.csv", "one"), ("table.parquet", "two")] {
        let most = most_held(&mut || {
            read(&path(from), None, &BTreeMap::new(), &path(to), &mut |_, _| Ok(())).unwrap();
            let data = Dataset::open(path(to)).unwrap();
            assert_eq!(data.dim("row"), Some(rows));
            assert_eq!(data.read_rows::<i64>("id", rows - 1..rows).unwrap(), [rows as i64 - 1]);
            write_columns_parquet(&data, &path("table.parquet")).unwrap();
        });
        assert!(most < 24 << 20, "{from} held {} MiB", most >> 20);
    }
}

/// `FLOW_DATA_GB` gigabytes, 20 if it is not set; takes 2.2 times that on disk.
#[test]
#[ignore = "takes minutes, and 44 GB in the folder of temporary files"]
fn twenty_gigabytes_pass_in_two() {
    let _alone = alone();
    let gigabytes: usize = std::env::var("FLOW_DATA_GB").map_or(20, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    for (name, most, seconds) in pass(folder.path(), gigabytes * 1_000_000_000 / 8192) {
        eprintln!("{name}: {} MiB at most, {seconds:.1} s", most >> 20);
        assert!(most < 2 << 30, "{name} held {} MiB", most >> 20);
    }
}
