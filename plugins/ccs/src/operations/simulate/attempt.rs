//! Simulating one sample, with more careful steps if need be.

use std::ops::ControlFlow;

use super::outcome::{Failure, FailureKind, Outcome};
use crate::data::{Coordinates, Sample, Setting, Solved, case, narrow};
use crate::simulate::{Controls, SimulationError, Solution, simulate};

/// What came of it, or `None` if `stop` said so.
pub(super) fn attempt(
    coordinates: &Coordinates,
    sample: &Sample,
    setting: &Setting,
    retries: u32,
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<Outcome> {
    let mut setting = setting.clone();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut monitor = |_: &_| if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let result = case(coordinates, sample, &setting).and_then(|case| simulate(&case, &mut monitor));
        let error = match result.and_then(whole) {
            Ok(solved) => return Some(Outcome::Solved { solved, attempts }),
            Err(error) => error,
        };
        let kind = match error {
            SimulationError::Cancelled => return None,
            SimulationError::PressureLimit { .. } => FailureKind::PressureLimit,
            _ => FailureKind::NotConverged,
        };
        let hopeless = matches!(error, SimulationError::PressureLimit { .. } | SimulationError::Case(_));
        if hopeless || attempts > retries {
            return Some(Outcome::Failed(Failure { kind, message: error.to_string(), attempts }));
        }
        setting.controls = careful(&setting.controls, coordinates);
    }
}

/// Steps that grow more slowly, stay shorter and have more iterations to converge.
fn careful(controls: &Controls, coordinates: &Coordinates) -> Controls {
    let first = coordinates.time.first().copied().unwrap_or(1.0);
    Controls {
        first_step: Some(0.1 * controls.first_step.unwrap_or(first)),
        min_step: 0.01 * controls.min_step,
        relative_step: 0.5 * controls.relative_step,
        max_growth: 1.0 + 0.4 * (controls.max_growth - 1.0),
        max_newton: 2 * controls.max_newton,
        max_saturation_update: 0.5 * controls.max_saturation_update,
        max_total_newton: 3 * controls.max_total_newton,
        ..*controls
    }
}

/// The solution in the data set's precision. One that is not finite everywhere is none.
fn whole(solution: Solution) -> Result<Solved, SimulationError> {
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let s = &solution.statistics;
    let solved = Solved {
        newton: count(s.newton),
        steps: count(s.steps),
        mass_error: s.mass_error as f32,
        saturation: narrow(&solution.saturation),
        buildup: narrow(&solution.buildup),
    };
    let finite = solved.saturation.iter().chain(&solved.buildup).all(|v| v.is_finite());
    // The balance of each step is far tighter; anything like this means that the steps lied.
    const MASS_ERROR: f32 = 1e-4;
    if finite && solved.mass_error <= MASS_ERROR {
        return Ok(solved);
    }
    let error = solved.mass_error;
    Err(SimulationError::Case(format!(
        "the result is not finite or does not conserve mass (error {error:e})"
    )))
}
