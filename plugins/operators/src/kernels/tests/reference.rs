//! Plain `f64` implementations of the kernels, written from the definitions.

use std::f64::consts::{PI, TAU};

pub(super) fn gelu(x: f64) -> f64 {
    0.5 * x * libm::erfc(-x / 2f64.sqrt())
}

pub(super) fn gelu_derivative(x: f64) -> f64 {
    0.5 * libm::erfc(-x / 2f64.sqrt()) + x * libm::exp(-0.5 * x * x) / (2.0 * PI).sqrt()
}

/// Sizes of a Fourier block.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) samples: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) channels: usize,
    pub(super) modes: [usize; 2],
}

impl Sizes {
    pub(super) fn cells(&self) -> usize {
        self.rows * self.columns
    }
    fn column_modes(&self) -> usize {
        self.modes[1] / 2 + 1
    }
    pub(super) fn spectral(&self) -> usize {
        self.modes[0] * self.column_modes() * 2 * self.channels * self.channels
    }
}

/// `act(F⁻¹ R F x + x W + b)` by direct sums over all cells and kept modes. The parameters are
/// `spectral`, `linear`, `bias` one after another.
pub(super) fn block(sizes: Sizes, parameters: &[f64], x: &[f64], activation: bool) -> Vec<f64> {
    let Sizes { samples, rows, columns, channels: c, .. } = sizes;
    let (spectral, rest) = parameters.split_at(sizes.spectral());
    let (linear, bias) = rest.split_at(c * c);
    let cells = sizes.cells();
    let mut y = vec![0.0; x.len()];
    for b in 0..samples {
        let x = &x[b * cells * c..(b + 1) * cells * c];
        let y = &mut y[b * cells * c..(b + 1) * cells * c];
        for (cell, y) in y.chunks_exact_mut(c).enumerate() {
            for (o, y) in y.iter_mut().enumerate() {
                *y = bias[o] + (0..c).map(|i| x[cell * c + i] * linear[i * c + o]).sum::<f64>();
            }
        }
        for row_mode in 0..sizes.modes[0] {
            let k = row_mode as f64 - (sizes.modes[0] / 2) as f64;
            for l in 0..sizes.column_modes() {
                let angle =
                    |h: usize, w: usize| TAU * (k * h as f64 / rows as f64 + (l * w) as f64 / columns as f64);
                let mut re = vec![0.0; c];
                let mut im = vec![0.0; c];
                for cell in 0..cells {
                    let (sin, cos) = angle(cell / columns, cell % columns).sin_cos();
                    for i in 0..c {
                        re[i] += x[cell * c + i] * cos;
                        im[i] -= x[cell * c + i] * sin;
                    }
                }
                let start = (row_mode * sizes.column_modes() + l) * 2 * c * c;
                let weight = &spectral[start..start + 2 * c * c];
                let doubled = if l == 0 || 2 * l == columns { 1.0 } else { 2.0 };
                for o in 0..c {
                    let (mut out_re, mut out_im) = (0.0, 0.0);
                    for i in 0..c {
                        let (w_re, w_im) = (weight[i * c + o], weight[c * c + i * c + o]);
                        out_re += re[i] * w_re - im[i] * w_im;
                        out_im += re[i] * w_im + im[i] * w_re;
                    }
                    for cell in 0..cells {
                        let (sin, cos) = angle(cell / columns, cell % columns).sin_cos();
                        // The real part: what an inverse real transform returns.
                        y[cell * c + o] += doubled / cells as f64 * (out_re * cos - out_im * sin);
                    }
                }
            }
        }
        if activation {
            for y in y.iter_mut() {
                *y = gelu(*y);
            }
        }
    }
    y
}

/// `GELU(x W1 + b1) W2 + b2` for each row of `x`; the parameters one after another.
pub(super) fn head(sizes: [usize; 3], parameters: &[f64], x: &[f64]) -> Vec<f64> {
    let [channels, hidden, out] = sizes;
    let (first, rest) = parameters.split_at(channels * hidden);
    let (first_bias, rest) = rest.split_at(hidden);
    let (second, second_bias) = rest.split_at(hidden * out);
    x.chunks_exact(channels)
        .flat_map(|x| {
            let values: Vec<f64> = (0..hidden)
                .map(|h| {
                    let sum: f64 = (0..channels).map(|i| x[i] * first[i * hidden + h]).sum();
                    gelu(first_bias[h] + sum)
                })
                .collect();
            (0..out)
                .map(|o| {
                    let sum: f64 = (0..hidden).map(|h| values[h] * second[h * out + o]).sum();
                    second_bias[o] + sum
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Central differences of `Σ output · weight` with respect to every entry of `at`.
pub(super) fn gradient(at: &[f64], weight: &[f64], output: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let step = 1e-5;
    let value = |at: &[f64]| -> f64 { output(at).iter().zip(weight).map(|(y, w)| y * w).sum() };
    let mut moved = at.to_vec();
    (0..at.len())
        .map(|i| {
            moved[i] = at[i] + step;
            let above = value(&moved);
            moved[i] = at[i] - step;
            let below = value(&moved);
            moved[i] = at[i];
            (above - below) / (2.0 * step)
        })
        .collect()
}
