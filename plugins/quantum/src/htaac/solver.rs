//! The variational loop.

use std::ops::ControlFlow;

use super::adam::Adam;
use super::device::{Device, Shots};
use super::{Constraints, Loss, Objective, Value};
use crate::circuit::Noise;
use crate::graph::Graph;
use crate::random::Random;
use crate::simulator::Real;
use crate::simulator::brick::Ansatz;

/// How gradients are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gradient {
    /// By undoing the circuit: two states, whatever the number of angles.
    #[default]
    Adjoint,
    /// By running the circuit with each angle moved by ± π/2, as hardware does: two states an angle.
    ParameterShift,
    /// By moving all angles at random at once (Spall 1992): two states, and noise.
    Spsa,
}

/// How a run goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whether a circuit prepares the amplitudes; without one they are trained themselves.
    pub circuit: bool,
    /// Layers of rotations.
    pub layers: usize,
    /// The objective.
    pub objective: Objective,
    /// The constraints.
    pub constraints: Constraints,
    /// The factor in front of W; from W's spectrum if not given.
    pub alpha: Option<f64>,
    /// How gradients are found.
    pub gradient: Gradient,
    /// How often each circuit is run; without, means and probabilities are known exactly.
    pub shots: Option<Shots>,
    /// Noise of the circuit that prepares the state, and of all readings.
    pub noise: Noise,
    /// Steps of the optimiser.
    pub epochs: usize,
    /// Step length.
    pub rate: f64,
    /// Lets the step length go to zero as a cosine.
    pub decay: bool,
    /// What is left of the mean squares of Adam after a step, β₂.
    pub beta2: f64,
    /// Adam with AMSGrad.
    pub amsgrad: bool,
    /// Ends a run when the loss has changed by less than this share of itself over so many epochs.
    pub plateau: Option<(usize, f64)>,
}

impl Default for Settings {
    /// The rule without tuning, for 800 vertices.
    fn default() -> Self {
        Self {
            circuit: true,
            layers: 240,
            objective: Objective::HadamardExact,
            constraints: Constraints::Collision { start: 0.015, end: 0.5 },
            alpha: None,
            gradient: Gradient::Adjoint,
            shots: None,
            noise: Noise::default(),
            epochs: 300,
            rate: 0.02,
            decay: true,
            beta2: 0.99,
            amsgrad: false,
            plateau: None,
        }
    }
}

impl Settings {
    /// Those of the authors' published example for the tori of 800 vertices (G11 to G13).
    #[must_use]
    pub fn published() -> Self {
        Self {
            objective: Objective::Linear,
            constraints: Constraints::Authors { coefficient: 100.0, regulariser: 1.2 },
            alpha: Some(0.01),
            rate: 0.01,
            decay: false,
            beta2: 0.999,
            amsgrad: true,
            ..Self::default()
        }
    }
}

/// A run that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SolveError {
    /// Something asked for is out of the simulator's reach.
    #[error("{0}")]
    Beyond(String),
    /// The checkpoint is not one of this run.
    #[error("the checkpoint does not belong to this run")]
    Checkpoint,
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

/// One epoch of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// The parts of the loss.
    pub value: Value,
    /// The cut of the amplitudes' signs.
    pub cut: f64,
}

/// What a run leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The epochs: before each step, and after the last one.
    pub epochs: Vec<Epoch>,
    /// The angles at the end.
    pub angles: Vec<f64>,
    /// The amplitudes at the end.
    pub amplitudes: Vec<f64>,
    /// Whether the run ended on a plateau.
    pub early: bool,
}

impl Outcome {
    /// The signs of the vertices: those of the amplitudes.
    #[must_use]
    pub fn signs(&self, vertices: usize) -> Vec<i8> {
        self.amplitudes.iter().take(vertices).map(|&a| if a < 0.0 { -1 } else { 1 }).collect()
    }
}

/// What is called after every epoch: with it, its number, and a function that makes a checkpoint. It may end the run.
pub type Watch<'a> = dyn FnMut(&Epoch, usize, &dyn Fn() -> Vec<u8>) -> ControlFlow<()> + 'a;

/// A graph and how it is to be solved.
pub struct Problem<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// The settings.
    pub settings: &'a Settings,
}

/// Qubits of the largest state that is simulated.
const MOST_QUBITS: usize = 28;

/// The first of the random streams of what is measured; those before are of start angles and directions.
const MEASURED: u64 = 1 << 32;

/// Layers of shallow circuits: enough to train small ones.
const FEWEST_LAYERS: f64 = 240.0;

/// Layers from which more angles than needed cost too much.
const MANY_LAYERS: f64 = 2400.0;

impl Problem<'_> {
    /// The number of qubits: the fewest that have an amplitude for each vertex, at least one.
    #[must_use]
    pub fn qubits(graph: &Graph) -> usize {
        (graph.vertices().next_power_of_two().trailing_zeros() as usize).max(1)
    }

    /// The layers of the default, times a factor; an even number.
    ///
    /// They give 2.34 angles an amplitude as far as 2,400 layers do, else 1.1, which is just enough.
    #[must_use]
    pub fn layers(graph: &Graph, factor: f64) -> usize {
        let qubits = Self::qubits(graph);
        let layers = |angles: f64| angles * (1_usize << qubits) as f64 / qubits as f64;
        let layers = layers(2.34).min(MANY_LAYERS).max(layers(1.1)).max(FEWEST_LAYERS);
        2 * (factor * layers / 2.0).round() as usize
    }

    /// The circuit.
    #[must_use]
    pub fn ansatz(&self) -> Ansatz {
        Ansatz { qubits: Self::qubits(self.graph), layers: self.settings.layers }
    }

    /// How many numbers are trained: the circuit's angles, or the amplitudes.
    #[must_use]
    pub fn parameters(&self) -> usize {
        if self.settings.circuit { self.ansatz().angles() } else { self.ansatz().amplitudes() }
    }

    /// The angles at the start: standard normal.
    #[must_use]
    pub fn start(&self, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed, 0);
        (0..self.parameters()).map(|_| random.normal()).collect()
    }

    /// Runs from the start angles of a seed, or from a checkpoint. `each` is called after every epoch with its number
    /// and a function that makes a checkpoint, and may end the run.
    ///
    /// # Errors
    /// More qubits than can be simulated; a checkpoint of another run; `each` asked to stop.
    pub fn solve<T: Real>(
        &self,
        seed: u64,
        threads: usize,
        checkpoint: Option<&[u8]>,
        each: &mut Watch<'_>,
    ) -> Result<Outcome, SolveError> {
        self.check()?;
        let start = State::new(self, self.start(seed));
        let mut state = match checkpoint {
            Some(bytes) => start.restored(bytes).ok_or(SolveError::Checkpoint)?,
            None => start,
        };
        self.run::<T>(&mut state, seed, threads, each)
    }

    /// Runs from these angles.
    ///
    /// # Errors
    /// As [`Problem::solve`].
    pub fn solve_from<T: Real>(&self, angles: Vec<f64>, threads: usize) -> Result<Outcome, SolveError> {
        self.check()?;
        let mut state = State::new(self, angles);
        self.run::<T>(&mut state, 0, threads, &mut |_, _, _| ControlFlow::Continue(()))
    }

    /// Bytes that a run holds at a time with amplitudes of so many bytes: vectors of the simulator, the loss and the
    /// Chebyshev series, probabilities, and the angles with what the optimiser and a checkpoint keep of them.
    #[must_use]
    pub fn bytes(&self, real: usize) -> usize {
        let states = self.ansatz().amplitudes().saturating_mul(7 * real + 2 * size_of::<f64>());
        states.saturating_add(self.parameters().saturating_mul(8 * size_of::<f64>()))
    }

    fn check(&self) -> Result<(), SolveError> {
        let (vertices, qubits) = (self.graph.vertices(), self.ansatz().qubits);
        if qubits > MOST_QUBITS {
            return Err(SolveError::Beyond(format!(
                "{vertices} vertices take {qubits} qubits; states of up to {MOST_QUBITS} are simulated"
            )));
        }
        let measured = self.settings.shots.is_some() || self.settings.noise != Noise::default();
        if measured && !self.settings.circuit {
            return Err(SolveError::Beyond("without a circuit there is nothing to measure".into()));
        }
        if self.settings.gradient == Gradient::Adjoint && self.settings.shots.is_some() {
            return Err(SolveError::Beyond(
                "the adjoint gradient undoes the circuit, which shots cannot; use moved angles or SPSA"
                    .into(),
            ));
        }
        Ok(())
    }

    fn run<T: Real>(
        &self,
        state: &mut State,
        seed: u64,
        threads: usize,
        each: &mut Watch<'_>,
    ) -> Result<Outcome, SolveError> {
        let settings = self.settings;
        let ansatz = self.ansatz();
        let adjoint = settings.gradient == Gradient::Adjoint;
        let loss = Loss::<T>::new(
            self.graph,
            ansatz.qubits,
            settings.objective,
            settings.constraints,
            settings.alpha,
        )
        .map_err(SolveError::Beyond)?;
        let mut device =
            Device::<T>::new(settings, ansatz, loss, threads, adjoint).map_err(SolveError::Beyond)?;
        let mut gradient = vec![0.0; self.parameters()];
        let mut amplitudes = Vec::new();
        let mut early = false;
        while state.epochs.len() <= settings.epochs {
            let epoch = state.epochs.len();
            let progress = epoch as f64 / settings.epochs.max(1) as f64;
            // Streams of an epoch: what is measured, and the direction of SPSA. So a run that goes on draws the same.
            let mut shots = Random::new(seed, MEASURED + epoch as u64);
            let value = device.value(&state.angles, progress, &mut shots);
            let psi = device.amplitudes(&state.angles);
            let cut = cut_of(self.graph, psi);
            state.epochs.push(Epoch { value, cut });
            early = settings.plateau.is_some_and(|(over, change)| state.rests(over, change));
            if epoch == settings.epochs || early {
                amplitudes = psi.iter().map(|a| a.wide()).collect();
                break;
            }
            match settings.gradient {
                Gradient::Adjoint => device.adjoint(&state.angles, &mut gradient),
                Gradient::ParameterShift => {
                    device.shift(&mut state.angles, progress, &mut shots, &mut gradient);
                }
                Gradient::Spsa => {
                    let mut direction = Random::new(seed, 1 + epoch as u64);
                    device.spsa(&state.angles, progress, &mut direction, &mut shots, &mut gradient);
                }
            }
            let share =
                if settings.decay { 0.5 + 0.5 * libm::cos(std::f64::consts::PI * progress) } else { 1.0 };
            state.adam.step(settings.rate * share, &gradient, &mut state.angles);
            let last = state.epochs[epoch];
            let save = || state.bytes();
            if each(&last, epoch + 1, &save).is_break() {
                return Err(SolveError::Stopped);
            }
        }
        Ok(Outcome {
            epochs: std::mem::take(&mut state.epochs),
            angles: std::mem::take(&mut state.angles),
            amplitudes,
            early,
        })
    }
}

/// The cut of the amplitudes' signs.
fn cut_of<T: Real>(graph: &Graph, psi: &[T]) -> f64 {
    let negative: Vec<bool> = psi.iter().take(graph.vertices()).map(|a| *a < T::default()).collect();
    let apart = |edge: &&crate::graph::Edge| negative[edge.from as usize] != negative[edge.to as usize];
    // An empty sum is negative zero.
    0.0 + graph.edges().iter().filter(apart).map(|edge| edge.weight).sum::<f64>()
}

/// What changes during a run.
#[derive(Clone)]
struct State {
    angles: Vec<f64>,
    adam: Adam,
    epochs: Vec<Epoch>,
}

impl State {
    fn new(problem: &Problem<'_>, angles: Vec<f64>) -> Self {
        let adam = Adam::new(angles.len(), problem.settings.beta2, problem.settings.amsgrad);
        Self { angles, adam, epochs: Vec::new() }
    }

    /// Whether the loss has changed by less than a share of itself over the last epochs.
    fn rests(&self, over: usize, change: f64) -> bool {
        let Some(before) = self.epochs.len().checked_sub(over + 1) else { return false };
        let (before, now) = (self.epochs[before].value.loss, self.epochs[self.epochs.len() - 1].value.loss);
        (now - before).abs() < change * now.abs()
    }

    fn bytes(&self) -> Vec<u8> {
        let epochs = self
            .epochs
            .iter()
            .flat_map(|Epoch { value: v, cut }| [v.loss, v.objective, v.penalty, v.padding, v.spread, *cut]);
        let numbers = [self.epochs.len() as f64].into_iter().chain(epochs);
        let numbers = numbers.chain(self.angles.iter().copied()).chain(self.adam.numbers());
        numbers.flat_map(f64::to_le_bytes).collect()
    }

    fn restored(self, bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let numbers: Vec<f64> = numbers.iter().map(|b| f64::from_le_bytes(*b)).collect();
        let (&count, numbers) = numbers.split_first().filter(|_| rest.is_empty())?;
        let (epochs, numbers) = numbers.split_at_checked(6 * count as usize)?;
        let (angles, numbers) = numbers.split_at_checked(self.angles.len())?;
        let epoch = |e: &[f64; 6]| {
            let [loss, objective, penalty, padding, spread, cut] = *e;
            Epoch { value: Value { loss, objective, penalty, padding, spread }, cut }
        };
        Some(Self {
            epochs: epochs.as_chunks::<6>().0.iter().map(epoch).collect(),
            angles: angles.to_vec(),
            adam: self.adam.restored(numbers)?,
        })
    }
}
