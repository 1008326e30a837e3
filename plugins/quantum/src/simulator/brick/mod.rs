//! The circuits of the variational solver: layers of RY rotations on all qubits, then controlled-Z gates between
//! neighbours. Their amplitudes are real, and everything about them is known before the angles are.

mod amplitudes;
mod kernel;
mod pass;
mod plan;
mod rotation;
#[cfg(test)]
mod tests;

use std::sync::{PoisonError, RwLock};

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
    /// By layer and bit.
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
        let (threads, isa, plan) = (self.threads, self.isa, &self.plan);
        let psi = Vector(self.psi.as_mut_slice().as_mut_ptr());
        let barrier = team::Barrier::new(threads);
        let bound = RwLock::new((&mut self.rotations, &mut self.tangent));
        let part = |me| amplitudes::part(self.ansatz.amplitudes(), threads, me);
        team::each(team::parts(&mut self.state, threads, part), |me, state| {
            if me == 0 {
                // Takes less time than the other threads take to start.
                let mut bound = bound.write().unwrap_or_else(PoisonError::into_inner);
                let (rotations, tangent) = &mut *bound;
                rotations.bind(&self.ansatz, angles, &plan.order, isa);
                tangent.clear();
                // Bits that are there for the kernels alone are not turned.
                for layer in rotations.tangent.chunks_exact(self.ansatz.qubits) {
                    tangent.extend(layer.iter().map(|&t| T::of(t)));
                    tangent.resize(tangent.len() + plan.bits - layer.len(), T::default());
                }
            }
            // SAFETY: threads begin different chunks.
            unsafe { plan.begin(team::share(plan.chunks(), threads, me), psi.start()) };
            barrier.wait();
            let bound = bound.read().unwrap_or_else(PoisonError::into_inner);
            let (rotations, tangent) = &*bound;
            let scale = &rotations.scale_forward;
            T::dispatch(
                isa,
                Forward { plan, tangent, scale, psi: psi.start(), barrier: &barrier, threads, me },
            );
            // SAFETY: the sweep has ended, for all threads.
            unsafe { amplitudes::take(plan, rotations.frame, psi.start(), part(me), state) };
        });
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
        let (threads, isa, plan) = (self.threads, self.isa, &self.plan);
        let (n, layers) = (self.ansatz.qubits, self.ansatz.layers);
        assert_eq!(self.tangent.len(), layers * plan.bits, "the state comes before its gradient");
        if plan.bits > n {
            self.lambda.as_mut_slice().fill(T::default());
        }
        if self.sums.as_slice().len() < plan.chunks() * layers * n {
            self.sums = Buffer::new(plan.chunks() * layers * n);
        }
        let psi = Vector(self.psi.as_mut_slice().as_mut_ptr());
        let lambda = Vector(self.lambda.as_mut_slice().as_mut_ptr());
        let sums = Vector(self.sums.as_mut_slice().as_mut_ptr());
        let barrier = team::Barrier::new(threads);
        let (rotations, tangent) = (&self.rotations, &self.tangent);
        let part = |me| {
            let layers = team::share(layers, threads, me);
            layers.start * n..layers.end * n
        };
        team::each(team::parts(gradient, threads, part), |me, gradient| {
            let mine = amplitudes::part(self.ansatz.amplitudes(), threads, me);
            // SAFETY: threads put different parts of the vector, before any works on it.
            unsafe { amplitudes::put(plan, rotations.frame, cotangent, mine, lambda.start()) };
            barrier.wait();
            let (psi, lambda, scale) = (psi.start(), lambda.start(), &rotations.scale_backward);
            let barrier = &barrier;
            T::dispatch(
                isa,
                Backward { plan, tangent, scale, psi, lambda, sums: sums.start(), barrier, threads, me },
            );
            gradient.fill(0.0);
            for chunk in 0..plan.chunks() {
                // SAFETY: there is a sum for each chunk and angle, and the sweep has ended, for all threads.
                let sums =
                    unsafe { std::slice::from_raw_parts(sums.start().add(chunk * layers * n), layers * n) };
                let sums = sums[part(me)].chunks_exact(n).flat_map(|layer| layer.iter().rev());
                gradient.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum.wide());
            }
            let factors = rotations.factor[part(me)].chunks_exact(n).flat_map(|layer| layer.iter().rev());
            gradient.iter_mut().zip(factors).for_each(|(total, factor)| *total *= factor);
        });
        // The sweep has undone the circuit.
        self.tangent.clear();
    }
}

/// The start of a vector that several threads work on: each on parts of its own between two barriers.
#[derive(Clone, Copy)]
struct Vector<T>(*mut T);

impl<T> Vector<T> {
    fn start(self) -> *mut T {
        self.0
    }
}

// SAFETY: who reaches through it says why no other thread reaches the same numbers.
unsafe impl<T: Send> Sync for Vector<T> {}
