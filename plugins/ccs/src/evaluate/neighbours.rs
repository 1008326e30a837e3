//! The nearest training case: a predictor that any surrogate must beat.

use crate::data::{Coordinates, Sample, perforated_rows};

/// What cases are compared by: the scalars of the reservoir and means of its rock.
pub type Features = [f64; 12];

/// Features of a reservoir.
#[must_use]
pub fn features(coordinates: &Coordinates, sample: &Sample) -> Features {
    let s = &sample.scalars;
    let columns = coordinates.columns();
    let logs: Vec<f64> = (0..sample.kr.len())
        .filter(|c| sample.active[*c] != 0)
        .map(|c| libm::log(sample.kr[c].max(1e-6)))
        .collect();
    let n = logs.len().max(1) as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let sd = (logs.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt();
    let active = |c: &usize| sample.active[*c] != 0;
    let ratio: f64 = (0..sample.kr.len())
        .filter(active)
        .map(|c| libm::log((sample.kr[c] / sample.kz[c]).max(1e-6)))
        .sum::<f64>()
        / n;
    let well = perforated_rows(coordinates, sample);
    let at_well: f64 = well.iter().map(|k| sample.kr[k * columns]).sum::<f64>() / well.len().max(1) as f64;
    [
        libm::log(s.rate),
        s.pressure_top,
        s.temperature,
        libm::log(s.thickness),
        s.perforation_top,
        s.perforation_bottom,
        s.swi,
        s.lambda,
        mean,
        sd,
        ratio,
        libm::log(at_well.max(1e-6)),
    ]
}

/// `q / (k h)` of a reservoir, to which pressure is about proportional: rate over the mean permeability of the
/// perforated cells times the perforated length.
#[must_use]
pub fn pressure_demand(coordinates: &Coordinates, sample: &Sample) -> f64 {
    let s = &sample.scalars;
    let at_well = libm::exp(features(coordinates, sample)[11]);
    s.rate / (at_well * (s.perforation_bottom - s.perforation_top))
}

/// Training cases to choose from.
#[derive(Debug, Clone)]
pub struct Nearest {
    cases: Vec<Features>,
    scale: Features,
}

impl Nearest {
    /// Training cases by their features, each feature measured by its standard deviation over them.
    #[must_use]
    pub fn new(cases: Vec<Features>) -> Self {
        let n = cases.len().max(1) as f64;
        let scale = std::array::from_fn(|f| {
            let mean = cases.iter().map(|c| c[f]).sum::<f64>() / n;
            let variance = cases.iter().map(|c| (c[f] - mean) * (c[f] - mean)).sum::<f64>() / n;
            if variance > 0.0 { variance.sqrt() } else { 1.0 }
        });
        Self { cases, scale }
    }

    /// Position of the training case nearest to one with these features; the first of equals.
    #[must_use]
    pub fn find(&self, wanted: &Features) -> Option<usize> {
        let distance = |case: &Features| -> f64 {
            (0..wanted.len()).map(|f| (case[f] - wanted[f]) / self.scale[f]).map(|d| d * d).sum()
        };
        let distances = self.cases.iter().map(distance).enumerate();
        distances.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_measured_in_standard_deviations() {
        let case = |a: f64, b: f64| {
            let mut features = [0.0; 12];
            (features[0], features[1]) = (a, b);
            features
        };
        // The second feature varies a hundred times as much as the first.
        let nearest = Nearest::new(vec![case(0.0, 0.0), case(1.0, 100.0), case(0.0, 100.0), case(1.0, 0.0)]);
        assert_eq!(nearest.find(&case(0.9, 20.0)), Some(3));
        assert_eq!(nearest.find(&case(0.2, 90.0)), Some(2));
        assert_eq!(Nearest::new(Vec::new()).find(&case(0.0, 0.0)), None);
    }
}
