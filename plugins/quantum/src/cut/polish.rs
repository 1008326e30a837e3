//! Local search.

use super::Assignment;
use super::assignment::{flip, gains};
use crate::graph::Graph;

/// Moves vertices to the other side, each in its turn, as long as that makes the cut larger.
#[must_use]
pub fn one_flip(graph: &Graph, start: &Assignment) -> Assignment {
    let mut signs = start.signs().to_vec();
    let mut gains = gains(graph, &signs);
    // What real weights gain by rounding alone would go on for ever.
    let least = 1e-12 * graph.edges().iter().map(|edge| edge.weight.abs()).fold(0.0, f64::max);
    loop {
        let mut moved = false;
        for vertex in 0..graph.vertices() {
            if gains[vertex] > least {
                flip(graph, vertex, &mut signs, &mut gains);
                moved = true;
            }
        }
        if !moved {
            return Assignment::new(graph, signs);
        }
    }
}
