//! What is written here opens in Python: Zarr in xarray, NetCDF in xarray, netCDF4 and SciPy, npz and npy in
//! NumPy, Parquet in pyarrow, weights in safetensors.
//!
//! Skipped, with a message, where Python or its packages cannot be had.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;
use std::process::Command;

use flow_artifact::export::{
    write_columns_csv, write_columns_parquet, write_csv, write_netcdf, write_npy, write_npz,
};
use flow_artifact::metrics::write_metrics;
use flow_artifact::model::{Tensor, write_model};
use flow_artifact::table::Table;
use flow_artifact::{Dataset, DatasetWriter, Variable};
use serde_json::json;

/// The status of the script that means that it could not try.
const SKIPPED: i32 = 77;

/// Says so also where what successful tests print is not shown.
fn not_tested(why: &str) {
    // There is nobody to tell that nobody can be told.
    let _ = writeln!(std::io::stderr(), "not tested: {}", why.trim_end());
}

fn write_dataset(mut writer: DatasetWriter) {
    writer.attribute("version", 1).attribute("grid", "r-z");
    let saturation: Vec<f32> = (0..60).map(|i| i as f32 / 7.0).collect();
    let variable = |dims: &[&str], shape: &[usize], name: &str, units: &str, long_name: &str| {
        Variable::new::<f32>(name, dims, shape, units, long_name)
    };
    let mut rows = writer
        .stream::<f32>(&variable(&["sample", "z", "r"], &[0, 4, 5], "saturation", "1", "Gas saturation"))
        .unwrap();
    saturation.chunks(20).for_each(|row| writer.append(&mut rows, row).unwrap());
    writer.write(&Variable::new::<f64>("time", &["time"], &[2], "d", "Time"), &[0.5, 1.5]).unwrap();
    let cells: Vec<i32> = (0..20).collect();
    writer.write(&Variable::new::<i32>("cell", &["z", "r"], &[4, 5], "1", ""), &cells).unwrap();
    writer.write(&Variable::new::<i64>("id", &["sample"], &[3], "1", ""), &[7_i64, -8, 9]).unwrap();
    let mask: Vec<u8> = (0..20).map(|i| i % 2 * 255).collect();
    writer.write(&Variable::new::<u8>("mask", &["z", "r"], &[4, 5], "1", ""), &mask).unwrap();
    writer.write(&Variable::new::<f64>("gravity", &[], &[], "m/s2", "Gravity"), &[9.81]).unwrap();
    writer.finish().unwrap();
}

fn write_all(folder: &Path) {
    let path = |name: &str| folder.join(name);
    write_dataset(DatasetWriter::create(path("data")).unwrap());
    // Two samples a chunk: the second one is filled up.
    write_dataset(DatasetWriter::create(path("chunked")).unwrap().chunk_bytes(160));
    let mut empty = DatasetWriter::create(path("empty")).unwrap();
    empty.write::<f32>(&Variable::new::<f32>("x", &["a", "b"], &[0, 3], "m", ""), &[]).unwrap();
    empty.finish().unwrap();
    let mut wide = DatasetWriter::create(path("wide")).unwrap();
    wide.write(&Variable::new::<i64>("id", &["n"], &[2], "1", ""), &[1_i64 << 40, -(1 << 40)]).unwrap();
    wide.write(&Variable::new::<u8>("mask", &["m"], &[3], "1", ""), &[0_u8, 255, 1]).unwrap();
    wide.finish().unwrap();

    let data = Dataset::open(path("chunked")).unwrap();
    write_netcdf(&data, &path("data.nc")).unwrap();
    write_netcdf(&Dataset::open(path("wide")).unwrap(), &path("wide.nc")).unwrap();
    write_npz(&data, &path("data.npz")).unwrap();
    write_npy(&data, &path("npy")).unwrap();

    let mut columns = DatasetWriter::create(path("columns")).unwrap();
    columns.write(&Variable::new::<u8>("mask", &["row"], &[3], "1", ""), &[0_u8, 255, 1]).unwrap();
    columns.write(&Variable::new::<i64>("id", &["row"], &[3], "1", ""), &[1_i64 << 40, -8, 9]).unwrap();
    columns.write(&Variable::new::<f32>("x", &["row"], &[3], "m", ""), &[0.5_f32, f32::NAN, 1e-30]).unwrap();
    columns.write(&Variable::new::<f64>("y", &["row"], &[3], "s", ""), &[0.1, f64::INFINITY, -2.0]).unwrap();
    columns.finish().unwrap();
    let columns = Dataset::open(path("columns")).unwrap();
    write_columns_csv(&columns, &path("columns.csv")).unwrap();
    write_columns_parquet(&columns, &path("columns.parquet")).unwrap();

    let table = Table::new()
        .with("case", vec![1_i64, 2])
        .with("error", vec![0.25, f64::INFINITY])
        .with("name", vec!["a", "ü, \"b\""])
        .with("ok", vec![true, false]);
    table.write(path("table.parquet")).unwrap();
    write_csv(&table, &path("table.csv")).unwrap();
    let weight = Tensor::new::<f32>("lift.weight", &[2, 2], &[1.0, 2.0, 3.0, 4.0]).unwrap();
    write_model(path("model"), &[weight], &json!({ "width": 32 })).unwrap();
    let metrics: std::collections::BTreeMap<&str, f64> = [("r2", 0.98), ("loss", f64::NAN)].into();
    write_metrics(path("metrics"), &metrics).unwrap();
}

#[test]
fn python_opens_everything() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/run");
    let output = Command::new(script).arg("open_artifacts.py").arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(SKIPPED) {
        not_tested(&said);
        return;
    }
    assert!(output.status.success(), "{said}");
}

#[test]
fn exports_of_equal_datasets_are_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    write_dataset(DatasetWriter::create(&a).unwrap());
    write_dataset(DatasetWriter::create(&b).unwrap().chunk_bytes(160));
    type Writer = fn(&Dataset, &Path) -> flow_artifact::Result<()>;
    for (name, write) in [("nc", write_netcdf as Writer), ("npz", write_npz)] {
        let [a, b] = [&a, &b].map(|data| {
            let target = data.with_extension(name);
            write(&Dataset::open(data).unwrap(), &target).unwrap();
            std::fs::read(target).unwrap()
        });
        assert!(a == b, "{name}");
    }
}

#[test]
fn netcdf_refuses_what_it_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty");
    let mut writer = DatasetWriter::create(&path).unwrap();
    writer.write::<f32>(&Variable::new::<f32>("x", &["a"], &[0], "m", ""), &[]).unwrap();
    writer.finish().unwrap();
    let error = write_netcdf(&Dataset::open(&path).unwrap(), &folder.path().join("x.nc")).unwrap_err();
    assert!(error.to_string().contains("dimension `a` has length 0"), "{error}");
}

#[test]
fn what_python_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/run");
    let output = Command::new(script).arg("write_arrays.py").arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(SKIPPED) {
        not_tested(&said);
        return;
    }
    assert!(output.status.success(), "{said}");
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 18);
    for path in names {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let to = path.with_extension("imported");
        let found = flow_artifact::import::dataset(&path, &to);
        assert!(found.unwrap(), "{name}");
        let data = Dataset::open(&to).unwrap();
        let height = data.read_wide("height").unwrap();
        let expected = |i: usize| match name.as_str() {
            "packed.nc" => (f64::from(i as f32 / 7.0) * 4.0).round() / 4.0,
            _ => f64::from(i as f32 / 7.0),
        };
        assert!(height[0].is_nan(), "{name}: {}", height[0]);
        let same = height.iter().enumerate().skip(1).all(|(i, v)| *v == expected(i));
        assert!(same, "{name}: {height:?}");
        assert_eq!(data.variable("height").unwrap().shape, [3, 4, 5]);
        assert_eq!(data.read_wide("count").unwrap(), [7.0, -8.0, 9.0], "{name}");
        assert_eq!(data.read_wide("gravity").unwrap(), [9.81], "{name}");
        assert_eq!(data.read_wide("z").unwrap(), [0.5, 1.5, 2.5, 3.5], "{name}");
        if !name.ends_with(".npz") {
            let variable = data.variable("height").unwrap();
            assert_eq!(variable.dims, ["sample", "z", "r"], "{name}");
            assert_eq!((variable.units.as_str(), variable.long_name.as_str()), ("m", "Height"), "{name}");
            assert_eq!(data.attributes()["title"], "Waves", "{name}");
        }
    }
}
