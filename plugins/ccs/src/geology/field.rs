//! Stationary Gaussian random fields by the spectral method.

use rand_chacha::ChaCha8Rng;

use super::fft::{Complex, inverse_2d};
use super::normal::deviate;

/// The shape of the covariance at distance `h`, the distance scaled by the correlation lengths of each axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Covariance {
    /// `exp(-h²)`: smooth. Spectrum `exp(-K²/4)`.
    Gaussian,
    /// `exp(-h)`: continuous, nowhere smooth. Spectrum `(1 + K²)^(-3/2)`; von Kármán's with `nu = 1/2`.
    Exponential,
    /// von Kármán's (Whittle–Matérn) `2^(1-nu)/Γ(nu) h^nu K_nu(h)`: self-similar below the correlation length,
    /// the rougher the smaller `nu`. Spectrum `(1 + K²)^(-nu-1)`.
    VonKarman {
        /// Hurst exponent, positive.
        nu: f64,
    },
}

impl Covariance {
    /// Spectral density in two dimensions, up to a factor, at `K²`, the squared wave number times correlation
    /// length.
    fn density(self, k2: f64) -> f64 {
        match self {
            Self::Gaussian => libm::exp(-0.25 * k2),
            Self::Exponential => libm::pow(1.0 + k2, -1.5),
            Self::VonKarman { nu } => libm::pow(1.0 + k2, -nu - 1.0),
        }
    }
}

/// A fine, uniform, periodic grid on which fields are made. Both counts are powers of two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lattice {
    /// Number of points down and across.
    pub points: (usize, usize),
    /// Spacing of the points down and across, m.
    pub spacing: (f64, f64),
}

impl Lattice {
    /// The smallest lattice with these spacings (m) that is at least twice as large as a domain (m), so that
    /// opposite ends of the domain are not neighbours by periodicity.
    #[must_use]
    pub fn covering(domain: (f64, f64), spacing: (f64, f64)) -> Self {
        let count = |length: f64, step: f64| ((2.0 * length / step).ceil() as usize).next_power_of_two();
        Self { points: (count(domain.0, spacing.0), count(domain.1, spacing.1)), spacing }
    }
}

/// Two independent fields of zero mean and unit variance with the given covariance and correlation lengths
/// (down, across; m), shape `lattice.points`, row-major.
///
/// White noise is coloured in wave-number space by the square root of the spectrum; the real and imaginary
/// parts of its transform are the two fields. The variance is exactly one; the covariance is that of the
/// spectrum cut off at the lattice's wave numbers and made periodic.
#[must_use]
pub fn pair(
    lattice: &Lattice,
    covariance: Covariance,
    lengths: (f64, f64),
    rng: &mut ChaCha8Rng,
) -> (Vec<f64>, Vec<f64>) {
    let (rows, columns) = lattice.points;
    let squares = |n: usize, spacing: f64, length: f64| -> Vec<f64> {
        let step = 2.0 * std::f64::consts::PI * length / (n as f64 * spacing);
        (0..=n / 2).map(|m| (step * m as f64) * (step * m as f64)).collect()
    };
    let down = squares(rows, lattice.spacing.0, lengths.0);
    let across = squares(columns, lattice.spacing.1, lengths.1);
    // The spectrum is even in both wave numbers: a quarter holds all of it.
    let quarter: Vec<f64> =
        down.iter().flat_map(|kz| across.iter().map(move |kx| covariance.density(kz + kx))).collect();
    let at = |m: usize, n: usize| m.min(n - m);
    let density = |k: usize| quarter[at(k / columns, rows) * across.len() + at(k % columns, columns)];
    let total: f64 = (0..rows * columns).map(density).sum();
    let amplitude: Vec<f64> = quarter.iter().map(|s| (s / total).sqrt()).collect();
    let mut noise = Complex::zeros(rows * columns);
    for u in 0..rows {
        let row = &amplitude[at(u, rows) * across.len()..][..across.len()];
        for v in 0..columns {
            let k = u * columns + v;
            let scale = row[at(v, columns)];
            noise.re[k] = scale * deviate(rng);
            noise.im[k] = scale * deviate(rng);
        }
    }
    let field = inverse_2d(noise, rows, columns);
    (field.re, field.im)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    const LATTICE: Lattice = Lattice { points: (128, 256), spacing: (1.0, 50.0) };
    const LENGTHS: (f64, f64) = (8.0, 600.0);

    /// Mean over fields and places of the product of values a lag (points down and across) apart, and its
    /// standard error from the scatter between the fields.
    fn estimate(fields: &[Vec<f64>], lag: (usize, usize)) -> (f64, f64) {
        let (rows, columns) = LATTICE.points;
        let product = |f: &Vec<f64>| {
            let shifted = |i: usize, j: usize| f[(i + lag.0) % rows * columns + (j + lag.1) % columns];
            let places = (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j)));
            places.map(|(i, j)| f[i * columns + j] * shifted(i, j)).sum::<f64>() / (rows * columns) as f64
        };
        let values: Vec<f64> = fields.iter().map(product).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let spread = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
        (mean, (spread / n).sqrt())
    }

    #[test]
    fn covariance_functions_agree_with_theory() {
        let lags = [(0, 0), (4, 0), (0, 6), (8, 0), (0, 12), (8, 12)];
        let distance = [0.0, 0.5, 0.5, 1.0, 1.0, 2f64.sqrt()];
        let exponential = distance.map(|h| libm::exp(-h));
        // h K_1(h) (Abramowitz and Stegun, section 9.6).
        let whittle = [1.0, 0.5 * 1.656_441, 0.5 * 1.656_441, 0.601_907, 0.601_907, 2f64.sqrt() * 0.314_12];
        for (covariance, theory) in [
            (Covariance::Gaussian, distance.map(|h| libm::exp(-h * h))),
            (Covariance::Exponential, exponential),
            (Covariance::VonKarman { nu: 0.5 }, exponential),
            (Covariance::VonKarman { nu: 1.0 }, whittle),
        ] {
            let make = |seed| pair(&LATTICE, covariance, LENGTHS, &mut ChaCha8Rng::from_seed([seed; 32]));
            let fields: Vec<Vec<f64>> = (0..20).map(make).flat_map(|(a, b)| [a, b]).collect();
            for (lag, theory) in lags.into_iter().zip(theory) {
                let (mean, error) = estimate(&fields, lag);
                // Four standard errors of a mean over 40 fields, and 0.02 for the cut-off spectrum.
                assert!(
                    (mean - theory).abs() < 4.0 * error + 0.02,
                    "{covariance:?} {lag:?}: {mean} +- {error}, {theory}"
                );
            }
        }
    }

    #[test]
    fn the_two_fields_are_independent_and_normal() {
        let mut rng = ChaCha8Rng::from_seed([9; 32]);
        let (a, b) = pair(&LATTICE, Covariance::Gaussian, (1.0, 50.0), &mut rng);
        let n = a.len() as f64;
        let correlation = a.iter().zip(&b).map(|(x, y)| x * y).sum::<f64>() / n;
        let fourth = a.iter().map(|x| x.powi(4)).sum::<f64>() / n;
        // Correlation lengths of one point leave about n/3 independent values, n = 32768.
        assert!(correlation.abs() < 4.0 * (3.0 / n).sqrt(), "{correlation}");
        assert!((fourth - 3.0).abs() < 4.0 * (96.0 * 3.0 / n).sqrt(), "{fourth}");
    }
}
