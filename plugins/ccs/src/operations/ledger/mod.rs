//! `ccs/ledger`: what simulator and surrogate cost.

mod accounts;
mod measure;

use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Kind, Operation, ParamProblem, Port, Result, Spec};

use crate::data::{Reservoirs, Solutions};

/// Draws up the ledger.
pub(crate) struct Ledger;

/// A way to simulate with less effort.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct Level {
    /// Rings merged into one.
    #[schemars(range(min = 1, max = 64))]
    rings: usize,
    /// Rows merged into one.
    #[schemars(range(min = 1, max = 64))]
    rows: usize,
    /// Factor on the length of the time steps.
    #[schemars(range(min = 0.01, max = 1000))]
    steps: f64,
}

/// Parameters of `ccs/ledger`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct LedgerParams {
    /// How many test cases are timed, evenly spread over them.
    #[serde(default = "cases")]
    #[schemars(range(min = 1, max = 10_000))]
    cases: usize,
    /// Ways to simulate with less effort, among which those with the surrogate's error are sought.
    #[serde(default = "levels")]
    #[schemars(length(min = 1, max = 50))]
    levels: Vec<Level>,
    /// Bottom-hole pressure limit in bar, as in `ccs/simulate`.
    #[serde(default = "pressure_limit")]
    #[schemars(range(min = 2, max = 2000), extend("x-unit" = "bar"))]
    pressure_limit: f64,
}

fn cases() -> usize {
    16
}

fn pressure_limit() -> f64 {
    super::simulate::pressure_limit()
}

fn levels() -> Vec<Level> {
    let level = |rings, rows, steps| Level { rings, rows, steps };
    vec![
        level(1, 1, 2.0),
        level(1, 1, 5.0),
        level(2, 1, 2.0),
        level(2, 1, 5.0),
        level(1, 2, 2.0),
        level(1, 2, 5.0),
        level(2, 2, 2.0),
        level(2, 2, 5.0),
        level(2, 4, 5.0),
        level(4, 2, 5.0),
        level(4, 4, 5.0),
    ]
}

const DOC: &str = "\
Measures, alone on the machine and on one core, what a case costs

* the simulator at full accuracy (the settings that made the data),
* the simulator at the surrogate's own error: rings and rows are merged and steps lengthened (`levels`) until the \
error against full accuracy is that which `ccs/evaluate` found for the surrogate, in saturation (plume MPE) and in \
pressure (MRE) alike; between levels the cost is interpolated in logarithms,
* the surrogate for both fields: encoding as measured here, inference as `operators/time` measured it.

All in CPU seconds. What making the data and training took comes from the run that did it. `break_even` is the \
number of cases after which the surrogate has cost less in all than the simulator.

Published speed-ups are quoted in `accounts` as their authors' with their conditions: they compare other things.";

impl Operation for Ledger {
    type Params = LedgerParams;

    fn spec(&self) -> Spec {
        let metrics = |name, doc| Port::new(name, Kind::Metrics, doc);
        let inference = "What inference costs, from `operators/time`: one for each field (and seed).";
        Spec::new("ledger", 1, "Compares the cost of simulator and surrogate at equal error.")
            .doc(DOC)
            .measures()
            .input(Reservoirs::port("reservoirs", "The reservoirs."))
            .input(Solutions::port("solutions", "Their solutions at full accuracy."))
            .input(
                Port::new("encoded", Kind::Dataset, "The samples, for which of them are for testing.")
                    .of_type("operators/samples@1"),
            )
            .input(metrics("scores", "The surrogate's errors: `metrics` of `ccs/evaluate`."))
            .input(metrics("inference", inference).many())
            .input(
                Port::new("models", Kind::Model, "The trained models, for what they cost.").many().optional(),
            )
            .output(metrics("metrics", "All numbers."))
            .output(Port::new("levels", Kind::Table, "Cost and error of the simulator by level."))
            .output(Port::new("accounts", Kind::Table, "The ledger, line by line, with published figures."))
            .output(Port::new("figures", Kind::Figure, "Error against cost."))
    }

    fn check(&self, params: &LedgerParams) -> Vec<ParamProblem> {
        let bad = params.levels.iter().position(|l| l.rings == 0 || l.rows == 0 || l.steps <= 0.0);
        let problem = |at: usize| ParamProblem {
            at: format!("levels.{at}"),
            message: "rings and rows must be at least 1 and steps positive".into(),
            hint: None,
        };
        bad.map(problem).into_iter().collect()
    }

    fn run(&self, params: LedgerParams, context: &Context) -> Result<()> {
        let measured = measure::measure(&params, context)?;
        accounts::write(&measured, context)
    }
}
