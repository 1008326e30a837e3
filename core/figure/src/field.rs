//! Maps of fields on grids.

use crate::axis::{Axis, Scale};
use crate::color::MASKED;
use crate::frame::{LABEL, TICK, TITLE};
use crate::raster::SCALE;
use crate::scene::{Anchor, Image, Rect, Scene, Shape};
use crate::{Color, ColorMap, Figure, font};

/// One map: a value for each cell of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    title: String,
    values: Vec<f64>,
    colors: ColorMap,
    range: Option<(f64, f64)>,
    label: String,
}

impl Panel {
    /// A map of values in C order: `values[row * columns + column]`. NaN means that there is no value.
    #[must_use]
    pub fn new(title: &str, values: impl IntoIterator<Item = f64>) -> Self {
        Self {
            title: title.to_owned(),
            values: values.into_iter().collect(),
            colors: ColorMap::Sequential,
            range: None,
            label: String::new(),
        }
    }

    /// Sets the colours. [`ColorMap::Diverging`] puts zero in the middle of a range that is not given.
    #[must_use]
    pub fn colors(mut self, colors: ColorMap) -> Self {
        self.colors = colors;
        self
    }

    /// Sets the numbers at the ends of the colour bar; without it, they are those of the values.
    #[must_use]
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }

    /// Names the colour bar, with its unit.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        label.clone_into(&mut self.label);
        self
    }

    fn bar(&self, masked: &dyn Fn(usize) -> bool) -> Axis {
        let seen = self.values.iter().enumerate().filter(|&(at, _)| !masked(at)).map(|(_, &v)| v);
        let axis = match self.range {
            Some((low, high)) => Axis::covering(Scale::Linear, [low, high].into_iter()),
            None => Axis::covering(Scale::Linear, seen),
        };
        if self.colors == ColorMap::Diverging && self.range.is_none() {
            let most = axis.low.abs().max(axis.high.abs());
            return Axis { low: -most, high: most, ..axis };
        }
        axis
    }
}

/// Maps of several fields on one grid of rows and columns, whose cells need not be of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldMaps {
    title: String,
    x: (String, Scale, Vec<f64>),
    y: (String, Scale, Vec<f64>),
    down: bool,
    mask: Vec<bool>,
    rows: Vec<(String, Vec<Panel>)>,
    panel: (f64, f64),
}

const MARGIN: f64 = 14.0;
const BAR_WIDTH: f64 = 10.0;
const GAP: f64 = 20.0;

impl FieldMaps {
    /// Maps on a grid with these edges of cells: columns along x, rows along y, each in rising order and one
    /// more than there are cells.
    #[must_use]
    pub fn new(title: &str, x_edges: impl Into<Vec<f64>>, y_edges: impl Into<Vec<f64>>) -> Self {
        Self {
            title: title.to_owned(),
            x: (String::new(), Scale::Linear, x_edges.into()),
            y: (String::new(), Scale::Linear, y_edges.into()),
            down: false,
            mask: Vec::new(),
            rows: Vec::new(),
            panel: (230.0, 150.0),
        }
    }

    /// Names the axis below, with its unit, and sets its scale. A logarithmic axis leaves out what lies below
    /// its first positive edge.
    #[must_use]
    pub fn x_axis(mut self, label: &str, scale: Scale) -> Self {
        (self.x.0, self.x.1) = (label.to_owned(), scale);
        self
    }

    /// Names the axis at the left, with its unit, and sets its scale.
    #[must_use]
    pub fn y_axis(mut self, label: &str, scale: Scale) -> Self {
        (self.y.0, self.y.1) = (label.to_owned(), scale);
        self
    }

    /// Lets the axis at the left point down, as depth does.
    #[must_use]
    pub fn downwards(mut self) -> Self {
        self.down = true;
        self
    }

    /// Shows cells in grey, in C order, whatever their value: those that are not part of the domain.
    #[must_use]
    pub fn mask(mut self, masked: impl Into<Vec<bool>>) -> Self {
        self.mask = masked.into();
        self
    }

    /// Starts a row of maps, with a name at its left.
    #[must_use]
    pub fn row(mut self, label: &str) -> Self {
        self.rows.push((label.to_owned(), Vec::new()));
        self
    }

    /// Adds a map to the last row.
    #[must_use]
    pub fn panel(mut self, panel: Panel) -> Self {
        if self.rows.is_empty() {
            self.rows.push((String::new(), Vec::new()));
        }
        if let Some((_, panels)) = self.rows.last_mut() {
            panels.push(panel);
        }
        self
    }

    /// Sets width and height of each map in points; 230 × 150 without it.
    #[must_use]
    pub fn panel_size(mut self, width: f64, height: f64) -> Self {
        self.panel = (width, height);
        self
    }

    /// Draws the maps in both forms.
    #[must_use]
    pub fn render(&self) -> Figure {
        self.scene().into()
    }

    pub(crate) fn scene(&self) -> Scene {
        let axis =
            |(_, scale, edges): &(String, Scale, Vec<f64>)| Axis::covering(*scale, edges.iter().copied());
        let (x, y) = (axis(&self.x), axis(&self.y));
        let (width, height) = self.panel;
        let masked = |at: usize| self.mask.get(at).copied().unwrap_or(false);
        let bars: Vec<Vec<Axis>> =
            self.rows.iter().map(|(_, panels)| panels.iter().map(|p| p.bar(&masked)).collect()).collect();
        let widest = |ticks: Vec<crate::axis::Tick>| {
            ticks.iter().map(|tick| font::width(&tick.label, TICK)).fold(0.0, f64::max)
        };
        let bar_room = bars.iter().flatten().map(|bar| widest(bar.ticks(4))).fold(0.0, f64::max);
        let labelled = self.rows.iter().flat_map(|row| &row.1).any(|panel| !panel.label.is_empty());
        let bar_room = 8.0 + BAR_WIDTH + 5.0 + bar_room + if labelled { LABEL + 4.0 } else { 0.0 };
        let row_room = if self.rows.iter().any(|row| !row.0.is_empty()) { LABEL + 10.0 } else { 0.0 };
        let y_room = widest(y.ticks(4)) + 6.0 + if self.y.0.is_empty() { 0.0 } else { LABEL + 6.0 };
        let title_room = if self.title.is_empty() { 0.0 } else { TITLE + 10.0 };
        let head = LABEL + 8.0;
        let foot = TICK + 6.0;
        let columns = self.rows.iter().map(|row| row.1.len()).max().unwrap_or(0);
        let step = (width + bar_room + GAP, head + height + foot + 8.0);
        let left = MARGIN + row_room + y_room;
        let whole = (
            left + step.0 * columns as f64 - GAP + MARGIN,
            MARGIN + title_room + step.1 * self.rows.len() as f64 + LABEL + 8.0,
        );
        let mut scene =
            Scene::new(whole.0.max(font::width(&self.title, TITLE) + 2.0 * MARGIN), whole.1, &self.title);
        scene.text((MARGIN, MARGIN + TITLE - 2.0), &self.title, TITLE, Color::Ink, Anchor::Start);
        for (r, (label, panels)) in self.rows.iter().enumerate() {
            let top = MARGIN + title_room + step.1 * r as f64 + head;
            upwards(&mut scene, (MARGIN + LABEL - 2.0, top + height / 2.0), label, Color::Ink);
            for (c, panel) in panels.iter().enumerate() {
                let plot = Rect { x: left + step.0 * c as f64, y: top, width, height };
                let title = fitted(&panel.title, width + bar_room);
                scene.text((plot.x, plot.y - 7.0), &title, LABEL, Color::Ink, Anchor::Start);
                let image = self.paint(panel, &bars[r][c], (&x, &y), &masked);
                scene.shapes.push(Shape::Image(plot, image));
                self.axes(&mut scene, plot, (&x, &y), c == 0, r + 1 == self.rows.len());
                color_bar(&mut scene, plot, panel, &bars[r][c]);
            }
        }
        scene
    }

    /// The values as a picture with as many pixels as will be seen, whatever the sizes of the cells.
    fn paint(
        &self,
        panel: &Panel,
        bar: &Axis,
        axes: (&Axis, &Axis),
        masked: &dyn Fn(usize) -> bool,
    ) -> Image {
        const GREY: u8 = 255;
        let pixels = |length: f64| ((length * SCALE).round() as usize).clamp(1, 4_096);
        let (width, height) = (pixels(self.panel.0), pixels(self.panel.1));
        let columns = cells(&self.x.2, axes.0, width, false);
        let rows = cells(&self.y.2, axes.1, height, !self.down);
        let count = self.x.2.len().saturating_sub(1);
        let color = |at: usize| match panel.values.get(at) {
            Some(&value) if value.is_finite() && !masked(at) => {
                (bar.position(value).clamp(0.0, 1.0) * 254.0).round() as u8
            }
            _ => GREY,
        };
        let mut data = Vec::with_capacity(width * height);
        for (at, row) in rows.iter().enumerate() {
            // Rows of one cell look the same.
            if at > 0 && rows[at - 1] == *row {
                data.extend_from_within(data.len() - width..);
                continue;
            }
            data.extend(columns.iter().map(|column| match (row, column) {
                (Some(row), Some(column)) => color(row * count + column),
                _ => GREY,
            }));
        }
        let mut palette: Vec<[u8; 3]> = (0..255).map(|n| panel.colors.at(f64::from(n) / 254.0)).collect();
        palette.push(MASKED);
        Image { width, height, pixels: data, palette }
    }

    fn axes(&self, scene: &mut Scene, plot: Rect, (x, y): (&Axis, &Axis), first: bool, last: bool) {
        scene.shapes.push(Shape::Outline(plot, Color::Muted, 0.8));
        for tick in x.ticks(4) {
            let at = plot.x + x.position(tick.value) * plot.width;
            let length = if tick.label.is_empty() { 2.0 } else { 4.0 };
            scene.line((at, plot.bottom()), (at, plot.bottom() + length), Color::Muted, 0.8);
            scene.text((at, plot.bottom() + TICK + 5.0), &tick.label, TICK, Color::Muted, Anchor::Middle);
        }
        for tick in y.ticks(4) {
            let share = if self.down { y.position(tick.value) } else { 1.0 - y.position(tick.value) };
            let at = plot.y + share * plot.height;
            let length = if tick.label.is_empty() { 2.0 } else { 4.0 };
            scene.line((plot.x - length, at), (plot.x, at), Color::Muted, 0.8);
            if first {
                scene.text((plot.x - 6.0, at + TICK * 0.36), &tick.label, TICK, Color::Muted, Anchor::End);
            }
        }
        if last {
            let at = (plot.x + plot.width / 2.0, plot.bottom() + TICK + LABEL + 12.0);
            scene.text(at, &self.x.0, LABEL, Color::Ink, Anchor::Middle);
        }
        if first {
            let widest = y.ticks(4).iter().map(|tick| font::width(&tick.label, TICK)).fold(0.0, f64::max);
            upwards(scene, (plot.x - widest - 12.0, plot.y + plot.height / 2.0), &self.y.0, Color::Ink);
        }
    }
}

/// By pixel: the cell whose edges enclose it, if any.
fn cells(edges: &[f64], axis: &Axis, pixels: usize, reversed: bool) -> Vec<Option<usize>> {
    let mut cells: Vec<Option<usize>> = (0..pixels)
        .map(|pixel| {
            let value = axis.value((pixel as f64 + 0.5) / pixels as f64);
            let above = edges.partition_point(|&edge| edge <= value);
            (above > 0 && above < edges.len()).then(|| above - 1)
        })
        .collect();
    if reversed {
        cells.reverse();
    }
    cells
}

fn color_bar(scene: &mut Scene, plot: Rect, panel: &Panel, bar: &Axis) {
    let area = Rect { x: plot.right() + 8.0, y: plot.y, width: BAR_WIDTH, height: plot.height };
    let palette: Vec<[u8; 3]> = (0..=255).map(|n| panel.colors.at(1.0 - f64::from(n) / 255.0)).collect();
    let pixels = (0..=255).collect();
    scene.shapes.push(Shape::Image(area, Image { width: 1, height: 256, pixels, palette }));
    scene.shapes.push(Shape::Outline(area, Color::Muted, 0.6));
    let mut widest = 0.0_f64;
    for tick in bar.ticks(4) {
        let y = area.bottom() - bar.position(tick.value) * area.height;
        scene.line((area.right(), y), (area.right() + 3.0, y), Color::Muted, 0.8);
        scene.text((area.right() + 5.0, y + TICK * 0.36), &tick.label, TICK, Color::Muted, Anchor::Start);
        widest = widest.max(font::width(&tick.label, TICK));
    }
    let at = (area.right() + 5.0 + widest + LABEL, plot.y + plot.height / 2.0);
    upwards(scene, at, &panel.label, Color::Muted);
}

fn upwards(scene: &mut Scene, at: (f64, f64), text: &str, color: Color) {
    if !text.is_empty() {
        let (text, size, anchor) = (text.to_owned(), LABEL, Anchor::Middle);
        scene.shapes.push(Shape::Text { at, text, size, color, anchor, upwards: true });
    }
}

/// A text that is cut where it does not fit.
fn fitted(text: &str, room: f64) -> String {
    if font::width(text, LABEL) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if font::width(&kept, LABEL) + font::width("…", LABEL) + font::width(&c.to_string(), LABEL) > room {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}
