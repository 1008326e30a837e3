//! Dense kernels of the line solver: inversion in place and products with one or two vectors.
//!
//! Matrices are row-major with a leading dimension that is a multiple of [`LANES`]; rows are padded
//! with an identity. Each kernel is compiled for several instruction sets and chosen once at start,
//! so results are the same at any thread count on one machine.

/// Width the leading dimension is padded to.
pub(super) const LANES: usize = 8;
/// Rows updated together.
const TILE: usize = 4;

/// Two products with one pass over the matrix: matrix, size, leading dimension, vectors, results.
type ProductTwo = unsafe fn(&[f64], usize, usize, [&[f64]; 2], [&mut [f64]; 2]);

/// The kernels for this machine.
#[derive(Clone, Copy)]
pub(super) struct Kernels {
    invert: unsafe fn(&mut [f64], usize, usize, &mut [f64]) -> bool,
    product: unsafe fn(&[f64], usize, usize, &[f64], &mut [f64]),
    product_two: ProductTwo,
}

/// Rows (and pivots) a matrix of `n` unknowns is padded to.
pub(super) fn padded_rows(n: usize) -> usize {
    n.next_multiple_of(block(n))
}

/// Leading dimension for a matrix of `n` unknowns.
pub(super) fn leading(n: usize) -> usize {
    n.next_multiple_of(LANES)
}

/// Pivots eliminated together: wide blocks pay once the matrix leaves the first-level cache.
fn block(n: usize) -> usize {
    if n > 44 { 8 } else { 4 }
}

impl Kernels {
    /// Chooses by the instruction sets of the machine.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
                return Self {
                    invert: invert_avx512,
                    product: product_avx512,
                    product_two: product_two_avx512,
                };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self { invert: invert_avx2, product: product_avx2, product_two: product_two_avx2 };
            }
        }
        Self { invert: invert_portable, product: product_portable, product_two: product_two_portable }
    }

    /// Inverts the `n` x `n` matrix `a` in place, without pivoting across blocks; rows `n..padded`
    /// are overwritten. `work` holds at least [`work_len`] numbers. False when a pivot block is
    /// singular or not finite.
    pub(super) fn invert(&self, a: &mut [f64], n: usize, work: &mut [f64]) -> bool {
        let (rows, ld) = (padded_rows(n), leading(n));
        for r in 0..rows {
            let row = &mut a[r * ld..(r + 1) * ld];
            if r < n {
                row[n..].fill(0.0);
            } else {
                row.fill(0.0);
                row[r] = 1.0;
            }
        }
        // SAFETY: `detect` only stores kernels whose instruction set the machine has.
        unsafe { (self.invert)(a, rows, ld, work) }
    }

    /// `y = a x` for the leading `n` unknowns of an inverse made by [`Kernels::invert`]; `x` and `y`
    /// are padded to the leading dimension.
    pub(super) fn product(&self, a: &[f64], n: usize, x: &[f64], y: &mut [f64]) {
        // SAFETY: as in `invert`.
        unsafe { (self.product)(a, n, leading(n), x, y) }
    }

    /// [`Kernels::product`] with two vectors for one pass over the matrix.
    pub(super) fn product_two(&self, a: &[f64], n: usize, x: [&[f64]; 2], y: [&mut [f64]; 2]) {
        // SAFETY: as in `invert`.
        unsafe { (self.product_two)(a, n, leading(n), x, y) }
    }
}

/// Length of the work space for matrices of up to `n` unknowns.
pub(super) fn work_len(n: usize) -> usize {
    8 * (n.next_multiple_of(8) + 8)
}

#[inline(always)]
fn multiply_add<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Inverts the small pivot block with row exchanges; false if it is singular.
#[inline(always)]
fn invert_block<const NB: usize>(p: &mut [[f64; NB]; NB]) -> bool {
    let mut inverse = [[0.0; NB]; NB];
    for (r, row) in inverse.iter_mut().enumerate() {
        row[r] = 1.0;
    }
    for k in 0..NB {
        let mut pivot = k;
        for r in k + 1..NB {
            if p[r][k].abs() > p[pivot][k].abs() {
                pivot = r;
            }
        }
        if !(p[pivot][k].abs() > 1e-300 && p[pivot][k].is_finite()) {
            return false;
        }
        p.swap(k, pivot);
        inverse.swap(k, pivot);
        let scale = 1.0 / p[k][k];
        for j in 0..NB {
            p[k][j] *= scale;
            inverse[k][j] *= scale;
        }
        let (row, inverse_row) = (p[k], inverse[k]);
        for r in 0..NB {
            if r != k {
                let f = p[r][k];
                for j in 0..NB {
                    p[r][j] -= f * row[j];
                    inverse[r][j] -= f * inverse_row[j];
                }
            }
        }
    }
    *p = inverse;
    true
}

/// Blocked Gauss–Jordan inversion: one sweep over pivot blocks, each a rank-`NB` update.
#[inline(always)]
fn sweep<const FMA: bool, const NB: usize>(a: &mut [f64], rows: usize, ld: usize, panel: &mut [f64]) -> bool {
    for k in (0..rows).step_by(NB) {
        let mut pivot = [[0.0; NB]; NB];
        for (r, row) in pivot.iter_mut().enumerate() {
            row.copy_from_slice(&a[(k + r) * ld + k..(k + r) * ld + k + NB]);
        }
        if !invert_block(&mut pivot) {
            return false;
        }
        // Panel = pivot^-1 (pivot rows), with the inverse itself in the pivot columns.
        for j in (0..ld).step_by(LANES) {
            let mut acc = [[0.0; LANES]; NB];
            for b in 0..NB {
                let source = &a[(k + b) * ld + j..(k + b) * ld + j + LANES];
                for r in 0..NB {
                    for l in 0..LANES {
                        acc[r][l] = multiply_add::<FMA>(pivot[r][b], source[l], acc[r][l]);
                    }
                }
            }
            for r in 0..NB {
                panel[r * ld + j..r * ld + j + LANES].copy_from_slice(&acc[r]);
            }
        }
        for r in 0..NB {
            panel[r * ld + k..r * ld + k + NB].copy_from_slice(&pivot[r]);
        }
        for i in (0..rows).step_by(TILE) {
            if i >= k && i < k + NB {
                continue;
            }
            let mut factor = [[0.0; NB]; TILE];
            for (r, row) in factor.iter_mut().enumerate() {
                let entries = &mut a[(i + r) * ld + k..(i + r) * ld + k + NB];
                for (f, e) in row.iter_mut().zip(entries.iter_mut()) {
                    *f = -*e;
                    *e = 0.0;
                }
            }
            update::<FMA, NB>(&mut a[i * ld..(i + TILE) * ld], ld, &factor, panel);
        }
        for r in 0..NB {
            a[(k + r) * ld..(k + r + 1) * ld].copy_from_slice(&panel[r * ld..(r + 1) * ld]);
        }
    }
    true
}

/// `rows += factor * panel` for [`TILE`] rows.
#[inline(always)]
fn update<const FMA: bool, const NB: usize>(
    rows: &mut [f64],
    ld: usize,
    factor: &[[f64; NB]; TILE],
    panel: &[f64],
) {
    let (r0, rest) = rows.split_at_mut(ld);
    let (r1, rest) = rest.split_at_mut(ld);
    let (r2, r3) = rest.split_at_mut(ld);
    for j in (0..ld).step_by(LANES) {
        let mut acc = [[0.0; LANES]; TILE];
        acc[0].copy_from_slice(&r0[j..j + LANES]);
        acc[1].copy_from_slice(&r1[j..j + LANES]);
        acc[2].copy_from_slice(&r2[j..j + LANES]);
        acc[3].copy_from_slice(&r3[j..j + LANES]);
        for b in 0..NB {
            let mut source = [0.0; LANES];
            source.copy_from_slice(&panel[b * ld + j..b * ld + j + LANES]);
            for r in 0..TILE {
                for l in 0..LANES {
                    acc[r][l] = multiply_add::<FMA>(factor[r][b], source[l], acc[r][l]);
                }
            }
        }
        r0[j..j + LANES].copy_from_slice(&acc[0]);
        r1[j..j + LANES].copy_from_slice(&acc[1]);
        r2[j..j + LANES].copy_from_slice(&acc[2]);
        r3[j..j + LANES].copy_from_slice(&acc[3]);
    }
}

#[inline(always)]
fn invert_any<const FMA: bool>(a: &mut [f64], rows: usize, ld: usize, work: &mut [f64]) -> bool {
    // The block size follows from the padding, so both agree with `padded_rows`.
    if ld > 44 && rows.is_multiple_of(8) {
        sweep::<FMA, 8>(a, rows, ld, work)
    } else {
        sweep::<FMA, 4>(a, rows, ld, work)
    }
}

#[inline(always)]
fn product_any<const FMA: bool>(a: &[f64], n: usize, ld: usize, x: &[f64], y: &mut [f64]) {
    for (r, out) in y.iter_mut().enumerate().take(n) {
        let row = &a[r * ld..(r + 1) * ld];
        let mut acc = [0.0; LANES];
        for (e, v) in row.chunks_exact(LANES).zip(x.chunks_exact(LANES)) {
            for l in 0..LANES {
                acc[l] = multiply_add::<FMA>(e[l], v[l], acc[l]);
            }
        }
        *out = sum(&acc);
    }
}

#[inline(always)]
fn product_two_any<const FMA: bool>(a: &[f64], n: usize, ld: usize, x: [&[f64]; 2], y: [&mut [f64]; 2]) {
    let [x0, x1] = x;
    let [y0, y1] = y;
    for (r, (out0, out1)) in y0.iter_mut().zip(y1.iter_mut()).enumerate().take(n) {
        let row = &a[r * ld..(r + 1) * ld];
        let mut acc = [[0.0; LANES]; 2];
        let vectors = x0.chunks_exact(LANES).zip(x1.chunks_exact(LANES));
        for (e, (v, w)) in row.chunks_exact(LANES).zip(vectors) {
            for l in 0..LANES {
                acc[0][l] = multiply_add::<FMA>(e[l], v[l], acc[0][l]);
                acc[1][l] = multiply_add::<FMA>(e[l], w[l], acc[1][l]);
            }
        }
        *out0 = sum(&acc[0]);
        *out1 = sum(&acc[1]);
    }
}

#[inline(always)]
fn sum(acc: &[f64; LANES]) -> f64 {
    ((acc[0] + acc[4]) + (acc[1] + acc[5])) + ((acc[2] + acc[6]) + (acc[3] + acc[7]))
}

fn product_two_portable(a: &[f64], n: usize, ld: usize, x: [&[f64]; 2], y: [&mut [f64]; 2]) {
    product_two_any::<false>(a, n, ld, x, y);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn product_two_avx2(a: &[f64], n: usize, ld: usize, x: [&[f64]; 2], y: [&mut [f64]; 2]) {
    product_two_any::<true>(a, n, ld, x, y);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
fn product_two_avx512(a: &[f64], n: usize, ld: usize, x: [&[f64]; 2], y: [&mut [f64]; 2]) {
    product_two_any::<true>(a, n, ld, x, y);
}

fn invert_portable(a: &mut [f64], rows: usize, ld: usize, work: &mut [f64]) -> bool {
    invert_any::<false>(a, rows, ld, work)
}

fn product_portable(a: &[f64], n: usize, ld: usize, x: &[f64], y: &mut [f64]) {
    product_any::<false>(a, n, ld, x, y);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn invert_avx2(a: &mut [f64], rows: usize, ld: usize, work: &mut [f64]) -> bool {
    invert_any::<true>(a, rows, ld, work)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn product_avx2(a: &[f64], n: usize, ld: usize, x: &[f64], y: &mut [f64]) {
    product_any::<true>(a, n, ld, x, y);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
fn invert_avx512(a: &mut [f64], rows: usize, ld: usize, work: &mut [f64]) -> bool {
    invert_any::<true>(a, rows, ld, work)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
fn product_avx512(a: &[f64], n: usize, ld: usize, x: &[f64], y: &mut [f64]) {
    product_any::<true>(a, n, ld, x, y);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A diagonally dominant matrix times its inverse is the identity to rounding, for sizes with
    /// and without padding and both block widths; all compiled kernels agree to rounding.
    #[test]
    fn inverse_times_matrix_is_identity() {
        for n in [1, 2, 3, 4, 7, 28, 33, 44, 45, 63, 100] {
            let ld = leading(n);
            let mut state = 1u64;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
            };
            let mut a = vec![0.0; padded_rows(n) * ld];
            for r in 0..n {
                for c in 0..n {
                    a[r * ld + c] = next() + if r == c { n as f64 } else { 0.0 };
                }
            }
            let original = a.clone();
            let mut work = vec![0.0; work_len(n)];
            assert!(Kernels::detect().invert(&mut a, n, &mut work));
            let mut portable = original.clone();
            let plain = Kernels {
                invert: invert_portable,
                product: product_portable,
                product_two: product_two_portable,
            };
            assert!(plain.invert(&mut portable, n, &mut work));
            for c in 0..n {
                let mut x = vec![0.0; ld];
                for r in 0..n {
                    x[r] = original[r * ld + c];
                }
                let mut y = vec![0.0; ld];
                Kernels::detect().product(&a, n, &x, &mut y);
                for (r, v) in y.iter().enumerate().take(n) {
                    let expected = if r == c { 1.0 } else { 0.0 };
                    assert!((v - expected).abs() < 1e-12, "n {n}, ({r}, {c}): {v}");
                    assert!((a[r * ld + c] - portable[r * ld + c]).abs() < 1e-13);
                }
            }
        }
    }

    /// A singular matrix is refused.
    #[test]
    fn singular_matrix_is_refused() {
        let mut a = vec![0.0; padded_rows(5) * leading(5)];
        let mut work = vec![0.0; work_len(5)];
        assert!(!Kernels::detect().invert(&mut a, 5, &mut work));
    }
}
