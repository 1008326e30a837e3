//! `operators/time`.

use flow_plugin::artifact::{Dataset, metrics::write_metrics};
use flow_plugin::measure::cpu_seconds;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};

use super::model::load;
use super::predict::{check, read};
use super::{MODEL, SAMPLES, failed};
use crate::samples::channels_first;
use crate::train::predict;

/// Times a network.
pub(crate) struct Time;

/// Parameters of `operators/time`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields, default)]
pub(crate) struct TimeParams {
    /// Repetitions, of which the median counts.
    #[schemars(range(min = 1, max = 100_000))]
    repetitions: usize,
    /// Samples in a batch.
    #[schemars(range(min = 1, max = 4096))]
    batch_size: usize,
}

impl Default for TimeParams {
    fn default() -> Self {
        Self { repetitions: 20, batch_size: 16 }
    }
}

const DOC: &str = "\
Measures what a prediction costs, on one thread: reading the sample, putting it in the network's order, the network, \
and putting the result in the data's order. `seconds_per_sample` is the median of CPU seconds for one sample by \
itself, `batched_seconds_per_sample` for one of a batch. The model is loaded before.";

impl Operation for Time {
    type Params = TimeParams;

    fn spec(&self) -> Spec {
        Spec::new("time", 2, "Measures what a prediction costs.")
            .doc(DOC)
            .measures()
            .input(Port::new("model", Kind::Model, "The network.").of_type(MODEL))
            .input(Port::new("data", Kind::Dataset, "What it reads.").of_type(SAMPLES))
            .output(Port::new("metrics", Kind::Metrics, "CPU seconds a sample."))
    }

    fn run(&self, params: TimeParams, context: &Context) -> Result<()> {
        let (model, config) = load(&context.input("model")?.path)?;
        let dataset = Dataset::open(&context.input("data")?.path)?;
        check(&dataset, &config)?;
        let count = dataset.variable(&config.input)?.shape[0];
        let median = |batch: usize| -> Result<f64> {
            let mut seconds = Vec::new();
            // One round first, so that code and memory are warm.
            for round in 0..=params.repetitions {
                context.check_cancelled()?;
                let rows: Vec<usize> = (0..batch).map(|i| (round * batch + i) % count).collect();
                let start = cpu_seconds();
                let (x, mask) = read(&dataset, &config, &rows)?;
                let prediction =
                    predict(&model, x, &mask, config.size, config.lower_bound).map_err(failed)?;
                let fields = channels_first(&prediction, config.outputs, config.size[0] * config.size[1]);
                std::hint::black_box(fields);
                if round > 0 {
                    seconds.push((cpu_seconds() - start) / batch as f64);
                }
            }
            seconds.sort_by(f64::total_cmp);
            Ok(seconds[seconds.len() / 2])
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
        let (single, batched) = pool.install(|| Ok::<_, Error>((median(1)?, median(params.batch_size)?)))?;
        let metrics = json!({
            "seconds_per_sample": single,
            "batched_seconds_per_sample": batched,
            "batch_size": params.batch_size,
            "threads": 1,
        });
        Ok(write_metrics(context.output("metrics")?, &metrics)?)
    }
}
