//! The grid and the report times of a data set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A radial grid around the injector, growing geometrically outwards, and report times that grow likewise.
///
/// The defaults are the problem of Wen et al. (Adv. Water Resour. 163, 104180, 2022) on a coarser grid;
/// `columns: 200, rows: 96, first_ring: 3.5938` are theirs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Layout {
    /// Number of rings.
    #[schemars(range(min = 4, max = 2000))]
    pub columns: usize,
    /// Number of layers over `height`.
    #[schemars(range(min = 2, max = 1000))]
    pub rows: usize,
    /// Width of the innermost ring, in m.
    #[schemars(range(min = 0.1, max = 1000))]
    #[schemars(extend("x-unit" = "m"))]
    pub first_ring: f64,
    /// Outer radius, in m. Large enough, it acts as infinite.
    #[schemars(range(min = 1000, max = 1_000_000))]
    #[schemars(extend("x-unit" = "m"))]
    pub outer_radius: f64,
    /// Height of the grid and largest thickness of a formation, in m.
    #[schemars(range(min = 1, max = 2000))]
    #[schemars(extend("x-unit" = "m"))]
    pub height: f64,
    /// Number of report times.
    #[schemars(range(min = 1, max = 1000))]
    pub times: usize,
    /// First report time, in days.
    #[schemars(range(min = 0.001, max = 10_000))]
    #[schemars(extend("x-unit" = "d"))]
    pub first_time: f64,
    /// Ratio of one interval between report times to the one before.
    #[schemars(range(min = 1, max = 100))]
    pub time_growth: f64,
}

/// Radius of the well, in m: the inner face of the grid.
pub const WELL_RADIUS: f64 = 0.1;

impl Default for Layout {
    fn default() -> Self {
        Self {
            columns: 64,
            rows: 32,
            first_ring: 11.2,
            outer_radius: 99_997.0,
            height: 200.0,
            times: 24,
            first_time: 1.0,
            time_growth: 1.421_245,
        }
    }
}

impl Layout {
    /// Height of a row, m.
    #[must_use]
    pub fn row_height(&self) -> f64 {
        self.height / self.rows as f64
    }

    /// Depths of the row faces below the top, m.
    #[must_use]
    pub fn z_faces(&self) -> Vec<f64> {
        (0..=self.rows).map(|k| self.row_height() * k as f64).collect()
    }

    /// Radii of the ring faces, m: widths `first_ring growth^i` that end at the outer radius.
    #[must_use]
    pub fn r_faces(&self) -> Vec<f64> {
        let growth = self.ring_growth();
        let mut faces = vec![WELL_RADIUS];
        let mut width = self.first_ring;
        for i in 1..=self.columns {
            faces.push(faces[i - 1] + width);
            width *= growth;
        }
        faces
    }

    /// Report times, days: the cumulative sum of `first_time time_growth^k`.
    #[must_use]
    pub fn report_times(&self) -> Vec<f64> {
        let (mut time, mut interval) = (0.0, self.first_time);
        (0..self.times)
            .map(|_| {
                time += interval;
                interval *= self.time_growth;
                time
            })
            .collect()
    }

    /// What contradicts itself, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let finite = [self.first_ring, self.outer_radius, self.height, self.first_time, self.time_growth];
        if finite.iter().any(|v| !(v.is_finite() && *v > 0.0)) {
            return Some("lengths and times must be positive".into());
        }
        let (n, span) = (self.columns as f64, self.outer_radius - WELL_RADIUS);
        if self.first_ring * n > span {
            return Some(format!(
                "{} rings of at least {} m do not fit into a radius of {} m",
                self.columns, self.first_ring, self.outer_radius
            ));
        }
        if self.ring_growth() > 3.0 {
            return Some(
                "rings grow more than threefold outwards: use more columns or a wider first ring".into(),
            );
        }
        let last = self.report_times().pop().unwrap_or(0.0);
        (!(last.is_finite() && last < 1e7)).then(|| format!("the last report time is day {last:e}"))
    }

    /// Ratio of one ring's width to that of the one inside it.
    fn ring_growth(&self) -> f64 {
        let span = (self.outer_radius - WELL_RADIUS) / self.first_ring;
        let sum = |growth: f64| (0..self.columns).fold(0.0, |sum, _| sum * growth + 1.0);
        // The sum of powers rises with the growth: bisection to the last bit.
        let (mut low, mut high) = (1.0, 1.0 + span);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if sum(middle) < span {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_grid_and_times_come_out() {
        let layout = Layout { columns: 200, rows: 96, first_ring: 3.5938, ..Layout::default() };
        assert!((layout.ring_growth() - 1.035_012).abs() < 1e-6, "{}", layout.ring_growth());
        let faces = layout.r_faces();
        assert!((faces[200] - 99_997.0).abs() < 1e-6);
        let times = layout.report_times();
        assert_eq!(times.len(), 24);
        assert!((times[6] - 25.4).abs() < 0.05 && (times[23] - 10_950.0).abs() < 1.0, "{times:?}");
        assert!((layout.row_height() - 2.0833).abs() < 1e-4);
        assert!(layout.problem().is_none() && Layout::default().problem().is_none());
    }

    #[test]
    fn layouts_that_cannot_be_are_explained() {
        let wide = Layout { first_ring: 900.0, columns: 200, ..Layout::default() };
        assert!(wide.problem().unwrap_or_default().contains("do not fit"));
        let few = Layout { columns: 4, first_ring: 0.1, ..Layout::default() };
        assert!(few.problem().unwrap_or_default().contains("threefold"));
        let long = Layout { times: 900, ..Layout::default() };
        assert!(long.problem().unwrap_or_default().contains("last report time"));
    }
}
