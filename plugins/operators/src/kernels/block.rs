//! The Fourier block: `act(F⁻¹ R F x + x W + b)` and its adjoint.

use rayon::prelude::*;

use super::disjoint::Disjoint;
use super::elementwise::{add_rows, multiply, transpose};
use super::gemm::{Finish, Left, Right, Start, gemm};
use super::scratch::{give_buffer, take_buffer, with_scratch};
use super::spectral::{Scale, SpectralPlan};

/// The block's parameters.
#[derive(Clone, Copy)]
pub(crate) struct BlockWeights<'a> {
    /// `[row mode, column mode, (re, im), in, out]`.
    pub(crate) spectral: &'a [f32],
    /// `[in, out]`.
    pub(crate) linear: &'a [f32],
    /// `[out]`.
    pub(crate) bias: &'a [f32],
}

/// Gradients of the parameters, same layouts as [`BlockWeights`].
pub(crate) struct BlockGradients<'a> {
    pub(crate) spectral: &'a mut [f32],
    pub(crate) linear: &'a mut [f32],
    pub(crate) bias: &'a mut [f32],
}

/// `y = act(F⁻¹ R F x + x W + b)` for a batch of fields `[sample, row, column, channel]`.
///
/// `gelu` says whether there is an activation. `spectrum` receives the coefficients of `x` and
/// `derivative`, if given, the activation's derivative: what [`backward`] needs.
pub(crate) fn forward(
    plan: &SpectralPlan,
    weights: BlockWeights<'_>,
    x: &[f32],
    gelu: bool,
    y: &mut [f32],
    spectrum: &mut [f32],
    derivative: Option<&mut [f32]>,
) {
    let (field, coefficients) = (plan.field(), plan.spectrum());
    x.par_chunks_exact(field).zip(spectrum.par_chunks_exact_mut(coefficients)).for_each(|(x, spectrum)| {
        let row = plan.columns * plan.channels;
        plan.analyse(Scale::Unit, |h| &x[h * row..(h + 1) * row], spectrum);
    });
    let mut mixed = take_buffer(spectrum.len());
    mix(plan, weights.spectral, spectrum, &mut mixed);
    let synthesise = |mixed: &[f32], x: &[f32], y: &mut [f32], derivative: Option<&mut [f32]>| {
        plan.synthesise(Scale::Weighted, mixed, x, weights.linear, Some(weights.bias), gelu, y, derivative);
    };
    let samples = mixed
        .par_chunks_exact(coefficients)
        .zip(x.par_chunks_exact(field))
        .zip(y.par_chunks_exact_mut(field));
    match derivative {
        Some(derivative) => samples
            .zip(derivative.par_chunks_exact_mut(field))
            .for_each(|(((mixed, x), y), d)| synthesise(mixed, x, y, Some(d))),
        None => samples.for_each(|((mixed, x), y)| synthesise(mixed, x, y, None)),
    }
    give_buffer(mixed);
}

/// Gradients of the block from the gradient `dy` of its output, with what [`forward`] saved.
///
/// `derivative` is `None` for a block without activation.
#[allow(clippy::too_many_arguments)]
pub(crate) fn backward(
    plan: &SpectralPlan,
    weights: BlockWeights<'_>,
    x: &[f32],
    spectrum: &[f32],
    derivative: Option<&[f32]>,
    dy: &[f32],
    dx: &mut [f32],
    gradients: BlockGradients<'_>,
) {
    let (isa, c, field, coefficients) = (plan.isa, plan.channels, plan.field(), plan.spectrum());
    let samples = x.len() / field;
    let row = plan.columns * c;
    let mut product = derivative.map(|_| take_buffer(dy.len()));
    let mut adjoint = take_buffer(spectrum.len());
    // Each sample adds into its own copy; the copies are added in order below, so the sum does
    // not depend on the number of threads.
    let mut linear = vec![0.0; samples * c * c];
    let mut bias = vec![0.0; samples * c];
    {
        let product = product.as_deref_mut().map(Disjoint::new);
        x.par_chunks_exact(field)
            .zip(adjoint.par_chunks_exact_mut(coefficients))
            .zip(linear.par_chunks_exact_mut(c * c))
            .zip(bias.par_chunks_exact_mut(c))
            .enumerate()
            .for_each(|(b, (((x, adjoint), linear), bias))| {
                let row_gradient = |h: usize| -> &[f32] {
                    let part = b * field + h * row..b * field + (h + 1) * row;
                    let dz: &[f32] = match (&product, derivative) {
                        (Some(product), Some(derivative)) => {
                            // SAFETY: rows of different samples, and different rows of a
                            // sample, do not overlap; each is written once.
                            let out = unsafe { product.part(part.clone()) };
                            multiply(isa, &dy[part.clone()], &derivative[part], out);
                            out
                        }
                        _ => &dy[part],
                    };
                    gemm(
                        isa,
                        [c, c, plan.columns],
                        Left { data: &x[h * row..(h + 1) * row], row: 1, step: c },
                        Right { data: dz, row: c },
                        Start::Output,
                        Finish::Store,
                        linear,
                        c,
                    );
                    add_rows(isa, dz, bias);
                    dz
                };
                plan.analyse(Scale::Weighted, row_gradient, adjoint);
            });
    }
    sum_copies(&linear, gradients.linear);
    sum_copies(&bias, gradients.bias);

    let mut mixed = take_buffer(spectrum.len());
    mix_adjoint(plan, weights.spectral, spectrum, &adjoint, &mut mixed, gradients.spectral);
    give_buffer(adjoint);

    let mut transposed = vec![0.0; c * c];
    transpose(isa, weights.linear, c, c, &mut transposed);
    let dz = product.as_deref().unwrap_or(dy);
    mixed
        .par_chunks_exact(coefficients)
        .zip(dz.par_chunks_exact(field))
        .zip(dx.par_chunks_exact_mut(field))
        .for_each(|((mixed, dz), dx)| {
            plan.synthesise(Scale::Unit, mixed, dz, &transposed, None, false, dx, None);
        });
    give_buffer(mixed);
    if let Some(product) = product {
        give_buffer(product);
    }
}

/// Adds the copies of an array that lie one after another, in order.
pub(crate) fn sum_copies(copies: &[f32], sum: &mut [f32]) {
    sum.fill(0.0);
    for copy in copies.chunks_exact(sum.len()) {
        for (sum, value) in sum.iter_mut().zip(copy) {
            *sum += value;
        }
    }
}

/// `out[b, k] = in[b, k] R[k]` for each mode `k`, complex, as one real product a mode: rows are
/// `(re, -im)` and `(im, re)` of each sample.
fn mix(plan: &SpectralPlan, weight: &[f32], input: &[f32], out: &mut [f32]) {
    let (isa, c, coefficients) = (plan.isa, plan.channels, plan.spectrum());
    let samples = input.len() / coefficients;
    let out = Disjoint::new(out);
    weight.par_chunks_exact(2 * c * c).enumerate().with_min_len(8).for_each(|(k, weight)| {
        with_scratch([samples * 4 * c, samples * 2 * c], |[left, result]| {
            expand(plan, k, input, left, false);
            gemm(
                isa,
                [2 * samples, c, 2 * c],
                Left { data: left, row: 2 * c, step: 1 },
                Right { data: weight, row: c },
                Start::Zero,
                Finish::Store,
                result,
                c,
            );
            scatter(plan, k, result, out);
        });
    });
}

/// Adjoint of [`mix`]: the gradient of its input, `din = dout Rᴴ`, and of the weight,
/// `dR = inᴴ dout` summed over the batch in order.
fn mix_adjoint(
    plan: &SpectralPlan,
    weight: &[f32],
    input: &[f32],
    dout: &[f32],
    din: &mut [f32],
    dweight: &mut [f32],
) {
    let (isa, c, coefficients) = (plan.isa, plan.channels, plan.spectrum());
    let samples = input.len() / coefficients;
    let din = Disjoint::new(din);
    weight
        .par_chunks_exact(2 * c * c)
        .zip(dweight.par_chunks_exact_mut(2 * c * c))
        .enumerate()
        .with_min_len(8)
        .for_each(|(k, (weight, dweight))| {
            with_scratch(
                [samples * 4 * c, samples * 4 * c, samples * 2 * c, 2 * c * c],
                |[left, right, result, transposed]| {
                    expand(plan, k, input, left, false);
                    gather(plan, k, dout, result);
                    gemm(
                        isa,
                        [2 * c, c, 2 * samples],
                        Left { data: left, row: 1, step: 2 * c },
                        Right { data: result, row: c },
                        Start::Zero,
                        Finish::Store,
                        dweight,
                        c,
                    );
                    expand(plan, k, dout, right, true);
                    for (t, w) in transposed.chunks_exact_mut(c * c).zip(weight.chunks_exact(c * c)) {
                        transpose(isa, w, c, c, t);
                    }
                    gemm(
                        isa,
                        [2 * samples, c, 2 * c],
                        Left { data: right, row: 2 * c, step: 1 },
                        Right { data: transposed, row: c },
                        Start::Zero,
                        Finish::Store,
                        result,
                        c,
                    );
                    scatter(plan, k, result, din);
                },
            );
        });
}

/// The two rows of each sample's mode `k` as a real matrix: `(re, -im)` and `(im, re)`, or with
/// `adjoint` `(re, im)` and `(im, -re)`.
fn expand(plan: &SpectralPlan, k: usize, spectra: &[f32], out: &mut [f32], adjoint: bool) {
    let c = plan.channels;
    for (spectrum, out) in spectra.chunks_exact(plan.spectrum()).zip(out.chunks_exact_mut(4 * c)) {
        let (re, im) = spectrum[k * 2 * c..(k + 1) * 2 * c].split_at(c);
        let (first, second) = out.split_at_mut(2 * c);
        let ((a, b), (d, e)) = (first.split_at_mut(c), second.split_at_mut(c));
        a.copy_from_slice(re);
        d.copy_from_slice(im);
        let (kept, kept_from, turned, turned_from) = if adjoint { (b, im, e, re) } else { (e, re, b, im) };
        kept.copy_from_slice(kept_from);
        for (out, value) in turned.iter_mut().zip(turned_from) {
            *out = -value;
        }
    }
}

/// Mode `k` of every sample, `[sample, (re, im), channel]`.
fn gather(plan: &SpectralPlan, k: usize, spectra: &[f32], out: &mut [f32]) {
    let c = plan.channels;
    for (spectrum, out) in spectra.chunks_exact(plan.spectrum()).zip(out.chunks_exact_mut(2 * c)) {
        out.copy_from_slice(&spectrum[k * 2 * c..(k + 1) * 2 * c]);
    }
}

/// Writes mode `k` of every sample; different modes do not overlap.
fn scatter(plan: &SpectralPlan, k: usize, values: &[f32], spectra: Disjoint<'_>) {
    let c = plan.channels;
    for (b, values) in values.chunks_exact(2 * c).enumerate() {
        let start = b * plan.spectrum() + k * 2 * c;
        // SAFETY: the callers give each mode to one thread, and the modes of a sample lie apart.
        unsafe { spectra.part(start..start + 2 * c) }.copy_from_slice(values);
    }
}
