//! What simulator and surrogate cost at the same error.

mod coarse;
mod frontier;

pub use coarse::Coarse;
pub use frontier::{Point, break_even, cost_at_error};
