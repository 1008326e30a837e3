//! What a neural operator sees of a reservoir, and how its answers are scaled.
//!
//! Beside the reservoir's own fields and numbers the input holds what cheap physics says about the answer: one
//! steady single-phase solve (pressure, flow, times of flight), the radius a piston of CO₂ would reach, the time
//! CO₂ needs to rise. A network learns the corrections.

mod banded;
mod channels;
mod fluids;
mod steady;

pub use channels::{CHANNELS, EncodeError, Encoded, encode};
pub use fluids::Fluids;
pub use steady::{Steady, SteadyError, steady};
