//! Simulators of quantum circuits.

pub mod brick;
pub(crate) mod buffer;
pub(crate) mod lanes;
pub(crate) mod team;

pub use lanes::{Isa, Real};
