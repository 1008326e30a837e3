//! Talking to a plugin before a run: what it offers, and what it says about parameters.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use flow_plugin::processes;
use flow_plugin::protocol::{PROTOCOL, PluginInfo, Reply, Request};
use nix::unistd::Pid;

use super::{Problem, Wanted};
use crate::event::{MAX_LINE, clip};
use crate::run::Program;

/// How much of standard error a message shows.
const SHOWN: usize = 2 << 10;

/// A process of a plugin. It ends with this value.
pub(super) struct Conversation {
    child: Child,
    /// Closed where the plugin is to believe that the engine has gone.
    stdin: Option<ChildStdin>,
    replies: Receiver<Result<Reply, String>>,
    errors: Arc<Mutex<Vec<u8>>>,
    patience: Duration,
}

impl Conversation {
    /// Starts the plugin and greets it. Gives what it offers.
    pub(super) fn start(program: &Program, wanted: &Wanted<'_>) -> Result<(Self, PluginInfo), Problem> {
        let mut conversation = Self::spawn(program, wanted.patience)?;
        let hello = Request::Hello { protocol: PROTOCOL, engine: env!("CARGO_PKG_VERSION").into() };
        match conversation.ask(&hello)? {
            Reply::Hello { protocol: PROTOCOL, plugins } => {
                let names: Vec<String> = plugins.iter().map(|plugin| plugin.name.clone()).collect();
                let one = plugins.len() == 1;
                match plugins.into_iter().find(|plugin| one || plugin.name == wanted.name) {
                    Some(info) => Ok((conversation, info)),
                    None => Err(Problem::new(format!(
                        "it serves no plugin of this name, but {}",
                        names.join(", ")
                    ))),
                }
            }
            Reply::Hello { protocol, .. } => Err(Problem::new(format!(
                "it speaks version {protocol} of the protocol, and this program version {PROTOCOL}"
            ))
            .help(if protocol > PROTOCOL {
                "use a newer `flow`"
            } else {
                "use a newer version of the plugin"
            })),
            Reply::Refused { message, file, line, trace } => {
                Err(Problem { message, place: file.zip(line), notes: trace, help: None })
            }
            _ => Err(Problem::new("it does not answer the greeting")),
        }
    }

    fn spawn(program: &Program, patience: Duration) -> Result<Self, Problem> {
        let shown = program.path.display();
        let failed = |error: std::io::Error| {
            let problem = Problem::new(format!("`{shown}` cannot be started: {error}"));
            match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    problem.help(format!("make it executable: chmod +x {shown}"))
                }
                _ => problem,
            }
        };
        let mut child = program
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Problem::new("it was started without its pipes"));
        };
        // One message ahead is enough: what floods waits in its own pipe.
        let (send, replies) = sync_channel(1);
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            while let Some(reply) = read(&mut stdout) {
                let broken = reply.is_err();
                if send.send(reply).is_err() || broken {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(Vec::new()));
        let kept = errors.clone();
        thread::spawn(move || {
            let mut chunk = [0; 4 << 10];
            while let Ok(read @ 1..) = stderr.read(&mut chunk) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&chunk[..read]);
                let surplus = kept.len().saturating_sub(SHOWN);
                kept.drain(..surplus);
            }
        });
        Ok(Self { child, stdin: Some(stdin), replies, errors, patience })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, Problem> {
        let mut line = serde_json::to_vec(request).map_err(|error| Problem::new(error.to_string()))?;
        line.push(b'\n');
        if let Some(stdin) = &mut self.stdin {
            // A plugin that has gone is noticed when it does not answer.
            let _ = stdin.write_all(&line);
        }
        let mut problem = match self.replies.recv_timeout(self.patience) {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(message)) => Problem::new(message)
                .help("standard output belongs to the protocol: let it print to standard error"),
            Err(RecvTimeoutError::Timeout) => {
                let seconds = self.patience.as_secs_f64();
                Problem::new(format!("it has not answered for {seconds} s"))
                    .help("if it needs longer to start, give it time: `timeout: 5 min` beside it")
            }
            Err(RecvTimeoutError::Disconnected) => Problem::new(self.ending()),
        };
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        problem.notes = String::from_utf8_lossy(&errors).lines().map(str::to_owned).collect();
        Err(problem)
    }

    /// Whether the process ends in time: after a last request, and when nothing more is to come.
    pub(super) fn ends(mut self, last: Option<&Request>, time: Duration) -> bool {
        if let (Some(last), Some(stdin)) = (last, &mut self.stdin) {
            let mut line = serde_json::to_vec(last).unwrap_or_default();
            line.push(b'\n');
            // One that has gone already has ended in time.
            let _ = stdin.write_all(&line);
        } else {
            self.stdin = None;
        }
        let until = Instant::now() + time;
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// How the process has ended, whose output has.
    fn ending(&mut self) -> String {
        for _ in 0..50 {
            match self.child.try_wait() {
                Ok(Some(status)) => return format!("it ended without an answer: {status}"),
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                Err(error) => return error.to_string(),
            }
        }
        "it has closed its standard output".to_owned()
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            processes::kill_descendants(Pid::from_raw(id));
        }
        // An error means that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next message; none at the end.
fn read(stdout: &mut impl BufRead) -> Option<Result<Reply, String>> {
    let mut line = Vec::new();
    let limit = MAX_LINE as u64 + 1;
    match stdout.take(limit).read_until(b'\n', &mut line) {
        Ok(0) => None,
        Ok(_) if line.len() > MAX_LINE => Some(Err(format!("it wrote a line of more than {MAX_LINE} bytes"))),
        Ok(_) => Some(serde_json::from_slice(&line).map_err(|error| not_a_message(&line, &error))),
        Err(error) => Some(Err(error.to_string())),
    }
}

/// Says what was found instead of a message.
pub(crate) fn not_a_message(line: &[u8], error: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(80)]);
    let text: String = text.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    clip(format!("it wrote something on standard output that is no message: `{text}` ({error})"))
}
