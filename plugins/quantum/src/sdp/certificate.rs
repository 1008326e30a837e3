//! Certificates: bounds that hold whatever the solver did.

use faer::Side;
use faer::sparse::linalg::solvers::{Llt, SymbolicLlt};
use faer::sparse::{SparseColMat, SymbolicSparseColMat};

use crate::graph::Graph;

/// A bound on every cut, proved by a Cholesky factorisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// No cut is larger.
    pub bound: f64,
    /// What was added to the dual variables to make `Diag(y) + W` positive semidefinite, rounding included: no
    /// eigenvalue of it was below minus this.
    pub shift: f64,
}

/// Proves bounds for one graph.
///
/// If a Cholesky factorisation of `A` in floating point runs to its end, the factors are those of a matrix that
/// differs from `A` by at most `γ_{n+1} |L| |Lᵀ|`, whose norm is at most `γ_{n+1} / (1 - γ_{n+1})` times the trace of
/// `A`: no eigenvalue of `A` is below minus that (Rump, BIT 46, 433 (2006)). This holds for every order of operations,
/// with or without fused ones.
pub struct Certifier<'a> {
    graph: &'a Graph,
    symbolic: SymbolicLlt<usize>,
    pattern: SymbolicSparseColMat<usize>,
    /// Lower triangle by columns: the diagonal first.
    values: Vec<f64>,
    diagonal: Vec<usize>,
}

impl<'a> Certifier<'a> {
    /// Prepares proofs for a graph: orders its vertices so that factors stay sparse.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn new(graph: &'a Graph) -> Result<Self, String> {
        let n = graph.vertices();
        let (mut starts, mut rows, mut values, mut diagonal) = (vec![0], Vec::new(), Vec::new(), Vec::new());
        for column in 0..n {
            diagonal.push(rows.len());
            rows.push(column);
            values.push(0.0);
            for (row, weight) in graph.neighbours(column).filter(|(row, _)| *row > column) {
                rows.push(row);
                values.push(weight);
            }
            starts.push(rows.len());
        }
        let pattern = SymbolicSparseColMat::new_checked(n, n, starts, None, rows);
        let symbolic = SymbolicLlt::try_new(pattern.as_ref(), Side::Lower)
            .map_err(|error| format!("the factors do not fit into memory: {error:?}"))?;
        Ok(Self { graph, symbolic, pattern, values, diagonal })
    }

    /// The bound of dual variables `y` with `shift` added to each, if that makes `Diag(y) + W` positive semidefinite
    /// beyond what rounding can hide.
    pub fn prove(&mut self, y: &[f64], shift: f64) -> Option<Certificate> {
        let n = y.len() as f64;
        let shifted: Vec<f64> = y.iter().map(|y| y + shift).collect();
        let trace: f64 = shifted.iter().map(|y| y.abs()).sum();
        for (&at, y) in self.diagonal.iter().zip(&shifted) {
            self.values[at] = *y;
        }
        let matrix = SparseColMat::new(self.pattern.clone(), self.values.clone());
        Llt::try_new_with_symbolic(self.symbolic.clone(), matrix.as_ref(), Side::Lower).ok()?;
        let unit = 0.5 * f64::EPSILON;
        let gamma = (n + 1.0) * unit / (1.0 - (n + 1.0) * unit);
        // Twice, for the roundings of this line and of the sum below.
        let rounding = 2.0 * gamma / (1.0 - gamma) * trace;
        let sum: f64 = shifted.iter().sum::<f64>() + n * rounding + 2.0 * n * unit * trace;
        let total: f64 = self.graph.edges().iter().map(|edge| edge.weight.abs()).sum();
        let edges = self.graph.edges().len() as f64;
        let bound = 0.5 * self.graph.total_weight() + 0.25 * sum + edges * unit * total;
        Some(Certificate { bound, shift: shift + rounding })
    }
}
