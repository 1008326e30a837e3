//! Figures for scientific results, as SVG and as PNG with the same content.
//!
//! A figure is drawn once, as a [scene] of simple shapes, and written in both forms. Nothing depends on the
//! machine: the font is compiled in, there are no time stamps, and equal data give equal bytes.
//!
//! ```
//! use flow_figure::{LineChart, Scale, Series};
//! let losses = (1..=40).map(|epoch| (f64::from(epoch), 1.0 / f64::from(epoch)));
//! let figure = LineChart::new("Training loss")
//!     .x_axis("epoch", Scale::Linear)
//!     .y_axis("relative L2", Scale::Log)
//!     .series(Series::new("training", losses))
//!     .render();
//! assert!(figure.svg.starts_with("<svg"));
//! assert_eq!(&figure.png[1..4], b"PNG");
//! ```

mod axis;
mod bars;
mod base64;
mod boxes;
mod color;
mod field;
mod font;
mod frame;
mod line;
mod named;
mod raster;
pub mod scene;
mod svg;
#[cfg(test)]
mod tests;

pub use axis::Scale;
pub use bars::Bars;
pub use base64::base64;
pub use boxes::Boxes;
pub use color::{Color, ColorMap};
pub use field::{FieldMaps, Panel};
pub use line::{LineChart, Series};
pub use svg::escape;

use scene::Scene;

/// A drawn figure in both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The SVG document.
    pub svg: String,
    /// The PNG file, at twice the size of the SVG document in pixels.
    pub png: Vec<u8>,
}

impl From<Scene> for Figure {
    fn from(scene: Scene) -> Self {
        Self { svg: svg::document(&scene), png: raster::png(&scene) }
    }
}
