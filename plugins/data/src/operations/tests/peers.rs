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
fn tables_keep_the_types_of_their_columns() {
    let wanted =
        json!({ "variables": { "id": {}, "depth": {}, "small": {}, "gaps": {}, "ok": {}, "when": {} } });
    for name in ["table.parquet", "table.csv"] {
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
    ] {
        let error = refused(name, json!({ "variables": { variable: {} } }));
        assert!(error.contains(expected), "{name}: {error}");
        // Without a choice everything is asked for.
        assert!(refused(name, json!({})).contains("is an array"), "{name}");
    }
    let error = refused("zstd.parquet", json!({ "variables": { "id": {} } }));
    assert!(error.contains("`id`") && error.contains("compression=\"snappy\""), "{error}");
    let error = refused("classic.nc", json!({ "variables": { "heigth": {} } }));
    assert!(
        error.contains("there is no variable `heigth`; the file has `count`, `gravity`, `height`"),
        "{error}"
    );
    assert!(refused("make.py", json!({})).contains("cannot be read as a table"));
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

#[test]
fn damaged_files_are_errors_or_other_data_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    for name in
        ["netcdf4.nc", "packed4.nc", "h5py.h5", "matlab5.mat", "packed5.mat", "matlab73.mat", "table.csv"]
    {
        let whole = std::fs::read(files().join(name)).unwrap();
        let try_one = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let Ok(mut import) = Import::open(&path) else { return };
            for (at, found) in import.arrays().iter().enumerate() {
                if found.problem.is_none() {
                    let _ = import.read(&[at], &mut |_, _| Ok(()));
                }
            }
        };
        for cut in (0..whole.len()).step_by(whole.len() / 60 + 1) {
            try_one(&whole[..cut]);
        }
        for at in (0..whole.len()).step_by(whole.len() / 300 + 1) {
            for flip in [0xff, 0x01] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                try_one(&bytes);
            }
        }
    }
}
