//! What the store keeps, as plain data.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use flow_artifact::digest::FileHash;
use flow_artifact::{Digest, Kind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What an artifact consists of when it is handed over.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// The bytes of one file smaller than [`crate::INLINE_LIMIT`]: kept in the index.
    Inline(Vec<u8>),
    /// A file or folder on the store's file system, which is moved into place.
    Object {
        /// Where it lies now.
        path: PathBuf,
        /// Every file in it.
        files: Vec<FileHash>,
    },
}

/// An output to be taken over.
#[derive(Clone, Debug, PartialEq)]
pub struct NewArtifact {
    /// Its content digest.
    pub digest: Digest,
    /// Its storage form.
    pub kind: Kind,
    /// Its size.
    pub bytes: u64,
    /// What it consists of.
    pub content: Content,
}

/// The part of a key that does not depend on inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The hash of the other fields.
    pub digest: Digest,
    /// The operation's full name.
    pub operation: String,
    /// Its declared version.
    pub version: u32,
    /// The canonical parameters.
    pub params: String,
    /// The seed.
    pub seed: u64,
}

impl Recipe {
    /// The parameters as a value.
    #[must_use]
    pub fn params(&self) -> Value {
        serde_json::from_str(&self.params).unwrap_or(Value::Null)
    }
}

/// One input of a computation.
#[derive(Clone, Debug, PartialEq)]
pub struct InputRecord {
    /// The port.
    pub port: String,
    /// Its place in a collection; 0 where the port takes one.
    pub index: usize,
    /// What was read.
    pub digest: Digest,
    /// Where it came from: `node.output`, or the path of a file outside the store.
    pub from: String,
}

/// One output of a computation.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputRecord {
    /// The port.
    pub port: String,
    /// The storage form.
    pub kind: Kind,
    /// What it is.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

/// What computing cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU seconds, user and system.
    pub cpu_s: f64,
    /// Wall seconds.
    pub wall_s: f64,
    /// Peak resident memory of the worker, in bytes.
    pub peak_rss: u64,
}

/// A finished computation to be recorded under its key.
#[derive(Clone, Debug, PartialEq)]
pub struct NewComputation {
    /// Names it.
    pub key: Digest,
    /// For extendable operations: the key without the extendable parameter, and that parameter.
    pub family: Option<(Digest, i64)>,
    /// What it cost: where it went on from a state, together with what that had cost.
    pub cost: Usage,
    /// Name and version of the plugin.
    pub plugin: String,
    /// What was read, by port in order.
    pub inputs: Vec<InputRecord>,
    /// What came out.
    pub outputs: Vec<(String, NewArtifact)>,
}

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Its outputs are in the store.
    Succeeded,
    /// It was tried, and failed.
    Failed,
    /// Something it needs failed.
    Skipped,
    /// The run was interrupted while it ran, or before it could.
    Cancelled,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It is going on.
    Running,
    /// Every node succeeded.
    Succeeded,
    /// A node failed.
    Failed,
    /// The user stopped it.
    Interrupted,
    /// Its process ended without a word.
    Died,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $type {
            /// The word that is stored and shown.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
        impl FromStr for $type {
            type Err = String;
            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("`{word}` is not a {}", stringify!($type))),
                }
            }
        }
    };
}

words!(NodeState { Succeeded = "succeeded", Failed = "failed", Skipped = "skipped", Cancelled = "cancelled" });
words!(RunStatus {
    Running = "running",
    Succeeded = "succeeded",
    Failed = "failed",
    Interrupted = "interrupted",
    Died = "died",
});

/// A node of a run, to be recorded when it has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct NewNode {
    /// Its place in the graph.
    pub position: usize,
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// What it runs.
    pub recipe: Recipe,
    /// The name of its computation, if its inputs came to be.
    pub key: Option<Digest>,
    /// How it ended.
    pub state: NodeState,
    /// Whether the result was there already.
    pub cached: bool,
    /// Why it ran, or did not.
    pub reason: String,
    /// Why it failed.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it began.
    pub started: f64,
    /// When it ended.
    pub finished: f64,
    /// What it cost; nothing if cached.
    pub usage: Usage,
    /// Its series: name, step, value.
    pub series: Vec<(String, u64, f64)>,
    /// Its log.
    pub logs: Vec<LogRecord>,
}

/// A line of a node's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// When.
    pub at: f64,
    /// `info`, `warning`, or `stderr`.
    pub level: String,
    /// The text.
    pub message: String,
}

/// The machine a run is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub host: String,
    /// Its processor.
    pub cpu: String,
    /// Cores that the run may use.
    pub cores: usize,
}

/// What is known when a run starts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunStart {
    /// Its name.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's file.
    pub file: String,
    /// The text of that file.
    pub source: String,
    /// The workflow's parameters.
    pub params: Map<String, Value>,
    /// The arguments it was started with.
    pub command: String,
    /// Where.
    pub machine: Machine,
    /// The version of the engine.
    pub engine: String,
    /// When.
    pub started: f64,
}

/// What is known when a run has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEnd {
    /// How it ended.
    pub status: RunStatus,
    /// When.
    pub finished: f64,
    /// Nodes that ran and succeeded.
    pub executed: usize,
    /// Nodes whose results were there already.
    pub cached: usize,
    /// Nodes that failed.
    pub failed: usize,
    /// Nodes that were not tried.
    pub skipped: usize,
}

/// A recorded run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// What was known when it started.
    pub start: RunStart,
    /// How it stands.
    pub status: RunStatus,
    /// When it ended.
    pub finished: Option<f64>,
    /// Nodes that ran and succeeded.
    pub executed: usize,
    /// Nodes whose results were there already.
    pub cached: usize,
    /// Nodes that failed.
    pub failed: usize,
    /// Nodes that were not tried.
    pub skipped: usize,
}

/// A recorded node of a run, with what is known about its computation.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRecord {
    /// Its place in the graph.
    pub position: usize,
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// Its operation.
    pub operation: String,
    /// The operation's declared version.
    pub version: u32,
    /// The parameters.
    pub params: Value,
    /// The seed.
    pub seed: u64,
    /// The name of its computation.
    pub key: Option<Digest>,
    /// How it ended.
    pub state: NodeState,
    /// Whether the result was there already.
    pub cached: bool,
    /// Why it ran, or did not.
    pub reason: String,
    /// Why it failed.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it began, in seconds since 1970.
    pub started: f64,
    /// When it ended.
    pub finished: f64,
    /// CPU seconds in this run; 0 if cached.
    pub cpu_s: f64,
    /// Wall seconds in this run; 0 if cached.
    pub wall_s: f64,
    /// Peak resident memory, in bytes.
    pub peak_rss: u64,
    /// What the computation cost when it was done: in this run, or in an earlier one if cached.
    pub cost: Option<Usage>,
    /// What it read.
    pub inputs: Vec<InputRecord>,
    /// What came out.
    pub outputs: Vec<OutputRecord>,
}

/// A recorded node of a run in short: how it ended, when, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeOutline {
    /// Its place in the graph.
    pub position: usize,
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// How it ended.
    pub state: NodeState,
    /// Whether the result was there already.
    pub cached: bool,
    /// Why it failed.
    pub error: Option<String>,
    /// When it began, in seconds since 1970.
    pub started: f64,
    /// What it cost in this run; nothing if cached.
    pub usage: Usage,
    /// What the computation cost when it was done: in this run, or in an earlier one if cached.
    pub cost: Option<Usage>,
    /// The size of its outputs.
    pub bytes: u64,
}

/// What a key leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The outputs.
    pub outputs: Vec<OutputRecord>,
    /// What computing them cost.
    pub usage: Usage,
}

/// A recorded computation, as far as it tells why another one differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Computation {
    /// Operation, version, parameters, seed.
    pub recipe: Recipe,
    /// What was read.
    pub inputs: Vec<InputRecord>,
}

/// A kept final state of an extendable computation.
#[derive(Clone, Debug, PartialEq)]
pub struct Shorter {
    /// The extendable parameter.
    pub extent: i64,
    /// The folder with the state.
    pub state: PathBuf,
    /// What the computation cost.
    pub cost: Usage,
}

/// Where an artifact came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The run.
    pub run: String,
    /// The node.
    pub node: String,
    /// The output port.
    pub port: String,
    /// The storage form.
    pub kind: Kind,
    /// The computation.
    pub key: Digest,
    /// Why the node ran.
    pub reason: String,
}

/// A series of a node: its name, and its points as steps and values.
pub type Series = (String, Vec<(u64, f64)>);

/// The name of the computation that a node of a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeKey {
    /// The node.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// The key, if its inputs came to be.
    pub key: Option<Digest>,
    /// Whether it failed.
    pub failed: bool,
    /// Whether the store knows the computation.
    pub computed: bool,
}
