//! `quantum/round`: from relaxed solutions to cuts.

use flow_plugin::artifact::Dataset;
use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};

use super::data::{assignments_port, best, graph, graph_port, mean, write_assignments};
use crate::cut::{Assignment, hyperplanes, signs};

/// Rounds.
pub(crate) struct Round;

/// Parameters of `quantum/round`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct RoundParams {
    /// Random hyperplanes, for vectors.
    #[serde(default = "samples")]
    #[schemars(range(min = 1, max = 1_000_000))]
    samples: usize,
    /// The seed of the hyperplanes.
    #[serde(default)]
    seed: u64,
}

fn samples() -> usize {
    200
}

impl Operation for Round {
    type Params = RoundParams;

    fn spec(&self) -> Spec {
        let vectors = Port::new("vectors", Kind::Dataset, "A vector for each vertex, from `quantum/sdp`.")
            .of_type("quantum/vectors@1")
            .optional();
        let states = Port::new("states", Kind::Dataset, "Trained states, from `quantum/htaac`.")
            .of_type("quantum/states@1")
            .optional();
        Spec::new("round", 1, "Rounds vectors by random hyperplanes, amplitudes by their signs.")
            .tolerance(1e-2)
            .input(graph_port("graph"))
            .input(vectors)
            .input(states)
            .output(assignments_port("assignments", "The cuts."))
            .output(Port::new("metrics", Kind::Metrics, "`mean` and `best` cut, and how many `samples`."))
    }

    fn run(&self, params: RoundParams, context: &Context) -> Result<()> {
        let graph = graph(context)?;
        let open = |port| context.optional_input(port).map(|input| Dataset::open(&input.path)).transpose();
        let belongs = |found: Option<usize>, least: usize| match found {
            Some(count) if count >= least => Ok(count),
            _ => Err(Error::bad_input(format!("the solution is not one of this graph of {least} vertices"))),
        };
        let found: Vec<Assignment> = match (open("vectors")?, open("states")?) {
            (Some(vectors), None) => {
                belongs(vectors.dim("vertex"), graph.vertices())?;
                let rank = belongs(vectors.dim("component"), 1)?;
                hyperplanes(&graph, &vectors.read::<f64>("vector")?, rank, params.samples, params.seed)
            }
            (None, Some(states)) => {
                let size = belongs(states.dim("state"), graph.vertices())?;
                states.read::<f64>("amplitude")?.chunks_exact(size).map(|row| signs(&graph, row)).collect()
            }
            _ => {
                return Err(Error::bad_input("connect either `vectors` or `states`")
                    .hint("`vectors: sdp.solution` for hyperplanes, `states: htaac.states` for signs"));
            }
        };
        write_assignments(context.output("assignments")?, &found)?;
        let metrics = json!({
            "mean": mean(found.iter().map(Assignment::cut)),
            "best": best(&found).map(Assignment::cut),
            "samples": found.len(),
        });
        Ok(write_metrics(context.output("metrics")?, &metrics)?)
    }
}
