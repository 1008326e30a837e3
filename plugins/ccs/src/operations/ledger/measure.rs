//! Timing the simulator.

use std::ops::ControlFlow;

use flow_plugin::artifact::Dataset;
use flow_plugin::measure::cpu_seconds;
use flow_plugin::{Context, Error, Result};

use super::{LedgerParams, Level};
use crate::data::{Reservoirs, Sample, Setting, Solutions, case, narrow};
use crate::encode::encode;
use crate::evaluate::{mean, score_pressure, score_saturation};
use crate::ledger::{Coarse, Point};
use crate::simulate::{Controls, simulate};

/// One level: what it costs and how far it is from full accuracy, means over cases.
pub(super) struct Measured {
    pub(super) level: Level,
    /// CPU seconds a case.
    pub(super) cost: f64,
    pub(super) plume_mpe: f64,
    pub(super) pressure_mre: f64,
    /// Cases that did not run through at this level.
    pub(super) failed: usize,
}

impl Measured {
    /// In the measure of the saturation. A level at which cases fail is no way to compute the answer.
    pub(super) fn saturation(&self) -> Point {
        Point { cost: self.cost, error: if self.failed == 0 { self.plume_mpe } else { f64::INFINITY } }
    }

    /// In the measure of the pressure.
    pub(super) fn pressure(&self) -> Point {
        Point { cost: self.cost, error: if self.failed == 0 { self.pressure_mre } else { f64::INFINITY } }
    }
}

/// What was measured.
pub(super) struct Measurements {
    pub(super) cases: usize,
    /// CPU seconds a case at full accuracy: mean, median, largest.
    pub(super) full: [f64; 3],
    pub(super) levels: Vec<Measured>,
    /// CPU seconds to encode a case.
    pub(super) encode: f64,
}

/// A result with the CPU seconds that it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = cpu_seconds();
    let result = work();
    (result, cpu_seconds() - start)
}

const FULL: Level = Level { rings: 1, rows: 1, steps: 1.0 };

pub(super) fn measure(params: &LedgerParams, context: &Context) -> Result<Measurements> {
    let reservoirs = Reservoirs::open(&context.input("reservoirs")?.path)?;
    let solutions = Solutions::open(&context.input("solutions")?.path)?;
    let ids = chosen(context, params.cases)?;
    let setting = Setting {
        compressibility: reservoirs.compressibility(),
        salinity: reservoirs.salinity(),
        pressure_limit: params.pressure_limit,
        controls: Controls::default(),
    };
    let samples: Vec<Sample> = ids
        .iter()
        .map(|id| {
            let at = reservoirs.position(*id);
            let at = at.ok_or_else(|| Error::bad_input(format!("there is no reservoir of number {id}")))?;
            Ok(reservoirs.sample(at)?)
        })
        .collect::<Result<_>>()?;
    let bench = Bench { reservoirs: &reservoirs, solutions: &solutions, setting: &setting };
    let all: Vec<Level> = std::iter::once(FULL).chain(params.levels.iter().copied()).collect();
    let total = (all.len() * samples.len()) as u64;
    let mut levels = Vec::new();
    let mut full = Vec::new();
    for (number, level) in all.into_iter().enumerate() {
        let mut costs = Vec::new();
        let (mut plume, mut pressure, mut failed) = (Vec::new(), Vec::new(), 0);
        for (at, sample) in samples.iter().enumerate() {
            context.check_cancelled()?;
            context.progress((number * samples.len() + at) as u64, total, "simulations", "");
            let (errors, seconds) = bench.run(sample, level, context)?;
            costs.push(seconds);
            match errors {
                Some((s, p)) => {
                    plume.push(s);
                    pressure.push(p);
                }
                None => failed += 1,
            }
        }
        if number == 0 {
            full.clone_from(&costs);
        }
        levels.push(Measured {
            level,
            cost: mean(&costs),
            plume_mpe: mean(&plume),
            pressure_mre: mean(&pressure),
            failed,
        });
    }
    full.sort_by(f64::total_cmp);
    let (encoded, seconds) = timed(|| {
        samples
            .iter()
            .map(|sample| {
                encode(reservoirs.coordinates(), sample, setting.salinity).map(|e| e.pressure_scale)
            })
            .collect::<Result<Vec<f64>, _>>()
    });
    encoded?;
    Ok(Measurements {
        cases: samples.len(),
        full: [mean(&full), full[full.len() / 2], full[full.len() - 1]],
        levels,
        encode: seconds / samples.len() as f64,
    })
}

struct Bench<'a> {
    reservoirs: &'a Reservoirs,
    solutions: &'a Solutions,
    setting: &'a Setting,
}

impl Bench<'_> {
    /// Errors (plume MPE, pressure MRE) of a level against the stored solution, and the CPU seconds of simulating;
    /// building the coarse reservoir and the fluid tables is part of it, as it is of any simulation.
    fn run(&self, sample: &Sample, level: Level, context: &Context) -> Result<(Option<(f64, f64)>, f64)> {
        let fine = self.reservoirs.coordinates();
        let default = self.setting.controls;
        let controls = Controls {
            relative_step: default.relative_step * level.steps,
            short_step: default.short_step * level.steps,
            ..default
        };
        let setting = Setting { controls, ..self.setting.clone() };
        let mut monitor =
            |_: &_| if context.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let ((coarse, result), seconds) = timed(|| {
            let coarse = Coarse::new(fine, sample, level.rings, level.rows);
            let problem = case(&coarse.coordinates, &coarse.sample, &setting);
            let result = problem.and_then(|problem| simulate(&problem, &mut monitor));
            (coarse, result)
        });
        context.check_cancelled()?;
        let Ok(solution) = result else { return Ok((None, seconds)) };
        let at = self.solutions.ids().iter().position(|id| *id == sample.id);
        let at =
            at.ok_or_else(|| Error::bad_input(format!("there is no solution of number {}", sample.id)))?;
        let (s, p) =
            (coarse.refine(&narrow(&solution.saturation)), coarse.refine(&narrow(&solution.buildup)));
        let saturation =
            score_saturation(fine, &sample.active, &sample.porosity, &self.solutions.saturation(at)?, &s);
        let pressure = score_pressure(&sample.active, &self.solutions.buildup(at)?, &p);
        Ok((Some((saturation.plume_mpe, pressure.mre)), seconds))
    }
}

/// Numbers of the test cases to time, evenly spread.
fn chosen(context: &Context, count: usize) -> Result<Vec<i64>> {
    let encoded = Dataset::open(&context.input("encoded")?.path)?;
    let ids: Vec<i64> = encoded.read("sample")?;
    let split: Vec<u8> = encoded.read("split")?;
    let test: Vec<i64> =
        ids.into_iter().zip(split).filter(|(_, split)| *split == 2).map(|(id, _)| id).collect();
    if test.is_empty() {
        return Err(Error::bad_input("there are no test samples to time").hint("set `test` of ccs/encode"));
    }
    let count = count.min(test.len());
    Ok((0..count).map(|j| test[j * test.len() / count]).collect())
}
