//! `data/select`.

use std::collections::BTreeMap;

use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Kind, Operation, ParamProblem, Port, Result, Spec};

use super::{open, progress, told};
use crate::cut::{Part, cut};
use crate::pieces::size;
use crate::select::{Keep, places, variables};

/// Chooses variables and places.
pub(crate) struct Select;

/// Parameters of `data/select`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct SelectParams {
    /// The variables to keep. Without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variables: Option<Vec<String>>,
    /// Variables to leave out.
    #[serde(default)]
    without: Vec<String>,
    /// For each dimension that is to be cut, what is kept of it. Of the others everything is.
    #[serde(default)]
    dims: BTreeMap<String, Cut>,
}

/// What is kept of a dimension: `places`, or a part of the way from `start` to before `end`, or the places whose
/// coordinate lies `within` two values.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct Cut {
    /// Places, counted from 0, in rising order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    places: Option<Vec<usize>>,
    /// The first place, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<usize>,
    /// The first place that is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<usize>,
    /// Keep every so many-th.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    step: Option<usize>,
    /// The smallest and largest coordinate that is kept: values of the variable called like the dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<(f64, f64)>,
}

impl Cut {
    fn keep(&self) -> Result<Keep, String> {
        let steps = self.start.is_some() || self.end.is_some() || self.step.is_some();
        match (&self.places, steps, self.within) {
            (Some(places), false, None) if places.is_sorted_by(|a, b| a < b) => {
                Ok(Keep::Places(places.clone()))
            }
            (Some(_), false, None) => Err("places must be in rising order, each once".to_owned()),
            (None, true, None) => Ok(Keep::Steps(self.start.unwrap_or(0), self.end, self.step.unwrap_or(1))),
            (None, false, Some((low, high))) if low <= high => Ok(Keep::Within(low, high)),
            (None, false, Some((low, high))) => Err(format!("{low} is larger than {high}")),
            _ => Err("one of `places`, `within`, and `start`, `end` and `step` is needed".to_owned()),
        }
    }
}

impl Operation for Select {
    type Params = SelectParams;

    fn spec(&self) -> Spec {
        Spec::new("select", 1, "Keeps some variables of a dataset, and some places of its dimensions.")
            .doc(
                "    with:\n      variables: [temperature, time]\n      dims:\n        time: { within: [0, 86400] }\n        \
                 lat: { start: 0, end: 90, step: 2 }\n        level: { places: [0, 3, 7] }",
            )
            .input(Port::new("data", Kind::Dataset, "The dataset."))
            .output(Port::new("data", Kind::Dataset, "What is kept of it."))
    }

    fn check(&self, params: &SelectParams) -> Vec<ParamProblem> {
        let wrong = |(dim, cut): (&String, &Cut)| {
            let message = cut.keep().err()?;
            Some(ParamProblem { at: format!("dims.{dim}"), message, hint: None })
        };
        params.dims.iter().filter_map(wrong).collect()
    }

    fn run(&self, params: SelectParams, context: &Context) -> Result<()> {
        let data = open(context, "data")?;
        let kept = variables(&data, params.variables.as_deref(), &params.without).map_err(told)?;
        let keep = params.dims.iter().map(|(dim, cut)| Ok((dim.clone(), cut.keep()?)));
        let keep: BTreeMap<String, Keep> =
            keep.collect::<Result<_, String>>().map_err(flow_plugin::Error::bad_input)?;
        let places = places(&data, &keep).map_err(told)?;
        let mut progress = progress(context, size(&kept));
        let parts = [Part { places, to: context.output("data")? }];
        cut(&data, &kept, &parts, &mut progress).map_err(told)
    }
}
