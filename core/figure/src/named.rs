//! What charts of named things side by side have in common.

use crate::Color;
use crate::axis::{Axis, Scale};
use crate::frame::{Below, Frame, Mark, Setup};

/// The labels and the size of such a chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub(crate) title: String,
    /// The axis at the left.
    pub(crate) y: (String, Scale),
    /// The names below.
    pub(crate) names: Vec<String>,
    pub(crate) size: (f64, f64),
}

impl Named {
    pub(crate) fn new(title: &str, names: Vec<String>) -> Self {
        Self { title: title.to_owned(), y: (String::new(), Scale::Linear), names, size: (620.0, 380.0) }
    }

    /// Draws everything but the data.
    pub(crate) fn frame(&self, y: Axis, legend: Vec<(&str, Color, Mark)>) -> Frame {
        Frame::draw(&Setup {
            title: &self.title,
            x_label: "",
            y_label: &self.y.0,
            x: Below::Names(&self.names),
            y,
            size: self.size,
            legend,
        })
    }
}
