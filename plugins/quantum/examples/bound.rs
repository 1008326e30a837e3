//! The bound of MaxCut's relaxation, as `quantum/sdp` finds it, and what its parts cost.
//!
//! `cargo run --release -p flow-quantum --example bound -- GRAPH|'{ family: ... } as JSON' [--verbose] [--rank N]`

use std::ops::ControlFlow;

use flow_plugin::measure::cpu_seconds;
use flow_quantum::graph::{Family, Format, read};
use flow_quantum::sdp::LowRank;

fn main() {
    let word = std::env::args().nth(1).expect("a graph");
    let verbose = std::env::args().any(|word| word == "--verbose");
    let graph = if word.starts_with('{') {
        serde_json::from_str::<Family>(&word).expect("a family").generate().expect("a family that can be")
    } else {
        read(word.as_ref(), Format::Auto).expect("a graph")
    };
    let rank =
        std::env::args().skip_while(|word| word != "--rank").nth(1).map(|n| n.parse().expect("a number"));
    let start = cpu_seconds();
    let each = &mut |progress: flow_quantum::sdp::Progress| {
        if verbose {
            let spent = cpu_seconds() - start;
            println!("{:4} {:.6} {:.2e} {spent:.2} s", progress.step, progress.cut, progress.gradient);
        }
        ControlFlow::Continue(())
    };
    let found = LowRank { rank, ..LowRank::default() }.solve(&graph, each).expect("a bound");
    println!(
        "bound {:.6}, gap {:.1e}, rank {}, {} products, {:.3} s, {}",
        found.certificate.bound,
        found.gap,
        found.rank,
        found.products,
        cpu_seconds() - start,
        most_memory()
    );
}

/// The most memory that was resident, as far as the system tells.
fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or_else(|| "memory unknown".to_owned(), |kib| format!("{} MB", kib / 1000))
}
