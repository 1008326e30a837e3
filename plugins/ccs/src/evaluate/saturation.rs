//! Errors of a predicted gas saturation.

use std::ops::Range;

use crate::data::Coordinates;

/// Gas saturation from which a cell belongs to the plume.
pub const PLUME: f32 = 0.01;

/// Errors of one case. Sums and means are over active cells and all report times, each cell and time counting
/// the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SaturationScore {
    /// Mean |S - Ŝ| over cells and times where either exceeds 0.01: the plume error MPE.
    pub plume_mpe: f64,
    /// Mean |S - Ŝ| over cells and times where both are above 0: the definition published with U-FNO.
    pub nonzero_mpe: f64,
    /// `||S - Ŝ||₂ / ||S||₂`.
    pub relative_l2: f64,
    /// |predicted - true| / true radius of the plume at the last time: the outer face of the last ring, counted from
    /// the well without a gap, with a cell of S > 0.01.
    pub radius_error: f64,
    /// |predicted - true| / true volume of gas in the pores within the plume's radius (each its own) at the last time.
    pub mass_error: f64,
    /// Predicted volume of gas beyond the predicted plume's radius, over the true volume within the true one: the outer
    /// rings are so large that saturations of 1e-4 make many times the injected volume.
    pub stray_gas: f64,
    /// `Σ (S - Ŝ)²`.
    pub squared_error: f64,
    /// `Σ S` and `Σ S²`, and the number of values, for a pooled R².
    pub moments: (f64, f64, f64),
}

/// A prediction brought into the range that saturations can have, `[0, 1 - swi]`.
pub fn clip(prediction: &mut [f32], swi: f64) {
    let most = (1.0 - swi) as f32;
    prediction.iter_mut().for_each(|s| *s = s.clamp(0.0, most));
}

/// Scores a prediction of shape (time, z, r) for one case; `active` and `porosity` have shape (z, r).
#[must_use]
pub fn score_saturation(
    coordinates: &Coordinates,
    active: &[u8],
    porosity: &[f64],
    truth: &[f32],
    prediction: &[f32],
) -> SaturationScore {
    let (cells, columns) = (coordinates.cells(), coordinates.columns());
    let (mut plume, mut nonzero) = ((0.0, 0.0), (0.0, 0.0));
    let (mut error, mut sum, mut square, mut n) = (0.0, 0.0, 0.0, 0.0);
    for (at, (&s, &p)) in truth.iter().zip(prediction).enumerate() {
        if active[at % cells] == 0 {
            continue;
        }
        let (s64, difference) = (f64::from(s), f64::from(s) - f64::from(p));
        if s.max(p) > PLUME {
            plume = (plume.0 + difference.abs(), plume.1 + 1.0);
        }
        if s > 0.0 && p > 0.0 {
            nonzero = (nonzero.0 + difference.abs(), nonzero.1 + 1.0);
        }
        error += difference * difference;
        (sum, square, n) = (sum + s64, square + s64 * s64, n + 1.0);
    }
    let last = truth.len().saturating_sub(cells);
    let (truth, prediction) = (&truth[last..], &prediction[last..]);
    let gas = |field: &[f32], rings: Range<usize>| -> f64 {
        let pores = |c: usize| {
            f64::from(active[c])
                * porosity[c]
                * coordinates.ring_area(c % columns)
                * coordinates.row_height(c / columns)
        };
        let inside = (0..cells).filter(|c| rings.contains(&(c % columns)));
        inside.map(|c| pores(c) * f64::from(field[c])).sum()
    };
    let rings = |field: &[f32]| {
        let gassy = |i: usize| (i..cells).step_by(columns).any(|c| active[c] != 0 && field[c] > PLUME);
        (0..columns).take_while(|i| gassy(*i)).count()
    };
    let (there, predicted) = (rings(truth), rings(prediction));
    let volume = gas(truth, 0..there);
    let radius = |rings: usize| if rings == 0 { 0.0 } else { coordinates.r_face[rings] };
    SaturationScore {
        plume_mpe: ratio(plume.0, plume.1),
        nonzero_mpe: ratio(nonzero.0, nonzero.1),
        relative_l2: ratio(error, square).sqrt(),
        radius_error: ratio((radius(predicted) - radius(there)).abs(), radius(there)),
        mass_error: ratio((gas(prediction, 0..predicted) - volume).abs(), volume),
        stray_gas: ratio(gas(prediction, predicted..columns), volume),
        squared_error: error,
        moments: (sum, square, n),
    }
}

/// A ratio that is 0 where nothing is compared with nothing.
fn ratio(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a / b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_worked_by_hand() {
        let coordinates = Coordinates::new(vec![0.1, 1.0, 2.0], vec![0.0, 1.0, 2.0], vec![1.0, 2.0]);
        let active = [1, 1, 1, 0];
        let truth = [0.5, 0.0, 0.0, 0.0, 0.5, 0.25, 0.0, 0.0];
        let mut prediction = [0.4, 0.005, -0.2, 9.0, 0.5, 0.0, 0.02, 9.0];
        clip(&mut prediction, 0.1);
        assert_eq!(prediction[2..4], [0.0, 0.9]);
        let score = score_saturation(&coordinates, &active, &[0.2; 4], &truth, &prediction);
        // Plume: 0.1 at the first time; 0, 0.25 and 0.02 at the second.
        assert!((score.plume_mpe - 0.37 / 4.0).abs() < 1e-7);
        // Both above zero: the first cell at both times.
        assert!((score.nonzero_mpe - 0.05).abs() < 1e-7);
        let squared = 0.01 + 0.005 * 0.005 + 0.0625 + 0.0004;
        assert!((score.squared_error - squared).abs() < 1e-7);
        assert!((score.relative_l2 - (squared / 0.5625f64).sqrt()).abs() < 1e-6);
        let (inner, outer) = (0.99, 3.0);
        let (there, predicted) = (inner * 0.5 + outer * 0.25, inner * 0.52);
        assert!((score.mass_error - (there - predicted) / there).abs() < 1e-6);
        assert_eq!((score.radius_error, score.stray_gas), (0.5, 0.0));
        assert_eq!(score.moments.2, 6.0);
    }

    #[test]
    fn gas_beyond_a_gap_is_stray() {
        let coordinates = Coordinates::new(vec![0.1, 1.0, 2.0, 3.0], vec![0.0, 1.0], vec![1.0]);
        let score = score_saturation(&coordinates, &[1; 3], &[0.2; 3], &[0.5, 0.0, 0.0], &[0.5, 0.01, 0.2]);
        let (inner, middle, outer) = (0.99, 3.0, 5.0);
        assert_eq!((score.radius_error, score.mass_error), (0.0, 0.0));
        assert!((score.stray_gas - (middle * 0.01 + outer * 0.2) / (inner * 0.5)).abs() < 1e-6);
    }

    #[test]
    fn a_perfect_prediction_has_no_error() {
        let coordinates = Coordinates::new(vec![0.1, 1.0], vec![0.0, 1.0], vec![1.0]);
        let score = score_saturation(&coordinates, &[1], &[0.2], &[0.0], &[0.0]);
        assert_eq!(
            (score.plume_mpe, score.relative_l2, score.mass_error, score.radius_error),
            (0.0, 0.0, 0.0, 0.0)
        );
    }
}
