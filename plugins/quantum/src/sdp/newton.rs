//! Minimising `½⟨W V, V⟩` over matrices `V` with rows of length one: sweeps over the rows, then Newton's method on
//! the product of spheres.

use crate::graph::Graph;
use crate::matrix::dot;
use crate::simulator::lanes::{Kernel, Lanes};
use crate::simulator::{Isa, Real};

/// The length of the first steps, as a share of the longest.
const FIRST_RADIUS: f64 = 0.25;

/// A row for each vertex, each of `rank` numbers (a multiple of eight).
pub(super) struct Rows<'a> {
    graph: &'a Graph,
    pub(super) rank: usize,
    pub(super) v: Vec<f64>,
    /// `W V`.
    product: Vec<f64>,
    /// Products with W so far.
    pub(super) products: usize,
    /// The length of steps up to which the second derivative is trusted.
    radius: f64,
}

/// A step of Newton's method.
struct Step {
    x: Vec<f64>,
    /// How much less the value is after it, to second order.
    decrease: f64,
    /// Whether it ends at the edge of the region.
    edge: bool,
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

/// One step of the conjugate gradients: `x += α d`, `r -= α H d`. Also `r·z` and `r·r` for `z = r / y`, and `x·x`.
struct Advance<'a> {
    rank: usize,
    alpha: f64,
    inverse: &'a [f64],
    direction: &'a [f64],
    image: &'a [f64],
    x: &'a mut [f64],
    residual: &'a mut [f64],
    sums: &'a mut Sums,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    next: f64,
    square: f64,
    length: f64,
}

impl Kernel<f64> for Advance<'_> {
    #[inline(always)]
    fn run<S: Lanes<f64>>(self, _: S) {
        let mut sums = Sums::default();
        let alpha = self.alpha;
        for (vertex, factor) in self.inverse.iter().enumerate() {
            let row = vertex * self.rank..(vertex + 1) * self.rank;
            let (d, h) = (&self.direction[row.clone()], &self.image[row.clone()]);
            let (x, r) = (&mut self.x[row.clone()], &mut self.residual[row]);
            x.iter_mut().zip(d).for_each(|(x, d)| *x += alpha * d);
            r.iter_mut().zip(h).for_each(|(r, h)| *r -= alpha * h);
            let own = short_dot(r, r);
            sums.square += own;
            sums.next += factor * own;
            sums.length += short_dot(x, x);
        }
        *self.sums = sums;
    }
}

/// The next direction of the conjugate gradients, `d = z + β d`. Also `x·d`.
struct Turn<'a> {
    rank: usize,
    beta: f64,
    inverse: &'a [f64],
    residual: &'a [f64],
    x: &'a [f64],
    direction: &'a mut [f64],
    along: &'a mut f64,
}

impl Kernel<f64> for Turn<'_> {
    #[inline(always)]
    fn run<S: Lanes<f64>>(self, _: S) {
        let (mut along, beta) = (0.0, self.beta);
        for (vertex, factor) in self.inverse.iter().enumerate() {
            let row = vertex * self.rank..(vertex + 1) * self.rank;
            let (d, r) = (&mut self.direction[row.clone()], &self.residual[row.clone()]);
            d.iter_mut().zip(r).for_each(|(d, r)| *d = factor * r + beta * *d);
            along += short_dot(d, &self.x[row]);
        }
        *self.along = along;
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
        let mut rows = Self { graph, rank, v, product, products: 0, radius: 0.0 };
        rows.radius = FIRST_RADIUS * rows.widest();
        rows
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

    /// One step of Newton's method, its equation solved by conjugate gradients as far as is worth it, within a region that it
    /// is trusted in (Steihaug 1983).
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
        let step = self.newton_step(y, residual, start * gradient.sqrt().clamp(1e-3, 0.1), scale);
        self.move_along(value, &step);
        Stand { value, gradient }
    }

    /// The step for a negative gradient. Where the second derivative is negative along a direction, it goes along that to the
    /// edge of the region: that is the way out of a saddle.
    fn newton_step(&mut self, y: &[f64], mut residual: Vec<f64>, goal: f64, scale: f64) -> Step {
        const ITERATIONS: usize = 400;
        let rank = self.rank;
        let inverse: Vec<f64> = y.iter().map(|y| 1.0 / y.max(0.05 * scale)).collect();
        let rows = residual.chunks_exact(rank).zip(&inverse);
        let mut direction: Vec<f64> = rows.flat_map(|(r, f)| r.iter().map(move |r| r * f)).collect();
        let (mut x, mut image) = (vec![0.0; residual.len()], vec![0.0; residual.len()]);
        let mut rz = dot(&residual, &direction);
        let (mut decrease, mut length, mut along) = (0.0, 0.0, 0.0);
        for _ in 0..ITERATIONS {
            self.products += 1;
            let (mut curvature, mut square) = (0.0, 0.0);
            let hessian = Hessian {
                graph: self.graph,
                rank,
                y,
                v: &self.v,
                direction: &direction,
                image: &mut image,
                curvature: &mut curvature,
                length: &mut square,
            };
            f64::dispatch(Isa::detect(), hessian);
            // How far along the direction the edge is.
            let room = (self.radius * self.radius - length).max(0.0);
            let edge = (-along + (along * along + square * room).sqrt()) / square.max(f64::MIN_POSITIVE);
            let alpha = rz / curvature;
            if curvature <= 1e-14 * square * scale || alpha >= edge {
                x.iter_mut().zip(&direction).for_each(|(x, d)| *x += edge * d);
                decrease += edge * (rz - 0.5 * edge * curvature);
                return Step { x, decrease, edge: true };
            }
            let mut sums = Sums::default();
            let advance = Advance {
                rank,
                alpha,
                inverse: &inverse,
                direction: &direction,
                image: &image,
                x: &mut x,
                residual: &mut residual,
                sums: &mut sums,
            };
            f64::dispatch(Isa::detect(), advance);
            decrease += 0.5 * alpha * rz;
            if sums.square.sqrt() <= goal {
                break;
            }
            let beta = sums.next / rz;
            (rz, length) = (sums.next, sums.length);
            let turn = Turn {
                rank,
                beta,
                inverse: &inverse,
                residual: &residual,
                x: &x,
                direction: &mut direction,
                along: &mut along,
            };
            f64::dispatch(Isa::detect(), turn);
        }
        Step { x, decrease, edge: false }
    }

    /// Goes along a step and back to the spheres, less far if that does not go down, and learns how far to trust.
    fn move_along(&mut self, value: f64, step: &Step) {
        let mut share = 1.0;
        for _ in 0..30 {
            let mut moved: Vec<f64> = self.v.iter().zip(&step.x).map(|(v, d)| v + share * d).collect();
            for row in moved.chunks_exact_mut(self.rank) {
                crate::matrix::normalise(row);
            }
            let product = self.multiply(&moved);
            let new = 0.5 * dot(&moved, &product);
            let gained = value - new;
            // Close to the end decreases are lost in rounding.
            let lost = 1e-14 * value.abs();
            if gained >= 0.1 * share * step.decrease - lost {
                if share < 1.0 || gained < 0.25 * step.decrease - 100.0 * lost {
                    self.radius = share.min(0.5) * dot(&step.x, &step.x).sqrt();
                } else if step.edge && gained > 0.5 * step.decrease {
                    self.radius = (2.0 * self.radius).min(self.widest());
                }
                self.v = moved;
                return;
            }
            share *= 0.5;
        }
    }

    /// The longest step that is tried: a length of one for each row.
    fn widest(&self) -> f64 {
        (self.v.len() as f64 / self.rank as f64).sqrt()
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
        self.radius = FIRST_RADIUS * self.widest();
    }
}
