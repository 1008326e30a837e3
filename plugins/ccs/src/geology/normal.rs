//! Normal deviates from uniform ones.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// Quantile of the standard normal distribution: the `x` with `P(X <= x) = probability`.
///
/// Wichura's PPND16 (Applied Statistics 37, 477 (1988), algorithm AS 241); relative error about 1e-16. The
/// ends 0 and 1 give infinities.
#[must_use]
pub fn quantile(probability: f64) -> f64 {
    let q = probability - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(&CENTRE, r);
    }
    let tail = if q < 0.0 { probability } else { 1.0 - probability };
    if tail <= 0.0 {
        return if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let r = (-libm::log(tail)).sqrt();
    let x = if r <= 5.0 { ratio(&MIDDLE, r - 1.6) } else { ratio(&FAR, r - 5.0) };
    if q < 0.0 { -x } else { x }
}

/// One standard normal deviate, by inversion: one 64-bit draw each, so that the stream stays aligned.
pub fn deviate(rng: &mut ChaCha8Rng) -> f64 {
    quantile(uniform(rng))
}

/// One deviate uniform on the open interval (0, 1), with 53 random bits.
pub fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    ((rng.next_u64() >> 11) as f64 + 0.5) * STEP
}

/// Numerator and denominator, highest power first.
type Rational = [[f64; 8]; 2];

fn ratio([above, below]: &Rational, r: f64) -> f64 {
    let horner = |c: &[f64; 8]| c.iter().fold(0.0, |sum, c| sum * r + c);
    horner(above) / horner(below)
}

#[allow(clippy::excessive_precision, reason = "the digits as published")]
#[rustfmt::skip]
const CENTRE: Rational = [
    [2.509_080_928_730_122_672_7e3, 3.343_057_558_358_812_810_5e4, 6.726_577_092_700_870_085_3e4,
     4.592_195_393_154_987_145_7e4, 1.373_169_376_550_946_112_5e4, 1.971_590_950_306_551_442_7e3,
     1.331_416_678_917_843_774_5e2, 3.387_132_872_796_366_608],
    [5.226_495_278_852_854_561e3, 2.872_908_573_572_194_267_4e4, 3.930_789_580_009_271_061e4,
     2.121_379_430_158_659_586_7e4, 5.394_196_021_424_751_107_7e3, 6.871_870_074_920_579_083e2,
     4.231_333_070_160_091_125_2e1, 1.0],
];
#[allow(clippy::excessive_precision, reason = "the digits as published")]
#[rustfmt::skip]
const MIDDLE: Rational = [
    [7.745_450_142_783_414_076_4e-4, 2.272_384_498_926_918_458_33e-2, 2.417_807_251_774_506_117_7e-1,
     1.270_458_252_452_368_382_58, 3.647_848_324_763_204_605_04, 5.769_497_221_460_691_405_5,
     4.630_337_846_156_545_295_9, 1.423_437_110_749_683_577_34],
    [1.050_750_071_644_416_843_24e-9, 5.475_938_084_995_344_946e-4, 1.519_866_656_361_645_719_66e-2,
     1.481_039_764_274_800_745_9e-1, 6.897_673_349_851_000_045_5e-1, 1.676_384_830_183_803_849_4,
     2.053_191_626_637_758_821_87, 1.0],
];
#[allow(clippy::excessive_precision, reason = "the digits as published")]
#[rustfmt::skip]
const FAR: Rational = [
    [2.010_334_399_292_288_132_65e-7, 2.711_555_568_743_487_578_15e-5, 1.242_660_947_388_078_438_6e-3,
     2.653_218_952_657_612_309_3e-2, 2.965_605_718_285_048_912_3e-1, 1.784_826_539_917_291_335_8,
     5.463_784_911_164_114_369_9, 6.657_904_643_501_103_777_2],
    [2.044_263_103_389_939_785_64e-15, 1.421_511_758_316_445_888_7e-7, 1.846_318_317_510_054_681_8e-5,
     7.868_691_311_456_132_591e-4, 1.487_536_129_085_061_485_25e-2, 1.369_298_809_227_358_053_1e-1,
     5.998_322_065_558_879_376_9e-1, 1.0],
];

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn the_quantile_inverts_the_distribution_function() {
        for k in 1..2000 {
            let x = -8.0 + 16.0 * f64::from(k) / 2000.0;
            // Below 0, where the distribution function keeps its relative accuracy; the sign is symmetric.
            let x = -x.abs();
            let probability = 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
            // erfc itself is good to a few ulp, and dx = dP / density magnifies that little by 1/x.
            assert!((quantile(probability) - x).abs() < 1e-13 * (1.0 + x.abs()), "{x}");
            if probability > 1e-10 {
                assert!((quantile(1.0 - probability) + x).abs() < 1e-5 * (1.0 + x.abs()), "{x}");
            }
        }
        assert_eq!(quantile(0.5), 0.0);
    }

    #[test]
    fn deviates_have_the_moments_of_the_normal_distribution() {
        let mut rng = ChaCha8Rng::from_seed([3; 32]);
        let n = 100_000;
        let sum =
            |power: i32, values: &[f64]| values.iter().map(|v| v.powi(power)).sum::<f64>() / f64::from(n);
        let values: Vec<f64> = (0..n).map(|_| deviate(&mut rng)).collect();
        // Standard errors for n = 1e5: mean 0.0032, variance 0.0045, fourth moment 0.031; four of each.
        assert!(sum(1, &values).abs() < 0.013);
        assert!((sum(2, &values) - 1.0).abs() < 0.018);
        assert!((sum(4, &values) - 3.0).abs() < 0.13);
    }
}
