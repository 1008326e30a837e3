//! Facts about a graph.

use serde::Serialize;

use super::Graph;

/// Facts about a graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Vertices.
    pub n: usize,
    /// Edges.
    pub m: usize,
    /// The sum of all weights.
    pub total_weight: f64,
    /// The sum of the absolute weights.
    pub absolute_weight: f64,
    /// The smallest weight (0 without edges).
    pub weight_min: f64,
    /// The largest weight (0 without edges).
    pub weight_max: f64,
    /// The smallest degree.
    pub degree_min: usize,
    /// The mean degree.
    pub degree_mean: f64,
    /// The largest degree.
    pub degree_max: usize,
    /// Vertices without edges.
    pub isolated: usize,
    /// Connected components.
    pub components: usize,
    /// Whether some two-colouring has every edge between different colours.
    pub bipartite: bool,
    /// The share of pairs of vertices that are joined.
    pub density: f64,
}

impl Statistics {
    /// The facts about `graph`.
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let n = graph.vertices();
        let degrees = || (0..n).map(|vertex| graph.degree(vertex));
        let weights = || graph.edges().iter().map(|edge| edge.weight);
        let (components, bipartite) = components(graph);
        let m = graph.edges().len();
        let pairs = n as f64 * (n as f64 - 1.0) / 2.0;
        Self {
            n,
            m,
            total_weight: graph.total_weight(),
            absolute_weight: weights().map(f64::abs).sum(),
            weight_min: weights().reduce(f64::min).unwrap_or(0.0),
            weight_max: weights().reduce(f64::max).unwrap_or(0.0),
            degree_min: degrees().min().unwrap_or(0),
            degree_mean: 2.0 * m as f64 / n as f64,
            degree_max: degrees().max().unwrap_or(0),
            isolated: degrees().filter(|&degree| degree == 0).count(),
            components,
            bipartite,
            density: if n > 1 { m as f64 / pairs } else { 0.0 },
        }
    }
}

/// How many components there are, and whether all of them are bipartite.
fn components(graph: &Graph) -> (usize, bool) {
    let mut color: Vec<i8> = vec![0; graph.vertices()];
    let (mut components, mut bipartite, mut stack) = (0, true, Vec::new());
    for start in 0..graph.vertices() {
        if color[start] != 0 {
            continue;
        }
        components += 1;
        color[start] = 1;
        stack.push(start);
        while let Some(vertex) = stack.pop() {
            for (to, _) in graph.neighbours(vertex) {
                if color[to] == 0 {
                    color[to] = -color[vertex];
                    stack.push(to);
                } else if color[to] == color[vertex] {
                    bipartite = false;
                }
            }
        }
    }
    (components, bipartite)
}
