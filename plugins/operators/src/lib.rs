//! Neural operators: Fourier neural operators on two-dimensional grids, their training and use.
//!
//! The network is made of burn modules over a few fused operations; see [`ops`]. Fields are
//! channels-last, `[sample, row, column, channel]`, in `f32`. Results have the same bits at any
//! number of threads.

mod error;
pub mod fno;
mod kernels;
pub mod loss;
mod operations;
pub mod ops;
pub mod optim;
pub mod samples;
pub mod train;
pub mod weights;

pub use error::{Error, Result};
pub use fno::{Fno, FnoConfig};
pub use kernels::{Isa, SpectralPlan, Window, release_buffers};

use flow_plugin::Plugin;

/// The plugin `operators`.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new("operators", env!("CARGO_PKG_VERSION"), "Neural operators: training, prediction, timing.")
        .with(operations::Train)
        .with(operations::Predict)
        .with(operations::Time)
}
