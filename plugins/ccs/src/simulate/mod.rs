//! Fully implicit two-phase (CO₂-rich, brine) finite-volume simulation on r–z and Cartesian grids.
//!
//! **Equations.** Mass balances of water and CO₂ in every cell, immiscible and isothermal:
//! `d/dt(φ ρ_a S_a) + div(ρ_a u_a) = q_a`, `u_a = -(k k_ra/μ_a)(∇p_a - ρ_a g)`, `p_g - p_w = Pc`. Unknowns
//! are the gas pressure and the gas saturation of every cell and the injector's bottom-hole
//! pressure.
//!
//! **Space.** Two-point fluxes with given or computed transmissibilities; mobilities from the
//! upstream cell of each phase's own potential; the density of the gravity term is the mean of both
//! cells.
//!
//! **Time.** Implicit Euler. Steps end at the report times; between them a step is at most
//! `relative_step` of the time reached (but need not be shorter than `short_step`). A step that does
//! not converge is repeated with a third of its length.
//!
//! **Newton.** Analytic derivatives, saturation changes limited to 0.2 an iteration, started from the
//! last state moved outwards with `r²/t` constant (`predictor`). A step is accepted when every cell
//! balances to `cell_tolerance` of its pore volume, the sums over all cells to `balance_tolerance` of
//! the mass injected in the step, and the last pressure update was small.
//!
//! **Linear solver.** Direct and line by line (`linear`), with a saturation unknown only where there
//! is gas or gas arrives.
//!
//! Everything is serial and allocation-free inside the Newton loop: samples run in parallel outside.
//!
//! **Where mutual solubility would enter.** `residual` balances components and reads phase
//! quantities from `properties::CellState`; a dissolved fraction is a further factor on the phase
//! masses and mobilities there, and a further meaning of the second unknown.

mod case;
mod dense;
mod driver;
mod linear;
mod mesh;
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
