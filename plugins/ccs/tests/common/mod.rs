//! Shared by the verification tests.
#![allow(dead_code, clippy::unwrap_used)]

use flow_ccs::simulate::{Case, Solution, simulate};
use flow_plugin::artifact::import::Npz;
use std::ops::ControlFlow;
use std::path::PathBuf;

pub(crate) fn data(name: &str) -> Npz {
    Npz::open(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).expect("test data")
}

pub(crate) fn run(case: &Case) -> Solution {
    simulate(case, &mut |_| ControlFlow::Continue(())).expect("the case converges")
}

/// Steps of exactly `dt` days.
pub(crate) fn fixed_steps(case: &mut Case, dt: f64) {
    case.controls.first_step = Some(dt);
    case.controls.max_step = dt;
    case.controls.short_step = f64::INFINITY;
}

/// Steps of at most `share` of the time reached, starting from `first` days.
pub(crate) fn relative_steps(case: &mut Case, first: f64, share: f64) {
    case.controls.first_step = Some(first);
    case.controls.short_step = first;
    case.controls.relative_step = share;
}

pub(crate) fn snapshot<'a>(field: &'a [f64], case: &Case, time: usize) -> &'a [f64] {
    let n = case.grid.cells();
    &field[time * n..(time + 1) * n]
}
