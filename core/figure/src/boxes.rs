//! Charts of distributions by their quantiles.

use crate::axis::{Axis, Scale};
use crate::named::Named;
use crate::scene::{Rect, Scene, Shape};
use crate::{Color, Figure};

/// For each of several samples: a box from the lower to the upper quartile, a line at the median, whiskers
/// from the 5 % to the 95 % quantile, and dots for what lies beyond.
#[derive(Clone, Debug, PartialEq)]
pub struct Boxes {
    labels: Named,
    samples: Vec<Vec<f64>>,
}

impl Boxes {
    /// A chart without samples.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { labels: Named::new(title, Vec::new()), samples: Vec::new() }
    }

    /// Names the axis at the left, with its unit, and sets its scale.
    #[must_use]
    pub fn y_axis(mut self, label: &str, scale: Scale) -> Self {
        self.labels.y = (label.to_owned(), scale);
        self
    }

    /// Adds a sample. Numbers that are not finite are left out.
    #[must_use]
    pub fn sample(mut self, name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        self.labels.names.push(name.to_owned());
        self.samples.push(values);
        self
    }

    /// Sets width and height in points; 620 × 380 without it.
    #[must_use]
    pub fn size(mut self, width: f64, height: f64) -> Self {
        self.labels.size = (width, height);
        self
    }

    /// Draws the chart in both forms.
    #[must_use]
    pub fn render(&self) -> Figure {
        self.scene().into()
    }

    fn scene(&self) -> Scene {
        let y = Axis::covering(self.labels.y.1, self.samples.iter().flatten().copied()).with_room(0.05);
        let mut frame = self.labels.frame(y, Vec::new());
        let mut shapes = Vec::new();
        for (at, sample) in self.samples.iter().enumerate().filter(|(_, sample)| !sample.is_empty()) {
            let color = Color::series(at);
            let center = at as f64 + 0.5;
            let (left, middle, right) = (frame.x(center - 0.22), frame.x(center), frame.x(center + 0.22));
            let [low, lower, median, upper, high] =
                [0.05, 0.25, 0.5, 0.75, 0.95].map(|q| frame.y(quantile(sample, q)));
            let line = |points: Vec<(f64, f64)>, width| Shape::Line { points, color, width, dash: 0.0 };
            shapes.push(line(vec![(middle, low), (middle, lower)], 1.4));
            shapes.push(line(vec![(middle, upper), (middle, high)], 1.4));
            let corners = vec![(left, lower), (right, lower), (right, upper), (left, upper)];
            shapes.push(Shape::Area { points: corners, color, opacity: 0.25 });
            let area = Rect { x: left, y: upper, width: right - left, height: lower - upper };
            shapes.push(Shape::Outline(area, color, 1.4));
            shapes.push(line(vec![(left, median), (right, median)], 2.6));
            for &value in sample {
                let position = frame.y(value);
                if position > low || position < high {
                    shapes.push(Shape::Dot { at: (middle, position), radius: 2.0, color, opacity: 0.6 });
                }
            }
        }
        frame.data(shapes);
        frame.scene
    }
}

/// The quantile `q` of sorted values, with linear interpolation (type 7 of Hyndman and Fan 1996).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let low = at as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}
