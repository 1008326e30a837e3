//! CO₂ storage.

pub mod curves;
pub mod fluid;
pub mod grid;
pub mod npz;
pub mod simulate;
pub mod stored;
pub mod units;
