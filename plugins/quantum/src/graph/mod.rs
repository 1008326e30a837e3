//! Weighted graphs: the instances of MaxCut.

mod generate;
mod known;
mod read;
mod statistics;
mod write;

pub use generate::{Family, GenerateError, Weights};
pub use known::best_known;
pub use read::{Format, parse, read};
pub use statistics::Statistics;
pub use write::write;

/// An undirected weighted graph without loops or repeated edges. Vertices are numbered from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    vertices: usize,
    edges: Vec<Edge>,
    offsets: Vec<usize>,
    neighbours: Vec<u32>,
    weights: Vec<f64>,
}

/// An edge between two vertices, the smaller one first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// The smaller vertex.
    pub from: u32,
    /// The larger vertex.
    pub to: u32,
    /// The weight.
    pub weight: f64,
}

impl Edge {
    /// The edge between two vertices, in whichever order they are given.
    #[must_use]
    pub fn new(a: u32, b: u32, weight: f64) -> Self {
        Self { from: a.min(b), to: a.max(b), weight }
    }
}

/// Edges that do not make a graph.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// An end that is no vertex.
    #[error("edge {edge} joins vertex {vertex}, and there are {vertices}")]
    Vertex {
        /// Which edge, from 1.
        edge: usize,
        /// The vertex, from 1.
        vertex: usize,
        /// How many vertices there are.
        vertices: usize,
    },
    /// A vertex joined to itself.
    #[error("edge {edge} joins vertex {vertex} to itself")]
    Loop {
        /// Which edge, from 1.
        edge: usize,
        /// The vertex, from 1.
        vertex: usize,
    },
    /// The same two vertices joined twice.
    #[error("edges {first} and {second} join the same two vertices, {from} and {to}")]
    Repeated {
        /// The first of the two, from 1.
        first: usize,
        /// The second of the two, from 1.
        second: usize,
        /// The smaller vertex, from 1.
        from: usize,
        /// The larger vertex, from 1.
        to: usize,
    },
    /// A weight that is not finite.
    #[error("edge {edge} has the weight {weight}, which is not a finite number")]
    Weight {
        /// Which edge, from 1.
        edge: usize,
        /// The weight.
        weight: f64,
    },
}

impl Graph {
    /// The graph with these edges, which are put into order.
    ///
    /// # Errors
    /// A vertex out of range, a loop, a repeated edge, or a weight that is not finite.
    pub fn new(vertices: usize, edges: Vec<Edge>) -> Result<Self, GraphError> {
        for (at, edge) in edges.iter().enumerate() {
            if edge.to as usize >= vertices {
                return Err(GraphError::Vertex { edge: at + 1, vertex: edge.to as usize + 1, vertices });
            }
            if edge.from == edge.to {
                return Err(GraphError::Loop { edge: at + 1, vertex: edge.from as usize + 1 });
            }
            if !edge.weight.is_finite() {
                return Err(GraphError::Weight { edge: at + 1, weight: edge.weight });
            }
        }
        let mut order: Vec<usize> = (0..edges.len()).collect();
        order.sort_by_key(|&at| (edges[at].from, edges[at].to, at));
        for pair in order.windows(2) {
            let (a, b) = (edges[pair[0]], edges[pair[1]]);
            if (a.from, a.to) == (b.from, b.to) {
                return Err(GraphError::Repeated {
                    first: pair[0] + 1,
                    second: pair[1] + 1,
                    from: a.from as usize + 1,
                    to: a.to as usize + 1,
                });
            }
        }
        Ok(Self::of_sorted(vertices, order.into_iter().map(|at| edges[at]).collect()))
    }

    fn of_sorted(vertices: usize, edges: Vec<Edge>) -> Self {
        let mut offsets = vec![0; vertices + 1];
        for edge in &edges {
            offsets[edge.from as usize + 1] += 1;
            offsets[edge.to as usize + 1] += 1;
        }
        for vertex in 0..vertices {
            offsets[vertex + 1] += offsets[vertex];
        }
        let mut next = offsets.clone();
        let mut neighbours = vec![0; 2 * edges.len()];
        let mut weights = vec![0.0; 2 * edges.len()];
        for edge in &edges {
            for (a, b) in [(edge.from, edge.to), (edge.to, edge.from)] {
                let at = &mut next[a as usize];
                neighbours[*at] = b;
                weights[*at] = edge.weight;
                *at += 1;
            }
        }
        Self { vertices, edges, offsets, neighbours, weights }
    }

    /// The number of vertices.
    #[must_use]
    pub fn vertices(&self) -> usize {
        self.vertices
    }

    /// The edges, sorted by their vertices.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The neighbours of a vertex and the weights of the edges to them.
    pub fn neighbours(&self, vertex: usize) -> impl ExactSizeIterator<Item = (usize, f64)> {
        let range = self.offsets[vertex]..self.offsets[vertex + 1];
        let pairs = self.neighbours[range.clone()].iter().zip(&self.weights[range]);
        pairs.map(|(&to, &weight)| (to as usize, weight))
    }

    /// The number of edges at a vertex.
    #[must_use]
    pub fn degree(&self, vertex: usize) -> usize {
        self.offsets[vertex + 1] - self.offsets[vertex]
    }

    /// The sum of all weights.
    #[must_use]
    pub fn total_weight(&self) -> f64 {
        // An empty sum is negative zero.
        0.0 + self.edges.iter().map(|edge| edge.weight).sum::<f64>()
    }

    /// The weight of the edges whose ends have different signs: `½ Σ w_ij (1 - s_i s_j)`.
    ///
    /// # Panics
    /// When there are fewer signs than vertices.
    #[must_use]
    pub fn cut(&self, signs: &[i8]) -> f64 {
        let apart = |edge: &&Edge| signs[edge.from as usize] != signs[edge.to as usize];
        0.0 + self.edges.iter().filter(apart).map(|edge| edge.weight).sum::<f64>()
    }

    /// `y = W x` for the symmetric matrix of the weights; entries of `y` beyond the vertices are set to zero.
    pub fn multiply(&self, x: &[f64], y: &mut [f64]) {
        y[self.vertices..].fill(0.0);
        for (vertex, y) in y.iter_mut().enumerate().take(self.vertices) {
            *y = self.neighbours(vertex).map(|(to, weight)| weight * x[to]).sum();
        }
    }

    /// The compressed rows of the matrix: where each row starts, its columns, its values.
    #[must_use]
    pub fn rows(&self) -> (&[usize], &[u32], &[f64]) {
        (&self.offsets, &self.neighbours, &self.weights)
    }
}

#[cfg(test)]
mod tests;
