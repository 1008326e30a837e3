//! The Hadamard test as a circuit: an ancilla qubit that controls `exp(iαW)` on the register.

use faer::{Mat, Side};

use crate::graph::Graph;
use crate::simulator::Real;

/// More would need matrices of more than 2⁸ rows.
const QUBITS: usize = 8;

/// The circuit of the test: H on the ancilla, controlled `U = exp(iαW)`, S†, H, and Z is measured.
///
/// Its state is kept as the two halves `|0⟩⊗a + |1⟩⊗b`; the gates act on them as they are.
pub struct Ancilla {
    /// Real and imaginary part of U, row by row.
    cosine: Vec<f64>,
    sine: Vec<f64>,
    size: usize,
}

/// A half of the state: real and imaginary parts.
type Half = (Vec<f64>, Vec<f64>);

impl Ancilla {
    /// The circuit for a graph's matrix, filled up with zeros to `2^qubits` rows.
    ///
    /// # Errors
    /// More than 8 qubits.
    pub fn new(graph: &Graph, qubits: usize, alpha: f64) -> Result<Self, String> {
        if qubits > QUBITS {
            return Err(format!(
                "the ancilla's circuit is simulated up to {QUBITS} qubits, and this graph takes {qubits}; \
                 `hadamard_exact` gives the same numbers"
            ));
        }
        let size = 1 << qubits;
        let mut matrix = Mat::<f64>::zeros(size, size);
        for edge in graph.edges() {
            matrix[(edge.from as usize, edge.to as usize)] = edge.weight;
            matrix[(edge.to as usize, edge.from as usize)] = edge.weight;
        }
        let decomposed =
            matrix.self_adjoint_eigen(Side::Lower).map_err(|_| "the eigenvalues of W do not converge")?;
        let (vectors, values) = (decomposed.U(), decomposed.S());
        let function = |f: fn(f64) -> f64| {
            let mut out = vec![0.0; size * size];
            for k in 0..size {
                let value = f(alpha * values[k]);
                for i in 0..size {
                    let left = value * vectors[(i, k)];
                    for j in 0..size {
                        out[i * size + j] += left * vectors[(j, k)];
                    }
                }
            }
            out
        };
        Ok(Self { cosine: function(libm::cos), sine: function(libm::sin), size })
    }

    /// The mean of the ancilla's Z; its derivatives by the (real) amplitudes of the register go to `cotangent`.
    pub fn expectation<T: Real>(&self, psi: &[T], cotangent: &mut [T]) -> f64 {
        let zero = vec![0.0; self.size];
        let register = (psi.iter().map(|a| a.wide()).collect(), zero.clone());
        // Forward: the ancilla starts in |0⟩.
        let (mut a, mut b) = Self::hadamard(register, (zero.clone(), zero));
        b = self.unitary(&b, 1.0);
        b = Self::phase(b, -1.0);
        (a, b) = Self::hadamard(a, b);
        let square = |(re, im): &Half| re.iter().chain(im).map(|x| x * x).sum::<f64>();
        let mean = square(&a) - square(&b);
        // Back: Z, then each gate's inverse.
        b.0.iter_mut().chain(&mut b.1).for_each(|x| *x = -*x);
        (a, b) = Self::hadamard(a, b);
        b = Self::phase(b, 1.0);
        b = self.unitary(&b, -1.0);
        (a, _) = Self::hadamard(a, b);
        for (c, x) in cotangent.iter_mut().zip(&a.0) {
            *c = T::of(2.0 * x);
        }
        mean
    }

    fn hadamard(a: Half, b: Half) -> (Half, Half) {
        let mix = |a: &[f64], b: &[f64], sign: f64| -> Vec<f64> {
            a.iter().zip(b).map(|(a, b)| std::f64::consts::FRAC_1_SQRT_2 * (a + sign * b)).collect()
        };
        let with = |sign| (mix(&a.0, &b.0, sign), mix(&a.1, &b.1, sign));
        (with(1.0), with(-1.0))
    }

    /// Multiplies by i or -i.
    fn phase((re, im): Half, sign: f64) -> Half {
        (im.iter().map(|x| -sign * x).collect(), re.iter().map(|x| sign * x).collect())
    }

    /// Applies U, or its inverse for a negative direction.
    fn unitary(&self, (re, im): &Half, direction: f64) -> Half {
        let mut out = (vec![0.0; self.size], vec![0.0; self.size]);
        for i in 0..self.size {
            let row = i * self.size..(i + 1) * self.size;
            for ((&c, &s), (x, y)) in
                self.cosine[row.clone()].iter().zip(&self.sine[row]).zip(re.iter().zip(im))
            {
                let s = direction * s;
                out.0[i] += c * x - s * y;
                out.1[i] += c * y + s * x;
            }
        }
        out
    }
}
