//! One worker process, and the conversation with it.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flow_plugin::protocol::{PROTOCOL, Reply, Request};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::Program;
use crate::event::MAX_LINE;

/// How many of the last lines of standard error are kept for a node.
const STDERR_LINES: usize = 200;

/// The longest line of standard error that is kept.
const STDERR_LINE: usize = 4 << 10;

/// How long to wait for the rest of standard error once a worker has ended. A grandchild may hold it open.
const STDERR_WAIT: Duration = Duration::from_millis(500);

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
    stderr: Arc<Mutex<VecDeque<String>>>,
    stderr_reader: JoinHandle<()>,
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
    pub(super) async fn start(program: &Program, threads: usize) -> Result<Self, Broken> {
        let threads = threads.to_string();
        let mut child = Command::new(&program.path)
            .args(&program.args)
            // Before the process starts: libraries read these when they load.
            .env("RAYON_NUM_THREADS", &threads)
            .env("OMP_NUM_THREADS", &threads)
            .env("FLOW_COORDINATOR", std::process::id().to_string())
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
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = BufReader::with_capacity(64 << 10, child.stdout.take().ok_or_else(missing)?);
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        let pipe = child.stderr.take().ok_or_else(missing)?;
        let stderr_reader = tokio::spawn(collect(pipe, stderr.clone()));
        let (line, out) = (Vec::new(), Vec::new());
        let mut worker = Self { child, group, stdin, stdout, line, out, stderr, stderr_reader };
        worker.greet().await?;
        Ok(worker)
    }

    async fn greet(&mut self) -> Result<(), Broken> {
        let hello = Request::Hello { protocol: PROTOCOL, engine: env!("CARGO_PKG_VERSION").into() };
        self.send(&hello).await?;
        match self.receive().await? {
            Reply::Hello { protocol: PROTOCOL, .. } => Ok(()),
            Reply::Hello { protocol, .. } => {
                Err(Broken::Talk(format!("a worker speaks protocol {protocol}, and the engine {PROTOCOL}")))
            }
            _ => Err(Broken::Talk("a worker did not greet".into())),
        }
    }

    pub(super) async fn send(&mut self, request: &Request) -> Result<(), Broken> {
        self.out.clear();
        serde_json::to_writer(&mut self.out, request).map_err(|error| Broken::Talk(error.to_string()))?;
        self.out.push(b'\n');
        match self.stdin.write_all(&self.out).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended().await),
        }
    }

    /// The next message. May be dropped and called again without losing anything.
    pub(super) async fn receive(&mut self) -> Result<Reply, Broken> {
        loop {
            let (used, complete) = match self.stdout.fill_buf().await {
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
                    Broken::Talk(format!("a worker sent something that is not a message: {error}"))
                });
                self.line.clear();
                return reply;
            }
        }
    }

    /// Waits for the process, whose output has ended.
    async fn ended(&mut self) -> Broken {
        let status = tokio::time::timeout(STDERR_WAIT, self.child.wait()).await;
        let _ = tokio::time::timeout(STDERR_WAIT, &mut self.stderr_reader).await;
        Broken::Ended(status.ok().and_then(io::Result::ok))
    }

    /// Kills the worker and all it has started.
    pub(super) fn kill(&self) {
        // An error means that the group has gone already.
        let _ = killpg(self.group, Signal::SIGKILL);
    }

    /// Kills the worker and waits for it.
    pub(super) async fn end(mut self) {
        self.kill();
        // One that the system cannot end at once is left to it.
        let _ = tokio::time::timeout(REAP_WAIT, self.child.wait()).await;
    }

    /// The last lines on standard error since this was last asked.
    pub(super) fn take_stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    /// The memory that the idle worker holds, in bytes; 0 where the system does not tell.
    pub(super) fn resident(&self) -> u64 {
        const PAGE: u64 = 4096;
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.group)).unwrap_or_default();
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
        self.stderr_reader.abort();
    }
}

async fn collect(pipe: impl AsyncRead + Unpin, lines: Arc<Mutex<VecDeque<String>>>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        let used = match pipe.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(bytes) => {
                let end = bytes.iter().position(|byte| *byte == b'\n');
                let taken = end.unwrap_or(bytes.len());
                let room = STDERR_LINE.saturating_sub(line.len());
                line.extend_from_slice(&bytes[..taken.min(room)]);
                if end.is_some() {
                    keep(&lines, &mut line);
                }
                end.map_or(taken, |end| end + 1)
            }
        };
        pipe.consume(used);
    }
    if !line.is_empty() {
        keep(&lines, &mut line);
    }
}

fn keep(lines: &Mutex<VecDeque<String>>, line: &mut Vec<u8>) {
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.len() == STDERR_LINES {
        lines.pop_front();
    }
    lines.push_back(String::from_utf8_lossy(line).into_owned());
    line.clear();
}
