//! A run as an RO-Crate: a folder that others can read without `flow`, with its workflow, its results, and where each
//! of them comes from.
//!
//! It follows the Provenance Run Crate profile 0.5 and those that it builds on. The workflow is the main entity; each
//! stage is a step of it and each operation a tool. A node that ran is a `CreateAction` of its tool, which a
//! `ControlAction` ties to its step, and the run as a whole a `CreateAction` of the workflow, which an
//! `OrganizeAction` of the engine has as its result.

mod actions;
mod entities;
mod files;

use std::fs;
use std::path::Path;

use flow_plugin::artifact;
use flow_store::{RunRecord, Store};
use serde_json::{Value, json};

/// What the crate says beside what is recorded.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who ran it.
    pub author: Option<String>,
    /// Their ORCID, as an address.
    pub orcid: Option<String>,
    /// The license of what is in the crate: an address, or words.
    pub license: Option<String>,
    /// Put every result in, not only those that no other node reads.
    pub all: bool,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Results and inputs that are in the crate.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Results and inputs that are described only.
    pub described: usize,
}

/// A crate that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] flow_store::Error),
    /// A result cannot be copied.
    #[error(transparent)]
    Artifact(#[from] artifact::Error),
    /// A file cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No node of the run did anything.
    #[error("no node of run {0} has come to an end: there is nothing to describe")]
    Empty(String),
}

/// Writes the crate of a run into a folder that is empty or not there yet.
///
/// # Errors
/// When the store cannot be read, a result is gone, or a file cannot be written.
pub fn write(store: &Store, run: &RunRecord, folder: &Path, options: &Options) -> Result<Written, Error> {
    let nodes = actions::executed(store, &run.start.id)?;
    if nodes.is_empty() {
        return Err(Error::Empty(run.start.id.clone()));
    }
    fs::create_dir_all(folder).map_err(io(folder))?;
    let workflow = files::workflow_name(run);
    let path = folder.join(&workflow);
    fs::write(&path, &run.start.source).map_err(io(&path))?;

    let mut files = files::Files::new(store, folder);
    files.place(&nodes, options.all)?;
    let mut graph = entities::crate_itself(run, &workflow, options, &nodes, &files);
    graph.extend(actions::of_the_run(run, &workflow, options, &nodes, &files));
    graph.extend(nodes.iter().flat_map(|node| actions::of_a_node(node, options, &files)));
    let written = files.written();
    graph.extend(files.into_entities());

    let metadata = json!({
        "@context": ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"],
        "@graph": graph,
    });
    let path = folder.join(METADATA);
    // Values of JSON can always be written.
    fs::write(&path, serde_json::to_string_pretty(&metadata).unwrap_or_default()).map_err(io(&path))?;
    Ok(written)
}

/// The file that makes a folder a crate.
const METADATA: &str = "ro-crate-metadata.json";

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

/// A reference to an entity.
fn to(id: &str) -> Value {
    json!({ "@id": id })
}

/// References to entities: one that is alone is no list.
fn to_all<'a>(ids: impl IntoIterator<Item = &'a String>) -> Value {
    let mut all: Vec<Value> = ids.into_iter().map(|id| to(id)).collect();
    if all.len() == 1 { all.swap_remove(0) } else { Value::Array(all) }
}

/// A name as it may stand in an address: letters, digits and a few marks.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
}
