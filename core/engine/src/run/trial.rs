//! Trying operations of plugins outside this program: what a run meets by accident is done to them on purpose.
//!
//! Each is computed again from the store, in workers of its own: with other numbers of threads, asked to stop in the
//! middle, killed after its first checkpoint, killed anywhere. What it gives afterwards must be what it gave before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flow_plugin::protocol::{Reply, Request};
use flow_plugin::{Error as Failure, ErrorKind, processes};
use flow_store::{OutputRecord, Store};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::accept::take_over;
use super::again::{self, Candidate, candidates};
use super::executor::{GRACE, Task, broken_message};
use super::worker::{Broken, Crew, Said, Worker};
use super::{Error, machine, writer};
use crate::catalog::Catalog;
use crate::graph::Graph;
use crate::growth;
use crate::host::Finding;
use crate::plan::Resolver;

/// The numbers of threads that results must not depend on. The second is one that work is seldom divided by.
const THREADS: [usize; 2] = [1, 3];

/// A node that takes less is struck as soon as it has been started.
const SHORT: f64 = 0.02;

/// No node is taken to last longer.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often it is looked whether there is a checkpoint.
const LOOK: Duration = Duration::from_millis(1);

/// How much longer than the first time a node may take, beside ten times as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What may be the matter where other bytes came out.
const RANDOM: &str = "does it draw random numbers without a seed, or sum in an order that changes?";
const STATE: &str = "is all that changes from step to step in the state, also the random generator?";
const LEFT: &str =
    "does something stay in its process, or in files beside its outputs, that the next one uses?";

/// What is told while operations are tried.
pub enum Tried<'a> {
    /// An operation is being tried, as this node uses it.
    Operation {
        /// Its full name.
        name: &'a str,
        /// The node; none where no node of the workflow uses it, and it is not tried.
        node: Option<&'a str>,
    },
    /// One trial of it has ended.
    Finding(&'a Finding),
}

/// Tries the operations of plugins outside this program on nodes whose results are in the store. Gives whether it
/// was carried through: false after an interrupt.
///
/// # Errors
/// When the store or the system fails.
pub fn try_operations(
    graph: &Graph,
    catalog: &Catalog,
    store: &Store,
    sink: &mut dyn FnMut(Tried<'_>),
) -> Result<bool, Error> {
    let graph = &*growth::known(graph, catalog, store)?;
    let mut resolver = Resolver::new(graph, catalog);
    resolver.check_externals(store, &graph.nodes)?;
    // Of each operation the node that took longest: there is most time to do something to it.
    let mut chosen: BTreeMap<String, Candidate> = BTreeMap::new();
    for candidate in candidates(graph, store, &mut resolver)? {
        let operation = &graph.node(candidate.id).operation;
        let longer = |other: &Candidate| candidate.hit.usage.wall_s > other.hit.usage.wall_s;
        if catalog.program_of(operation).is_some() && chosen.get(operation).is_none_or(longer) {
            chosen.insert(operation.clone(), candidate);
        }
    }
    let (name, _lock) = machine::name_and_lock(store, "try-", flow_store::now()).map_err(Error::Store)?;
    let scratch = store.scratch(&name);
    fs::create_dir_all(&scratch)?;
    // What dies is to leave its children to this process, which ends them.
    processes::adopt_orphans();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let carried_through = runtime.block_on(async {
        let interrupt = signal(SignalKind::interrupt())?;
        let mut trier = Trier {
            graph,
            catalog,
            store,
            scratch,
            crew: Crew::default(),
            interrupt,
            interrupted: false,
            comparable: true,
        };
        for operation in catalog.names().filter(|name| catalog.program_of(name).is_some()) {
            let candidate = chosen.get(operation);
            let node = candidate.map(|candidate| graph.node(candidate.id).name.as_str());
            sink(Tried::Operation { name: operation, node });
            if let Some(candidate) = candidate {
                trier.all(candidate, &mut |finding| sink(Tried::Finding(&finding))).await?;
            }
            if trier.interrupted {
                break;
            }
        }
        Ok::<_, Error>(!trier.interrupted)
    });
    store.clear_run(&name).map_err(Error::Store)?;
    carried_through
}

struct Trier<'a> {
    graph: &'a Graph,
    catalog: &'a Catalog,
    store: &'a Store,
    scratch: PathBuf,
    crew: Crew,
    interrupt: Signal,
    interrupted: bool,
    /// The present node gives the same bytes each time: those of an interrupted one are worth comparing.
    comparable: bool,
}

/// What is done to a node in the middle of its work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blow {
    None,
    /// It is asked to stop.
    Cancel,
    /// Its process is killed.
    Kill,
    /// Its process is killed as soon as there is a checkpoint.
    KillAfterCheckpoint,
}

/// How an attempt ended.
enum End {
    Done(Vec<OutputRecord>),
    Failed(Failure),
    /// What it left was not accepted.
    Refused(String),
    /// The process ended, or said what is no message.
    Broken(Broken),
    /// It went on for too long.
    Late,
    Interrupted,
}

struct Attempt {
    end: End,
    /// The blow was dealt before the end.
    struck: bool,
    /// It said that it goes on from a checkpoint.
    resumed: bool,
    /// Processes that it had started, and that live although it was killed.
    left: Vec<Pid>,
}

impl Trier<'_> {
    /// What an interrupt has ended says nothing of the operation.
    async fn all(&mut self, candidate: &Candidate, sink: &mut dyn FnMut(Finding)) -> Result<(), Error> {
        let [one, other] = THREADS;
        let tried = format!("it gives the same bytes again, with {one} and with {other} threads");
        self.comparable = true;
        let finding = self.threads(candidate, tried).await?;
        if self.interrupted {
            return Ok(());
        }
        sink(finding);
        let tried = "asked to stop, it ends in time, and can run again";
        let finding = self.cancellation(candidate, tried).await?;
        if self.interrupted {
            return Ok(());
        }
        sink(finding);
        let tried = "killed in the middle, it leaves nothing that disturbs the next try";
        let finding = self.crash(candidate, tried).await?;
        if self.interrupted {
            return Ok(());
        }
        sink(finding);
        let tried = "killed after a checkpoint, it goes on from there to the same bytes";
        let finding = self.resumption(candidate, tried).await?;
        if !self.interrupted {
            sink(finding);
        }
        Ok(())
    }

    async fn threads(&mut self, candidate: &Candidate, tried: String) -> Result<Finding, Error> {
        for threads in THREADS {
            let attempt = self.attempt(candidate, threads, None, Blow::None).await?;
            if let Err(problem) = self.is_the_same(candidate, &attempt.end, RANDOM) {
                self.comparable = threads != THREADS[0];
                let word = if threads == 1 { "thread" } else { "threads" };
                return Ok(Finding::new(tried, Err(format!("with {threads} {word} {problem}"))));
            }
        }
        Ok(Finding::new(tried, Ok(())))
    }

    async fn cancellation(&mut self, candidate: &Candidate, tried: &str) -> Result<Finding, Error> {
        let attempt = self.attempt(candidate, 1, None, Blow::Cancel).await?;
        let grace = GRACE.as_secs();
        let result = match attempt.end {
            _ if !attempt.struck => return Ok(self.too_short(candidate, tried, &attempt.end)),
            End::Late => Err(format!(
                "it went on for more than {grace} s after it was asked to stop, and would be killed\n\
                 ask now and then whether to stop: `context.check_cancelled()` in Python, `context.check_cancelled()?` in Rust"
            )),
            End::Failed(error) if error.kind == ErrorKind::Cancelled => Ok(()),
            // It was nearly done, or does not ask and is quick.
            End::Done(_) => Ok(()),
            other => Err(format!("instead of ending with `cancelled` {}", other.told())),
        };
        Ok(Finding::new(tried, result))
    }

    async fn crash(&mut self, candidate: &Candidate, tried: &str) -> Result<Finding, Error> {
        let attempt = self.attempt(candidate, 1, None, Blow::Kill).await?;
        if !attempt.struck {
            return Ok(self.too_short(candidate, tried, &attempt.end));
        }
        if let End::Late | End::Interrupted = attempt.end {
            return Ok(Finding::new(
                tried,
                Err(format!("when its process had been killed {}", attempt.end.told())),
            ));
        }
        if !attempt.left.is_empty() {
            let left: Vec<String> = attempt.left.iter().map(ToString::to_string).collect();
            let problem = format!("processes that it had started live on: {}", left.join(", "));
            return Ok(Finding::new(tried, Err(problem)));
        }
        let again = self.attempt(candidate, 1, None, Blow::None).await?;
        let result = self.is_the_same(candidate, &again.end, LEFT);
        Ok(Finding::new(
            tried,
            result.map_err(|problem| format!("when it had been killed and was run again, {problem}")),
        ))
    }

    async fn resumption(&mut self, candidate: &Candidate, tried: &str) -> Result<Finding, Error> {
        if !self.graph.node(candidate.id).checkpoints {
            return Ok(Finding::skipped(tried, "it declares no checkpoints"));
        }
        let folder = self.scratch.join("kept");
        let first = self.attempt(candidate, 1, Some(&folder), Blow::KillAfterCheckpoint).await?;
        if !has_checkpoint(&folder) {
            let problem = match first.end {
                End::Done(_) => "it declares checkpoints, and was done without saving one".to_owned(),
                other => format!("before its first checkpoint {}", other.told()),
            };
            return Ok(Finding::new(tried, Err(problem)));
        }
        // One that was done first goes on from its last checkpoint: that must give the same as well.
        let second = self.attempt(candidate, 1, Some(&folder), Blow::None).await?;
        writer::discard(&folder);
        let result = match (self.is_the_same(candidate, &second.end, STATE), second.resumed) {
            (Err(problem), _) => Err(format!("going on from its checkpoint, {problem}")),
            (Ok(()), false) => Err("there was a checkpoint, and it started afresh\n\
                take it up with `context.checkpoints.last()` in Python, `context.resume()?` in Rust"
                .to_owned()),
            (Ok(()), true) => Ok(()),
        };
        Ok(Finding::new(tried, result))
    }

    /// A trial that came to nothing since the node ended first.
    fn too_short(&self, candidate: &Candidate, tried: &str, end: &End) -> Finding {
        match self.is_the_same(candidate, end, RANDOM) {
            Ok(()) => Finding::skipped(tried, "it was done too soon to be interrupted: give it more to do"),
            Err(problem) => Finding::new(tried, Err(problem)),
        }
    }

    /// Whether an attempt gave what is in the store. `hint` says what may be the matter where it gave something else.
    fn is_the_same(&self, candidate: &Candidate, end: &End, hint: &str) -> Result<(), String> {
        let End::Done(outputs) = end else { return Err(end.told()) };
        if self.graph.node(candidate.id).measures || !self.comparable {
            return Ok(());
        }
        let of = |port: &str| candidate.hit.outputs.iter().find(|stored| stored.port == port);
        let other = outputs.iter().filter(|o| of(&o.port).is_none_or(|stored| stored.digest != o.digest));
        let other: Vec<String> = other.map(|output| format!("`{}`", output.port)).collect();
        match other.as_slice() {
            [] => Ok(()),
            ports => {
                Err(format!("its output {} has other bytes than the first time\n{hint}", ports.join(", ")))
            }
        }
    }

    /// Computes a node in a new worker, and does something to it.
    async fn attempt(
        &mut self,
        candidate: &Candidate,
        threads: usize,
        checkpoints: Option<&Path>,
        blow: Blow,
    ) -> Result<Attempt, Error> {
        let mut attempt = Attempt { end: End::Late, struck: false, resumed: false, left: Vec::new() };
        let job = again::job(self.graph, self.store, &self.scratch, candidate, threads)?;
        let mut job = match job {
            Ok(job) => job,
            Err(problem) => return Ok(Attempt { end: End::Refused(problem), ..attempt }),
        };
        // What is to stay for the next attempt lies beside what is discarded after this one.
        job.checkpoints = checkpoints.map(Path::to_owned).or(job.checkpoints);
        let mut task = again::task(self.graph, self.catalog, candidate, job);
        let Some(program) = task.program.clone() else { return Ok(attempt) };
        attempt.end = match Worker::start(&program, threads, &self.crew, None).await {
            Err(broken) => End::Broken(broken),
            Ok(mut worker) => {
                let wall = elapsed(candidate.hit.usage.wall_s);
                let end = self.converse(&mut worker, &task, wall, blow, &mut attempt).await;
                let end = match (end, blow) {
                    // The engine gives it the next node.
                    (Ok(end @ (End::Done(_) | End::Failed(_))), Blow::Cancel) if attempt.struck => {
                        again::discard(&task.job);
                        let again =
                            &mut Attempt { end: End::Late, struck: false, resumed: false, left: Vec::new() };
                        let next = self.converse(&mut worker, &task, wall, Blow::None, again).await;
                        match next.map(|next| self.is_the_same(candidate, &next, LEFT)) {
                            Ok(Ok(())) => Ok(end),
                            Ok(Err(problem)) => Ok(End::Refused(format!(
                                "the next node in its process did not succeed: {problem}"
                            ))),
                            Err(broken) => Err(broken),
                        }
                    }
                    (end, _) => end,
                };
                worker.end().await;
                attempt.left.retain(|id| is_alive(*id));
                end.unwrap_or_else(End::Broken)
            }
        };
        if checkpoints.is_some() {
            Arc::make_mut(&mut task.job).checkpoints = None;
        }
        again::discard(&task.job);
        self.interrupted |= matches!(attempt.end, End::Interrupted);
        Ok(attempt)
    }

    async fn converse(
        &mut self,
        worker: &mut Worker,
        task: &Task,
        wall: Duration,
        blow: Blow,
        attempt: &mut Attempt,
    ) -> Result<End, Broken> {
        worker.send(&Request::Run(Arc::clone(&task.job))).await?;
        let now = Instant::now();
        let mut limit = now + 10 * wall + PATIENCE;
        let middle = if wall.as_secs_f64() < SHORT { now } else { now + wall / 2 };
        let timed = matches!(blow, Blow::Cancel | Blow::Kill);
        let checkpoints = task.job.checkpoints.clone().unwrap_or_default();
        let mut look = now;
        loop {
            tokio::select! {
                said = worker.receive() => match said? {
                    Said::Lines => worker.lines().for_each(drop),
                    Said::Reply(reply) if reply.id().is_some_and(|id| id != task.job.id) => {}
                    Said::Reply(Reply::Resumed { .. }) => attempt.resumed = true,
                    Said::Reply(Reply::Done { .. }) => return Ok(match take_over(task, worker).await {
                        Ok(outputs) => End::Done(outputs.into_iter().map(|(port, new)| OutputRecord {
                            port,
                            digest: new.digest,
                            kind: new.kind,
                            bytes: new.bytes,
                        }).collect()),
                        Err(message) => End::Refused(message),
                    }),
                    Said::Reply(Reply::Failed { error, .. }) => return Ok(End::Failed(error)),
                    Said::Reply(_) => {}
                },
                () = tokio::time::sleep_until(middle), if timed && !attempt.struck => {
                    attempt.struck = true;
                    if blow == Blow::Cancel {
                        limit = Instant::now() + GRACE;
                        worker.send(&Request::Cancel { id: task.job.id }).await?;
                    } else {
                        attempt.left = worker.started();
                        worker.strike();
                    }
                }
                () = tokio::time::sleep_until(look), if blow == Blow::KillAfterCheckpoint && !attempt.struck => {
                    look = Instant::now() + LOOK;
                    if has_checkpoint(&checkpoints) {
                        attempt.struck = true;
                        worker.strike();
                    }
                }
                () = tokio::time::sleep_until(limit) => return Ok(End::Late),
                _ = self.interrupt.recv() => return Ok(End::Interrupted),
            }
        }
    }
}

impl End {
    /// What happened, as the end of a sentence.
    fn told(&self) -> String {
        match self {
            Self::Done(_) => "it was done".to_owned(),
            Self::Failed(error) if error.kind == ErrorKind::Cancelled => {
                "it said that it was asked to stop".to_owned()
            }
            Self::Failed(error) => format!("it failed: {error}"),
            Self::Refused(message) => message.clone(),
            Self::Broken(broken) => broken_message(broken),
            Self::Late => "it went on without an end".to_owned(),
            Self::Interrupted => "the trial was interrupted".to_owned(),
        }
    }
}

/// Whether a whole checkpoint is there, or something that an operation keeps beside them.
fn has_checkpoint(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
}

/// How long a node took. The plugin has said so itself, and may have said anything.
fn elapsed(wall_s: f64) -> Duration {
    Duration::try_from_secs_f64(wall_s.max(0.0)).unwrap_or(LONGEST).min(LONGEST)
}

fn is_alive(id: Pid) -> bool {
    nix::sys::signal::kill(id, None).is_ok() && processes::resident(id) > 0
}
