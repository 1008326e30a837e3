//! Sparse symmetric matrices as operators on amplitudes.

use crate::graph::Graph;
use crate::random::Random;
use crate::simulator::Real;

/// The weights of a graph as a symmetric matrix with zero diagonal, in compressed rows.
#[derive(Clone, Debug)]
pub struct Symmetric<T> {
    offsets: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<T>,
}

impl<T: Real> Symmetric<T> {
    /// The matrix of a graph.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let (offsets, columns, values) = graph.rows();
        let values = values.iter().map(|&w| T::of(w)).collect();
        Self { offsets: offsets.to_vec(), columns: columns.to_vec(), values }
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// `y = W x`; entries of `y` beyond the rows are set to zero.
    pub fn multiply(&self, x: &[T], y: &mut [T]) {
        y[self.rows()..].fill(T::default());
        for (row, y) in y.iter_mut().enumerate().take(self.rows()) {
            let range = self.offsets[row]..self.offsets[row + 1];
            let (columns, values) = (&self.columns[range.clone()], &self.values[range]);
            // Four sums, so that additions need not wait for each other.
            let mut sums = [T::default(); 4];
            let (fours, rest) = columns.as_chunks::<4>();
            let (weights, last) = values.as_chunks::<4>();
            for (to, w) in fours.iter().zip(weights) {
                for k in 0..4 {
                    sums[k] += w[k] * x[to[k] as usize];
                }
            }
            for (&to, &w) in rest.iter().zip(last) {
                sums[0] += w * x[to as usize];
            }
            *y = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        }
    }

    /// Largest sum of absolute values of a row: a bound on the absolute eigenvalues.
    #[must_use]
    pub fn row_bound(&self) -> f64 {
        let row = |row: &[usize]| self.values[row[0]..row[1]].iter().map(|w| w.wide().abs()).sum::<f64>();
        self.offsets.windows(2).map(row).fold(0.0, f64::max)
    }
}

/// Estimates of the smallest and the largest eigenvalue, from inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spectrum {
    /// The smallest eigenvalue, or something above it.
    pub low: f64,
    /// The largest eigenvalue, or something below it.
    pub high: f64,
}

impl Spectrum {
    /// The largest absolute eigenvalue.
    #[must_use]
    pub fn norm(self) -> f64 {
        self.high.max(-self.low)
    }

    /// The factor α in front of W for the Hadamard test, where none is given: the smallest eigenvalue goes where the
    /// sine has bent, so that eigenvectors on a few vertices of many edges do not win over all others; the largest
    /// absolute one stays where the sine still has its sign.
    #[must_use]
    pub fn alpha(self) -> f64 {
        const LOWEST: f64 = 1.0;
        const LARGEST: f64 = 1.8;
        if self.norm() > 0.0 { (LOWEST / self.low.abs()).min(LARGEST / self.norm()) } else { LOWEST }
    }

    /// The extreme eigenvalues of a graph's matrix by the Lanczos method, usually to some digits.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let n = graph.vertices();
        Self::by_lanczos(n, 80, |x, y| graph.multiply(x, y))
    }

    /// The extreme eigenvalues of a symmetric operator on `n` numbers by so many Lanczos steps, with full
    /// reorthogonalisation, from a random vector.
    pub fn by_lanczos(n: usize, steps: usize, multiply: impl Fn(&[f64], &mut [f64])) -> Self {
        let mut random = Random::new(0x1A2C, 0);
        let mut basis: Vec<Vec<f64>> = vec![(0..n).map(|_| random.normal()).collect()];
        normalise(&mut basis[0]);
        let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
        let mut next = vec![0.0; n];
        for step in 0..steps.min(n) {
            multiply(&basis[step], &mut next);
            diagonal.push(dot(&basis[step], &next));
            // Twice is enough.
            for _ in 0..2 {
                for vector in &basis {
                    let overlap = dot(vector, &next);
                    next.iter_mut().zip(vector).for_each(|(x, v)| *x -= overlap * v);
                }
            }
            let length = normalise(&mut next);
            if step + 1 == steps.min(n) || length < 1e-12 * (1.0 + diagonal[0].abs()) {
                break;
            }
            beside.push(length);
            basis.push(next.clone());
        }
        beside.truncate(diagonal.len() - 1);
        let count = diagonal.len();
        Self { low: tridiagonal(&diagonal, &beside, 1), high: tridiagonal(&diagonal, &beside, count) }
    }
}

/// The `k`-th smallest eigenvalue (from 1) of a symmetric tridiagonal matrix, by bisection on the number of negative
/// pivots.
fn tridiagonal(diagonal: &[f64], beside: &[f64], k: usize) -> f64 {
    let around = |i: usize| {
        let left = if i > 0 { beside[i - 1].abs() } else { 0.0 };
        left + beside.get(i).map_or(0.0, |b| b.abs())
    };
    let rows = || diagonal.iter().enumerate();
    let mut low = rows().map(|(i, d)| d - around(i)).fold(f64::INFINITY, f64::min);
    let mut high = rows().map(|(i, d)| d + around(i)).fold(f64::NEG_INFINITY, f64::max);
    let below = |x: f64| {
        let mut pivot = 1.0;
        let negative = |(i, d): (usize, &f64)| {
            let coupling = if i > 0 { beside[i - 1] * beside[i - 1] / pivot } else { 0.0 };
            pivot = d - x - coupling;
            if pivot == 0.0 {
                pivot = f64::MIN_POSITIVE;
            }
            pivot < 0.0
        };
        rows().map(negative).filter(|&negative| negative).count()
    };
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if below(middle) >= k { high = middle } else { low = middle }
    }
    0.5 * (low + high)
}

/// The inner product, summed in order.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, a1) = a.as_chunks::<8>();
    let (b8, b1) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + a1.iter().zip(b1).map(|(a, b)| a * b).sum::<f64>()
}

/// Divides a vector by its length, which is returned.
pub fn normalise(x: &mut [f64]) -> f64 {
    let length = dot(x, x).sqrt();
    if length > 0.0 {
        x.iter_mut().for_each(|x| *x /= length);
    }
    length
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::graph::{Format, parse};

    /// A ring of n vertices has the eigenvalues 2 cos(2πk/n).
    #[test]
    fn extreme_eigenvalues_of_rings() {
        for n in [3, 4, 10, 31] {
            let edges: String = (0..n).map(|i| format!("{} {}\n", i + 1, (i + 1) % n + 1)).collect();
            let ring = parse(&format!("{n} {n}\n{edges}"), Format::Gset).unwrap();
            let spectrum = Spectrum::of(&ring);
            let lowest = 2.0 * libm::cos(2.0 * std::f64::consts::PI * f64::from(n / 2) / f64::from(n));
            assert!(
                (spectrum.high - 2.0).abs() < 1e-9 && (spectrum.low - lowest).abs() < 1e-9,
                "{n} {spectrum:?}"
            );
            assert_eq!(Symmetric::<f64>::of(&ring).row_bound(), 2.0);
        }
        let alone = parse("3 0\n", Format::Gset).unwrap();
        assert_eq!(Spectrum::of(&alone).norm(), 0.0);
    }
}
