//! Rounding of relaxed solutions.

use super::Assignment;
use crate::graph::Graph;
use crate::random::Random;

/// The sides that the signs of some numbers give.
///
/// # Panics
/// When there are fewer numbers than vertices.
#[must_use]
pub fn signs(graph: &Graph, numbers: &[f64]) -> Assignment {
    let sign = |x: &f64| if *x < 0.0 { -1 } else { 1 };
    Assignment::new(graph, numbers[..graph.vertices()].iter().map(sign).collect())
}

/// The sides of random hyperplanes through a vector for each vertex (Goemans and Williamson 1995): so many of them.
///
/// `vectors` has a row of `rank` numbers for each vertex.
#[must_use]
pub fn hyperplanes(graph: &Graph, vectors: &[f64], rank: usize, count: usize, seed: u64) -> Vec<Assignment> {
    let one = |sample: usize| {
        let mut random = Random::new(seed, sample as u64);
        let normal: Vec<f64> = (0..rank).map(|_| random.normal()).collect();
        let side = |row: &[f64]| row.iter().zip(&normal).map(|(a, b)| a * b).sum();
        signs(graph, &vectors.chunks_exact(rank).map(side).collect::<Vec<f64>>())
    };
    (0..count).map(one).collect()
}
