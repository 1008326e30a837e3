//! Placing outputs where the user wants them.
//!
//! A published file is a copy, never a link into the store. What lies at the path already is replaced if the
//! store holds it, too; if it is a published file that someone changed, it is moved aside; and if flow did not
//! put it there, it stays, unless the user says otherwise.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flow_plugin::Kind;
use flow_plugin::artifact::digest;
use flow_store::{LogRecord, OutputRecord, Stamp, Store};

use super::Error;
use super::dispatcher::Dispatcher;
use crate::event::Event;
use crate::graph::{Graph, NodeId};
use crate::plan;

/// What was done for a published path.
struct Placed {
    /// How the path looks now, where that is to be recorded.
    record: Option<Stamp>,
    /// What the user should know.
    warning: Option<String>,
}

/// Whose it is that lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// It is what is to be published; whether the store knows that, and how it looks.
    Same {
        recorded: bool,
    },
    /// The store holds it: it can be had again at any time.
    Known,
    /// flow put something there, and someone changed it.
    Edited,
    Foreign,
}

/// Refuses nodes, from one on, that would publish over what flow did not put there, or into the store.
pub(super) fn check(graph: &Graph, from: usize, store: &Store, overwrite: bool) -> Result<(), Error> {
    let mut problems = Vec::new();
    for node in &graph.nodes[from..] {
        for (port, path) in &node.publish {
            let to = target(graph, path);
            let Some(kind) = node.outputs.iter().find(|output| output.name == *port).map(|o| o.kind) else {
                continue;
            };
            if to.starts_with(store.root()) {
                problems.push(format!(
                    "{}.{port} would be published into the store: {}",
                    node.name,
                    to.display()
                ));
            } else if !overwrite
                && look(store, kind, &to, None).map_err(plan::Error::Store)? == Found::Foreign
            {
                problems.push(foreign(&to));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Publish(problems)) }
}

fn foreign(to: &Path) -> String {
    format!("{} is there already, and flow did not put it there", to.display())
}

/// Where a published path leads.
fn target(graph: &Graph, path: &Path) -> PathBuf {
    let root = graph.root.canonicalize().unwrap_or_else(|_| graph.root.clone());
    // Written in one way only: the store knows it by its text.
    root.join(path).components().collect()
}

/// Whether an output lies already where it is to be published.
pub(crate) fn is_placed(
    store: &Store,
    graph: &Graph,
    output: &OutputRecord,
    path: &Path,
) -> Result<bool, flow_store::Error> {
    let found = look(store, output.kind, &target(graph, path), Some(output))?;
    Ok(matches!(found, Found::Same { .. }))
}

impl Dispatcher<'_> {
    /// Places what a node that has ended well publishes.
    pub(super) fn publish(&mut self, id: NodeId) {
        for (port, path) in &self.parts.graph.node(id).publish {
            let mut outputs = self.nodes[id.0].outputs.iter().flatten();
            let Some(output) = outputs.find(|output| output.port == *port) else { continue };
            let to = target(self.parts.graph, path);
            let warning = match publish(self.parts.store, output, &to, self.parts.options.overwrite) {
                Ok(placed) => {
                    if let Some(stamp) = placed.record {
                        self.writer.published(to, output.digest, stamp);
                    }
                    placed.warning
                }
                Err(problem) => {
                    self.incomplete = true;
                    Some(problem)
                }
            };
            if let Some(warning) = warning {
                self.note(id, warning);
            }
        }
    }

    /// A warning about a node that has been handed to the writer before.
    pub(super) fn note(&mut self, id: NodeId, message: String) {
        let node = self.parts.graph.node(id).name.clone();
        let level = "warning".to_owned();
        self.writer
            .note(id, LogRecord { at: flow_store::now(), level: level.clone(), message: message.clone() });
        (self.parts.sink)(&Event::Log { node, level, message });
    }
}

/// Places one output at a path, by temporary name and rename.
fn publish(store: &Store, output: &OutputRecord, to: &Path, overwrite: bool) -> Result<Placed, String> {
    let problem = |error: &dyn std::fmt::Display| format!("cannot publish {}: {error}", to.display());
    let mut warning = None;
    match look(store, output.kind, to, Some(output)).map_err(|error| problem(&error))? {
        Found::Same { recorded: true } => return Ok(Placed { record: None, warning }),
        Found::Same { recorded: false } => {
            return Ok(Placed { record: Stamp::of(to).ok(), warning });
        }
        Found::Edited => {
            let aside = set_aside(to).map_err(|error| problem(&error))?;
            let (to, aside) = (to.display(), aside.display());
            warning =
                Some(format!("{to} was changed after it was published; the changed one is now {aside}"));
        }
        Found::Foreign if !overwrite => {
            return Err(format!("not published: {}; --overwrite replaces it", foreign(to)));
        }
        Found::Nothing | Found::Known | Found::Foreign => {}
    }
    let from = store.artifact_path(&output.digest).map_err(|error| problem(&error))?;
    place(&from, to).map_err(|error| problem(&error))?;
    Ok(Placed { record: Stamp::of(to).ok(), warning })
}

fn look(
    store: &Store,
    kind: Kind,
    to: &Path,
    output: Option<&OutputRecord>,
) -> Result<Found, flow_store::Error> {
    if fs::symlink_metadata(to).is_err() {
        return Ok(Found::Nothing);
    }
    let stamp = Stamp::of(to).ok();
    let published = match &stamp {
        Some(stamp) => store.published(to, stamp)?,
        None => None,
    };
    let untouched = published.filter(|published| published.untouched).map(|published| published.digest);
    let digest = untouched.or_else(|| digest::of(kind, to).ok().map(|found| found.digest));
    if digest.is_some() && digest == output.map(|output| output.digest) {
        return Ok(Found::Same { recorded: untouched.is_some() });
    }
    if let Some(digest) = digest
        && store.producer(&digest)?.is_some()
    {
        return Ok(Found::Known);
    }
    Ok(if published.is_some() { Found::Edited } else { Found::Foreign })
}

fn place(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = with_suffix(to, &format!(".flow-{}", std::process::id()));
    let placed = copy(from, &temporary).and_then(|()| {
        if to.is_dir() {
            fs::remove_dir_all(to)?;
        }
        fs::rename(&temporary, to)
    });
    if placed.is_err() {
        super::writer::discard(&temporary);
    }
    placed
}

/// Copies a file or a folder; the copy can be written.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    // Not `fs::copy`, which would copy that the object is read only. Shares blocks where the system can.
    io::copy(&mut fs::File::open(from)?, &mut fs::File::create(to)?).map(drop)
}

/// Renames what lies there to `NAME.edited-N`, with the first N that is free.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let aside = with_suffix(path, &format!(".edited-{number}"));
        if fs::symlink_metadata(&aside).is_err() {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
        number += 1;
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}
