#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::*;
use crate::cut::{Schedule, anneal};
use crate::graph::{Family, Format, Graph, parse, read};

fn collection(name: &str) -> Graph {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/gset"));
    read(&folder.join(format!("{name}.gz")), Format::Auto).unwrap()
}

fn drawn(value: serde_json::Value) -> Graph {
    serde_json::from_value::<Family>(value).unwrap().generate().unwrap()
}

fn go(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn solve(graph: &Graph) -> Solution {
    LowRank::default().solve(graph, &mut go).unwrap()
}

/// A ring of n vertices, n odd: the bound is n (1 + cos(π/n)) / 2, its vectors in a plane.
#[test]
fn odd_rings() {
    for n in [3, 5, 21] {
        let edges: String = (0..n).map(|i| format!("{} {}\n", i + 1, (i + 1) % n + 1)).collect();
        let ring = parse(&format!("{n} {n}\n{edges}"), Format::Gset).unwrap();
        let wanted = 0.5 * f64::from(n) * (1.0 + libm::cos(std::f64::consts::PI / f64::from(n)));
        let solution = solve(&ring);
        assert!((solution.cut - wanted).abs() < 1e-6 * wanted, "{n}: {} {wanted}", solution.cut);
        assert!(solution.certificate.bound >= wanted, "{n}");
        assert!(solution.gap <= 1e-6);
    }
}

/// Graphs whose relaxation is tight, disconnected ones, ones without edges, negative weights only.
#[test]
fn degenerate_graphs() {
    let even = solve(&drawn(serde_json::json!({ "family": "torus", "rows": 6, "cols": 8 })));
    assert!((even.cut - 96.0).abs() < 1e-4 && even.certificate.bound >= 96.0);
    let apart = solve(&parse("7 3\n1 2\n3 4 2.5\n5 6\n", Format::Gset).unwrap());
    assert!((apart.cut - 4.5).abs() < 1e-5 && apart.certificate.bound >= 4.5, "{}", apart.cut);
    assert_eq!(solve(&parse("4 0\n", Format::Gset).unwrap()).certificate.bound, 0.0);
    assert_eq!(solve(&parse("1 0\n", Format::Gset).unwrap()).certificate.bound, 0.0);
    let negative = solve(&parse("3 2\n1 2 -1\n2 3 -2\n", Format::Gset).unwrap());
    assert!(negative.certificate.bound >= 0.0 && negative.certificate.bound < 1e-5);
}

/// The bound is above every cut, and that of the interior-point method to 1e-6, for all families and real weights.
#[test]
fn both_methods_agree() {
    for family in [
        serde_json::json!({ "family": "random", "vertices": 60, "edges": 300 }),
        serde_json::json!({ "family": "random", "vertices": 60, "edges": 200, "weights": "normal" }),
        serde_json::json!({ "family": "planar_union_pm1", "vertices": 60 }),
        serde_json::json!({ "family": "torus_pm1", "rows": 6, "cols": 10 }),
        serde_json::json!({ "family": "sparse", "vertices": 60 }),
    ] {
        let graph = drawn(family.clone());
        let solution = solve(&graph);
        let exact = max_cut(&graph).solve(1e-9, &mut go).unwrap();
        let half = 0.5 * graph.total_weight();
        // ⟨W, X⟩ counts every edge twice.
        let wanted = half - 0.25 * exact.primal;
        assert!((solution.cut - wanted).abs() < 1e-6 * wanted, "{family}: {} {wanted}", solution.cut);
        let bound = solution.certificate.bound;
        assert!(
            bound >= wanted - 1e-8 * wanted && bound < wanted * (1.0 + 1e-6),
            "{family}: {bound} {wanted}"
        );
        assert!(bound >= anneal(&graph, None, Schedule::default(), 0).cut());
    }
}

/// The collection's graphs against bounds computed by an independent program, which is sure of 1e-5.
#[test]
fn bounds_of_the_collection() {
    for (name, bound) in [("G11", 629.1623), ("G14", 3191.5694), ("G18", 1166.0136), ("G1", 12083.2024)] {
        let graph = collection(name);
        let solution = solve(&graph);
        assert!((solution.certificate.bound / bound - 1.0).abs() < 1e-5, "{name}: {solution:?}");
        assert!(solution.gap <= 1e-6, "{name}");
    }
}

/// No shift, no proof: the certifier refuses variables that are not feasible, however little.
#[test]
fn what_is_not_feasible_is_not_certified() {
    // Two vertices and an edge: Diag(y) + W is positive semidefinite for y₁ y₂ ≥ 1.
    let graph = parse("2 1\n1 2\n", Format::Gset).unwrap();
    let mut certifier = Certifier::new(&graph).unwrap();
    assert!(certifier.prove(&[1.0, 0.999_999], 0.0).is_none());
    let proved = certifier.prove(&[1.0, 1.000_001], 0.0).unwrap();
    assert!(proved.bound >= 1.0 && proved.bound < 1.000_001, "{proved:?}");
}

/// Lovász numbers: `max ⟨J, X⟩` with trace 1 and zeros on the edges is √5 on a pentagon and 4 on the Petersen graph.
#[test]
fn general_programs() {
    let pentagon: Vec<(usize, usize)> = (0..5).map(|i| (i, (i + 1) % 5)).collect();
    let mut petersen = pentagon.clone();
    petersen.extend((0..5).flat_map(|i| [(i, i + 5), (i + 5, (i + 2) % 5 + 5)]));
    for (size, edges, wanted) in [(5, pentagon, 5.0_f64.sqrt()), (10, petersen, 4.0)] {
        let trace = ((0..size).map(|i| (i, i, 1.0)).collect(), 1.0);
        let zeros = edges.iter().map(|&(a, b)| (vec![(a.max(b), a.min(b), 1.0)], 0.0));
        let program = Program {
            size,
            objective: (0..size).flat_map(|i| (0..=i).map(move |j| (i, j, -1.0))).collect(),
            constraints: std::iter::once(trace).chain(zeros).collect(),
        };
        let solution = program.solve(1e-9, &mut go).unwrap();
        assert!((solution.primal + wanted).abs() < 1e-7 * wanted, "{}", solution.primal);
        assert!(solution.residual < 1e-8);
    }
}

#[test]
fn programs_that_are_none() {
    let program = |constraints| Program { size: 2, objective: vec![(0, 0, 1.0)], constraints };
    let error = program(vec![(vec![(0, 1, 1.0)], 1.0)]).solve(1e-8, &mut go).unwrap_err();
    assert_eq!(error.to_string(), "A_1 has an entry at (0, 1) outside its lower triangle");
    // A negative trace: no such matrix.
    let none = program(vec![(vec![(0, 0, 1.0), (1, 1, 1.0)], -1.0)]).solve(1e-8, &mut go);
    assert!(matches!(none, Err(ProgramError::Stuck { .. })), "{none:?}");
}
