//! Splitting, joining, choosing, scaling, describing and writing.

use flow_plugin::artifact::digest::of;
use flow_plugin::artifact::figure::Figures;
use flow_plugin::artifact::metrics::read_metrics;
use flow_plugin::artifact::table::{Column, Table};
use flow_plugin::serde_json::json;
use flow_plugin::testing::Fingerprint;

use super::super::{Concat, Describe, Normalize, Read, Select, Split, Write};
use super::*;

fn start() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    samples(&path);
    (folder, path)
}

/// `group` of each part, and all first values of `x`, sorted.
fn parts(finished: &Finished, names: &[&str]) -> (Vec<Vec<i32>>, Vec<f32>) {
    let open = |name: &&str| Dataset::open(finished.output(name)).unwrap();
    let data: Vec<Dataset> = names.iter().map(open).collect();
    let mut x: Vec<f32> = data.iter().flat_map(|d| d.read::<f32>("x").unwrap()).step_by(3).collect();
    x.sort_by(f32::total_cmp);
    (data.iter().map(|d| d.read("group").unwrap()).collect(), x)
}

#[test]
fn a_random_split_takes_every_sample_once_and_the_seed_decides() {
    let (_folder, path) = start();
    let all: Vec<f32> = (0..10).map(|i| i as f32 * 3.0).collect();
    let split = |params: Value| run(&Split, &[("data", Kind::Dataset, &path)], params);
    let names = ["train", "validation", "test"];
    let (_a, first) = split(json!({ "shares": { "train": 6, "validation": 2, "test": 2 }, "seed": 1 }));
    let first = first.unwrap();
    let (groups, x) = parts(&first, &names);
    assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [6, 2, 2]);
    assert_eq!(x, all);
    // Samples keep their order, and what has no samples is in every part.
    let test = Dataset::open(first.output("test")).unwrap();
    assert!(test.read::<f32>("x").unwrap().is_sorted());
    assert_eq!(test.read::<u8>("mask").unwrap(), [1, 0, 1]);
    assert_eq!(test.attributes()["title"], "Samples");
    assert_eq!(read_metrics(first.output("counts")).unwrap()["train"], json!(6.0));
    let digest = |finished: &Finished| of(Kind::Dataset, finished.output("train")).unwrap().digest;
    let (_b, again) = split(json!({ "shares": { "train": 6, "validation": 2, "test": 2 }, "seed": 1 }));
    assert_eq!(digest(&first), digest(&again.unwrap()));
    let (_c, other) = split(json!({ "shares": { "train": 6, "validation": 2, "test": 2 }, "seed": 2 }));
    assert_ne!(digest(&first), digest(&other.unwrap()));
}

#[test]
fn groups_stay_together_and_times_stay_in_order() {
    let (_folder, path) = start();
    let split = |params: Value| run(&Split, &[("data", Kind::Dataset, &path)], params).1;
    let folder = |params| run(&Split, &[("data", Kind::Dataset, &path)], params);
    let shares = json!({ "train": 0.5, "test": 0.5 });
    let (_a, found) = folder(json!({ "by": "group", "variable": "group", "shares": shares, "seed": 3 }));
    let (groups, x) = parts(&found.unwrap(), &["train", "test"]);
    assert_eq!(x.len(), 10);
    assert!(groups[0].iter().all(|group| !groups[1].contains(group)), "{groups:?}");
    // Times fall from 9 to 1, the last two are equal: the latest come last.
    let (_b, found) =
        folder(json!({ "by": "time", "variable": "time", "shares": { "train": 0.1, "test": 0.9 } }));
    let found = found.unwrap();
    let time = |name| Dataset::open(found.output(name)).unwrap().read::<f64>("time").unwrap();
    assert_eq!(time("train"), [1.0, 1.0]);
    assert_eq!(time("test"), [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]);
    let error = |params| split(params).map(|_| ()).unwrap_err().to_string();
    assert!(error(json!({ "by": "group" })).contains("variable: which variable"));
    assert!(
        error(json!({ "dim": "row" }))
            .contains("no variable has the dimension `row`; there are `point`, `sample`")
    );
    assert!(
        error(json!({ "by": "group", "variable": "x" }))
            .contains("(sample, point); one along `sample` alone")
    );
    assert!(error(json!({ "shares": { "train": 1, "test": 0.01 } })).contains("is nothing at all"));
}

#[test]
fn what_is_split_and_joined_again_is_what_was_there() {
    let (_folder, path) = start();
    let (_a, found) = run(
        &Split,
        &[("data", Kind::Dataset, &path)],
        json!({ "by": "time", "variable": "time", "shares": { "train": 1, "test": 1 } }),
    );
    let found = found.unwrap();
    let data =
        [("data", Kind::Dataset, found.output("test")), ("data", Kind::Dataset, found.output("train"))];
    let (_b, joined) = dataset(&Concat, &data, json!({}), "data");
    assert_eq!(of(Kind::Dataset, joined.path()).unwrap().digest, of(Kind::Dataset, &path).unwrap().digest);
    // A new dimension: every dataset is a place of it, coordinates stay.
    let data = [("data", Kind::Dataset, path.as_path()); 2];
    let (_c, stacked) = dataset(&Concat, &data, json!({ "dim": "run" }), "data");
    assert_eq!(stacked.variable("x").unwrap().shape, [2, 10, 3]);
    assert_eq!(stacked.variable("x").unwrap().dims, ["run", "sample", "point"]);
    assert_eq!(stacked.variable("point").unwrap().dims, ["point"]);
    let error = problem(&Concat, &data, json!({ "dim": "point" }));
    assert!(
        error.contains("`x` has dimensions (sample, point): it can be joined along the first one only"),
        "{error}"
    );
}

#[test]
fn datasets_that_do_not_fit_together_are_not_joined() {
    let (folder, path) = start();
    let other = |name: &str, variable: &Variable, values: &[f32]| {
        let path = folder.path().join(name);
        let mut writer = DatasetWriter::create(&path).unwrap();
        writer.write(variable, values).unwrap();
        writer.finish().unwrap();
        path
    };
    let [a, b] = [("a", "m"), ("b", "km")].map(|(name, units)| {
        other(name, &Variable::new::<f32>("x", &["sample"], &[2], units, ""), &[1.0, 2.0])
    });
    let error = |one: &Path, two: &Path| {
        problem(&Concat, &[("data", Kind::Dataset, one), ("data", Kind::Dataset, two)], json!({}))
    };
    let units = error(&a, &b);
    assert!(
        units.contains("`x` is f32 (sample: 2) in m in dataset 1, but f32 (sample: 2) in km in dataset 2"),
        "{units}"
    );
    assert!(error(&a, &path).contains("dataset 1 lacks `group`, `mask`, `point`, `time`"));
    // What does not grow must be the same in all.
    let (_c, cut) = dataset(&Select, &[("data", Kind::Dataset, &path)], json!({}), "data");
    std::fs::write(cut.path().join("mask/c.0"), [1_u8, 1, 1]).unwrap();
    let mask = error(&path, cut.path());
    assert!(
        mask.contains("`mask` has no dimension `sample` and other values in dataset 1 than in dataset 2"),
        "{mask}"
    );
}

#[test]
fn places_are_chosen_by_number_and_by_coordinate() {
    let (_folder, path) = start();
    let input = [("data", Kind::Dataset, path.as_path())];
    let params = json!({
        "variables": ["x", "point"],
        "dims": { "sample": { "start": 1, "end": 8, "step": 3 }, "point": { "within": [0.25, 1.0] } },
    });
    let (_a, data) = dataset(&Select, &input, params, "data");
    assert_eq!(data.variables().len(), 2);
    assert_eq!(data.read::<f32>("x").unwrap(), [4.0, 5.0, 13.0, 14.0, 22.0, 23.0]);
    assert_eq!(data.read::<f64>("point").unwrap(), [0.5, 1.0]);
    let (_b, data) = dataset(
        &Select,
        &input,
        json!({ "without": ["mask"], "dims": { "point": { "places": [0, 2] } } }),
        "data",
    );
    assert_eq!(data.variable("x").unwrap().shape, [10, 2]);
    assert_eq!(data.read::<f32>("x").unwrap()[..4], [0.0, 2.0, 3.0, 5.0]);
    let error = |params| problem(&Select, &input, params);
    assert!(error(json!({ "variables": ["y"] })).contains("has no variable `y`"));
    assert!(error(json!({ "dims": { "point": { "places": [3] } } })).contains("has no place 3: it has 3"));
    assert!(error(json!({ "dims": { "point": { "within": [5, 6] } } })).contains("nothing of the 3 places"));
    assert!(error(json!({ "dims": { "sample": { "within": [0, 1] } } })).contains("are `group`, `time`"));
    assert!(
        error(json!({ "dims": { "point": { "places": [1, 0] } } })).contains("dims.point: places must be")
    );
    assert!(error(json!({ "dims": { "point": {} } })).contains("is needed"));
}

#[test]
fn scaling_is_undone_by_its_statistics() {
    let (_folder, path) = start();
    let input = ("data", Kind::Dataset, path.as_path());
    let (_a, scaled) = run(&Normalize, &[input], json!({ "variables": ["x"] }));
    let scaled = scaled.unwrap();
    let data = Dataset::open(scaled.output("data")).unwrap();
    let found = data.statistics("x").unwrap();
    // Values are rounded to single precision.
    assert!(found.mean.abs() < 1e-6 && (found.std - 1.0).abs() < 1e-6, "{found:?}");
    assert_eq!(data.variable("x").unwrap().units, "1");
    assert_eq!(data.read::<f64>("time").unwrap()[0], 9.0);
    let statistics = ("statistics", Kind::Metrics, scaled.output("statistics"));
    let back = [("data", Kind::Dataset, data.path()), statistics];
    let (_b, restored) = dataset(&Normalize, &back, json!({ "inverse": true }), "data");
    assert_eq!(restored.variable("x").unwrap().units, "m");
    let x = restored.read::<f32>("x").unwrap();
    assert!(x.iter().enumerate().all(|(i, v)| (v - i as f32).abs() < 1e-5), "{x:?}");
    // The same statistics on other data: not its own mean.
    let (_c, first) = dataset(&Select, &[input], json!({ "dims": { "sample": { "end": 1 } } }), "data");
    let (_d, same) =
        dataset(&Normalize, &[("data", Kind::Dataset, first.path()), statistics], json!({}), "data");
    assert_eq!(same.read::<f32>("x").unwrap(), data.read_rows::<f32>("x", 0..1).unwrap());
    let (_e, range) = dataset(&Normalize, &[input], json!({ "method": "range" }), "data");
    let found = range.statistics("time").unwrap();
    assert_eq!((found.min, found.max), (0.0, 1.0));
    // A coordinate stays what it is, and integers are not scaled unless they are named.
    assert_eq!(range.read::<f64>("point").unwrap(), [0.0, 0.5, 1.0]);
    assert_eq!(range.read::<i32>("group").unwrap()[9], 3);
    let twice = problem(&Normalize, &[("data", Kind::Dataset, data.path()), statistics], json!({}));
    assert!(twice.contains("`x` is in `1`, but the statistics are for `m`"), "{twice}");
    assert!(problem(&Normalize, &[input], json!({ "inverse": true })).contains("undoing needs `statistics`"));
}

#[test]
fn a_description_has_a_row_and_a_picture_of_each_variable() {
    let (_folder, path) = start();
    let (_a, found) = run(&Describe, &[("data", Kind::Dataset, &path)], json!({}));
    let found = found.unwrap();
    let table = Table::read(found.output("statistics")).unwrap();
    assert_eq!(table.rows(), 5);
    let names: Vec<String> = (0..5).map(|row| table.column("variable").unwrap().text(row)).collect();
    assert_eq!(names, ["group", "mask", "point", "time", "x"]);
    assert_eq!(table.column("shape").unwrap().text(4), "10 x 3");
    let Some(Column::Float(max)) = table.column("max") else { panic!("{table:?}") };
    assert_eq!(max[4], 29.0);
    let figures = Figures::open(found.output("figures")).unwrap();
    assert_eq!(figures.pictures().len(), 5);
    assert_eq!(figures.pictures()[4].caption, "Place, m");
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let (_folder, path) = start();
    let digest = |path: &Path| of(Kind::Dataset, path).unwrap().digest;
    let input = [("data", Kind::Dataset, path.as_path())];
    for (format, port) in [("netcdf", "file"), ("zarr", "folder")] {
        let (_a, written) = run(&Write, &input, json!({ "format": format }));
        let written = written.unwrap();
        let kind = if port == "file" { Kind::File } else { Kind::Folder };
        let (_b, read) = dataset(&Read, &[(port, kind, written.output(port))], json!({}), "data");
        assert_eq!(digest(read.path()), digest(&path), "{format}");
    }
    let (_a, written) = run(&Write, &input, json!({ "format": "npz" }));
    let written = written.unwrap();
    // NumPy's arrays have no units and no names of dimensions: these are declared.
    let params = json!({ "variables": {
        "x": { "dims": ["sample", "point"], "units": "m" }, "group": { "dims": ["sample"] },
        "time": { "dims": ["sample"], "units": "s" }, "point": { "dims": ["point"], "units": "m" },
        "mask": { "dims": ["point"] },
    } });
    let (_b, read) = dataset(&Read, &[("file", Kind::File, written.output("file"))], params, "data");
    // Attributes of the whole are the one thing that the archive has no place for.
    let original = Dataset::open(&path).unwrap();
    for (found, expected) in read.variables().iter().zip(original.variables()) {
        let one = (&found.name, found.dtype, &found.dims, &found.shape, &found.units);
        let two = (&expected.name, expected.dtype, &expected.dims, &expected.shape, &expected.units);
        assert_eq!(one, two);
        assert_eq!(read.read_wide(&found.name).unwrap(), original.read_wide(&found.name).unwrap());
    }
    // Tables take what lies along one dimension.
    let error = problem(&Write, &input, json!({ "format": "csv" }));
    assert!(error.contains("`mask` cannot be a column of a table: its dimensions are point"), "{error}");
    let (_c, columns) = dataset(&Select, &input, json!({ "variables": ["group", "time"] }), "data");
    for format in ["csv", "parquet"] {
        let (_d, written) =
            run(&Write, &[("data", Kind::Dataset, columns.path())], json!({ "format": format }));
        let written = written.unwrap();
        let (_e, read) = dataset(&Read, &[("file", Kind::File, written.output("file"))], json!({}), "data");
        assert_eq!(read.read_wide("group").unwrap(), columns.read_wide("group").unwrap(), "{format}");
        assert_eq!(read.read::<f64>("time").unwrap(), columns.read::<f64>("time").unwrap(), "{format}");
    }
}

#[test]
fn results_change_only_with_the_version() {
    let (_folder, path) = start();
    let input = [("data", Kind::Dataset, path.as_path())];
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stored");
    let (_a, split) = run(&Split, &input, json!({ "shares": { "train": 1, "test": 1 }, "seed": 1 }));
    let mut found = Fingerprint::default();
    found.dataset(split.unwrap().output("train"));
    found.compare(&Split, 0.0, &stored);
    let (_b, scaled) = run(&Normalize, &input, json!({}));
    let mut found = Fingerprint::default();
    found.dataset(scaled.unwrap().output("data"));
    found.compare(&Normalize, 1e-12, &stored);
    let (_c, read) = dataset(
        &Read,
        &[("file", Kind::File, &files().join("packed4.nc"))],
        json!({ "variables": {
        "h": { "from": "height", "convert": "mm" }, "count": {} } }),
        "data",
    );
    let mut found = Fingerprint::default();
    // The one missing value is no number to compare.
    found.values("h", &read.read_wide("h").unwrap()[1..]);
    found.values("count", &read.read_wide("count").unwrap());
    found.compare(&Read, 1e-12, &stored);
}
