//! Symmetric positive definite band matrices.

/// The lower triangle of a symmetric band matrix: entry `(j + d, j)` at `j (width + 1) + d`.
pub(super) struct Banded {
    size: usize,
    width: usize,
    entries: Vec<f64>,
}

impl Banded {
    /// A zero matrix with `width` diagonals beside the main one.
    pub(super) fn zeros(size: usize, width: usize) -> Self {
        Self { size, width, entries: vec![0.0; size * (width + 1)] }
    }

    /// Adds to entries `(i, j)` and `(j, i)`; `|i - j|` is at most the width.
    pub(super) fn add(&mut self, i: usize, j: usize, value: f64) {
        let (low, high) = (i.min(j), i.max(j));
        self.entries[low * (self.width + 1) + high - low] += value;
    }

    /// Solves for one right-hand side by Cholesky's factorisation, which takes `size width²` operations.
    /// `None` if the matrix is not positive definite.
    pub(super) fn solve(mut self, mut b: Vec<f64>) -> Option<Vec<f64>> {
        let stride = self.width + 1;
        for j in 0..self.size {
            let (done, rest) = self.entries.split_at_mut((j + 1) * stride);
            let column = &mut done[j * stride..];
            let pivot = column[0].sqrt();
            // Also false for a NaN.
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            column.iter_mut().for_each(|v| *v /= pivot);
            let reach = self.width.min(self.size - 1 - j);
            for d in 1..=reach {
                let factor = column[d];
                if factor != 0.0 {
                    let target = &mut rest[(d - 1) * stride..][..reach + 1 - d];
                    for (t, v) in target.iter_mut().zip(&column[d..=reach]) {
                        *t -= factor * v;
                    }
                }
            }
            b[j] /= pivot;
            let value = b[j];
            for (t, v) in b[j + 1..].iter_mut().zip(&column[1..]) {
                *t -= value * v;
            }
        }
        for j in (0..self.size).rev() {
            let column = &self.entries[j * stride..][..stride];
            let sum: f64 = b[j + 1..].iter().zip(&column[1..]).map(|(x, v)| x * v).sum();
            b[j] = (b[j] - sum) / column[0];
        }
        Some(b)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_band_system_is_solved() {
        let (n, w) = (9, 3);
        let mut matrix = Banded::zeros(n, w);
        let mut full = vec![0.0; n * n];
        for j in 0..n {
            for i in j..(j + w + 1).min(n) {
                let value = if i == j { 8.0 + j as f64 } else { 1.0 / (1.0 + (i * 3 + j) as f64) - 0.5 };
                matrix.add(j, i, value);
                (full[i * n + j], full[j * n + i]) = (value, value);
            }
        }
        let x: Vec<f64> = (0..n).map(|i| (i as f64 - 3.5) * 0.7).collect();
        let b = full.chunks(n).map(|row| row.iter().zip(&x).map(|(a, x)| a * x).sum()).collect();
        let solved = matrix.solve(b).unwrap();
        assert!(solved.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-13));
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_is_refused() {
        let mut matrix = Banded::zeros(2, 1);
        for (i, j, value) in [(0, 0, 1.0), (1, 1, 1.0), (0, 1, 2.0)] {
            matrix.add(i, j, value);
        }
        assert!(matrix.solve(vec![1.0, 1.0]).is_none());
    }
}
