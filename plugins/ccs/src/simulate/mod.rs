//! Fully implicit two-phase (CO₂-rich, brine) finite-volume simulation.
//!
//! Unknowns are the gas pressure and the gas saturation of every cell, and the injector's
//! bottom-hole pressure. Fluxes are two-point with upstream mobilities, time is implicit Euler, and
//! each step is solved by Newton's method with analytic derivatives and a direct, line-by-line
//! linear solver that only carries a saturation unknown where there is gas.

mod case;
mod dense;
mod driver;
mod linear;
mod mesh;
mod potential;
mod predictor;
mod properties;
mod residual;
mod well;

#[cfg(test)]
mod jacobian_tests;

pub use case::{
    Case, Connection, Controls, Initial, Progress, Rock, SimulationError, Solution, Source, Statistics, Well,
};
pub use driver::simulate;
pub use potential::{SteadyPotential, steady_potential};
