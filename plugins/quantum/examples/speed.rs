//! CPU times of the simulator's gradients, in the units of `benches/quantum`.
//!
//! `cargo run --release -p flow-quantum --example speed [-- WORDS]`, where the words are
//! - `f32 QUBITS LAYERS`, `f64 QUBITS LAYERS` or `general QUBITS LAYERS`: this circuit on one thread;
//! - `threads`: two threads beside one;
//! - `train DEPTH`: one run of training at 20,000 vertices with so many times the layers of the default (1.41: `depth: deep`);
//! - `published GRAPH`: runs on a graph with the settings of the authors' example;
//! - none: all of `benches/quantum`, with all instruction sets.

use std::ops::ControlFlow;
use std::time::Instant;

use flow_plugin::measure::cpu_seconds;
use flow_quantum::circuit::{Angle, Circuit, Compiled, Complex, Gate};
use flow_quantum::graph::{Family, Format, Graph, read};
use flow_quantum::htaac::{Problem, Settings};
use flow_quantum::random::Random;
use flow_quantum::simulator::brick::{Ansatz, Simulator};
use flow_quantum::simulator::{Isa, Real};

/// Which time counts: of the processor, so that what else the machine does counts little; elapsed, for several threads.
#[derive(Clone, Copy)]
enum Clock {
    Processor,
    Elapsed,
}

impl Clock {
    fn of(threads: usize) -> Self {
        if threads == 1 { Self::Processor } else { Self::Elapsed }
    }
}

/// The best of ten runs of at least 50 ms each, milliseconds a call.
fn best(clock: Clock, mut call: impl FnMut()) -> f64 {
    call();
    let begin = Instant::now();
    let now = || match clock {
        Clock::Processor => cpu_seconds(),
        Clock::Elapsed => begin.elapsed().as_secs_f64(),
    };
    let mut calls = 1_u32;
    let mut run = |calls: u32| {
        let start = now();
        (0..calls).for_each(|_| call());
        now() - start
    };
    while run(calls) < 0.05 {
        calls *= 2;
    }
    (0..10).map(|_| run(calls) * 1e3 / f64::from(calls)).fold(f64::INFINITY, f64::min)
}

/// What a state takes, and a state with its gradient.
fn times<T: Real>(ansatz: Ansatz, threads: usize, isa: Isa, clock: Clock) -> (f64, f64) {
    let mut random = Random::new(1, 0);
    let angles: Vec<f64> = (0..ansatz.angles()).map(|_| random.normal()).collect();
    let cotangent: Vec<T> = (0..ansatz.amplitudes()).map(|_| T::of(random.normal())).collect();
    let mut simulator = Simulator::<T>::with_isa(ansatz, threads, isa);
    let mut gradient = vec![0.0; ansatz.angles()];
    let forward = best(clock, || {
        std::hint::black_box(simulator.state(&angles));
    });
    let both = best(clock, || {
        simulator.state(&angles);
        simulator.gradient(&cotangent, &mut gradient);
    });
    (forward, both)
}

fn measure<T: Real>(name: &str, qubits: usize, layers: usize, threads: usize, isa: Isa) {
    let ansatz = Ansatz { qubits, layers };
    let (forward, both) = times::<T>(ansatz, threads, isa, Clock::of(threads));
    let work = 12.0 * (ansatz.amplitudes() * ansatz.angles()) as f64;
    println!(
        "{name} {isa:?}: {qubits} qubits, {layers} layers, {threads} threads: forward {forward:.3} ms, gradient {both:.3} ms, \
         {:.0} Gflop/s of the usual count",
        work / both * 1e-6
    );
}

/// Two threads beside one, in turns, elapsed time: the best of ten rounds of each, since a host may move one of two
/// processors away from the other for a while.
fn compare_threads(qubits: usize, layers: usize) {
    let ansatz = Ansatz { qubits, layers };
    let (mut one, mut two) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..10 {
        for (threads, best) in [(1, &mut one), (2, &mut two)] {
            *best = best.min(times::<f32>(ansatz, threads, Isa::detect(), Clock::Elapsed).1);
        }
    }
    println!(
        "f32: {qubits} qubits, {layers} layers, elapsed: gradient {one:.3} ms on one thread, {two:.3} ms on two: {:.2} times",
        one / two
    );
}

/// Layers of RY and RZ on all qubits and of CX between neighbours, all angles free.
fn general(qubits: usize, layers: usize) -> Circuit {
    let mut circuit = Circuit::new(qubits);
    for layer in 0..layers {
        for qubit in 0..qubits {
            let angle = 2 * (layer * qubits + qubit);
            circuit = circuit.with(Gate::Ry(Angle::Free(angle)), &[qubit]);
            circuit = circuit.with(Gate::Rz(Angle::Free(angle + 1)), &[qubit]);
        }
        for qubit in 0..qubits - 1 {
            circuit = circuit.controlled(&[qubit], Gate::X, &[qubit + 1]);
        }
    }
    circuit
}

fn measure_general(qubits: usize, layers: usize, threads: usize, isa: Isa) {
    let circuit = general(qubits, layers);
    let mut random = Random::new(1, 0);
    let angles: Vec<f64> = (0..circuit.angles).map(|_| random.normal()).collect();
    let cotangent: Vec<_> =
        (0..1 << qubits).map(|_| Complex::new(random.normal(), random.normal())).collect();
    let compiled = Compiled::new(&circuit).expect("a circuit").with_isa(isa).threads(threads);
    let clock = Clock::of(threads);
    let forward = best(clock, || {
        std::hint::black_box(compiled.run(&angles));
    });
    let both = best(clock, || {
        std::hint::black_box(compiled.gradient(&angles, compiled.run(&angles), &cotangent));
    });
    // A product with a complex 2 × 2 matrix is 28 operations a pair; the sweep back does two, and as many for sums.
    let work = 4.0 * 14.0 * (qubits * layers) as f64 * (1_u64 << qubits) as f64;
    println!(
        "general {isa:?}: {qubits} qubits, {layers} layers, {threads} threads: forward {forward:.3} ms, gradient {both:.3} ms, \
         {:.0} Gflop/s of the usual count",
        work / both * 1e-6
    );
}

/// Whole runs on one thread, of seeds from 0.
fn measure_training(name: &str, graph: &Graph, settings: &Settings, runs: u64) {
    let problem = Problem { graph, settings };
    let mut times = Vec::new();
    for seed in 0..runs {
        let start = cpu_seconds();
        let outcome = problem.solve::<f32>(seed, 1, None, &mut |_, _, _| ControlFlow::Continue(()));
        std::hint::black_box(outcome.expect("a run"));
        times.push(cpu_seconds() - start);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "training {name}: {} layers, {} epochs, median {:.3} s of {runs}",
        settings.layers,
        settings.epochs,
        times[times.len() / 2]
    );
}

/// Runs of the default settings on a graph of this family, with so many times their layers.
fn measure_default(name: &str, family: &str, depth: f64, runs: u64) {
    let graph = serde_json::from_str::<Family>(family).expect("a family").generate().expect("a graph");
    let settings = Settings { layers: Problem::layers(&graph, depth), ..Settings::default() };
    measure_training(name, &graph, &settings, runs);
}

/// Cases of `benches/quantum` for circuits of general gates: qubits and layers.
const GENERAL: [(usize, usize); 3] = [(15, 24), (18, 12), (20, 6)];

const SMALL: [(&str, &str); 2] = [
    ("800 vertices, random", r#"{ "family": "random", "vertices": 800, "edges": 19176, "seed": 1 }"#),
    ("800 vertices, torus", r#"{ "family": "torus_pm1", "rows": 8, "cols": 100, "seed": 1 }"#),
];
const LARGE: &str = r#"{ "family": "torus_pm1", "rows": 100, "cols": 200, "seed": 1 }"#;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let count = |word: &str| word.parse().expect("a number");
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => everything(),
        ["f32", qubits, layers] => measure::<f32>("f32", count(qubits), count(layers), 1, Isa::detect()),
        ["f64", qubits, layers] => measure::<f64>("f64", count(qubits), count(layers), 1, Isa::detect()),
        ["general", qubits, layers] => measure_general(count(qubits), count(layers), 1, Isa::detect()),
        ["threads"] => compare_threads(15, 240),
        ["train", depth] => {
            measure_default("20,000 vertices", LARGE, depth.parse().expect("a factor of the layers"), 1);
        }
        ["published", graph] => {
            let graph = read(graph.as_ref(), Format::Auto).expect("a graph");
            measure_training("as published", &graph, &Settings::published(), 5);
        }
        _ => panic!("words that the head of this file does not have"),
    }
}

fn everything() {
    for (name, family) in SMALL {
        measure_default(name, family, 1.0, 5);
    }
    for isa in Isa::available().into_iter().rev() {
        for (qubits, layers) in GENERAL {
            measure_general(qubits, layers, 1, isa);
        }
    }
    measure_general(20, 6, 2, Isa::detect());
    for isa in Isa::available().into_iter().rev() {
        measure::<f32>("f32", 10, 240, 1, isa);
        measure::<f32>("f32", 15, 240, 1, isa);
        measure::<f64>("f64", 10, 240, 1, isa);
        measure::<f64>("f64", 15, 240, 1, isa);
    }
    measure::<f32>("f32", 15, 240, 2, Isa::detect());
    compare_threads(15, 240);
    measure::<f32>("f32", 20, 12, 1, Isa::detect());
    measure::<f32>("f32", 20, 12, 2, Isa::detect());
}
