//! What is written as OpenQASM 3 is the same circuit to Qiskit Aer.
//!
//! `FLOW_QISKIT_PYTHON=python cargo test -p flow-quantum --test qasm_peer -- --ignored --nocapture`
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::process::Command;

use flow_quantum::circuit::{Angle, Circuit, Compiled, Gate, qasm};
use flow_quantum::graph::{Format, parse};
use flow_quantum::random::Random;
use flow_quantum::simulator::brick::Ansatz;

#[test]
#[ignore = "needs Qiskit"]
fn fidelity_in_aer() {
    let python = std::env::var("FLOW_QISKIT_PYTHON").unwrap_or_else(|_| "python3".into());
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(3, 0);
    let ansatz = Ansatz { qubits: 5, layers: 8 };
    let angles: Vec<f64> = (0..ansatz.angles()).map(|_| random.normal()).collect();
    let trained = Circuit::of_ansatz(ansatz).bound(&angles);
    let graph = parse("4 5\n1 2 1\n2 3 -0.5\n3 4 1.5\n1 4 0.7\n1 3 1\n", Format::Gset).unwrap();
    let prepare = Circuit::of_ansatz(Ansatz { qubits: 2, layers: 3 }).bound(&angles[..6]);
    let fixed = Angle::Fixed;
    let general = Circuit::new(4)
        .with(Gate::H, &[0])
        .with(Gate::U3(fixed(0.3), fixed(1.2), fixed(-0.4)), &[1])
        .controlled(&[0], Gate::X, &[2])
        .controlled(&[1, 2], Gate::Ry(fixed(0.9)), &[3])
        .controlled(&[3], Gate::Phase(fixed(0.2)), &[0])
        .with(Gate::Swap, &[1, 3])
        .controlled(&[0], Gate::Swap, &[2, 3])
        .with(Gate::Tdg, &[2])
        .with(Gate::Rx(fixed(-1.4)), &[1]);
    for circuit in [trained, qasm::hadamard_test(&graph, &prepare, 0.5, 2), general] {
        let (text, numbers) = (folder.path().join("c.qasm"), folder.path().join("a.txt"));
        std::fs::write(&text, qasm::write(&circuit)).unwrap();
        let mut lines = String::new();
        for a in &Compiled::new(&circuit).unwrap().run(&[]).amplitudes {
            writeln!(lines, "{:?} {:?}", a.re, a.im).unwrap();
        }
        std::fs::write(&numbers, lines).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/qasm.py");
        let run = Command::new(&python).arg(script).args([&text, &numbers]).output().unwrap();
        println!("{}", String::from_utf8_lossy(&run.stdout).trim());
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
}
