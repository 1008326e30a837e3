//! The run report: one HTML file that opens offline.
//!
//! It is made from what the store recorded about a run and from the artifacts that the workflow lists under
//! `report:`. Everything that comes from outside is escaped, pictures are images only, and a content-security
//! policy forbids every outside source.

mod gather;
mod grid;
mod lineage;
mod nodes;
mod page;
mod results;
mod series;
#[cfg(test)]
mod tests;
mod timeline;

use std::io;
use std::path::PathBuf;

use flow_plugin::{Digest, Kind};
pub use gather::gather;
use serde_json::{Map, Value};

/// What a report shows.
#[derive(Clone, Debug)]
pub struct ReportInput {
    /// The file to write.
    pub path: PathBuf,
    /// The workflow's name.
    pub workflow: String,
    /// What the workflow is for.
    pub description: String,
    /// The run's name.
    pub run: String,
    /// How the run ended.
    pub status: Status,
    /// The command that started it.
    pub command: String,
    /// When it started, in seconds since 1970.
    pub started: f64,
    /// How long it took, in seconds.
    pub wall_s: f64,
    /// Facts about the machine and the program: names and values.
    pub facts: Vec<(String, String)>,
    /// The workflow's parameters.
    pub params: Map<String, Value>,
    /// The stages, in the order of the file.
    pub stages: Vec<StageInput>,
    /// Which stage feeds which: indices into `stages`.
    pub edges: Vec<(usize, usize)>,
    /// The nodes, in the order of the graph.
    pub nodes: Vec<NodeInput>,
    /// The artifacts to show, in order.
    pub artifacts: Vec<ArtifactInput>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every node succeeded.
    Succeeded,
    /// A node failed.
    Failed,
    /// The user stopped it, or its process died.
    Interrupted,
}

/// A stage.
#[derive(Clone, Debug)]
pub struct StageInput {
    /// Its name.
    pub name: String,
    /// The operation it runs.
    pub operation: String,
}

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It was tried, and failed.
    Failed,
    /// It was stopped, or never came to run.
    Cancelled,
    /// Something it needs failed.
    Skipped,
    /// It ran, and succeeded.
    Executed,
    /// Its result was there already.
    Cached,
}

/// A node.
#[derive(Clone, Debug)]
pub struct NodeInput {
    /// Its name.
    pub name: String,
    /// Its stage: an index into [`ReportInput::stages`].
    pub stage: usize,
    /// How it ended.
    pub state: State,
    /// Why it failed.
    pub error: Option<String>,
    /// Its warnings.
    pub warnings: Vec<String>,
    /// The last lines of its log, if it failed.
    pub log: Vec<String>,
    /// When it started, in seconds after the run did.
    pub started_s: f64,
    /// Wall seconds in this run.
    pub wall_s: f64,
    /// CPU seconds in this run.
    pub cpu_s: f64,
    /// Peak resident memory in bytes.
    pub peak_rss: u64,
    /// What the computation cost when it was done, for nodes whose result was there already: wall and CPU
    /// seconds.
    pub cost: Option<(f64, f64)>,
    /// The size of its outputs.
    pub bytes: u64,
    /// Its series: names, steps and values.
    pub series: Vec<(String, Vec<(u64, f64)>)>,
    /// Where its results come from; for nodes that the page does not list, none.
    pub origin: Option<Origin>,
}

/// Where the results of a node come from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its operation, and the operation's declared version.
    pub operation: (String, u32),
    /// The name of its computation.
    pub key: Option<Digest>,
    /// Why it ran, or did not.
    pub reason: String,
    /// The seed.
    pub seed: u64,
    /// The parameters.
    pub params: Value,
    /// What it read: port, origin, digest.
    pub inputs: Vec<(String, String, Digest)>,
    /// What came out: port, kind, digest, bytes.
    pub outputs: Vec<(String, Kind, Digest, u64)>,
}

/// An artifact to show.
#[derive(Clone, Debug)]
pub struct ArtifactInput {
    /// The node that made it.
    pub node: String,
    /// Its stage.
    pub stage: String,
    /// The node's operation, and the operation's declared version.
    pub operation: (String, u32),
    /// The name of the node's computation.
    pub key: Option<Digest>,
    /// The output port.
    pub port: String,
    /// Its storage form.
    pub kind: Kind,
    /// What it is.
    pub digest: Digest,
    /// Where it lies.
    pub path: PathBuf,
}

impl State {
    /// The word for it, which is also its CSS class.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Executed => "executed",
            Self::Cached => "cached",
        }
    }
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Writes the report and gives its path.
///
/// An artifact that cannot be read is said to be so in the report; it is no reason not to write one.
///
/// # Errors
/// When the file cannot be written.
pub fn write(input: &ReportInput) -> io::Result<PathBuf> {
    let page = page::page(input);
    if let Some(folder) = input.path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // By way of another name: a browser that reloads never sees half a report.
    let unfinished = input.path.with_extension("html.tmp");
    std::fs::write(&unfinished, page)?;
    std::fs::rename(&unfinished, &input.path)?;
    Ok(input.path.clone())
}
