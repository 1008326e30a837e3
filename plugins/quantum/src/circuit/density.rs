//! Density matrices: circuits with noise, exactly, on few qubits.

use super::{Circuit, CircuitError, Compiled, Complex, Noise, State};
use crate::random::Random;

/// The density matrix of some qubits, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct DensityMatrix {
    qubits: usize,
    /// `ρ_ij` at `i 2ⁿ + j`.
    pub entries: Vec<Complex>,
}

impl DensityMatrix {
    /// The result of a circuit without free angles, with noise after every gate on its qubits, from |0…0⟩.
    ///
    /// The matrix is taken as a state of twice as many qubits: gates act on the first half, their conjugates on the
    /// second.
    ///
    /// # Errors
    /// What [`Circuit::check`] finds.
    pub fn of(circuit: &Circuit, noise: &Noise) -> Result<Self, CircuitError> {
        circuit.check()?;
        let n = circuit.qubits;
        let mut state = State::zero(2 * n);
        let kraus = noise.kraus();
        let noisy = noise.depolarizing > 0.0 || noise.damping > 0.0;
        for operation in &circuit.operations {
            let mut both = Circuit::new(2 * n);
            both.operations.push(operation.clone());
            state = Compiled::new(&both)?.continue_from(state);
            // The conjugate on the second half: conjugate, apply, conjugate.
            state.amplitudes.iter_mut().for_each(|a| *a = a.conj());
            let shifted = |qubits: &[usize]| qubits.iter().map(|q| q + n).collect::<Vec<_>>();
            let mut second = operation.clone();
            second.qubits = shifted(&second.qubits);
            second.controls = shifted(&second.controls);
            both.operations = vec![second];
            state = Compiled::new(&both)?.continue_from(state);
            state.amplitudes.iter_mut().for_each(|a| *a = a.conj());
            let touched = operation.controls.iter().chain(&operation.qubits);
            for &qubit in touched.filter(|_| noisy) {
                let mut sum = vec![Complex::ZERO; state.amplitudes.len()];
                for m in &kraus {
                    let mut part = state.clone();
                    part.apply_to_qubit(m, qubit);
                    part.apply_to_qubit(&m.map(|row| row.map(Complex::conj)), qubit + n);
                    sum.iter_mut().zip(&part.amplitudes).for_each(|(s, p)| *s += *p);
                }
                state.amplitudes = sum;
            }
        }
        Ok(Self { qubits: n, entries: state.amplitudes })
    }

    /// The probabilities of the basis states.
    #[must_use]
    pub fn probabilities(&self) -> Vec<f64> {
        let size = 1_usize << self.qubits;
        (0..size).map(|i| self.entries[i * size + i].re).collect()
    }

    /// `tr ρ²`: 1 for a pure state.
    #[must_use]
    pub fn purity(&self) -> f64 {
        self.entries.iter().map(|e| e.norm()).sum()
    }
}

/// One random course of a noisy circuit without free angles: a state whose mean over courses is the density matrix.
///
/// # Errors
/// What [`Circuit::check`] finds.
pub fn trajectory(circuit: &Circuit, noise: &Noise, random: &mut Random) -> Result<State, CircuitError> {
    circuit.check()?;
    let kraus = noise.kraus();
    let mut state = State::zero(circuit.qubits);
    for operation in &circuit.operations {
        let mut one = Circuit::new(circuit.qubits);
        one.operations.push(operation.clone());
        state = Compiled::new(&one)?.continue_from(state);
        for &qubit in operation.controls.iter().chain(&operation.qubits) {
            // The matrix is chosen with the probability of what it leaves.
            let mut left = random.uniform();
            let mut last = None;
            for m in &kraus {
                let mut part = state.clone();
                part.apply_to_qubit(m, qubit);
                let weight: f64 = part.amplitudes.iter().map(|a| a.norm()).sum();
                if weight <= 0.0 {
                    continue;
                }
                let scale = 1.0 / weight.sqrt();
                part.amplitudes.iter_mut().for_each(|a| *a = a.scale(scale));
                last = Some(part);
                left -= weight;
                if left < 0.0 {
                    break;
                }
            }
            state = last.unwrap_or(state);
        }
    }
    Ok(state)
}
