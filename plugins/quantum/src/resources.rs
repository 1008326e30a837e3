//! What a quantum computer would need.

use serde::Serialize;

use crate::graph::Graph;
use crate::htaac::walsh;
use crate::simulator::brick::Ansatz;

/// Which constraints are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Strings of one or two Z, and a second Hadamard test.
    Strings,
    /// Collisions of measured bit strings.
    Collisions,
}

/// Counts for one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resources {
    /// Qubits that hold the vertices.
    pub qubits: usize,
    /// Qubits of the Hadamard test.
    pub ancillas: usize,
    /// Layers of rotations.
    pub layers: usize,
    /// Angles.
    pub angles: usize,
    /// Amplitudes that the angles steer.
    pub amplitudes: usize,
    /// Depth of the circuit that prepares the state: a layer of rotations and one of controlled-Z gates at a time.
    pub depth: usize,
    /// Gates on two qubits in it.
    pub two_qubit_gates: usize,
    /// Strings of Z that enter the constraints; all are measured in one basis.
    pub pauli_strings: usize,
    /// Different circuits for a value of the loss.
    pub circuits_per_value: usize,
    /// Circuits for a gradient by moved angles: two values an angle.
    pub circuits_per_epoch: usize,
    /// Shots for each of them.
    pub shots_per_circuit: f64,
    /// Shots for a gradient.
    pub shots_per_epoch: f64,
    /// Pauli strings that W is a sum of: what `exp(iαW)` is made of on hardware. Not counted for many qubits.
    pub pauli_terms: Option<usize>,
    /// Gates on two qubits of one first-order Trotter step of it, with the ancilla's control.
    pub trotter_gates: Option<usize>,
    /// What is left of the signal at an error of 10⁻³ a gate on two qubits: `(1 - 10⁻³)^gates`, ansatz alone.
    pub signal: f64,
}

/// The error rate of [`Resources::signal`].
pub const ERROR_RATE: f64 = 1e-3;

impl Resources {
    /// The resources for a graph, an ansatz and the factor α.
    ///
    /// Shots are such that the error of the objective, `1/√shots`, is a hundredth of its range: `α ‖W‖`, at most 1.
    #[must_use]
    pub fn of(graph: &Graph, ansatz: Ansatz, measured: Measured, alpha: f64, norm: f64) -> Self {
        let n = ansatz.qubits;
        let two_qubit_gates = (0..ansatz.layers).map(|layer| ansatz.pairs(layer).len()).sum();
        let (pauli_strings, circuits_per_value) = match measured {
            Measured::Strings => (n * (n + 1) / 2, 3),
            Measured::Collisions => (ansatz.amplitudes() - 1, 2),
        };
        let circuits_per_epoch = 2 * ansatz.angles() * circuits_per_value;
        let range = (alpha * norm).clamp(f64::MIN_POSITIVE, 1.0);
        let shots_per_circuit = (1.0 / (0.01 * range)).powi(2).ceil();
        let terms = pauli_terms(graph, n);
        // A rotation about a string of weight k takes 2 (k - 1) gates CX, and one more control on its angle two.
        let trotter_gates = terms.as_ref().map(|by_weight| {
            by_weight.iter().enumerate().skip(1).map(|(k, count)| count * (2 * (k - 1) + 2)).sum()
        });
        Self {
            qubits: n,
            ancillas: 1,
            layers: ansatz.layers,
            angles: ansatz.angles(),
            amplitudes: ansatz.amplitudes(),
            depth: 2 * ansatz.layers,
            two_qubit_gates,
            pauli_strings,
            circuits_per_value,
            circuits_per_epoch,
            shots_per_circuit,
            shots_per_epoch: shots_per_circuit * circuits_per_epoch as f64,
            pauli_terms: terms.map(|by_weight| by_weight.iter().sum()),
            trotter_gates,
            signal: libm::pow(1.0 - ERROR_RATE, two_qubit_gates as f64),
        }
    }
}

/// The work up to which terms are counted, in additions.
const WORK: usize = 2_000_000_000;

/// How many Pauli strings W is a sum of, by the number of qubits they act on.
///
/// The part of W that the strings with X or Y on the qubits `x` make up is the one that joins `i` and `i XOR x`; the
/// coefficients of its strings are the Walsh–Hadamard transform of that part.
#[must_use]
pub fn pauli_terms(graph: &Graph, qubits: usize) -> Option<Vec<usize>> {
    let mut by_flip = std::collections::BTreeMap::<usize, Vec<(usize, f64)>>::new();
    for edge in graph.edges() {
        by_flip.entry((edge.from ^ edge.to) as usize).or_default().push((edge.from as usize, edge.weight));
    }
    if (by_flip.len() * qubits) << qubits > WORK {
        return None;
    }
    let mut by_weight = vec![0; qubits + 1];
    let mut part = vec![0.0; 1 << qubits];
    for (flip, entries) in by_flip {
        part.fill(0.0);
        let mut largest: f64 = 0.0;
        for (i, weight) in entries {
            part[i] += weight;
            part[i ^ flip] += weight;
            largest = largest.max(weight.abs());
        }
        walsh::transform(&mut part);
        // Sums of up to 2ⁿ weights: what is below this is rounding.
        let least = 1e-9 * largest;
        for (z, coefficient) in part.iter().enumerate() {
            if coefficient.abs() > least {
                by_weight[(flip | z).count_ones() as usize] += 1;
            }
        }
    }
    Some(by_weight)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::graph::{Format, parse, read};

    /// Counts published for these graphs, and the formulas for the authors' settings.
    #[test]
    fn counts_of_known_graphs() {
        let graph = |name: &str| {
            let path = format!("{}/data/gset/{name}.gz", env!("CARGO_MANIFEST_DIR"));
            read(path.as_ref(), Format::Auto).unwrap()
        };
        let ansatz = Ansatz { qubits: 10, layers: 240 };
        let g11 = Resources::of(&graph("G11"), ansatz, Measured::Strings, 0.01, 4.0);
        assert_eq!(g11.pauli_terms, Some(4643));
        assert_eq!((g11.pauli_strings, g11.circuits_per_epoch, g11.angles), (55, 14_400, 2400));
        // Five pairs in every layer.
        assert_eq!(g11.two_qubit_gates, 1200);
        assert_eq!(pauli_terms(&graph("G1"), 10).unwrap().iter().sum::<usize>(), 471_883);
    }

    /// One edge between 0 and 3 of two qubits: (XX - YY) w / 2.
    #[test]
    fn terms_of_one_edge() {
        let graph = parse("4 1\n1 4 3\n", Format::Gset).unwrap();
        assert_eq!(pauli_terms(&graph, 2), Some(vec![0, 0, 2]));
    }
}
