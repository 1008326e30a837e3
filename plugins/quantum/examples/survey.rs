//! The accuracy of the variational solver's defaults, graph by graph.
//!
//! `cargo run --release -p flow-quantum --example survey -- [--deep] [--seeds N] [--bound] [--verbose] [GRAPH | '{ family: ... }' as JSON]...`
//! Without graphs: those that come with the project, and a fresh one of each family.

use std::ops::ControlFlow;

use flow_plugin::measure::cpu_seconds;
use flow_quantum::cut::{Assignment, Schedule, anneal, hyperplanes};
use flow_quantum::graph::{Family, Format, Graph, best_known, read};
use flow_quantum::htaac::{Problem, Settings};
use flow_quantum::sdp::LowRank;

fn graph(word: &str) -> Graph {
    if word.starts_with('{') {
        let family: Family = serde_json::from_str(word).expect("a family");
        return family.generate().expect("a family that can be");
    }
    read(word.as_ref(), Format::Auto).expect("a graph")
}

fn best(found: &[Assignment]) -> f64 {
    found.iter().map(Assignment::cut).fold(f64::NEG_INFINITY, f64::max)
}

fn main() {
    let mut graphs = Vec::new();
    let (mut seeds, mut depth) = (5, 1.0);
    let (mut rank, mut bound_only, mut verbose) = (None, false, false);
    let mut args = std::env::args().skip(1);
    let mut settings = Settings::default();
    while let Some(word) = args.next() {
        match word.as_str() {
            "--deep" => depth = 1.41,
            "--depth" => depth = args.next().and_then(|n| n.parse().ok()).expect("a number"),
            "--seeds" => seeds = args.next().and_then(|n| n.parse().ok()).expect("a number"),
            "--rate" => settings.rate = args.next().and_then(|n| n.parse().ok()).expect("a number"),
            "--epochs" => settings.epochs = args.next().and_then(|n| n.parse().ok()).expect("a number"),
            "--rank" => rank = args.next().and_then(|n| n.parse().ok()),
            "--bound" => bound_only = true,
            "--verbose" => verbose = true,
            "--amsgrad" => settings.amsgrad = true,
            "--weights" => {
                let mut number = || args.next().and_then(|n| n.parse().ok()).expect("a number");
                settings.constraints =
                    flow_quantum::htaac::Constraints::Collision { start: number(), end: number() };
            }
            _ => graphs.push(word),
        }
    }
    if graphs.is_empty() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/gset");
        let known = ["G1", "G6", "G11", "G12", "G14", "G18", "G20", "G43", "G51", "G22", "G32", "G35"];
        graphs.extend(known.map(|name| format!("{folder}/{name}.gz")));
        graphs.extend(
            [
                r#"{ "family": "random", "vertices": 800, "edges": 19176, "seed": 11 }"#,
                r#"{ "family": "random_pm1", "vertices": 800, "edges": 19176, "seed": 11 }"#,
                r#"{ "family": "planar_union", "vertices": 800, "seed": 11 }"#,
                r#"{ "family": "planar_union_pm1", "vertices": 800, "seed": 11 }"#,
                r#"{ "family": "torus_pm1", "rows": 8, "cols": 100, "seed": 11 }"#,
                r#"{ "family": "torus_pm1", "rows": 20, "cols": 50, "seed": 12 }"#,
                r#"{ "family": "random", "vertices": 1000, "edges": 9990, "seed": 11 }"#,
                r#"{ "family": "random", "vertices": 2000, "edges": 19990, "seed": 11 }"#,
                r#"{ "family": "torus_pm1", "rows": 40, "cols": 50, "seed": 11 }"#,
            ]
            .map(str::to_owned),
        );
    }
    println!(
        "{:>22} | {:>10} {:>8} {:>6} | {:>8} {:>7} | {:>9} {:>9} {:>8} | {:>6} {:>6} {:>6} | {:>8} {:>6} | spread padding",
        "graph",
        "bound",
        "gap",
        "cpu s",
        "gw mean",
        "best",
        "last mean",
        "last max",
        "best ep",
        "/gw",
        "/bound",
        "/known",
        "anneal",
        "cpu s"
    );
    for word in &graphs {
        let graph = graph(word);
        let start = cpu_seconds();
        let go = &mut |progress: flow_quantum::sdp::Progress| {
            if verbose {
                let spent = cpu_seconds() - start;
                println!("{:4} {:.6} {:.2e} {spent:.1} s", progress.step, progress.cut, progress.gradient);
            }
            ControlFlow::Continue(())
        };
        let bound = LowRank { rank, ..LowRank::default() }.solve(&graph, go);
        let sdp_time = cpu_seconds() - start;
        let (rounded, bound, gap, products) = match &bound {
            Ok(s) => {
                (hyperplanes(&graph, &s.vectors, s.rank, 200, 1), s.certificate.bound, s.gap, s.products)
            }
            Err(error) => {
                println!("{word}: {error}");
                continue;
            }
        };
        if bound_only {
            let best = best(&rounded);
            println!(
                "{word}: bound {bound:.4}, gap {gap:.1e}, {products} products, {sdp_time:.2} s, hyperplanes {best}"
            );
            continue;
        }
        let gw_mean = rounded.iter().map(Assignment::cut).sum::<f64>() / 200.0;
        let settings = Settings { layers: Problem::layers(&graph, depth), ..settings.clone() };
        let problem = Problem { graph: &graph, settings: &settings };
        let start = cpu_seconds();
        let outcomes: Vec<_> = (0..seeds)
            .map(|seed| {
                problem.solve::<f32>(seed, 1, None, &mut |_, _, _| ControlFlow::Continue(())).expect("a run")
            })
            .collect();
        let time = (cpu_seconds() - start) / seeds as f64;
        let last: Vec<f64> = outcomes.iter().map(|o| o.epochs[o.epochs.len() - 1].cut).collect();
        let mean = last.iter().sum::<f64>() / seeds as f64;
        let best_epoch = outcomes
            .iter()
            .map(|o| o.epochs.iter().map(|e| e.cut).fold(f64::NEG_INFINITY, f64::max))
            .sum::<f64>()
            / seeds as f64;
        let known = best_known(&graph).map(|(_, cut)| cut);
        let annealed = anneal(&graph, None, Schedule::default(), 1).cut();
        let value = outcomes[0].epochs[outcomes[0].epochs.len() - 1].value;
        let name = if word.starts_with('{') {
            word.replace(['{', '}', '"', ' '], "").replace("family:", "")
        } else {
            word.clone()
        };
        println!(
            "{:>22} | {bound:10.2} {gap:8.1e} {sdp_time:6.2} | {gw_mean:8.1} {:7} | {mean:9.1} {:9} {best_epoch:8.1} | \
             {:6.4} {:6.4} {:6.4} | {annealed:8} {time:6.2} | {:.3} {:.4}",
            &name[name.len().saturating_sub(22)..],
            best(&rounded),
            last.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            mean / best(&rounded),
            mean / bound,
            known.map_or(f64::NAN, |k| mean / k),
            value.spread,
            value.padding,
        );
    }
}
