//! `data/normalize`.

use flow_plugin::artifact::metrics::{read_metrics, write_metrics};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::{self, Value};
use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Port, Result, Spec};

use super::{open, progress, told};
use crate::normalize::{self, Scalings, apply, fit, is_scaled};
use crate::pieces::size;

/// Scales variables.
pub(crate) struct Normalize;

/// Parameters of `data/normalize`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct NormalizeParams {
    /// The variables to scale. Without it, all of floating point that are no coordinates; with connected
    /// statistics, all that these are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variables: Option<Vec<String>>,
    /// What they are scaled to. With connected statistics it is theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<Method>,
    /// Undo it, with connected statistics.
    #[serde(default)]
    inverse: bool,
}

/// What variables are scaled to.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "lowercase")]
pub(crate) enum Method {
    /// Mean 0 and standard deviation 1: what is done if nothing is said.
    Standard,
    /// The smallest value to 0, the largest to 1.
    Range,
}

const DOC: &str = "\
Statistics are taken from the data, and put out so that the same scaling can be applied to other data, and undone:

    scale:   { uses: data/normalize, inputs: { data: split.train } }
    test:    { uses: data/normalize, inputs: { data: split.test, statistics: scale.statistics } }
    restore: { uses: data/normalize, inputs: { data: predict.data, statistics: scale.statistics }, with: { inverse: true } }

`statistics` has `offset`, `scale` and `units` for each variable: scaled = (value - offset) / scale. Scaled variables have \
the units `1`; undoing gives them back. A variable that is constant becomes 0. Values that are not finite do not count, \
and stay.";

impl Operation for Normalize {
    type Params = NormalizeParams;

    fn spec(&self) -> Spec {
        Spec::new("normalize", 1, "Scales variables to mean 0 and deviation 1, or to 0 to 1, and back.")
            .doc(DOC)
            .input(Port::new("data", Kind::Dataset, "The dataset."))
            .input(
                Port::new("statistics", Kind::Metrics, "Of other data, to scale as those were.").optional(),
            )
            .output(Port::new("data", Kind::Dataset, "The dataset, scaled."))
            .output(Port::new(
                "statistics",
                Kind::Metrics,
                "For each variable: `offset`, `scale` and `units`.",
            ))
            .tolerance(1e-12)
    }

    fn check(&self, params: &NormalizeParams) -> Vec<ParamProblem> {
        if params.inverse && params.method.is_some() {
            let message = "undoing goes by the statistics, not by a method".to_owned();
            return vec![ParamProblem { at: "method".to_owned(), message, hint: None }];
        }
        Vec::new()
    }

    fn run(&self, params: NormalizeParams, context: &Context) -> Result<()> {
        let data = open(context, "data")?;
        let names = params.variables;
        let total = size(data.variables());
        let scalings = if let Some(input) = context.optional_input("statistics") {
            if params.method.is_some() {
                return Err(Error::bad_input(
                    "both `statistics` and a `method` are given: which of them counts?",
                ));
            }
            let value = Value::Object(read_metrics(&input.path)?);
            let mut known: Scalings = serde_json::from_value(value).map_err(|error| {
                Error::bad_input(format!("`statistics` are not those of data/normalize: {error}"))
            })?;
            if let Some(unknown) = names.iter().flatten().find(|name| !known.contains_key(*name)) {
                return Err(Error::bad_input(format!("the statistics have no variable `{unknown}`")));
            }
            // A prediction may lack the inputs, which the statistics have.
            known.retain(|name, _| {
                data.variable(name).is_ok() && names.as_ref().is_none_or(|names| names.contains(name))
            });
            known
        } else if params.inverse {
            return Err(Error::bad_input("undoing needs `statistics`: connect those of the scaling"));
        } else {
            let names = names.unwrap_or_else(|| {
                data.variables().iter().filter(|v| is_scaled(v)).map(|v| v.name.clone()).collect()
            });
            let method = match params.method {
                None | Some(Method::Standard) => normalize::Method::Standard,
                Some(Method::Range) => normalize::Method::Range,
            };
            fit(&data, &names, method, &mut progress(context, 2 * total)).map_err(told)?
        };
        if scalings.is_empty() {
            context.warn("no variable was scaled");
        }
        let mut progress = progress(context, total);
        apply(&data, &scalings, params.inverse, context.output("data")?, &mut progress).map_err(told)?;
        write_metrics(context.output("statistics")?, &scalings)?;
        Ok(())
    }
}
