//! The operations of the plugin: thin layers over the libraries beside them.

mod anneal;
mod circuit;
mod data;
mod evaluate;
mod findings;
mod graph;
mod htaac;
mod program;
mod round;
mod sdp;
#[cfg(test)]
mod tests;

pub(crate) use anneal::{Anneal, Polish};
pub(crate) use circuit::{Circuit, ResourceCount, Sample};
pub(crate) use evaluate::Evaluate;
pub(crate) use graph::GraphOperation;
pub(crate) use htaac::Htaac;
pub(crate) use program::ProgramOperation;
pub(crate) use round::Round;
pub(crate) use sdp::Sdp;
