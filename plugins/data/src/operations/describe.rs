//! `data/describe`.

use flow_plugin::artifact::figure::FigureWriter;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Kind, Operation, Port, Result, Spec};

use super::{open, progress, told};
use crate::describe::{picture, table};
use crate::pieces::size;

/// Describes a dataset.
pub(crate) struct Describe;

/// Parameters of `data/describe`: none.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct DescribeParams {}

impl Operation for Describe {
    type Params = DescribeParams;

    fn spec(&self) -> Spec {
        Spec::new("describe", 1, "Shows what is in a dataset: statistics and a picture of each variable.")
            .doc(
                "List both outputs under `report:`. The picture of a variable of one dimension is a curve; of several, a \
                 map of the last two, at the first place of the others. Long dimensions are thinned out.",
            )
            .input(Port::new("data", Kind::Dataset, "The dataset."))
            .output(Port::new(
                "statistics",
                Kind::Table,
                "A row for each variable: type, shape, units, `min`, `mean`, `std`, `max`, `non_finite`.",
            ))
            .output(Port::new("figures", Kind::Figure, "A picture of each variable that has dimensions."))
            .tolerance(1e-12)
    }

    fn run(&self, _: DescribeParams, context: &Context) -> Result<()> {
        let data = open(context, "data")?;
        let mut figures = FigureWriter::create(context.output("figures")?)?;
        let mut progress = progress(context, size(data.variables()));
        let mut rows = Vec::new();
        for variable in data.variables() {
            rows.push((variable.clone(), data.statistics(&variable.name)?));
            if let Some((caption, figure)) = picture(&data, variable).map_err(told)? {
                figures.add(&variable.name, &caption, &figure.svg, &figure.png)?;
            }
            progress(size([variable])).map_err(told)?;
        }
        figures.finish()?;
        table(&rows).write(context.output("statistics")?)?;
        Ok(())
    }
}
