//! Operations that take time, and operations that fail.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};

/// Counts slowly, with progress, a metric and checkpoints.
pub(crate) struct Count;

/// Parameters of `demo/count`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct CountParams {
    /// How far to count.
    #[schemars(range(max = 1_000_000))]
    to: u64,
    /// How long each step takes, in milliseconds.
    #[serde(default = "ten")]
    step_ms: u64,
    /// Add the numbers up from the largest down: then no longer count begins as a shorter one does.
    #[serde(default)]
    down: bool,
}

fn ten() -> u64 {
    10
}

impl Operation for Count {
    type Params = CountParams;

    fn spec(&self) -> Spec {
        Spec::new("count", 1, "Counts slowly: progress, a metric, and states to go on from.")
            .checkpoints()
            .extendable("to")
            .input(Port::new("after", Kind::File, "Anything to wait for.").optional())
            .output(Port::new(
                "metrics",
                Kind::Metrics,
                "`count`: the number reached; `sum`: of all numbers.",
            ))
    }

    fn continues(&self, params: &CountParams) -> bool {
        !params.down
    }

    fn run(&self, params: CountParams, context: &Context) -> Result<()> {
        let (start, mut sum) = match context.resume()? {
            Some(state) => {
                context.info(format!("going on from {}", state.step));
                (state.step, flow_plugin::serde_json::from_slice::<u64>(&state.bytes)?)
            }
            None => (0, 0),
        };
        for step in start + 1..=params.to {
            thread::sleep(Duration::from_millis(params.step_ms));
            sum += if params.down { params.to + 1 - step } else { step };
            context.metric("sum", step, sum as f64);
            context.progress(step, params.to, "steps", "");
            if context.is_cancelled() || step % 20 == 0 {
                context.save(step, &flow_plugin::serde_json::to_vec(&sum)?)?;
            }
            context.check_cancelled()?;
        }
        context.keep(params.to, &flow_plugin::serde_json::to_vec(&sum)?)?;
        let metrics = json!({ "count": params.to, "sum": sum });
        fs::write(context.output("metrics")?, format!("{metrics:#}\n"))?;
        Ok(())
    }
}

/// Tells what something cost.
pub(crate) struct Cost;

/// Parameters of `demo/cost`: none.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct CostParams {}

impl Operation for Cost {
    type Params = CostParams;

    fn spec(&self) -> Spec {
        Spec::new("cost", 1, "Tells what computing its inputs cost: an operation that measures.")
            .measures()
            .input(Port::new("of", Kind::Dataset, "What is asked about.").many())
            .output(Port::new(
                "metrics",
                Kind::Metrics,
                "For each input: `wall_s` and `cpu_s`, in seconds, and `peak_mb`, the peak memory in megabytes.",
            ))
    }

    fn run(&self, _: CostParams, context: &Context) -> Result<()> {
        let mut metrics = BTreeMap::new();
        for (at, input) in context.inputs("of").iter().enumerate() {
            // Only operations that measure are told.
            let cost = input.cost.ok_or_else(|| Error::failed("what the input cost is not known"))?;
            let peak_mb = cost.peak_rss as f64 / 1e6;
            let numbers = [("wall_s", cost.wall_s), ("cpu_s", cost.cpu_s), ("peak_mb", peak_mb)];
            metrics.insert(format!("{}", at + 1), BTreeMap::from(numbers));
        }
        write_metrics(context.output("metrics")?, &metrics)?;
        Ok(())
    }
}

/// Fails.
pub(crate) struct Fail;

/// Parameters of `demo/fail`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct FailParams {
    /// How to fail.
    #[serde(default)]
    how: How,
}

/// A way to fail.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "lowercase")]
pub(crate) enum How {
    /// Report an error.
    #[default]
    Error,
    /// Panic.
    Panic,
    /// End the worker process.
    Exit,
    /// Succeed without writing the output.
    Forget,
}

impl Operation for Fail {
    type Params = FailParams;

    fn spec(&self) -> Spec {
        Spec::new("fail", 1, "Fails, in one of several ways.")
            .input(Port::new("after", Kind::File, "Anything to wait for.").optional())
            .output(Port::new("text", Kind::File, "Never written."))
    }

    fn run(&self, params: FailParams, _: &Context) -> Result<()> {
        match params.how {
            How::Error => Err(Error::failed("this operation always fails").hint("use another operation")),
            #[allow(clippy::panic, reason = "this is how it was asked to fail")]
            How::Panic => panic!("asked to panic"),
            How::Exit => std::process::exit(3),
            How::Forget => Ok(()),
        }
    }
}
