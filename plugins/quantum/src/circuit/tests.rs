#![allow(clippy::unwrap_used)]

use super::*;
use crate::graph::{Format, Graph, parse};
use crate::random::Random;
use crate::simulator::brick::Simulator;

fn fixed(x: f64) -> Angle {
    Angle::Fixed(x)
}

/// A circuit with every gate, controlled and not, and free angles.
fn every_gate() -> Circuit {
    Circuit::new(4)
        .with(Gate::H, &[0])
        .with(Gate::Ry(Angle::Free(0)), &[1])
        .with(Gate::U3(Angle::Free(1), Angle::Free(2), Angle::Free(3)), &[2])
        .controlled(&[0], Gate::X, &[3])
        .with(Gate::T, &[3])
        .with(Gate::Rx(Angle::Free(4)), &[0])
        .controlled(&[2], Gate::Rz(Angle::Free(5)), &[1])
        .with(Gate::Swap, &[1, 3])
        .with(Gate::S, &[2])
        .controlled(&[1, 3], Gate::Ry(Angle::Free(0)), &[0])
        .with(Gate::Y, &[1])
        .controlled(&[0], Gate::Swap, &[2, 3])
        .controlled(&[3], Gate::Phase(Angle::Free(6)), &[0])
        .with(Gate::Sdg, &[0])
        .with(Gate::Tdg, &[2])
        .with(Gate::Rz(fixed(0.3)), &[3])
        .controlled(&[1], Gate::Z, &[2])
        .with(Gate::Z, &[0])
        .with(Gate::X, &[1])
        .with(Gate::H, &[2])
}

fn angles() -> Vec<f64> {
    vec![0.7, -1.1, 2.3, 0.4, -2.9, 1.9, 0.55]
}

fn furthest(a: &[Complex], b: &[Complex]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (*a - *b).norm().sqrt()).fold(0.0, f64::max)
}

/// The amplitudes that an independent simulator gives for [`every_gate`]; `tests/peers/amplitudes.py` made them.
#[test]
fn amplitudes_of_an_independent_simulator() {
    let frozen = include_str!("../../tests/peers/amplitudes.txt");
    let wanted: Vec<Complex> = frozen
        .lines()
        .map(|line| {
            let (re, im) = line.split_once(' ').unwrap();
            Complex::new(re.parse().unwrap(), im.parse().unwrap())
        })
        .collect();
    let state = Compiled::new(&every_gate()).unwrap().run(&angles());
    assert_eq!(wanted.len(), 16);
    assert!(furthest(&state.amplitudes, &wanted) < 1e-12, "{:?}", state.amplitudes);
}

/// Any function of the amplitudes: here a sum of their parts with random weights, by differences over 2e-5.
#[test]
fn gradients_are_differences() {
    let circuit = Compiled::new(&every_gate()).unwrap();
    let mut random = Random::new(4, 0);
    let weights: Vec<Complex> = (0..16).map(|_| Complex::new(random.normal(), random.normal())).collect();
    let value = |angles: &[f64]| -> f64 {
        circuit.run(angles).amplitudes.iter().zip(&weights).map(|(a, w)| a.re * w.re + a.im * w.im).sum()
    };
    let angles = angles();
    let gradient = circuit.gradient(&angles, circuit.run(&angles), &weights);
    for at in 0..angles.len() {
        let mut moved = angles.clone();
        moved[at] += 1e-5;
        let up = value(&moved);
        moved[at] -= 2e-5;
        let differences = (up - value(&moved)) / 2e-5;
        assert!((gradient[at] - differences).abs() < 1e-9, "{at}: {} {differences}", gradient[at]);
    }
}

#[test]
fn brick_circuits_are_circuits() {
    let ansatz = Ansatz { qubits: 6, layers: 5 };
    let mut random = Random::new(1, 0);
    let angles: Vec<f64> = (0..ansatz.angles()).map(|_| random.normal()).collect();
    let state = Compiled::new(&Circuit::of_ansatz(ansatz)).unwrap().run(&angles);
    let mut simulator = Simulator::<f64>::new(ansatz, 1);
    let wanted: Vec<Complex> = simulator.state(&angles).iter().map(|&a| Complex::new(a, 0.0)).collect();
    assert!(furthest(&state.amplitudes, &wanted) < 1e-14);
    assert_eq!(Circuit::of_ansatz(ansatz).depth(), 10);
}

#[test]
fn qasm_reads_what_it_writes() {
    let bound = every_gate().bound(&angles());
    // Fixed and free angles alike.
    for circuit in [bound, every_gate()] {
        assert_eq!(qasm::read(&qasm::write(&circuit)).unwrap(), circuit);
    }
    let text = "OPENQASM 3;\n// comment; h\n/* of two\nlines; */include \"stdgates.inc\"; qubit[2] a;\nqubit b;\nh a[1];\n\
                rx(-pi/2 + 2*(0.25 - 1e-1)) b; ctrl @ ctrl @ x a[0], a[1], b;\nbit c; c = measure b;\n";
    let circuit = qasm::read(text).unwrap();
    let angle = -std::f64::consts::FRAC_PI_2 + 2.0 * (0.25 - 0.1);
    let wanted = Circuit::new(3).with(Gate::H, &[1]).with(Gate::Rx(fixed(angle)), &[2]).controlled(
        &[0, 1],
        Gate::X,
        &[2],
    );
    assert_eq!(circuit, wanted);
}

#[test]
fn bad_qasm_is_told_by_its_place() {
    let message = |text: &str| qasm::read(text).unwrap_err().to_string();
    let start = "OPENQASM 3.0;\nqubit[2] q; // ünicode, a; comment\n";
    for (text, wanted) in [
        ("foo q[0];", "line 3, column 1: the gate `foo` is not known; known are h x y z"),
        ("h q[0]; rx q[0];", "line 3, column 9: the gate `rx` takes 1 angle; 0 are given"),
        ("h(1, 2) q[0];", "line 3, column 1: the gate `h` takes 0 angles; 2 are given"),
        ("h q[2];", "line 3, column 3: `q[2]` is not one of the 2 qubits of `q`, from 0 to 1"),
        ("\nh r[0];", "line 4, column 3: `r[0]` is not a qubit that was declared"),
        ("cx q[0];", "line 3, column 1: `cx q[0]` names 1 qubits; expected 2"),
        ("h q[0]\nh q[1];", "line 3, column 3: `q[0] h q[1]` is not a qubit; is a semicolon missing?"),
        ("rx(a) q[0];", "line 3, column 4: `a` is not an angle: numbers, `pi` and + - * / ( ) are"),
        ("/* two\nlines */ h q[0]", "line 4, column 10: `h q[0]` does not end in a semicolon"),
        ("h q[0]; for i in x { h q[0]; }", "line 3, column 20: blocks are not read"),
        ("rx((((1) q[0];", "line 3, column 4: a parenthesis is not closed"),
        ("cx q[0], q[0];", "line 3, column 10: `q[0]` is named twice; qubits of a gate differ"),
        ("ctrl(x) @ h q[0], q[1];", "line 3, column 5: expected `ctrl @ GATE` or `ctrl(N) @ GATE`"),
        ("input int n;", "line 3, column 1: expected `input float[64] NAME`"),
        ("qubit[70] r;", "line 3, column 6: expected `qubit[N] NAME` with N from 1 to 60"),
    ] {
        let found = message(&format!("{start}{text}"));
        assert!(found.starts_with(wanted), "{found}");
    }
    assert_eq!(message("OPENQASM 2.0;"), "line 1, column 10: version 2.0 is not read; expected 3.0");
    assert_eq!(
        message("OPENQASM 3.0;"),
        "line 1, column 14: no qubits are declared; expected `qubit[N] NAME;`"
    );
    let deep = format!("{start}rx({}1{}) q[0];", "(".repeat(9000), ")".repeat(9000));
    assert!(message(&deep).contains("is not an angle"));
}

fn small() -> Graph {
    parse("4 5\n1 2 1\n2 3 -0.5\n3 4 1.5\n1 4 0.7\n1 3 1\n", Format::Gset).unwrap()
}

/// The mean of the ancilla's Z of the Trotterised circuit goes to that of the exact one as one over the steps squared:
/// the formula's first error is a sum of commutators, antisymmetric, without expectation in a real state.
#[test]
fn trotter_errors_fall_as_they_should() {
    let graph = small();
    let prepare = Circuit::of_ansatz(Ansatz { qubits: 2, layers: 3 }).bound(&[0.3, 1.1, -0.7, 0.2, 2.0, 0.9]);
    let psi: Vec<f64> = Compiled::new(&prepare).unwrap().run(&[]).amplitudes.iter().map(|a| a.re).collect();
    let exact = crate::htaac::ancilla::Ancilla::new(&graph, 2, 0.8).unwrap();
    let wanted = exact.expectation(&psi, &mut [0.0; 4]);
    let error = |steps| {
        let circuit = qasm::hadamard_test(&graph, &prepare, 0.8, steps);
        let state = Compiled::new(&circuit).unwrap().run(&[]);
        // The ancilla is the last qubit: the lowest bit.
        let z: f64 =
            state.probabilities().iter().enumerate().map(|(i, p)| if i % 2 == 0 { *p } else { -p }).sum();
        (z - wanted).abs()
    };
    let (coarse, fine, finest) = (error(8), error(16), error(4096));
    assert!(fine < 0.3 * coarse && fine > 0.2 * coarse, "{coarse} {fine}");
    assert!(finest < 1e-8, "{finest}");
}

/// Without noise the density matrix is that of the state; one gate's noise has known effects.
#[test]
fn density_matrices() {
    let circuit = every_gate().bound(&angles());
    let state = Compiled::new(&circuit).unwrap().run(&[]);
    let pure = DensityMatrix::of(&circuit, &Noise::default()).unwrap();
    for i in 0..16 {
        for j in 0..16 {
            let wanted = state.amplitudes[i] * state.amplitudes[j].conj();
            assert!((pure.entries[16 * i + j] - wanted).norm().sqrt() < 1e-13);
        }
    }
    assert!((pure.purity() - 1.0).abs() < 1e-12);
    let flip = Circuit::new(1).with(Gate::X, &[0]);
    let damped = DensityMatrix::of(&flip, &Noise { damping: 0.3, ..Noise::default() }).unwrap();
    assert!((damped.probabilities()[1] - 0.7).abs() < 1e-15);
    let mixed = DensityMatrix::of(&flip, &Noise { depolarizing: 0.2, ..Noise::default() }).unwrap();
    assert!((mixed.probabilities()[1] - 0.9).abs() < 1e-15);
    let read = Noise { readout: 0.1, ..Noise::default() }.read(vec![0.0, 0.0, 1.0, 0.0]);
    for (found, wanted) in read.iter().zip([0.09, 0.01, 0.81, 0.09]) {
        assert!((found - wanted).abs() < 1e-15);
    }
}

/// The mean over 4000 random courses is the density matrix: within four standard deviations of each probability.
#[test]
fn trajectories_average_to_the_density_matrix() {
    let circuit = Circuit::of_ansatz(Ansatz { qubits: 3, layers: 3 })
        .bound(&[0.9, -0.4, 1.3, 2.2, 0.3, -1.0, 0.5, 1.7, 0.2]);
    let noise = Noise { depolarizing: 0.08, damping: 0.05, readout: 0.0 };
    let exact = DensityMatrix::of(&circuit, &noise).unwrap().probabilities();
    let mut random = Random::new(12, 0);
    const COURSES: usize = 4000;
    let (mut sum, mut squares) = ([0.0; 8], [0.0; 8]);
    for _ in 0..COURSES {
        for (i, p) in
            trajectory(&circuit, &noise, &mut random).unwrap().probabilities().into_iter().enumerate()
        {
            sum[i] += p;
            squares[i] += p * p;
        }
    }
    for i in 0..8 {
        let mean = sum[i] / COURSES as f64;
        let deviation = ((squares[i] / COURSES as f64 - mean * mean) / COURSES as f64).sqrt();
        assert!((mean - exact[i]).abs() < 4.0 * deviation, "{i}: {mean} {} {deviation}", exact[i]);
    }
}

#[test]
fn drawings_hold_every_gate() {
    let svg = draw(&every_gate(), 100);
    // The controlled Z is two dots.
    assert_eq!(svg.matches("<rect x").count(), 17);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert!(draw(&every_gate(), 3).contains("more columns"));
}

#[test]
fn circuits_that_cannot_be() {
    let message = |circuit: Circuit| Compiled::new(&circuit).unwrap_err().to_string();
    assert_eq!(message(Circuit::new(2).with(Gate::H, &[2])), "gate 1 acts on qubit 2, and there are 2");
    assert_eq!(message(Circuit::new(2).with(Gate::Swap, &[1, 1])), "gate 1 (swap) takes 2 different qubits");
    assert_eq!(
        message(Circuit { angles: 0, ..Circuit::new(2).with(Gate::Rx(Angle::Free(0)), &[1]) }),
        "gate 1 takes angle 0, and there are 0"
    );
}
