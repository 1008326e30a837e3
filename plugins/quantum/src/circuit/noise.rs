//! Noise after gates, and of the read-out.

use super::Complex;
use super::gate::Matrix;

/// What goes wrong: after every gate on each of its qubits, and when a qubit is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noise {
    /// Depolarising: `ρ → (1 - p) ρ + p 1/2` on the qubit.
    pub depolarizing: f64,
    /// Amplitude damping: |1⟩ falls to |0⟩ with this probability.
    pub damping: f64,
    /// A bit is read wrongly with this probability.
    pub readout: f64,
}

impl Noise {
    /// The Kraus matrices of the noise on a qubit after a gate: `ρ → Σ K ρ K†`.
    #[must_use]
    pub fn kraus(&self) -> Vec<Matrix> {
        let real = |x: f64| Complex::new(x, 0.0);
        let (zero, i) = (Complex::ZERO, Complex::I);
        let p = self.depolarizing;
        let (keep, each) = ((1.0 - 0.75 * p).sqrt(), (0.25 * p).sqrt());
        let paulis: [Matrix; 4] = [
            [[real(keep), zero], [zero, real(keep)]],
            [[zero, real(each)], [real(each), zero]],
            [[zero, -i.scale(each)], [i.scale(each), zero]],
            [[real(each), zero], [zero, real(-each)]],
        ];
        let damping: [Matrix; 2] = [
            [[Complex::ONE, zero], [zero, real((1.0 - self.damping).sqrt())]],
            [[zero, real(self.damping.sqrt())], [zero, zero]],
        ];
        let product = |a: &Matrix, b: &Matrix| -> Matrix {
            std::array::from_fn(|r| std::array::from_fn(|c| a[r][0] * b[0][c] + a[r][1] * b[1][c]))
        };
        let all = damping.iter().flat_map(|d| paulis.iter().map(move |p| product(d, p)));
        all.filter(|m| m.iter().flatten().any(|x| x.norm() > 0.0)).collect()
    }

    /// Probabilities of what is read, given those of what is there.
    #[must_use]
    pub fn read(&self, mut probabilities: Vec<f64>) -> Vec<f64> {
        let flip = self.readout;
        let mut half = 1;
        while half < probabilities.len() {
            for pair in probabilities.chunks_exact_mut(2 * half) {
                let (low, high) = pair.split_at_mut(half);
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = ((1.0 - flip) * *a + flip * *b, (1.0 - flip) * *b + flip * *a);
                }
            }
            half *= 2;
        }
        probabilities
    }
}
