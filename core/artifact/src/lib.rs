//! Artifact formats: what an immutable result looks like on disk, how it is read and written, and how its
//! content is named by a digest.
//!
//! This crate knows files and folders only. It does not know operations, workflows or the store.

pub mod compare;
pub mod csv;
pub mod dataset;
pub mod digest;
mod error;
pub mod export;
pub mod figure;
pub mod import;
mod json;
mod kind;
pub mod metrics;
pub mod model;
pub mod table;
#[cfg(test)]
mod tests;
pub mod units;

pub use dataset::{DType, Dataset, DatasetWriter, Element, Statistics, Stream, Values, Variable};
pub use digest::Digest;
pub use error::{Error, Result};
pub use kind::Kind;
