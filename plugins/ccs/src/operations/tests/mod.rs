//! Operations run as the engine runs them, on problems small enough for a test.
#![allow(clippy::unwrap_used)]

mod case;
mod encode;
mod evaluate;
mod ledger;
mod simulate;
mod stored;

use std::path::{Path, PathBuf};

use flow_plugin::Kind;
use flow_plugin::artifact::Dataset;
use flow_plugin::serde_json::{Value, json};
use flow_plugin::testing::{Finished, Trial};

use super::*;

/// A grid on which a simulation takes some hundredths of a second.
pub(super) fn small_grid() -> Value {
    json!({ "columns": 20, "rows": 8, "first_ring": 20.0, "times": 6, "time_growth": 3.0, "first_time": 20.0 })
}

pub(super) fn draw(folder: &Path, samples: u32) -> Finished {
    let params = json!({ "samples": samples, "seed": 3, "grid": small_grid() });
    Trial::new(folder).params(params).run(&Geology).unwrap()
}

/// Reservoirs, their solutions and what networks see of them.
pub(super) struct Prepared {
    folder: tempfile::TempDir,
    drawn: Finished,
    simulated: Finished,
    pub(super) encoded: Finished,
}

impl Prepared {
    pub(super) fn new(samples: u32, test: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let drawn = draw(&path("geology"), samples);
        let reservoirs = drawn.output("reservoirs");
        let simulate = Trial::new(path("simulate")).input("reservoirs", Kind::Dataset, reservoirs);
        let simulated = simulate.run(&Simulate).unwrap();
        let encoded = Trial::new(path("encode"))
            .input("reservoirs", Kind::Dataset, reservoirs)
            .input("solutions", Kind::Dataset, simulated.output("solutions"))
            .params(json!({ "test": test }))
            .run(&Encode)
            .unwrap();
        Self { folder, drawn, simulated, encoded }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A run of an operation that reads all three.
    pub(super) fn trial(&self, name: &str) -> Trial {
        Trial::new(self.path(name))
            .input("reservoirs", Kind::Dataset, self.drawn.output("reservoirs"))
            .input("solutions", Kind::Dataset, self.simulated.output("solutions"))
            .input("encoded", Kind::Dataset, self.encoded.output("encoded"))
    }
}

/// All values of all variables.
pub(super) fn contents(path: &Path) -> Vec<(String, Vec<f64>)> {
    let dataset = Dataset::open(path).unwrap();
    dataset.variables().iter().map(|v| (v.name.clone(), dataset.read_wide(&v.name).unwrap())).collect()
}

#[test]
fn more_reservoirs_extend_a_data_set_without_changing_it() {
    let folder = tempfile::tempdir().unwrap();
    let few = draw(&folder.path().join("few"), 3);
    let many = draw(&folder.path().join("many"), 5);
    let params = json!({ "samples": 2, "first": 3, "seed": 3, "grid": small_grid() });
    let rest = Trial::new(folder.path().join("rest")).params(params).run(&Geology).unwrap();
    let (few, rest) = (contents(few.output("reservoirs")), contents(rest.output("reservoirs")));
    for (((name, all), (_, few)), (_, rest)) in
        contents(many.output("reservoirs")).into_iter().zip(few).zip(rest)
    {
        if all.len() == few.len() {
            assert_eq!(all, few, "{name}");
        } else {
            assert_eq!(all, [few, rest].concat(), "{name}");
        }
    }
}

#[test]
fn wrong_ranges_are_found_before_anything_runs() {
    let run = |with: Value| Trial::new("/nonexistent").params(with).run(&Geology).err().unwrap().to_string();
    let text = run(json!({ "samples": 1, "ranges": { "temperature": [20, 400], "swi": [0.3, 0.1] } }));
    assert!(
        text.contains("ranges.temperature: [20, 400] must be an increasing pair within 31.5 to 300 °C"),
        "{text}"
    );
    assert!(text.contains("ranges.swi"), "{text}");
    let text = run(json!({ "samples": 1, "ranges": { "thickness": [10, 400] } }));
    assert!(text.contains("do not fit into a grid of 200 m"), "{text}");
    let text = run(json!({ "samples": 1, "ranges": { "permeability": [10, 400] } }));
    assert!(text.contains("unknown field `permeability`"), "{text}");
}
