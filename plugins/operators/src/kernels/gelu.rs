//! GELU and its derivative in registers.

use super::simd::Simd;

/// `x Φ(x)` and its derivative `Φ(x) + x φ(x)`, Φ and φ being the standard normal distribution
/// and density (Hendrycks and Gimpel 2016, the exact form).
///
/// Φ(-|x|) is `exp(-x²/2)` times the polynomial in `1 / (1 + p |x| / √2)` of Abramowitz and
/// Stegun, 7.1.26: absolute error of Φ below 1e-7, plus the rounding of `f32`.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    let magnitude = s.abs(x);
    let t = s.div(
        s.splat(1.0),
        s.fma(magnitude, s.splat(0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2), s.splat(1.0)),
    );
    // Half of the published coefficients: Φ is half of erfc.
    let mut p = s.splat(0.5 * 1.061_405_4);
    for coefficient in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        p = s.fma(p, t, s.splat(0.5 * coefficient));
    }
    let bell = exp_half_square(s, x);
    let tail = s.mul(s.mul(p, t), bell);
    let half = s.splat(0.5);
    let cdf = s.add(half, s.copysign(s.sub(half, tail), x));
    // 1 / sqrt(2 pi)
    let density = s.mul(bell, s.splat(0.398_942_3));
    (s.mul(x, cdf), s.fma(x, density, cdf))
}

/// `exp(-x²/2)` as a power of two, relative error below 3e-7 where the exponent is not clamped.
#[inline(always)]
fn exp_half_square<S: Simd>(s: S, x: S::V) -> S::V {
    let exponent = s.max(s.mul(s.mul(x, x), s.splat(-0.5 * std::f32::consts::LOG2_E)), s.splat(-126.0));
    let whole = s.round(exponent);
    let part = s.sub(exponent, whole);
    // Minimax polynomial of 2^part on [-1/2, 1/2], of the Cephes library's exp2f.
    let mut p = s.splat(1.535_336_2e-4);
    for coefficient in [1.339_887_4e-3, 9.618_437e-3, 5.550_332_5e-2, 2.402_264_8e-1, 6.931_472e-1, 1.0] {
        p = s.fma(p, part, s.splat(coefficient));
    }
    s.scale(p, whole)
}
