//! `quantum/htaac`: the variational solver.

mod params;
mod write;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Port, Result, Spec};
use rayon::prelude::*;

use super::data::{graph, graph_port};
use crate::htaac::{Epoch, Outcome, Problem, SolveError};
use params::{HtaacParams, Precision};
use write::{write_states, write_summary};

/// Trains the circuit.
pub(crate) struct Htaac;

const DOC: &str = "\
The signs of the vertices are those of the amplitudes of a real state of `⌈log₂ N⌉` qubits, prepared by layers of \
rotations and controlled-Z gates. The angles are trained (Adam, 300 epochs) to make `Im⟨ψ|exp(iαW)|ψ⟩` small, which a \
Hadamard test measures on one ancilla, while the probabilities of the vertices are kept even.

The default needs no tuning: the collision loss `2ⁿ Σ (p_i - t_i)²`, its weight growing from 0.015 `α ‖W‖` to 0.5 \
`α |λ_min(W)|`, `α` the smaller of `1 / |λ_min(W)|` and `1.8 / ‖W‖`, step length 0.02 falling to zero as a cosine, and 2.34 \
angles an amplitude as far as 2,400 layers give them, else 1.1. \
`preset: paper` is the published example: strings of one or two Z, α = 0.01, 240 layers, AMSGrad with 0.01; set \
`coefficient` and `regulariser` by family (100 and 1.2 on tori, 100 and 3 on planar unions, 50 and 3 on those with \
signs).

`cut_last` is what counts; `cut_best` is the best of all epochs, which only someone knows who looks at every one.

`shots` takes means and probabilities from so many measurements: signs of an ancilla, bit strings, and the share of \
pairs of them that agree. Gradients are then those that hardware has, `parameter_shift` (two values of the loss an \
angle) or `spsa` (two values). `noise` acts on the circuit that prepares the state and on the readings, not within \
`exp(iαW)`. The signs are always those of the amplitudes at the trained angles, without noise: reading them takes a \
phase reference and at least as many shots as vertices, which is not imitated.

This is a simulation: a run holds two states of 2ⁿ numbers. With fewer angles than amplitudes the circuit cannot \
reach most states, and a warning says so.";

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

/// Refuses states that the machine has no memory for.
fn fits(bytes: usize, qubits: usize, free: u64) -> Result<()> {
    if bytes as u64 <= free {
        return Ok(());
    }
    let gb = |bytes: f64| bytes / f64::from(1 << 30);
    Err(Error::bad_input(format!(
        "training on {qubits} qubits takes {:.1} GB, and {:.1} GB of memory are free",
        gb(bytes as f64),
        gb(free as f64)
    ))
    .hint("a machine with more memory, fewer layers, or `precision: f32`"))
}

/// The memory that is free, in bytes; without limit where the system does not tell.
fn free_memory() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = available.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib << 10)
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
        Spec::new("htaac", 4, "Trains a simulated quantum circuit whose amplitudes' signs are a large cut.")
            .doc(DOC)
            .checkpoints()
            // Runs of hundreds of steps: signs of small amplitudes differ between instruction sets.
            .tolerance(5e-2)
            .input(graph_port("graph"))
            .output(states)
            .output(Port::new("metrics", Kind::Metrics, metrics))
    }

    fn check(&self, params: &HtaacParams) -> Vec<ParamProblem> {
        params.check()
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
        let together = if ansatz.qubits > TOGETHER { 1 } else { context.threads().min(params.restarts) };
        fits(problem.bytes(params.precision.bytes()).saturating_mul(together), ansatz.qubits, free_memory())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_larger_than_memory_are_refused() {
        assert!(fits(1 << 30, 20, 1 << 30).is_ok());
        let error = fits(48 << 30, 28, 23 << 30).err();
        let message = error.map(|error| error.message).unwrap_or_default();
        assert_eq!(message, "training on 28 qubits takes 48.0 GB, and 23.0 GB of memory are free");
    }
}
