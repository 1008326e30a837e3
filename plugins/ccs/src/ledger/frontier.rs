//! The cost at which a simulator reaches an error.

/// A way to compute the answer: what it costs and how wrong it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// CPU seconds a case.
    pub cost: f64,
    /// Its error, in any measure.
    pub error: f64,
}

/// The cost of the cheapest way to an error: along the line that joins, in logarithms, the ways that nothing else
/// beats in both cost and error. `None` if none is as good.
///
/// Where even the cheapest way is better than asked, its cost is given: an upper bound.
#[must_use]
pub fn cost_at_error(points: &[Point], error: f64) -> Option<f64> {
    let mut sorted: Vec<Point> =
        points.iter().copied().filter(|p| p.cost > 0.0 && p.error.is_finite()).collect();
    sorted.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.error.total_cmp(&b.error)));
    let mut before: Option<Point> = None;
    for point in sorted {
        // Dearer and no better: beaten.
        if before.is_some_and(|b| point.error >= b.error) {
            continue;
        }
        if point.error <= error {
            let Some(b) = before.filter(|_| point.error > 0.0) else { return Some(point.cost) };
            let share = libm::log(b.error / error) / libm::log(b.error / point.error);
            return Some(b.cost * libm::pow(point.cost / b.cost, share));
        }
        before = Some(point);
    }
    None
}

/// The number of cases after which a surrogate that cost `invested` seconds to make and takes `surrogate` seconds a case
/// has cost less than a simulator of `simulator` seconds a case. `None` if it never does.
#[must_use]
pub fn break_even(invested: f64, simulator: f64, surrogate: f64) -> Option<f64> {
    (simulator > surrogate).then(|| (invested / (simulator - surrogate)).ceil())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn point(cost: f64, error: f64) -> Point {
        Point { cost, error }
    }

    #[test]
    fn costs_are_joined_along_the_frontier() {
        let points = [point(4.0, 0.01), point(1.0, 0.1), point(2.0, 0.5), point(0.1, 1.0)];
        assert_eq!(cost_at_error(&points, 0.1), Some(1.0));
        // Half way in the logarithm of the error, half way in that of the cost.
        assert!((cost_at_error(&points, 0.1 * 0.1f64.sqrt()).unwrap() - 2.0).abs() < 1e-12);
        assert!((cost_at_error(&points, 0.1f64.sqrt()).unwrap() - 0.1f64.sqrt()).abs() < 1e-12);
        assert_eq!(cost_at_error(&points, 2.0), Some(0.1));
        assert_eq!(cost_at_error(&points, 0.001), None);
        assert_eq!(cost_at_error(&[point(3.0, 0.0), point(1.0, 0.5)], 0.1), Some(3.0));
    }

    #[test]
    fn a_surrogate_pays_only_if_it_is_cheaper() {
        assert_eq!(break_even(100.0, 0.5, 0.25), Some(400.0));
        assert_eq!(break_even(100.0, 0.1, 0.1), None);
    }
}
