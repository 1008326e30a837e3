//! From errors of cases to numbers for a table.

use super::{PressureScore, SaturationScore};

/// A measure: its name, where it stands in a score, and how the cases' values become one.
type Measure<S> = (&'static str, fn(&S) -> f64, fn(&[f64]) -> f64);

/// Measures of saturation. Of those that a single stray cell far out can spoil, the median over cases is taken.
pub const SATURATION_MEASURES: [Measure<SaturationScore>; 6] = [
    ("plume_mpe", |s| s.plume_mpe, mean),
    ("nonzero_mpe", |s| s.nonzero_mpe, mean),
    ("relative_l2", |s| s.relative_l2, mean),
    ("radius_error", |s| s.radius_error, median),
    ("mass_error", |s| s.mass_error, median),
    ("stray_gas", |s| s.stray_gas, median),
];

/// Measures of pressure.
pub const PRESSURE_MEASURES: [Measure<PressureScore>; 3] = [
    ("mre", |s| s.mre, mean),
    ("relative_l2", |s| s.relative_l2, mean),
    ("peak_error", |s| s.peak_error, mean),
];

/// `R² = 1 - Σ (S - Ŝ)² / Σ (S - S̄)²` over the values of all cases together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PooledR2 {
    error: f64,
    sum: f64,
    square: f64,
    count: f64,
}

impl PooledR2 {
    /// Adds a case.
    pub fn add(&mut self, score: &SaturationScore) {
        let (sum, square, count) = score.moments;
        self.error += score.squared_error;
        self.sum += sum;
        self.square += square;
        self.count += count;
    }

    /// The coefficient of determination.
    #[must_use]
    pub fn value(&self) -> f64 {
        1.0 - self.error / (self.square - self.sum * self.sum / self.count)
    }
}

/// The mean; NaN of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The median; the mean of the middle two of an even number; NaN of nothing.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => sorted[n / 2],
        _ => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
    }
}

/// The mean, and half the distance between the largest and the smallest value.
#[must_use]
pub fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let ends = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    (mean(values), 0.5 * (ends.1 - ends.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Coordinates;
    use crate::evaluate::score_saturation;

    #[test]
    fn r2_is_one_for_the_truth_and_zero_for_the_mean() {
        let coordinates = Coordinates::new(vec![0.1, 1.0, 2.0], vec![0.0, 1.0], vec![1.0]);
        let r2 = |predictions: [[f32; 2]; 2]| {
            let mut pooled = PooledR2::default();
            for (truth, prediction) in [[0.1, 0.3], [0.5, 0.7]].iter().zip(&predictions) {
                pooled.add(&score_saturation(&coordinates, &[1, 1], &[0.2; 2], truth, prediction));
            }
            pooled.value()
        };
        assert_eq!(r2([[0.1, 0.3], [0.5, 0.7]]), 1.0);
        assert!(r2([[0.4, 0.4], [0.4, 0.4]]).abs() < 1e-6);
    }

    #[test]
    fn medians_do_not_mind_strays() {
        assert_eq!(median(&[5.0, 1.0, 900.0]), 5.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 900.0]), 3.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn spread_is_half_the_range() {
        assert_eq!(mean_and_spread(&[1.0, 2.0, 6.0]), (3.0, 2.5));
    }
}
