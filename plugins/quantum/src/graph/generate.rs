//! Random graphs of the families of the Gset collection.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Edge, Graph};
use crate::random::Random;

/// How weights are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// All 1.
    #[default]
    One,
    /// 1 or -1, equally likely.
    Signs,
    /// Real, uniform between -1 and 1.
    Uniform,
    /// Real, standard normal.
    Normal,
}

/// A family of random graphs. `..._pm1` draws signs, the others weights of 1, unless `weights` says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "family", rename_all = "snake_case", deny_unknown_fields)]
pub enum Family {
    /// So many edges, every set of them equally likely (G1–G5, G22–G26, G43–G47).
    Random(Uniform),
    /// The same with weights of either sign (G6–G10, G27–G31, G61).
    RandomPm1(Uniform),
    /// As many edges as vertices less one, unless `edges` says otherwise (G55, G60, G70).
    Sparse(Sparse),
    /// The union of two random planar graphs on the same vertices (G14–G17, G35–G38, G51–G54, G58).
    PlanarUnion(Planar),
    /// The same with weights of either sign (G18–G21, G39–G42).
    PlanarUnionPm1(Planar),
    /// A grid whose opposite sides are joined (G48–G50).
    Torus(Torus),
    /// The same with weights of either sign (G11–G13, G32–G34, G57, G62, G65–G67, G72, G77, G81).
    TorusPm1(Torus),
}

/// Random graphs with a given number of edges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uniform {
    /// Vertices.
    #[schemars(range(min = 1, max = 1_000_000))]
    vertices: usize,
    /// Edges.
    #[schemars(range(max = 50_000_000))]
    edges: usize,
    /// How weights are drawn, if not as the family's name says.
    #[serde(default)]
    weights: Option<Weights>,
    /// Another seed draws another graph.
    #[serde(default)]
    seed: u64,
}

/// Random graphs with few edges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sparse {
    /// Vertices.
    #[schemars(range(min = 1, max = 1_000_000))]
    vertices: usize,
    /// Edges.
    #[serde(default)]
    #[schemars(range(max = 50_000_000))]
    edges: Option<usize>,
    /// How weights are drawn; 1 if left out.
    #[serde(default)]
    weights: Option<Weights>,
    /// Another seed draws another graph.
    #[serde(default)]
    seed: u64,
}

/// Unions of two planar graphs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Planar {
    /// Vertices.
    #[schemars(range(min = 4, max = 1_000_000))]
    vertices: usize,
    /// The share of the `3n - 6` edges of a largest planar graph that each of the two has.
    #[serde(default = "most")]
    #[schemars(range(min = 0, max = 1))]
    density: f64,
    /// How weights are drawn, if not as the family's name says.
    #[serde(default)]
    weights: Option<Weights>,
    /// Another seed draws another graph.
    #[serde(default)]
    seed: u64,
}

fn most() -> f64 {
    0.99
}

/// Periodic grids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Torus {
    /// Vertices along the first side.
    #[schemars(range(min = 3, max = 10_000))]
    rows: usize,
    /// Vertices along the second side.
    #[schemars(range(min = 3, max = 10_000))]
    cols: usize,
    /// How weights are drawn, if not as the family's name says.
    #[serde(default)]
    weights: Option<Weights>,
    /// Another seed draws another graph.
    #[serde(default)]
    seed: u64,
}

/// A graph that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GenerateError(String);

impl Family {
    /// What is wrong with the sizes, if anything.
    ///
    /// # Errors
    /// More edges than pairs of vertices.
    pub fn check(&self) -> Result<(), GenerateError> {
        let (vertices, edges) = match self {
            Self::Random(p) | Self::RandomPm1(p) => (p.vertices, p.edges),
            Self::Sparse(p) => (p.vertices, p.edges()),
            Self::PlanarUnion(_) | Self::PlanarUnionPm1(_) | Self::Torus(_) | Self::TorusPm1(_) => {
                return Ok(());
            }
        };
        let most = vertices * (vertices - 1) / 2;
        if edges > most {
            let message = format!("{vertices} vertices have at most {most} edges between them, not {edges}");
            return Err(GenerateError(message));
        }
        Ok(())
    }

    /// Draws the graph. Equal parameters give equal graphs, on every machine.
    ///
    /// # Errors
    /// More edges than pairs of vertices.
    pub fn generate(&self) -> Result<Graph, GenerateError> {
        self.check()?;
        let (vertices, pairs, weights, seed) = match self {
            Self::Random(p) => (p.vertices, p.pairs(), p.weights.unwrap_or(Weights::One), p.seed),
            Self::RandomPm1(p) => (p.vertices, p.pairs(), p.weights.unwrap_or(Weights::Signs), p.seed),
            Self::Sparse(p) => {
                let pairs = distinct(p.vertices, p.edges(), p.seed);
                (p.vertices, pairs, p.weights.unwrap_or(Weights::One), p.seed)
            }
            Self::PlanarUnion(p) => (p.vertices, p.pairs(), p.weights.unwrap_or(Weights::One), p.seed),
            Self::PlanarUnionPm1(p) => (p.vertices, p.pairs(), p.weights.unwrap_or(Weights::Signs), p.seed),
            Self::Torus(p) => (p.rows * p.cols, p.pairs(), p.weights.unwrap_or(Weights::One), p.seed),
            Self::TorusPm1(p) => (p.rows * p.cols, p.pairs(), p.weights.unwrap_or(Weights::Signs), p.seed),
        };
        Ok(weighted(vertices, pairs, weights, seed))
    }
}

impl Uniform {
    fn pairs(&self) -> Vec<(u32, u32)> {
        distinct(self.vertices, self.edges, self.seed)
    }
}

impl Sparse {
    fn edges(&self) -> usize {
        self.edges.unwrap_or(self.vertices - 1)
    }
}

impl Planar {
    fn pairs(&self) -> Vec<(u32, u32)> {
        let mut pairs = self.planar(0);
        pairs.extend(self.planar(1));
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// A random largest planar graph, each vertex put into a random face of those before it, less some edges.
    fn planar(&self, which: u64) -> Vec<(u32, u32)> {
        let mut random = Random::new(self.seed, 1 + which);
        // Parameters keep vertices between 4 and 10⁶.
        let n = self.vertices as u32;
        let mut pairs = vec![(0, 1), (0, 2), (1, 2)];
        let mut faces = vec![[0, 1, 2], [0, 1, 2]];
        for vertex in 3..n {
            let at = random.below(faces.len());
            let [a, b, c] = faces[at];
            pairs.extend([(a, vertex), (b, vertex), (c, vertex)]);
            faces[at] = [a, b, vertex];
            faces.extend([[a, c, vertex], [b, c, vertex]]);
        }
        random.shuffle(&mut pairs);
        pairs.truncate((self.density * pairs.len() as f64).round() as usize);
        pairs
    }
}

impl Torus {
    fn pairs(&self) -> Vec<(u32, u32)> {
        let (rows, cols) = (self.rows, self.cols);
        // At most 10⁸ vertices.
        let vertex = |r: usize, c: usize| ((r % rows) + (c % cols) * rows) as u32;
        let all = (0..cols).flat_map(|c| (0..rows).map(move |r| (r, c)));
        all.flat_map(|(r, c)| [(vertex(r, c), vertex(r + 1, c)), (vertex(r, c), vertex(r, c + 1))]).collect()
    }
}

/// Distinct pairs of vertices, every set of so many equally likely.
fn distinct(vertices: usize, edges: usize, seed: u64) -> Vec<(u32, u32)> {
    let mut random = Random::new(seed, 1);
    let most = vertices * (vertices - 1) / 2;
    // Floyd's algorithm: the largest candidate grows by one each time, so no draw is wasted.
    let mut chosen = std::collections::BTreeSet::new();
    for last in most - edges..most {
        let draw = random.below(last + 1);
        if !chosen.insert(draw) {
            chosen.insert(last);
        }
    }
    // Pair number k of (1,0), (2,0), (2,1), (3,0), ...: row j starts at j(j-1)/2.
    let pair = |k: usize| {
        let mut j = ((1.0 + (1.0 + 8.0 * k as f64).sqrt()) / 2.0) as usize;
        while j * (j - 1) / 2 > k {
            j -= 1;
        }
        while (j + 1) * j / 2 <= k {
            j += 1;
        }
        ((k - j * (j - 1) / 2) as u32, j as u32)
    };
    chosen.into_iter().map(pair).collect()
}

fn weighted(vertices: usize, mut pairs: Vec<(u32, u32)>, weights: Weights, seed: u64) -> Graph {
    for pair in &mut pairs {
        *pair = (pair.0.min(pair.1), pair.0.max(pair.1));
    }
    pairs.sort_unstable();
    let mut random = Random::new(seed, 0);
    let mut draw = || match weights {
        Weights::One => 1.0,
        Weights::Signs => random.sign(),
        Weights::Uniform => 2.0 * random.uniform() - 1.0,
        Weights::Normal => random.normal(),
    };
    let edges = pairs.into_iter().map(|(from, to)| Edge { from, to, weight: draw() }).collect();
    Graph::of_sorted(vertices, edges)
}
