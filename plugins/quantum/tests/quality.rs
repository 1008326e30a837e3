//! The accuracy bars, on graphs of the collection and on fresh ones of the same families: minutes of work.
//!
//! `cargo test --release -p flow-quantum --test quality -- --ignored --nocapture`
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use flow_plugin::measure::cpu_seconds;
use flow_quantum::cut::{Assignment, hyperplanes};
use flow_quantum::graph::{Family, Format, Graph, best_known, read};
use flow_quantum::htaac::{Problem, Settings};
use flow_quantum::sdp::{LowRank, Solution};
use serde_json::json;

const SEEDS: u64 = 5;

fn collection(name: &str) -> Graph {
    read(format!("{}/data/gset/{name}.gz", env!("CARGO_MANIFEST_DIR")).as_ref(), Format::Auto).unwrap()
}

fn drawn(value: serde_json::Value) -> Graph {
    serde_json::from_value::<Family>(value).unwrap().generate().unwrap()
}

fn relaxed(graph: &Graph) -> Solution {
    LowRank::default().solve(graph, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn best(found: &[Assignment]) -> f64 {
    found.iter().map(Assignment::cut).fold(f64::NEG_INFINITY, f64::max)
}

/// Mean cut of the last epoch with the default settings, and so many times their layers.
fn trained(graph: &Graph, depth: f64, seeds: u64) -> f64 {
    let settings = Settings { layers: Problem::layers(graph, depth), ..Settings::default() };
    let problem = Problem { graph, settings: &settings };
    let last = |seed| {
        let outcome = problem.solve::<f32>(seed, 1, None, &mut |_, _, _| ControlFlow::Continue(())).unwrap();
        outcome.epochs[outcome.epochs.len() - 1].cut
    };
    (0..seeds).map(last).sum::<f64>() / seeds as f64
}

/// Mean cut over the best of 200 hyperplanes, for one graph.
fn ratio(name: &str, graph: &Graph) -> f64 {
    let solution = relaxed(graph);
    assert!(solution.gap <= 1e-6, "{name}: the bound is {} above", solution.gap);
    let gw = best(&hyperplanes(graph, &solution.vectors, solution.rank, 200, 1));
    let mean = trained(graph, 1.0, SEEDS);
    let known =
        best_known(graph).map_or(String::new(), |(_, cut)| format!(", {:.4} of the best known", mean / cut));
    let bound = solution.certificate.bound;
    println!("{name}: {mean:.1}, {:.4} of GW ({gw}), {:.4} of the bound{known}", mean / gw, mean / bound);
    mean / gw
}

#[test]
#[ignore = "minutes"]
fn eight_hundred_and_a_thousand_vertices() {
    let mut ratios = Vec::new();
    let mut of_known = Vec::new();
    for name in ["G1", "G6", "G11", "G12", "G14", "G18", "G20", "G43", "G51"] {
        let graph = collection(name);
        let r = ratio(name, &graph);
        ratios.push(r);
        let (_, cut) = best_known(&graph).unwrap();
        of_known.push(trained(&graph, 1.0, SEEDS) / cut);
    }
    for seed in [101, 102] {
        for family in [
            json!({ "family": "random", "vertices": 800, "edges": 19176, "seed": seed }),
            json!({ "family": "random_pm1", "vertices": 800, "edges": 19176, "seed": seed }),
            json!({ "family": "planar_union", "vertices": 800, "seed": seed }),
            json!({ "family": "planar_union_pm1", "vertices": 800, "seed": seed }),
            json!({ "family": "torus_pm1", "rows": 8, "cols": 100, "seed": seed }),
            json!({ "family": "torus_pm1", "rows": 16, "cols": 50, "seed": seed }),
            json!({ "family": "random", "vertices": 1000, "edges": 9990, "seed": seed }),
            json!({ "family": "planar_union", "vertices": 1000, "seed": seed }),
        ] {
            ratios.push(ratio(&family.to_string(), &drawn(family.clone())));
        }
    }
    let mean = of_known.iter().sum::<f64>() / of_known.len() as f64;
    let good = ratios.iter().filter(|r| **r >= 1.0).count();
    println!("{good} of {} at least 1.00 of GW; {mean:.4} of the best known on average", ratios.len());
    assert!(ratios.iter().all(|r| *r >= 0.99));
    assert!(10 * good >= 8 * ratios.len());
    assert!(mean >= 0.96);
}

#[test]
#[ignore = "minutes"]
fn two_thousand_vertices() {
    let mut ratios = Vec::new();
    for name in ["G22", "G32", "G35"] {
        ratios.push(ratio(name, &collection(name)));
    }
    // Seeds 101 and 102 took part in choosing the settings.
    for seed in [201, 202] {
        for family in [
            json!({ "family": "random", "vertices": 2000, "edges": 19990, "seed": seed }),
            json!({ "family": "random_pm1", "vertices": 2000, "edges": 19990, "seed": seed }),
            json!({ "family": "torus_pm1", "rows": 20, "cols": 100, "seed": seed }),
            json!({ "family": "planar_union", "vertices": 2000, "seed": seed }),
            json!({ "family": "planar_union_pm1", "vertices": 2000, "seed": seed }),
        ] {
            ratios.push(ratio(&family.to_string(), &drawn(family.clone())));
        }
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let low = ratios.iter().filter(|r| **r < 1.0).count();
    println!("{mean:.4} of GW on average; {low} of {} below 1.00", ratios.len());
    assert!(mean >= 1.02);
    // Unions of planar graphs lie a little above 1.00, and the best of 200 hyperplanes varies by a half percent from one random
    // stream to the next: a graph below would not mean that something is worse.
    assert!(ratios.iter().all(|r| *r >= 1.0));
}

/// One start on a fresh torus of 15 qubits: the cut over the best of 200 hyperplanes, and CPU seconds.
fn torus_of_twenty_thousand(depth: f64) -> f64 {
    let graph = drawn(json!({ "family": "torus_pm1", "rows": 100, "cols": 200, "seed": 201 }));
    let start = cpu_seconds();
    let solution = relaxed(&graph);
    let proved = cpu_seconds() - start;
    let gw = best(&hyperplanes(&graph, &solution.vectors, solution.rank, 200, 1));
    let start = cpu_seconds();
    let mean = trained(&graph, depth, 1);
    let spent = cpu_seconds() - start;
    let bound = solution.certificate.bound;
    println!(
        "20,000 vertices, {} layers: {mean}, {:.4} of GW ({gw}), {:.4} of the bound {bound:.2}, whose gap is {:.1e}; \
         {spent:.1} CPU seconds, {proved:.1} for the bound",
        Problem::layers(&graph, depth),
        mean / gw,
        mean / bound,
        solution.gap
    );
    mean / gw
}

#[test]
#[ignore = "minutes"]
fn twenty_thousand_vertices() {
    assert!(torus_of_twenty_thousand(1.0) >= 1.05);
}

#[test]
#[ignore = "minutes"]
fn twenty_thousand_vertices_deep() {
    assert!(torus_of_twenty_thousand(1.41) >= 1.06);
}

/// Bounds with a certificate to 1e-6, up to 10,000 vertices.
#[test]
#[ignore = "minutes"]
fn bounds_up_to_ten_thousand_vertices() {
    for family in [
        json!({ "family": "random", "vertices": 5000, "edges": 12498, "seed": 201 }),
        json!({ "family": "planar_union", "vertices": 5000, "seed": 201 }),
        json!({ "family": "planar_union_pm1", "vertices": 5000, "seed": 201 }),
        json!({ "family": "random", "vertices": 7000, "edges": 17148, "seed": 201 }),
        json!({ "family": "sparse", "vertices": 10000, "seed": 201 }),
        json!({ "family": "torus_pm1", "rows": 70, "cols": 100, "seed": 201 }),
        json!({ "family": "torus_pm1", "rows": 100, "cols": 100, "seed": 201 }),
    ] {
        let start = cpu_seconds();
        let solution = relaxed(&drawn(family.clone()));
        let (bound, gap) = (solution.certificate.bound, solution.gap);
        println!("{family}: bound {bound:.3}, gap {gap:.1e}, {:.1} CPU seconds", cpu_seconds() - start);
        assert!(gap <= 1e-6, "{family}");
    }
}

/// The probability that the best of 200 draws of a normal distribution is below so many standard deviations.
fn below(deviations: f64) -> f64 {
    (1.0 - 0.5 * libm::erfc(deviations / std::f64::consts::SQRT_2)).powi(200)
}

/// An independent program's bounds, the mean of its 200 hyperplanes, and the best of them. The best is an extreme of a
/// random sample, whose own spread is up to a percent on sparse graphs. So it is compared over the graphs: ours over the
/// other's is 1 to a percent on average. On each of them the other's must be a value that our distribution of cuts can give,
/// which one in 10⁴ values from it would not be taken for on either side. The mean of our best is within 1 % of it on at least
/// five graphs in six; on the others (G11, where an interior-point solution gives the same distribution, and G18) within
/// 2.5 %.
#[test]
#[ignore = "a minute"]
fn the_yardstick_is_that_of_others() {
    let table = include_str!("../data/gset/anchors.csv");
    let (mut singles, mut differences) = (Vec::new(), Vec::new());
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let name = fields[0];
        if !std::path::Path::new(&format!("{}/data/gset/{name}.gz", env!("CARGO_MANIFEST_DIR"))).exists() {
            continue;
        }
        let number = |at: usize| fields[at].parse::<f64>().unwrap();
        let graph = collection(name);
        let solution = relaxed(&graph);
        let rounded = hyperplanes(&graph, &solution.vectors, solution.rank, 10_000, 1);
        let count = rounded.len() as f64;
        let mean = rounded.iter().map(Assignment::cut).sum::<f64>() / count;
        let deviation = (rounded.iter().map(|a| (a.cut() - mean).powi(2)).sum::<f64>() / count).sqrt();
        let expected = rounded.chunks(200).map(best).sum::<f64>() / (count / 200.0);
        let chance = below((number(9) - mean) / deviation);
        let (bound, gw) = (solution.certificate.bound, best(&rounded[..200]));
        println!(
            "{name}: bound {:.1e}, mean {:+.4}, best {:+.4}, expected best {:+.4} from the other's (relative); the other's \
             best is above {:.2} % of ours",
            bound / number(6) - 1.0,
            mean / number(8) - 1.0,
            gw / number(9) - 1.0,
            expected / number(9) - 1.0,
            100.0 * chance
        );
        assert!((bound / number(6) - 1.0).abs() < 1e-5, "{name}");
        assert!((mean / number(8) - 1.0).abs() < 0.005, "{name}");
        assert!((1e-4..1.0 - 1e-4).contains(&chance), "{name}: {chance}");
        singles.push(gw / number(9) - 1.0);
        differences.push((expected / number(9) - 1.0).abs());
    }
    let average = singles.iter().sum::<f64>() / singles.len() as f64;
    let near = differences.iter().filter(|difference| **difference < 0.01).count();
    let most = differences.iter().copied().fold(0.0, f64::max);
    println!(
        "best of 200 {:+.2} % from the others' on average; its mean within 1 % on {near} of {}, at most {:.2} % away",
        100.0 * average,
        differences.len(),
        100.0 * most
    );
    assert!(average.abs() < 0.01);
    assert!(6 * near >= 5 * differences.len() && most < 0.025);
}
