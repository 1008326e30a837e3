//! Quantum circuits of general gates: simulated with complex amplitudes, differentiated, written, read and drawn.
//!
//! A circuit is made ready once, and run for as many angles as one likes. Gradients are those of any function of the
//! amplitudes: the caller gives its derivatives by them. Here of the probability that both qubits are 1, `sin²(θ/2)`:
//!
//! ```
//! use flow_quantum::circuit::{Angle, Circuit, Compiled, Complex, Gate};
//!
//! let circuit = Circuit::new(2).with(Gate::Ry(Angle::Free(0)), &[0]).controlled(&[0], Gate::X, &[1]);
//! let compiled = Compiled::new(&circuit)?;
//! for theta in [0.3, 1.2] {
//!     let state = compiled.run(&[theta]);
//!     assert!((state.probabilities()[3] - (theta / 2.0_f64).sin().powi(2)).abs() < 1e-15);
//!     // |ψ₃|² has the derivatives 2 Re ψ₃ and 2 Im ψ₃.
//!     let mut cotangent = [Complex::ZERO; 4];
//!     cotangent[3] = state.amplitudes[3].scale(2.0);
//!     let gradient = compiled.gradient(&[theta], state, &cotangent);
//!     assert!((gradient[0] - theta.sin() / 2.0).abs() < 1e-15);
//! }
//! # Ok::<(), flow_quantum::circuit::CircuitError>(())
//! ```

mod complex;
mod density;
mod draw;
mod gate;
mod group;
mod kernel;
mod noise;
pub mod qasm;
mod schedule;
mod simulate;
#[cfg(test)]
mod tests;

pub use complex::Complex;
pub use density::{DensityMatrix, trajectory};
pub use draw::draw;
pub use gate::{Angle, Gate, Operation};
pub use noise::Noise;
pub use simulate::{Compiled, State};

use crate::simulator::brick::Ansatz;

/// A list of gates on some qubits. Qubit 0 is the most significant bit of an amplitude's index.
#[derive(Clone, Debug, PartialEq)]
pub struct Circuit {
    /// Qubits.
    pub qubits: usize,
    /// How many free angles there are.
    pub angles: usize,
    /// The gates, in order.
    pub operations: Vec<Operation>,
}

/// A circuit that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CircuitError {
    /// A qubit that is not there.
    #[error("gate {gate} acts on qubit {qubit}, and there are {qubits}")]
    Qubit {
        /// Which gate, from 1.
        gate: usize,
        /// The qubit.
        qubit: usize,
        /// How many there are.
        qubits: usize,
    },
    /// A gate that takes another number of qubits, or one of them twice.
    #[error("gate {gate} ({name}) takes {takes} different qubits")]
    Count {
        /// Which gate, from 1.
        gate: usize,
        /// Its name.
        name: &'static str,
        /// How many it takes.
        takes: usize,
    },
    /// An angle that is not there.
    #[error("gate {gate} takes angle {angle}, and there are {angles}")]
    Angle {
        /// Which gate, from 1.
        gate: usize,
        /// The angle's number.
        angle: usize,
        /// How many there are.
        angles: usize,
    },
}

impl Circuit {
    /// A circuit without gates.
    #[must_use]
    pub fn new(qubits: usize) -> Self {
        Self { qubits, angles: 0, operations: Vec::new() }
    }

    /// Adds a gate, and the free angles that it has.
    #[must_use]
    pub fn with(self, gate: Gate, qubits: &[usize]) -> Self {
        self.controlled(&[], gate, qubits)
    }

    /// Adds a gate that acts only where all controls are 1.
    #[must_use]
    pub fn controlled(mut self, controls: &[usize], gate: Gate, qubits: &[usize]) -> Self {
        for angle in gate.angles() {
            if let Angle::Free(angle) = angle {
                self.angles = self.angles.max(angle + 1);
            }
        }
        self.operations.push(Operation { gate, qubits: qubits.to_vec(), controls: controls.to_vec() });
        self
    }

    /// The brick circuit of the variational solver, with free angles.
    #[must_use]
    pub fn of_ansatz(ansatz: Ansatz) -> Self {
        let mut circuit = Self { qubits: ansatz.qubits, angles: ansatz.angles(), operations: Vec::new() };
        for layer in 0..ansatz.layers {
            for qubit in 0..ansatz.qubits {
                let angle = Angle::Free(layer * ansatz.qubits + qubit);
                circuit = circuit.with(Gate::Ry(angle), &[qubit]);
            }
            for (a, b) in ansatz.pairs(layer) {
                circuit = circuit.controlled(&[a], Gate::Z, &[b]);
            }
        }
        circuit
    }

    /// The same circuit with numbers for its free angles.
    ///
    /// # Panics
    /// When there are too few angles.
    #[must_use]
    pub fn bound(&self, angles: &[f64]) -> Self {
        let operations = self.operations.iter().map(|operation| Operation {
            gate: operation.gate.map(|angle| Angle::Fixed(angle.value(angles))),
            ..operation.clone()
        });
        Self { angles: 0, operations: operations.collect(), ..*self }
    }

    /// The first problem, if there is one.
    ///
    /// # Errors
    /// Qubits or angles that are not there, or the wrong number of them.
    pub fn check(&self) -> Result<(), CircuitError> {
        for (at, operation) in self.operations.iter().enumerate() {
            let gate = at + 1;
            let all = || operation.controls.iter().chain(&operation.qubits);
            if let Some(&qubit) = all().find(|&&qubit| qubit >= self.qubits) {
                return Err(CircuitError::Qubit { gate, qubit, qubits: self.qubits });
            }
            let takes = operation.gate.qubits();
            let distinct: std::collections::BTreeSet<_> = all().collect();
            if operation.qubits.len() != takes || distinct.len() != takes + operation.controls.len() {
                let takes = takes + operation.controls.len();
                return Err(CircuitError::Count { gate, name: operation.gate.name(), takes });
            }
            for angle in operation.gate.angles() {
                if let Angle::Free(angle) = angle
                    && angle >= self.angles
                {
                    return Err(CircuitError::Angle { gate, angle, angles: self.angles });
                }
            }
        }
        Ok(())
    }

    /// The number of steps when gates on different qubits are done at once.
    #[must_use]
    pub fn depth(&self) -> usize {
        let mut busy = vec![0; self.qubits];
        for operation in &self.operations {
            let all = || operation.controls.iter().chain(&operation.qubits);
            let start = all().map(|&q| busy[q]).max().unwrap_or(0);
            all().for_each(|&q| busy[q] = start + 1);
        }
        busy.into_iter().max().unwrap_or(0)
    }
}
