//! A simulation against a reference simulation, time by time.

/// Differences at one report time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Snapshot {
    /// Mean |ΔS| over cells where either gas saturation exceeds 0.001.
    pub plume_mae: f64,
    /// Largest |ΔS| there.
    pub plume_max: f64,
    /// `||ΔdP||₂ / ||dP||₂` over all cells, dP the reference.
    pub pressure_l2: f64,
}

/// Compares fields of shape (time, cell) with a reference, time by time.
#[must_use]
pub fn compare(
    saturation: &[f32],
    buildup: &[f32],
    reference_saturation: &[f64],
    reference_buildup: &[f64],
    times: usize,
) -> Vec<Snapshot> {
    const PLUME: f64 = 0.001;
    let cells = saturation.len() / times.max(1);
    (0..times)
        .map(|n| {
            let range = n * cells..(n + 1) * cells;
            let (mut sum, mut count, mut most) = (0.0, 0.0, 0.0f64);
            for (s, r) in saturation[range.clone()].iter().zip(&reference_saturation[range.clone()]) {
                let s = f64::from(*s);
                if s.max(*r) > PLUME {
                    (sum, count) = (sum + (s - r).abs(), count + 1.0);
                    most = most.max((s - r).abs());
                }
            }
            let (mut error, mut norm) = (0.0, 0.0);
            for (p, r) in buildup[range.clone()].iter().zip(&reference_buildup[range]) {
                let difference = f64::from(*p) - r;
                (error, norm) = (error + difference * difference, norm + r * r);
            }
            Snapshot {
                plume_mae: if count > 0.0 { sum / count } else { 0.0 },
                plume_max: most,
                pressure_l2: if error == 0.0 { 0.0 } else { (error / norm).sqrt() },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_times_worked_by_hand() {
        let snapshots = compare(
            &[0.5, 0.0, 0.0, 0.25],
            &[1.0, 2.0, 0.0, 0.0],
            &[0.25, 0.0005, 0.0, 0.0],
            &[2.0, 2.0, 0.0, 0.0],
            2,
        );
        assert_eq!(
            snapshots[0],
            Snapshot { plume_mae: 0.25, plume_max: 0.25, pressure_l2: (1.0f64 / 8.0).sqrt() }
        );
        assert_eq!(snapshots[1], Snapshot { plume_mae: 0.25, plume_max: 0.25, pressure_l2: 0.0 });
    }
}
