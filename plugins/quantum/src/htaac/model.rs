//! What prepares the amplitudes: a circuit, or nothing.

use crate::simulator::Real;
use crate::simulator::brick::{Ansatz, Simulator};

/// How angles become amplitudes.
pub(super) enum Model<T: Real> {
    /// By a brick circuit.
    Circuit(Box<Simulator<T>>),
    /// Not at all: the numbers are the amplitudes, up to their length. What the circuit is worth shows beside this.
    Direct { state: Vec<T>, length: f64 },
}

impl<T: Real> Model<T> {
    pub(super) fn new(ansatz: Ansatz, circuit: bool, threads: usize) -> Self {
        if circuit {
            Self::Circuit(Box::new(Simulator::new(ansatz, threads)))
        } else {
            Self::Direct { state: vec![T::default(); ansatz.amplitudes()], length: 0.0 }
        }
    }

    /// The amplitudes.
    pub(super) fn state(&mut self, angles: &[f64]) -> &[T] {
        match self {
            Self::Circuit(simulator) => simulator.state(angles),
            Self::Direct { state, length } => {
                *length = crate::matrix::dot(angles, angles).sqrt().max(f64::MIN_POSITIVE);
                state.iter_mut().zip(angles).for_each(|(s, x)| *s = T::of(x / *length));
                state
            }
        }
    }

    /// Derivatives by the angles, given those by the amplitudes of the last state.
    pub(super) fn gradient(&mut self, cotangent: &[T], gradient: &mut [f64]) {
        match self {
            Self::Circuit(simulator) => simulator.gradient(cotangent, gradient),
            Self::Direct { state, length } => {
                let along: f64 = cotangent.iter().zip(&*state).map(|(c, s)| c.wide() * s.wide()).sum();
                for ((g, c), s) in gradient.iter_mut().zip(cotangent).zip(&*state) {
                    *g = (c.wide() - along * s.wide()) / *length;
                }
            }
        }
    }
}
