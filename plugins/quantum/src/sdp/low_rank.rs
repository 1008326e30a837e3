//! The relaxation of MaxCut by low-rank factors (Burer and Monteiro 2003), with a certificate.

use std::ops::ControlFlow;

use super::certificate::{Certificate, Certifier};
use super::newton::Rows;
use crate::graph::Graph;
use crate::random::Random;

/// How the relaxation is solved: `X = V Vᵀ` with few columns, by sweeps over the rows (the mixing method of Wang,
/// Chang and Kolter 2017) and then by Newton's method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowRank {
    /// The largest difference of bound and relaxed cut, relative to the latter.
    pub tolerance: f64,
    /// Columns at the start; by the number of vertices if not given. More are added where they are too few.
    pub rank: Option<usize>,
    /// The seed of the start.
    pub seed: u64,
}

impl Default for LowRank {
    fn default() -> Self {
        Self { tolerance: 1e-6, rank: None, seed: 0 }
    }
}

/// How far a solver has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps so far.
    pub step: usize,
    /// The value of the relaxed cut.
    pub cut: f64,
    /// Root mean square of the gradient, relative to that of the dual variables.
    pub gradient: f64,
}

/// A solved relaxation.
#[derive(Clone, Debug)]
pub struct Solution {
    /// A row of `rank` numbers for each vertex.
    pub vectors: Vec<f64>,
    /// Columns.
    pub rank: usize,
    /// The value of the relaxed cut that the rows have: a lower bound on the relaxation's.
    pub cut: f64,
    /// An upper bound on it, and on every cut.
    pub certificate: Certificate,
    /// The difference of both, relative to the cut.
    pub gap: f64,
    /// Products with W that it took.
    pub products: usize,
}

/// No solution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Out of memory, or a factorisation that fails.
    #[error("{0}")]
    Failed(String),
    /// The bound does not come close enough.
    #[error("the bound stays {0} above the relaxed cut (relative)")]
    Gap(String),
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

/// Sweeps before Newton's method.
const SWEEPS: usize = 30;
/// Steps of Newton's method, at most.
const STEPS: usize = 200;
/// The gradient at which a first proof is tried.
const FIRST: f64 = 1e-4;
/// The smallest gradient that rounding allows.
const LEAST: f64 = 3e-11;

impl LowRank {
    /// Solves the relaxation. `each` is called after every step and may end the run.
    ///
    /// # Errors
    /// No proof within the tolerance, out of memory, or `each` asked to stop.
    pub fn solve(
        &self,
        graph: &Graph,
        each: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Solution, SdpError> {
        let n = graph.vertices();
        let mut random = Random::new(self.seed, 0x5D9);
        let rank = self.rank.unwrap_or((0.25 * (2.0 * n as f64).sqrt()).ceil() as usize).clamp(8, 24);
        let rank = rank.next_multiple_of(8);
        let mut rows = Rows::new(graph, rank, (0..n * rank).map(|_| random.normal()).collect());
        let half = 0.5 * graph.total_weight();
        if graph.edges().is_empty() {
            let certificate = Certificate { bound: 0.0, shift: 0.0 };
            return Ok(Solution { vectors: rows.v, rank, cut: 0.0, certificate, gap: 0.0, products: 0 });
        }
        let mut certifier = Certifier::new(graph).map_err(SdpError::Failed)?;
        let all: f64 = graph.edges().iter().map(|edge| edge.weight.abs()).sum();
        for _ in 0..SWEEPS {
            rows.sweep();
        }
        let (mut threshold, mut y) = (FIRST, rows.dual());
        let mut failed = f64::INFINITY;
        for step in 1..=STEPS {
            let stand = rows.step(&y);
            let cut = half - 0.5 * stand.value;
            if each(Progress { step, cut, gradient: stand.gradient }).is_break() {
                return Err(SdpError::Stopped);
            }
            if stand.gradient > threshold {
                y = rows.dual();
                continue;
            }
            // The step has made things better still.
            y = rows.dual();
            let cut = half + 0.25 * y.iter().sum::<f64>();
            let scale = cut.abs().max(1e-3 * all);
            // What may be added to every variable; rounding takes some of it.
            let shift = 3.0 * self.tolerance * scale / n as f64;
            if let Some(certificate) = certifier.prove(&y, shift) {
                let gap = (certificate.bound - cut) / scale;
                failed = failed.min(gap);
                if gap <= self.tolerance {
                    let (vectors, rank, products) = (rows.v, rows.rank, rows.products);
                    return Ok(Solution { vectors, rank, cut, certificate, gap, products });
                }
            }
            if stand.gradient > LEAST {
                threshold = (0.3 * stand.gradient).max(LEAST);
                continue;
            }
            // A stationary point that is no minimum, or too few columns.
            rows.widen((rows.rank + rows.rank / 2).next_multiple_of(8), || random.normal());
            threshold = FIRST;
            y = rows.dual();
        }
        Err(SdpError::Gap(format!("{failed:.1e}")))
    }
}
