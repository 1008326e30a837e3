//! The worker's side of the protocol.

use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use crate::measure::{cpu_seconds_with_programs, peak_rss, reset_peak_rss};
use crate::protocol::{Job, PROTOCOL, PluginInfo, Reply, Request, Usage};
use crate::stop::Stop;
use crate::{Context, Error, ParamProblem, Plugin, Spec, processes};

/// Serves plugins over standard input and output until the engine says `shutdown` or goes away.
///
/// Standard output belongs to the protocol from here on: whatever the process prints goes to standard error.
///
/// # Errors
/// When standard input or output fails.
pub fn serve(plugins: Vec<Plugin>) -> io::Result<()> {
    // Closed in the programs that operations start: only the worker's own end may end the conversation.
    let protocol = io::stdout().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdout(io::stderr())?;
    processes::adopt_orphans();
    // Whatever runs, this thread waits for requests: it notices at once when the engine has gone.
    let gone = || {
        let _starting = processes::starting();
        processes::kill_descendants(nix::unistd::getpid());
        std::process::exit(0)
    };
    serve_until(plugins, io::stdin().lock(), std::fs::File::from(protocol), gone)
}

/// Serves plugins over any pair of streams.
///
/// # Errors
/// When a stream fails, or what arrives is not a message of the protocol.
pub fn serve_on(
    plugins: Vec<Plugin>,
    requests: impl BufRead,
    replies: impl Write + Send + 'static,
) -> io::Result<()> {
    serve_until(plugins, requests, replies, || ())
}

/// The same; calls `gone` where the requests end without a `shutdown`.
fn serve_until(
    plugins: Vec<Plugin>,
    requests: impl BufRead,
    replies: impl Write + Send + 'static,
    gone: impl FnOnce(),
) -> io::Result<()> {
    let out = Replies(Arc::new(Mutex::new(replies)));
    let plugins = Arc::new(plugins);
    let (jobs, queue) = mpsc::channel::<(Job, Stop)>();
    let runner = {
        let (out, plugins) = (out.clone(), plugins.clone());
        // A deep recursion in an operation should not meet a smaller stack here than on a main thread.
        thread::Builder::new().name("node".into()).stack_size(8 << 20).spawn(move || {
            for (job, stop) in queue {
                run(&plugins, job, stop, &out);
            }
        })?
    };
    let mut current: Option<(u64, Stop)> = None;
    let mut gone = Some(gone);
    for line in requests.lines() {
        match serde_json::from_str(&line?).map_err(io::Error::other)? {
            Request::Hello { .. } => out.send(&hello(&plugins)),
            Request::Check { id, operation, params, inputs } => {
                let (ok, problems) = match find(&plugins, &operation) {
                    Some(found) => match found.check(&params, &inputs) {
                        Ok(checked) => (Some(checked), Vec::new()),
                        Err(problems) => (None, problems),
                    },
                    None => (None, vec![unknown(&operation)]),
                };
                out.send(&Reply::Checked { id, ok, problems });
            }
            Request::Run(job) => {
                let stop = Stop::default();
                current = Some((job.id, stop.clone()));
                // The runner ends only when `jobs` is dropped, so the channel is open.
                let _ = jobs.send((Arc::unwrap_or_clone(job), stop));
            }
            Request::Cancel { id } => {
                if let Some((_, stop)) = current.as_ref().filter(|(running, _)| *running == id) {
                    stop.ask();
                }
            }
            Request::Shutdown => {
                gone = None;
                break;
            }
        }
    }
    if let Some(gone) = gone {
        gone();
    }
    // What still runs has no one to report to.
    if let Some((_, stop)) = &current {
        stop.ask();
    }
    drop(jobs);
    let _ = runner.join();
    Ok(())
}

fn hello(plugins: &[Plugin]) -> Reply {
    let plugins = plugins.iter().map(|plugin| PluginInfo {
        name: plugin.name().to_owned(),
        version: plugin.version().to_owned(),
        summary: plugin.summary().to_owned(),
        // What is compiled knows more of its parameters than their schema says.
        operations: plugin.specs().into_iter().map(|spec| Spec { checks: true, ..spec }).collect(),
        files: Vec::new(),
    });
    Reply::Hello { protocol: PROTOCOL, plugins: plugins.collect() }
}

fn find<'p>(plugins: &'p [Plugin], operation: &str) -> Option<&'p Arc<dyn crate::DynOperation>> {
    let (plugin, verb) = operation.split_once('/')?;
    plugins.iter().find(|p| p.name() == plugin)?.operation(verb)
}

fn unknown(operation: &str) -> ParamProblem {
    ParamProblem {
        at: String::new(),
        message: format!("this worker has no operation `{operation}`"),
        hint: None,
    }
}

fn run(plugins: &[Plugin], job: Job, stop: Stop, out: &Replies) {
    let id = job.id;
    let Some(operation) = find(plugins, &job.operation) else {
        let error = Error::failed(unknown(&job.operation).message);
        out.send(&Reply::Failed { id, error, usage: Usage::default() });
        return;
    };
    let params = job.params.clone();
    let sink = out.clone();
    let context = Context::new(job, stop, Box::new(move |reply| sink.send(&reply)));
    reset_peak_rss();
    let (start, cpu) = (Instant::now(), cpu_seconds_with_programs());
    let result = catch_unwind(AssertUnwindSafe(|| operation.run(params, &context)))
        .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
    let usage = Usage {
        cpu_s: cpu_seconds_with_programs() - cpu,
        wall_s: start.elapsed().as_secs_f64(),
        peak_rss: peak_rss().max(context.program_memory()),
    };
    out.send(&match result {
        Ok(()) => Reply::Done { id, usage },
        Err(error) => Reply::Failed { id, error, usage },
    });
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::failed(format!("the operation panicked: {text}"))
        .hint("this is an error in the plugin; the node's log has the place")
}

/// The stream of replies, shared by the node's thread and the one that answers the engine.
#[derive(Clone)]
struct Replies(Arc<Mutex<dyn Write + Send>>);

impl Replies {
    fn send(&self, reply: &Reply) {
        // A message always serialises: its maps have string keys and its numbers are wrapped.
        let Ok(mut line) = serde_json::to_vec(reply) else { return };
        line.push(b'\n');
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A broken pipe means that the engine has gone; the loop over requests ends then too.
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}
