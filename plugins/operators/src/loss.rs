//! The training loss: relative L2, with a term on the radial derivative.

use std::sync::Arc;

use rayon::prelude::*;

use crate::kernels::simd::{Kernel, Simd, dispatch};
use crate::kernels::{Isa, give_buffer, take_buffer};

/// The loss of a batch: the mean over its samples of
/// `‖m(p - y)‖ / ‖m y‖ + w ‖m'D(p - y)‖ / ‖m'D y‖`.
///
/// `p` and `y` are `[sample, row, column, channel]`, norms run over all cells and channels of a
/// sample, `m` is the mask of active cells, `D` the central difference along the columns,
/// `(y[j+1] - y[j-1]) / (x[j+1] - x[j-1])`, and `m'` says that a cell and both its neighbours are
/// active. (Wen et al. 2022, section 3.3, with the derivative kept inside the active cells.) A
/// norm of `y` that is zero is taken as 1, so that an empty sample contributes `‖m p‖`.
#[derive(Clone, Debug)]
pub struct LossPlan {
    /// Instruction set.
    pub isa: Isa,
    /// `[sample, row, column]`, 1 in active cells.
    pub mask: Arc<Vec<u8>>,
    /// Rows and columns of a sample.
    pub size: [usize; 2],
    /// `1 / (x[j+1] - x[j-1])` for `j` from 1 to `columns - 2`.
    pub inverse_spacing: Arc<Vec<f32>>,
    /// Weight of the derivative's term.
    pub derivative_weight: f32,
    /// Least value that `y` can have. Where `y` has it, a `p` below counts as it: the network may be as far below as it
    /// likes, and need not hit a bound exactly to be right.
    pub lower_bound: Option<f32>,
}

/// Squared norms of one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Squares {
    pub(crate) error: f64,
    pub(crate) truth: f64,
    pub(crate) error_slope: f64,
    pub(crate) truth_slope: f64,
}

/// `1 / (x[j+1] - x[j-1])` of increasing coordinates.
#[must_use]
pub fn inverse_spacing(coordinates: &[f64]) -> Vec<f32> {
    coordinates.windows(3).map(|x| (1.0 / (x[2] - x[0])) as f32).collect()
}

impl Squares {
    /// `‖e‖ / ‖y‖`.
    pub(crate) fn value(self) -> f64 {
        ratio(self.error, self.truth).0
    }

    /// `‖De‖ / ‖Dy‖`.
    pub(crate) fn slope(self) -> f64 {
        ratio(self.error_slope, self.truth_slope).0
    }
}

/// `√(e / y)`, and the factor of the error in its gradient, `1 / √(e y)`.
fn ratio(error: f64, truth: f64) -> (f64, f64) {
    let truth = if truth > 0.0 { truth } else { 1.0 };
    let gradient = if error > 0.0 { 1.0 / (error * truth).sqrt() } else { 0.0 };
    ((error / truth).sqrt(), gradient)
}

impl LossPlan {
    /// The loss; its gradient with respect to `prediction` goes to `gradient`.
    pub(crate) fn evaluate(
        &self,
        prediction: &[f32],
        target: &[f32],
        mut gradient: Option<&mut [f32]>,
    ) -> f32 {
        let Some(bound) = self.lower_bound else {
            return self.unbounded(prediction, target, gradient);
        };
        let free = |p: f32, y: f32| p < bound && y <= bound;
        let mut bounded = take_buffer(prediction.len());
        for ((b, &p), &y) in bounded.iter_mut().zip(prediction).zip(target) {
            *b = if free(p, y) { y } else { p };
        }
        let loss = self.unbounded(&bounded, target, gradient.as_deref_mut());
        for ((g, &p), &y) in gradient.into_iter().flatten().zip(prediction).zip(target) {
            if free(p, y) {
                *g = 0.0;
            }
        }
        give_buffer(bounded);
        loss
    }

    fn unbounded(&self, prediction: &[f32], target: &[f32], gradient: Option<&mut [f32]>) -> f32 {
        let squares = self.squares(prediction, target);
        let samples = squares.len() as f64;
        let weight = f64::from(self.derivative_weight);
        if let Some(gradient) = gradient {
            let length = prediction.len() / squares.len();
            let cells = self.size[0] * self.size[1];
            gradient
                .par_chunks_exact_mut(length)
                .zip(prediction.par_chunks_exact(length))
                .zip(target.par_chunks_exact(length))
                .zip(self.mask.par_chunks_exact(cells))
                .zip(squares.par_iter())
                .for_each(|((((gradient, p), y), mask), squares)| {
                    dispatch(
                        self.isa,
                        Gradient {
                            plan: self,
                            gradient,
                            p,
                            y,
                            mask,
                            value: (ratio(squares.error, squares.truth).1 / samples) as f32,
                            slope: (weight * ratio(squares.error_slope, squares.truth_slope).1 / samples)
                                as f32,
                        },
                    );
                });
        }
        let sum: f64 = squares.iter().map(|s| s.value() + weight * s.slope()).sum();
        (sum / samples) as f32
    }

    /// Squared norms of each sample.
    pub(crate) fn squares(&self, prediction: &[f32], target: &[f32]) -> Vec<Squares> {
        let [rows, columns] = self.size;
        let channels = prediction.len() / self.mask.len().max(1);
        let row = columns * channels;
        // One row at a time in single precision, the rows in double, in order.
        let mut sums = vec![[0.0f32; 4]; self.mask.len() / columns];
        sums.par_iter_mut()
            .zip(prediction.par_chunks_exact(row))
            .zip(target.par_chunks_exact(row))
            .zip(self.mask.par_chunks_exact(columns))
            .with_min_len(16)
            .for_each(|(((sums, p), y), mask)| {
                dispatch(self.isa, RowSums { plan: self, p, y, mask, sums });
            });
        sums.chunks_exact(rows)
            .map(|rows| {
                let mut squares = Squares::default();
                for [error, truth, error_slope, truth_slope] in rows {
                    squares.error += f64::from(*error);
                    squares.truth += f64::from(*truth);
                    squares.error_slope += f64::from(*error_slope);
                    squares.truth_slope += f64::from(*truth_slope);
                }
                squares
            })
            .collect()
    }
}

/// Squared norms of one row, `[error, truth, error slope, truth slope]`.
struct RowSums<'a> {
    plan: &'a LossPlan,
    p: &'a [f32],
    y: &'a [f32],
    mask: &'a [u8],
    sums: &'a mut [f32; 4],
}

impl Kernel for RowSums<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { plan, p, y, mask, sums } = self;
        let channels = y.len() / mask.len();
        assert_eq!(p.len(), y.len());
        let mut totals = [s.splat(0.0); 4];
        for (j, &active) in mask.iter().enumerate() {
            if active == 0 {
                continue;
            }
            let interior = j > 0 && j + 1 < mask.len() && mask[j - 1] != 0 && mask[j + 1] != 0;
            let inverse = if interior { s.splat(plan.inverse_spacing[j - 1]) } else { s.splat(0.0) };
            let mut at = j * channels;
            let end = at + channels;
            while at < end {
                let lanes = (end - at).min(S::LANES);
                // SAFETY: `at + lanes` lies in the cell, and for interior cells the cells on
                // both sides exist.
                unsafe {
                    let truth = s.load_first(y.as_ptr().add(at), lanes);
                    let error = s.sub(s.load_first(p.as_ptr().add(at), lanes), truth);
                    totals[0] = s.fma(error, error, totals[0]);
                    totals[1] = s.fma(truth, truth, totals[1]);
                    if interior {
                        let (left, right) = (at - channels, at + channels);
                        let truth = difference(s, y, right, y, left, lanes);
                        let slope = difference(s, p, right, p, left, lanes);
                        let error = s.mul(s.sub(slope, truth), inverse);
                        let truth = s.mul(truth, inverse);
                        totals[2] = s.fma(error, error, totals[2]);
                        totals[3] = s.fma(truth, truth, totals[3]);
                    }
                }
                at += lanes;
            }
        }
        for (sum, total) in sums.iter_mut().zip(totals) {
            let mut lanes = [0.0f32; 16];
            // SAFETY: no instruction set has more than sixteen lanes.
            unsafe { s.store(lanes.as_mut_ptr(), total) };
            *sum = lanes.iter().sum();
        }
    }
}

/// `a[i..] - b[j..]`, the first `lanes`.
///
/// # Safety
/// The numbers read must exist.
#[inline(always)]
unsafe fn difference<S: Simd>(s: S, a: &[f32], i: usize, b: &[f32], j: usize, lanes: usize) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let left = s.load_first(a.as_ptr().add(i), lanes);
        s.sub(left, s.load_first(b.as_ptr().add(j), lanes))
    }
}

/// Gradient of one sample: `value m e + slope Dᵀ m' D e`, with `e = p - y`.
struct Gradient<'a> {
    plan: &'a LossPlan,
    gradient: &'a mut [f32],
    p: &'a [f32],
    y: &'a [f32],
    mask: &'a [u8],
    value: f32,
    slope: f32,
}

impl Kernel for Gradient<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { plan, gradient, p, y, mask, value, slope } = self;
        let columns = plan.size[1];
        let channels = y.len() / mask.len();
        let row = columns * channels;
        for (((gradient, p), y), mask) in gradient
            .chunks_exact_mut(row)
            .zip(p.chunks_exact(row))
            .zip(y.chunks_exact(row))
            .zip(mask.chunks_exact(columns))
        {
            for (j, &active) in mask.iter().enumerate() {
                let cell = j * channels..(j + 1) * channels;
                if active == 0 {
                    gradient[cell].fill(0.0);
                    continue;
                }
                for ((g, p), y) in gradient[cell.clone()].iter_mut().zip(&p[cell.clone()]).zip(&y[cell]) {
                    *g = value * (p - y);
                }
            }
            if slope == 0.0 {
                continue;
            }
            for j in 1..columns.max(1) - 1 {
                if mask[j - 1] == 0 || mask[j] == 0 || mask[j + 1] == 0 {
                    continue;
                }
                let inverse = plan.inverse_spacing[j - 1];
                let factor = s.splat(slope * inverse * inverse);
                let (mut at, end) = (j * channels, (j + 1) * channels);
                while at < end {
                    let lanes = (end - at).min(S::LANES);
                    // SAFETY: the cells on both sides of an interior cell exist.
                    unsafe {
                        let (left, right) = (at - channels, at + channels);
                        let error_right = difference(s, p, right, y, right, lanes);
                        let error_left = difference(s, p, left, y, left, lanes);
                        let change = s.mul(factor, s.sub(error_right, error_left));
                        let g = gradient.as_mut_ptr();
                        let sum = s.add(s.load_first(g.add(right), lanes), change);
                        s.store_first(g.add(right), sum, lanes);
                        let sum = s.sub(s.load_first(g.add(left), lanes), change);
                        s.store_first(g.add(left), sum, lanes);
                    }
                    at += lanes;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    /// The definition, in double precision.
    fn reference(plan: &LossPlan, p: &[f64], y: &[f64]) -> f64 {
        let bounded = |(p, y): (&f64, &f64)| match plan.lower_bound.map(f64::from) {
            Some(bound) if *y <= bound && *p < bound => *y,
            _ => *p,
        };
        let p: Vec<f64> = p.iter().zip(y).map(bounded).collect();
        let [rows, columns] = plan.size;
        let cells = rows * columns;
        let channels = p.len() / plan.mask.len();
        let samples = plan.mask.len() / cells;
        let mut total = 0.0;
        for b in 0..samples {
            let [mut error, mut truth, mut error_slope, mut truth_slope] = [0.0f64; 4];
            for r in 0..rows {
                for j in 0..columns {
                    let cell = b * cells + r * columns + j;
                    let active = |cell: usize| plan.mask[cell] != 0;
                    if !active(cell) {
                        continue;
                    }
                    for o in 0..channels {
                        let e = |cell: usize| p[cell * channels + o] - y[cell * channels + o];
                        error += e(cell).powi(2);
                        truth += y[cell * channels + o].powi(2);
                        if j > 0 && j + 1 < columns && active(cell - 1) && active(cell + 1) {
                            let inverse = f64::from(plan.inverse_spacing[j - 1]);
                            let slope = y[(cell + 1) * channels + o] - y[(cell - 1) * channels + o];
                            error_slope += ((e(cell + 1) - e(cell - 1)) * inverse).powi(2);
                            truth_slope += (slope * inverse).powi(2);
                        }
                    }
                }
            }
            total += (error / truth).sqrt()
                + f64::from(plan.derivative_weight) * (error_slope / truth_slope).sqrt();
        }
        total / samples as f64
    }

    #[test]
    fn the_loss_matches_its_definition_and_its_gradient_central_differences() {
        let mut rng = StdRng::seed_from_u64(2);
        let (samples, size, channels) = (2, [3, 6], 5);
        let mut mask = vec![1; samples * 18];
        for cell in [12, 13, 14, 15, 16, 17, 21, 35] {
            mask[cell] = 0;
        }
        let coordinates: Vec<f64> = (0..6).map(|j| 1.3f64.powi(j)).collect();
        let mut numbers =
            || -> Vec<f32> { (0..samples * 18 * channels).map(|_| rng.random_range(-1.0..1.0)).collect() };
        let (p, mut y) = (numbers(), numbers());
        // A third of the target lies at the bound.
        y.iter_mut().step_by(3).for_each(|y| *y = -0.5);
        for (isa, lower_bound) in
            Isa::available().into_iter().flat_map(|isa| [(isa, None), (isa, Some(-0.5))])
        {
            let plan = LossPlan {
                isa,
                mask: Arc::new(mask.clone()),
                size,
                inverse_spacing: Arc::new(inverse_spacing(&coordinates)),
                derivative_weight: 0.5,
                lower_bound,
            };
            let wide = |x: &[f32]| x.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
            let mut gradient = vec![f32::NAN; p.len()];
            let loss = plan.evaluate(&p, &y, Some(&mut gradient));
            assert!((f64::from(loss) - reference(&plan, &wide(&p), &wide(&y))).abs() < 1e-6);
            let mut moved = wide(&p);
            for (i, g) in gradient.iter().enumerate() {
                let (value, step) = (moved[i], 1e-5);
                moved[i] = value + step;
                let above = reference(&plan, &moved, &wide(&y));
                moved[i] = value - step;
                let below = reference(&plan, &moved, &wide(&y));
                moved[i] = value;
                // Gradients are of size 1e-2; differences are exact to about 1e-10.
                assert!((f64::from(*g) - (above - below) / (2.0 * step)).abs() < 1e-7);
            }
        }
    }

    #[test]
    fn an_empty_or_exact_sample_has_finite_loss_and_gradient() {
        let plan = LossPlan {
            isa: Isa::detect(),
            mask: Arc::new(vec![1; 4]),
            size: [1, 4],
            inverse_spacing: Arc::new(vec![1.0; 2]),
            derivative_weight: 0.5,
            lower_bound: None,
        };
        let mut gradient = vec![f32::NAN; 4];
        assert_eq!(plan.evaluate(&[0.0; 4], &[0.0; 4], Some(&mut gradient)), 0.0);
        assert_eq!(gradient, [0.0; 4]);
        let loss = plan.evaluate(&[2.0; 4], &[0.0; 4], Some(&mut gradient));
        assert_eq!(loss, 4.0);
        assert_eq!(gradient, [0.5; 4]);
    }
}
