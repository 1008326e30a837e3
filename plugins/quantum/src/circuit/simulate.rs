//! State vectors of complex amplitudes, run through circuits tile by tile.

#[cfg(test)]
mod tests;

use super::gate::{Gate, Matrix};
use super::group::Group;
use super::kernel::{Act, Target, apply, undo};
use super::schedule::{Step, Sweep, spread, steps, sweeps};
use super::{Angle, Circuit, CircuitError, Complex};
use crate::simulator::buffer::Buffer;
use crate::simulator::lanes::{Kernel, Lanes};
use crate::simulator::team::{self, Barrier, share};
use crate::simulator::{Isa, Real};

/// The amplitudes of some qubits; qubit 0 is the most significant bit of an index.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    qubits: usize,
    /// The amplitudes.
    pub amplitudes: Vec<Complex>,
}

impl State {
    /// All qubits in |0⟩.
    #[must_use]
    pub fn zero(qubits: usize) -> Self {
        let mut amplitudes = vec![Complex::ZERO; 1 << qubits];
        amplitudes[0] = Complex::ONE;
        Self { qubits, amplitudes }
    }

    /// The probabilities of the basis states.
    #[must_use]
    pub fn probabilities(&self) -> Vec<f64> {
        self.amplitudes.iter().map(|a| a.norm()).collect()
    }

    /// Applies a matrix to a qubit: for noise, whose matrices are no gates.
    pub(super) fn apply_to_qubit(&mut self, m: &Matrix, qubit: usize) {
        let half = 1 << (self.qubits - 1 - qubit);
        for pair in self.amplitudes.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (m[0][0] * *a + m[0][1] * *b, m[1][0] * *a + m[1][1] * *b);
            }
        }
    }
}

/// Parts in which sums are kept, at most: enough for any number of threads that is worth it.
const CHUNKS: usize = 16;

/// A circuit made ready to be run with many angles.
#[derive(Clone, Debug)]
pub struct Compiled {
    qubits: usize,
    angles: usize,
    threads: usize,
    isa: Isa,
    steps: Vec<Step>,
    sweeps: Vec<Sweep>,
}

fn adjoint(m: &Matrix) -> Matrix {
    [[m[0][0].conj(), m[1][0].conj()], [m[0][1].conj(), m[1][1].conj()]]
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|r| std::array::from_fn(|c| a[r][0] * b[0][c] + a[r][1] * b[1][c]))
}

const IDENTITY: Matrix = [[Complex::ONE, Complex::ZERO], [Complex::ZERO, Complex::ONE]];

impl Compiled {
    /// Checks a circuit and makes it ready.
    ///
    /// # Errors
    /// What [`Circuit::check`] finds.
    pub fn new(circuit: &Circuit) -> Result<Self, CircuitError> {
        circuit.check()?;
        let steps = steps(circuit);
        let sweeps = sweeps(&steps, circuit.qubits);
        let (qubits, angles) = (circuit.qubits, circuit.angles);
        Ok(Self { qubits, angles, threads: 1, isa: Isa::detect(), steps, sweeps })
    }

    /// The same on so many threads. Results do not depend on their number.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: threads.clamp(1, self.chunks()), ..self }
    }

    /// The same with these instructions.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa, ..self }
    }

    /// The state for these angles.
    ///
    /// # Panics
    /// When there are not as many angles as the circuit has.
    #[must_use]
    pub fn run(&self, angles: &[f64]) -> State {
        assert_eq!(angles.len(), self.angles, "one number for each free angle");
        self.after(State::zero(self.qubits), angles)
    }

    /// The state after the circuit, which has no free angles, from another one.
    pub(super) fn continue_from(&self, state: State) -> State {
        self.after(state, &[])
    }

    fn after(&self, mut state: State, angles: &[f64]) -> State {
        let matrices: Vec<Matrix> = self.steps.iter().map(|step| matrix(&step.gates, angles)).collect();
        let parts: Vec<_> = self.steps.iter().map(|step| parts(step, angles)).collect();
        let shared = Forward {
            circuit: self,
            matrices: &matrices,
            parts: &parts,
            psi: state.amplitudes.as_mut_ptr(),
            barrier: &Barrier::new(self.threads),
            me: 0,
        };
        team::run(self.threads, |me| f64::dispatch(self.isa, shared.of(me)));
        state
    }

    /// The derivatives by the angles of a function `L` of the state `psi` that [`Compiled::run`] gave, by undoing the
    /// circuit. `cotangent` holds `∂L/∂Re ψ + i ∂L/∂Im ψ`.
    ///
    /// # Panics
    /// When lengths do not fit.
    #[must_use]
    pub fn gradient(&self, angles: &[f64], mut psi: State, cotangent: &[Complex]) -> Vec<f64> {
        assert_eq!(angles.len(), self.angles, "one number for each free angle");
        assert_eq!(psi.amplitudes.len(), 1 << self.qubits, "a state of the circuit's qubits");
        assert_eq!(cotangent.len(), psi.amplitudes.len(), "one derivative for each amplitude");
        let mut lambda = cotangent.to_vec();
        let matrices: Vec<Matrix> =
            self.steps.iter().map(|step| adjoint(&matrix(&step.gates, angles))).collect();
        let mut sums = vec![[[Complex::ZERO; 2]; 2]; self.chunks() * self.steps.len()];
        let shared = Backward {
            circuit: self,
            matrices: &matrices,
            vectors: (psi.amplitudes.as_mut_ptr(), lambda.as_mut_ptr()),
            sums: sums.as_mut_ptr(),
            barrier: &Barrier::new(self.threads),
            me: 0,
        };
        team::run(self.threads, |me| f64::dispatch(self.isa, shared.of(me)));
        let mut gradient = vec![0.0; self.angles];
        for (at, step) in self.steps.iter().enumerate().filter(|(_, step)| trained(step)) {
            let mut sum = [[Complex::ZERO; 2]; 2];
            for part in sums[at..].iter().step_by(self.steps.len()) {
                (0..4).for_each(|k| sum[k / 2][k % 2] += part[k / 2][k % 2]);
            }
            derivatives(step, angles, &sum, &mut gradient);
        }
        gradient
    }

    /// Bits of the number of a tile.
    fn tiles(&self) -> usize {
        self.qubits - self.sweeps.first().map_or(self.qubits, |sweep| sweep.bits.len())
    }

    /// Parts of the tiles. They depend on the circuit alone, so that results do not depend on threads.
    fn chunks(&self) -> usize {
        (1 << self.tiles()).min(CHUNKS)
    }
}

/// The matrix of gates, the first one first.
fn matrix(gates: &[Gate], angles: &[f64]) -> Matrix {
    // Swaps have become other gates.
    let mut matrices = gates.iter().filter_map(|gate| gate.matrix(angles));
    let first = matrices.next().unwrap_or(IDENTITY);
    matrices.fold(first, |all, m| product(&m, &all))
}

/// The matrix of a step as a real one and a diagonal one after it, if its gates are such.
fn parts(step: &Step, angles: &[f64]) -> Option<(Matrix, Matrix)> {
    let diagonal = step.gates.iter().rev().take_while(|gate| gate.is_diagonal()).count();
    let (real, diagonal) = step.gates.split_at(step.gates.len() - diagonal);
    let both = !real.is_empty() && !diagonal.is_empty() && real.iter().all(|gate| gate.is_real());
    both.then(|| (matrix(real, angles), matrix(diagonal, angles)))
}

/// Whether a step has a free angle.
fn trained(step: &Step) -> bool {
    step.gates.iter().flat_map(|gate| gate.angles()).any(|angle| matches!(angle, Angle::Free(_)))
}

/// Adds the derivatives by a step's angles: `Re Σ (∂U/∂θ)_ab E_ab`, where one of the gates that U consists of is
/// replaced by its derivative.
fn derivatives(step: &Step, angles: &[f64], sum: &Matrix, gradient: &mut [f64]) {
    for (at, gate) in step.gates.iter().enumerate() {
        for (which, angle) in gate.angles().into_iter().enumerate() {
            let (Angle::Free(free), Some(derivative)) = (angle, gate.derivative(which, angles)) else {
                continue;
            };
            let (before, after) = (matrix(&step.gates[..at], angles), matrix(&step.gates[at + 1..], angles));
            let all = product(&after, &product(&derivative, &before));
            for (row, sums) in all.iter().zip(sum) {
                for (d, e) in row.iter().zip(sums) {
                    gradient[free] += (*d * *e).re;
                }
            }
        }
    }
}

/// A step in the tiles of a sweep.
struct Placed {
    step: usize,
    target: Place,
    /// The controls among the tile's bits, by their places there.
    inside: usize,
    /// The other ones, as a mask.
    outside: usize,
    diagonal: bool,
    real: bool,
    trained: bool,
}

/// Where a step's bit is.
#[derive(Clone, Copy)]
enum Place {
    Inside(usize),
    Outside(usize),
}

impl Placed {
    /// The act on the tile that starts at amplitude `start`; `None` if a control is 0 there.
    fn act<'a>(&self, start: usize, matrix: &'a Matrix) -> Option<Act<'a>> {
        let target = match self.target {
            Place::Inside(bit) => Target::Bit(bit),
            Place::Outside(bit) => Target::Value(start >> bit & 1),
        };
        let Self { inside: controls, diagonal, real, .. } = *self;
        (start & self.outside == self.outside).then_some(Act { matrix, target, controls, diagonal, real })
    }
}

/// A sweep made ready.
struct Ready {
    placed: Vec<Placed>,
    /// Bits of a tile's index.
    bits: usize,
    /// The bits of the tiles' numbers in an amplitude's index.
    outer: Vec<usize>,
    /// Where a tile's pieces start, from its start, in amplitudes.
    pieces: Vec<usize>,
    /// Amplitudes in a piece.
    piece: usize,
}

impl Ready {
    fn new(circuit: &Compiled, sweep: &Sweep) -> Self {
        let bits = &sweep.bits;
        let place = |bit| bits.iter().position(|&b| b == bit);
        let placed = sweep.steps.iter().map(|&number| {
            let step = &circuit.steps[number];
            let controls = || (0..circuit.qubits).filter(|bit| step.controls >> bit & 1 == 1);
            Placed {
                step: number,
                target: place(step.bit).map_or(Place::Outside(step.bit), Place::Inside),
                inside: controls().filter_map(place).map(|at| 1 << at).sum(),
                outside: controls().filter(|&bit| place(bit).is_none()).map(|bit| 1 << bit).sum(),
                diagonal: step.diagonal(),
                real: step.real(),
                trained: trained(step),
            }
        });
        let together = bits.iter().enumerate().take_while(|(at, bit)| at == *bit).count();
        Self {
            placed: placed.collect(),
            bits: bits.len(),
            outer: (0..circuit.qubits).filter(|bit| !bits.contains(bit)).collect(),
            pieces: (0..1 << (bits.len() - together)).map(|piece| spread(piece, &bits[together..])).collect(),
            piece: 1 << together,
        }
    }

    /// Copies a tile out of a vector.
    ///
    /// # Safety
    /// The tile is one of the vector's, and `to` holds it.
    unsafe fn load(&self, from: *const Complex, start: usize, to: *mut f64) {
        for (at, offset) in self.pieces.iter().enumerate() {
            // SAFETY: the caller's promise; a complex number is two numbers.
            unsafe {
                let to = to.add(2 * at * self.piece);
                std::ptr::copy_nonoverlapping(from.add(start + offset).cast(), to, 2 * self.piece);
            }
        }
    }

    /// Copies a tile back.
    ///
    /// # Safety
    /// As above, and no other thread works on the tile.
    unsafe fn store(&self, from: *const f64, to: *mut Complex, start: usize) {
        for (at, offset) in self.pieces.iter().enumerate() {
            // SAFETY: as above.
            unsafe {
                let from = from.add(2 * at * self.piece);
                std::ptr::copy_nonoverlapping(from, to.add(start + offset).cast(), 2 * self.piece);
            }
        }
    }
}

/// Room for a tile, which takes a register at least.
fn room<S: Lanes<f64>>(bits: usize) -> (Buffer<f64>, usize) {
    let bits = bits.max(S::LOG - 1);
    (Buffer::new(2 << bits), bits)
}

/// A run through the circuit by one of several threads.
#[derive(Clone, Copy)]
struct Forward<'a> {
    circuit: &'a Compiled,
    matrices: &'a [Matrix],
    /// Those of steps that are a real one and a diagonal one.
    parts: &'a [Option<(Matrix, Matrix)>],
    psi: *mut Complex,
    barrier: &'a Barrier,
    me: usize,
}

// SAFETY: between two barriers threads work on different tiles, which have no amplitude in common.
unsafe impl Sync for Forward<'_> {}

impl Forward<'_> {
    fn of(&self, me: usize) -> Self {
        Self { me, ..*self }
    }
}

impl Kernel<f64> for Forward<'_> {
    #[inline(always)]
    fn run<S: Lanes<f64>>(self, simd: S) {
        let circuit = self.circuit;
        let tiles = share(1 << circuit.tiles(), circuit.threads, self.me);
        for sweep in &circuit.sweeps {
            let ready = Ready::new(circuit, sweep);
            let (mut room, bits) = room::<S>(ready.bits);
            let psi = room.as_mut_slice().as_mut_ptr();
            let mut group = Group::new::<S>(bits);
            for tile in tiles.clone() {
                let start = spread(tile, &ready.outer);
                // SAFETY: the tile is one of the state's and this thread's, and there is room for it.
                let held = unsafe {
                    ready.load(self.psi, start, psi);
                    std::slice::from_raw_parts(psi, 2 << bits)
                };
                // Gates leave nothing of nothing, which most tiles of a basis state are.
                if held.iter().all(|x| *x == 0.0) {
                    continue;
                }
                for placed in &ready.placed {
                    let Some(act) = placed.act(start, &self.matrices[placed.step]) else { continue };
                    let parts = self.parts[placed.step].as_ref();
                    if group.take(&act, parts) {
                        continue;
                    }
                    // SAFETY: the acts' bits are those of the tile.
                    unsafe {
                        group.apply(simd, psi);
                        if !group.take(&act, parts) {
                            apply(simd, &act, psi, bits);
                        }
                    }
                }
                // SAFETY: as above.
                unsafe { group.apply(simd, psi) };
                // SAFETY: as above.
                unsafe { ready.store(psi, self.psi, start) };
            }
            self.barrier.wait();
        }
    }
}

/// A run back through the circuit by one of several threads.
#[derive(Clone, Copy)]
struct Backward<'a> {
    circuit: &'a Compiled,
    /// Those of the inverse steps.
    matrices: &'a [Matrix],
    vectors: (*mut Complex, *mut Complex),
    /// By chunk and step.
    sums: *mut Matrix,
    barrier: &'a Barrier,
    me: usize,
}

// SAFETY: as of `Forward`; sums of a chunk are those of the thread whose chunk it is.
unsafe impl Sync for Backward<'_> {}

impl Backward<'_> {
    fn of(&self, me: usize) -> Self {
        Self { me, ..*self }
    }
}

impl Kernel<f64> for Backward<'_> {
    #[inline(always)]
    fn run<S: Lanes<f64>>(self, simd: S) {
        let circuit = self.circuit;
        let chunks = share(circuit.chunks(), circuit.threads, self.me);
        for sweep in circuit.sweeps.iter().rev() {
            let ready = Ready::new(circuit, sweep);
            let (mut room_psi, bits) = room::<S>(ready.bits);
            let (mut room_lambda, _) = room::<S>(ready.bits);
            let psi = room_psi.as_mut_slice().as_mut_ptr();
            let lambda = room_lambda.as_mut_slice().as_mut_ptr();
            for chunk in chunks.clone() {
                for tile in share(1 << circuit.tiles(), circuit.chunks(), chunk) {
                    let start = spread(tile, &ready.outer);
                    // SAFETY: the tile is one of the vectors' and this thread's, and there is room for it.
                    unsafe {
                        ready.load(self.vectors.0, start, psi);
                        ready.load(self.vectors.1, start, lambda);
                    }
                    for placed in ready.placed.iter().rev() {
                        let Some(act) = placed.act(start, &self.matrices[placed.step]) else { continue };
                        // SAFETY: the act's bits are those of the tile; the sums are the chunk's.
                        unsafe {
                            if placed.trained {
                                let found = undo(simd, &act, (psi, lambda), bits);
                                let sum = &mut *self.sums.add(chunk * circuit.steps.len() + placed.step);
                                (0..4).for_each(|k| sum[k / 2][k % 2] += found[k / 2][k % 2]);
                            } else {
                                apply(simd, &act, psi, bits);
                                apply(simd, &act, lambda, bits);
                            }
                        }
                    }
                    // SAFETY: as above.
                    unsafe {
                        ready.store(psi, self.vectors.0, start);
                        ready.store(lambda, self.vectors.1, start);
                    }
                }
            }
            self.barrier.wait();
        }
    }
}
