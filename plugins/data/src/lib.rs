//! Users' data: reading files of other programs as datasets, cutting, joining and scaling them, and writing them.
//!
//! Nothing here holds a whole variable: values pass in pieces of whole rows of the first dimension. What is larger
//! than memory takes longer, not more memory.

pub mod concat;
pub mod cut;
pub mod describe;
mod error;
pub mod normalize;
mod operations;
pub mod pieces;
pub mod read;
pub mod select;
pub mod split;

use flow_plugin::Plugin;

pub use error::{Error, Result};

/// The plugin `data`.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "data",
        env!("CARGO_PKG_VERSION"),
        "Your own data: read, check, split, scale, describe, write.",
    )
    .with(operations::Concat)
    .with(operations::Describe)
    .with(operations::Normalize)
    .with(operations::Read)
    .with(operations::Select)
    .with(operations::Split)
    .with(operations::Write)
}
