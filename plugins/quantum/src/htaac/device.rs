//! What runs circuits: a simulator that knows amplitudes, or what is left of them by noise and a number of shots.

use super::mixed::Mixed;
use super::model::Model;
use super::solver::Settings;
use super::{Loss, Reading, Value};
use crate::circuit::Noise;
use crate::matrix::dot;
use crate::random::Random;
use crate::shots::{ancilla, multinomial};
use crate::simulator::Real;
use crate::simulator::brick::Ansatz;

/// How often each circuit of a value of the loss is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shots {
    /// The Hadamard test of W.
    pub objective: usize,
    /// The second Hadamard test of the authors' loss.
    pub population: usize,
    /// The measurement of all qubits, which gives the constraints. At least two.
    pub constraints: usize,
}

/// The qubits up to which density matrices are held.
pub const NOISY_QUBITS: usize = 8;

/// The most bytes of density matrices that are kept for a gradient.
const KEPT: usize = 4 << 30;

/// Where values and derivatives of the loss come from.
pub(super) struct Device<T: Real> {
    model: Model<T>,
    mixed: Option<Mixed>,
    noise: Noise,
    shots: Option<Shots>,
    pub(super) loss: Loss<T>,
    /// The last amplitudes, without noise.
    psi: Vec<T>,
    /// The derivatives of the loss by them, where they are known.
    cotangent: Vec<T>,
    /// `sin(αW)`, row by row, for density matrices.
    matrix: Vec<f64>,
    keep: bool,
}

impl<T: Real> Device<T> {
    /// A device for these settings; `keep` where its adjoint gradient is wanted.
    ///
    /// # Errors
    /// Noise on more qubits than density matrices are held for.
    pub(super) fn new(
        settings: &Settings,
        ansatz: Ansatz,
        loss: Loss<T>,
        threads: usize,
        keep: bool,
    ) -> Result<Self, String> {
        let size = ansatz.amplitudes();
        let mut device = Self {
            model: Model::new(ansatz, settings.circuit, threads),
            mixed: None,
            noise: settings.noise,
            shots: settings.shots,
            loss,
            psi: vec![T::default(); size],
            cotangent: vec![T::default(); size],
            matrix: Vec::new(),
            keep,
        };
        // Wrong readings alone need no density matrix.
        if device.noise.depolarizing > 0.0 || device.noise.damping > 0.0 {
            if ansatz.qubits > NOISY_QUBITS {
                return Err(format!(
                    "noise of gates is simulated on density matrices of up to {NOISY_QUBITS} qubits, and this graph takes {}; \
                     wrong readings alone (`readout`) have no such limit",
                    ansatz.qubits
                ));
            }
            if keep && ansatz.layers.saturating_mul(8 * size * size) > KEPT {
                return Err(format!(
                    "the adjoint gradient with noise keeps a density matrix for each of {} layers, more than {} GB; \
                     use `gradient: spsa`, or fewer layers",
                    ansatz.layers,
                    KEPT >> 30
                ));
            }
            device.mixed = Some(Mixed::new(ansatz, &device.noise));
            device.matrix = device.objective_matrix(size);
        }
        Ok(device)
    }

    /// `sin(αW)`, column by column: derivatives of `ψᵀ sin(αW) ψ` are `2 sin(αW) ψ`.
    fn objective_matrix(&mut self, size: usize) -> Vec<f64> {
        let mut unit = vec![T::default(); size];
        let mut matrix = Vec::with_capacity(size * size);
        for i in 0..size {
            unit[i] = T::of(1.0);
            self.loss.objective(&unit, &mut self.cotangent);
            unit[i] = T::default();
            matrix.extend(self.cotangent.iter().map(|c| 0.5 * c.wide()));
        }
        matrix
    }

    /// The amplitudes for the angles of the last [`Device::value`], without noise.
    pub(super) fn amplitudes(&mut self, angles: &[f64]) -> &[T] {
        if self.mixed.is_some() {
            self.prepare(angles);
        }
        &self.psi
    }

    fn prepare(&mut self, angles: &[f64]) {
        self.psi.copy_from_slice(self.model.state(angles));
    }

    /// The value of the loss. Shots are drawn from `random`.
    pub(super) fn value(&mut self, angles: &[f64], progress: f64, random: &mut Random) -> Value {
        if self.mixed.is_none() && self.shots.is_none() && self.noise.readout == 0.0 {
            self.prepare(angles);
            return self.loss.evaluate(&self.psi, progress, &mut self.cotangent);
        }
        let reading = self.reading(angles, random);
        self.loss.of_reading(&reading, progress)
    }

    /// Derivatives of the loss at the angles of the last [`Device::value`], by undoing the circuit. Of a device that
    /// is asked for shots there are none.
    pub(super) fn adjoint(&mut self, angles: &[f64], gradient: &mut [f64]) {
        if self.mixed.is_none() && self.noise.readout == 0.0 {
            return self.model.gradient(&self.cotangent, gradient);
        }
        // What is read is the probabilities, flipped at random; the flips' matrix is symmetric.
        let mut slopes = self.noise.read(self.loss.slopes().to_vec());
        let ancilla = self.ancilla();
        slopes.iter_mut().zip(self.loss.population_slopes()).for_each(|(slope, v)| *slope += ancilla * v);
        match &mut self.mixed {
            Some(mixed) => {
                let mut observable: Vec<f64> = self.matrix.iter().map(|m| ancilla * m).collect();
                let diagonal = observable.iter_mut().step_by(slopes.len() + 1);
                diagonal.zip(&slopes).for_each(|(entry, slope)| *entry += slope);
                mixed.gradient(observable, angles, gradient);
            }
            None => {
                self.loss.objective(&self.psi, &mut self.cotangent);
                for ((c, a), slope) in self.cotangent.iter_mut().zip(&self.psi).zip(&slopes) {
                    *c = T::of(ancilla) * *c + T::of(2.0 * slope) * *a;
                }
                self.model.gradient(&self.cotangent, gradient);
            }
        }
    }

    /// What is left of the ancilla's mean when it is read wrongly at times.
    fn ancilla(&self) -> f64 {
        1.0 - 2.0 * self.noise.readout
    }

    /// Derivatives of the loss by moved angles.
    ///
    /// The loss is not linear in expectation values, but its derivatives are those of the expectation value of an
    /// observable fixed at the present state: with the slopes of the constraints on its diagonal. From shots these are
    /// estimates whose means are right, since the slopes come from other shots than the moved states.
    pub(super) fn shift(
        &mut self,
        angles: &mut [f64],
        progress: f64,
        random: &mut Random,
        gradient: &mut [f64],
    ) {
        let here = self.reading(angles, random);
        self.loss.of_reading(&here, progress);
        let slopes = self.loss.slopes().to_vec();
        for (at, gradient) in gradient.iter_mut().enumerate() {
            let angle = angles[at];
            let mut expectation = |moved: f64| {
                angles[at] = moved;
                let there = self.reading(angles, random);
                there.objective + there.population + dot(&slopes, &there.probabilities)
            };
            let quarter = std::f64::consts::FRAC_PI_2;
            *gradient = 0.5 * (expectation(angle + quarter) - expectation(angle - quarter));
            angles[at] = angle;
        }
    }

    /// Derivatives of the loss from two states in a random direction.
    pub(super) fn spsa(
        &mut self,
        angles: &[f64],
        progress: f64,
        direction: &mut Random,
        random: &mut Random,
        gradient: &mut [f64],
    ) {
        // Differences of shots are noise over the step: a longer one, at the price of the third derivative.
        let step = if self.shots.is_some() { 0.1 } else { 0.01 };
        for g in gradient.iter_mut() {
            *g = direction.sign();
        }
        let mut at = |by: f64| {
            let moved: Vec<f64> = angles.iter().zip(&*gradient).map(|(x, d)| x + by * d).collect();
            self.value(&moved, progress, random).loss
        };
        let slope = (at(step) - at(-step)) / (2.0 * step);
        gradient.iter_mut().for_each(|g| *g *= slope);
    }

    /// What is measured for these angles.
    fn reading(&mut self, angles: &[f64], random: &mut Random) -> Reading {
        let (objective, probabilities): (f64, Vec<f64>) = if let Some(mixed) = &mut self.mixed {
            let state = mixed.state(angles, self.keep);
            (dot(&self.matrix, state), state.iter().step_by(self.psi.len() + 1).copied().collect())
        } else {
            self.prepare(angles);
            let objective = self.loss.objective(&self.psi, &mut self.cotangent);
            (objective, self.psi.iter().map(|a| a.wide() * a.wide()).collect())
        };
        let population = self.ancilla() * self.loss.population(&probabilities);
        let objective = self.ancilla() * objective;
        let probabilities = self.noise.read(probabilities);
        let Some(shots) = self.shots else {
            return Reading { objective, population, probabilities, shots: None };
        };
        let second = !self.loss.population_slopes().is_empty();
        let counts = multinomial(&probabilities, shots.constraints, random);
        Reading {
            objective: ancilla(objective, shots.objective, random),
            population: if second { ancilla(population, shots.population, random) } else { 0.0 },
            probabilities: counts.iter().map(|&c| c as f64 / shots.constraints as f64).collect(),
            shots: Some(shots.constraints),
        }
    }
}
