//! Results must not change without the operation's version.
//!
//! Each operation runs on inputs made by formulas, so that one operation's change is not another's. What comes out is
//! compared with what is stored beside this file.

use std::path::PathBuf;

use flow_plugin::Kind;
use flow_plugin::artifact::table::{Column, Table};
use flow_plugin::artifact::{DatasetWriter, Variable};
use flow_plugin::testing::Fingerprint;

use super::*;
use crate::data::{Coordinates, ReservoirsWriter, SolutionsWriter, Solved};
use crate::geology::{Curve, FieldKind, Reservoir};

/// Where results are stored.
const STORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/operations/tests/stored");

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
    let mut found = Fingerprint::default();
    found.dataset(done.output("reservoirs"));
    // Single precision.
    found.compare(&Geology, 1e-6, STORED);
}

#[test]
fn stored_simulate() {
    let folder = tempfile::tempdir().unwrap();
    let done = Trial::new(folder.path().join("out"))
        .input("reservoirs", Kind::Dataset, reservoirs(folder.path()))
        .run(&Simulate)
        .unwrap();
    let mut found = Fingerprint::default();
    found.dataset(done.output("solutions"));
    // How often Newton iterated, and what rounding left of the mass balance, may depend on the instruction set.
    found.forget("mass_error");
    found.forget("newton_iterations");
    found.compare(&Simulate, 1e-4, STORED);
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
    let mut found = Fingerprint::default();
    found.dataset(path);
    // Each channel by itself: in the mean over all of them a change of one would drown.
    let x: Vec<f32> = Dataset::open(path).unwrap().read("x").unwrap();
    let cells = ROWS * COLUMNS;
    for (channel, name) in crate::encode::CHANNELS.iter().enumerate() {
        let values: Vec<f64> =
            x[channel * cells..(channel + 1) * cells].iter().map(|v| f64::from(*v)).collect();
        found.values(&format!("x.{name}"), &values);
    }
    found.compare(&Encode, 1e-5, STORED);
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
    let mut found = Fingerprint::default();
    found.metrics(done.output("metrics"));
    found.compare(&Evaluate, 1e-5, STORED);
}

#[test]
fn stored_case_and_compare() {
    let folder = tempfile::tempdir().unwrap();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/t1_case.npz");
    let done = Trial::new(folder.path().join("case")).params(json!({ "file": data })).run(&Case).unwrap();
    let mut found = Fingerprint::default();
    found.dataset(done.output("solutions"));
    found.forget("mass_error");
    found.forget("newton_iterations");
    found.compare(&Case, 1e-4, STORED);

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
    let mut found = Fingerprint::default();
    found.metrics(done.output("metrics"));
    found.compare(&Compare, 1e-5, STORED);
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
    let mut found = Fingerprint::default();
    for name in ["plume_mpe", "pressure_mre"] {
        let Some(Column::Float(values)) = levels.column(name) else { panic!("no column {name}") };
        found.values(name, values);
    }
    // Times are not compared.
    found.compare(&Ledger, 1e-3, STORED);
}
