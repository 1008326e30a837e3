//! Artifact formats: what an immutable result looks like on disk, how it is read and written, and how its
//! content is named by a digest.
//!
//! This crate knows files and folders only. It does not know operations, workflows or the store.

mod digest;
mod kind;
pub mod units;

pub use digest::Digest;
pub use kind::Kind;
