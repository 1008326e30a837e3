//! What the Hadamard test measures: `Im⟨ψ|e^{iαW}|ψ⟩ = ⟨ψ|sin(αW)|ψ⟩`.

use crate::matrix::Symmetric;
use crate::simulator::Real;

/// `sin(αW)` as a Chebyshev series: `sin(Rx) = 2 Σ (-1)^k J_{2k+1}(R) T_{2k+1}(x)`, with `|αW| ≤ R`.
#[derive(Clone, Debug)]
pub struct Sine<T> {
    matrix: Symmetric<T>,
    /// `α / R`.
    scale: T,
    /// Coefficients of the odd polynomials.
    odd: Vec<T>,
    work: [Vec<T>; 3],
}

impl<T: Real> Sine<T> {
    /// The sine of `alpha` times a matrix whose absolute eigenvalues are at most `bound`, to `tolerance`.
    #[must_use]
    pub fn new(matrix: Symmetric<T>, alpha: f64, bound: f64, tolerance: f64) -> Self {
        let radius = alpha.abs() * bound;
        let mut odd = Vec::new();
        for k in 0.. {
            let order = 2 * k + 1;
            let coefficient = 2.0 * libm::jn(order, radius);
            odd.push(T::of(if k % 2 == 0 { coefficient } else { -coefficient }));
            // Bessel functions decrease once the order is above the argument; the next one bounds the rest.
            if f64::from(order) > radius && 4.0 * libm::jn(order + 2, radius).abs() < tolerance {
                break;
            }
        }
        // Nothing is left of a matrix without entries.
        let scale = if radius > 0.0 { alpha / radius } else { 0.0 };
        Self { matrix, scale: T::of(scale), odd, work: Default::default() }
    }

    /// How many products with the matrix one application takes.
    #[must_use]
    pub fn products(&self) -> usize {
        2 * self.odd.len() - 1
    }

    /// `y = sin(αW) x`; entries beyond the matrix's rows are zero.
    pub fn apply(&mut self, x: &[T], y: &mut [T]) {
        let [before, now, product] = &mut self.work;
        for list in [&mut *before, &mut *now, &mut *product] {
            list.resize(x.len(), T::default());
        }
        // T_0 and T_1.
        before.copy_from_slice(x);
        self.matrix.multiply(x, now);
        now.iter_mut().for_each(|v| *v = *v * self.scale);
        let twice = self.scale + self.scale;
        for (y, v) in y.iter_mut().zip(now.iter()) {
            *y = self.odd[0] * *v;
        }
        for &coefficient in &self.odd[1..] {
            for _ in 0..2 {
                self.matrix.multiply(now, product);
                for (old, new) in before.iter_mut().zip(&*product) {
                    *old = twice * *new - *old;
                }
                std::mem::swap(before, now);
            }
            for (y, v) in y.iter_mut().zip(now.iter()) {
                *y += coefficient * *v;
            }
        }
    }
}
