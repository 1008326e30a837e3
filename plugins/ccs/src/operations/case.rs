//! `ccs/case`: a user's own reservoir.

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Port, Result, Spec};
use std::ops::ControlFlow;

use crate::case_file::{ArrayFile, read};
use crate::data::{Solutions, SolutionsWriter, Solved, narrow};
use crate::simulate::simulate;

/// Simulates a reservoir from a file.
pub(crate) struct Case;

/// Parameters of `ccs/case`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct CaseParams {
    /// The reservoir: a data set (a Zarr folder) or an `.npz` file.
    #[serde(default)]
    #[schemars(with = "String", extend("format" = "path"))]
    file: Option<String>,
    /// Factor on the length of the time steps: below 1 for more accuracy, above for less.
    #[serde(default = "one")]
    #[schemars(range(min = 0.001, max = 1000))]
    steps: f64,
}

fn one() -> f64 {
    1.0
}

const DOC: &str = "\
Reads a reservoir and simulates it. Two layouts are understood.

**Rock**: a data set, or an `.npz` file, with `r_face`, `z_face` (m), `time` (d), `kr`, `kz` (mD) and `porosity` of shape \
(rows, columns), `active` (optional), and the numbers `rate` (Mt/a), `pressure_top` (bar), `temperature` (degC), \
`perforation_top`, `perforation_bottom` (m), `swi`, `lambda`, `entry_pressure` (bar, at 100 mD and porosity 0.2), and \
optionally `curve` (0 Brooks–Corey, 1 van Genuchten), `salinity` (mass fraction), `rock_compressibility` (bar-1). A data \
set may use other units of the same dimension; the variables of an `.npz` file must be in these.

**Transmissibilities**: an `.npz` file with `rf` (m), `dz` (m), `pv` (m³), `tx`, `tz` and `cf` (cP·m³/(day·bar)), `perf` \
(first and last perforated row, from 1), `q_mt` (Mt/a), `p_top` (bar), `T` (°C), `cr` (1/bar), `sgwfn` (tables of S_g, \
k_rg, k_rw and Pc in bar, joined by straight lines), `times_days`.";

/// A problem if a path parameter was not given.
pub(super) fn missing(parameter: &str, given: Option<&String>) -> Vec<ParamProblem> {
    let problem = || ParamProblem {
        at: parameter.to_owned(),
        message: "a file is needed".into(),
        hint: Some(format!("write `{parameter}: PATH`")),
    };
    if given.is_none() { vec![problem()] } else { Vec::new() }
}

impl Operation for Case {
    type Params = CaseParams;

    fn spec(&self) -> Spec {
        Spec::new("case", 1, "Simulates a reservoir of your own.")
            .doc(DOC)
            .tolerance(1e-3)
            .output(Solutions::port("solutions", "Saturation and pressure of the one reservoir."))
            .output(Port::new("summary", Kind::Metrics, "Effort and mass balance."))
    }

    fn check(&self, params: &CaseParams) -> Vec<ParamProblem> {
        missing("file", params.file.as_ref())
    }

    fn run(&self, params: CaseParams, context: &Context) -> Result<()> {
        let path = params.file.ok_or_else(|| Error::bad_input("`file` is missing"))?;
        let unreadable = |error: Error| error.context("the reservoir cannot be read");
        let file = ArrayFile::open(path.as_ref()).map_err(|error| unreadable(error.into()))?;
        let mut problem = read(&file).map_err(|error| unreadable(error.into()))?;
        let controls = &mut problem.case.controls;
        controls.relative_step *= params.steps;
        controls.short_step *= params.steps;
        let end = problem.coordinates.time.last().copied().unwrap_or(1.0);
        let solution = simulate(&problem.case, &mut |progress| {
            // Plumes grow with a power of time, and so do steps: the logarithm of time is what passes evenly.
            let share = libm::log1p(progress.time) / libm::log1p(end);
            context.progress((1000.0 * share) as u64, 1000, "", &format!("day {:.0}", progress.time));
            if context.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        context.check_cancelled()?;
        let solution = solution?;
        solution.warnings.iter().for_each(|warning| context.warn(warning));
        let s = &solution.statistics;
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let solved = Solved {
            saturation: narrow(&solution.saturation),
            buildup: narrow(&solution.buildup),
            newton: count(s.newton),
            steps: count(s.steps),
            mass_error: s.mass_error as f32,
        };
        let active: Vec<u8> = problem.case.active.iter().map(|a| u8::from(*a)).collect();
        let mut writer = SolutionsWriter::create(context.output("solutions")?, &problem.coordinates)?;
        writer.append(0, &active, &solved)?;
        writer.finish()?;
        let summary = json!({
            "newton_iterations": s.newton,
            "time_steps": s.steps,
            "repeated_steps": s.cuts,
            "mass_error": s.mass_error,
            "injected_kg": s.injected,
        });
        Ok(write_metrics(context.output("summary")?, &summary)?)
    }
}
