//! Writing graphs.

use std::fmt::Write as _;

use super::Graph;

/// The graph in the form of the Gset collection: `n m`, then a line `i j w` for each edge, vertices from 1.
///
/// Edges are sorted, weights have as many digits as they need: equal graphs give equal texts.
#[must_use]
pub fn write(graph: &Graph) -> String {
    let mut text = format!("{} {}\n", graph.vertices(), graph.edges().len());
    for edge in graph.edges() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {} {}", edge.from + 1, edge.to + 1, edge.weight);
    }
    text
}
