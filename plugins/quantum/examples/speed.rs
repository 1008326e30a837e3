//! CPU times of the simulator's gradients, in the units of `benches/quantum`.
//!
//! `cargo run --release -p flow-quantum --example speed`

use std::time::Instant;

use flow_quantum::random::Random;
use flow_quantum::simulator::brick::{Ansatz, Simulator};
use flow_quantum::simulator::{Isa, Real};

/// The best of ten runs of at least 50 ms each, milliseconds a call.
fn best(mut call: impl FnMut()) -> f64 {
    call();
    let mut calls = 1_u32;
    loop {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        if start.elapsed().as_secs_f64() > 0.05 {
            break;
        }
        calls *= 2;
    }
    let run = |_| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e3 / f64::from(calls)
    };
    (0..10).map(run).fold(f64::INFINITY, f64::min)
}

fn measure<T: Real>(name: &str, qubits: usize, layers: usize, threads: usize, isa: Isa) {
    let ansatz = Ansatz { qubits, layers };
    let mut random = Random::new(1, 0);
    let angles: Vec<f64> = (0..ansatz.angles()).map(|_| random.normal()).collect();
    let cotangent: Vec<T> = (0..ansatz.amplitudes()).map(|_| T::of(random.normal())).collect();
    let mut simulator = Simulator::<T>::with_isa(ansatz, threads, isa);
    let mut gradient = vec![0.0; ansatz.angles()];
    let forward = best(|| {
        std::hint::black_box(simulator.state(&angles));
    });
    let both = best(|| {
        simulator.state(&angles);
        simulator.gradient(&cotangent, &mut gradient);
    });
    let work = 12.0 * (ansatz.amplitudes() * ansatz.angles()) as f64;
    println!(
        "{name} {isa:?}: {qubits} qubits, {layers} layers, {threads} threads: forward {forward:.3} ms, gradient {both:.3} ms, \
         {:.0} Gflop/s of the usual count",
        work / both * 1e-6
    );
}

fn main() {
    for isa in Isa::available().into_iter().rev() {
        measure::<f32>("f32", 10, 240, 1, isa);
        measure::<f32>("f32", 15, 240, 1, isa);
        measure::<f64>("f64", 10, 240, 1, isa);
        measure::<f64>("f64", 15, 240, 1, isa);
    }
    measure::<f32>("f32", 15, 240, 2, Isa::detect());
    measure::<f32>("f32", 20, 12, 1, Isa::detect());
    measure::<f32>("f32", 20, 12, 2, Isa::detect());
}
