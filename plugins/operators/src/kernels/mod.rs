//! The arithmetic of the neural operators: channels-last fields, small matrix products in
//! register tiles, and the adjoint of each map.
//!
//! Fields are `[sample, row, column, channel]` in `f32`, the channel being the vector axis. Every
//! sum has a fixed order, so results have the same bits at any number of threads.

pub(crate) mod block;
mod disjoint;
mod elementwise;
mod gelu;
mod gemm;
pub(crate) mod pointwise;
mod scratch;
pub(crate) mod simd;
mod spectral;
mod synthesis;
#[cfg(test)]
mod tests;

pub(crate) use elementwise::transpose;
pub use pointwise::Window;
pub use scratch::release_buffers;
pub(crate) use scratch::{give_buffer, take_buffer};
pub use simd::Isa;
pub use spectral::SpectralPlan;
