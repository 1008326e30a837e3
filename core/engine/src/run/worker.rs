//! One worker process, and the conversation with it.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flow_plugin::processes;
use flow_plugin::protocol::{PROTOCOL, Reply, Request};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::Program;
use super::cgroup::{Group, Groups};
use crate::event::MAX_LINE;
use crate::host::not_a_message;

/// The longest line of standard error that is kept whole.
const LINE: usize = 4 << 10;

/// What tells libraries how many threads to use: Rayon, OpenMP, and those that linear algebra for Python comes with.
const THREADS: [&str; 4] =
    ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/// How long a worker whose output has ended may take to end itself.
const END_WAIT: Duration = Duration::from_millis(500);

/// How long a killed worker may take to go: it has to give back its memory.
const REAP_WAIT: Duration = Duration::from_secs(5);

/// A worker process. It leads a process group of its own, which is killed as a whole when this is dropped.
pub(super) struct Worker {
    child: Child,
    group: Pid,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    line: Vec<u8>,
    out: Vec<u8>,
    stderr: ChildStderr,
    /// Nothing more will come from standard error.
    silent: bool,
    chunk: Box<[u8; 8 << 10]>,
    lines: Lines,
    crew: Crew,
    /// Its control group, which keeps its memory limit; without one the executor watches it.
    pub(super) control: Option<Group>,
    killed: bool,
    /// The process has ended; what it said before may still be in its pipes.
    gone: bool,
}

/// The workers that live. Any other child of the coordinator is what a worker that died has left behind.
#[derive(Clone, Default)]
pub(super) struct Crew(Arc<Mutex<BTreeSet<Pid>>>);

impl Crew {
    fn members(&self) -> MutexGuard<'_, BTreeSet<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what workers that died have left behind.
    fn end_orphans(&self) {
        processes::kill_found(|| {
            let crew = self.members();
            let orphans =
                processes::children(nix::unistd::getpid()).into_iter().filter(|id| !crew.contains(id));
            orphans.flat_map(|id| processes::descendants(id).into_iter().chain([id])).collect()
        });
    }
}

/// What a worker has to say.
pub(super) enum Said {
    /// A message.
    Reply(Reply),
    /// Lines on standard error, which [`Worker::lines`] gives.
    Lines,
}

/// Bytes in lines.
#[derive(Default)]
struct Lines {
    whole: VecDeque<String>,
    open: Vec<u8>,
}

/// How a conversation breaks off.
#[derive(Debug)]
pub(super) enum Broken {
    /// The process has ended.
    Ended(Option<ExitStatus>),
    /// It could not be started, or what it said was no message.
    Talk(String),
}

impl Worker {
    /// Starts a worker whose libraries use this many threads.
    pub(super) async fn start(
        program: &Program,
        threads: usize,
        crew: &Crew,
        groups: Option<&Groups>,
    ) -> Result<Self, Broken> {
        let threads = threads.to_string();
        let mut child = Command::from(program.command())
            // Before the process starts: libraries read these when they load.
            .envs(THREADS.map(|name| (name, &threads)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Broken::Talk(format!("cannot start {}: {error}", program.path.display())))?;
        let missing = || Broken::Talk("a worker was started without its pipes".into());
        let group =
            child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw).ok_or_else(missing)?;
        // Before anything else happens: a child that is not of the crew is taken for an orphan.
        crew.members().insert(group);
        // Before it has anything to do: what it starts later is in its group by itself.
        let control = groups.zip(child.id()).and_then(|(groups, id)| groups.group(id).ok());
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = BufReader::with_capacity(64 << 10, child.stdout.take().ok_or_else(missing)?);
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let (line, out) = (Vec::new(), Vec::new());
        let (silent, chunk, lines) = (false, Box::new([0; 8 << 10]), Lines::default());
        let (crew, killed, gone) = (crew.clone(), false, false);
        let mut worker = Self {
            child,
            group,
            stdin,
            stdout,
            line,
            out,
            stderr,
            silent,
            chunk,
            lines,
            crew,
            control,
            killed,
            gone,
        };
        let patience = program.patience.unwrap_or(Duration::MAX);
        match tokio::time::timeout(patience, worker.greet(program)).await {
            Ok(greeted) => greeted.map(|()| worker),
            Err(_) => {
                let message = format!("its plugin has not answered for {} s", patience.as_secs_f64());
                Err(Broken::Talk(message))
            }
        }
    }

    async fn greet(&mut self, program: &Program) -> Result<(), Broken> {
        let hello = Request::Hello { protocol: PROTOCOL, engine: env!("CARGO_PKG_VERSION").into() };
        self.send(&hello).await?;
        loop {
            return match self.receive().await? {
                Said::Lines => continue,
                Said::Reply(Reply::Hello { protocol: PROTOCOL, plugins }) => match &program.announced {
                    Some(announced) if !announced.is_still_so(&plugins) => Err(Broken::Talk(
                        "the code of its plugin changed after the workflow was read; run again".into(),
                    )),
                    _ => Ok(()),
                },
                Said::Reply(Reply::Refused { message, .. }) => {
                    Err(Broken::Talk(format!("its plugin cannot be loaded: {message}")))
                }
                Said::Reply(Reply::Hello { protocol, .. }) => Err(Broken::Talk(format!(
                    "a worker speaks protocol {protocol}, and the engine {PROTOCOL}"
                ))),
                Said::Reply(_) => Err(Broken::Talk("a worker did not greet".into())),
            };
        }
    }

    pub(super) async fn send(&mut self, request: &Request) -> Result<(), Broken> {
        self.out.clear();
        serde_json::to_writer(&mut self.out, request).map_err(|error| Broken::Talk(error.to_string()))?;
        self.out.push(b'\n');
        let written = self.stdin.write_all(&self.out).await;
        // Few requests have thousands of inputs.
        self.out.shrink_to(1 << 16);
        match written {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended().await),
        }
    }

    /// What it says next. May be dropped and called again without losing anything.
    pub(super) async fn receive(&mut self) -> Result<Said, Broken> {
        loop {
            let read = tokio::select! {
                read = self.stdout.fill_buf() => read,
                read = self.stderr.read(&mut self.chunk[..]), if !self.silent => {
                    match read {
                        Ok(0) | Err(_) => self.silent = true,
                        Ok(read) => self.lines.add(&self.chunk[..read]),
                    }
                    if self.lines.whole.is_empty() {
                        continue;
                    }
                    return Ok(Said::Lines);
                }
                _ = self.child.wait(), if !self.gone => {
                    // What it has started may hold its pipes open, which would then never end.
                    self.gone = true;
                    self.kill_group();
                    self.crew.end_orphans();
                    continue;
                }
            };
            let (used, complete) = match read {
                Ok([]) | Err(_) => return Err(self.ended().await),
                Ok(bytes) => match bytes.iter().position(|byte| *byte == b'\n') {
                    Some(end) => {
                        self.line.extend_from_slice(&bytes[..end]);
                        (end + 1, true)
                    }
                    None => {
                        self.line.extend_from_slice(bytes);
                        (bytes.len(), false)
                    }
                },
            };
            self.stdout.consume(used);
            if self.line.len() > MAX_LINE {
                return Err(Broken::Talk(format!("a worker sent a line of more than {MAX_LINE} bytes")));
            }
            if complete {
                let reply = serde_json::from_slice(&self.line).map_err(|error| {
                    Broken::Talk(format!(
                        "its worker cannot be understood: {}",
                        not_a_message(&self.line, &error)
                    ))
                });
                self.line.clear();
                return reply.map(Said::Reply);
            }
        }
    }

    /// Waits for the process, whose output has ended.
    async fn ended(&mut self) -> Broken {
        let status = tokio::time::timeout(END_WAIT, self.child.wait()).await;
        self.kill_group();
        self.crew.end_orphans();
        Broken::Ended(status.ok().and_then(io::Result::ok))
    }

    /// Kills the worker and all it has started. What it has started goes first: it is found below the worker.
    pub(super) fn kill(&mut self) {
        self.killed = true;
        processes::kill_descendants(self.group);
        self.kill_group();
    }

    /// Kills the worker's own process and nothing else, as the system does when memory runs out.
    pub(super) fn strike(&self) {
        // An error means that it has gone already.
        let _ = nix::sys::signal::kill(self.group, Signal::SIGKILL);
    }

    /// The processes that it has started and that have not ended.
    pub(super) fn started(&self) -> Vec<Pid> {
        processes::descendants(self.group)
    }

    /// Whether it has been killed: it may still have answered before it went.
    pub(super) fn is_killed(&self) -> bool {
        self.killed
    }

    fn kill_group(&self) {
        // An error means that the group has gone already.
        let _ = killpg(self.group, Signal::SIGKILL);
    }

    /// Kills the worker and waits for it.
    pub(super) async fn end(mut self) {
        self.kill();
        // One that the system cannot end at once is left to it.
        let _ = tokio::time::timeout(REAP_WAIT, self.child.wait()).await;
    }

    /// The lines on standard error since this was last asked.
    pub(super) fn lines(&mut self) -> impl Iterator<Item = String> {
        self.lines.whole.drain(..)
    }

    /// The same when a node has ended: all that is in the pipe belongs to it, the last line even if it is not
    /// complete.
    pub(super) fn last_lines(&mut self) -> impl Iterator<Item = String> {
        // Straight from the pipe, which does not block: the runtime may not know yet that something is there.
        while let Ok(read @ 1..) = nix::unistd::read(&self.stderr, &mut self.chunk[..]) {
            self.lines.add(&self.chunk[..read]);
        }
        self.lines.close();
        self.lines.whole.drain(..)
    }

    /// Whether the worker, or something that it has started, has a file at or below a path open for writing, or
    /// mapped into memory.
    pub(super) fn writes_to(&self, path: &Path) -> bool {
        processes::writes_to(self.group, path)
    }

    /// The memory that the idle worker holds, in bytes; 0 where the system does not tell.
    pub(super) fn resident(&self) -> u64 {
        processes::resident(self.group)
    }

    /// The memory that the worker and all it has started hold, in bytes.
    pub(super) fn resident_in_all(&self) -> u64 {
        let below = processes::descendants(self.group).into_iter().map(processes::resident);
        below.sum::<u64>() + self.resident()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill_group();
        self.crew.members().remove(&self.group);
    }
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = LINE.saturating_sub(self.open.len());
            self.open.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        self.whole.push_back(String::from_utf8_lossy(&self.open).into_owned());
        self.open.clear();
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.end();
        }
    }
}
