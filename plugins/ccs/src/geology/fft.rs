//! Discrete Fourier transforms of lengths that are powers of two, with twiddle factors that do not depend on
//! the system's mathematical library.

/// A complex array as real and imaginary parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Complex {
    pub(super) re: Vec<f64>,
    pub(super) im: Vec<f64>,
}

impl Complex {
    pub(super) fn zeros(len: usize) -> Self {
        Self { re: vec![0.0; len], im: vec![0.0; len] }
    }
}

/// `X_k = sum_j x_j exp(+2 pi i j k / n)` over both axes of a row-major (rows, columns) array; both lengths
/// are powers of two.
pub(super) fn inverse_2d(x: Complex, rows: usize, columns: usize) -> Complex {
    let x = along_first(x, rows, columns);
    let x = along_first(transpose(&x, rows, columns), columns, rows);
    transpose(&x, columns, rows)
}

fn transpose(x: &Complex, rows: usize, columns: usize) -> Complex {
    /// Side of the blocks that are moved at once, so that both arrays stay in the cache.
    const BLOCK: usize = 32;
    let mut out = Complex::zeros(x.re.len());
    for (from, to) in [(&x.re, &mut out.re), (&x.im, &mut out.im)] {
        for j0 in (0..columns).step_by(BLOCK) {
            for i0 in (0..rows).step_by(BLOCK) {
                for j in j0..(j0 + BLOCK).min(columns) {
                    for i in i0..(i0 + BLOCK).min(rows) {
                        to[j * rows + i] = from[i * columns + j];
                    }
                }
            }
        }
    }
    out
}

/// Transforms along the first axis of an (n, batch) array: Stockham's radix-2 algorithm, which needs no bit
/// reversal and works on contiguous rows of `batch` numbers.
fn along_first(mut x: Complex, n: usize, batch: usize) -> Complex {
    debug_assert!(n.is_power_of_two());
    let mut y = Complex::zeros(x.re.len());
    let (mut half, mut stride) = (n / 2, 1);
    while half >= 1 {
        for p in 0..half {
            let angle = std::f64::consts::PI * p as f64 / half as f64;
            let (wi, wr) = libm::sincos(angle);
            let row = stride * batch;
            let (a, b) = (p * row, (p + half) * row);
            let (s, d) = (2 * p * row, (2 * p + 1) * row);
            let (ar, ai) = (&x.re[a..a + row], &x.im[a..a + row]);
            let (br, bi) = (&x.re[b..b + row], &x.im[b..b + row]);
            let (sr, dr) = y.re[s..d + row].split_at_mut(row);
            let (si, di) = y.im[s..d + row].split_at_mut(row);
            for q in 0..row {
                let (er, ei) = (ar[q] - br[q], ai[q] - bi[q]);
                sr[q] = ar[q] + br[q];
                si[q] = ai[q] + bi[q];
                dr[q] = er * wr - ei * wi;
                di[q] = er * wi + ei * wr;
            }
        }
        std::mem::swap(&mut x, &mut y);
        half /= 2;
        stride *= 2;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_equals_its_definition() {
        let (rows, columns) = (8, 4);
        let mut x = Complex::zeros(rows * columns);
        for (k, (re, im)) in x.re.iter_mut().zip(&mut x.im).enumerate() {
            (*re, *im) = (((k * 7 + 3) % 11) as f64 - 5.0, ((k * 5 + 1) % 13) as f64 - 6.0);
        }
        let y = inverse_2d(x.clone(), rows, columns);
        for (u, v) in (0..rows).flat_map(|u| (0..columns).map(move |v| (u, v))) {
            let (mut re, mut im) = (0.0, 0.0);
            for (j, k) in (0..rows).flat_map(|j| (0..columns).map(move |k| (j, k))) {
                let turn = (u * j) as f64 / rows as f64 + (v * k) as f64 / columns as f64;
                let (s, c) = libm::sincos(2.0 * std::f64::consts::PI * turn);
                let at = j * columns + k;
                re += x.re[at] * c - x.im[at] * s;
                im += x.re[at] * s + x.im[at] * c;
            }
            let at = u * columns + v;
            // 32 terms of size 10: rounding stays below 1e-13.
            assert!((y.re[at] - re).abs() < 1e-12 && (y.im[at] - im).abs() < 1e-12);
        }
    }
}
