//! Files of other programs.

use flow_plugin::artifact::DType;
use flow_plugin::artifact::import::Import;
use flow_plugin::serde_json::json;

use super::super::Read;
use super::*;

/// Reads a file of the folder, or a Zarr group.
fn read(name: &str, params: Value) -> (tempfile::TempDir, Dataset) {
    let path = files().join(name);
    let (port, kind) = port(&path);
    dataset(&Read, &[(port, kind, &path)], params, "data")
}

fn refused(name: &str, params: Value) -> String {
    let path = files().join(name);
    let (port, kind) = port(&path);
    problem(&Read, &[(port, kind, &path)], params)
}

fn port(path: &Path) -> (&'static str, Kind) {
    if path.is_dir() { ("folder", Kind::Folder) } else { ("file", Kind::File) }
}

#[test]
fn the_same_arrays_come_from_every_form() {
    let wanted = json!({ "variables": { "height": {}, "count": {}, "gravity": {}, "z": {} } });
    for (name, dims) in [
        ("classic.nc", true),
        ("netcdf4.nc", true),
        ("packed4.nc", true),
        ("zarr3", true),
        ("zarr2", true),
        ("numpy.npz", false),
        ("matlab5.mat", false),
        ("packed5.mat", false),
        ("matlab73.mat", false),
    ] {
        let (_folder, data) = read(name, wanted.clone());
        let names: Vec<&str> = data.variables().iter().map(|v| v.name.as_str()).collect();
        assert_eq!(names, ["count", "gravity", "height", "z"], "{name}");
        let height = data.read_wide("height").unwrap();
        assert!(height[0].is_nan(), "{name}: {}", height[0]);
        assert!(height.iter().enumerate().skip(1).all(|(i, v)| *v == i as f64 / 8.0), "{name}: {height:?}");
        assert_eq!(data.variable("height").unwrap().shape, [2, 3, 4], "{name}");
        assert_eq!(data.read_wide("count").unwrap(), [7.0, -8.0], "{name}");
        assert_eq!(data.variable("count").unwrap().dtype, DType::I32, "{name}");
        assert_eq!(data.read_wide("gravity").unwrap(), [9.81], "{name}");
        assert_eq!(data.variable("gravity").unwrap().shape, [0; 0], "{name}");
        assert_eq!(data.read_wide("z").unwrap(), [0.5, 1.5, 2.5], "{name}");
        if dims {
            let height = data.variable("height").unwrap();
            assert_eq!(height.dims, ["sample", "z", "r"], "{name}");
            assert_eq!((height.units.as_str(), height.long_name.as_str()), ("m", "Height"), "{name}");
            assert_eq!(data.attributes()["title"], "Waves", "{name}");
            assert!(!data.attributes().contains_key("history"), "{name}");
        }
    }
}

#[test]
fn arrays_in_fortran_order_and_groups_of_hdf5() {
    let (_folder, data) = read("fortran.npy", json!({ "dims": { "data_0": "sample" } }));
    assert_eq!(data.read_wide("data").unwrap()[1..], (1..24).map(|i| f64::from(i) / 8.0).collect::<Vec<_>>());
    assert_eq!(data.variable("data").unwrap().dims, ["sample", "data_1", "data_2"]);
    let (_folder, data) = read(
        "h5py.h5",
        json!({ "variables": {
            "height": { "from": "run/height" }, "half": { "from": "run/half" }, "big": { "from": "run/big" }, "flag": {},
        } }),
    );
    assert_eq!(data.read_wide("height").unwrap()[23], 23.0 / 8.0);
    assert_eq!(data.read::<f32>("half").unwrap(), [0.5, 1.5, 2.5]);
    assert_eq!(data.read::<i64>("big").unwrap(), [7, -8]);
    assert_eq!(data.read_wide("flag").unwrap(), [1.0, 0.0]);
}

#[test]
fn names_that_a_dataset_cannot_have_are_made_to_fit_or_asked_for() {
    let (_folder, data) = read("loops.h5", json!({}));
    let names: Vec<&str> = data.variables().iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["a_x"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "T2 (noon),__x\n1,2\n").unwrap();
    let input = [("file", Kind::File, path.as_path())];
    let (_folder, data) = dataset(&Read, &input, json!({}), "data");
    let names: Vec<&str> = data.variables().iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["T2_noon", "x"]);
    let error = problem(&Read, &input, json!({ "variables": { "T2 (noon)": {} } }));
    assert!(error.contains("`T2 (noon)` cannot be the name of a variable"), "{error}");
    assert!(error.contains("`T2_noon: { from: \"T2 (noon)\" }`"), "{error}");
    std::fs::write(&path, "a b,a_b\n1,2\n").unwrap();
    let error = problem(&Read, &input, json!({}));
    assert!(error.contains("variables `a b` and `a_b` would both be called `a_b`"), "{error}");
}

#[test]
fn tables_keep_the_types_of_their_columns() {
    let wanted =
        json!({ "variables": { "id": {}, "depth": {}, "small": {}, "gaps": {}, "ok": {}, "when": {} } });
    for name in ["table.parquet", "gzip.parquet", "zstd.parquet", "pages2.parquet", "table.csv"] {
        let (_folder, data) = read(name, wanted.clone());
        assert_eq!(data.read::<i64>("id").unwrap(), [1, 2, 3], "{name}");
        assert_eq!(data.read_wide("small").unwrap(), [1.0, 2.0, 255.0], "{name}");
        for (column, values) in [("depth", [0.5, f64::NAN, 2.5]), ("gaps", [1.0, f64::NAN, 3.0])] {
            let found = data.read::<f64>(column).unwrap();
            assert!(
                found.iter().zip(&values).all(|(a, b)| a == b || a.is_nan() && b.is_nan()),
                "{name}: {found:?}"
            );
        }
        assert_eq!(data.read::<u8>("ok").unwrap(), [1, 0, 1], "{name}");
        assert_eq!(
            data.read::<f64>("when").unwrap(),
            [946_684_800.0, 946_814_400.0, 946_857_600.0],
            "{name}"
        );
        assert_eq!(data.variable("when").unwrap().units, "s");
        assert_eq!(data.variable("id").unwrap().dims, ["row"]);
    }
    let (_folder, data) = read("table.parquet", json!({ "variables": { "single": {} } }));
    assert_eq!(data.read::<f32>("single").unwrap(), [1.5, 2.5, 3.5]);
    let (_folder, data) = read("table.parquet", json!({ "variables": { "small": {} } }));
    assert_eq!(data.read::<u8>("small").unwrap(), [1, 2, 255]);
    let (_folder, data) = read("numbers.txt", json!({ "variables": { "y": { "from": "column_2" } } }));
    assert_eq!(data.read_wide("y").unwrap(), [2.0, 3.0]);
}

#[test]
fn what_is_not_read_is_said_with_the_variable() {
    for (name, variable, expected) in [
        ("classic.nc", "site", "`site` is an array of text"),
        ("netcdf4.nc", "site", "`site` is an array of text"),
        ("numpy.npz", "site", "`site` is an array with elements of type `<U5`"),
        ("pickled.npz", "site", "`site` is an array with elements of type `|O`"),
        ("matlab5.mat", "site", "`site` is an array of text"),
        ("packed5.mat", "wave", "`wave` is an array of complex numbers"),
        ("matlab73.mat", "site", "`site` is an array of text"),
        ("h5py.h5", "pair", "`pair` is an array of structures"),
        ("table.parquet", "name", "`name` is an array of text"),
        ("table.csv", "name", "`name` is an array with the text `a` on line 2"),
        (
            "brotli.parquet",
            "id",
            "`id` is an array packed with brotli, which is not read; write it with snappy",
        ),
        ("lz4.parquet", "id", "`id` is an array packed with lz4_raw, which is not read"),
        ("codecs2", "bz2", "`bz2` is an array compressed with bz2, which is not read; those of numcodecs"),
        (
            "codecs2",
            "delta",
            "`delta` is an array with the filter delta, which is not read; write it without",
        ),
        ("codecs3", "shards", "`shards` is an array in shards, which are not read"),
    ] {
        let error = refused(name, json!({ "variables": { variable: {} } }));
        assert!(error.contains(expected), "{name}: {error}");
        // Without a choice everything is asked for.
        assert!(refused(name, json!({})).contains("is an array"), "{name}");
    }
    let error = refused("classic.nc", json!({ "variables": { "heigth": {} } }));
    assert!(
        error.contains("there is no variable `heigth`; the file has `count`, `gravity`, `height`"),
        "{error}"
    );
    assert!(refused("make.py", json!({})).contains("cannot be read as a table"));
}

#[test]
fn every_packing_is_undone_or_named() {
    // As in make.py.
    let wave: Vec<f64> = (0..1000).map(|i| f64::from(i / 3 % 50) / 8.0).collect();
    for (name, count, refused) in [
        ("filters.h5", 9, &[("bitshuffle", "32008 (bitshuffle)"), ("blosc2", "32026 (Blosc 2)")][..]),
        (
            "filters.nc",
            6,
            &[("bzip2", "the HDF5 filter 307 (bzip2), which is not read; those that are: deflate")][..],
        ),
        ("codecs2", 23, &[("bz2", "with bz2"), ("delta", "the filter delta")][..]),
        ("codecs3", 5, &[("shards", "in shards")][..]),
    ] {
        let mut import = Import::open(files().join(name)).unwrap();
        let arrays = import.arrays();
        assert_eq!(arrays.len(), count, "{name}: {arrays:?}");
        for (at, found) in arrays.iter().enumerate() {
            let variable = &found.variable.name;
            let mut values = Vec::new();
            let read = import.read(&[at], &mut |_, piece| {
                values.extend(piece.doubles());
                Ok(())
            });
            if let Some((_, expected)) = refused.iter().find(|(name, _)| name == variable) {
                let error = read.unwrap_err().to_string();
                assert!(
                    error.contains(&format!("`{variable}`")) && error.contains(expected),
                    "{name}: {error}"
                );
                continue;
            }
            assert!(read.is_ok(), "{name}, {variable}: {read:?}");
            assert_eq!(values.len(), wave.len(), "{name}, {variable}");
            // One filter keeps some digits only, another is for whole numbers.
            let (scale, tolerance) = match variable.as_str() {
                "digits" => (1.0, 1e-3),
                "whole" => (8.0, 0.0),
                _ => (1.0, 0.0),
            };
            for (found, expected) in values.iter().zip(&wave) {
                assert!(
                    (found - expected * scale).abs() <= tolerance,
                    "{name}, {variable}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn what_stands_for_no_value_is_found_in_both_versions_of_zarr() {
    for name in ["gaps2", "gaps3"] {
        let (_folder, data) = read(name, json!({}));
        for variable in ["depth", "level"] {
            let values = data.read::<f64>(variable).unwrap();
            assert!(
                values[0] == 0.5 && values[1].is_nan() && values[2] == 2.5,
                "{name}, {variable}: {values:?}"
            );
        }
    }
}

#[test]
fn what_is_declared_is_checked() {
    let height = |declared: Value| refused("classic.nc", json!({ "variables": { "height": declared } }));
    for (declared, expected) in [
        (json!({ "dims": ["sample", "z"] }), "has 3 dimensions (2 x 3 x 4), not the 2 of (sample, z)"),
        (json!({ "dims": ["sample", "r", "z"] }), "has the dimensions (sample, z, r), not (sample, r, z)"),
        (json!({ "units": "km" }), "is in `m`, not in `km`; `convert: km` would convert it"),
        (json!({ "convert": "s" }), "is in `m`, which cannot be converted to `s`"),
        (json!({ "units": "furlong" }), "`furlong` is not a unit"),
        (json!({ "range": [0, 2] }), "has the value 2.125 at [1, 1, 1]; expected are values from 0 to 2"),
        (json!({ "finite": true }), "has the value NaN at [0, 0, 0]; expected are finite values"),
        (json!({ "dtype": "i32" }), "has the value NaN, which i32 does not hold"),
    ] {
        let error = height(declared.clone());
        assert!(error.contains(expected), "{declared}: {error}");
    }
    let error = refused("classic.nc", json!({ "dims": { "lat": "y" } }));
    assert!(
        error.contains("there is no dimension `lat`; the file has `r`, `sample`, `string5`, `z`"),
        "{error}"
    );
    let both = run(&Read, &[], json!({})).1.map(|_| ()).unwrap_err();
    assert!(both.message.contains("neither `file` nor `folder`"));
}

#[test]
fn units_names_and_types_are_set_as_declared() {
    let params = json!({
        "variables": {
            "h": { "from": "height", "dims": ["n", "z", "r"], "units": "m", "convert": "mm", "dtype": "f64", "range": [0, 3000] },
            "count": { "dims": ["n"], "dtype": "i64", "long_name": "How many" },
        },
        "dims": { "sample": "n" },
    });
    let (_folder, data) = read("netcdf4.nc", params.clone());
    let h = data.variable("h").unwrap();
    assert_eq!((h.dims.join(" "), h.units.as_str(), h.dtype), ("n z r".into(), "mm", DType::F64));
    assert_eq!(data.read::<f64>("h").unwrap()[1..3], [125.0, 250.0]);
    assert_eq!(data.read::<i64>("count").unwrap(), [7, -8]);
    assert_eq!(data.variable("count").unwrap().long_name, "How many");
    // What is declared is known before anything runs.
    let params = flow_plugin::serde_json::from_value(params).unwrap();
    let declared = Operation::outputs(&Read, &params, &[]).remove(0).variables;
    assert_eq!(declared.len(), 1);
    assert_eq!((declared[0].name.as_str(), declared[0].units.as_str()), ("h", "mm"));
}
