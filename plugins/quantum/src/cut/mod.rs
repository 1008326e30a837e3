//! Cuts of graphs: rounding, improving, annealing.

mod anneal;
mod assignment;
mod polish;
mod round;
#[cfg(test)]
mod tests;

pub use anneal::{Schedule, anneal};
pub use assignment::Assignment;
pub use polish::one_flip;
pub use round::{hyperplanes, signs};
