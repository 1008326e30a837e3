//! Semidefinite programs: bounds for MaxCut with a certificate, and small general programs.
//!
//! The relaxation of MaxCut is `min ⟨W, X⟩` over `X ⪰ 0` with ones on the diagonal. For any `y` with
//! `Diag(y) + W ⪰ 0`, no cut is larger than `½ w_tot + ¼ Σ y_i`.

mod certificate;
mod interior;
mod low_rank;
mod newton;
pub mod sdpa;
#[cfg(test)]
mod tests;

pub use certificate::{Certificate, Certifier};
pub use interior::{Entry, Program, ProgramError, ProgramSolution, max_cut};
pub use low_rank::{LowRank, Progress, SdpError, Solution};
