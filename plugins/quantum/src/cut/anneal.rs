//! Simulated annealing: the yardstick that costs nothing.

use super::Assignment;
use super::assignment::{flip, gains};
use crate::graph::Graph;
use crate::random::Random;

/// How an annealing goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Times that every vertex is asked.
    pub sweeps: usize,
    /// Temperature at the start, in units of the root mean square of what a flip may change.
    pub hot: f64,
    /// Temperature at the end, in units of the mean absolute weight.
    pub cold: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { sweeps: 1000, hot: 0.7, cold: 0.25 }
    }
}

/// Entries of the table of logarithms.
const TABLE: usize = 1 << 12;

/// Anneals from a start, or from random sides: single flips by the rule of Metropolis, vertices in order, temperature
/// falling linearly. Gives the best sides met, improved by [`super::one_flip`].
#[must_use]
pub fn anneal(graph: &Graph, start: Option<&Assignment>, schedule: Schedule, seed: u64) -> Assignment {
    let n = graph.vertices();
    let mut random = Random::new(seed, 0x5A);
    let mut signs = match start {
        Some(start) => start.signs().to_vec(),
        None => (0..n).map(|_| if random.sign() > 0.0 { 1 } else { -1 }).collect(),
    };
    // -ln u for u in the middle of each of so many equal parts of (0, 1).
    let part = |k: usize| (k as f64 + 0.5) / TABLE as f64;
    let table: Vec<f64> = (0..TABLE).map(|k| -libm::log(part(k))).collect();
    let edges = graph.edges();
    let squares: f64 = edges.iter().map(|edge| edge.weight * edge.weight).sum();
    let sum: f64 = edges.iter().map(|edge| edge.weight.abs()).sum();
    let hot = schedule.hot * (2.0 * squares / n as f64).sqrt();
    let cold = schedule.cold * sum / edges.len().max(1) as f64;
    let mut gains = gains(graph, &signs);
    let mut cut = graph.cut(&signs);
    let mut best = (cut, signs.clone());
    for sweep in 0..schedule.sweeps {
        let share = sweep as f64 / (schedule.sweeps - 1).max(1) as f64;
        let temperature = hot.max(cold) * (1.0 - share) + cold * share;
        for vertex in 0..n {
            let gain = gains[vertex];
            let taken = gain >= 0.0 || {
                // Where even the smallest u would not do, none is drawn.
                let loss = -gain / temperature;
                loss < 10.0 && loss < table[(random.bits() >> 52) as usize]
            };
            if taken {
                cut += gain;
                flip(graph, vertex, &mut signs, &mut gains);
            }
        }
        if cut > best.0 {
            best = (cut, signs.clone());
        }
    }
    super::one_flip(graph, &Assignment::new(graph, best.1))
}
