//! `flow plugin dev`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, SystemTime};

use flow_engine::workflow;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use super::super::Failure;

/// Arguments of `flow plugin dev`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow plugin dev workflow.yaml
  flow plugin dev workflow.yaml -- --until smooth     with arguments of `flow run`

Runs the workflow, and again whenever a source file or an executable in its folder is saved; a run that still goes on is
asked to stop first. Ctrl-C ends it. Exit status: 130.")]
pub(crate) struct Args {
    /// The workflow: a file, or the name of one in workflows/
    #[arg(value_name = "WORKFLOW")]
    file: Option<PathBuf>,
    /// Arguments of `flow run`
    #[arg(last = true, value_name = "ARGS")]
    more: Vec<String>,
}

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// How often a run that was asked to stop is looked at.
const ENDING: Duration = Duration::from_millis(20);

/// What else counts as a source, beside executables.
const SOURCES: [&str; 13] = ["py", "yaml", "yml", "toml", "sh", "js", "rs", "jl", "R", "r", "c", "cpp", "h"];

/// Folders of what is made and installed, beside hidden ones.
const MADE: [&str; 3] = ["__pycache__", "node_modules", "deps"];

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let file = workflow::locate(args.file.as_deref()).map_err(Failure::not_found)?;
    let file = std::path::absolute(&file).map_err(Failure::system)?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let program = std::env::current_exe().map_err(Failure::system)?;
    let interrupts = interrupts().map_err(Failure::system)?;
    loop {
        let before = look(folder);
        let mut run = Command::new(&program);
        // In a group of its own: Ctrl-C reaches it through us, once.
        run.arg("run").arg(&file).args(&args.more).process_group(0);
        let mut child = run.spawn().map_err(Failure::system)?;
        let changed = loop {
            thread::sleep(INTERVAL);
            // Reaped as soon as it ends; how it ended it has said itself.
            let _ = child.try_wait();
            if came(&interrupts) {
                stop(&mut child, &interrupts).map_err(Failure::system)?;
                return Ok(ExitCode::from(130));
            }
            let now = look(folder);
            if let Some(changed) = difference(&before, &now) {
                break changed;
            }
        };
        stop(&mut child, &interrupts).map_err(Failure::system)?;
        let shown = changed.strip_prefix(folder).unwrap_or(&changed);
        anstream::eprintln!("\n{} changed", shown.display());
    }
}

/// Asks a run to stop, and waits until it has. Another Ctrl-C is passed on: then it does not wait either.
fn stop(child: &mut Child, interrupts: &SignalFd) -> std::io::Result<()> {
    let id = i32::try_from(child.id()).map_err(std::io::Error::other)?;
    let mut ask = true;
    while child.try_wait()?.is_none() {
        if ask {
            // An error means that it has ended meanwhile.
            let _ = kill(Pid::from_raw(id), Signal::SIGINT);
        }
        thread::sleep(ENDING);
        ask = came(interrupts);
    }
    Ok(())
}

/// Ctrl-C and its like, to be asked for instead of ending this process. Children start without this.
fn interrupts() -> std::io::Result<SignalFd> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    signals.thread_block()?;
    Ok(SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

fn came(interrupts: &SignalFd) -> bool {
    matches!(interrupts.read_signal(), Ok(Some(_)))
}

/// Files, and when they were last saved.
type Look = BTreeMap<PathBuf, Option<SystemTime>>;

fn look(folder: &Path) -> Look {
    let mut found = Look::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let Ok(metadata) = entry.metadata() else { continue };
            if name.starts_with('.') {
                continue;
            }
            if metadata.is_dir() {
                if !MADE.contains(&&*name) {
                    folders.push(path);
                }
                continue;
            }
            let is_source =
                path.extension().is_some_and(|extension| SOURCES.iter().any(|known| extension == *known));
            if metadata.is_file() && (is_source || metadata.permissions().mode() & 0o111 != 0) {
                found.insert(path, metadata.modified().ok());
            }
        }
    }
    found
}

/// A file that was saved, made or removed in between.
fn difference(before: &Look, now: &Look) -> Option<PathBuf> {
    let other = |(path, at): &(&PathBuf, &Option<SystemTime>), of: &Look| of.get(*path) != Some(*at);
    let saved = now.iter().find(|entry| other(entry, before));
    saved.or_else(|| before.iter().find(|entry| other(entry, now))).map(|(path, _)| path.clone())
}
