//! Line charts and scatter plots.

use crate::axis::{Axis, Scale};
use crate::frame::{Below, Frame, Mark, Setup};
use crate::scene::{Scene, Shape};
use crate::{Color, Figure};

/// Points of one name and colour, joined by a line or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    band: Vec<(f64, f64, f64)>,
    color: Option<Color>,
    dash: f64,
    dots: bool,
}

impl Series {
    /// A line through points `(x, y)`, in the order given. Points that are not finite leave a gap.
    #[must_use]
    pub fn new(name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self {
            name: name.to_owned(),
            points: points.into_iter().collect(),
            band: Vec::new(),
            color: None,
            dash: 0.0,
            dots: false,
        }
    }

    /// Draws a dashed line.
    #[must_use]
    pub fn dashed(mut self) -> Self {
        self.dash = 5.0;
        self
    }

    /// Draws the points and no line.
    #[must_use]
    pub fn dots(mut self) -> Self {
        self.dots = true;
        self
    }

    /// Takes the colour of the n-th series instead of the next one, so that series that belong together look
    /// alike.
    #[must_use]
    pub fn color(mut self, n: usize) -> Self {
        self.color = Some(Color::series(n));
        self
    }

    /// Takes the colour of text, for a reference that is not one of the results.
    #[must_use]
    pub fn neutral(mut self) -> Self {
        self.color = Some(Color::Muted);
        self
    }

    /// Shades the area between two curves `(x, low, high)`, such as quantiles.
    #[must_use]
    pub fn band(mut self, band: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        self.band = band.into_iter().collect();
        self
    }
}

/// A chart of numbers against numbers: curves, scattered points, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    title: String,
    x: (String, Scale),
    y: (String, Scale),
    x_range: Option<(f64, f64)>,
    y_range: Option<(f64, f64)>,
    series: Vec<Series>,
    levels: Vec<(String, f64)>,
    diagonal: bool,
    size: (f64, f64),
}

/// Curves with more points are drawn through the extremes of each of so many parts, which looks the same.
const PARTS: usize = 800;

impl LineChart {
    /// A chart without data.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            x: (String::new(), Scale::Linear),
            y: (String::new(), Scale::Linear),
            x_range: None,
            y_range: None,
            series: Vec::new(),
            levels: Vec::new(),
            diagonal: false,
            size: (620.0, 380.0),
        }
    }

    /// Names the axis below, with its unit, and sets its scale.
    #[must_use]
    pub fn x_axis(mut self, label: &str, scale: Scale) -> Self {
        self.x = (label.to_owned(), scale);
        self
    }

    /// Names the axis at the left, with its unit, and sets its scale.
    #[must_use]
    pub fn y_axis(mut self, label: &str, scale: Scale) -> Self {
        self.y = (label.to_owned(), scale);
        self
    }

    /// Sets the range of the axis below; without it, it covers the data.
    #[must_use]
    pub fn x_range(mut self, low: f64, high: f64) -> Self {
        self.x_range = Some((low, high));
        self
    }

    /// Sets the range of the axis at the left; without it, it covers the data.
    #[must_use]
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y_range = Some((low, high));
        self
    }

    /// Adds a series.
    #[must_use]
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Adds a dashed horizontal line, such as a goal.
    #[must_use]
    pub fn level(mut self, name: &str, y: f64) -> Self {
        self.levels.push((name.to_owned(), y));
        self
    }

    /// Adds the line on which both axes have the same number.
    #[must_use]
    pub fn diagonal(mut self) -> Self {
        self.diagonal = true;
        self
    }

    /// Sets width and height in points; 620 × 380 without it.
    #[must_use]
    pub fn size(mut self, width: f64, height: f64) -> Self {
        self.size = (width, height);
        self
    }

    /// Draws the chart in both forms.
    #[must_use]
    pub fn render(&self) -> Figure {
        self.scene().into()
    }

    /// Draws the chart as SVG only.
    #[must_use]
    pub fn svg(&self) -> String {
        crate::svg::document(&self.scene())
    }

    fn scene(&self) -> Scene {
        let points = || self.series.iter().flat_map(|s| s.points.iter().copied());
        let band = || self.series.iter().flat_map(|s| s.band.iter().copied());
        let xs = points().map(|p| p.0).chain(band().map(|b| b.0));
        let ys = points()
            .map(|p| p.1)
            .chain(band().flat_map(|b| [b.1, b.2]))
            .chain(self.levels.iter().map(|level| level.1));
        let all_dots = self.series.iter().all(|s| s.dots);
        let x = range(self.x.1, self.x_range, xs, if all_dots { 0.03 } else { 0.0 });
        let y = range(self.y.1, self.y_range, ys, 0.04);
        let colors: Vec<Color> =
            self.series.iter().enumerate().map(|(n, s)| s.color.unwrap_or(Color::series(n))).collect();
        let mut legend: Vec<(&str, Color, Mark)> = Vec::new();
        for (series, &color) in self.series.iter().zip(&colors) {
            let mark = if series.dots { Mark::Dot } else { Mark::Line { dash: series.dash } };
            // Series that look the same and have the same name are one entry.
            if !series.name.is_empty() && !legend.contains(&(&series.name, color, mark)) {
                legend.push((&series.name, color, mark));
            }
        }
        legend.extend(
            self.levels.iter().map(|(name, _)| (name.as_str(), Color::Muted, Mark::Line { dash: 3.0 })),
        );
        let mut frame = Frame::draw(&Setup {
            title: &self.title,
            x_label: &self.x.0,
            y_label: &self.y.0,
            x: Below::Numbers(x),
            y,
            size: self.size,
            legend,
        });
        let mut shapes = Vec::new();
        if self.diagonal {
            let ends = [x.low.max(y.low), x.high.min(y.high)];
            let points = ends.map(|v| (frame.x(v), frame.y(v))).to_vec();
            shapes.push(Shape::Line { points, color: Color::Muted, width: 1.0, dash: 3.0 });
        }
        for (_, level) in &self.levels {
            let points = vec![(frame.plot.x, frame.y(*level)), (frame.plot.right(), frame.y(*level))];
            shapes.push(Shape::Line { points, color: Color::Muted, width: 1.2, dash: 3.0 });
        }
        for (series, &color) in self.series.iter().zip(&colors) {
            let low = series.band.iter().map(|b| (frame.x(b.0), frame.y(b.1)));
            let high = series.band.iter().rev().map(|b| (frame.x(b.0), frame.y(b.2)));
            let outline: Vec<_> = low.chain(high).filter(finite).collect();
            if !outline.is_empty() {
                shapes.push(Shape::Area { points: outline, color, opacity: 0.18 });
            }
        }
        for (series, &color) in self.series.iter().zip(&colors) {
            let positions: Vec<_> = series.points.iter().map(|p| (frame.x(p.0), frame.y(p.1))).collect();
            if series.dots {
                let opacity = if positions.len() > 200 { 0.45 } else { 0.8 };
                let dots = positions.into_iter().filter(finite);
                shapes.extend(dots.map(|at| Shape::Dot { at, radius: 2.6, color, opacity }));
                continue;
            }
            for part in positions.split(|p| !finite(p)) {
                match part {
                    [] => {}
                    // A line through one point would not be seen.
                    &[at] => shapes.push(Shape::Dot { at, radius: 2.6, color, opacity: 1.0 }),
                    part => {
                        let points = thin(part);
                        shapes.push(Shape::Line { points, color, width: 1.8, dash: series.dash });
                    }
                }
            }
        }
        frame.data(shapes);
        frame.scene
    }
}

fn range(scale: Scale, fixed: Option<(f64, f64)>, values: impl Iterator<Item = f64>, room: f64) -> Axis {
    match fixed {
        Some((low, high)) => Axis::covering(scale, [low, high].into_iter()),
        None => Axis::covering(scale, values).with_room(room),
    }
}

fn finite(p: &(f64, f64)) -> bool {
    p.0.is_finite() && p.1.is_finite()
}

/// A curve that looks the same with fewer points: the first, lowest, highest and last of each part, in order.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= 4 * PARTS {
        return points.to_vec();
    }
    let mut thinned = Vec::with_capacity(4 * PARTS);
    for part in points.chunks(points.len().div_ceil(PARTS)) {
        let by_height = |&a: &usize, &b: &usize| part[a].1.total_cmp(&part[b].1);
        let lowest = (0..part.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..part.len()).max_by(by_height).unwrap_or(0);
        let mut kept = [0, lowest, highest, part.len() - 1];
        kept.sort_unstable();
        thinned.extend(
            kept.iter().enumerate().filter(|&(n, at)| n == 0 || kept[n - 1] != *at).map(|(_, &at)| part[at]),
        );
    }
    thinned
}
