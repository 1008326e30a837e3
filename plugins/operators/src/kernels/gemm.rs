//! Matrix products of operator size: a few rows and columns of register tiles, an epilogue.

use super::gelu::gelu;
use super::simd::{Isa, Kernel, Simd, dispatch};

/// Left factor: `a[i, k] = data[i * row + k * step]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
    pub(crate) step: usize,
}

/// Right factor, its columns contiguous: `b[k, j] = data[k * row + j]`.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
}

/// What the sums start from.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Zero.
    Zero,
    /// One number a column.
    Bias(&'a [f32]),
    /// The output's present content.
    Output,
}

/// What happens to a sum before it is stored.
pub(crate) enum Finish<'a> {
    /// Nothing.
    Store,
    /// GELU.
    Gelu,
    /// GELU, its derivative stored in a second output of the same layout.
    GeluDerivative(&'a mut [f32]),
    /// Multiplication by the content of an array of the output's layout.
    Times(&'a [f32]),
}

/// `out[i, j] = finish(start + Σ_k a[i, k] b[k, j])` for `i < m`, `j < n`, `k < depth`.
///
/// `out` has rows of stride `out_row`. Each sum runs over `k` in order, whatever the size.
///
/// # Panics
/// When an operand is shorter than the sizes ask for.
#[allow(clippy::too_many_arguments)]
pub(crate) fn gemm(
    isa: Isa,
    [m, n, depth]: [usize; 3],
    a: Left<'_>,
    b: Right<'_>,
    start: Start<'_>,
    finish: Finish<'_>,
    out: &mut [f32],
    out_row: usize,
) {
    if m == 0 || n == 0 {
        return;
    }
    let last = (m - 1) * out_row + n;
    assert!(out.len() >= last, "output too short");
    if depth > 0 {
        assert!(a.data.len() > (m - 1) * a.row + (depth - 1) * a.step, "left factor too short");
        assert!(b.data.len() >= (depth - 1) * b.row + n, "right factor too short");
    }
    let (start, init) = match start {
        Start::Zero => (std::ptr::null(), Init::Zero),
        Start::Bias(bias) => {
            assert!(bias.len() >= n, "bias too short");
            (bias.as_ptr(), Init::Bias)
        }
        Start::Output => (std::ptr::null(), Init::Output),
    };
    let (other, end) = match finish {
        Finish::Store => (std::ptr::null_mut(), End::Store),
        Finish::Gelu => (std::ptr::null_mut(), End::Gelu),
        Finish::GeluDerivative(derivative) => {
            assert!(derivative.len() >= last, "derivative too short");
            (derivative.as_mut_ptr(), End::GeluDerivative)
        }
        Finish::Times(factor) => {
            assert!(factor.len() >= last, "factor too short");
            (factor.as_ptr().cast_mut(), End::Times)
        }
    };
    dispatch(
        isa,
        Product {
            m,
            n,
            depth,
            a: a.data.as_ptr(),
            a_row: a.row,
            a_step: a.step,
            b: b.data.as_ptr(),
            b_row: b.row,
            bias: start,
            init,
            out: out.as_mut_ptr(),
            out_row,
            other,
            end,
        },
    );
}

#[derive(Clone, Copy, PartialEq)]
enum Init {
    Zero,
    Bias,
    Output,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Store,
    Gelu,
    GeluDerivative,
    Times,
}

/// The checked arguments of [`gemm`] as pointers.
#[derive(Clone, Copy)]
struct Product {
    m: usize,
    n: usize,
    depth: usize,
    a: *const f32,
    a_row: usize,
    a_step: usize,
    b: *const f32,
    b_row: usize,
    bias: *const f32,
    init: Init,
    out: *mut f32,
    out_row: usize,
    /// Second output or factor.
    other: *mut f32,
    end: End,
}

impl Kernel for Product {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut column = 0;
        while column < self.n {
            let left = self.n - column;
            // SAFETY: `gemm` has checked that all indices below the sizes lie in their slices.
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

impl Product {
    /// All rows of `N` vectors of columns, in tiles of nearly equal height.
    #[inline(always)]
    unsafe fn columns<S: Simd, const N: usize>(&self, s: S, column: usize, lanes: usize) {
        let tiles = self.m.div_ceil(S::ROWS);
        let (height, taller) = (self.m / tiles, self.m % tiles);
        let mut row = 0;
        for index in 0..tiles {
            let rows = height + usize::from(index < taller);
            // SAFETY: the caller's; `rows` is at most `S::ROWS`, so no arm is missing.
            unsafe {
                macro_rules! heights {
                    ($($rows:literal)*) => {
                        match rows {
                            $($rows if $rows <= S::ROWS => {
                                self.tile::<S, $rows, N>(s, row, column, lanes);
                            })*
                            _ => unreachable!("tile heights are between 1 and {}", S::ROWS),
                        }
                    };
                }
                heights!(1 2 3 4 5 6 7 8 9 10 11 12);
            }
            row += rows;
        }
    }

    /// One register tile.
    ///
    /// The sums are indexed by constants only (all loops over them are unrolled), so they stay in
    /// registers; what indexes by a variable works on a copy.
    #[allow(clippy::needless_range_loop, reason = "the index must be seen to be a constant")]
    #[inline(always)]
    unsafe fn tile<S: Simd, const M: usize, const N: usize>(
        &self,
        s: S,
        row: usize,
        column: usize,
        lanes: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            let out = self.out.wrapping_add(row * self.out_row + column);
            let mut sums = [[s.splat(0.0); N]; M];
            if self.init != Init::Zero {
                let (start, step) = if self.init == Init::Bias {
                    (self.bias.wrapping_add(column), 0)
                } else {
                    (out.cast_const(), self.out_row)
                };
                for i in 0..M {
                    for j in 0..N {
                        sums[i][j] = load::<S, N>(s, lanes, start.wrapping_add(i * step), j);
                    }
                }
            }
            let mut a = self.a.wrapping_add(row * self.a_row);
            let mut b = self.b.wrapping_add(column);
            for _ in 0..self.depth {
                let mut right = [s.splat(0.0); N];
                for (j, v) in right.iter_mut().enumerate() {
                    *v = load::<S, N>(s, lanes, b, j);
                }
                for i in 0..M {
                    let left = s.splat(*a.wrapping_add(i * self.a_row));
                    for j in 0..N {
                        sums[i][j] = s.fma(left, right[j], sums[i][j]);
                    }
                }
                a = a.wrapping_add(self.a_step);
                b = b.wrapping_add(self.b_row);
            }
            if self.end == End::Store {
                for i in 0..M {
                    for j in 0..N {
                        store::<S, N>(s, lanes, out.wrapping_add(i * self.out_row), j, sums[i][j]);
                    }
                }
                return;
            }
            let other = self.other.wrapping_add(row * self.out_row + column);
            if self.end == End::Times {
                for i in 0..M {
                    for j in 0..N {
                        let at = i * self.out_row;
                        let factor = load::<S, N>(s, lanes, other.wrapping_add(at), j);
                        let value = s.mul(sums[i][j], factor);
                        store::<S, N>(s, lanes, out.wrapping_add(at), j, value);
                    }
                }
                return;
            }
            let mut copy = [[s.splat(0.0); N]; M];
            for i in 0..M {
                for j in 0..N {
                    copy[i][j] = sums[i][j];
                }
            }
            for (i, sums) in copy.iter().enumerate() {
                let at = i * self.out_row;
                for (j, v) in sums.iter().enumerate() {
                    let (value, derivative) = gelu(s, *v);
                    if self.end == End::GeluDerivative {
                        store::<S, N>(s, lanes, other.wrapping_add(at), j, derivative);
                    }
                    store::<S, N>(s, lanes, out.wrapping_add(at), j, value);
                }
            }
        }
    }
}

/// Vector `j` of a tile's row: whole when the tile is two vectors wide, else the first `lanes`.
///
/// # Safety
/// The numbers read must exist.
#[inline(always)]
pub(super) unsafe fn load<S: Simd, const N: usize>(s: S, lanes: usize, p: *const f32, j: usize) -> S::V {
    // SAFETY: the caller's.
    unsafe { if N == 2 { s.load(p.add(j * S::LANES)) } else { s.load_first(p, lanes) } }
}

/// Counterpart of [`load`].
///
/// # Safety
/// The numbers written must exist.
#[inline(always)]
pub(super) unsafe fn store<S: Simd, const N: usize>(s: S, lanes: usize, p: *mut f32, j: usize, v: S::V) {
    // SAFETY: the caller's.
    unsafe {
        if N == 2 {
            s.store(p.add(j * S::LANES), v);
        } else {
            s.store_first(p, v, lanes);
        }
    }
}
