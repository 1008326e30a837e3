//! Errors of a predicted pressure build-up.

/// Errors of one case, over active cells and all report times, each cell and time counting the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PressureScore {
    /// Mean |dP - dP̂| over max |dP|: the error MRE.
    pub mre: f64,
    /// `||dP - dP̂||₂ / ||dP||₂`.
    pub relative_l2: f64,
    /// |predicted - true| / true largest build-up.
    pub peak_error: f64,
}

/// Scores a prediction of shape (time, z, r) for one case; `active` has shape (z, r). Any unit will do.
#[must_use]
pub fn score_pressure(active: &[u8], truth: &[f32], prediction: &[f32]) -> PressureScore {
    let (mut absolute, mut error, mut square, mut n) = (0.0, 0.0, 0.0, 0.0);
    let (mut most, mut peak) = (0.0f64, (f64::NEG_INFINITY, f64::NEG_INFINITY));
    for (at, (&dp, &p)) in truth.iter().zip(prediction).enumerate() {
        if active[at % active.len()] == 0 {
            continue;
        }
        let (dp, p) = (f64::from(dp), f64::from(p));
        absolute += (dp - p).abs();
        error += (dp - p) * (dp - p);
        square += dp * dp;
        n += 1.0;
        most = most.max(dp.abs());
        peak = (peak.0.max(dp), peak.1.max(p));
    }
    PressureScore {
        mre: absolute / n / most,
        relative_l2: (error / square).sqrt(),
        peak_error: ((peak.1 - peak.0) / peak.0).abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_worked_by_hand() {
        let score =
            score_pressure(&[1, 0, 1], &[2.0, 99.0, 4.0, 0.0, 0.0, -1.0], &[3.0, 0.0, 4.5, 0.0, 7.0, -1.0]);
        assert!((score.mre - 1.5 / 4.0 / 4.0).abs() < 1e-12);
        assert!((score.relative_l2 - (1.25f64 / 21.0).sqrt()).abs() < 1e-12);
        assert!((score.peak_error - 0.125).abs() < 1e-12);
    }
}
