//! The Walsh–Hadamard transform: expectation values of all strings of Z from the probabilities.

use crate::simulator::Real;

/// `x_c ← Σ_i (-1)^{c·i} x_i`, in place. Of probabilities it gives `⟨Z_c⟩` for every set `c` of qubits; twice gives
/// `len` times the start.
///
/// # Panics
/// When the length is not a power of two.
pub fn transform<T: Real>(x: &mut [T]) {
    assert!(x.len().is_power_of_two(), "one number for each set of qubits");
    let mut half = 1;
    while half < x.len() {
        for pair in x.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}
