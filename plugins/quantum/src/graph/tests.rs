#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use serde_json::json;

use super::*;

fn data(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/gset")).join(name)
}

fn message(text: &str) -> String {
    parse(text, Format::Auto).unwrap_err().to_string()
}

fn family(value: serde_json::Value) -> Family {
    serde_json::from_value(value).unwrap()
}

#[test]
fn reads_what_it_writes() {
    let text = "4 3\n1 2 1\n1 3 -1.5\n3 4 0.1\n";
    let graph = parse(text, Format::Auto).unwrap();
    assert_eq!(write(&graph), text);
    assert_eq!(graph.cut(&[1, -1, 1, 1]), 1.0);
    assert_eq!(graph.cut(&[1, -1, -1, 1]), 1.0 - 1.5 + 0.1);
}

#[test]
fn all_formats_give_the_same_graph() {
    let gset = "3 2\n1 2 1\n3 2 2\n";
    let list = "# from a program\n0 1 1\n1 2 2\n";
    let from_one = "1 2 1\n2 3 2\n";
    let matrix = "%%MatrixMarket matrix coordinate integer symmetric\n% comment\n3 3 2\n2 1 1\n3 2 2\n";
    let general = "%%MatrixMarket matrix coordinate real general\n3 3 4\n2 1 1\n1 2 1\n3 2 2\n2 3 2\n";
    let wanted = parse(gset, Format::Auto).unwrap();
    for text in [list, from_one, matrix, general] {
        assert_eq!(parse(text, Format::Auto).unwrap(), wanted, "{text}");
    }
    // Two words in the first line and in all others: a header only if it counts them.
    assert_eq!(parse("3 2\n1 2\n2 3\n", Format::Auto).unwrap().edges().len(), 2);
    assert_eq!(parse("3 1\n1 2\n2 4\n", Format::Auto).unwrap().edges().len(), 3);
    assert_eq!(parse("3 2\n1 4\n2 4\n", Format::EdgeList).unwrap().edges().len(), 3);
    assert_eq!(parse("3 1\n1 2\n2 3\n", Format::EdgeList).unwrap().edges().len(), 3);
    // No header: one vertex has no edges, two have one.
    assert_eq!(parse("1 2\n", Format::Auto).unwrap().edges().len(), 1);
    assert_eq!(parse("2 3\n1 2\n", Format::Auto).unwrap().edges().len(), 2);
}

#[test]
fn bad_files_are_told_by_their_line() {
    assert_eq!(
        message(""),
        "the file is empty; a graph starts with `n m`, its numbers of vertices and edges"
    );
    assert_eq!(message("0 0\n"), "line 1: a graph has at least one vertex");
    assert_eq!(message("3 2\n1 2 1\n"), "line 1: the header says 2 edges, and 1 follow");
    assert_eq!(message("3 2\n1 2 1\n2 4 1\n"), "line 3: vertex 4 is out of range: vertices are 1 to 3");
    assert_eq!(message("3 2\n1 2 1\n2 0 1\n"), "line 3: vertex 0 is out of range: vertices are 1 to 3");
    assert_eq!(message("3 2\n1 2 1\n2 2 1\n"), "line 3: vertex 2 is joined to itself; leave such edges out");
    assert_eq!(
        message("3 2\n1 2 1\n\n2 1 5\n"),
        "line 4: the edge between 1 and 2 is there already, in line 2; add the weights and keep one"
    );
    assert_eq!(message("3 1\n1 2 NaN\n"), "line 2: the weight `NaN` is not a finite number");
    assert_eq!(message("3 1\n1 2 inf\n"), "line 2: the weight `inf` is not a finite number");
    assert_eq!(message("3 1\n1 x 1\n"), "line 2: the vertex `x` is not a whole number");
    assert_eq!(message("3 1\n1 2 3 4\n"), "line 2: expected `i j` or `i j w`, found 4 words");
    assert_eq!(
        message("99999999999 0\n"),
        "line 1: 99999999999 vertices are too many; the most is 268435456"
    );
    // Without weights it may be an edge instead, where its vertex has the largest number.
    for (text, said, follow) in
        [("3 1\n1 2\n2 3\n", "3 1", 2), ("3 3\n1 2\n2 3\n", "3 3", 2), ("3 2\n1 2\n", "3 2", 1)]
    {
        let count = &said[2..];
        assert_eq!(
            message(text),
            format!(
                "line 1: `{said}` is a header that says {count} edges, where {follow} follow, or an edge of a list without \
                 header; say `format: gset` or `format: edge_list`"
            )
        );
    }
    let banner = "%%MatrixMarket matrix coordinate real general\n";
    assert_eq!(
        message(&format!("{banner}2 2 1\n1 2 1\n")),
        "line 3: the matrix is not symmetric: entry 1 2 has no equal"
    );
    assert_eq!(
        message(&format!("{banner}2 2 2\n1 2 1\n")),
        "line 2: the header says 2 entries, and 1 follow"
    );
    assert_eq!(message(&format!("{banner}2 3 0\n")), "line 2: a graph's matrix is square, this one is 2 × 3");
}

#[test]
fn the_smallest_graphs() {
    let one = parse("1 0\n", Format::Auto).unwrap();
    assert_eq!((one.vertices(), one.cut(&[1])), (1, 0.0));
    let apart = Statistics::of(&parse("4 1\n1 2 1\n", Format::Auto).unwrap());
    assert_eq!((apart.components, apart.isolated, apart.bipartite), (3, 2, true));
}

#[test]
fn compressed_graphs_of_the_collection_are_known() {
    let graph = read(&data("G11.gz"), Format::Auto).unwrap();
    let facts = Statistics::of(&graph);
    assert_eq!((facts.n, facts.m, facts.degree_min, facts.degree_max), (800, 1600, 4, 4));
    assert_eq!(best_known(&graph), Some(("G11", 564.0)));
    assert_eq!(best_known(&read(&data("G22.gz"), Format::Auto).unwrap()), Some(("G22", 13359.0)));
    assert_eq!(best_known(&parse("1 0\n", Format::Auto).unwrap()), None);
}

/// A generated torus has the edges of the torus in the collection, whose vertex at (r, c) is r + c·rows.
#[test]
fn a_torus_is_that_of_the_collection() {
    let drawn = family(json!({ "family": "torus_pm1", "rows": 8, "cols": 100 })).generate().unwrap();
    let known = read(&data("G11.gz"), Format::Auto).unwrap();
    let pairs = |graph: &Graph| graph.edges().iter().map(|e| (e.from, e.to)).collect::<Vec<_>>();
    assert_eq!(pairs(&drawn), pairs(&known));
    let plus = drawn.edges().iter().filter(|edge| edge.weight == 1.0).count();
    // 1600 fair coins: five standard deviations are 100.
    assert!(plus.abs_diff(800) < 100, "{plus}");
}

/// Sizes are exact or within what chance allows, and the shape of the degrees is that of G14, G1 and G70.
#[test]
fn families_look_like_those_of_the_collection() {
    let facts = |value| Statistics::of(&family(value).generate().unwrap());
    let planar = facts(json!({ "family": "planar_union", "vertices": 800, "seed": 5 }));
    assert!((4640..=4740).contains(&planar.m), "{planar:?}");
    assert!(planar.degree_min >= 4 && (60..400).contains(&planar.degree_max), "{planar:?}");
    let random = facts(json!({ "family": "random", "vertices": 800, "edges": 19176 }));
    assert_eq!((random.m, random.weight_min), (19176, 1.0));
    assert!(random.degree_max < 80 && random.degree_min > 20, "{random:?}");
    let signs = facts(json!({ "family": "random_pm1", "vertices": 800, "edges": 19176 }));
    assert_eq!((signs.weight_min, signs.weight_max), (-1.0, 1.0));
    let sparse = facts(json!({ "family": "sparse", "vertices": 10000 }));
    assert_eq!(sparse.m, 9999);
    // Degrees are Poisson of mean 2: e⁻² of the vertices are isolated, 1353 ± 34.
    assert!(sparse.isolated.abs_diff(1353) < 140, "{sparse:?}");
    let even = facts(json!({ "family": "torus", "rows": 50, "cols": 60, "weights": "uniform" }));
    assert!(even.bipartite && even.weight_min < -0.9 && even.weight_max > 0.9);
}

#[test]
fn every_pair_can_be_drawn() {
    let all = family(json!({ "family": "random", "vertices": 60, "edges": 1770 })).generate().unwrap();
    assert_eq!(Statistics::of(&all).density, 1.0);
    let too_many = family(json!({ "family": "random", "vertices": 4, "edges": 7 })).generate();
    assert_eq!(too_many.unwrap_err().to_string(), "4 vertices have at most 6 edges between them, not 7");
}

#[test]
fn multiplication_is_by_the_matrix() {
    let graph = parse("3 2\n1 2 2\n2 3 -1\n", Format::Auto).unwrap();
    let mut y = vec![9.0; 4];
    graph.multiply(&[1.0, 10.0, 100.0, 7.0], &mut y);
    assert_eq!(y, [20.0, 2.0 - 100.0, -10.0, 0.0]);
}
