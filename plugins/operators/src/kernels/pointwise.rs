//! Maps that act on each cell by itself: the lift and the two-layer head, with their adjoints.

use rayon::prelude::*;

use super::block::sum_copies;
use super::elementwise::{add_rows, narrow_product, transpose};
use super::gemm::{Finish, Left, Right, Start, gemm};
use super::scratch::with_scratch;
use super::simd::Isa;

/// Where a `rows` × `columns` field lies in the padded grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Size of the padded grid.
    pub grid: [usize; 2],
    /// Row and column of the field's first cell.
    pub origin: [usize; 2],
    /// Size of the field.
    pub size: [usize; 2],
}

impl Window {
    /// Cells of the padded grid.
    pub(crate) fn padded(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// Cells of the field.
    pub(crate) fn cells(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Index in the padded grid of the first cell of row `row` of the field.
    fn row(&self, row: usize) -> usize {
        (self.origin[0] + row) * self.grid[1] + self.origin[1]
    }
}

/// `y = x W + b` inside the window, zero in the padding.
///
/// `x` is `[sample, row, column, in]` on the field, `weight` `[in, out]`, `y` on the padded grid.
pub(crate) fn lift(isa: Isa, window: Window, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let out = bias.len();
    let channels = weight.len() / out;
    let [rows, columns] = window.size;
    x.par_chunks_exact(window.cells() * channels)
        .zip(y.par_chunks_exact_mut(window.padded() * out))
        .for_each(|(x, y)| {
            if window.padded() != window.cells() {
                y.fill(0.0);
            }
            for r in 0..rows {
                gemm(
                    isa,
                    [columns, out, channels],
                    Left { data: &x[r * columns * channels..], row: channels, step: 1 },
                    Right { data: weight, row: out },
                    Start::Bias(bias),
                    Finish::Store,
                    &mut y[window.row(r) * out..],
                    out,
                );
            }
        });
}

/// Gradients of [`lift`]'s weight and bias from the gradient `dy` of its output.
pub(crate) fn lift_backward(
    isa: Isa,
    window: Window,
    x: &[f32],
    dy: &[f32],
    dweight: &mut [f32],
    dbias: &mut [f32],
) {
    let out = dbias.len();
    let channels = dweight.len() / out;
    let [rows, columns] = window.size;
    let samples = x.len() / (window.cells() * channels);
    let mut weights = vec![0.0; samples * channels * out];
    let mut biases = vec![0.0; samples * out];
    x.par_chunks_exact(window.cells() * channels)
        .zip(dy.par_chunks_exact(window.padded() * out))
        .zip(weights.par_chunks_exact_mut(channels * out))
        .zip(biases.par_chunks_exact_mut(out))
        .for_each(|(((x, dy), dweight), dbias)| {
            for r in 0..rows {
                let dy = &dy[window.row(r) * out..(window.row(r) + columns) * out];
                gemm(
                    isa,
                    [channels, out, columns],
                    Left { data: &x[r * columns * channels..], row: 1, step: channels },
                    Right { data: dy, row: out },
                    Start::Output,
                    Finish::Store,
                    dweight,
                    out,
                );
                add_rows(isa, dy, dbias);
            }
        });
    sum_copies(&weights, dweight);
    sum_copies(&biases, dbias);
}

/// Parameters of the head.
#[derive(Clone, Copy)]
pub(crate) struct HeadWeights<'a> {
    /// `[in, hidden]`.
    pub(crate) first: &'a [f32],
    /// `[hidden]`.
    pub(crate) first_bias: &'a [f32],
    /// `[hidden, out]`.
    pub(crate) second: &'a [f32],
    /// `[out]`.
    pub(crate) second_bias: &'a [f32],
}

impl HeadWeights<'_> {
    fn sizes(&self) -> [usize; 3] {
        let (hidden, out) = (self.first_bias.len(), self.second_bias.len());
        [self.first.len() / hidden, hidden, out]
    }
}

/// Gradients of the head's parameters, same layouts as [`HeadWeights`].
pub(crate) struct HeadGradients<'a> {
    pub(crate) first: &'a mut [f32],
    pub(crate) first_bias: &'a mut [f32],
    pub(crate) second: &'a mut [f32],
    pub(crate) second_bias: &'a mut [f32],
}

/// Cells worked on at a time: their hidden values stay in the first-level cache.
const PIECE: usize = 48;

/// Up to so many outputs the vectors of the head's second product run along the hidden values.
const NARROW: usize = 2;

/// Ranges of a row's cells, nearly equal and at most [`PIECE`] long.
fn pieces(columns: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = columns.div_ceil(PIECE);
    (0..count).map(move |i| i * columns / count..(i + 1) * columns / count)
}

/// `y = GELU(x W1 + b1) W2 + b2` on the window of the padded grid.
///
/// `x` is `[sample, row, column, in]` on the padded grid, `y` on the field. Where `mask` (`[sample,
/// row, column]`) is zero over a whole piece of a row, the result there is zero.
pub(crate) fn head(
    isa: Isa,
    window: Window,
    weights: HeadWeights<'_>,
    x: &[f32],
    mask: Option<&[u8]>,
    y: &mut [f32],
) {
    let [channels, hidden, out] = weights.sizes();
    let [rows, columns] = window.size;
    let mut second_transposed = vec![0.0; hidden * out];
    transpose(isa, weights.second, hidden, out, &mut second_transposed);
    x.par_chunks_exact(window.padded() * channels)
        .zip(y.par_chunks_exact_mut(window.cells() * out))
        .enumerate()
        .for_each(|(b, (x, y))| {
            let mask = mask.map(|m| &m[b * window.cells()..(b + 1) * window.cells()]);
            with_scratch([PIECE * hidden], |[values]| {
                for r in 0..rows {
                    for piece in pieces(columns) {
                        let cells = r * columns + piece.start..r * columns + piece.end;
                        let result = &mut y[cells.start * out..cells.end * out];
                        if mask.is_some_and(|m| m[cells].iter().all(|&active| active == 0)) {
                            result.fill(0.0);
                            continue;
                        }
                        gemm(
                            isa,
                            [piece.len(), hidden, channels],
                            Left {
                                data: &x[(window.row(r) + piece.start) * channels..],
                                row: channels,
                                step: 1,
                            },
                            Right { data: weights.first, row: hidden },
                            Start::Bias(weights.first_bias),
                            Finish::Gelu,
                            values,
                            hidden,
                        );
                        if out <= NARROW {
                            let values = &values[..piece.len() * hidden];
                            let bias = weights.second_bias;
                            narrow_product(isa, values, &second_transposed, bias, result);
                            continue;
                        }
                        gemm(
                            isa,
                            [piece.len(), out, hidden],
                            Left { data: values, row: hidden, step: 1 },
                            Right { data: weights.second, row: out },
                            Start::Bias(weights.second_bias),
                            Finish::Store,
                            result,
                            out,
                        );
                    }
                }
            });
        });
}

/// Gradients of [`head`] from the gradient `dy` of its output; the hidden values are computed
/// again. Pieces where `dy` is zero cost nothing.
pub(crate) fn head_backward(
    isa: Isa,
    window: Window,
    weights: HeadWeights<'_>,
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    gradients: HeadGradients<'_>,
) {
    let [channels, hidden, out] = weights.sizes();
    let [rows, columns] = window.size;
    let samples = x.len() / (window.padded() * channels);
    let mut first_transposed = vec![0.0; channels * hidden];
    transpose(isa, weights.first, channels, hidden, &mut first_transposed);
    let mut second_transposed = vec![0.0; hidden * out];
    transpose(isa, weights.second, hidden, out, &mut second_transposed);
    // One copy a sample: first, first bias, second (transposed), second bias.
    let sizes = [channels * hidden, hidden, hidden * out, out];
    let mut copies = vec![0.0; samples * sizes.iter().sum::<usize>()];
    x.par_chunks_exact(window.padded() * channels)
        .zip(dy.par_chunks_exact(window.cells() * out))
        .zip(dx.par_chunks_exact_mut(window.padded() * channels))
        .zip(copies.par_chunks_exact_mut(sizes.iter().sum()))
        .for_each(|(((x, dy), dx), copy)| {
            let (dfirst, rest) = copy.split_at_mut(sizes[0]);
            let (dfirst_bias, rest) = rest.split_at_mut(sizes[1]);
            let (dsecond, dsecond_bias) = rest.split_at_mut(sizes[2]);
            if window.padded() != window.cells() {
                dx.fill(0.0);
            }
            with_scratch([PIECE * hidden; 3], |[values, slopes, dz]| {
                for r in 0..rows {
                    for piece in pieces(columns) {
                        let start = r * columns + piece.start;
                        let n = piece.len();
                        let dy = &dy[start * out..(start + n) * out];
                        let cell = (window.row(r) + piece.start) * channels;
                        let dx = &mut dx[cell..cell + n * channels];
                        if dy.iter().all(|&g| g == 0.0) {
                            dx.fill(0.0);
                            continue;
                        }
                        let x = &x[cell..cell + n * channels];
                        gemm(
                            isa,
                            [n, hidden, channels],
                            Left { data: x, row: channels, step: 1 },
                            Right { data: weights.first, row: hidden },
                            Start::Bias(weights.first_bias),
                            Finish::GeluDerivative(slopes),
                            values,
                            hidden,
                        );
                        gemm(
                            isa,
                            [n, hidden, out],
                            Left { data: dy, row: out, step: 1 },
                            Right { data: &second_transposed, row: hidden },
                            Start::Zero,
                            Finish::Times(slopes),
                            dz,
                            hidden,
                        );
                        gemm(
                            isa,
                            [out, hidden, n],
                            Left { data: dy, row: 1, step: out },
                            Right { data: values, row: hidden },
                            Start::Output,
                            Finish::Store,
                            dsecond,
                            hidden,
                        );
                        gemm(
                            isa,
                            [channels, hidden, n],
                            Left { data: x, row: 1, step: channels },
                            Right { data: dz, row: hidden },
                            Start::Output,
                            Finish::Store,
                            dfirst,
                            hidden,
                        );
                        gemm(
                            isa,
                            [n, channels, hidden],
                            Left { data: dz, row: hidden, step: 1 },
                            Right { data: &first_transposed, row: channels },
                            Start::Zero,
                            Finish::Store,
                            dx,
                            channels,
                        );
                        add_rows(isa, &dz[..n * hidden], dfirst_bias);
                        add_rows(isa, dy, dsecond_bias);
                    }
                }
            });
        });
    let mut total = vec![0.0; sizes.iter().sum()];
    sum_copies(&copies, &mut total);
    let (dfirst, rest) = total.split_at(sizes[0]);
    let (dfirst_bias, rest) = rest.split_at(sizes[1]);
    let (dsecond, dsecond_bias) = rest.split_at(sizes[2]);
    gradients.first.copy_from_slice(dfirst);
    gradients.first_bias.copy_from_slice(dfirst_bias);
    transpose(isa, dsecond, out, hidden, gradients.second);
    gradients.second_bias.copy_from_slice(dsecond_bias);
}
