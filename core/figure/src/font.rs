//! The font that is compiled in: a subset of DejaVu Sans, with Latin-1, Greek and the signs of formulas.

use std::sync::LazyLock;

use ttf_parser::{Face, OutlineBuilder};

static FACE: LazyLock<Face<'static>> = LazyLock::new(|| {
    // Cannot fail: the bytes are part of the program, and every test that draws text parses them.
    #[allow(clippy::expect_used)]
    Face::parse(include_bytes!("../font/sans.ttf"), 0).expect("the font compiled in is whole")
});

/// What stands for characters that the font does not have.
const UNKNOWN: char = '?';

fn glyph(c: char) -> Option<ttf_parser::GlyphId> {
    FACE.glyph_index(c).or_else(|| FACE.glyph_index(UNKNOWN))
}

/// How long a text is at a font size.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let units: u64 =
        text.chars().filter_map(glyph).filter_map(|id| FACE.glyph_hor_advance(id)).map(u64::from).sum();
    units as f64 * size / f64::from(FACE.units_per_em())
}

/// Draws the outlines of a text with its baseline starting at the origin; `y` grows downwards.
pub(crate) fn outline(text: &str, size: f64, to: &mut tiny_skia::PathBuilder) {
    let scale = size / f64::from(FACE.units_per_em());
    let mut pen = 0.0;
    for id in text.chars().filter_map(glyph) {
        FACE.outline_glyph(id, &mut Outline { to, scale: scale as f32, x: (pen * scale) as f32 });
        pen += FACE.glyph_hor_advance(id).map_or(0.0, f64::from);
    }
}

struct Outline<'a> {
    to: &'a mut tiny_skia::PathBuilder,
    scale: f32,
    x: f32,
}

impl Outline<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Outline<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.to.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.to.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.to.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.to.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.to.close();
    }
}
