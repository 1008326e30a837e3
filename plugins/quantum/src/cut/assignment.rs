//! Which side of the cut each vertex is on.

use crate::graph::Graph;

/// A side for each vertex, with what a flip of each would gain.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    signs: Vec<i8>,
    cut: f64,
}

impl Assignment {
    /// The cut of these sides.
    ///
    /// # Panics
    /// When there are fewer sides than vertices.
    #[must_use]
    pub fn new(graph: &Graph, signs: Vec<i8>) -> Self {
        Self { cut: graph.cut(&signs), signs }
    }

    /// The sides: 1 or -1.
    #[must_use]
    pub fn signs(&self) -> &[i8] {
        &self.signs
    }

    /// The weight of the edges between the sides.
    #[must_use]
    pub fn cut(&self) -> f64 {
        self.cut
    }
}

/// For each vertex, what the cut gains if it changes sides: `s_i Σ_j w_ij s_j`.
pub(super) fn gains(graph: &Graph, signs: &[i8]) -> Vec<f64> {
    let sum = |i: usize| graph.neighbours(i).map(|(j, w)| w * f64::from(signs[i] * signs[j])).sum();
    (0..graph.vertices()).map(sum).collect()
}

/// Moves a vertex to the other side.
pub(super) fn flip(graph: &Graph, vertex: usize, signs: &mut [i8], gains: &mut [f64]) {
    signs[vertex] = -signs[vertex];
    gains[vertex] = -gains[vertex];
    for (to, weight) in graph.neighbours(vertex) {
        gains[to] += 2.0 * weight * f64::from(signs[vertex] * signs[to]);
    }
}
