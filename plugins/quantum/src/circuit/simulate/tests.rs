#![allow(clippy::unwrap_used)]

use super::*;

use crate::random::Random;

/// Some gates drawn at random, with angles of their own.
fn drawn(qubits: usize, gates: usize, seed: u64) -> (Circuit, Vec<f64>) {
    let mut random = Random::new(seed, 0);
    let mut below = move |n: usize| (random.uniform() * n as f64) as usize;
    let mut circuit = Circuit::new(qubits);
    for _ in 0..gates {
        let mut angles = 0;
        let mut angle = || {
            angles += 1;
            Angle::Free(circuit.angles + angles - 1)
        };
        let gate = match below(12) {
            0 => Gate::H,
            1 => Gate::X,
            2 => Gate::Y,
            3 => Gate::Z,
            4 => Gate::S,
            5 => Gate::Tdg,
            6 => Gate::Rx(angle()),
            7 => Gate::Ry(angle()),
            8 => Gate::Rz(angle()),
            9 => Gate::Phase(angle()),
            10 if qubits > 1 => Gate::Swap,
            _ => Gate::U3(angle(), angle(), angle()),
        };
        let mut order: Vec<usize> = (0..qubits).collect();
        for at in 0..qubits {
            order.swap(at, at + below(qubits - at));
        }
        let (on, rest) = order.split_at(gate.qubits());
        let controls = below(4).saturating_sub(1).min(rest.len());
        circuit = circuit.controlled(&rest[..controls], gate, on);
    }
    let mut random = Random::new(seed, 1);
    let angles = (0..circuit.angles).map(|_| 2.0 * random.normal()).collect();
    (circuit, angles)
}

/// A circuit's effect on |0⟩ by the definition of each gate. With `by`, the gates of that angle's number are replaced
/// by their derivatives by it, one after the other, and the results added up.
fn by_definition(circuit: &Circuit, angles: &[f64], by: Option<usize>) -> Vec<Complex> {
    let n = circuit.qubits;
    let mut sum = vec![Complex::ZERO; 1 << n];
    let places = circuit.operations.iter().enumerate().flat_map(|(at, operation)| {
        let all = operation.gate.angles().into_iter().enumerate();
        let own = all.filter(|(_, angle)| by.is_some_and(|by| *angle == Angle::Free(by)));
        own.map(move |(which, _)| Some((at, which)))
    });
    let places: Vec<_> = if by.is_some() { places.collect() } else { vec![None] };
    for place in places {
        let mut psi = State::zero(n).amplitudes;
        for (at, operation) in circuit.operations.iter().enumerate() {
            let bit = |qubit: usize| 1 << (n - 1 - qubit);
            let controls: usize = operation.controls.iter().map(|&q| bit(q)).sum();
            let on = |i: usize| i & controls == controls;
            let first = bit(operation.qubits[0]);
            let derivative = place.filter(|(place, _)| *place == at);
            let m = match derivative {
                Some((_, which)) => operation.gate.derivative(which, angles),
                None => operation.gate.matrix(angles),
            };
            let Some(m) = m else {
                let second = bit(operation.qubits[1]);
                for i in (0..1 << n).filter(|i| on(*i) && i & first != 0 && i & second == 0) {
                    psi.swap(i, i ^ first ^ second);
                }
                continue;
            };
            for i in (0..1 << n).filter(|i| i & first == 0) {
                let (a, b) = (psi[i], psi[i | first]);
                if on(i) {
                    psi[i] = m[0][0] * a + m[0][1] * b;
                    psi[i | first] = m[1][0] * a + m[1][1] * b;
                } else if derivative.is_some() {
                    (psi[i], psi[i | first]) = (Complex::ZERO, Complex::ZERO);
                }
            }
        }
        sum.iter_mut().zip(psi).for_each(|(sum, a)| *sum += a);
    }
    sum
}

fn furthest(a: &[Complex], b: &[Complex]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (*a - *b).norm().sqrt()).fold(0.0, f64::max)
}

/// Layers as people write them: rotations of all qubits, and gates between neighbours.
fn layered(qubits: usize, layers: usize) -> (Circuit, Vec<f64>) {
    let mut circuit = Circuit::new(qubits);
    for layer in 0..layers {
        for qubit in 0..qubits {
            let angle = 2 * (layer * qubits + qubit);
            circuit = circuit.with(Gate::Ry(Angle::Free(angle)), &[qubit]);
            circuit = circuit.with(Gate::Rz(Angle::Free(angle + 1)), &[qubit]);
        }
        for qubit in 0..qubits - 1 {
            let gate = if (layer + qubit) % 4 == 3 { Gate::H } else { Gate::X };
            circuit = circuit.controlled(&[qubit], gate, &[qubit + 1]);
        }
    }
    let mut random = Random::new(qubits as u64, 2);
    let angles = (0..circuit.angles).map(|_| 2.0 * random.normal()).collect();
    (circuit, angles)
}

/// All gates with up to two controls, states within one tile and over several, every instruction set.
#[test]
fn states_are_those_of_the_definition() {
    let drawn = [(1, 40), (2, 60), (3, 80), (4, 80), (6, 120), (11, 120), (14, 150), (16, 150)]
        .map(|(qubits, gates)| drawn(qubits, gates, qubits as u64));
    let layered = [(2, 5), (3, 5), (5, 6), (9, 6), (16, 4)].map(|(qubits, layers)| layered(qubits, layers));
    for (circuit, angles) in drawn.into_iter().chain(layered) {
        let qubits = circuit.qubits;
        let wanted = by_definition(&circuit, &angles, None);
        for isa in Isa::available() {
            let state = Compiled::new(&circuit).unwrap().with_isa(isa).run(&angles);
            let error = furthest(&state.amplitudes, &wanted);
            assert!(error < 1e-13, "{qubits} qubits, {isa:?}: {error}");
        }
    }
}

#[test]
fn gradients_are_those_of_the_definition() {
    for (qubits, gates) in [(1, 20), (2, 30), (3, 40), (5, 40), (13, 60), (16, 40)] {
        let (circuit, angles) = drawn(qubits, gates, 70 + qubits as u64);
        let mut random = Random::new(3, 0);
        let cotangent: Vec<_> =
            (0..1 << qubits).map(|_| Complex::new(random.normal(), random.normal())).collect();
        let dot = |psi: &[Complex]| -> f64 {
            psi.iter().zip(&cotangent).map(|(a, c)| a.re * c.re + a.im * c.im).sum()
        };
        let norm: f64 = cotangent.iter().map(|c| c.norm()).sum::<f64>().sqrt();
        let gradients = Isa::available().into_iter().map(|isa| {
            let circuit = Compiled::new(&circuit).unwrap().with_isa(isa);
            (isa, circuit.gradient(&angles, circuit.run(&angles), &cotangent))
        });
        let gradients: Vec<_> = gradients.collect();
        for at in (0..circuit.angles).step_by(1 + qubits / 3) {
            let wanted = dot(&by_definition(&circuit, &angles, Some(at)));
            for (isa, gradient) in &gradients {
                let error = (gradient[at] - wanted).abs();
                assert!(error < 1e-13 * norm, "angle {at} of {qubits} qubits, {isa:?}: {error}");
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let (circuit, angles) = drawn(17, 100, 5);
    let cotangent: Vec<_> = (0..1 << 17).map(|i| Complex::new((i % 7) as f64 - 3.0, 0.5)).collect();
    let run = |threads| {
        let circuit = Compiled::new(&circuit).unwrap().threads(threads);
        let state = circuit.run(&angles);
        (circuit.gradient(&angles, state.clone(), &cotangent), state)
    };
    let one = run(1);
    assert!(run(2) == one);
    assert!(run(4) == one);
}

/// Twelve layers of rotations and controlled gates between neighbours take far fewer sweeps than they have gates.
#[test]
fn tiles_take_gates_of_several_layers() {
    let mut circuit = Circuit::new(18);
    for _ in 0..12 {
        for qubit in 0..18 {
            circuit = circuit.with(Gate::Ry(Angle::Fixed(0.1)), &[qubit]);
        }
        for qubit in 0..17 {
            circuit = circuit.controlled(&[qubit], Gate::X, &[qubit + 1]);
        }
    }
    let compiled = Compiled::new(&circuit).unwrap();
    let done: usize = compiled.sweeps.iter().map(|sweep| sweep.steps.len()).sum();
    assert_eq!(done, compiled.steps.len());
    assert!(compiled.sweeps.len() < 12, "{} sweeps", compiled.sweeps.len());
}
