//! What a running operation sees of the world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::checkpoint::State;
use crate::measure::cpu_seconds_with_programs;
use crate::protocol::{InputArtifact, Job, Number, Reply, Spent};
use crate::stop::{OnCancel, Stop};
use crate::{Checkpoints, Error, Result};

/// How much a log message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For the log only.
    Info,
    /// Shown to the user as it comes: what the work found, in a few lines.
    Note,
    /// Shown to the user, and repeated in the report.
    Warning,
}

/// One input artifact: where it lies, its kind, digest and coordinates.
pub type Input = InputArtifact;

type Send = dyn Fn(Reply) + std::marker::Send + Sync;

/// What a running operation sees of the world: inputs, outputs, seed, threads, checkpoints, and the means to
/// report progress and to notice that it should stop.
pub struct Context {
    job: Job,
    stop: Stop,
    send: Box<Send>,
    last_progress: Mutex<Option<Instant>>,
    started: Started,
    program_memory: AtomicU64,
}

/// From where the cost of a state is counted.
struct Started {
    at: Instant,
    cpu_s: f64,
    /// What had been spent on the state that the work goes on from.
    before: Mutex<Spent>,
}

/// Progress is reported at most this often; a terminal shows no more.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

impl Context {
    pub(crate) fn new(job: Job, stop: Stop, send: Box<Send>) -> Self {
        let started =
            Started { at: Instant::now(), cpu_s: cpu_seconds_with_programs(), before: Mutex::default() };
        let (last_progress, program_memory) = (Mutex::new(None), AtomicU64::new(0));
        Self { job, stop, send, last_progress, started, program_memory }
    }

    /// The node's name, such as `train[model=fno]`.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.job.node
    }

    /// The artifact connected to an input that takes one.
    ///
    /// # Errors
    /// When nothing is connected.
    pub fn input(&self, port: &str) -> Result<&Input> {
        self.optional_input(port)
            .ok_or_else(|| Error::failed(format!("nothing is connected to input `{port}`")))
    }

    /// The artifact connected to an optional input.
    #[must_use]
    pub fn optional_input(&self, port: &str) -> Option<&Input> {
        self.inputs(port).first()
    }

    /// The artifacts connected to an input that takes a collection, in matrix order.
    #[must_use]
    pub fn inputs(&self, port: &str) -> &[Input] {
        self.job.inputs.get(port).map_or(&[], Vec::as_slice)
    }

    /// Where to write an output: a path at which nothing exists yet, in a folder that exists.
    ///
    /// # Errors
    /// When the operation declares no such output.
    pub fn output(&self, port: &str) -> Result<&Path> {
        let path = self.job.outputs.get(port);
        path.map(PathBuf::as_path)
            .ok_or_else(|| Error::failed(format!("the operation declares no output `{port}`")))
    }

    /// By port: where every output goes.
    #[must_use]
    pub fn outputs(&self) -> &BTreeMap<String, PathBuf> {
        &self.job.outputs
    }

    /// The seed. Equal seeds give equal results, whatever the thread count.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.job.seed
    }

    /// How many threads to use. Rayon's global pool in the worker has this many.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.job.threads
    }

    /// Where checkpoints are kept, for operations that declare that they keep any and see to them themselves.
    /// Others use [`Context::save`] and [`Context::resume`].
    #[must_use]
    pub fn checkpoints(&self) -> Option<Checkpoints> {
        self.job.checkpoints.as_ref().map(Checkpoints::new)
    }

    /// The state to go on from, if there is one: the last checkpoint of this computation, or else the final
    /// state of a shorter one, where the operation is [extendable](crate::Spec::extendable). Tells the engine.
    ///
    /// # Errors
    /// When a folder of checkpoints cannot be read. What is damaged is passed over.
    pub fn resume(&self) -> Result<Option<State>> {
        let own = self.checkpoints().map(|own| own.last()).transpose()?.flatten();
        let shorter = match &self.job.continue_from {
            Some(folder) => {
                let found = Checkpoints::new(folder).last()?;
                if found.is_none() {
                    self.note("the state that it could go on from is damaged or gone: it starts afresh");
                }
                found
            }
            None => None,
        };
        let is_further = |own: &State| shorter.as_ref().is_none_or(|shorter| own.step >= shorter.step);
        let (state, shorter) = match own.filter(is_further) {
            Some(own) => (own, false),
            None => match shorter {
                Some(shorter) => (shorter, true),
                None => return Ok(None),
            },
        };
        *self.started.before.lock().unwrap_or_else(PoisonError::into_inner) = state.spent;
        (self.send)(Reply::Resumed { id: self.job.id, step: state.step, shorter, spent: state.spent });
        Ok(Some(state))
    }

    /// Saves a checkpoint: the state reached at a step. Does nothing where none are kept.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, step: u64, state: &[u8]) -> Result<()> {
        self.checkpoints().map_or(Ok(()), |checkpoints| checkpoints.save(step, self.spent(), state))
    }

    /// Whether the final state is wanted, for a longer computation to go on from.
    #[must_use]
    pub fn keeps_state(&self) -> bool {
        self.job.keep_state
    }

    /// Saves the final state, if it is wanted: see [`Context::keeps_state`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, step: u64, state: &[u8]) -> Result<()> {
        match self.checkpoints().filter(|_| self.keeps_state()) {
            Some(checkpoints) => checkpoints.keep(step, self.spent(), state),
            None => Ok(()),
        }
    }

    fn spent(&self) -> Spent {
        let before = *self.started.before.lock().unwrap_or_else(PoisonError::into_inner);
        Spent {
            cpu_s: before.cpu_s + cpu_seconds_with_programs() - self.started.cpu_s,
            wall_s: before.wall_s + self.started.at.elapsed().as_secs_f64(),
        }
    }

    /// Says how far the work has come, such as `(40, 100, "samples", "")`. Cheap enough to call often.
    pub fn progress(&self, done: u64, total: u64, unit: &str, message: &str) {
        let now = Instant::now();
        let mut last = self.last_progress.lock().unwrap_or_else(PoisonError::into_inner);
        if done < total && last.is_some_and(|then| now.duration_since(then) < PROGRESS_INTERVAL) {
            return;
        }
        *last = Some(now);
        (self.send)(Reply::Progress {
            id: self.job.id,
            done,
            total,
            unit: unit.to_owned(),
            message: message.to_owned(),
        });
    }

    /// Adds a point to a series that is shown live, recorded, and drawn in the report: a loss, a residual.
    pub fn metric(&self, name: &str, step: u64, value: f64) {
        (self.send)(Reply::Metric { id: self.job.id, name: name.to_owned(), step, value: Number(value) });
    }

    /// Writes a message to the node's log.
    pub fn info(&self, message: impl Into<String>) {
        self.log(Level::Info, message.into());
    }

    /// Tells the user what the work found or does, in a line.
    pub fn note(&self, message: impl Into<String>) {
        self.log(Level::Note, message.into());
    }

    /// Tells the user something that may spoil the result but does not end the work.
    pub fn warn(&self, message: impl Into<String>) {
        self.log(Level::Warning, message.into());
    }

    fn log(&self, level: Level, message: String) {
        (self.send)(Reply::Log { id: self.job.id, level, message });
    }

    /// Whether the engine has asked for the work to stop. Long work asks often, saves a checkpoint, and
    /// returns [`Error::cancelled`].
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.stop.is_asked()
    }

    /// Returns [`Error::cancelled`] if the engine has asked for the work to stop.
    ///
    /// # Errors
    /// When the work should stop.
    pub fn check_cancelled(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Calls a function, from another thread, when the engine asks for the work to stop; at once if it has
    /// asked already. For operations that wait for a program, and cannot ask often.
    pub fn on_cancel(&self, call: impl Fn() + std::marker::Send + 'static) -> OnCancel<'_> {
        self.stop.on_ask(Box::new(call))
    }

    /// Says how much memory, in bytes, a program that the operation has started held at most.
    pub fn program_held(&self, bytes: u64) {
        self.program_memory.fetch_max(bytes, Ordering::Relaxed);
    }

    pub(crate) fn program_memory(&self) -> u64 {
        self.program_memory.load(Ordering::Relaxed)
    }
}
