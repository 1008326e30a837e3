//! Small semidefinite programs by an interior-point method (Helmberg, Rendl, Vanderbei and Wolkowicz 1996).

use std::ops::ControlFlow;

use faer::linalg::solvers::{DenseSolveCore, Llt, Solve};
use faer::{Mat, Side};

use super::low_rank::Progress;
use crate::graph::Graph;

/// An entry of a symmetric matrix in its lower triangle: row, column, value.
pub type Entry = (usize, usize, f64);

/// `min ⟨C, X⟩` with `⟨A_k, X⟩ = b_k` and `X ⪰ 0`.
///
/// Symmetric matrices are given by the entries of their lower triangles.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Rows of X.
    pub size: usize,
    /// The matrix C.
    pub objective: Vec<Entry>,
    /// Each constraint: the matrix A and the number b.
    pub constraints: Vec<(Vec<Entry>, f64)>,
}

/// A solved program.
#[derive(Clone, Debug)]
pub struct ProgramSolution {
    /// The solution, column by column.
    pub x: Mat<f64>,
    /// The dual variables.
    pub y: Vec<f64>,
    /// `⟨C, X⟩`.
    pub primal: f64,
    /// `b·y`: below every value of the program if the dual is feasible.
    pub dual: f64,
    /// The largest error of a constraint.
    pub residual: f64,
    /// Steps.
    pub steps: usize,
}

/// No solution.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProgramError {
    /// The program is not one.
    #[error("{0}")]
    Bad(String),
    /// The iteration does not come closer.
    #[error(
        "the interior-point method stops at a relative gap of {gap:.1e} and an error of the constraints of \
         {residual:.1e}; the program may have no solution, or no matrix inside"
    )]
    Stuck {
        /// Relative difference of primal and dual value.
        gap: f64,
        /// The largest error of a constraint.
        residual: f64,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

/// The relaxation of MaxCut as a program: ones on the diagonal.
#[must_use]
pub fn max_cut(graph: &Graph) -> Program {
    Program {
        size: graph.vertices(),
        objective: graph.edges().iter().map(|e| (e.to as usize, e.from as usize, e.weight)).collect(),
        constraints: (0..graph.vertices()).map(|i| (vec![(i, i, 1.0)], 1.0)).collect(),
    }
}

type Entries = [Entry];

/// Both triangles.
fn both(entries: &Entries) -> impl Iterator<Item = Entry> + '_ {
    entries.iter().flat_map(|&(i, j, v)| std::iter::once((i, j, v)).chain((i != j).then_some((j, i, v))))
}

fn inner(entries: &Entries, x: &Mat<f64>) -> f64 {
    both(entries).map(|(i, j, v)| v * x[(i, j)]).sum()
}

fn add(entries: &Entries, factor: f64, to: &mut Mat<f64>) {
    both(entries).for_each(|(i, j, v)| to[(i, j)] += factor * v);
}

fn symmetric(x: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(x.nrows(), x.ncols(), |i, j| 0.5 * (x[(i, j)] + x[(j, i)]))
}

fn trace_of_product(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    (0..a.ncols()).map(|j| (0..a.nrows()).map(|i| a[(i, j)] * b[(i, j)]).sum::<f64>()).sum()
}

fn positive(x: &Mat<f64>) -> bool {
    Llt::new(x.as_ref(), Side::Lower).is_ok()
}

impl Program {
    fn check(&self) -> Result<(), ProgramError> {
        let bad = |message: String| Err(ProgramError::Bad(message));
        if self.size == 0 || self.constraints.is_empty() {
            return bad("a program has at least one row and one constraint".into());
        }
        let lists = std::iter::once(&self.objective).chain(self.constraints.iter().map(|(a, _)| a));
        for (number, list) in lists.enumerate() {
            for &(i, j, v) in list {
                let name = if number == 0 { "C".to_owned() } else { format!("A_{number}") };
                if i >= self.size || j > i {
                    return bad(format!("{name} has an entry at ({i}, {j}) outside its lower triangle"));
                }
                if !v.is_finite() {
                    return bad(format!("{name} has an entry that is not a finite number"));
                }
            }
        }
        Ok(())
    }

    /// Solves the program to a relative gap. `each` is called after every step and may end the run.
    ///
    /// # Errors
    /// Entries outside the matrices; no solution; `each` asked to stop.
    pub fn solve(
        &self,
        tolerance: f64,
        each: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<ProgramSolution, ProgramError> {
        const STEPS: usize = 80;
        self.check()?;
        let (n, m) = (self.size, self.constraints.len());
        let mut x = Mat::<f64>::identity(n, n);
        let mut y = vec![0.0; m];
        // Z starts as C plus what makes its diagonal dominate. Where the constraints span the identity's diagonal, as
        // for MaxCut, y can make it so; else the dual starts infeasible.
        let mut c = Mat::<f64>::zeros(n, n);
        add(&self.objective, 1.0, &mut c);
        let mut z = c.clone();
        let mut dominance = vec![0.0; n];
        both(&self.objective).for_each(|(i, _, v)| dominance[i] += v.abs());
        let diagonal =
            self.constraints.iter().all(|(a, _)| matches!(a.as_slice(), &[(i, j, v)] if i == j && v == 1.0));
        let feasible = diagonal && m == n;
        for (k, (a, _)) in self.constraints.iter().enumerate().filter(|_| feasible) {
            y[k] = -(1.1 * dominance[a[0].0] + 0.1);
        }
        for i in 0..n {
            z[(i, i)] += 1.1 * dominance[i] + if feasible { 0.1 } else { 1.0 };
        }
        let mut mu = trace_of_product(&x, &z) / (2.0 * n as f64);
        let scale = 1.0 + self.constraints.iter().map(|(_, b)| b.abs()).fold(0.0, f64::max);
        let (mut gap, mut residual) = (f64::INFINITY, f64::INFINITY);
        for steps in 1..=STEPS {
            let stuck = || ProgramError::Stuck { gap, residual };
            let inverse = symmetric(&Llt::new(z.as_ref(), Side::Lower).map_err(|_| stuck())?.inverse());
            // What the dual lacks: C - Σ y A - Z.
            let mut lack = &c - &z;
            self.constraints.iter().zip(&y).for_each(|((a, _), y)| add(a, -y, &mut lack));
            let lacking = if feasible { None } else { Some(&inverse * &lack * &x) };
            let system = self.schur(&inverse, &x);
            let right = Mat::from_fn(m, 1, |k, _| {
                let (a, b) = &self.constraints[k];
                b - mu * inner(a, &inverse) + lacking.as_ref().map_or(0.0, |l| inner(a, &symmetric(l)))
            });
            let dy = Llt::new(system.as_ref(), Side::Lower).map_err(|_| stuck())?.solve(&right);
            let mut dz = if feasible { Mat::zeros(n, n) } else { lack };
            self.constraints.iter().enumerate().for_each(|(k, (a, _))| add(a, -dy[(k, 0)], &mut dz));
            let change = if feasible {
                let scaled = Mat::from_fn(n, n, |i, j| dz[(i, i)] * x[(i, j)]);
                &inverse * &scaled
            } else {
                &inverse * &dz * &x
            };
            let dx = Mat::from_fn(n, n, |i, j| {
                mu * inverse[(i, j)] - x[(i, j)] - 0.5 * (change[(i, j)] + change[(j, i)])
            });
            let reach = |from: &Mat<f64>, by: &Mat<f64>| {
                let mut length = 1.0;
                while !positive(&(from + faer::Scale(length) * by)) {
                    length *= 0.8;
                    if length < 1e-8 {
                        return 0.0;
                    }
                }
                if length < 1.0 { 0.95 * length } else { 1.0 }
            };
            let (on_x, on_z) = (reach(&x, &dx), reach(&z, &dz));
            x += faer::Scale(on_x) * &dx;
            z += faer::Scale(on_z) * &dz;
            y.iter_mut().enumerate().for_each(|(k, y)| *y += on_z * dy[(k, 0)]);
            let product = trace_of_product(&x, &z);
            mu = product / (2.0 * n as f64);
            if on_x + on_z > 1.6 {
                mu *= 0.5;
            }
            if on_x + on_z > 1.9 {
                mu *= 0.2;
            }
            let primal = inner(&self.objective, &x);
            let dual = self.constraints.iter().zip(&y).map(|((_, b), y)| b * y).sum::<f64>();
            residual = self.constraints.iter().map(|(a, b)| (inner(a, &x) - b).abs()).fold(0.0, f64::max);
            gap = product.max((primal - dual).abs()) / (1.0 + primal.abs());
            if each(Progress { step: steps, cut: primal, gradient: gap }).is_break() {
                return Err(ProgramError::Stopped);
            }
            if gap <= tolerance && residual <= 1e-9 * scale {
                return Ok(ProgramSolution { x, y, primal, dual, residual, steps });
            }
        }
        Err(ProgramError::Stuck { gap, residual })
    }

    /// `M_kl = ⟨A_k, Z⁻¹ A_l X⟩`, made symmetric.
    fn schur(&self, inverse: &Mat<f64>, x: &Mat<f64>) -> Mat<f64> {
        let m = self.constraints.len();
        let entry = |k: usize, l: usize| -> f64 {
            let (a, b) = (&self.constraints[k].0, &self.constraints[l].0);
            let row = |(i, j, v): Entry| -> f64 {
                both(b).map(|(p, q, w)| v * w * inverse[(i, p)] * x[(q, j)]).sum()
            };
            both(a).map(row).sum()
        };
        Mat::from_fn(m, m, |k, l| if k == l { entry(k, k) } else { 0.5 * (entry(k, l) + entry(l, k)) })
    }
}
