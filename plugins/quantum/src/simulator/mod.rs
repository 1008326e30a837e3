//! Simulators of quantum circuits.

pub mod brick;
pub(crate) mod lanes;
mod team;

pub use lanes::{Isa, Real};
