//! Truncated two-dimensional Fourier transform of channels-last fields, as matrix products.
//!
//! Up to some tens of modes the product with a small matrix beats a fast transform, and it takes
//! any grid size. Cosines are even and sines odd about the middle of an axis, so fields are first
//! folded there, which halves the products.

use super::elementwise::{fold, from_signed, to_signed};
use super::gemm::{Finish, Left, Right, Start, gemm};
use super::scratch::with_scratch;
use super::simd::Isa;
use super::synthesis::{Activation, Pointwise, Synthesis, synthesize};

/// Which of the transform pair's factors `1 / (rows columns)` and the doubled interior modes go
/// with an analysis or a synthesis. The adjoint of one is the other with the factors swapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scale {
    /// None: analysis of the forward pass, synthesis of its adjoint.
    Unit,
    /// All: synthesis of the forward pass, analysis of its adjoint.
    Weighted,
}

/// Matrices for fields of one grid and one set of modes.
///
/// Modes follow neuraloperator's convention: `modes = [n1, n2]` counts both signs; rows keep the
/// frequencies `-(n1 / 2) ..= (n1 - 1) / 2`, columns (the real axis) `0 ..= n2 / 2`.
#[derive(Debug)]
pub struct SpectralPlan {
    pub(crate) isa: Isa,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) channels: usize,
    /// Frequencies kept along the rows' axis, both signs.
    pub(crate) row_modes: usize,
    /// Frequencies kept along the columns' axis, from 0.
    pub(crate) column_modes: usize,
    real: [RealAxis; 2],
    complex: ComplexAxis,
}

/// Matrices of the real axis, `[pair, mode]` for the analysis and `[mode, pair]` for the synthesis.
#[derive(Debug)]
struct RealAxis {
    analysis_cos: Vec<f32>,
    analysis_sin: Vec<f32>,
    synthesis_cos: Vec<f32>,
    synthesis_sin: Vec<f32>,
}

/// Cosines and sines of the frequencies' magnitudes, both orders.
#[derive(Debug)]
struct ComplexAxis {
    analysis_cos: Vec<f32>,
    analysis_sin: Vec<f32>,
    synthesis_cos: Vec<f32>,
    synthesis_sin: Vec<f32>,
}

/// `(cos, sin)` of `2 pi k j / n`, from an exactly reduced angle.
fn turn(k: usize, j: usize, n: usize) -> (f64, f64) {
    let angle = std::f64::consts::TAU * ((k * j) % n) as f64 / n as f64;
    (libm::cos(angle), libm::sin(angle))
}

impl SpectralPlan {
    /// Matrices for `rows` × `columns` fields of `channels` channels.
    ///
    /// Returns `None` when a mode count is zero or more than the grid can carry.
    pub fn new(isa: Isa, [rows, columns]: [usize; 2], channels: usize, modes: [usize; 2]) -> Option<Self> {
        let (row_modes, column_modes) = (modes[0], modes[1] / 2 + 1);
        if modes.contains(&0) || channels == 0 || row_modes > rows || column_modes > columns / 2 + 1 {
            return None;
        }
        let real = [Scale::Unit, Scale::Weighted].map(|scale| {
            let pairs = columns / 2 + 1;
            let factor = |k: usize| match scale {
                Scale::Unit => 1.0,
                // The other half of the spectrum is the conjugate, except for the frequencies
                // that are their own mirror image.
                Scale::Weighted => {
                    let doubled = if k == 0 || 2 * k == columns { 1.0 } else { 2.0 };
                    doubled / (rows * columns) as f64
                }
            };
            let table = |of: &dyn Fn((f64, f64)) -> f64, mode_first: bool| {
                let mut matrix = vec![0.0; pairs * column_modes];
                for k in 0..column_modes {
                    for j in 0..pairs {
                        let index = if mode_first { k * pairs + j } else { j * column_modes + k };
                        matrix[index] = (factor(k) * of(turn(k, j, columns))) as f32;
                    }
                }
                matrix
            };
            RealAxis {
                analysis_cos: table(&|t| t.0, false),
                analysis_sin: table(&|t| -t.1, false),
                synthesis_cos: table(&|t| t.0, true),
                synthesis_sin: table(&|t| t.1, true),
            }
        });
        let magnitudes = row_modes / 2 + 1;
        let pairs = rows / 2 + 1;
        let table = |of: &dyn Fn((f64, f64)) -> f64, mode_first: bool| {
            let mut matrix = vec![0.0; pairs * magnitudes];
            for k in 0..magnitudes {
                for j in 0..pairs {
                    let index = if mode_first { k * pairs + j } else { j * magnitudes + k };
                    matrix[index] = of(turn(k, j, rows)) as f32;
                }
            }
            matrix
        };
        let complex = ComplexAxis {
            analysis_cos: table(&|t| t.0, false),
            analysis_sin: table(&|t| t.1, false),
            synthesis_cos: table(&|t| t.0, true),
            synthesis_sin: table(&|t| t.1, true),
        };
        Some(Self { isa, rows, columns, channels, row_modes, column_modes, real, complex })
    }

    /// Numbers in a sample's field.
    pub(crate) fn field(&self) -> usize {
        self.rows * self.columns * self.channels
    }

    /// Kept modes.
    pub(crate) fn modes(&self) -> usize {
        self.row_modes * self.column_modes
    }

    /// Numbers in a sample's spectrum, `[row mode, column mode, (re, im), channel]`.
    pub(crate) fn spectrum(&self) -> usize {
        self.modes() * 2 * self.channels
    }

    /// Numbers in a row of a spectrum or of a half-transformed field.
    fn stripe(&self) -> usize {
        self.column_modes * 2 * self.channels
    }

    fn magnitudes(&self) -> usize {
        self.row_modes / 2 + 1
    }

    /// Rows of the spectrum that hold the frequencies `+k` and `-k`, where kept.
    fn signed_rows(&self, k: usize) -> (Option<usize>, Option<usize>) {
        let zero = self.row_modes / 2;
        ((k <= (self.row_modes - 1) / 2).then_some(zero + k), (k > 0).then(|| zero - k))
    }

    /// Kept Fourier coefficients of one sample's field. `row_ready(h)` is called with the row's
    /// number before row `h` is read, and returns that row.
    pub(crate) fn analyse<'x>(
        &self,
        scale: Scale,
        mut row_ready: impl FnMut(usize) -> &'x [f32],
        spectrum: &mut [f32],
    ) {
        let (c, m, isa) = (self.channels, self.column_modes, self.isa);
        let stripe = self.stripe();
        let axis = &self.real[scale as usize];
        let row_pairs = (self.columns / 2 + 1) * c;
        let pairs = self.rows / 2 + 1;
        let magnitudes = self.magnitudes();
        with_scratch(
            [
                self.rows * stripe,
                row_pairs,
                row_pairs,
                pairs * stripe,
                pairs * stripe,
                magnitudes * stripe,
                magnitudes * stripe,
            ],
            |[half, row_even, row_odd, even, odd, cos, sin]| {
                let depth = self.columns / 2 + 1;
                for (h, half) in half.chunks_exact_mut(stripe).enumerate() {
                    fold(isa, row_ready(h), c, row_even, row_odd);
                    gemm(
                        isa,
                        [m, c, depth],
                        Left { data: &axis.analysis_cos, row: 1, step: m },
                        Right { data: row_even, row: c },
                        Start::Zero,
                        Finish::Store,
                        half,
                        2 * c,
                    );
                    half[c..2 * c].fill(0.0);
                    if m > 1 {
                        gemm(
                            isa,
                            [m - 1, c, depth],
                            Left { data: &axis.analysis_sin[1..], row: 1, step: m },
                            Right { data: row_odd, row: c },
                            Start::Zero,
                            Finish::Store,
                            &mut half[3 * c..],
                            2 * c,
                        );
                    }
                }
                fold(isa, half, stripe, even, odd);
                gemm(
                    isa,
                    [magnitudes, stripe, pairs],
                    Left { data: &self.complex.analysis_cos, row: 1, step: magnitudes },
                    Right { data: even, row: stripe },
                    Start::Zero,
                    Finish::Store,
                    cos,
                    stripe,
                );
                sin[..stripe].fill(0.0);
                if magnitudes > 1 {
                    gemm(
                        isa,
                        [magnitudes - 1, stripe, pairs],
                        Left { data: &self.complex.analysis_sin[1..], row: 1, step: magnitudes },
                        Right { data: odd, row: stripe },
                        Start::Zero,
                        Finish::Store,
                        &mut sin[stripe..],
                        stripe,
                    );
                }
                for k in 0..magnitudes {
                    let part = k * stripe..(k + 1) * stripe;
                    let sums = [&cos[part.clone()], &sin[part]];
                    let (plus, minus) = self.signed_rows(k);
                    if let Some(row) = plus {
                        let out = &mut spectrum[row * stripe..(row + 1) * stripe];
                        to_signed(isa, c, sums, Some(out), None);
                    }
                    if let Some(row) = minus {
                        let out = &mut spectrum[row * stripe..(row + 1) * stripe];
                        to_signed(isa, c, sums, None, Some(out));
                    }
                }
            },
        );
    }

    /// The real field of one sample from its kept coefficients, plus a pointwise map of `input`
    /// (one row of `channels` numbers a cell) and a bias, through an activation.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn synthesise(
        &self,
        scale: Scale,
        spectrum: &[f32],
        input: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        gelu: bool,
        out: &mut [f32],
        mut derivative: Option<&mut [f32]>,
    ) {
        let (c, m, isa) = (self.channels, self.column_modes, self.isa);
        let stripe = self.stripe();
        let magnitudes = self.magnitudes();
        let axis = &self.real[scale as usize];
        let (row_pairs, pairs) = (self.rows / 2 + 1, self.columns / 2 + 1);
        with_scratch([self.rows * stripe, magnitudes * stripe, magnitudes * stripe], |[half, even, odd]| {
            for k in 0..magnitudes {
                let part = k * stripe..(k + 1) * stripe;
                let (plus, minus) = self.signed_rows(k);
                let row = |r: usize| &spectrum[r * stripe..(r + 1) * stripe];
                from_signed(isa, c, plus.map(row), minus.map(row), &mut even[part.clone()], &mut odd[part]);
            }
            synthesize(
                isa,
                &Synthesis {
                    length: self.rows,
                    n: stripe,
                    cos: Left { data: &self.complex.synthesis_cos, row: 1, step: row_pairs },
                    even: Right { data: even, row: stripe },
                    even_depth: magnitudes,
                    // The sine of frequency 0 is zero.
                    sin: Left {
                        data: &self.complex.synthesis_sin[row_pairs.min(self.complex.synthesis_sin.len())..],
                        row: 1,
                        step: row_pairs,
                    },
                    odd: Right { data: &odd[stripe..], row: stripe },
                    odd_depth: magnitudes - 1,
                    pointwise: None,
                    bias: None,
                },
                half,
                stripe,
                Activation::None,
            );
            let row_length = self.columns * c;
            for (h, half) in half.chunks_exact(stripe).enumerate() {
                let part = h * row_length..(h + 1) * row_length;
                let activation = match (gelu, derivative.as_deref_mut()) {
                    (false, _) => Activation::None,
                    (true, None) => Activation::Gelu,
                    (true, Some(d)) => Activation::GeluDerivative(&mut d[part.clone()]),
                };
                synthesize(
                    isa,
                    &Synthesis {
                        length: self.columns,
                        n: c,
                        cos: Left { data: &axis.synthesis_cos, row: 1, step: pairs },
                        even: Right { data: half, row: 2 * c },
                        even_depth: m,
                        sin: Left { data: &axis.synthesis_sin[pairs..], row: 1, step: pairs },
                        odd: Right { data: half.get(3 * c..).unwrap_or(&[]), row: 2 * c },
                        odd_depth: m - 1,
                        pointwise: Some(Pointwise { input: &input[part.clone()], channels: c, weight }),
                        bias,
                    },
                    &mut out[part],
                    c,
                    activation,
                );
            }
        });
    }
}
