//! `data/concat`.

use flow_plugin::artifact::Dataset;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Input, Kind, Operation, Port, Result, Spec};

use super::{progress, told};
use crate::concat::concat;
use crate::pieces::size;

/// Joins datasets.
pub(crate) struct Concat;

/// Parameters of `data/concat`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct ConcatParams {
    /// The dimension to join along. If no dataset has it, each becomes one place of it.
    #[serde(default = "sample")]
    dim: String,
}

fn sample() -> String {
    "sample".into()
}

impl Operation for Concat {
    type Params = ConcatParams;

    fn spec(&self) -> Spec {
        Spec::new("concat", 1, "Joins datasets along a dimension, one after the other, or as places of a new one.")
            .doc(
                "    join: { uses: data/concat, inputs: { data: [read.data] }, with: { dim: time } }\n\n\
                 The datasets must have the same variables, in the same types and units. A variable without the \
                 dimension must be equal in all, and stays once. Order is that of the collection.",
            )
            .input(Port::new("data", Kind::Dataset, "The datasets, in order.").many())
            .output(Port::new("data", Kind::Dataset, "All of them as one."))
    }

    fn run(&self, params: ConcatParams, context: &Context) -> Result<()> {
        let inputs = context.inputs("data");
        let all = inputs.iter().map(|input| Ok(Dataset::open(&input.path)?)).collect::<Result<Vec<_>>>()?;
        let names: Vec<String> = inputs.iter().enumerate().map(|(at, input)| name(at, input)).collect();
        let mut progress = progress(context, all.iter().map(|data| size(data.variables())).sum());
        concat(&all, &names, &params.dim, context.output("data")?, &mut progress).map_err(told)
    }
}

/// How a message calls a dataset.
fn name(at: usize, input: &Input) -> String {
    let axes: Vec<String> = input.coordinates.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
    if axes.is_empty() {
        format!("dataset {}", at + 1)
    } else {
        format!("the dataset of {}", axes.join(", "))
    }
}
