//! How good a prediction is.

mod compare;
mod neighbours;
mod pressure;
mod saturation;
mod summary;

pub use compare::{Snapshot, compare};
pub use neighbours::{Features, Nearest, features, pressure_demand};
pub use pressure::{PressureScore, score_pressure};
pub use saturation::{PLUME, SaturationScore, clip, score_saturation};
pub use summary::{PRESSURE_MEASURES, PooledR2, SATURATION_MEASURES, mean, mean_and_spread, median};
