//! Quantum SDP for MaxCut: graphs, a simulator of quantum circuits, semidefinite bounds, rounding.

pub mod circuit;
pub mod cut;
pub mod graph;
pub mod htaac;
pub mod matrix;
mod operations;
pub mod random;
pub mod resources;
pub mod sdp;
pub mod shots;
pub mod simulator;
mod text;

pub use text::TextError;

use flow_plugin::Plugin;

/// The plugin `quantum`.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new("quantum", env!("CARGO_PKG_VERSION"), "MaxCut by quantum SDP, with classical yardsticks.")
        .with(operations::Anneal)
        .with(operations::Circuit)
        .with(operations::Evaluate)
        .with(operations::GraphOperation)
        .with(operations::Htaac)
        .with(operations::Polish)
        .with(operations::ProgramOperation)
        .with(operations::ResourceCount)
        .with(operations::Round)
        .with(operations::Sample)
        .with(operations::Sdp)
}
