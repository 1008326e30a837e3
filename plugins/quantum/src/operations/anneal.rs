//! `quantum/anneal` and `quantum/polish`: classical search.

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Kind, Operation, Port, Result, Spec};
use rayon::prelude::*;

use super::data::{assignments_port, best, graph, graph_port, mean, read_assignments, write_assignments};
use crate::cut::{Assignment, Schedule, anneal, one_flip};

/// Anneals from random starts.
pub(crate) struct Anneal;

/// Parameters of `quantum/anneal`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct AnnealParams {
    /// Times that every vertex is asked.
    #[serde(default = "sweeps")]
    #[schemars(range(min = 1, max = 100_000_000))]
    sweeps: usize,
    /// Runs.
    #[serde(default = "restarts")]
    #[schemars(range(min = 1, max = 100_000))]
    restarts: usize,
    /// Temperature at the start, in units of the root mean square of what a flip may change.
    #[serde(default = "hot")]
    #[schemars(range(min = 0, max = 1000))]
    hot: f64,
    /// Temperature at the end, in units of the mean absolute weight.
    #[serde(default = "cold")]
    #[schemars(range(min = 0, max = 1000))]
    cold: f64,
    /// The seed of the first run.
    #[serde(default)]
    seed: u64,
}

fn sweeps() -> usize {
    Schedule::default().sweeps
}

fn restarts() -> usize {
    5
}

fn hot() -> f64 {
    Schedule::default().hot
}

fn cold() -> f64 {
    Schedule::default().cold
}

/// Writes both outputs.
fn write(found: &[Assignment], context: &Context) -> Result<()> {
    write_assignments(context.output("assignments")?, found)?;
    let metrics = json!({
        "mean": mean(found.iter().map(Assignment::cut)),
        "best": best(found).map(Assignment::cut),
        "samples": found.len(),
    });
    Ok(write_metrics(context.output("metrics")?, &metrics)?)
}

fn metrics() -> Port {
    Port::new("metrics", Kind::Metrics, "`mean` and `best` cut, and how many `samples`.")
}

impl Operation for Anneal {
    type Params = AnnealParams;

    fn spec(&self) -> Spec {
        let doc = "Single flips by the rule of Metropolis, temperature falling linearly. What a classical computer \
                   does with the same time: the yardstick for everything else here.";
        Spec::new("anneal", 1, "Searches for large cuts by simulated annealing.")
            .doc(doc)
            .tolerance(1e-2)
            .input(graph_port("graph"))
            .output(assignments_port("assignments", "The cuts, one a run."))
            .output(metrics())
    }

    fn run(&self, params: AnnealParams, context: &Context) -> Result<()> {
        let graph = graph(context)?;
        let schedule = Schedule { sweeps: params.sweeps, hot: params.hot, cold: params.cold };
        let one = |run: usize| {
            context.check_cancelled()?;
            Ok(anneal(&graph, None, schedule, params.seed + run as u64))
        };
        let found = (0..params.restarts).into_par_iter().map(one).collect::<Result<Vec<_>>>()?;
        write(&found, context)
    }
}

/// Improves cuts.
pub(crate) struct Polish;

/// A classical search from a given cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "snake_case")]
enum Search {
    /// Vertices change sides as long as that helps.
    #[default]
    OneFlip,
    /// A cool annealing from the cut.
    Annealing,
}

/// Parameters of `quantum/polish`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct PolishParams {
    /// The search.
    #[serde(default)]
    method: Search,
    /// Times that every vertex is asked, for annealing.
    #[serde(default = "sweeps")]
    #[schemars(range(min = 1, max = 100_000_000))]
    sweeps: usize,
    /// Temperature at the start of annealing, in units of the root mean square of what a flip may change; low enough
    /// that the start is not forgotten.
    #[serde(default = "warm")]
    #[schemars(range(min = 0, max = 1000))]
    hot: f64,
    /// The seed of the first annealing.
    #[serde(default)]
    seed: u64,
}

fn warm() -> f64 {
    0.3
}

impl Operation for Polish {
    type Params = PolishParams;

    fn spec(&self) -> Spec {
        Spec::new("polish", 1, "Improves cuts by single flips, or by annealing from them.")
            .tolerance(1e-2)
            .input(graph_port("graph"))
            .input(assignments_port("assignments", "The cuts."))
            .output(assignments_port("assignments", "The cuts, improved."))
            .output(metrics())
    }

    fn run(&self, params: PolishParams, context: &Context) -> Result<()> {
        let graph = graph(context)?;
        let starts = read_assignments(&context.input("assignments")?.path, &graph)?;
        let schedule = Schedule { sweeps: params.sweeps, hot: params.hot, ..Schedule::default() };
        let one = |(run, start): (usize, &Assignment)| {
            context.check_cancelled()?;
            Ok(match params.method {
                Search::OneFlip => one_flip(&graph, start),
                Search::Annealing => anneal(&graph, Some(start), schedule, params.seed + run as u64),
            })
        };
        let found = starts.par_iter().enumerate().map(one).collect::<Result<Vec<_>>>()?;
        write(&found, context)
    }
}
