//! `quantum/htaac`: the variational solver.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::{DatasetWriter, Variable};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Port, Result, Spec};
use rayon::prelude::*;

use super::data::{graph, graph_port, mean};
use crate::graph::Graph;
use crate::htaac::{Constraints, Epoch, Gradient, Objective, Outcome, Problem, Settings, SolveError};
use crate::matrix::Spectrum;
use crate::resources::{Measured, Resources};

/// Trains the circuit.
pub(crate) struct Htaac;

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(crate = "flow_plugin::serde", rename_all = "snake_case")]
        enum $name { $($(#[$variant_doc])* $variant),* }
    };
}

choice!(
    /// Settings that go together.
    Preset {
        /// The rule without tuning: the collision loss.
        TuningFree,
        /// Those of the published example.
        Paper
    }
);
choice!(
    /// The constraints on the probabilities.
    LossKind {
        /// As published: strings of one or two Z, and population balancing.
        Authors,
        /// All strings of Z at once, as the probability that two measurements agree.
        Collision
    }
);
choice!(
    /// How W enters.
    ObjectiveKind {
        /// `α ψᵀWψ`.
        Linear,
        /// `Im⟨ψ|exp(iαW)|ψ⟩` as the Hadamard test measures it.
        HadamardExact,
        /// The same by simulating the ancilla's circuit, up to 8 qubits.
        HadamardCircuit
    }
);
choice!(
    /// How gradients are found.
    GradientKind {
        /// By undoing the circuit.
        Adjoint,
        /// By moving each angle, as hardware does.
        ParameterShift,
        /// By moving all angles at random.
        Spsa
    }
);
choice!(
    /// How long the circuit is.
    Depth {
        /// 1.1 angles for each amplitude.
        Standard,
        /// 1.55 angles for each amplitude.
        Deep
    }
);
choice!(
    /// What the angles steer.
    AnsatzKind {
        /// Layers of rotations and controlled-Z gates.
        Brick,
        /// No circuit: the amplitudes are trained themselves. For comparison.
        None
    }
);
choice!(
    /// The numbers amplitudes are held in.
    Precision {
        /// Single precision.
        F32,
        /// Double precision.
        F64
    }
);

/// When a run ends early.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct Plateau {
    /// Over so many epochs
    #[schemars(range(min = 1, max = 1_000_000))]
    epochs: usize,
    /// the loss has changed by less than this share of itself.
    #[schemars(range(min = 0, max = 1))]
    change: f64,
}

/// Parameters of `quantum/htaac`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct HtaacParams {
    /// What the other parameters are where they are left out.
    #[serde(default = "tuning_free")]
    preset: Preset,
    /// Runs from different start angles.
    #[serde(default = "restarts")]
    #[schemars(range(min = 1, max = 10_000))]
    restarts: usize,
    /// The seed of the first run's start angles; the others follow.
    #[serde(default)]
    seed: u64,
    /// The constraints on the probabilities.
    #[serde(default)]
    loss: Option<LossKind>,
    /// Weight of the constraints. Collision: at the start and at the end, in units of α |λ_min(W)|.
    #[serde(default)]
    weight: Option<[f64; 2]>,
    /// Weight of the authors' strings of Z, in units of α over their number.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1e9))]
    coefficient: Option<f64>,
    /// Divides the differences of degrees in the authors' population balancing.
    #[serde(default)]
    #[schemars(range(min = 1e-6, max = 1e9))]
    regulariser: Option<f64>,
    /// How W enters.
    #[serde(default)]
    objective: Option<ObjectiveKind>,
    /// The factor in front of W; 0.7 over its norm if left out.
    #[serde(default)]
    #[schemars(range(min = 1e-9, max = 1e9))]
    alpha: Option<f64>,
    /// How gradients are found.
    #[serde(default = "adjoint")]
    gradient: GradientKind,
    /// What the angles steer.
    #[serde(default = "brick")]
    ansatz: AnsatzKind,
    /// How long the circuit is, if `layers` does not say it.
    #[serde(default = "standard")]
    depth: Depth,
    /// Layers of rotations.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    layers: Option<usize>,
    /// Steps of the optimiser.
    #[serde(default = "epochs")]
    #[schemars(range(max = 1_000_000))]
    epochs: usize,
    /// Step length.
    #[serde(default)]
    #[schemars(range(min = 1e-9, max = 10))]
    rate: Option<f64>,
    /// Ends a run early.
    #[serde(default)]
    plateau: Option<Plateau>,
    /// The numbers amplitudes are held in.
    #[serde(default = "f32")]
    precision: Precision,
}

fn tuning_free() -> Preset {
    Preset::TuningFree
}

fn restarts() -> usize {
    5
}

fn adjoint() -> GradientKind {
    GradientKind::Adjoint
}

fn brick() -> AnsatzKind {
    AnsatzKind::Brick
}

fn standard() -> Depth {
    Depth::Standard
}

fn epochs() -> usize {
    300
}

fn f32() -> Precision {
    Precision::F32
}

const DOC: &str = "\
The signs of the vertices are those of the amplitudes of a real state of `⌈log₂ N⌉` qubits, prepared by layers of \
rotations and controlled-Z gates. The angles are trained (Adam, 300 epochs) to make `Im⟨ψ|exp(iαW)|ψ⟩` small, which a \
Hadamard test measures on one ancilla, while the probabilities of the vertices are kept even.

The default needs no tuning: the collision loss `2ⁿ Σ (p_i - t_i)²`, its weight growing from 0.05 to 0.5 times \
`α |λ_min(W)|`, `α = 0.7 / ‖W‖`, step length 0.02 falling to zero as a cosine, and about as many angles as amplitudes. \
`preset: paper` is the published example: strings of one or two Z, α = 0.01, 240 layers, AMSGrad with 0.01; set \
`coefficient` and `regulariser` by family (100 and 1.2 on tori, 100 and 3 on planar unions, 50 and 3 on those with \
signs).

`cut_last` is what counts; `cut_best` is the best of all epochs, which only someone knows who looks at every one.

This is a simulation: a run holds two states of 2ⁿ numbers. With fewer angles than amplitudes the circuit cannot \
reach most states, and a warning says so.";

impl HtaacParams {
    fn settings(&self, graph: &Graph) -> Settings {
        let paper = self.preset == Preset::Paper;
        let loss = self.loss.unwrap_or(if paper { LossKind::Authors } else { LossKind::Collision });
        let default = Settings::default();
        let constraints = match loss {
            LossKind::Authors => Constraints::Authors {
                coefficient: self.coefficient.unwrap_or(100.0),
                regulariser: self.regulariser.unwrap_or(1.2),
            },
            LossKind::Collision => {
                self.weight.map_or(Constraints::Collision { start: 0.05, end: 0.5 }, |[start, end]| {
                    Constraints::Collision { start, end }
                })
            }
        };
        let objective = self.objective.unwrap_or(if paper {
            ObjectiveKind::Linear
        } else {
            ObjectiveKind::HadamardExact
        });
        let density = match self.depth {
            Depth::Standard => 1.1,
            Depth::Deep => 1.55,
        };
        let layers = if paper { 240 } else { Problem::layers(graph, density) };
        Settings {
            circuit: self.ansatz == AnsatzKind::Brick,
            layers: self.layers.unwrap_or(layers),
            objective: match objective {
                ObjectiveKind::Linear => Objective::Linear,
                ObjectiveKind::HadamardExact => Objective::HadamardExact,
                ObjectiveKind::HadamardCircuit => Objective::HadamardCircuit,
            },
            constraints,
            alpha: self.alpha.or(paper.then_some(0.01)),
            gradient: match self.gradient {
                GradientKind::Adjoint => Gradient::Adjoint,
                GradientKind::ParameterShift => Gradient::ParameterShift,
                GradientKind::Spsa => Gradient::Spsa,
            },
            epochs: self.epochs,
            rate: self.rate.unwrap_or(if paper { 0.01 } else { default.rate }),
            decay: !paper,
            amsgrad: paper,
            plateau: self.plateau.map(|p| (p.epochs, p.change)),
        }
    }
}

/// States of more qubits are run one after the other, with all threads.
const TOGETHER: usize = 12;

/// Seconds between checkpoints of a run.
const INTERVAL: f64 = 10.0;

/// The states of all runs, which make up one checkpoint.
struct Keeper {
    states: Mutex<Vec<Vec<u8>>>,
    /// Epochs done, all runs together.
    done: AtomicU64,
}

impl Keeper {
    /// What an earlier attempt left behind, or nothing yet.
    fn resume(context: &Context, runs: usize) -> Result<Self> {
        let mut states = vec![Vec::new(); runs];
        let mut done = 0;
        if let Some(state) = context.resume()? {
            let mut rest = state.bytes.as_slice();
            for slot in &mut states {
                let Some((length, after)) = rest.split_first_chunk::<8>() else { break };
                let Some((bytes, after)) = after.split_at_checked(u64::from_le_bytes(*length) as usize)
                else {
                    break;
                };
                *slot = bytes.to_vec();
                rest = after;
            }
            done = state.step;
            context.note(format!("going on from epoch {done} of all runs"));
        }
        Ok(Self { states: Mutex::new(states), done: AtomicU64::new(done) })
    }

    fn of(&self, run: usize) -> Vec<u8> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)[run].clone()
    }

    /// Replaces the state of a run, and saves them all.
    fn save(&self, context: &Context, run: usize, state: Vec<u8>) -> Result<()> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states[run] = state;
        let pieces = states.iter().flat_map(|s| [(s.len() as u64).to_le_bytes().to_vec(), s.clone()]);
        context.save(self.done.load(Ordering::Relaxed), &pieces.collect::<Vec<_>>().concat())
    }
}

/// One run with its checkpoints.
fn run(
    context: &Context,
    problem: &Problem<'_>,
    params: &HtaacParams,
    restart: usize,
    keeper: &Keeper,
) -> Result<Outcome> {
    let qubits = problem.ansatz().qubits;
    let threads = if qubits > TOGETHER { context.threads() } else { 1 };
    let kept = keeper.of(restart);
    let bytes = (!kept.is_empty()).then_some(kept.as_slice());
    let (mut saved, mut failed) = (Instant::now(), None);
    let total = (params.restarts * params.epochs) as u64;
    let mut each = |epoch: &Epoch, number: usize, save: &dyn Fn() -> Vec<u8>| {
        let now = keeper.done.fetch_add(1, Ordering::Relaxed) + 1;
        let message = format!("run {}: loss {:.4}, cut {}", restart + 1, epoch.value.loss, epoch.cut);
        context.progress(now.min(total), total, "epochs", &message);
        if restart == 0 {
            context.metric("loss", number as u64, epoch.value.loss);
            context.metric("cut", number as u64, epoch.cut);
        }
        let cancelled = context.is_cancelled();
        // Finished runs are kept too, if their like takes long.
        let last = number == params.epochs && qubits > TOGETHER;
        if saved.elapsed().as_secs_f64() > INTERVAL || cancelled || last {
            saved = Instant::now();
            failed = keeper.save(context, restart, save()).err();
        }
        if cancelled || failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let seed = params.seed.wrapping_add(restart as u64);
    let outcome = match params.precision {
        Precision::F32 => problem.solve::<f32>(seed, threads, bytes, &mut each),
        Precision::F64 => problem.solve::<f64>(seed, threads, bytes, &mut each),
    };
    match (outcome, failed) {
        (_, Some(error)) => Err(error),
        (Err(SolveError::Stopped), None) => Err(Error::cancelled()),
        (Err(error @ SolveError::Beyond(_)), None) => Err(Error::bad_input(error.to_string())),
        (outcome, None) => Ok(outcome?),
    }
}

impl Operation for Htaac {
    type Params = HtaacParams;

    fn spec(&self) -> Spec {
        let states = Port::new("states", Kind::Dataset, "Amplitudes and angles at the end, and every epoch.")
            .of_type("quantum/states@1")
            .variable("amplitude", "f64", ["run", "state"], "1")
            .variable("angle", "f64", ["run", "angle"], "1")
            .variable("cut", "f64", ["run", "epoch"], "1")
            .variable("loss", "f64", ["run", "epoch"], "1");
        let metrics = "Cuts of the last and of the best epochs, the loss's parts, and what a quantum computer would \
                       need for a gradient.";
        Spec::new("htaac", 1, "Trains a simulated quantum circuit whose amplitudes' signs are a large cut.")
            .doc(DOC)
            .checkpoints()
            // Runs of hundreds of steps: signs of small amplitudes differ between instruction sets.
            .tolerance(5e-2)
            .input(graph_port("graph"))
            .output(states)
            .output(Port::new("metrics", Kind::Metrics, metrics))
    }

    fn check(&self, params: &HtaacParams) -> Vec<ParamProblem> {
        let mut problems = Vec::new();
        let mut problem = |at: &str, message: &str| {
            problems.push(ParamProblem { at: at.into(), message: message.into(), hint: None });
        };
        if params.weight.is_some_and(|[start, end]| !(start > 0.0 && end > 0.0)) {
            problem("weight", "both weights must be positive");
        }
        if params.ansatz == AnsatzKind::None && params.gradient == GradientKind::ParameterShift {
            problem("gradient", "without a circuit there are no angles to move; use `adjoint`");
        }
        problems
    }

    fn run(&self, params: HtaacParams, context: &Context) -> Result<()> {
        let graph = graph(context)?;
        let settings = params.settings(&graph);
        let problem = Problem { graph: &graph, settings: &settings };
        let ansatz = problem.ansatz();
        let (angles, amplitudes) = (problem.parameters(), ansatz.amplitudes());
        if angles < amplitudes {
            context.warn(format!(
                "{angles} angles cannot steer {amplitudes} amplitudes: the circuit reaches few states; give it {} layers",
                amplitudes.div_ceil(ansatz.qubits)
            ));
        }
        let keeper = Keeper::resume(context, params.restarts)?;
        let one = |restart| run(context, &problem, &params, restart, &keeper);
        let outcomes = if ansatz.qubits > TOGETHER {
            (0..params.restarts).map(one).collect::<Result<Vec<_>>>()?
        } else {
            (0..params.restarts).into_par_iter().map(one).collect::<Result<Vec<_>>>()?
        };
        write_states(context, &outcomes, settings.epochs + 1)?;
        write_summary(context, &graph, &problem, &outcomes)
    }
}

fn write_states(context: &Context, outcomes: &[Outcome], epochs: usize) -> Result<()> {
    let mut writer = DatasetWriter::create(context.output("states")?)?;
    let runs = outcomes.len();
    let mut write = |name: &str, dim: &str, long: &str, row: &dyn Fn(&Outcome) -> Vec<f64>| -> Result<()> {
        let values: Vec<f64> = outcomes.iter().flat_map(row).collect();
        let shape = [runs, values.len() / runs];
        Ok(writer.write(&Variable::new::<f64>(name, &["run", dim], &shape, "1", long), &values)?)
    };
    write("amplitude", "state", "amplitude", &|o| o.amplitudes.clone())?;
    write("angle", "angle", "trained number", &|o| o.angles.clone())?;
    // Epochs after an early end are missing.
    let series = |o: &Outcome, of: fn(&Epoch) -> f64| -> Vec<f64> {
        (0..epochs).map(|at| o.epochs.get(at).map_or(f64::NAN, of)).collect()
    };
    write("cut", "epoch", "cut of the amplitudes' signs", &|o| series(o, |e| e.cut))?;
    write("loss", "epoch", "loss", &|o| series(o, |e| e.value.loss))?;
    write("objective", "epoch", "part of the Hadamard test", &|o| series(o, |e| e.value.objective))?;
    write("penalty", "epoch", "part of the constraints", &|o| series(o, |e| e.value.penalty))?;
    write("padding", "epoch", "probability without vertex", &|o| series(o, |e| e.value.padding))?;
    write("spread", "epoch", "relative spread of probabilities", &|o| series(o, |e| e.value.spread))?;
    writer.finish()?;
    Ok(())
}

fn write_summary(
    context: &Context,
    graph: &Graph,
    problem: &Problem<'_>,
    outcomes: &[Outcome],
) -> Result<()> {
    let last = |o: &Outcome| o.epochs[o.epochs.len() - 1];
    let cuts: Vec<f64> = outcomes.iter().map(|o| last(o).cut).collect();
    let best = |o: &Outcome| o.epochs.iter().map(|e| e.cut).fold(f64::NEG_INFINITY, f64::max);
    let max = cuts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    context.note(format!(
        "{} runs: cut {:.1} on average, {max} at most",
        cuts.len(),
        mean(cuts.iter().copied())
    ));
    let settings = problem.settings;
    let norm = Spectrum::of(graph).norm();
    let alpha = settings.alpha.unwrap_or(if norm > 0.0 { 0.7 / norm } else { 0.7 });
    let measured = match settings.constraints {
        Constraints::Authors { .. } => Measured::Strings,
        Constraints::Collision { .. } => Measured::Collisions,
    };
    let resources = Resources::of(graph, problem.ansatz(), measured, alpha, norm);
    let of = |f: fn(&Epoch) -> f64| mean(outcomes.iter().map(|o| f(&last(o))));
    let metrics = json!({
        "seeds": outcomes.len(),
        "cut_last_mean": mean(cuts.iter().copied()),
        "cut_last_max": max,
        "cut_best_epoch_mean": mean(outcomes.iter().map(best)),
        "epochs": mean(outcomes.iter().map(|o| (o.epochs.len() - 1) as f64)),
        "loss": of(|e| e.value.loss),
        "objective": of(|e| e.value.objective),
        "penalty": of(|e| e.value.penalty),
        "padding": of(|e| e.value.padding),
        "spread": of(|e| e.value.spread),
        "alpha": alpha,
        "circuit": settings.circuit,
        "resources": resources,
    });
    Ok(write_metrics(context.output("metrics")?, &metrics)?)
}
