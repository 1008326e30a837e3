//! Results must not change without the operation's version: a store would go on giving out the old ones.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use flow_artifact::dataset::Dataset;
use flow_artifact::metrics::{number, read_metrics};
use flow_artifact::model::read_model;
use serde_json::Value;

use crate::Operation;

/// Set it to store the results of operations whose version was raised.
const UPDATE: &str = "FLOW_STORE_RESULTS";

/// Some numbers that tell results apart, by name.
///
/// ```no_run
/// # use flow_plugin::{testing::{Fingerprint, Trial}, Operation};
/// # fn f(operation: &impl Operation) -> flow_plugin::Result<()> {
/// let done = Trial::new("/tmp/trial").run(operation)?;
/// let mut found = Fingerprint::default();
/// found.dataset(done.output("data"));
/// found.compare(operation, 1e-6, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stored"));
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct Fingerprint(BTreeMap<String, Vec<f64>>);

impl Fingerprint {
    /// Adds mean, root mean square and three of the values.
    pub fn values(&mut self, name: &str, values: &[f64]) {
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let rms = (values.iter().map(|v| v * v).sum::<f64>() / n).sqrt();
        let places = [values.len() / 7, values.len() / 2, values.len() * 5 / 6];
        let some = places.into_iter().filter_map(|at| values.get(at).copied());
        self.0.insert(name.to_owned(), [mean, rms].into_iter().chain(some).collect());
    }

    /// Adds every variable of a dataset.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn dataset(&mut self, path: &Path) {
        let dataset = readable(Dataset::open(path));
        for variable in dataset.variables() {
            self.values(&variable.name, &readable(dataset.read_wide(&variable.name)));
        }
    }

    /// Adds every number of a file of metrics.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn metrics(&mut self, path: &Path) {
        self.members("metrics", &Value::Object(readable(read_metrics(path))));
    }

    /// Adds every tensor of a model.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn model(&mut self, path: &Path) {
        for tensor in readable(read_model(path)).tensors {
            let values: Vec<f32> = readable(tensor.values());
            self.values(&tensor.name, &values.into_iter().map(f64::from).collect::<Vec<_>>());
        }
    }

    /// Takes out what may differ from machine to machine.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    fn members(&mut self, prefix: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| self.members(&format!("{prefix}.{name}"), value));
            }
            other => self.0.extend(number(other).map(|v| (prefix.to_owned(), vec![v]))),
        }
    }

    /// Compares with what was stored in `folder` (`NAME.json`) when the operation got its version. Every number may
    /// differ by `tolerance` times the largest of its name.
    ///
    /// # Panics
    /// When they differ, or nothing is stored for this version.
    pub fn compare(&self, operation: &impl Operation, tolerance: f64, folder: impl AsRef<Path>) {
        let spec = operation.spec();
        let (name, version) = (&spec.name, spec.version);
        let path = folder.as_ref().join(format!("{name}.json"));
        let how = format!(
            "raise the version of `{name}` in its `spec`, then store the new results by running this test \
             with {UPDATE}=1"
        );
        let text = std::fs::read_to_string(&path).ok();
        let stored: Option<(u32, BTreeMap<String, Vec<f64>>)> =
            text.and_then(|text| serde_json::from_str(&text).ok());
        let Some((_, stored)) = stored.filter(|(of, _)| *of == version) else {
            assert!(
                std::env::var_os(UPDATE).is_some(),
                "no results of version {version} of `{name}` are stored; {how}"
            );
            let text = readable(serde_json::to_string_pretty(&(version, &self.0)));
            readable(std::fs::create_dir_all(folder.as_ref()));
            readable(std::fs::write(&path, text + "\n"));
            return;
        };
        let names = |all: &BTreeMap<String, Vec<f64>>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&self.0), names(&stored), "`{name}` gives other outputs; {how}");
        for ((at, wanted), values) in stored.iter().zip(self.0.values()) {
            let scale = wanted.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
            let same = values.len() == wanted.len()
                && values.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= tolerance * scale);
            assert!(same, "results of `{name}` have changed: {at} was {wanted:?}, is {values:?}; {how}");
        }
    }
}

fn readable<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
