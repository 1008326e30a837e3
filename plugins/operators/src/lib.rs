//! Placeholder.

mod kernels;
