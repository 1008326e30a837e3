//! Estimates from a finite number of measurements.

use crate::random::Random;

/// The mean of an ancilla's Z from so many shots, when its exact mean is `mean`.
///
/// Unbiased, with variance `(1 - mean²) / shots`.
pub fn ancilla(mean: f64, shots: usize, random: &mut Random) -> f64 {
    let up = 0.5 * (1.0 + mean);
    let count = (0..shots).filter(|_| random.uniform() < up).count();
    2.0 * count as f64 / shots.max(1) as f64 - 1.0
}

/// How often each outcome is seen in so many shots.
///
/// # Panics
/// When there are no outcomes.
pub fn multinomial(probabilities: &[f64], shots: usize, random: &mut Random) -> Vec<usize> {
    assert!(!probabilities.is_empty(), "there is something to see");
    let mut below = Vec::with_capacity(probabilities.len());
    let mut sum = 0.0;
    for p in probabilities {
        sum += p;
        below.push(sum);
    }
    let mut counts = vec![0; probabilities.len()];
    for _ in 0..shots {
        let draw = sum * random.uniform();
        // Rounding may put a draw on the very end.
        let at = below.partition_point(|&b| b <= draw).min(below.len() - 1);
        counts[at] += 1;
    }
    counts
}

/// `Σ p²` from counts: the share of pairs of shots that agree.
///
/// Unbiased. Fewer than two shots have no pairs: NaN.
#[must_use]
pub fn collisions(counts: &[usize]) -> f64 {
    let shots: usize = counts.iter().sum();
    let pairs = |n: usize| n as f64 * (n as f64 - 1.0);
    if shots < 2 {
        return f64::NAN;
    }
    counts.iter().map(|&n| pairs(n)).sum::<f64>() / pairs(shots)
}

/// The variance of [`collisions`] for outcomes of these probabilities: that of a U-statistic of order two.
#[must_use]
pub fn collision_variance(probabilities: &[f64], shots: usize) -> f64 {
    let (mut second, mut third) = (0.0, 0.0);
    for p in probabilities {
        second += p * p;
        third += p * p * p;
    }
    let n = shots as f64;
    2.0 / (n * (n - 1.0)) * (2.0 * (n - 2.0) * (third - second * second) + second - second * second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of a list.
    fn moments(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0))
    }

    /// 10⁴ estimates: their mean within four standard deviations of the truth, their variance within 5 % of theory
    /// (its own standard deviation is 1.4 %).
    fn check(estimates: &[f64], truth: f64, theory: f64) {
        let (mean, variance) = moments(estimates);
        assert!((mean - truth).abs() < 4.0 * (theory / estimates.len() as f64).sqrt(), "{mean} {truth}");
        assert!((variance / theory - 1.0).abs() < 0.05, "{variance} {theory}");
    }

    #[test]
    fn estimators_have_their_moments() {
        let mut random = Random::new(77, 0);
        let (draws, shots) = (10_000, 50);
        let estimates: Vec<f64> = (0..draws).map(|_| ancilla(0.3, shots, &mut random)).collect();
        check(&estimates, 0.3, (1.0 - 0.09) / shots as f64);

        let raw: Vec<f64> = (1..=12).map(|i| 1.0 / f64::from(i)).collect();
        let sum: f64 = raw.iter().sum();
        let p: Vec<f64> = raw.iter().map(|x| x / sum).collect();
        let counts: Vec<Vec<usize>> = (0..draws).map(|_| multinomial(&p, shots, &mut random)).collect();
        for at in [0, 5, 11] {
            let shares: Vec<f64> = counts.iter().map(|c| c[at] as f64 / shots as f64).collect();
            check(&shares, p[at], p[at] * (1.0 - p[at]) / shots as f64);
        }
        let estimates: Vec<f64> = counts.iter().map(|c| collisions(c)).collect();
        check(&estimates, p.iter().map(|p| p * p).sum(), collision_variance(&p, shots));
    }
}
