//! Random reservoirs: geology, fluids and operation of one CO₂ injector each.
//!
//! Scalars come from a scrambled Sobol sequence, fields from a counter-based generator with one stream a
//! sample: reservoir `i` depends on the seed, `i` and the ranges only, whatever else is drawn.

mod fft;
pub mod field;
mod layout;
pub mod normal;
mod permeability;
mod ranges;
mod reservoir;
pub mod sobol;

pub use layout::{Layout, WELL_RADIUS};
pub use ranges::{Curve, FieldKind, Range, Ranges};
pub use reservoir::{Generator, Reservoir};
