//! Numbers that look random and depend on a seed and a name only: the same on every machine, in every version.

use std::f64::consts::PI;

/// A stream of numbers: BLAKE3 in its extendable form over the seed, a name and a number.
pub(super) struct Stream(blake3::OutputReader);

impl Stream {
    pub(super) fn new(seed: u64, name: &str, number: usize) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("flow sweep 1");
        hasher.update(&seed.to_le_bytes()).update(&(number as u64).to_le_bytes()).update(name.as_bytes());
        Self(hasher.finalize_xof())
    }

    /// Uniform in [0, 1), 53 bits.
    pub(super) fn unit(&mut self) -> f64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform among `0..count`; 0 if there is nothing to choose from.
    pub(super) fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// Standard normal (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(2.0 * PI * self.unit())
    }

    /// A random order of `0..count` (Fisher and Yates).
    pub(super) fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}
