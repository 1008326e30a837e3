//! HTAAC-QSDP: the Hadamard-test, approximate-amplitude-constraint quantum semidefinite program for MaxCut
//! (Patti, Kossaifi, Anandkumar and Yelin, Quantum 7, 1057 (2023)), simulated.
//!
//! The signs of a graph's vertices are those of the amplitudes of a real state of `⌈log₂ N⌉` qubits. A brick circuit
//! prepares the state, and its angles are trained to make `⟨ψ|sin(αW)|ψ⟩` small, which the Hadamard test measures on
//! one ancilla, while the probabilities are kept even.

pub mod adam;
pub mod ancilla;
mod device;
pub mod hadamard;
pub mod loss;
mod mixed;
mod model;
mod solver;
#[cfg(test)]
mod tests;
pub mod walsh;

pub use device::{NOISY_QUBITS, Shots};
pub use loss::{Constraints, Loss, Objective, Reading, Value};
pub use solver::{Epoch, Gradient, Outcome, Problem, Settings, SolveError, Watch};
