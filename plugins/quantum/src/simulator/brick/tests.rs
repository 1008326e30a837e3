#![allow(clippy::unwrap_used)]

use super::*;
use crate::random::Random;

fn angles(ansatz: Ansatz, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed, 0);
    // Some beyond half a turn, so that all quarter turns occur.
    (0..ansatz.angles()).map(|_| 2.5 * random.normal()).collect()
}

/// The state by the definition: each rotation applied to pairs of amplitudes, each gate to single ones.
fn by_definition(ansatz: Ansatz, angles: &[f64]) -> Vec<f64> {
    let n = ansatz.qubits;
    let mut psi = vec![0.0; 1 << n];
    psi[0] = 1.0;
    for layer in 0..ansatz.layers {
        for qubit in 0..n {
            let (sin, cos) = libm::sincos(0.5 * angles[layer * n + qubit]);
            let bit = 1 << (n - 1 - qubit);
            for i in (0..1 << n).filter(|i| i & bit == 0) {
                let (a, b) = (psi[i], psi[i | bit]);
                (psi[i], psi[i | bit]) = (cos * a - sin * b, sin * a + cos * b);
            }
        }
        for (a, b) in ansatz.pairs(layer) {
            let both = (1 << (n - 1 - a)) | (1 << (n - 1 - b));
            (0..1 << n).filter(|i| i & both == both).for_each(|i| psi[i] = -psi[i]);
        }
    }
    psi
}

fn furthest(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn wide<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| v.wide()).collect()
}

#[test]
fn pairs_of_neighbours() {
    let pairs = |qubits, layer| Ansatz { qubits, layers: 2 }.pairs(layer);
    assert_eq!(pairs(4, 0), [(0, 1), (2, 3)]);
    assert_eq!(pairs(4, 1), [(1, 2), (3, 0)]);
    assert_eq!(pairs(5, 1), [(1, 2), (3, 4)]);
    assert_eq!(pairs(2, 1), []);
    assert_eq!(pairs(1, 0), []);
}

/// Every number of qubits up to blocks and passes beyond them, every instruction set, both precisions. Errors of 40
/// layers of at most 14 rotations are some hundred roundings of amplitudes below 1.
#[test]
fn states_are_those_of_the_definition() {
    for qubits in (1..=14).chain([17]) {
        let ansatz = Ansatz { qubits, layers: if qubits > 13 { 6 } else { 40 } };
        let angles = angles(ansatz, qubits as u64);
        let wanted = by_definition(ansatz, &angles);
        for isa in Isa::available() {
            let mut double = Simulator::<f64>::with_isa(ansatz, 1, isa);
            assert!(furthest(double.state(&angles), &wanted) < 1e-14, "f64, {qubits} qubits, {isa:?}");
            let mut single = Simulator::<f32>::with_isa(ansatz, 1, isa);
            assert!(furthest(&wide(single.state(&angles)), &wanted) < 5e-6, "f32, {qubits} qubits, {isa:?}");
        }
    }
}

/// `L = a·ψ` for a random `a`, whose derivative by an angle is exactly half the difference of the values at ± π of it
/// divided by ... a rotation's derivative is half the state with the angle moved by π.
#[test]
fn gradients_are_those_of_moved_angles() {
    for qubits in [1, 2, 3, 4, 5, 7, 9, 10, 13, 14, 16] {
        let ansatz = Ansatz { qubits, layers: if qubits > 13 { 3 } else { 12 } };
        let angles = angles(ansatz, 40 + qubits as u64);
        let mut random = Random::new(9, 1);
        let cotangent: Vec<f64> = (0..ansatz.amplitudes()).map(|_| random.normal()).collect();
        let dot = |psi: &[f64]| psi.iter().zip(&cotangent).map(|(a, b)| a * b).sum::<f64>();
        for isa in Isa::available() {
            let mut gradient = vec![0.0; ansatz.angles()];
            let mut double = Simulator::<f64>::with_isa(ansatz, 1, isa);
            double.state(&angles);
            double.gradient(&cotangent, &mut gradient);
            let norm = dot(&cotangent).sqrt();
            let mut single = Simulator::<f32>::with_isa(ansatz, 1, isa);
            let mut narrow = vec![0.0; ansatz.angles()];
            single.state(&angles);
            single.gradient(&cotangent.iter().map(|&v| v as f32).collect::<Vec<_>>(), &mut narrow);
            // Single precision: 1e-5 of the largest a derivative can be.
            assert!(furthest(&narrow, &gradient) < 1e-5 * norm, "f32, {qubits} qubits, {isa:?}");
            for at in (0..angles.len()).step_by(1 + angles.len() / 30) {
                let mut moved = angles.clone();
                moved[at] += std::f64::consts::PI;
                let wanted = 0.5 * dot(&by_definition(ansatz, &moved));
                let error = (gradient[at] - wanted).abs();
                assert!(error < 1e-12 * norm, "angle {at} of {qubits} qubits, {isa:?}: {error}");
            }
        }
    }
}

/// Three and a half thousand layers in single precision stay close to the state in double precision.
#[test]
fn single_precision_keeps_the_norm() {
    let ansatz = Ansatz { qubits: 6, layers: 3400 };
    let angles = angles(ansatz, 4);
    let wanted = Simulator::<f64>::new(ansatz, 1).state(&angles).to_vec();
    let got = wide(Simulator::<f32>::new(ansatz, 1).state(&angles));
    assert!(furthest(&got, &wanted) < 1e-5, "{}", furthest(&got, &wanted));
}

/// Even layers end with what odd ones begin with, and that is done for both at once; beyond one strip the others stand by
/// themselves.
#[test]
fn layers_alternate() {
    let phases = |qubits, layers| Plan::<f64>::new(&Ansatz { qubits, layers }, Isa::Portable).phases;
    let shown = |qubits, layers| -> Vec<_> {
        phases(qubits, layers).into_iter().map(|phase| (phase.strip, phase.layers, phase.gates)).collect()
    };
    assert_eq!(shown(8, 2), [(None, 0..1, true), (None, 1..2, true)]);
    assert_eq!(
        shown(15, 3),
        [(Some(0), 0..1, false), (None, 0..2, true), (Some(0), 1..3, true), (None, 2..3, true)]
    );
    assert_eq!(
        shown(16, 2),
        [
            (Some(1), 0..1, false),
            (Some(0), 0..1, false),
            (None, 0..2, true),
            (Some(0), 1..2, false),
            (Some(1), 1..2, true)
        ]
    );
}

/// With one strip, and with two.
#[test]
fn threads_change_no_bit() {
    for (qubits, layers) in [(15, 5), (17, 4)] {
        let ansatz = Ansatz { qubits, layers };
        let angles = angles(ansatz, 2);
        let cotangent: Vec<f32> = (0..ansatz.amplitudes()).map(|i| (i % 7) as f32 - 3.0).collect();
        let run = |threads| {
            let mut simulator = Simulator::<f32>::new(ansatz, threads);
            let mut gradient = vec![0.0; ansatz.angles()];
            let psi = simulator.state(&angles).to_vec();
            simulator.gradient(&cotangent, &mut gradient);
            (psi, gradient)
        };
        let one = run(1);
        assert!([2, 3, 4].into_iter().all(|threads| run(threads) == one), "{qubits} qubits");
    }
}
