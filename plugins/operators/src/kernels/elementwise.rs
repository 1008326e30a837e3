//! Passes over arrays that the compiler vectorises by itself, compiled for each instruction set.

use super::simd::{Isa, Kernel, Simd, dispatch};

/// Even and odd parts about the middle of an axis of `length` rows of `n` numbers:
/// `even[j] = x[j] + x[length - j]`, `odd[j] = x[j] - x[length - j]` for `j <= length / 2`;
/// rows that are their own mirror image have that row as even part and no odd part.
pub(crate) fn fold(isa: Isa, x: &[f32], n: usize, even: &mut [f32], odd: &mut [f32]) {
    struct Fold<'a>(&'a [f32], usize, &'a mut [f32], &'a mut [f32]);
    impl Kernel for Fold<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            let Self(x, n, even, odd) = self;
            let length = x.len() / n;
            for (j, (even, odd)) in
                even.chunks_exact_mut(n).zip(odd.chunks_exact_mut(n)).enumerate().take(length / 2 + 1)
            {
                let mirror = if j == 0 { 0 } else { length - j };
                let near = &x[j * n..(j + 1) * n];
                if mirror == j {
                    even.copy_from_slice(near);
                    odd.fill(0.0);
                    continue;
                }
                let far = &x[mirror * n..(mirror + 1) * n];
                for (((e, o), a), b) in even.iter_mut().zip(odd).zip(near).zip(far) {
                    *e = a + b;
                    *o = a - b;
                }
            }
        }
    }
    dispatch(isa, Fold(x, n, even, odd));
}

/// Cosine and sine sums over a complex axis to the coefficients of the frequencies `+k`, `-k`.
///
/// Rows hold `n` numbers as blocks of `c` real then `c` imaginary parts. With `P` the cosine and
/// `Q` the sine sum of the row, `plus = P - iQ` and `minus = P + iQ`.
pub(crate) fn to_signed(
    isa: Isa,
    c: usize,
    [cos, sin]: [&[f32]; 2],
    plus: Option<&mut [f32]>,
    minus: Option<&mut [f32]>,
) {
    struct Split<'a>(usize, [&'a [f32]; 2], &'a mut [f32], f32);
    impl Kernel for Split<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            let Self(c, [cos, sin], out, sign) = self;
            for ((out, p), q) in
                out.chunks_exact_mut(2 * c).zip(cos.chunks_exact(2 * c)).zip(sin.chunks_exact(2 * c))
            {
                let (out_re, out_im) = out.split_at_mut(c);
                let (p_re, p_im) = p.split_at(c);
                let (q_re, q_im) = q.split_at(c);
                for ((o, p), q) in out_re.iter_mut().zip(p_re).zip(q_im) {
                    *o = p + sign * q;
                }
                for ((o, p), q) in out_im.iter_mut().zip(p_im).zip(q_re) {
                    *o = p - sign * q;
                }
            }
        }
    }
    for (out, sign) in [(plus, 1.0), (minus, -1.0)] {
        if let Some(out) = out {
            dispatch(isa, Split(c, [cos, sin], out, sign));
        }
    }
}

/// Coefficients of `+k` and `-k` to the factors of the cosine and the sine: with `T = plus +
/// minus` and `D = plus - minus`, `even = T` and `odd = (D_im, -D_re)`, so that the value at a
/// position is `Σ cos even - sin odd`.
pub(crate) fn from_signed(
    isa: Isa,
    c: usize,
    plus: Option<&[f32]>,
    minus: Option<&[f32]>,
    even: &mut [f32],
    odd: &mut [f32],
) {
    struct Join<'a>(usize, &'a [f32], &'a [f32], &'a mut [f32], &'a mut [f32]);
    impl Kernel for Join<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            let Self(c, plus, minus, even, odd) = self;
            for (((plus, minus), even), odd) in plus
                .chunks_exact(2 * c)
                .zip(minus.chunks_exact(2 * c))
                .zip(even.chunks_exact_mut(2 * c))
                .zip(odd.chunks_exact_mut(2 * c))
            {
                for ((e, a), b) in even.iter_mut().zip(plus).zip(minus) {
                    *e = a + b;
                }
                let (odd_re, odd_im) = odd.split_at_mut(c);
                for ((o, a), b) in odd_re.iter_mut().zip(&plus[c..]).zip(&minus[c..]) {
                    *o = a - b;
                }
                for ((o, a), b) in odd_im.iter_mut().zip(&plus[..c]).zip(&minus[..c]) {
                    *o = b - a;
                }
            }
        }
    }
    struct One<'a>(usize, f32, &'a [f32], &'a mut [f32], &'a mut [f32]);
    impl Kernel for One<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            let Self(c, sign, value, even, odd) = self;
            even.copy_from_slice(value);
            for (value, odd) in value.chunks_exact(2 * c).zip(odd.chunks_exact_mut(2 * c)) {
                let (odd_re, odd_im) = odd.split_at_mut(c);
                for (o, v) in odd_re.iter_mut().zip(&value[c..]) {
                    *o = sign * v;
                }
                for (o, v) in odd_im.iter_mut().zip(&value[..c]) {
                    *o = -sign * v;
                }
            }
        }
    }
    match (plus, minus) {
        (Some(plus), Some(minus)) => dispatch(isa, Join(c, plus, minus, even, odd)),
        (Some(plus), None) => dispatch(isa, One(c, 1.0, plus, even, odd)),
        (None, Some(minus)) => dispatch(isa, One(c, -1.0, minus, even, odd)),
        (None, None) => {
            even.fill(0.0);
            odd.fill(0.0);
        }
    }
}

/// `out = a * b`, element by element.
pub(crate) fn multiply(isa: Isa, a: &[f32], b: &[f32], out: &mut [f32]) {
    struct Multiply<'a>(&'a [f32], &'a [f32], &'a mut [f32]);
    impl Kernel for Multiply<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            for ((o, a), b) in self.2.iter_mut().zip(self.0).zip(self.1) {
                *o = a * b;
            }
        }
    }
    dispatch(isa, Multiply(a, b, out));
}

/// `sums[j] += Σ_i x[i, j]` over the rows of `x`, in order.
pub(crate) fn add_rows(isa: Isa, x: &[f32], sums: &mut [f32]) {
    struct AddRows<'a>(&'a [f32], &'a mut [f32]);
    impl Kernel for AddRows<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let Self(x, sums) = self;
            let n = sums.len();
            let rows = x.len() / n;
            let mut column = 0;
            while column < n {
                let lanes = (n - column).min(S::LANES);
                // SAFETY: `column + lanes <= n` and `x` holds `rows` rows of `n`.
                unsafe {
                    let mut sum = s.load_first(sums.as_ptr().add(column), lanes);
                    for i in 0..rows {
                        sum = s.add(sum, s.load_first(x.as_ptr().add(i * n + column), lanes));
                    }
                    s.store_first(sums.as_mut_ptr().add(column), sum, lanes);
                }
                column += lanes;
            }
        }
    }
    dispatch(isa, AddRows(x, sums));
}

/// `out[j * rows + i] = x[i * columns + j]`.
pub(crate) fn transpose(isa: Isa, x: &[f32], rows: usize, columns: usize, out: &mut [f32]) {
    struct Transpose<'a>(&'a [f32], usize, usize, &'a mut [f32]);
    impl Kernel for Transpose<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            let Self(x, rows, columns, out) = self;
            let (x, out) = (&x[..rows * columns], &mut out[..rows * columns]);
            for (j, out) in out.chunks_exact_mut(rows).enumerate() {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = x[i * columns + j];
                }
            }
        }
    }
    dispatch(isa, Transpose(x, rows, columns, out));
}

/// `out[i, o] = bias[o] + Σ_k x[i, k] weight[o, k]`: a product with so few columns that the vectors
/// run along `k`.
pub(crate) fn narrow_product(isa: Isa, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    struct Narrow<'a>(&'a [f32], &'a [f32], &'a [f32], &'a mut [f32]);
    impl Kernel for Narrow<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let Self(x, weight, bias, out) = self;
            let (columns, depth) = (bias.len(), weight.len() / bias.len());
            for (x, out) in x.chunks_exact(depth).zip(out.chunks_exact_mut(columns)) {
                for ((weight, bias), out) in weight.chunks_exact(depth).zip(bias).zip(out) {
                    let mut sums = s.splat(0.0);
                    let mut k = 0;
                    while k < depth {
                        let lanes = (depth - k).min(S::LANES);
                        // SAFETY: `k + lanes <= depth`, the length of both rows.
                        unsafe {
                            let left = s.load_first(x.as_ptr().add(k), lanes);
                            let right = s.load_first(weight.as_ptr().add(k), lanes);
                            sums = s.fma(left, right, sums);
                        }
                        k += lanes;
                    }
                    let mut lanes = [0.0f32; 16];
                    // SAFETY: no instruction set has more than sixteen lanes.
                    unsafe { s.store(lanes.as_mut_ptr(), sums) };
                    let eight: [f32; 8] = std::array::from_fn(|i| lanes[i] + lanes[i + 8]);
                    let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
                    *out = bias + ((four[0] + four[2]) + (four[1] + four[3]));
                }
            }
        }
    }
    dispatch(isa, Narrow(x, weight, bias, out));
}
