//! What charts have in common: title, legend, axes with ticks and grid.

use crate::Color;
use crate::axis::{Axis, Tick};
use crate::font;
use crate::scene::{Anchor, Rect, Scene, Shape};

pub(crate) const TITLE: f64 = 14.0;
pub(crate) const LABEL: f64 = 12.0;
pub(crate) const TICK: f64 = 11.0;
const MARGIN: f64 = 14.0;
const LEGEND_LINE: f64 = 17.0;
const SWATCH: f64 = 20.0;

/// How a series is marked in the legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mark {
    Line { dash: f64 },
    Dot,
    Box,
}

/// What stands along the lower edge.
pub(crate) enum Below<'a> {
    Numbers(Axis),
    /// Names at the centres of equal parts.
    Names(&'a [String]),
}

/// What a frame is drawn from.
pub(crate) struct Setup<'a> {
    pub(crate) title: &'a str,
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
    pub(crate) x: Below<'a>,
    pub(crate) y: Axis,
    pub(crate) size: (f64, f64),
    pub(crate) legend: Vec<(&'a str, Color, Mark)>,
}

/// A frame that has been drawn, and where data go in it.
pub(crate) struct Frame {
    pub(crate) scene: Scene,
    pub(crate) plot: Rect,
    x: Axis,
    y: Axis,
}

impl Frame {
    pub(crate) fn draw(setup: &Setup<'_>) -> Self {
        let (width, height) = setup.size;
        let mut scene = Scene::new(width, height, setup.title);
        let mut top = MARGIN;
        if !setup.title.is_empty() {
            scene.text((MARGIN, top + TITLE - 2.0), setup.title, TITLE, Color::Ink, Anchor::Start);
            top += TITLE + 8.0;
        }
        top = legend(&mut scene, setup, top) + 6.0;

        let y_ticks = setup.y.ticks(((height - top) / 55.0) as usize);
        let widest = y_ticks.iter().map(|tick| font::width(&tick.label, TICK)).fold(0.0, f64::max);
        let label_room = if setup.y_label.is_empty() { 0.0 } else { LABEL + 8.0 };
        let left = MARGIN + label_room + widest + 6.0;
        let right = width - MARGIN - 4.0;
        let names = match setup.x {
            Below::Names(names) => names,
            Below::Numbers(_) => &[],
        };
        // Names that do not fit beside each other stand on alternating lines.
        let share = (right - left) / names.len().max(1) as f64;
        let longest = names.iter().map(|name| font::width(name, TICK)).fold(0.0, f64::max);
        let lines = if longest <= share - 6.0 { 1 } else { 2 };
        let x_label_room = if setup.x_label.is_empty() { 0.0 } else { LABEL + 6.0 };
        let bottom = height - MARGIN - x_label_room - f64::from(lines) * (TICK + 5.0);
        let plot = Rect { x: left, y: top, width: (right - left).max(1.0), height: (bottom - top).max(1.0) };

        let x = match setup.x {
            Below::Numbers(axis) => axis,
            Below::Names(names) => {
                Axis::covering(crate::Scale::Linear, [0.0, names.len().max(1) as f64].into_iter())
            }
        };
        let frame = Self { scene, plot, x, y: setup.y };
        frame.axes(setup, &y_ticks, names, lines)
    }

    fn axes(mut self, setup: &Setup<'_>, y_ticks: &[Tick], names: &[String], lines: u8) -> Self {
        let plot = self.plot;
        for tick in y_ticks {
            let y = self.y(tick.value);
            let faint = if tick.label.is_empty() { 0.4 } else { 0.9 };
            self.scene.line((plot.x, y), (plot.right(), y), Color::Grid, faint);
            self.scene.text((plot.x - 6.0, y + TICK * 0.36), &tick.label, TICK, Color::Muted, Anchor::End);
        }
        let below = plot.bottom() + TICK + 5.0;
        if let Below::Numbers(axis) = setup.x {
            for tick in axis.ticks((plot.width / 80.0) as usize) {
                let x = self.x(tick.value);
                let faint = if tick.label.is_empty() { 0.4 } else { 0.9 };
                self.scene.line((x, plot.y), (x, plot.bottom()), Color::Grid, faint);
                self.scene.text((x, below), &tick.label, TICK, Color::Muted, Anchor::Middle);
            }
        }
        for (at, name) in names.iter().enumerate() {
            let line = if lines == 2 && at % 2 == 1 { TICK + 5.0 } else { 0.0 };
            self.scene.text((self.x(at as f64 + 0.5), below + line), name, TICK, Color::Ink, Anchor::Middle);
        }
        self.scene.line((plot.x, plot.bottom()), (plot.right(), plot.bottom()), Color::Muted, 1.0);
        self.scene.line((plot.x, plot.y), (plot.x, plot.bottom()), Color::Muted, 1.0);
        let center = plot.x + plot.width / 2.0;
        let height = self.scene.height;
        self.scene.text((center, height - MARGIN + 2.0), setup.x_label, LABEL, Color::Ink, Anchor::Middle);
        if !setup.y_label.is_empty() {
            let at = (MARGIN + LABEL - 3.0, plot.y + plot.height / 2.0);
            let text = setup.y_label.to_owned();
            let (size, color, anchor) = (LABEL, Color::Ink, Anchor::Middle);
            self.scene.shapes.push(Shape::Text { at, text, size, color, anchor, upwards: true });
        }
        self
    }

    /// The position of a number along the lower edge.
    pub(crate) fn x(&self, value: f64) -> f64 {
        self.plot.x + self.x.position(value) * self.plot.width
    }

    /// The position of a number along the left edge.
    pub(crate) fn y(&self, value: f64) -> f64 {
        self.plot.bottom() - self.y.position(value) * self.plot.height
    }

    /// The position of the lower end of the axis at the left, or of zero where that is on the axis.
    pub(crate) fn floor(&self) -> f64 {
        let zero = self.y.position(0.0);
        if zero.is_finite() {
            self.plot.bottom() - zero.clamp(0.0, 1.0) * self.plot.height
        } else {
            self.plot.bottom()
        }
    }

    /// Adds shapes of which only what lies in the plot is seen.
    pub(crate) fn data(&mut self, shapes: Vec<Shape>) {
        // Half a line's width of room, so that lines along an edge are whole.
        let Rect { x, y, width, height } = self.plot;
        let area = Rect { x: x - 2.0, y: y - 2.0, width: width + 4.0, height: height + 4.0 };
        self.scene.shapes.push(Shape::Clipped(area, shapes));
    }
}

/// Draws the legend in as many lines as it needs, and gives the position below it.
fn legend(scene: &mut Scene, setup: &Setup<'_>, top: f64) -> f64 {
    if setup.legend.is_empty() {
        return top;
    }
    let (mut x, mut y) = (MARGIN, top);
    for &(name, color, mark) in &setup.legend {
        let width = SWATCH + 5.0 + font::width(name, TICK) + 16.0;
        if x > MARGIN && x + width > setup.size.0 {
            (x, y) = (MARGIN, y + LEGEND_LINE);
        }
        let middle = y + 8.0;
        match mark {
            Mark::Line { dash } => {
                let points = vec![(x, middle), (x + SWATCH, middle)];
                scene.shapes.push(Shape::Line { points, color, width: 2.0, dash });
            }
            Mark::Dot => scene.shapes.push(Shape::Dot {
                at: (x + SWATCH / 2.0, middle),
                radius: 4.0,
                color,
                opacity: 1.0,
            }),
            Mark::Box => {
                let area = Rect { x: x + 4.0, y: middle - 5.0, width: 12.0, height: 10.0 };
                scene.shapes.push(Shape::Fill(area, color));
            }
        }
        scene.text((x + SWATCH + 5.0, middle + TICK * 0.36), name, TICK, Color::Ink, Anchor::Start);
        x += width;
    }
    y + LEGEND_LINE
}
