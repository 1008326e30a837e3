//! `flow plugin dev`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, SystemTime};

use flow_engine::workflow;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::Failure;

/// Arguments of `flow plugin dev`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow plugin dev workflow.yaml
  flow plugin dev workflow.yaml -- --until smooth     with arguments of `flow run`

Runs the workflow, and again whenever a source file or an executable in its folder is saved; a run that still goes on is
asked to stop first. Ctrl-C ends it.")]
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

/// What else counts as a source, beside executables.
const SOURCES: [&str; 14] =
    ["py", "yaml", "yml", "toml", "sh", "js", "rs", "jl", "R", "r", "c", "cpp", "h", "json"];

/// Folders of what is made and installed, beside hidden ones.
const MADE: [&str; 3] = ["__pycache__", "node_modules", "deps"];

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let file = workflow::locate(args.file.as_deref()).map_err(Failure::not_found)?;
    let file = std::path::absolute(&file).map_err(Failure::system)?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let program = std::env::current_exe().map_err(Failure::system)?;
    loop {
        let before = look(folder);
        let started = Command::new(&program).arg("run").arg(&file).args(&args.more).spawn();
        let mut child = started.map_err(Failure::system)?;
        let changed = loop {
            thread::sleep(INTERVAL);
            // Reaped as soon as it ends; how it ended it has said itself.
            let _ = child.try_wait();
            let now = look(folder);
            if let Some(changed) = difference(&before, &now) {
                break changed;
            }
        };
        stop(&mut child).map_err(Failure::system)?;
        let shown = changed.strip_prefix(folder).unwrap_or(&changed);
        anstream::eprintln!("\n{} changed", shown.display());
    }
}

/// Asks a run to stop, and waits until it has.
fn stop(child: &mut Child) -> std::io::Result<()> {
    if child.try_wait()?.is_none()
        && let Ok(id) = i32::try_from(child.id())
    {
        // An error means that it has ended meanwhile.
        let _ = kill(Pid::from_raw(id), Signal::SIGINT);
    }
    child.wait().map(drop)
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
