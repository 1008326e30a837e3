//! `data/split`.

use std::collections::BTreeMap;

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Kind, Operation, ParamProblem, Port, Result, Spec};

use super::{open, progress, told};
use crate::cut::{Part, Places, cut};
use crate::pieces::size;
use crate::split::{By, split};

/// Divides samples into parts.
pub(crate) struct Split;

/// Parameters of `data/split`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct SplitParams {
    /// The dimension to divide.
    #[serde(default = "sample")]
    dim: String,
    /// What decides which sample comes into which part.
    #[serde(default)]
    by: Rule,
    /// The variable along that dimension whose values tell groups or times apart: for `by: group` and `by: time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variable: Option<String>,
    /// The shares of the parts. They need not add up to 1; a part with 0 is not written.
    #[serde(default)]
    shares: Shares,
    /// The seed of chance.
    #[serde(default)]
    seed: u64,
}

/// A rule by which samples are divided.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "lowercase")]
pub(crate) enum Rule {
    /// Chance.
    #[default]
    Random,
    /// Chance, but samples with equal values of the variable stay together, such as those of one patient.
    Group,
    /// The earliest to training, the latest to testing; equal times stay together.
    Time,
}

/// Shares of the parts.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct Shares {
    /// Of the samples for training.
    #[schemars(range(min = 0.0))]
    train: f64,
    /// Of the samples for validation.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    validation: f64,
    /// Of the samples for testing.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    test: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { train: 0.8, validation: 0.1, test: 0.1 }
    }
}

impl Shares {
    fn all(self) -> [(&'static str, f64); 3] {
        [("train", self.train), ("validation", self.validation), ("test", self.test)]
    }
}

fn sample() -> String {
    "sample".into()
}

impl Operation for Split {
    type Params = SplitParams;

    fn spec(&self) -> Spec {
        Spec::new("split", 1, "Divides samples into training, validation and test data: by chance, group or time.")
            .doc(
                "Variables that have the dimension are divided, the others are in every part. Within a part samples \
                 keep their order. The same seed gives the same parts; a group is never divided.",
            )
            .input(Port::new("data", Kind::Dataset, "The samples."))
            .output(Port::new("train", Kind::Dataset, "The samples for training."))
            .output(Port::new("validation", Kind::Dataset, "The samples for validation, if they have a share."))
            .output(Port::new("test", Kind::Dataset, "The samples for testing, if they have a share."))
            .output(Port::new("counts", Kind::Metrics, "How many samples each part has."))
    }

    fn check(&self, params: &SplitParams) -> Vec<ParamProblem> {
        let problem = |at: &str, message: &str| {
            vec![ParamProblem { at: at.to_owned(), message: message.to_owned(), hint: None }]
        };
        let shares = params.shares.all();
        if shares.iter().any(|(_, share)| !share.is_finite() || *share < 0.0) {
            return problem("shares", "shares are numbers from 0");
        }
        if shares.iter().all(|(_, share)| *share == 0.0) {
            return problem("shares", "at least one share must be more than 0");
        }
        match (params.by, &params.variable) {
            (Rule::Group | Rule::Time, None) => {
                problem("variable", "which variable tells groups or times apart?")
            }
            (Rule::Random, Some(_)) => {
                problem("variable", "chance needs no variable; `by: group` or `by: time` do")
            }
            _ => Vec::new(),
        }
    }

    fn outputs(&self, params: &SplitParams, _: &[Port]) -> Vec<Port> {
        let mut outputs = self.spec().outputs;
        for (name, share) in params.shares.all() {
            outputs.retain(|port| port.name != name || share > 0.0);
        }
        outputs
    }

    fn run(&self, params: SplitParams, context: &Context) -> Result<()> {
        let data = open(context, "data")?;
        let variable = params.variable.as_deref().unwrap_or_default();
        let by = match params.by {
            Rule::Random => By::Chance(params.seed),
            Rule::Group => By::Group(variable, params.seed),
            Rule::Time => By::Order(variable),
        };
        let named: Vec<(&str, f64)> =
            params.shares.all().into_iter().filter(|(_, share)| *share > 0.0).collect();
        let shares: Vec<f64> = named.iter().map(|(_, share)| *share).collect();
        let places = split(&data, &params.dim, &shares, by).map_err(told)?;
        let mut counts = BTreeMap::new();
        let mut parts = Vec::new();
        for ((name, _), places) in named.iter().zip(places) {
            counts.insert((*name).to_owned(), places.len() as f64);
            let places = Places(BTreeMap::from([(params.dim.clone(), places)]));
            parts.push(Part { places, to: context.output(name)? });
        }
        let mut progress = progress(context, size(data.variables()));
        cut(&data, data.variables(), &parts, &mut progress).map_err(told)?;
        write_metrics(context.output("counts")?, &counts)?;
        Ok(())
    }
}
