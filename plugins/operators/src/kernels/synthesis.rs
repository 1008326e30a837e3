//! Inverse transform along one axis, joined with a pointwise linear map and an activation.

use super::gelu::gelu;
use super::gemm::{Left, Right, load, store};
use super::simd::{Isa, Kernel, Simd, dispatch};

/// A pointwise linear map added to the transform: `Σ_i input[j, i] weight[i, c]`.
#[derive(Clone, Copy)]
pub(crate) struct Pointwise<'a> {
    /// One row of `channels` numbers a position.
    pub(crate) input: &'a [f32],
    pub(crate) channels: usize,
    /// `[channels, n]`.
    pub(crate) weight: &'a [f32],
}

/// Arguments of [`synthesize`].
pub(crate) struct Synthesis<'a> {
    /// Positions along the axis.
    pub(crate) length: usize,
    /// Columns (channels, or several of them side by side).
    pub(crate) n: usize,
    /// Even part: `cos[j, k]` for `j <= length / 2`, `k < even_depth`, against `even[k, c]`.
    pub(crate) cos: Left<'a>,
    pub(crate) even: Right<'a>,
    pub(crate) even_depth: usize,
    /// Odd part.
    pub(crate) sin: Left<'a>,
    pub(crate) odd: Right<'a>,
    pub(crate) odd_depth: usize,
    pub(crate) pointwise: Option<Pointwise<'a>>,
    pub(crate) bias: Option<&'a [f32]>,
}

/// `out[j] = act(E_j - O_j + bias + pointwise)` and `out[length - j] = act(E_j + O_j + …)`, with
/// `E_j = Σ_k cos[j, k] even[k]` and `O_j = Σ_k sin[j, k] odd[k]`.
///
/// Cosines are even and sines odd about the middle of the axis, so one product serves two
/// positions. With `derivative` the activation is GELU and its derivative is stored there;
/// without it there is none. Rows of `out` and `derivative` have stride `out_row`.
///
/// # Panics
/// When an operand is shorter than the sizes ask for.
pub(crate) fn synthesize(
    isa: Isa,
    args: &Synthesis<'_>,
    out: &mut [f32],
    out_row: usize,
    activation: Activation<'_>,
) {
    let Synthesis { length, n, .. } = *args;
    if length == 0 || n == 0 {
        return;
    }
    let pairs = length / 2 + 1;
    let last = (length - 1) * out_row + n;
    assert!(out.len() >= last, "output too short");
    for (left, right, depth) in [(args.cos, args.even, args.even_depth), (args.sin, args.odd, args.odd_depth)]
    {
        if depth > 0 {
            assert!(
                left.data.len() > (pairs - 1) * left.row + (depth - 1) * left.step,
                "transform matrix too short"
            );
            assert!(right.data.len() >= (depth - 1) * right.row + n, "coefficients too short");
        }
    }
    if let Some(p) = args.pointwise {
        assert!(p.input.len() >= length * p.channels, "pointwise input too short");
        assert!(p.weight.len() >= p.channels * n, "pointwise weight too short");
    }
    assert!(args.bias.is_none_or(|bias| bias.len() >= n), "bias too short");
    let (gelu, derivative) = match activation {
        Activation::None => (false, std::ptr::null_mut()),
        Activation::Gelu => (true, std::ptr::null_mut()),
        Activation::GeluDerivative(derivative) => {
            assert!(derivative.len() >= last, "derivative too short");
            (true, derivative.as_mut_ptr())
        }
    };
    dispatch(isa, Rows { args, out: out.as_mut_ptr(), out_row, gelu, derivative });
}

/// What [`synthesize`] applies last.
pub(crate) enum Activation<'a> {
    /// Nothing.
    None,
    /// GELU.
    Gelu,
    /// GELU, its derivative stored in an array of the output's layout.
    GeluDerivative(&'a mut [f32]),
}

struct Rows<'a, 'b> {
    args: &'a Synthesis<'b>,
    out: *mut f32,
    out_row: usize,
    gelu: bool,
    derivative: *mut f32,
}

impl Kernel for Rows<'_, '_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let n = self.args.n;
        let mut column = 0;
        while column < n {
            let left = n - column;
            // SAFETY: `synthesize` has checked that all indices lie in their slices.
            unsafe {
                if left >= 2 * S::LANES {
                    self.columns::<S, 2>(s, column, S::LANES);
                    column += 2 * S::LANES;
                } else {
                    let lanes = left.min(S::LANES);
                    self.columns::<S, 1>(s, column, lanes);
                    column += lanes;
                }
            }
        }
    }
}

impl Rows<'_, '_> {
    #[inline(always)]
    unsafe fn columns<S: Simd, const N: usize>(&self, s: S, column: usize, lanes: usize) {
        let pairs = self.args.length / 2 + 1;
        let tiles = pairs.div_ceil(S::ROWS / 2);
        let (height, taller) = (pairs / tiles, pairs % tiles);
        let mut first = 0;
        for index in 0..tiles {
            let count = height + usize::from(index < taller);
            // SAFETY: the caller's; `count` is at most `S::ROWS / 2`.
            unsafe {
                macro_rules! heights {
                    ($($pairs:literal)*) => {
                        match count {
                            $($pairs if 2 * $pairs <= S::ROWS => {
                                self.tile::<S, $pairs, N>(s, first, column, lanes);
                            })*
                            _ => unreachable!("tiles have between 1 and {} pairs", S::ROWS / 2),
                        }
                    };
                }
                heights!(1 2 3 4 5 6);
            }
            first += count;
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const P: usize, const N: usize>(
        &self,
        s: S,
        first: usize,
        column: usize,
        lanes: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            let zero = s.splat(0.0);
            let mut near = product::<S, P, N>(
                s,
                [first, column, lanes],
                self.args.cos,
                self.args.even,
                self.args.even_depth,
            );
            let mut far = product::<S, P, N>(
                s,
                [first, column, lanes],
                self.args.sin,
                self.args.odd,
                self.args.odd_depth,
            );
            let mut bias = [zero; N];
            if let Some(values) = self.args.bias {
                for (j, v) in bias.iter_mut().enumerate() {
                    *v = load::<S, N>(s, lanes, values.as_ptr().add(column), j);
                }
            }
            for i in 0..P {
                for j in 0..N {
                    let (even, odd) = (s.add(near[i][j], bias[j]), far[i][j]);
                    near[i][j] = s.sub(even, odd);
                    far[i][j] = s.add(even, odd);
                }
            }
            // The middle of the axis and its start are their own mirror images: computed twice,
            // stored twice, the same.
            let length = self.args.length;
            if let Some(p) = self.args.pointwise {
                let input = p.input.as_ptr();
                let mut here = [input; P];
                let mut there = [input; P];
                for i in 0..P {
                    here[i] = input.add((first + i) * p.channels);
                    there[i] = input.add(mirror(length, first + i) * p.channels);
                }
                let mut b = p.weight.as_ptr().wrapping_add(column);
                for k in 0..p.channels {
                    let mut r = [zero; N];
                    for (j, v) in r.iter_mut().enumerate() {
                        *v = load::<S, N>(s, lanes, b, j);
                    }
                    for i in 0..P {
                        let l = s.splat(*here[i].add(k));
                        for j in 0..N {
                            near[i][j] = s.fma(l, r[j], near[i][j]);
                        }
                        let l = s.splat(*there[i].add(k));
                        for j in 0..N {
                            far[i][j] = s.fma(l, r[j], far[i][j]);
                        }
                    }
                    b = b.wrapping_add(self.args.n);
                }
            }
            for i in 0..P {
                for (position, sums) in [(first + i, near[i]), (mirror(length, first + i), far[i])] {
                    let offset = position * self.out_row + column;
                    for (j, v) in sums.iter().enumerate() {
                        let mut value = *v;
                        if self.gelu {
                            let (y, slope) = gelu(s, value);
                            if !self.derivative.is_null() {
                                store::<S, N>(s, lanes, self.derivative.add(offset), j, slope);
                            }
                            value = y;
                        }
                        store::<S, N>(s, lanes, self.out.add(offset), j, value);
                    }
                }
            }
        }
    }
}

/// The position that mirrors `j` on an axis of `length`.
#[inline(always)]
fn mirror(length: usize, j: usize) -> usize {
    if j == 0 { 0 } else { length - j }
}

/// `Σ_k left[first + i, k] right[k, column + j]` for a tile of `P` rows.
///
/// # Safety
/// The numbers read must exist.
#[inline(always)]
unsafe fn product<S: Simd, const P: usize, const N: usize>(
    s: S,
    [first, column, lanes]: [usize; 3],
    left: Left<'_>,
    right: Right<'_>,
    depth: usize,
) -> [[S::V; N]; P] {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[s.splat(0.0); N]; P];
        let mut a = left.data.as_ptr().wrapping_add(first * left.row);
        let mut b = right.data.as_ptr().wrapping_add(column);
        for _ in 0..depth {
            let mut r = [s.splat(0.0); N];
            for (j, v) in r.iter_mut().enumerate() {
                *v = load::<S, N>(s, lanes, b, j);
            }
            for (i, sum) in sums.iter_mut().enumerate() {
                let l = s.splat(*a.add(i * left.row));
                for (v, r) in sum.iter_mut().zip(r) {
                    *v = s.fma(l, r, *v);
                }
            }
            a = a.wrapping_add(left.step);
            b = b.wrapping_add(right.row);
        }
        sums
    }
}
