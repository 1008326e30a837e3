//! `ccs/compare`: a simulation against a reference.

use flow_plugin::artifact::figure::FigureWriter;
use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::table::Table;
use flow_plugin::figure::{LineChart, Scale, Series};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Port, Result, Spec};

use super::case::missing;
use crate::case_file::ArrayFile;
use crate::data::Solutions;
use crate::evaluate::{Snapshot, compare};

/// Compares with a reference.
pub(crate) struct Compare;

/// Parameters of `ccs/compare`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct CompareParams {
    /// The reference: an `.npz` file or a data set with `sg` (gas saturation) and `dp_bar` (change of the gas-phase
    /// pressure in bar), both of shape (time, z, r) on the simulation's grid and report times.
    #[serde(default)]
    #[schemars(with = "String", extend("format" = "path"))]
    reference: Option<String>,
    /// Report times before this are printed but do not count, in days.
    #[serde(default = "from")]
    #[schemars(range(min = 0), extend("x-unit" = "d"))]
    from: f64,
}

fn from() -> f64 {
    17.0
}

const DOC: &str = "\
At every report time:

* the mean of abs(ΔS) over the cells where either gas saturation exceeds 0.001,
* the relative L2 error of the pressure build-up, norm(ΔdP) / norm(dP), over all cells.

The metrics hold the largest of each from day `from` on; earlier times are in the table.";

impl Operation for Compare {
    type Params = CompareParams;

    fn spec(&self) -> Spec {
        Spec::new("compare", 1, "Compares a simulation with a reference solution.")
            .doc(DOC)
            .tolerance(1e-3)
            .input(Solutions::port("solutions", "The simulation: its first reservoir is compared."))
            .output(Port::new("metrics", Kind::Metrics, "The largest errors."))
            .output(Port::new("times", Kind::Table, "Errors by report time."))
            .output(Port::new("figures", Kind::Figure, "Errors against time."))
    }

    fn check(&self, params: &CompareParams) -> Vec<ParamProblem> {
        missing("reference", params.reference.as_ref())
    }

    fn run(&self, params: CompareParams, context: &Context) -> Result<()> {
        let solutions = Solutions::open(&context.input("solutions")?.path)?;
        let time = &solutions.coordinates().time;
        let path = params.reference.ok_or_else(|| Error::bad_input("`reference` is missing"))?;
        let unreadable =
            |error: crate::case_file::SourceError| Error::from(error).context("the reference cannot be read");
        let file = ArrayFile::open(path.as_ref()).map_err(unreadable)?;
        let shape = [time.len(), solutions.coordinates().rows(), solutions.coordinates().columns()];
        let field = |name: &str, units: &str| -> Result<Vec<f64>> {
            let array = file.array(name, units).map_err(unreadable)?;
            if array.shape == shape {
                return Ok(array.values);
            }
            let found = array.shape;
            Err(Error::bad_input(format!(
                "`{name}` of the reference has shape {found:?}, the simulation {shape:?}"
            )))
        };
        let (sg, dp) = (field("sg", "1")?, field("dp_bar", "bar")?);
        let snapshots = compare(&solutions.saturation(0)?, &solutions.buildup(0)?, &sg, &dp, time.len());
        context.note("       day  plume mean |dS|  plume max |dS|  dP rel. L2".to_owned());
        for (t, s) in time.iter().zip(&snapshots) {
            context.note(format!(
                "{t:10.2}  {:15.5}  {:14.5}  {:10.5}",
                s.plume_mae, s.plume_max, s.pressure_l2
            ));
        }
        let counted: Vec<&Snapshot> =
            time.iter().zip(&snapshots).filter(|(t, _)| **t >= params.from).map(|(_, s)| s).collect();
        if counted.is_empty() {
            return Err(Error::bad_input(format!("no report time lies at or after day {}", params.from)));
        }
        let largest = |value: fn(&Snapshot) -> f64| counted.iter().map(|s| value(s)).fold(0.0, f64::max);
        let metrics = json!({
            "plume_mae_max": largest(|s| s.plume_mae),
            "pressure_l2_max": largest(|s| s.pressure_l2),
            "snapshots": counted.len(),
        });
        write_metrics(context.output("metrics")?, &metrics)?;
        Table::new()
            .with("day", time.clone())
            .with("plume_mae", snapshots.iter().map(|s| s.plume_mae).collect::<Vec<f64>>())
            .with("plume_max", snapshots.iter().map(|s| s.plume_max).collect::<Vec<f64>>())
            .with("pressure_l2", snapshots.iter().map(|s| s.pressure_l2).collect::<Vec<f64>>())
            .write(context.output("times")?)?;
        let series = |value: fn(&Snapshot) -> f64| {
            time.iter().copied().zip(snapshots.iter().map(value)).collect::<Vec<_>>()
        };
        let chart = LineChart::new("Difference from the reference")
            .x_axis("time (d)", Scale::Log)
            .y_axis("error", Scale::Log)
            .series(Series::new("plume mean |ΔS|", series(|s| s.plume_mae)).dots())
            .series(Series::new("relative L2 of dP", series(|s| s.pressure_l2)).dots())
            .render();
        let mut writer = FigureWriter::create(context.output("figures")?)?;
        writer.add("errors", "Errors against the reference by report time.", &chart.svg, &chart.png)?;
        Ok(writer.finish()?)
    }
}
