//! The brick circuit with noise: its density matrix, which stays real, and derivatives through it.

use crate::circuit::Noise;
use crate::matrix::dot;
use crate::simulator::brick::Ansatz;

/// A linear map of the four entries of a density matrix that differ in one qubit only: rows 00, 01, 10, 11.
type Map = [[f64; 4]; 4];

/// `ρ → R ρ Rᵀ` for the rotation by an angle about Y.
fn rotation(angle: f64) -> Map {
    let (s, c) = libm::sincos(0.5 * angle);
    let r = [[c, -s], [s, c]];
    std::array::from_fn(|out| std::array::from_fn(|from| r[out / 2][from / 2] * r[out % 2][from % 2]))
}

/// Depolarising, then damping, of a qubit.
fn channel(noise: &Noise) -> Map {
    let (p, g) = (noise.depolarizing, noise.damping);
    let across = (1.0 - p) * (1.0 - g).sqrt();
    let (stay, fall) = (1.0 - 0.5 * p, 0.5 * p);
    [
        [stay + g * fall, 0.0, 0.0, fall + g * stay],
        [0.0, across, 0.0, 0.0],
        [0.0, 0.0, across, 0.0],
        [(1.0 - g) * fall, 0.0, 0.0, (1.0 - g) * stay],
    ]
}

fn transposed(map: &Map) -> Map {
    std::array::from_fn(|i| std::array::from_fn(|j| map[j][i]))
}

/// The brick circuit of [`Ansatz`] with noise after every gate on each of its qubits.
///
/// Rotations about Y, controlled-Z gates and the noise have real matrices, so the density matrix is real.
pub(super) struct Mixed {
    ansatz: Ansatz,
    noise: Map,
    size: usize,
    /// The density matrix, row by row.
    state: Vec<f64>,
    /// Density matrices before each layer, for derivatives.
    kept: Vec<Vec<f64>>,
}

impl Mixed {
    /// A circuit with noise.
    #[must_use]
    pub(super) fn new(ansatz: Ansatz, noise: &Noise) -> Self {
        let size = ansatz.amplitudes();
        Self { ansatz, noise: channel(noise), size, state: vec![0.0; size * size], kept: Vec::new() }
    }

    /// The density matrix, row by row. `keep` keeps what [`Mixed::gradient`] needs: as many matrices as layers.
    pub(super) fn state(&mut self, angles: &[f64], keep: bool) -> &[f64] {
        self.state.fill(0.0);
        self.state[0] = 1.0;
        self.kept.clear();
        for layer in 0..self.ansatz.layers {
            if keep {
                self.kept.push(self.state.clone());
            }
            for qubit in 0..self.ansatz.qubits {
                let (bit, angle) = (self.bit(qubit), angles[layer * self.ansatz.qubits + qubit]);
                apply(&rotation(angle), bit, self.size, &mut self.state);
                apply(&self.noise, bit, self.size, &mut self.state);
            }
            for (a, b) in self.ansatz.pairs(layer) {
                let bits = [self.bit(a), self.bit(b)];
                controlled_z(bits, self.size, &mut self.state);
                for bit in bits {
                    apply(&self.noise, bit, self.size, &mut self.state);
                }
            }
        }
        &self.state
    }

    /// Derivatives of `tr(O ρ)` by the angles of the last state that was kept, for a symmetric matrix O.
    ///
    /// O goes back through the circuit. All that happens to different qubits in a layer commutes.
    pub(super) fn gradient(&mut self, mut observable: Vec<f64>, angles: &[f64], gradient: &mut [f64]) {
        let (size, qubits) = (self.size, self.ansatz.qubits);
        let back = transposed(&self.noise);
        for layer in (0..self.ansatz.layers).rev() {
            for (a, b) in self.ansatz.pairs(layer).into_iter().rev() {
                let bits = [self.bit(a), self.bit(b)];
                for bit in bits {
                    apply(&back, bit, size, &mut observable);
                }
                controlled_z(bits, size, &mut observable);
            }
            let first = layer * qubits;
            let rotations: Vec<Map> = angles[first..first + qubits].iter().map(|&a| rotation(a)).collect();
            let state = &mut self.kept[layer];
            for (qubit, rotation) in rotations.iter().enumerate() {
                let bit = size >> (qubit + 1);
                apply(&back, bit, size, &mut observable);
                apply(rotation, bit, size, state);
            }
            for qubit in 0..qubits {
                gradient[first + qubit] = slope(size >> (qubit + 1), size, &observable, state);
            }
            for (qubit, rotation) in rotations.iter().enumerate() {
                apply(&transposed(rotation), size >> (qubit + 1), size, &mut observable);
            }
        }
    }

    /// The bit of an index that a qubit is; qubit 0 is the most significant one.
    fn bit(&self, qubit: usize) -> usize {
        self.size >> (qubit + 1)
    }
}

/// Applies a map to a bit of rows and columns.
fn apply(map: &Map, bit: usize, size: usize, matrix: &mut [f64]) {
    for rows in matrix.chunks_exact_mut(2 * bit * size) {
        let (low, high) = rows.split_at_mut(bit * size);
        for (low, high) in low.chunks_exact_mut(2 * bit).zip(high.chunks_exact_mut(2 * bit)) {
            let ((a, b), (c, d)) = (low.split_at_mut(bit), high.split_at_mut(bit));
            for ((a, b), (c, d)) in a.iter_mut().zip(b).zip(c.iter_mut().zip(d)) {
                let old = [*a, *b, *c, *d];
                let row = |k: usize| map[k].iter().zip(&old).map(|(m, x)| m * x).sum::<f64>();
                (*a, *b, *c, *d) = (row(0), row(1), row(2), row(3));
            }
        }
    }
}

/// `ρ → Z ρ Z` for the controlled-Z gate on two bits.
fn controlled_z(bits: [usize; 2], size: usize, matrix: &mut [f64]) {
    let both = bits[0] | bits[1];
    for (i, row) in matrix.chunks_exact_mut(size).enumerate() {
        for (j, entry) in row.iter_mut().enumerate() {
            if (i & both == both) != (j & both == both) {
                *entry = -*entry;
            }
        }
    }
}

/// `½ tr O (G ρ + ρ Gᵀ)` with `G = ((0, -1), (1, 0))` on a bit, for symmetric O and ρ.
fn slope(bit: usize, size: usize, observable: &[f64], state: &[f64]) -> f64 {
    let pair = |i: usize| {
        let along = |o: usize, r: usize| dot(row(observable, o, size), row(state, r, size));
        along(i | bit, i) - along(i, i | bit)
    };
    (0..size).filter(|i| i & bit == 0).map(pair).sum()
}

fn row(matrix: &[f64], i: usize, size: usize) -> &[f64] {
    &matrix[i * size..(i + 1) * size]
}
