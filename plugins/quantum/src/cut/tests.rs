#![allow(clippy::unwrap_used)]

use super::*;
use crate::graph::{Family, Format, Graph, parse};
use crate::random::Random;

fn drawn(value: serde_json::Value) -> Graph {
    serde_json::from_value::<Family>(value).unwrap().generate().unwrap()
}

fn random_signs(n: usize, seed: u64) -> Vec<i8> {
    let mut random = Random::new(seed, 0);
    (0..n).map(|_| if random.sign() > 0.0 { 1 } else { -1 }).collect()
}

/// The largest cut of all.
fn best(graph: &Graph) -> f64 {
    let n = graph.vertices();
    let side = |mask: usize, i: usize| if (mask >> i) & 1 == 1 { -1 } else { 1 };
    (0..1 << (n - 1))
        .map(|mask| graph.cut(&(0..n).map(|i| side(mask, i)).collect::<Vec<_>>()))
        .fold(0.0, f64::max)
}

#[test]
fn annealing_finds_the_largest_cuts_of_small_graphs() {
    for seed in 0..5 {
        for weights in ["signs", "normal"] {
            let graph = drawn(serde_json::json!({
                "family": "random", "vertices": 14, "edges": 40, "weights": weights, "seed": seed
            }));
            let found = anneal(&graph, None, Schedule::default(), seed);
            assert_eq!(found.cut(), graph.cut(found.signs()));
            assert!((found.cut() - best(&graph)).abs() < 1e-12, "{} {}", found.cut(), best(&graph));
        }
    }
}

#[test]
fn no_single_flip_improves_what_is_polished() {
    let graph =
        drawn(serde_json::json!({ "family": "random", "vertices": 90, "edges": 400, "weights": "normal" }));
    let start = Assignment::new(&graph, random_signs(90, 1));
    let polished = one_flip(&graph, &start);
    assert!(polished.cut() > start.cut());
    for vertex in 0..90 {
        let mut other = polished.signs().to_vec();
        other[vertex] = -other[vertex];
        assert!(graph.cut(&other) <= polished.cut() + 1e-9);
    }
}

/// A bipartite graph: any hyperplane through two opposite vectors cuts all edges.
#[test]
fn hyperplanes_cut_between_opposite_vectors() {
    let graph = drawn(serde_json::json!({ "family": "torus", "rows": 4, "cols": 6 }));
    let side = |v: usize| if (v % 4 + v / 4).is_multiple_of(2) { 0.6 } else { -0.6 };
    let vectors: Vec<f64> = (0..24).flat_map(|v| [side(v), 0.5 * side(v)]).collect();
    for rounded in hyperplanes(&graph, &vectors, 2, 10, 3) {
        assert_eq!(rounded.cut(), 48.0);
    }
}

#[test]
fn graphs_without_anything_to_cut() {
    for text in ["1 0\n", "5 0\n", "2 1\n1 2 -3\n"] {
        let graph = parse(text, Format::Auto).unwrap();
        assert_eq!(anneal(&graph, None, Schedule::default(), 1).cut(), 0.0);
    }
}
