//! Operations on datasets.

use std::collections::BTreeMap;

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::{Dataset, DatasetWriter, Variable};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Kind, Operation, Port, Result, Spec};

/// Writes travelling waves.
pub(crate) struct Wave;

/// Parameters of `demo/wave`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct WaveParams {
    /// The number of cells along the line, which is 1 m long.
    #[serde(default = "cells")]
    #[schemars(range(min = 1, max = 1_000_000))]
    cells: usize,
    /// The number of times, 0.1 s apart.
    #[serde(default = "times")]
    #[schemars(range(min = 1, max = 10_000))]
    times: usize,
    /// The height of the wave, in metres.
    #[serde(default = "amplitude")]
    amplitude: f64,
}

fn cells() -> usize {
    32
}

fn times() -> usize {
    8
}

fn amplitude() -> f64 {
    1.0
}

/// The time between two rows of the dataset, in seconds.
const STEP: f64 = 0.1;

impl Operation for Wave {
    type Params = WaveParams;

    fn spec(&self) -> Spec {
        Spec::new("wave", 1, "Writes a sine wave that travels one wavelength of 1 m a second.")
            .output(
                Port::new("wave", Kind::Dataset, "The height of the wave, by time and place.")
                    .variable("height", "f32", ["time", "x"], "m")
                    .variable("time", "f64", ["time"], "s")
                    .variable("x", "f64", ["x"], "m"),
            )
            // A few roundings to single precision.
            .tolerance(1e-6)
    }

    fn run(&self, params: WaveParams, context: &Context) -> Result<()> {
        let WaveParams { cells, times, amplitude } = params;
        let x: Vec<f64> = (0..cells).map(|i| (i as f64 + 0.5) / cells as f64).collect();
        let time: Vec<f64> = (0..times).map(|i| i as f64 * STEP).collect();
        let mut writer = DatasetWriter::create(context.output("wave")?)?;
        writer.write(&Variable::new::<f64>("x", &["x"], &[cells], "m", "Centre of the cell"), &x)?;
        writer.write(&Variable::new::<f64>("time", &["time"], &[times], "s", "Time"), &time)?;
        let height =
            Variable::new::<f32>("height", &["time", "x"], &[times, cells], "m", "Height of the wave");
        let mut rows = writer.stream::<f32>(&height)?;
        for (done, &t) in time.iter().enumerate() {
            let sine = |&x: &f64| libm::sin(2.0 * std::f64::consts::PI * (x - t));
            let row: Vec<f32> = x.iter().map(|x| (amplitude * sine(x)) as f32).collect();
            writer.append(&mut rows, &row)?;
            context.progress(done as u64 + 1, times as u64, "times", "");
            context.check_cancelled()?;
        }
        writer.finish()?;
        Ok(())
    }
}

/// Averages a variable of datasets.
pub(crate) struct Mean;

/// Parameters of `demo/mean`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct MeanParams {
    /// The variable to average.
    #[serde(default = "height")]
    variable: String,
}

fn height() -> String {
    "height".into()
}

impl Operation for Mean {
    type Params = MeanParams;

    fn spec(&self) -> Spec {
        Spec::new("mean", 1, "Averages a variable of one dataset or several, over all its values.")
            .input(Port::new("data", Kind::Dataset, "The datasets.").many())
            .output(Port::new("metrics", Kind::Metrics, "For each dataset: `mean`, `std`, `min` and `max`."))
    }

    fn run(&self, params: MeanParams, context: &Context) -> Result<()> {
        let mut metrics = BTreeMap::new();
        for (at, data) in context.inputs("data").iter().enumerate() {
            let found = Dataset::open(&data.path)?.statistics(&params.variable)?;
            let axes: Vec<String> =
                data.coordinates.iter().map(|(axis, at)| format!("{axis}={at}")).collect();
            let name = if axes.is_empty() { format!("dataset {}", at + 1) } else { axes.join(",") };
            let numbers = [("mean", found.mean), ("std", found.std), ("min", found.min), ("max", found.max)];
            metrics.insert(name, BTreeMap::from(numbers));
        }
        write_metrics(context.output("metrics")?, &metrics)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use flow_plugin::artifact::metrics::{number, read_metrics};
    use flow_plugin::serde_json::json;
    use flow_plugin::testing::Trial;

    use super::*;

    #[test]
    fn a_wave_has_no_mean_and_the_standard_deviation_of_a_sine() {
        let folder = tempfile::tempdir().unwrap();
        let wave = Trial::new(folder.path().join("wave"))
            .params(json!({ "cells": 64, "times": 5, "amplitude": 2.0 }))
            .run(&Wave)
            .unwrap();
        let data = Dataset::open(wave.output("wave")).unwrap();
        let declared = Operation::spec(&Wave).outputs.remove(0).variables;
        for (variable, declared) in data.variables().iter().zip(&declared) {
            let actual = (&variable.name, variable.dtype.name(), &variable.dims, &variable.units);
            assert_eq!(actual, (&declared.name, declared.dtype.as_str(), &declared.dims, &declared.units));
        }
        let mean = Trial::new(folder.path().join("mean"))
            .input("data", Kind::Dataset, wave.output("wave"))
            .input("data", Kind::Dataset, wave.output("wave"))
            .run(&Mean)
            .unwrap();
        let metrics = read_metrics(mean.output("metrics")).unwrap();
        assert_eq!(metrics.len(), 2);
        let value = |name: &str| number(&metrics["dataset 1"][name]).unwrap();
        // Values are rounded to single precision.
        assert!(value("mean").abs() < 1e-6);
        assert!((value("std") - 2.0 / 2_f64.sqrt()).abs() < 1e-6);
    }
}
