//! The circuits of the variational solver: layers of RY rotations on all qubits, then controlled-Z gates between
//! neighbours. Their amplitudes are real, and everything about them is known before the angles are.

mod kernel;
mod pass;
mod plan;
mod rotation;
#[cfg(test)]
mod tests;

use self::kernel::{Backward, Forward};
use self::plan::Plan;
use self::rotation::Rotations;
use super::buffer::Buffer;
use super::{Isa, Real, team};

/// A brick circuit: `|ψ(θ)⟩ = Π_l CZ_l Π_q RY(θ_lq) |0…0⟩`. Qubit 0 is the most significant bit of an amplitude's
/// index. Angles are ordered by layer, then qubit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ansatz {
    /// Qubits.
    pub qubits: usize,
    /// Layers of rotations.
    pub layers: usize,
}

impl Ansatz {
    /// The number of angles.
    #[must_use]
    pub fn angles(&self) -> usize {
        self.qubits * self.layers
    }

    /// The number of amplitudes.
    #[must_use]
    pub fn amplitudes(&self) -> usize {
        1 << self.qubits
    }

    /// The pairs of qubits that are joined by controlled-Z gates after the rotations of a layer: (0,1), (2,3), ... in
    /// even layers, (1,2), (3,4), ... in odd ones; there the last qubit is joined to the first one if their number
    /// is even and more than two.
    #[must_use]
    pub fn pairs(&self, layer: usize) -> Vec<(usize, usize)> {
        let n = self.qubits;
        let mut pairs: Vec<_> = (layer % 2..n.saturating_sub(1)).step_by(2).map(|q| (q, q + 1)).collect();
        if layer % 2 == 1 && n.is_multiple_of(2) && n > 2 {
            pairs.push((n - 1, 0));
        }
        pairs
    }
}

/// Simulates a brick circuit: compiled once, run for any angles.
///
/// [`Simulator::state`] gives the amplitudes, [`Simulator::gradient`] the derivatives of any function of them by the
/// adjoint method, without keeping intermediate states. Results do not depend on the number of threads.
pub struct Simulator<T: Real> {
    ansatz: Ansatz,
    isa: Isa,
    threads: usize,
    plan: Plan<T>,
    rotations: Rotations,
    tangent: Vec<T>,
    /// The state, up to the frame: what the sweeps work on.
    psi: Buffer<T>,
    lambda: Buffer<T>,
    sums: Buffer<T>,
    /// The state.
    state: Vec<T>,
}

impl<T: Real> Simulator<T> {
    /// A simulator that uses so many threads and the widest instructions there are.
    #[must_use]
    pub fn new(ansatz: Ansatz, threads: usize) -> Self {
        Self::with_isa(ansatz, threads, Isa::detect())
    }

    /// A simulator that uses these instructions.
    #[must_use]
    pub fn with_isa(ansatz: Ansatz, threads: usize, isa: Isa) -> Self {
        let plan = Plan::new(&ansatz, isa);
        let (vectors, chunks) = (plan.room(), plan.chunks());
        Self {
            ansatz,
            isa,
            threads: threads.clamp(1, chunks),
            rotations: Rotations::default(),
            tangent: Vec::new(),
            psi: Buffer::new(vectors),
            lambda: Buffer::new(vectors),
            sums: Buffer::new(0),
            state: vec![T::default(); ansatz.amplitudes()],
            plan,
        }
    }

    /// The circuit.
    #[must_use]
    pub fn ansatz(&self) -> Ansatz {
        self.ansatz
    }

    /// The amplitudes for these angles.
    ///
    /// # Panics
    /// When there are not as many angles as the circuit has.
    pub fn state(&mut self, angles: &[f64]) -> &[T] {
        assert_eq!(angles.len(), self.ansatz.angles(), "one angle for each rotation");
        self.rotations.bind(&self.ansatz, angles, &self.plan.order);
        self.tangent.clear();
        self.tangent.extend(self.rotations.tangent.iter().map(|&t| T::of(t)));
        let psi = self.psi.as_mut_slice();
        psi.fill(T::default());
        psi[0] = T::of(1.0);
        let shared = Forward {
            plan: &self.plan,
            tangent: &self.tangent,
            scale: &self.rotations.scale_forward,
            psi: psi.as_mut_ptr(),
            barrier: &team::Barrier::new(self.threads),
            threads: self.threads,
            me: 0,
        };
        team::run(self.threads, |me| T::dispatch(self.isa, shared.of(me)));
        let frame = self.rotations.frame;
        let psi = self.psi.as_slice();
        for (index, amplitude) in self.state.iter_mut().enumerate() {
            let from = index ^ frame.x;
            let value = psi[self.plan.place(from)];
            *amplitude = if frame.sign(from) { -value } else { value };
        }
        &self.state
    }

    /// The derivatives by the angles of a function `L` of the last [`Simulator::state`], given its derivatives
    /// `dL/dψ` by the amplitudes.
    ///
    /// # Panics
    /// When the lengths are not those of the circuit, or there is no state since the last gradient.
    pub fn gradient(&mut self, cotangent: &[T], gradient: &mut [f64]) {
        assert_eq!(cotangent.len(), self.ansatz.amplitudes(), "one derivative for each amplitude");
        assert_eq!(gradient.len(), self.ansatz.angles(), "one derivative for each angle");
        assert_eq!(self.tangent.len(), gradient.len(), "the state comes before its gradient");
        let frame = self.rotations.frame;
        let lambda = self.lambda.as_mut_slice();
        if self.plan.bits > self.ansatz.qubits {
            lambda.fill(T::default());
        }
        for (index, &value) in cotangent.iter().enumerate() {
            let to = index ^ frame.x;
            lambda[self.plan.place(to)] = if frame.sign(to) { -value } else { value };
        }
        let (n, layers, chunks) = (self.ansatz.qubits, self.ansatz.layers, self.plan.chunks());
        if self.sums.as_slice().len() < chunks * layers * n {
            self.sums = Buffer::new(chunks * layers * n);
        }
        let shared = Backward {
            plan: &self.plan,
            tangent: &self.tangent,
            scale: &self.rotations.scale_backward,
            psi: self.psi.as_mut_slice().as_mut_ptr(),
            lambda: lambda.as_mut_ptr(),
            sums: self.sums.as_mut_slice().as_mut_ptr(),
            barrier: &team::Barrier::new(self.threads),
            threads: self.threads,
            me: 0,
        };
        team::run(self.threads, |me| T::dispatch(self.isa, shared.of(me)));
        let sums = self.sums.as_slice();
        for layer in 0..layers {
            for qubit in 0..n {
                let at = layer * n + n - 1 - qubit;
                let sum: f64 = (0..chunks).map(|chunk| sums[chunk * layers * n + at].wide()).sum();
                gradient[layer * n + qubit] = self.rotations.factor[at] * sum;
            }
        }
        // The sweep has undone the circuit.
        self.tangent.clear();
    }
}
