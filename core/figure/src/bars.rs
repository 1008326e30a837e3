//! Bar charts.

use crate::axis::{Axis, Scale, scientific};
use crate::frame::{Mark, TICK};
use crate::named::Named;
use crate::scene::{Anchor, Rect, Scene, Shape};
use crate::{Color, Figure, font};

/// Bars in groups, with the numbers written above them.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    labels: Named,
    series: Vec<(String, Vec<f64>)>,
}

impl Bars {
    /// A chart with a group of bars for each category.
    #[must_use]
    pub fn new<S: Into<String>>(title: &str, categories: impl IntoIterator<Item = S>) -> Self {
        let labels = Named::new(title, categories.into_iter().map(Into::into).collect());
        Self { labels, series: Vec::new() }
    }

    /// Names the axis at the left, with its unit, and sets its scale.
    #[must_use]
    pub fn y_axis(mut self, label: &str, scale: Scale) -> Self {
        self.labels.y = (label.to_owned(), scale);
        self
    }

    /// Adds a bar to each group, in the order of the categories. Numbers that are not finite have no bar.
    #[must_use]
    pub fn series(mut self, name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        self.series.push((name.to_owned(), values.into_iter().collect()));
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
        let values = self.series.iter().flat_map(|(_, values)| values.iter().copied());
        let y = match self.labels.y.1 {
            Scale::Linear => Axis::covering(Scale::Linear, values.chain([0.0])).with_room(0.08),
            // A bar on a logarithmic axis starts nowhere in particular: below the smallest number.
            Scale::Log => {
                let axis = Axis::covering(Scale::Log, values);
                Axis { low: axis.low / 3.0, high: axis.high * 1.6, ..axis }
            }
        };
        let legend =
            self.series.iter().enumerate().filter(|(_, (name, _))| !name.is_empty() && self.series.len() > 1);
        let legend = legend.map(|(n, (name, _))| (name.as_str(), Color::series(n), Mark::Box));
        let mut frame = self.labels.frame(y, legend.collect());
        let width = (0.72 / self.series.len().max(1) as f64).min(0.5);
        let whole = width * self.series.len() as f64;
        let mut shapes = Vec::new();
        for (n, (_, values)) in self.series.iter().enumerate() {
            for (at, &value) in values.iter().enumerate().take(self.labels.names.len()) {
                let end = frame.y(value);
                if !end.is_finite() {
                    continue;
                }
                let floor = frame.floor();
                let left = frame.x(at as f64 + 0.5 - whole / 2.0 + width * n as f64) + 1.0;
                let right = frame.x(at as f64 + 0.5 - whole / 2.0 + width * (n + 1) as f64) - 1.0;
                let area =
                    Rect { x: left, y: end.min(floor), width: right - left, height: (end - floor).abs() };
                shapes.push(Shape::Fill(area, Color::series(n)));
                let text = scientific(value);
                let size = if font::width(&text, TICK) > right - left + 14.0 { 8.5 } else { TICK };
                let y = if value >= 0.0 { area.y - 4.0 } else { area.bottom() + size + 2.0 };
                let (at, color, anchor) = (((left + right) / 2.0, y), Color::Ink, Anchor::Middle);
                shapes.push(Shape::Text { at, text, size, color, anchor, upwards: false });
            }
        }
        frame.scene.shapes.extend(shapes);
        frame.scene
    }
}
