//! `ccs/simulate`: two-phase flow in every reservoir.

mod attempt;
mod outcome;

use std::sync::atomic::{AtomicU64, Ordering};

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::table::Table;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};
use rayon::prelude::*;

use self::attempt::attempt;
use self::outcome::{Failure, FailureKind, Outcome, Shelf};
use crate::data::{Reservoirs, Setting, Solutions, SolutionsWriter};
use crate::simulate::Controls;

/// Simulates reservoirs.
pub(crate) struct Simulate;

/// Parameters of `ccs/simulate`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct SimulateParams {
    /// Bottom-hole pressure, in bar, that the injector must not exceed. A reservoir that needs more is left out.
    #[serde(default = "pressure_limit")]
    #[schemars(range(min = 2, max = 2000))]
    #[schemars(extend("x-unit" = "bar"))]
    pressure_limit: f64,
    /// How often a reservoir that does not converge is tried again with more careful time steps.
    #[serde(default = "retries")]
    #[schemars(range(max = 5))]
    retries: u32,
    /// Most Newton iterations for one reservoir in the first attempt, thrice as many in each further one.
    #[serde(default = "newton_limit")]
    #[schemars(range(min = 10, max = 10_000_000))]
    newton_limit: usize,
}

/// The default limit, bar.
pub(super) fn pressure_limit() -> f64 {
    1000.0
}

fn retries() -> u32 {
    2
}

fn newton_limit() -> usize {
    Controls::default().max_total_newton
}

const DOC: &str = "\
Fully implicit finite volumes: two phases (CO₂-rich and brine, immiscible), upstream mobilities, gravity, capillary \
pressure scaled after Leverett, compressible rock and fluids (Span–Wagner CO₂, Fenghour viscosity, Batzle–Wang \
brine), one injector of constant mass rate over its perforated rows.

A reservoir that does not converge is tried again with more careful steps. One that still fails, or whose \
injector needs more than `pressure_limit`, is left out of `solutions` and listed in `failures` with the reason; \
`summary` counts them. Finished reservoirs are kept until all are done: a run that is broken off goes on with the \
missing ones.";

impl Operation for Simulate {
    type Params = SimulateParams;

    fn spec(&self) -> Spec {
        Spec::new("simulate", 1, "Simulates CO₂ injection into every reservoir.")
            .doc(DOC)
            .checkpoints()
            .tolerance(1e-3)
            .input(Reservoirs::port("reservoirs", "The reservoirs."))
            .output(Solutions::port("solutions", "Saturation and pressure of those that were simulated."))
            .output(Port::new("summary", Kind::Metrics, "How many were simulated, and at what effort."))
            .output(Port::new("failures", Kind::Table, "Those left out, and why."))
    }

    fn run(&self, params: SimulateParams, context: &Context) -> Result<()> {
        let reservoirs = Reservoirs::open(&context.input("reservoirs")?.path)?;
        let ids = reservoirs.ids();
        let shelf = shelf(context)?;
        let controls = Controls { max_total_newton: params.newton_limit, ..Controls::default() };
        let setting = Setting {
            compressibility: reservoirs.compressibility(),
            salinity: reservoirs.salinity(),
            pressure_limit: params.pressure_limit,
            controls,
        };
        let missing: Vec<usize> = (0..ids.len()).filter(|at| shelf.find(ids[*at]).is_none()).collect();
        let kept = ids.len() - missing.len();
        if kept > 0 {
            context.note(format!("going on: {kept} of {} reservoirs are done", ids.len()));
        }
        let (total, done) = (ids.len() as u64, AtomicU64::new(kept as u64));
        context.progress(kept as u64, total, "samples", "");
        missing.par_iter().with_max_len(1).try_for_each(|&at| -> Result<()> {
            context.check_cancelled()?;
            let sample = reservoirs.sample(at)?;
            let stop = || context.is_cancelled();
            let outcome = attempt(reservoirs.coordinates(), &sample, &setting, params.retries, &stop)
                .ok_or_else(Error::cancelled)?;
            shelf.keep(sample.id, &outcome)?;
            context.progress(done.fetch_add(1, Ordering::Relaxed) + 1, total, "samples", "");
            Ok(())
        })?;
        collect(context, &reservoirs, &shelf)?;
        shelf.clear()
    }
}

/// Where finished samples are kept: with the checkpoints, or beside the outputs where none are kept.
fn shelf(context: &Context) -> Result<Shelf> {
    match context.checkpoints() {
        Some(checkpoints) => Shelf::new(&checkpoints.folder().join("samples")),
        None => Shelf::new(&context.output("solutions")?.with_extension("samples")),
    }
}

/// Writes the outputs from what is kept, in the order of the reservoirs.
fn collect(context: &Context, reservoirs: &Reservoirs, shelf: &Shelf) -> Result<()> {
    let mut writer = SolutionsWriter::create(context.output("solutions")?, reservoirs.coordinates())?;
    let mut failures: Vec<(i64, Failure)> = Vec::new();
    let (mut newton, mut steps, mut retried, mut worst) = (0i64, 0i64, 0u32, 0.0f64);
    for (at, &id) in reservoirs.ids().iter().enumerate() {
        match shelf.find(id) {
            Some(Outcome::Solved { solved, attempts }) => {
                writer.append(id, &reservoirs.sample(at)?.active, &solved)?;
                newton += i64::from(solved.newton);
                steps += i64::from(solved.steps);
                retried += u32::from(attempts > 1);
                worst = worst.max(f64::from(solved.mass_error));
            }
            Some(Outcome::Failed(failure)) => failures.push((id, failure)),
            None => {
                return Err(Error::failed(format!("the kept result of reservoir {id} was lost or damaged")));
            }
        }
    }
    writer.finish()?;
    let samples = reservoirs.ids().len();
    let of = |kind: FailureKind| failures.iter().filter(|(_, f)| f.kind == kind).count();
    let (limited, failed) = (of(FailureKind::PressureLimit), of(FailureKind::NotConverged));
    let solved = samples - failures.len();
    for (id, failure) in &failures {
        context.info(format!("reservoir {id} is left out: {}", failure.message));
    }
    if limited > 0 {
        context.note(format!(
            "{limited} of {samples} reservoirs need more pressure at the injector than allowed, and are left out"
        ));
    }
    if failed * 100 > samples {
        context.warn(format!("{failed} of {samples} reservoirs did not converge and are left out"));
    }
    if solved == 0 {
        let reason = failures.first().map(|(_, f)| f.message.clone()).unwrap_or_default();
        return Err(Error::failed("no reservoir could be simulated to the end").context(reason));
    }
    let mean = |sum: i64| sum as f64 / solved as f64;
    let summary = json!({
        "samples": samples,
        "simulated": solved,
        "retried": retried,
        "not_converged": failed,
        "not_converged_fraction": failed as f64 / samples as f64,
        "pressure_limit": limited,
        "pressure_limit_fraction": limited as f64 / samples as f64,
        "newton_iterations_mean": mean(newton),
        "time_steps_mean": mean(steps),
        "mass_error_max": worst,
    });
    write_metrics(context.output("summary")?, &summary)?;
    write_failures(context, &failures)
}

fn write_failures(context: &Context, failures: &[(i64, Failure)]) -> Result<()> {
    let text = |f: fn(&Failure) -> String| failures.iter().map(|(_, failure)| f(failure)).collect::<Vec<_>>();
    let table = Table::new()
        .with("sample", failures.iter().map(|(id, _)| *id).collect::<Vec<i64>>())
        .with("reason", text(|f| f.kind.name().to_owned()))
        .with("attempts", failures.iter().map(|(_, f)| i64::from(f.attempts)).collect::<Vec<i64>>())
        .with("message", text(|f| f.message.clone()));
    Ok(table.write(context.output("failures")?)?)
}
