//! What a figure consists of: shapes in a coordinate system with the origin at the top left, in points.

use crate::Color;

/// A drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// What it shows, for those who cannot see it.
    pub title: String,
    /// Its shapes, the later ones above.
    pub shapes: Vec<Shape>,
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// Where a text stands relative to its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It starts there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// A part of a drawing.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A filled rectangle.
    Fill(Rect, Color),
    /// The outline of a rectangle.
    Outline(Rect, Color, f64),
    /// A line through points.
    Line {
        /// The points.
        points: Vec<(f64, f64)>,
        /// Its colour.
        color: Color,
        /// Its width.
        width: f64,
        /// Lengths of dashes and gaps; zero for a solid line.
        dash: f64,
    },
    /// A filled area.
    Area {
        /// Its corners.
        points: Vec<(f64, f64)>,
        /// Its colour.
        color: Color,
        /// 0 is invisible, 1 opaque.
        opacity: f64,
    },
    /// A disc.
    Dot {
        /// The centre.
        at: (f64, f64),
        /// The radius.
        radius: f64,
        /// Its colour.
        color: Color,
        /// 0 is invisible, 1 opaque.
        opacity: f64,
    },
    /// A line of text.
    Text {
        /// Where its baseline is.
        at: (f64, f64),
        /// What it says.
        text: String,
        /// The font's size.
        size: f64,
        /// Its colour.
        color: Color,
        /// Where it stands relative to `at`.
        anchor: Anchor,
        /// Written from bottom to top.
        upwards: bool,
    },
    /// A picture, stretched over a rectangle.
    Image(Rect, Image),
    /// Shapes of which only what lies in the rectangle is seen.
    Clipped(Rect, Vec<Shape>),
}

/// A picture with at most 256 colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// By pixel, rows from the top: the number of its colour.
    pub pixels: Vec<u8>,
    /// The colours.
    pub palette: Vec<[u8; 3]>,
}

impl Rect {
    /// The right edge.
    #[must_use]
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    /// The bottom edge.
    #[must_use]
    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }
}

impl Scene {
    /// An empty drawing.
    #[must_use]
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        Self { width, height, title: title.to_owned(), shapes: Vec::new() }
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), color: Color, width: f64) {
        self.shapes.push(Shape::Line { points: vec![from, to], color, width, dash: 0.0 });
    }

    pub(crate) fn text(&mut self, at: (f64, f64), text: &str, size: f64, color: Color, anchor: Anchor) {
        let text = text.to_owned();
        self.shapes.push(Shape::Text { at, text, size, color, anchor, upwards: false });
    }
}
