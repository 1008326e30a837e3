//! Minimising `½⟨W V, V⟩` over matrices `V` with rows of length one: sweeps over the rows, then Newton's method on
//! the product of spheres.

use crate::graph::Graph;
use crate::matrix::dot;
use crate::simulator::lanes::{Kernel, Lanes};
use crate::simulator::{Isa, Real};

/// A row for each vertex, each of `rank` numbers (a multiple of eight).
pub(super) struct Rows<'a> {
    graph: &'a Graph,
    pub(super) rank: usize,
    pub(super) v: Vec<f64>,
    /// `W V`.
    product: Vec<f64>,
    /// Products with W so far.
    pub(super) products: usize,
}

/// `out = W x`.
struct Multiply<'a> {
    graph: &'a Graph,
    rank: usize,
    x: &'a [f64],
    out: &'a mut [f64],
}

impl Kernel<f64> for Multiply<'_> {
    #[inline(always)]
    fn run<S: Lanes<f64>>(self, simd: S) {
        let (offsets, neighbours, weights) = self.graph.rows();
        for (vertex, out) in self.out.chunks_exact_mut(self.rank).enumerate() {
            let range = offsets[vertex]..offsets[vertex + 1];
            gather(simd, &neighbours[range.clone()], &weights[range], self.x, out);
        }
    }
}

/// `out = Σ_j w_j x_j` over rows of `out.len()` numbers.
#[inline(always)]
fn gather<S: Lanes<f64>>(simd: S, neighbours: &[u32], weights: &[f64], x: &[f64], out: &mut [f64]) {
    let rank = out.len();
    let step = 1 << S::LOG;
    let mut at = 0;
    while at < rank {
        let mut sum = simd.splat(0.0);
        for (&to, &w) in neighbours.iter().zip(weights) {
            let row = &x[to as usize * rank..(to as usize + 1) * rank];
            // SAFETY: ranks are multiples of eight, so of the lanes.
            sum = unsafe { simd.fma(simd.splat(w), simd.load(row.as_ptr().add(at)), sum) };
        }
        // SAFETY: as above.
        unsafe { simd.store(out.as_mut_ptr().add(at), sum) };
        at += step;
    }
}

/// `image = H direction` for the second derivative `H` at `v`: `W d + y d`, less what is along `v`, row by row. Also
/// `d·Hd` and `d·d`.
struct Hessian<'a> {
    graph: &'a Graph,
    rank: usize,
    y: &'a [f64],
    v: &'a [f64],
    direction: &'a [f64],
    image: &'a mut [f64],
    curvature: &'a mut f64,
    length: &'a mut f64,
}

impl Kernel<f64> for Hessian<'_> {
    #[inline(always)]
    fn run<S: Lanes<f64>>(self, simd: S) {
        let (offsets, neighbours, weights) = self.graph.rows();
        let (mut curvature, mut length) = (0.0, 0.0);
        for (vertex, image) in self.image.chunks_exact_mut(self.rank).enumerate() {
            let range = offsets[vertex]..offsets[vertex + 1];
            gather(simd, &neighbours[range.clone()], &weights[range], self.direction, image);
            let row = vertex * self.rank..(vertex + 1) * self.rank;
            let (d, v) = (&self.direction[row.clone()], &self.v[row]);
            let y = self.y[vertex];
            image.iter_mut().zip(d).for_each(|(h, d)| *h += y * d);
            let along = short_dot(image, v);
            image.iter_mut().zip(v).for_each(|(h, v)| *h -= along * v);
            curvature += short_dot(image, d);
            length += short_dot(d, d);
        }
        (*self.curvature, *self.length) = (curvature, length);
    }
}

/// The inner product of two rows, whose lengths are multiples of eight.
#[inline(always)]
fn short_dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum()
}

/// One step of the conjugate gradients: `x += α d`, `r -= α H d`. Also `r·z` and `r·r` for `z = r / y`.
struct Advance<'a> {
    rank: usize,
    alpha: f64,
    inverse: &'a [f64],
    direction: &'a [f64],
    image: &'a [f64],
    x: &'a mut [f64],
    residual: &'a mut [f64],
    next: &'a mut f64,
    square: &'a mut f64,
}

impl Kernel<f64> for Advance<'_> {
    #[inline(always)]
    fn run<S: Lanes<f64>>(self, _: S) {
        let (mut next, mut square) = (0.0, 0.0);
        let alpha = self.alpha;
        for (vertex, factor) in self.inverse.iter().enumerate() {
            let row = vertex * self.rank..(vertex + 1) * self.rank;
            let (d, h) = (&self.direction[row.clone()], &self.image[row.clone()]);
            let (x, r) = (&mut self.x[row.clone()], &mut self.residual[row]);
            x.iter_mut().zip(d).for_each(|(x, d)| *x += alpha * d);
            r.iter_mut().zip(h).for_each(|(r, h)| *r -= alpha * h);
            let own = short_dot(r, r);
            square += own;
            next += factor * own;
        }
        (*self.next, *self.square) = (next, square);
    }
}

/// One sweep: each row is set against the sum of its neighbours' rows.
struct Sweep<'a> {
    graph: &'a Graph,
    rank: usize,
    v: &'a mut [f64],
}

impl Kernel<f64> for Sweep<'_> {
    #[inline(always)]
    fn run<S: Lanes<f64>>(self, simd: S) {
        let (offsets, neighbours, weights) = self.graph.rows();
        let mut sum = vec![0.0; self.rank];
        for vertex in 0..self.graph.vertices() {
            let range = offsets[vertex]..offsets[vertex + 1];
            gather(simd, &neighbours[range.clone()], &weights[range], self.v, &mut sum);
            let length = dot(&sum, &sum).sqrt();
            if length > 0.0 {
                let row = &mut self.v[vertex * self.rank..(vertex + 1) * self.rank];
                row.iter_mut().zip(&sum).for_each(|(v, s)| *v = -s / length);
            }
        }
    }
}

/// Where the iteration stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    /// `½⟨W V, V⟩`.
    pub(super) value: f64,
    /// Root mean square of the gradient's rows over that of the dual variables.
    pub(super) gradient: f64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(graph: &'a Graph, rank: usize, mut v: Vec<f64>) -> Self {
        for row in v.chunks_exact_mut(rank) {
            crate::matrix::normalise(row);
        }
        let product = vec![0.0; v.len()];
        Self { graph, rank, v, product, products: 0 }
    }

    /// One sweep.
    pub(super) fn sweep(&mut self) {
        self.products += 1;
        f64::dispatch(Isa::detect(), Sweep { graph: self.graph, rank: self.rank, v: &mut self.v });
    }

    fn multiply(&mut self, x: &[f64]) -> Vec<f64> {
        self.products += 1;
        let mut out = vec![0.0; x.len()];
        f64::dispatch(Isa::detect(), Multiply { graph: self.graph, rank: self.rank, x, out: &mut out });
        out
    }

    /// Dual variables: `y_i = -v_i · (W V)_i`.
    pub(super) fn dual(&mut self) -> Vec<f64> {
        let v = std::mem::take(&mut self.v);
        self.product = self.multiply(&v);
        self.v = v;
        let rows = self.v.chunks_exact(self.rank).zip(self.product.chunks_exact(self.rank));
        rows.map(|(v, g)| -dot(v, g)).collect()
    }

    /// One step of Newton's method, its equation solved by conjugate gradients as far as is worth it.
    pub(super) fn step(&mut self, y: &[f64]) -> Stand {
        let rank = self.rank;
        let value = -0.5 * y.iter().sum::<f64>();
        // The gradient, negative: -(g_i + y_i v_i).
        let mut residual = self.product.iter().map(|g| -g).collect::<Vec<_>>();
        for ((r, v), y) in residual.chunks_exact_mut(rank).zip(self.v.chunks_exact(rank)).zip(y) {
            r.iter_mut().zip(v).for_each(|(r, v)| *r -= y * v);
        }
        let scale = (dot(y, y) / y.len() as f64).sqrt().max(f64::MIN_POSITIVE);
        let start = dot(&residual, &residual).sqrt();
        let gradient = start / (y.len() as f64).sqrt() / scale;
        let slope = self.newton_direction(y, &mut residual, start * gradient.sqrt().clamp(1e-3, 0.1), scale);
        self.move_along(value, &residual, slope);
        Stand { value, gradient }
    }

    /// Replaces the negative gradient by a direction that goes down; returns the slope along it.
    fn newton_direction(&mut self, y: &[f64], residual: &mut Vec<f64>, goal: f64, scale: f64) -> f64 {
        const ITERATIONS: usize = 400;
        let rank = self.rank;
        let gradient = residual.clone();
        let inverse: Vec<f64> = y.iter().map(|y| 1.0 / y.max(0.05 * scale)).collect();
        let rows = residual.chunks_exact(rank).zip(&inverse);
        let mut direction: Vec<f64> = rows.flat_map(|(r, f)| r.iter().map(move |r| r * f)).collect();
        let (mut x, mut image) = (vec![0.0; residual.len()], vec![0.0; residual.len()]);
        let mut rz = dot(residual, &direction);
        for iteration in 0..ITERATIONS {
            self.products += 1;
            let (mut curvature, mut length) = (0.0, 0.0);
            let hessian = Hessian {
                graph: self.graph,
                rank,
                y,
                v: &self.v,
                direction: &direction,
                image: &mut image,
                curvature: &mut curvature,
                length: &mut length,
            };
            f64::dispatch(Isa::detect(), hessian);
            if curvature <= 1e-14 * length * scale {
                // Down without end, to second order: as far as one preconditioned step.
                if iteration == 0 {
                    x = direction;
                }
                break;
            }
            let (mut next, mut square) = (0.0, 0.0);
            let advance = Advance {
                rank,
                alpha: rz / curvature,
                inverse: &inverse,
                direction: &direction,
                image: &image,
                x: &mut x,
                residual,
                next: &mut next,
                square: &mut square,
            };
            f64::dispatch(Isa::detect(), advance);
            if square.sqrt() <= goal {
                break;
            }
            let beta = next / rz;
            rz = next;
            let rows = direction.chunks_exact_mut(rank).zip(residual.chunks_exact(rank)).zip(&inverse);
            for ((direction, residual), f) in rows {
                direction.iter_mut().zip(residual).for_each(|(d, r)| *d = f * r + beta * *d);
            }
        }
        let slope = -dot(&gradient, &x);
        *residual = x;
        slope
    }

    /// Goes along a direction and back to the spheres, less far if that does not go down.
    fn move_along(&mut self, value: f64, direction: &[f64], slope: f64) {
        let mut length = 1.0;
        for _ in 0..30 {
            let mut moved: Vec<f64> = self.v.iter().zip(direction).map(|(v, d)| v + length * d).collect();
            for row in moved.chunks_exact_mut(self.rank) {
                crate::matrix::normalise(row);
            }
            let product = self.multiply(&moved);
            let new = 0.5 * dot(&moved, &product);
            // Close to the end decreases are lost in rounding.
            if new <= value + 1e-4 * length * slope + 1e-14 * value.abs() {
                self.v = moved;
                return;
            }
            length *= 0.5;
        }
    }

    /// Adds columns of small random numbers: a way out of a point that is not the minimum.
    pub(super) fn widen(&mut self, rank: usize, mut draw: impl FnMut() -> f64) {
        let old = std::mem::take(&mut self.v);
        for row in old.chunks_exact(self.rank) {
            let start = self.v.len();
            self.v.extend_from_slice(row);
            self.v.extend((self.rank..rank).map(|_| 1e-2 * draw()));
            crate::matrix::normalise(&mut self.v[start..]);
        }
        self.rank = rank;
    }
}
