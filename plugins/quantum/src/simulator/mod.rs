//! Simulators of quantum circuits.

pub mod brick;
mod lanes;
mod team;

pub use lanes::{Isa, Real};
