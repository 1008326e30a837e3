//! What is minimised: the objective of the Hadamard test plus constraints on the probabilities.

use super::ancilla::Ancilla;
use super::hadamard::Sine;
use super::walsh;
use crate::graph::Graph;
use crate::matrix::{Spectrum, Symmetric};
use crate::simulator::Real;

/// How `⟨ψ|W|ψ⟩` enters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// `α ψᵀWψ`.
    Linear,
    /// `Im⟨ψ|exp(iαW)|ψ⟩`, as the Hadamard test measures it.
    #[default]
    HadamardExact,
    /// The same by simulating the ancilla's circuit, up to 8 qubits.
    HadamardCircuit,
}

/// The constraints on the probabilities `p_i = ψ_i²`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Constraints {
    /// As published: strings of one or two Z, and a second Hadamard test that balances the population.
    Authors {
        /// Weight of the strings, in units of `α / number of strings`.
        coefficient: f64,
        /// Divides the differences of degrees in the second test.
        regulariser: f64,
    },
    /// `2ⁿ Σ (p_i - t_i)²` with equal targets on vertices and none on padding: all strings of Z at once.
    Collision {
        /// Weight at the start, in units of `α |λ_min(W)|`.
        start: f64,
        /// Weight at the end, in the same units.
        end: f64,
    },
}

/// The parts of the loss for some amplitudes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Value {
    /// What is minimised.
    pub loss: f64,
    /// The part of the objective.
    pub objective: f64,
    /// The part of the constraints.
    pub penalty: f64,
    /// Probability on amplitudes without vertex.
    pub padding: f64,
    /// Standard deviation of the vertices' probabilities over their mean.
    pub spread: f64,
}

enum Form<T> {
    Linear(Symmetric<T>),
    Exact(Sine<T>),
    Circuit(Box<Ancilla>),
}

/// The loss of a graph.
pub struct Loss<T> {
    vertices: usize,
    alpha: f64,
    form: Form<T>,
    constraints: Constraints,
    /// `|λ_min(W)|`.
    lowest: f64,
    /// Derivatives of the second Hadamard test by the probabilities.
    population: Vec<f64>,
    strings: f64,
    work: Vec<f64>,
}

/// The settings that a graph's spectrum decides: α so that the sine is still nearly straight.
const STRAIGHT: f64 = 0.7;

impl<T: Real> Loss<T> {
    /// The loss of `graph` on `2^qubits` amplitudes; `alpha` is `0.7 / ‖W‖` if not given.
    ///
    /// # Errors
    /// The circuit of the ancilla for more than 8 qubits.
    pub fn new(
        graph: &Graph,
        qubits: usize,
        objective: Objective,
        constraints: Constraints,
        alpha: Option<f64>,
    ) -> Result<Self, String> {
        let spectrum = Spectrum::of(graph);
        let matrix = Symmetric::<T>::of(graph);
        let alpha =
            alpha.unwrap_or(if spectrum.norm() > 0.0 { STRAIGHT / spectrum.norm() } else { STRAIGHT });
        // The series stays right a little beyond its bound, and the Lanczos method is a little below.
        let bound = (1.01 * spectrum.norm()).min(matrix.row_bound());
        let tolerance = if size_of::<T>() == 4 { 1e-7 } else { 1e-15 };
        let form = match objective {
            Objective::Linear => Form::Linear(matrix),
            Objective::HadamardExact => Form::Exact(Sine::new(matrix, alpha, bound, tolerance)),
            Objective::HadamardCircuit => Form::Circuit(Box::new(Ancilla::new(graph, qubits, alpha)?)),
        };
        let population = match constraints {
            Constraints::Authors { regulariser, .. } => {
                let most = (0..graph.vertices()).map(|v| graph.degree(v)).max().unwrap_or(0) as f64;
                let missing =
                    |i: usize| if i < graph.vertices() { most - graph.degree(i) as f64 } else { most };
                (0..1 << qubits).map(|i| libm::sin(-alpha * missing(i) / regulariser)).collect()
            }
            Constraints::Collision { .. } => Vec::new(),
        };
        Ok(Self {
            vertices: graph.vertices(),
            alpha,
            form,
            constraints,
            lowest: -spectrum.low,
            population,
            strings: (qubits * (qubits + 1) / 2) as f64,
            work: vec![0.0; 1 << qubits],
        })
    }

    /// The factor in front of W.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// How many amplitudes it takes.
    #[must_use]
    pub fn amplitudes(&self) -> usize {
        self.work.len()
    }

    /// The loss for amplitudes when the share `progress` of the run is done; its derivatives by the amplitudes go to
    /// `cotangent`.
    pub fn evaluate(&mut self, psi: &[T], progress: f64, cotangent: &mut [T]) -> Value {
        let mut value = Value { objective: self.objective(psi, cotangent), ..Value::default() };
        let n = self.vertices as f64;
        let (real, padded) = psi.split_at(self.vertices);
        value.padding = padded.iter().map(|a| a.wide() * a.wide()).sum();
        let mean = (1.0 - value.padding) / n;
        let variance = real.iter().map(|a| a.wide() * a.wide() - mean).map(|d| d * d).sum::<f64>() / n;
        value.spread = if mean > 0.0 { variance.sqrt() / mean } else { f64::INFINITY };
        value.penalty = self.constraints(psi, progress);
        for ((c, a), slope) in cotangent.iter_mut().zip(psi).zip(&self.work) {
            *c += T::of(2.0 * slope) * *a;
        }
        value.loss = value.objective + value.penalty;
        value
    }

    fn objective(&mut self, psi: &[T], cotangent: &mut [T]) -> f64 {
        let factor = match &mut self.form {
            Form::Linear(matrix) => {
                matrix.multiply(psi, cotangent);
                self.alpha
            }
            Form::Exact(sine) => {
                sine.apply(psi, cotangent);
                1.0
            }
            Form::Circuit(ancilla) => return ancilla.expectation(psi, cotangent),
        };
        let value = psi.iter().zip(&*cotangent).map(|(a, b)| a.wide() * b.wide()).sum::<f64>();
        let twice = T::of(2.0 * factor);
        cotangent.iter_mut().for_each(|c| *c = *c * twice);
        factor * value
    }

    /// The value of the constraints; their derivatives by the probabilities go to `self.work`.
    fn constraints(&mut self, psi: &[T], progress: f64) -> f64 {
        for (p, a) in self.work.iter_mut().zip(psi) {
            *p = a.wide() * a.wide();
        }
        match self.constraints {
            Constraints::Authors { coefficient, .. } => self.authors(coefficient),
            Constraints::Collision { start, end } => {
                let weight = self.alpha * self.lowest * start * libm::pow(end / start, progress);
                self.collision(weight)
            }
        }
    }

    fn collision(&mut self, weight: f64) -> f64 {
        let factor = weight * self.work.len() as f64;
        let target = 1.0 / self.vertices as f64;
        let (real, padded) = self.work.split_at_mut(self.vertices);
        let mut sum = 0.0;
        for (part, target) in [(real, target), (padded, 0.0)] {
            for p in part {
                let off = *p - target;
                sum += off * off;
                *p = 2.0 * factor * off;
            }
        }
        factor * sum
    }

    fn authors(&mut self, coefficient: f64) -> f64 {
        let weight = coefficient * self.alpha / self.strings;
        let mut value: f64 = self.work.iter().zip(&self.population).map(|(p, v)| p * v).sum();
        walsh::transform(&mut self.work);
        for (string, z) in self.work.iter_mut().enumerate() {
            if matches!(string.count_ones(), 1 | 2) {
                value += weight * *z * *z;
                *z *= 2.0 * weight;
            } else {
                *z = 0.0;
            }
        }
        walsh::transform(&mut self.work);
        self.work.iter_mut().zip(&self.population).for_each(|(slope, v)| *slope += v);
        value
    }

    /// Derivatives of the constraints by the probabilities: the diagonal part of the observable whose expectation
    /// value has the loss's derivatives at these amplitudes.
    pub fn observable(&mut self, psi: &[T], progress: f64) -> Vec<f64> {
        self.constraints(psi, progress);
        self.work.clone()
    }

    /// The objective plus the expectation value of a diagonal observable; `work` is as long as the amplitudes.
    pub fn expectation(&mut self, psi: &[T], diagonal: &[f64], work: &mut [T]) -> f64 {
        let constraints: f64 = psi.iter().zip(diagonal).map(|(a, d)| a.wide() * a.wide() * d).sum();
        self.objective(psi, work) + constraints
    }
}
