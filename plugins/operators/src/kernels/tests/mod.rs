#![allow(clippy::unwrap_used)]

mod reference;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::block::{BlockGradients, BlockWeights, backward, forward};
use super::gemm::{Finish, Left, Right, Start, gemm};
use super::pointwise::{HeadGradients, HeadWeights, Window, head, head_backward, lift, lift_backward};
use super::simd::Isa;
use super::spectral::SpectralPlan;
use reference::Sizes;

fn numbers(rng: &mut StdRng, n: usize) -> Vec<f32> {
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&v| f64::from(v)).collect()
}

/// Largest difference, relative to the largest value.
fn error(x: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(x.len(), exact.len());
    let scale = exact.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
    x.iter().zip(exact).fold(0.0, |m: f64, (a, b)| m.max((f64::from(*a) - b).abs())) / scale
}

#[test]
fn gelu_and_its_derivative_match_erfc() {
    let x: Vec<f32> = (-4000..=4000).map(|i| i as f32 * 2.5e-3).collect();
    for isa in Isa::available() {
        let (mut value, mut slope) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        gemm(
            isa,
            [1, x.len(), 0],
            Left { data: &[], row: 0, step: 0 },
            Right { data: &[], row: 0 },
            Start::Bias(&x),
            Finish::GeluDerivative(&mut slope),
            &mut value,
            0,
        );
        for ((x, value), slope) in x.iter().zip(value).zip(slope) {
            let x64 = f64::from(*x);
            // 1.5e-7 of the approximation of erf, and the rounding of x Φ(x).
            let bound = 2.5e-7 * (1.0 + x64.abs());
            assert!((f64::from(value) - reference::gelu(x64)).abs() < bound, "{isa:?} {x}");
            let exact = reference::gelu_derivative(x64);
            assert!((f64::from(slope) - exact).abs() < bound, "{isa:?} {x}");
        }
    }
}

#[test]
fn products_of_every_tile_size_match_direct_sums() {
    let mut rng = StdRng::seed_from_u64(1);
    for isa in Isa::available() {
        for m in [1, 2, 5, 11, 12, 13, 25, 30] {
            for n in [1, 3, 8, 16, 20, 32, 45] {
                let depth = 9;
                let a = numbers(&mut rng, m * depth);
                let b = numbers(&mut rng, depth * n);
                let start = numbers(&mut rng, m * n);
                let factor = numbers(&mut rng, m * n);
                for transposed in [false, true] {
                    let (row, step) = if transposed { (1, m) } else { (depth, 1) };
                    let left = Left { data: &a, row, step };
                    let right = Right { data: &b, row: n };
                    let exact: Vec<f64> = (0..m * n)
                        .map(|at| {
                            let (i, j) = (at / n, at % n);
                            f64::from(start[at])
                                + (0..depth)
                                    .map(|k| f64::from(a[i * row + k * step]) * f64::from(b[k * n + j]))
                                    .sum::<f64>()
                        })
                        .collect();
                    let mut out = start.clone();
                    let sizes = [m, n, depth];
                    gemm(isa, sizes, left, right, Start::Output, Finish::Store, &mut out, n);
                    assert!(error(&out, &exact) < 1e-6);
                    let mut out = start.clone();
                    let times = Finish::Times(&factor);
                    gemm(isa, sizes, left, right, Start::Output, times, &mut out, n);
                    let scaled: Vec<f64> =
                        exact.iter().zip(&factor).map(|(e, f)| e * f64::from(*f)).collect();
                    assert!(error(&out, &scaled) < 1e-6);
                }
            }
        }
    }
}

/// Everything a Fourier block computes, against the reference and its central differences.
fn check_block(isa: Isa, sizes: Sizes, activation: bool) {
    let mut rng = StdRng::seed_from_u64(7);
    let c = sizes.channels;
    let plan = SpectralPlan::new(isa, [sizes.rows, sizes.columns], c, sizes.modes).unwrap();
    let field = sizes.samples * sizes.cells() * c;
    let x = numbers(&mut rng, field);
    let spectral = numbers(&mut rng, sizes.spectral());
    let linear = numbers(&mut rng, c * c);
    let bias = numbers(&mut rng, c);
    let dy = numbers(&mut rng, field);
    let weights = BlockWeights { spectral: &spectral, linear: &linear, bias: &bias };

    let mut y = vec![f32::NAN; field];
    let mut spectrum = vec![f32::NAN; sizes.samples * plan.spectrum()];
    let mut derivative = vec![f32::NAN; field];
    forward(&plan, weights, &x, activation, &mut y, &mut spectrum, activation.then_some(&mut derivative));
    let parameters: Vec<f64> = [wide(&spectral), wide(&linear), wide(&bias)].concat();
    let exact = reference::block(sizes, &parameters, &wide(&x), activation);
    // Single precision, sums of up to some hundred terms.
    assert!(error(&y, &exact) < 3e-6, "{isa:?}: value {}", error(&y, &exact));

    let mut dx = vec![f32::NAN; field];
    let mut gradients =
        [vec![f32::NAN; spectral.len()], vec![f32::NAN; linear.len()], vec![f32::NAN; bias.len()]];
    let [dspectral, dlinear, dbias] = &mut gradients;
    backward(
        &plan,
        weights,
        &x,
        &spectrum,
        activation.then_some(&derivative),
        &dy,
        &mut dx,
        BlockGradients { spectral: dspectral, linear: dlinear, bias: dbias },
    );
    let weight = wide(&dy);
    let exact =
        reference::gradient(&wide(&x), &weight, |x| reference::block(sizes, &parameters, x, activation));
    assert!(error(&dx, &exact) < 5e-6, "{isa:?}: dx {}", error(&dx, &exact));
    let exact =
        reference::gradient(&parameters, &weight, |p| reference::block(sizes, p, &wide(&x), activation));
    let all: Vec<f32> = gradients.concat();
    let parts = [spectral.len(), spectral.len() + linear.len(), all.len()];
    let mut start = 0;
    for end in parts {
        let e = error(&all[start..end], &exact[start..end]);
        assert!(e < 5e-6, "{isa:?}: gradient of parameters from {start}: {e}");
        start = end;
    }
}

#[test]
fn the_fourier_block_matches_direct_sums_and_central_differences() {
    for isa in Isa::available() {
        // Odd and even sizes, neither a power of two; all modes an axis can carry.
        let odd = Sizes { samples: 2, rows: 5, columns: 7, channels: 3, modes: [4, 5] };
        check_block(isa, odd, true);
        let full = Sizes { samples: 1, rows: 6, columns: 6, channels: 2, modes: [6, 6] };
        check_block(isa, full, false);
        let one = Sizes { samples: 3, rows: 4, columns: 3, channels: 2, modes: [1, 1] };
        check_block(isa, one, true);
    }
}

#[test]
fn wide_blocks_match_direct_sums() {
    // The register tiles of the real sizes: 32 channels, padded grid, 12 modes.
    let sizes = Sizes { samples: 1, rows: 26, columns: 36, channels: 32, modes: [24, 22] };
    let mut rng = StdRng::seed_from_u64(3);
    let x = numbers(&mut rng, sizes.cells() * 32);
    let spectral: Vec<f32> = numbers(&mut rng, sizes.spectral()).iter().map(|v| v * 0.1).collect();
    let linear = numbers(&mut rng, 32 * 32);
    let bias = numbers(&mut rng, 32);
    let parameters: Vec<f64> = [wide(&spectral), wide(&linear), wide(&bias)].concat();
    let exact = reference::block(sizes, &parameters, &wide(&x), true);
    for isa in Isa::available() {
        let plan = SpectralPlan::new(isa, [26, 36], 32, [24, 22]).unwrap();
        let weights = BlockWeights { spectral: &spectral, linear: &linear, bias: &bias };
        let mut y = vec![f32::NAN; x.len()];
        let mut spectrum = vec![f32::NAN; plan.spectrum()];
        forward(&plan, weights, &x, true, &mut y, &mut spectrum, None);
        assert!(error(&y, &exact) < 3e-6, "{isa:?}: {}", error(&y, &exact));
    }
}

#[test]
fn too_many_modes_are_refused() {
    let isa = Isa::detect();
    assert!(SpectralPlan::new(isa, [8, 8], 4, [8, 8]).is_some());
    assert!(SpectralPlan::new(isa, [8, 8], 4, [9, 8]).is_none());
    assert!(SpectralPlan::new(isa, [8, 8], 4, [8, 10]).is_none());
    assert!(SpectralPlan::new(isa, [8, 8], 4, [0, 8]).is_none());
}

#[test]
fn the_head_matches_direct_sums_and_central_differences() {
    let mut rng = StdRng::seed_from_u64(5);
    let window = Window { grid: [4, 6], origin: [1, 1], size: [2, 4] };
    for isa in Isa::available() {
        for [channels, hidden, out] in [[3, 5, 1], [4, 9, 3]] {
            let samples = 2;
            let x = numbers(&mut rng, samples * window.padded() * channels);
            let first = numbers(&mut rng, channels * hidden);
            let first_bias = numbers(&mut rng, hidden);
            let second = numbers(&mut rng, hidden * out);
            let second_bias = numbers(&mut rng, out);
            let dy = numbers(&mut rng, samples * window.cells() * out);
            let weights = HeadWeights {
                first: &first,
                first_bias: &first_bias,
                second: &second,
                second_bias: &second_bias,
            };
            let mut y = vec![f32::NAN; dy.len()];
            head(isa, window, weights, &x, None, &mut y);
            let parameters: Vec<f64> =
                [&first, &first_bias, &second, &second_bias].iter().flat_map(|p| wide(p)).collect();
            let evaluate = |parameters: &[f64], x: &[f64]| {
                let mut y = Vec::new();
                for x in x.chunks_exact(window.padded() * channels) {
                    for r in 0..2 {
                        let start = ((1 + r) * 6 + 1) * channels;
                        let x = &x[start..start + 4 * channels];
                        y.extend(reference::head([channels, hidden, out], parameters, x));
                    }
                }
                y
            };
            assert!(error(&y, &evaluate(&parameters, &wide(&x))) < 1e-6);

            let mut dx = vec![f32::NAN; x.len()];
            let mut d = [
                vec![f32::NAN; first.len()],
                vec![f32::NAN; hidden],
                vec![f32::NAN; second.len()],
                vec![f32::NAN; out],
            ];
            let [dfirst, dfirst_bias, dsecond, dsecond_bias] = &mut d;
            let gradients = HeadGradients {
                first: dfirst,
                first_bias: dfirst_bias,
                second: dsecond,
                second_bias: dsecond_bias,
            };
            head_backward(isa, window, weights, &x, &dy, &mut dx, gradients);
            let weight = wide(&dy);
            let exact = reference::gradient(&wide(&x), &weight, |x| evaluate(&parameters, x));
            assert!(error(&dx, &exact) < 2e-6);
            let exact = reference::gradient(&parameters, &weight, |p| evaluate(p, &wide(&x)));
            assert!(error(&d.concat(), &exact) < 2e-6);
        }
    }
}

#[test]
fn masked_pieces_of_the_head_are_zero_and_the_rest_is_unchanged() {
    let mut rng = StdRng::seed_from_u64(6);
    let window = Window { grid: [3, 4], origin: [0, 0], size: [3, 4] };
    let parameters: Vec<Vec<f32>> = [2 * 5, 5, 5 * 2, 2].iter().map(|&n| numbers(&mut rng, n)).collect();
    let weights = HeadWeights {
        first: &parameters[0],
        first_bias: &parameters[1],
        second: &parameters[2],
        second_bias: &parameters[3],
    };
    let x = numbers(&mut rng, 12 * 2);
    let mut all = vec![0.0; 12 * 2];
    head(Isa::detect(), window, weights, &x, None, &mut all);
    let mask = [1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0];
    let mut masked = vec![f32::NAN; 12 * 2];
    head(Isa::detect(), window, weights, &x, Some(&mask), &mut masked);
    assert_eq!(masked[..16], all[..16]);
    assert_eq!(masked[16..], [0.0; 8]);
}

#[test]
fn the_lift_pads_with_zeros_and_its_gradient_matches() {
    let mut rng = StdRng::seed_from_u64(8);
    let window = Window { grid: [4, 5], origin: [1, 2], size: [2, 3] };
    let (samples, channels, out) = (2, 3, 4);
    let x = numbers(&mut rng, samples * 6 * channels);
    let weight = numbers(&mut rng, channels * out);
    let bias = numbers(&mut rng, out);
    let dy = numbers(&mut rng, samples * 20 * out);
    let place = |b: usize, cell: usize| b * 20 + (1 + cell / 3) * 5 + 2 + cell % 3;
    let mut exact = vec![0.0; dy.len()];
    let mut exact_weight = vec![0.0; weight.len()];
    let mut exact_bias = vec![0.0; out];
    for b in 0..samples {
        for cell in 0..6 {
            for o in 0..out {
                let at = place(b, cell) * out + o;
                exact[at] = f64::from(bias[o]);
                exact_bias[o] += f64::from(dy[at]);
                for i in 0..channels {
                    let value = f64::from(x[(b * 6 + cell) * channels + i]);
                    exact[at] += value * f64::from(weight[i * out + o]);
                    exact_weight[i * out + o] += value * f64::from(dy[at]);
                }
            }
        }
    }
    for isa in Isa::available() {
        let mut y = vec![f32::NAN; dy.len()];
        lift(isa, window, &x, &weight, &bias, &mut y);
        assert!(error(&y, &exact) < 1e-6);
        let (mut dweight, mut dbias) = (vec![f32::NAN; weight.len()], vec![f32::NAN; out]);
        lift_backward(isa, window, &x, &dy, &mut dweight, &mut dbias);
        assert!(error(&dweight, &exact_weight) < 1e-6);
        assert!(error(&dbias, &exact_bias) < 1e-6);
    }
}
