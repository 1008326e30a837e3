use flow_plugin::Kind;
use flow_plugin::artifact::metrics::{number, read_metrics};
use flow_plugin::artifact::{DatasetWriter, Element, Variable};

use super::*;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

#[test]
fn a_stored_case_agrees_with_its_reference() {
    let folder = tempfile::tempdir().unwrap();
    let simulated = Trial::new(folder.path().join("case"))
        .params(json!({ "file": format!("{DATA}/t1_case.npz") }))
        .run(&Case)
        .unwrap();
    let compared = Trial::new(folder.path().join("compare"))
        .input("solutions", Kind::Dataset, simulated.output("solutions"))
        .params(json!({ "reference": format!("{DATA}/t1_reference.npz") }))
        .run(&Compare)
        .unwrap();
    let metrics = read_metrics(compared.output("metrics")).unwrap();
    // The project's bars against OPM Flow on T1.
    assert!(number(&metrics["plume_mae_max"]).unwrap() <= 0.01, "{metrics:?}");
    assert!(number(&metrics["pressure_l2_max"]).unwrap() <= 0.02, "{metrics:?}");
}

/// A reservoir of two rows and twelve rings, in units of one's own.
fn write(folder: &Path, leave_out: &str, depth_units: &str) {
    let mut writer = DatasetWriter::create(folder).unwrap();
    let mut put = |name: &str, dims: &[&str], shape: &[usize], units: &str, values: &[f64]| {
        if name != leave_out {
            assert_eq!(f64::DTYPE.name(), "f64");
            writer.write(&Variable::new::<f64>(name, dims, shape, units, ""), values).unwrap();
        }
    };
    let faces: Vec<f64> = (0..=12).map(|i| 1e-4 * libm::pow(3.0, f64::from(i))).collect();
    put("r_face", &["r_face"], &[13], "km", &faces);
    put("z_face", &["z_face"], &[3], depth_units, &[0.0, 10.0, 20.0]);
    put("time", &["time"], &[2], "a", &[0.1, 1.0]);
    for (name, units, value) in [("kr", "mD", 200.0), ("kz", "mD", 20.0), ("porosity", "%", 20.0)] {
        put(name, &["z", "r"], &[2, 12], units, &[value; 24]);
    }
    for (name, units, value) in [
        ("rate", "kg/s", 5.0),
        ("pressure_top", "MPa", 15.0),
        ("temperature", "K", 323.15),
        ("perforation_top", "m", 10.0),
        ("perforation_bottom", "m", 20.0),
        ("swi", "1", 0.2),
        ("lambda", "1", 0.5),
        ("entry_pressure", "kPa", 19.61),
    ] {
        put(name, &[], &[], units, &[value]);
    }
    writer.finish().unwrap();
}

#[test]
fn a_reservoir_of_ones_own_is_read_in_its_own_units() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str| {
        Trial::new(folder.path().join(format!("{name}-out")))
            .params(json!({ "file": folder.path().join(name) }))
            .run(&Case)
    };
    write(&folder.path().join("good"), "", "m");
    let done = run("good").unwrap();
    let injected = number(&read_metrics(done.output("summary")).unwrap()["injected_kg"]).unwrap();
    // 5 kg/s for a year of 365.25 days.
    assert!((injected / (5.0 * 365.25 * 86_400.0) - 1.0).abs() < 1e-9, "{injected}");
    let solutions = Dataset::open(done.output("solutions")).unwrap();
    let outer = solutions.read::<f64>("r_face").unwrap()[12];
    assert!((outer / (0.1 * libm::pow(3.0, 12.0)) - 1.0).abs() < 1e-12);

    write(&folder.path().join("incomplete"), "swi", "m");
    let text = run("incomplete").err().unwrap().to_string();
    assert!(text.contains("has no variable `swi`"), "{text}");
    write(&folder.path().join("wrong"), "", "bar");
    let text = run("wrong").err().unwrap().to_string();
    assert!(text.contains("`z_face` is in `bar`, which cannot be converted to `m`"), "{text}");
}

#[test]
fn a_case_without_a_file_is_refused() {
    let text = Trial::new("/nonexistent").run(&Case).err().unwrap().to_string();
    assert_eq!(text, "file: a file is needed");
}
