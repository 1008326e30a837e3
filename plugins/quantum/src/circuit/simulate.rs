//! State vectors of complex amplitudes.

use super::gate::Matrix;
use super::{Angle, Circuit, CircuitError, Complex, Gate};

/// The amplitudes of some qubits; qubit 0 is the most significant bit of an index.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    qubits: usize,
    /// The amplitudes.
    pub amplitudes: Vec<Complex>,
}

/// A step of a compiled circuit: bits instead of qubits.
#[derive(Clone, Debug)]
struct Step {
    gate: Gate,
    /// The bit of the (first) qubit.
    bit: usize,
    /// The bit of the second one.
    other: usize,
    /// The bits that must be 1.
    controls: usize,
}

/// A circuit made ready to be run with many angles.
#[derive(Clone, Debug)]
pub struct Compiled {
    qubits: usize,
    angles: usize,
    steps: Vec<Step>,
}

impl State {
    /// All qubits in |0⟩.
    #[must_use]
    pub fn zero(qubits: usize) -> Self {
        let mut amplitudes = vec![Complex::ZERO; 1 << qubits];
        amplitudes[0] = Complex::ONE;
        Self { qubits, amplitudes }
    }

    /// The probabilities of the basis states.
    #[must_use]
    pub fn probabilities(&self) -> Vec<f64> {
        self.amplitudes.iter().map(|a| a.norm()).collect()
    }

    /// Applies a matrix to the bit of a qubit where all controls are 1.
    fn apply(&mut self, m: &Matrix, bit: usize, controls: usize) {
        let half = 1 << bit;
        if controls == 0 {
            let diagonal = m[0][1] == Complex::ZERO && m[1][0] == Complex::ZERO;
            for pair in self.amplitudes.chunks_exact_mut(2 * half) {
                let (low, high) = pair.split_at_mut(half);
                if diagonal {
                    low.iter_mut().for_each(|a| *a = m[0][0] * *a);
                    high.iter_mut().for_each(|b| *b = m[1][1] * *b);
                    continue;
                }
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = (m[0][0] * *a + m[0][1] * *b, m[1][0] * *a + m[1][1] * *b);
                }
            }
            return;
        }
        for low in (0..self.amplitudes.len()).filter(|i| i & controls == controls && i & half == 0) {
            let (a, b) = (self.amplitudes[low], self.amplitudes[low | half]);
            self.amplitudes[low] = m[0][0] * a + m[0][1] * b;
            self.amplitudes[low | half] = m[1][0] * a + m[1][1] * b;
        }
    }

    fn swap(&mut self, bit: usize, other: usize, controls: usize) {
        let (one, two) = (1 << bit, 1 << other);
        for i in 0..self.amplitudes.len() {
            if i & controls == controls && i & one != 0 && i & two == 0 {
                self.amplitudes.swap(i, i ^ one ^ two);
            }
        }
    }

    fn step(&mut self, step: &Step, angles: &[f64], inverse: bool) {
        match step.gate.matrix(angles) {
            Some(m) => {
                let m = if inverse { adjoint(&m) } else { m };
                self.apply(&m, step.bit, step.controls);
            }
            None => self.swap(step.bit, step.other, step.controls),
        }
    }

    /// Applies a matrix to a qubit: for noise, whose matrices are no gates.
    pub(super) fn apply_to_qubit(&mut self, m: &Matrix, qubit: usize) {
        self.apply(m, self.qubits - 1 - qubit, 0);
    }

    /// `Re⟨self|m on a bit|other⟩`, where all controls are 1.
    fn overlap(&self, m: &Matrix, bit: usize, controls: usize, other: &Self) -> f64 {
        let half = 1 << bit;
        let low = (0..self.amplitudes.len()).filter(|i| i & controls == controls && i & half == 0);
        low.map(|i| {
            let (a, b) = (other.amplitudes[i], other.amplitudes[i | half]);
            let (c, d) = (self.amplitudes[i], self.amplitudes[i | half]);
            let (x, y) = (m[0][0] * a + m[0][1] * b, m[1][0] * a + m[1][1] * b);
            c.re * x.re + c.im * x.im + d.re * y.re + d.im * y.im
        })
        .sum()
    }
}

fn adjoint(m: &Matrix) -> Matrix {
    [[m[0][0].conj(), m[1][0].conj()], [m[0][1].conj(), m[1][1].conj()]]
}

impl Compiled {
    /// Checks a circuit and makes it ready.
    ///
    /// # Errors
    /// What [`Circuit::check`] finds.
    pub fn new(circuit: &Circuit) -> Result<Self, CircuitError> {
        circuit.check()?;
        let bit = |qubit: usize| circuit.qubits - 1 - qubit;
        let steps = circuit.operations.iter().map(|operation| Step {
            gate: operation.gate,
            bit: bit(operation.qubits[0]),
            other: bit(operation.qubits[operation.qubits.len() - 1]),
            controls: operation.controls.iter().map(|&q| 1 << bit(q)).sum(),
        });
        Ok(Self { qubits: circuit.qubits, angles: circuit.angles, steps: steps.collect() })
    }

    /// The state for these angles.
    ///
    /// # Panics
    /// When there are not as many angles as the circuit has.
    #[must_use]
    pub fn run(&self, angles: &[f64]) -> State {
        assert_eq!(angles.len(), self.angles, "one number for each free angle");
        let mut state = State::zero(self.qubits);
        self.steps.iter().for_each(|step| state.step(step, angles, false));
        state
    }

    /// The state after the circuit, which has no free angles, from another one.
    pub(super) fn continue_from(&self, mut state: State) -> State {
        self.steps.iter().for_each(|step| state.step(step, &[], false));
        state
    }

    /// The derivatives by the angles of a function `L` of the state `psi` that [`Compiled::run`] gave, by undoing the
    /// circuit. `cotangent` holds `∂L/∂Re ψ + i ∂L/∂Im ψ`.
    ///
    /// # Panics
    /// When lengths do not fit.
    #[must_use]
    pub fn gradient(&self, angles: &[f64], mut psi: State, cotangent: &[Complex]) -> Vec<f64> {
        assert_eq!(cotangent.len(), psi.amplitudes.len(), "one derivative for each amplitude");
        let mut lambda = State { qubits: self.qubits, amplitudes: cotangent.to_vec() };
        let mut gradient = vec![0.0; self.angles];
        for step in self.steps.iter().rev() {
            psi.step(step, angles, true);
            for (which, angle) in step.gate.angles().into_iter().enumerate() {
                if let (Angle::Free(at), Some(m)) = (angle, step.gate.derivative(which, angles)) {
                    gradient[at] += lambda.overlap(&m, step.bit, step.controls, &psi);
                }
            }
            lambda.step(step, angles, true);
        }
        gradient
    }
}
