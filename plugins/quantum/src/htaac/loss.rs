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
        /// Weight at the start, in units of `α ‖W‖`.
        start: f64,
        /// Weight at the end, in units of `α |λ_min(W)|`.
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

/// What measurements of a state give, exactly or from shots.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The mean of the ancilla in the Hadamard test of W.
    pub objective: f64,
    /// That in the second test of the authors' loss; zero for other constraints.
    pub population: f64,
    /// The probabilities of the basis states, or their shares of the shots.
    pub probabilities: Vec<f64>,
    /// How many shots these are shares of: two at least.
    pub shots: Option<usize>,
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
    spectrum: Spectrum,
    /// Derivatives of the second Hadamard test by the probabilities.
    population: Vec<f64>,
    strings: f64,
    work: Vec<f64>,
}

impl<T: Real> Loss<T> {
    /// The loss of `graph` on `2^qubits` amplitudes; `alpha` is [`Spectrum::alpha`] if not given.
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
        let alpha = alpha.unwrap_or(spectrum.alpha());
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
            spectrum,
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
        let objective = self.objective(psi, cotangent);
        for (p, a) in self.work.iter_mut().zip(psi) {
            *p = a.wide() * a.wide();
        }
        let population = self.population(&self.work);
        let value = self.combine(objective, population, None, progress);
        for (slope, v) in self.work.iter_mut().zip(&self.population) {
            *slope += v;
        }
        for ((c, a), slope) in cotangent.iter_mut().zip(psi).zip(&self.work) {
            *c += T::of(2.0 * slope) * *a;
        }
        value
    }

    /// The loss of what was measured. Of a finite number of shots it is an unbiased estimate.
    pub fn of_reading(&mut self, reading: &Reading, progress: f64) -> Value {
        self.work.copy_from_slice(&reading.probabilities);
        self.combine(reading.objective, reading.population, reading.shots, progress)
    }

    /// After [`Loss::of_reading`]: the derivatives of the constraints by the probabilities, without population
    /// balancing.
    #[must_use]
    pub fn slopes(&self) -> &[f64] {
        &self.work
    }

    /// The second Hadamard test of the authors' loss, `Σ sin(αv_i) p_i`; zero for other constraints.
    #[must_use]
    pub fn population(&self, probabilities: &[f64]) -> f64 {
        self.population.iter().zip(probabilities).map(|(v, p)| v * p).sum()
    }

    /// Its derivatives by the probabilities; empty for other constraints.
    #[must_use]
    pub fn population_slopes(&self) -> &[f64] {
        &self.population
    }

    /// The parts of the loss together. `self.work` holds the probabilities, and then the constraints' slopes.
    fn combine(&mut self, objective: f64, population: f64, shots: Option<usize>, progress: f64) -> Value {
        let n = self.vertices as f64;
        let (real, padded) = self.work.split_at(self.vertices);
        let padding: f64 = padded.iter().sum();
        let mean = (1.0 - padding) / n;
        let variance = real.iter().map(|p| p - mean).map(|d| d * d).sum::<f64>() / n;
        let spread = if mean > 0.0 { variance.sqrt() / mean } else { f64::INFINITY };
        let penalty = population
            + match self.constraints {
                Constraints::Authors { coefficient, .. } => self.authors(coefficient, shots),
                Constraints::Collision { start, end } => {
                    let (start, end) = (start * self.spectrum.norm(), -end * self.spectrum.low);
                    // Without edges there is nothing to weigh.
                    let growth = if start > 0.0 { libm::pow(end / start, progress) } else { 0.0 };
                    let weight = self.alpha * start * growth;
                    self.collision(weight, shots)
                }
            };
        Value { loss: objective + penalty, objective, penalty, padding, spread }
    }

    /// The part of the Hadamard test; its derivatives by the amplitudes go to `cotangent`.
    pub fn objective(&mut self, psi: &[T], cotangent: &mut [T]) -> f64 {
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

    fn collision(&mut self, weight: f64, shots: Option<usize>) -> f64 {
        let factor = weight * self.work.len() as f64;
        let target = 1.0 / self.vertices as f64;
        let (mut sum, mut agree) = (0.0, 0.0);
        let (real, padded) = self.work.split_at_mut(self.vertices);
        for (part, target) in [(real, target), (padded, 0.0)] {
            for p in part {
                agree += *p * *p;
                let off = *p - target;
                sum += off * off;
                *p = 2.0 * factor * off;
            }
        }
        factor * (sum + bias(agree, shots))
    }

    fn authors(&mut self, coefficient: f64, shots: Option<usize>) -> f64 {
        let weight = coefficient * self.alpha / self.strings;
        let mut value = 0.0;
        walsh::transform(&mut self.work);
        for (string, z) in self.work.iter_mut().enumerate() {
            if matches!(string.count_ones(), 1 | 2) {
                value += weight * (*z * *z + bias(*z * *z, shots));
                *z *= 2.0 * weight;
            } else {
                *z = 0.0;
            }
        }
        walsh::transform(&mut self.work);
        value
    }
}

/// What makes the estimate of a sum of squares unbiased: in `Σ (Σ x / S)²` with `Σ x² = 1` in every shot, as for the signs
/// of one string or the bit strings seen, the terms of a shot with itself are taken out.
fn bias(square: f64, shots: Option<usize>) -> f64 {
    shots.map_or(0.0, |shots| (square - 1.0) / (shots as f64 - 1.0))
}
