//! Results must not change without the operation's version: a store would go on giving out the old ones.
//!
//! Each operation runs on inputs made by formulas, so that one operation's change is not another's. What comes out is
//! compared with what is stored beside this file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flow_plugin::artifact::metrics::{number, read_metrics};
use flow_plugin::artifact::table::{Column, Table};
use flow_plugin::artifact::{DatasetWriter, Variable};
use flow_plugin::{Kind, Operation};

use super::*;
use crate::data::{Coordinates, ReservoirsWriter, SolutionsWriter, Solved};
use crate::geology::{Curve, FieldKind, Reservoir};

/// Some numbers that tell results apart, by name.
type Fingerprint = BTreeMap<String, Vec<f64>>;

/// Set to store the results of an operation whose version was raised.
const UPDATE: &str = "FLOW_STORE_RESULTS";

fn compare<O: Operation>(operation: &O, tolerance: f64, found: &Fingerprint) {
    let spec = operation.spec();
    let name = spec.name;
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/operations/tests/stored/{name}.json"));
    let how = format!(
        "raise the version of `ccs/{name}` (in its `spec`), then store the new results:\n    \
         {UPDATE}=1 cargo test -p flow-ccs stored"
    );
    let stored = std::fs::read_to_string(&path).ok();
    let stored: Option<(u32, Fingerprint)> =
        stored.and_then(|text| flow_plugin::serde_json::from_str(&text).ok());
    let version = stored.as_ref().map(|(version, _)| *version);
    if version != Some(spec.version) {
        assert!(
            std::env::var_os(UPDATE).is_some(),
            "`ccs/{name}` is at version {}, but the stored results are of {version:?}; {how}",
            spec.version
        );
        let text = flow_plugin::serde_json::to_string_pretty(&(spec.version, found)).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
        return;
    }
    let stored = stored.unwrap().1;
    let names = |f: &Fingerprint| f.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(&stored), "`ccs/{name}` gives other outputs; {how}");
    for (at, wanted) in &stored {
        let values = &found[at];
        let scale = wanted.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
        let same = values.len() == wanted.len()
            && values.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= tolerance * scale);
        assert!(same, "results of `ccs/{name}` have changed: {at} was {wanted:?}, is {values:?}; {how}");
    }
}

fn summary(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let rms = (values.iter().map(|v| v * v).sum::<f64>() / n).sqrt();
    vec![mean, rms, values[values.len() / 7], values[values.len() / 2], values[values.len() * 5 / 6]]
}

fn add_dataset(found: &mut Fingerprint, path: &Path) {
    found.extend(contents(path).into_iter().map(|(name, values)| (name, summary(&values))));
}

fn add_metrics(found: &mut Fingerprint, prefix: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| add_metrics(found, &format!("{prefix}.{name}"), value));
        }
        other => found.extend(number(other).map(|v| (prefix.to_owned(), vec![v]))),
    }
}

/// The same at every run: what a wave gives at a place.
fn wave(seed: usize, at: usize) -> f64 {
    libm::sin(0.37 * at as f64 + 1.3 * seed as f64) * libm::cos(0.011 * (at * (seed + 2)) as f64)
}

const ROWS: usize = 6;
const COLUMNS: usize = 16;
const SAMPLES: usize = 5;

fn coordinates() -> Coordinates {
    let faces = (0..=COLUMNS).map(|i| 0.1 + 20.0 * (libm::pow(1.5, i as f64) - 1.0)).collect();
    Coordinates::new(faces, (0..=ROWS).map(|k| 8.0 * k as f64).collect(), vec![30.0, 365.0, 3650.0])
}

fn reservoirs(folder: &Path) -> PathBuf {
    let path = folder.join("reservoirs");
    let mut writer = ReservoirsWriter::create(&path, &coordinates()).unwrap();
    for sample in 0..SAMPLES {
        let active_rows = ROWS - sample % 3;
        let cells = active_rows * COLUMNS;
        let field = |base: f64, swing: f64| {
            let mut values: Vec<f64> =
                (0..cells).map(|at| base * libm::exp(swing * wave(sample, at))).collect();
            values.resize(ROWS * COLUMNS, 0.0);
            values
        };
        let x = sample as f64 / SAMPLES as f64;
        let reservoir = Reservoir {
            field: FieldKind::VonKarman,
            curve: if sample % 2 == 0 { Curve::VanGenuchten } else { Curve::BrooksCorey },
            rate: 0.4 + x,
            pressure_top: 120.0 + 100.0 * x,
            temperature: 40.0 + 60.0 * x,
            active_rows,
            perforation: (1, 2),
            swi: 0.1 + 0.2 * x,
            lambda: 0.4 + 0.2 * x,
            entry_pressure: 0.2,
            kr: field(150.0, 0.8),
            kz: field(20.0, 0.8),
            porosity: field(0.2, 0.1),
        };
        writer.append(sample as i64, &reservoir).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn solutions(folder: &Path) -> PathBuf {
    let (path, at) = (folder.join("solutions"), coordinates());
    let mut writer = SolutionsWriter::create(&path, &at).unwrap();
    let values = at.cells() * at.time.len();
    for sample in 0..SAMPLES {
        let active: Vec<u8> = (0..at.cells()).map(|c| u8::from(c < (ROWS - sample % 3) * COLUMNS)).collect();
        let plume =
            |n: usize| (0.6 - 0.06 * (n % COLUMNS) as f64 + 0.1 * wave(sample, n)).clamp(0.0, 0.7) as f32;
        let solved = Solved {
            saturation: (0..values).map(plume).collect(),
            buildup: (0..values)
                .map(|n| (20.0 - (n % COLUMNS) as f64 + wave(sample + 1, n)) as f32)
                .collect(),
            newton: 1,
            steps: 1,
            mass_error: 0.0,
        };
        writer.append(sample as i64, &active, &solved).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// Samples of which the last two are for testing, and predictions of both fields for them.
fn predictions(folder: &Path, solutions: &Path) -> (PathBuf, [PathBuf; 2]) {
    let truth = Dataset::open(solutions).unwrap();
    let encoded = folder.join("encoded");
    let mut writer = DatasetWriter::create(&encoded).unwrap();
    let (dims, n) = (["sample"], [SAMPLES]);
    writer.write(&Variable::new::<i64>("sample", &dims, &n, "1", ""), &[0_i64, 1, 2, 3, 4]).unwrap();
    writer.write(&Variable::new::<u8>("split", &dims, &n, "1", ""), &[0_u8, 0, 0, 2, 2]).unwrap();
    writer.write(&Variable::new::<f32>("pressure_scale", &dims, &n, "bar", ""), &[10.0_f32; 5]).unwrap();
    writer.finish().unwrap();
    let paths = [("saturation", "saturation", 1.0), ("pressure", "pressure_buildup", 10.0)].map(
        |(target, variable, scale)| {
            let path = folder.join(target);
            let mut writer = DatasetWriter::create(&path).unwrap();
            writer.attribute("target", target);
            writer.write(&Variable::new::<i64>("sample", &["sample"], &[2], "1", ""), &[3_i64, 4]).unwrap();
            let truth: Vec<f32> = truth.read_rows(variable, 3..5).unwrap();
            let off = |(n, v): (usize, &f32)| (f64::from(*v) / scale + 0.03 * wave(9, n)) as f32;
            let values: Vec<f32> = truth.iter().enumerate().map(off).collect();
            let shape = [2, 3, ROWS, COLUMNS];
            let dims = ["sample", "time", "z", "r"];
            writer.write(&Variable::new::<f32>("prediction", &dims, &shape, "1", ""), &values).unwrap();
            writer.finish().unwrap();
            path
        },
    );
    (encoded, paths)
}

#[test]
fn stored_geology() {
    let folder = tempfile::tempdir().unwrap();
    let params = json!({ "samples": 8, "seed": 5, "grid": { "columns": 12, "rows": 8, "first_ring": 20.0, "times": 3 } });
    let done = Trial::new(folder.path().join("out")).params(params).run(&Geology).unwrap();
    let mut found = Fingerprint::new();
    add_dataset(&mut found, done.output("reservoirs"));
    // Single precision.
    compare(&Geology, 1e-6, &found);
}

#[test]
fn stored_simulate() {
    let folder = tempfile::tempdir().unwrap();
    let done = Trial::new(folder.path().join("out"))
        .input("reservoirs", Kind::Dataset, reservoirs(folder.path()))
        .run(&Simulate)
        .unwrap();
    let mut found = Fingerprint::new();
    add_dataset(&mut found, done.output("solutions"));
    // How often Newton iterated, and what rounding left of the mass balance, may depend on the instruction set.
    found.retain(|name, _| name != "mass_error" && name != "newton_iterations");
    compare(&Simulate, 1e-4, &found);
}

#[test]
fn stored_encode() {
    let folder = tempfile::tempdir().unwrap();
    let done = Trial::new(folder.path().join("out"))
        .input("reservoirs", Kind::Dataset, reservoirs(folder.path()))
        .input("solutions", Kind::Dataset, solutions(folder.path()))
        .params(json!({ "validation": 1, "test": 1 }))
        .run(&Encode)
        .unwrap();
    let path = done.output("encoded");
    let mut found = Fingerprint::new();
    add_dataset(&mut found, path);
    // Each channel by itself: in the mean over all of them a change of one would drown.
    let x: Vec<f32> = Dataset::open(path).unwrap().read("x").unwrap();
    let cells = ROWS * COLUMNS;
    for (channel, name) in crate::encode::CHANNELS.iter().enumerate() {
        let values: Vec<f64> =
            x[channel * cells..(channel + 1) * cells].iter().map(|v| f64::from(*v)).collect();
        found.insert(format!("x.{name}"), summary(&values));
    }
    compare(&Encode, 1e-5, &found);
}

#[test]
fn stored_evaluate() {
    let folder = tempfile::tempdir().unwrap();
    let solutions = solutions(folder.path());
    let (encoded, [saturation, pressure]) = predictions(folder.path(), &solutions);
    let done = Trial::new(folder.path().join("out"))
        .input("reservoirs", Kind::Dataset, reservoirs(folder.path()))
        .input("solutions", Kind::Dataset, solutions)
        .input("encoded", Kind::Dataset, encoded)
        .input("predictions", Kind::Dataset, saturation)
        .input("predictions", Kind::Dataset, pressure)
        .run(&Evaluate)
        .unwrap();
    let mut found = Fingerprint::new();
    add_metrics(&mut found, "metrics", &Value::Object(read_metrics(done.output("metrics")).unwrap()));
    compare(&Evaluate, 1e-5, &found);
}

#[test]
fn stored_case_and_compare() {
    let folder = tempfile::tempdir().unwrap();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/t1_case.npz");
    let done = Trial::new(folder.path().join("case")).params(json!({ "file": data })).run(&Case).unwrap();
    let mut found = Fingerprint::new();
    add_dataset(&mut found, done.output("solutions"));
    found.retain(|name, _| name != "mass_error" && name != "newton_iterations");
    compare(&Case, 1e-4, &found);

    let solutions = solutions(folder.path());
    let truth = Dataset::open(&solutions).unwrap();
    let reference = folder.path().join("reference");
    let mut writer = DatasetWriter::create(&reference).unwrap();
    for (name, units, variable) in [("sg", "1", "saturation"), ("dp_bar", "bar", "pressure_buildup")] {
        let values: Vec<f32> = truth.read_rows(variable, 0..1).unwrap();
        let values: Vec<f32> =
            values.iter().enumerate().map(|(n, v)| v * (1.0 + 0.1 * wave(3, n)) as f32).collect();
        let shape = [3, ROWS, COLUMNS];
        writer.write(&Variable::new::<f32>(name, &["time", "z", "r"], &shape, units, ""), &values).unwrap();
    }
    writer.finish().unwrap();
    let done = Trial::new(folder.path().join("compare"))
        .input("solutions", Kind::Dataset, solutions)
        .params(json!({ "reference": reference }))
        .run(&Compare)
        .unwrap();
    let mut found = Fingerprint::new();
    add_metrics(&mut found, "metrics", &Value::Object(read_metrics(done.output("metrics")).unwrap()));
    compare(&Compare, 1e-5, &found);
}

#[test]
fn stored_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let solutions = solutions(folder.path());
    let (encoded, _) = predictions(folder.path(), &solutions);
    let write = |name: &str, value: Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        folder.path().join(name)
    };
    let done = Trial::new(folder.path().join("out"))
        .input("reservoirs", Kind::Dataset, reservoirs(folder.path()))
        .input("solutions", Kind::Dataset, solutions)
        .input("encoded", Kind::Dataset, encoded)
        .input(
            "scores",
            Kind::Metrics,
            write("scores", json!({ "surrogate": { "saturation_plume_mpe": 0.5, "pressure_mre": 0.5 } })),
        )
        .input("inference", Kind::Metrics, write("inference", json!({ "seconds_per_sample": 0.001 })))
        .params(json!({ "levels": [{ "rings": 2, "rows": 2, "steps": 4.0 }] }))
        .run(&Ledger)
        .unwrap();
    let levels = Table::read(done.output("levels")).unwrap();
    let mut found = Fingerprint::new();
    for name in ["plume_mpe", "pressure_mre"] {
        let Some(Column::Float(values)) = levels.column(name) else { panic!("no column {name}") };
        found.insert(name.into(), values.clone());
    }
    // Times are not compared.
    compare(&Ledger, 1e-3, &found);
}
