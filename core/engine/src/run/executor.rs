//! The local executor: it owns the worker processes and the units of work they do, and tells the dispatcher
//! what happens to each by messages.

use std::collections::{HashMap, VecDeque};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flow_plugin::protocol::{Job, Number, Reply, Request, Spent, Usage};
use flow_plugin::{ErrorKind, Level, Port, processes};
use flow_store::NewArtifact;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Program;
use super::accept::take_over;
use super::cgroup::{self, Groups};
use super::declared::{Arrival, Seen};
use super::worker::{Broken, Crew, Said, Worker};
use crate::event::{Failure, clip};
use crate::graph::NodeId;

/// How long a node has to save a checkpoint once it was asked to stop.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// An idle worker that holds more memory than this is replaced.
const IDLE_MEMORY: u64 = 1 << 30;

/// How often the memory of a node is looked at, so that people can be told.
const MEMORY_INTERVAL: Duration = Duration::from_secs(1);

/// The same for a node with a limit that the system does not keep.
const LIMIT_INTERVAL: Duration = Duration::from_millis(250);

/// Progress is passed on at most this often, whatever a plugin sends.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(90);

/// How many of the last lines of standard error a failure shows.
const STDERR_SHOWN: usize = 20;

/// A unit of work.
pub(super) struct Task {
    pub(super) node: NodeId,
    pub(super) job: Arc<Job>,
    /// What serves its operation, if that is not the engine's own program.
    pub(super) program: Option<Arc<Program>>,
    /// What is given to inputs that declare something about it.
    pub(super) arrivals: Vec<Arrival>,
    /// Its outputs.
    pub(super) outputs: Arc<[Port]>,
    pub(super) timeout: Option<Duration>,
    /// In bytes.
    pub(super) memory: Option<u64>,
    /// The next attempt gets more of it.
    pub(super) grows: bool,
}

/// What the executor tells the dispatcher about a node.
pub(super) enum Report {
    Progress { node: NodeId, done: u64, total: u64, unit: String, message: String },
    Metric { node: NodeId, name: String, step: u64, value: Number },
    Memory { node: NodeId, bytes: u64 },
    Log { node: NodeId, level: &'static str, message: String },
    Resumed { node: NodeId, step: u64, shorter: bool, spent: Spent },
    Ended { node: NodeId, end: End },
}

/// How a unit of work ended.
pub(super) enum End {
    Done { outputs: Vec<(String, NewArtifact)>, usage: Usage },
    Failed { failure: Failure, usage: Usage, again: bool },
    Cancelled,
}

/// What all running work is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Stop {
    No,
    Cancel,
    Kill,
}

/// Starts work, and keeps idle workers for the next.
pub(super) struct Executor {
    program: Arc<Program>,
    idle: Arc<Idle>,
    seen: Seen,
    crew: Crew,
    /// Where memory limits are kept by the system.
    groups: Option<&'static Groups>,
    stop: watch::Sender<Stop>,
    reports: mpsc::UnboundedSender<Report>,
}

/// Idle workers by program and thread count.
type Idle = Mutex<HashMap<(Arc<Program>, usize), Vec<Worker>>>;

impl Executor {
    /// `limits` says whether some of the work has a memory limit.
    pub(super) fn new(program: Program, limits: bool) -> (Self, mpsc::UnboundedReceiver<Report>) {
        let (reports, receiver) = mpsc::unbounded_channel();
        let (stop, _) = watch::channel(Stop::No);
        // What a worker that dies leaves behind is found among the children of this process.
        processes::adopt_orphans();
        let crew = Crew::default();
        let groups = if limits { cgroup::delegated() } else { None };
        let seen = Seen::default();
        let program = Arc::new(program);
        (Self { program, idle: Arc::default(), seen, crew, groups, stop, reports }, receiver)
    }

    /// Starts a unit of work. Its end is reported whatever happens.
    pub(super) fn start(&self, task: Task) {
        let program = task.program.clone().unwrap_or_else(|| self.program.clone());
        let (idle, crew, seen) = (self.idle.clone(), self.crew.clone(), self.seen.clone());
        let (stop, reports, groups) = (self.stop.subscribe(), self.reports.clone(), self.groups);
        tokio::spawn(async move {
            let node = task.node;
            let end = Unit { task, stop, reports: &reports, tail: VecDeque::new(), shown: None }
                .run(&program, &idle, &crew, &seen, groups)
                .await;
            // The dispatcher ends only after every report that it waits for.
            let _ = reports.send(Report::Ended { node, end });
        });
    }

    /// Ends the idle workers and waits for them, so that what they used counts as used by this process.
    pub(super) async fn end(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        let mut workers: Vec<_> = idle.into_values().flatten().collect();
        workers.iter_mut().for_each(Worker::kill);
        for worker in workers {
            worker.end().await;
        }
    }

    /// Asks all running work to stop, or kills it.
    pub(super) fn stop(&self, stop: Stop) {
        self.stop.send_replace(stop);
    }
}

/// A unit of work while it runs.
struct Unit<'a> {
    task: Task,
    stop: watch::Receiver<Stop>,
    reports: &'a mpsc::UnboundedSender<Report>,
    /// The last lines on standard error, for a failure.
    tail: VecDeque<String>,
    /// When progress was last passed on.
    shown: Option<Instant>,
}

/// Why a unit of work was asked to stop.
#[derive(Clone, Copy)]
enum Asked {
    Interrupted,
    TimedOut,
    Memory(u64),
}

impl Unit<'_> {
    async fn run(
        mut self,
        program: &Arc<Program>,
        idle: &Idle,
        crew: &Crew,
        seen: &Seen,
        groups: Option<&Groups>,
    ) -> End {
        let arrivals = std::mem::take(&mut self.task.arrivals);
        if let Err(message) = seen.check(arrivals, self.task.program.is_some()).await {
            return self.failed(message, None, Usage::default(), false);
        }
        let threads = self.task.job.threads;
        let pool = (program.clone(), threads);
        let pooled = idle.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&pool).and_then(Vec::pop);
        let worker = match pooled {
            Some(worker) => Ok(worker),
            None => tokio::select! {
                started = Worker::start(program, threads, crew, groups) => started,
                // A plugin may take long to load.
                _ = self.stop.wait_for(|stop| *stop != Stop::No) => return End::Cancelled,
            },
        };
        let mut worker = match worker {
            Ok(worker) => worker,
            Err(broken) => return self.failed(broken_message(&broken), None, Usage::default(), true),
        };
        match self.converse(&mut worker).await {
            Ok(end) => {
                if worker.is_killed() {
                    worker.end().await;
                } else if worker.resident() <= IDLE_MEMORY {
                    let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
                    idle.entry(pool).or_default().push(worker);
                }
                end
            }
            Err((broken, asked)) => {
                self.hear(worker.last_lines());
                let ended_for = worker.control.as_ref().and_then(|control| control.ended_for());
                let asked = asked.or(ended_for.map(Asked::Memory));
                worker.end().await;
                match asked {
                    Some(Asked::Interrupted) => End::Cancelled,
                    Some(Asked::TimedOut) => self.failed(self.timed_out(), None, Usage::default(), true),
                    Some(Asked::Memory(used)) => self.over_limit(used, Usage::default()),
                    None => self.failed(broken_message(&broken), None, Usage::default(), true),
                }
            }
        }
    }

    /// Gives the job to the worker and follows it to its end. An error means that the worker is of no more
    /// use.
    async fn converse(&mut self, worker: &mut Worker) -> Result<End, (Broken, Option<Asked>)> {
        let id = self.task.job.id;
        let request = Request::Run(Arc::clone(&self.task.job));
        worker.send(&request).await.map_err(|broken| (broken, None))?;
        let mut asked = None;
        let mut timeout = self.task.timeout.map(|timeout| Instant::now() + timeout);
        let mut kill: Option<Instant> = None;
        // Kept by the system where it can, else by looking.
        let kept = worker.control.as_mut().is_some_and(|control| control.limit(self.task.memory).is_ok());
        let limit = self.task.memory.filter(|_| !kept);
        let interval = if limit.is_some() { LIMIT_INTERVAL } else { MEMORY_INTERVAL };
        let mut look = Instant::now() + interval;
        let mut told = Instant::now();
        if *self.stop.borrow() != Stop::No {
            self.stop.mark_changed();
        }
        loop {
            tokio::select! {
                said = worker.receive() => match said {
                    Ok(Said::Lines) => self.hear(worker.lines()),
                    Ok(Said::Reply(reply)) => if let Some(end) = self.reply(reply, worker, asked).await {
                        return Ok(end);
                    },
                    Err(broken) => return Err((broken, asked)),
                },
                Ok(()) = self.stop.changed() => {
                    asked.get_or_insert(Asked::Interrupted);
                    if *self.stop.borrow_and_update() == Stop::Kill {
                        worker.kill();
                    } else {
                        kill.get_or_insert(Instant::now() + GRACE);
                        worker.send(&Request::Cancel { id }).await.map_err(|broken| (broken, asked))?;
                    }
                }
                () = sleep_until(timeout) => {
                    timeout = None;
                    asked.get_or_insert(Asked::TimedOut);
                    kill.get_or_insert(Instant::now() + GRACE);
                    worker.send(&Request::Cancel { id }).await.map_err(|broken| (broken, asked))?;
                }
                () = sleep_until(kill) => {
                    kill = None;
                    worker.kill();
                }
                () = tokio::time::sleep_until(look) => {
                    let now = Instant::now();
                    look = now + interval;
                    let used = worker.resident_in_all();
                    if limit.is_some_and(|limit| used > limit) {
                        asked = Some(Asked::Memory(used));
                        worker.kill();
                    }
                    if now >= told + MEMORY_INTERVAL {
                        told = now;
                        // The dispatcher ends only after every report that it waits for.
                        let _ = self.reports.send(Report::Memory { node: self.task.node, bytes: used });
                    }
                }
            }
        }
    }

    async fn reply(&mut self, reply: Reply, worker: &mut Worker, asked: Option<Asked>) -> Option<End> {
        let node = self.task.node;
        if reply.id().is_some_and(|id| id != self.task.job.id) {
            // What a node says after its end is nobody's.
            return None;
        }
        // The dispatcher ends only after every report that it waits for.
        let report = |report| drop(self.reports.send(report));
        match reply {
            Reply::Progress { done, total, unit, message, .. } => {
                let now = Instant::now();
                if done < total && self.shown.is_some_and(|then| now < then + PROGRESS_INTERVAL) {
                    return None;
                }
                self.shown = Some(now);
                report(Report::Progress { node, done, total, unit, message: clip(message) });
                None
            }
            Reply::Metric { name, step, value, .. } => {
                report(Report::Metric { node, name, step, value });
                None
            }
            Reply::Log { level, message, .. } => {
                let level = match level {
                    Level::Info => "info",
                    Level::Note => "note",
                    Level::Warning => "warning",
                };
                report(Report::Log { node, level, message: clip(message) });
                None
            }
            Reply::Resumed { step, shorter, spent, .. } => {
                report(Report::Resumed { node, step, shorter, spent });
                None
            }
            Reply::Done { usage, .. } => {
                self.hear(worker.last_lines());
                Some(match take_over(&self.task, worker).await {
                    Ok(outputs) => End::Done { outputs, usage },
                    Err(message) => self.failed(message, None, usage, false),
                })
            }
            Reply::Failed { error, usage, .. } => {
                self.hear(worker.last_lines());
                Some(match (error.kind, asked) {
                    // What it had started was killed first, and it noticed.
                    (_, Some(Asked::Memory(used))) => self.over_limit(used, usage),
                    (ErrorKind::Cancelled, Some(Asked::TimedOut)) => {
                        self.failed(self.timed_out(), None, usage, true)
                    }
                    (ErrorKind::Cancelled, _) => End::Cancelled,
                    (kind, _) => {
                        let message = error.to_string();
                        let hint = error.hint.or_else(|| hint(&message).map(str::to_owned));
                        self.failed(message, hint, usage, kind != ErrorKind::BadInput)
                    }
                })
            }
            Reply::Hello { .. } | Reply::Refused { .. } | Reply::Checked { .. } => None,
        }
    }

    /// Passes on lines of standard error, and keeps the last.
    fn hear(&mut self, lines: impl Iterator<Item = String>) {
        for line in lines {
            if self.tail.len() == STDERR_SHOWN {
                self.tail.pop_front();
            }
            self.tail.push_back(line.clone());
            // The dispatcher ends only after every report that it waits for.
            let _ = self.reports.send(Report::Log { node: self.task.node, level: "stderr", message: line });
        }
    }

    fn failed(&self, message: String, hint: Option<String>, usage: Usage, again: bool) -> End {
        let stderr = self.tail.iter().cloned().collect();
        End::Failed { failure: Failure { message: clip(message), hint, stderr }, usage, again }
    }

    /// Another attempt makes sense only where it gets more memory.
    fn over_limit(&self, used: u64, usage: Usage) -> End {
        let (limit, grows) = (self.task.memory.unwrap_or(0), self.task.grows);
        let message = format!("it used {} MiB of memory, and its limit is {} MiB", used >> 20, limit >> 20);
        let hint = "raise `resources: { memory: … }` of the stage".to_owned();
        let usage = Usage { peak_rss: usage.peak_rss.max(used), ..usage };
        self.failed(message, Some(hint), usage, grows)
    }

    fn timed_out(&self) -> String {
        let limit = self.task.timeout.unwrap_or_default().as_secs_f64();
        format!("it took longer than its timeout of {limit} s")
    }
}

/// What the user can do about an error of the system that an operation passes on.
fn hint(message: &str) -> Option<&'static str> {
    let full = std::io::Error::from(nix::errno::Errno::ENOSPC).to_string();
    message.contains(&full).then_some("free some space and run again: everything that was finished is kept")
}

/// Sleeps until then, or for ever.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

pub(super) fn broken_message(broken: &Broken) -> String {
    match broken {
        Broken::Talk(message) => message.clone(),
        Broken::Ended(status) => format!("its worker process ended: {}", status_text(*status)),
    }
}

fn status_text(status: Option<ExitStatus>) -> String {
    match status {
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(9)) => "killed (signal 9); the system does so when memory runs out".to_owned(),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "for an unknown reason".to_owned(),
        },
        None => "for an unknown reason".to_owned(),
    }
}
