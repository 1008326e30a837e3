//! What happens in a run, as one stream. The terminal, JSON lines and the store's records are all made from
//! it.

use flow_plugin::Digest;
use flow_plugin::protocol::Number;
use flow_store::{NodeState, RunStatus};
use serde::Serialize;

/// Something that happened. As JSON: one object a line, at most [`MAX_LINE`] bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run has begun.
    RunStarted {
        /// Its name.
        run: String,
        /// The workflow's name.
        workflow: String,
        /// How many nodes the graph has.
        nodes: usize,
        /// How many cores it may use.
        cores: usize,
    },
    /// Further nodes are known, now that others have ended.
    GraphGrown {
        /// How many nodes the graph has now.
        nodes: usize,
        /// How many are new, by stage.
        stages: Vec<(String, usize)>,
    },
    /// A node runs.
    NodeStarted {
        /// Its name.
        node: String,
        /// Why it must run.
        reason: String,
        /// 1 at first, more after failures.
        attempt: u32,
    },
    /// A node waits for another run that is computing the same.
    NodeWaits {
        /// Its name.
        node: String,
        /// The other run.
        run: String,
    },
    /// A node does not start afresh.
    NodeResumed {
        /// Its name.
        node: String,
        /// What it goes on from: a checkpoint of its own, or the final state of a shorter computation.
        from: String,
        /// Wall seconds that reaching that state had taken.
        saved_s: f64,
    },
    /// How far a node has come. At most ten a second.
    Progress {
        /// Its name.
        node: String,
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// What is counted.
        unit: String,
        /// What else to show.
        message: String,
    },
    /// One point of a series.
    Metric {
        /// The node.
        node: String,
        /// The series.
        name: String,
        /// The position in it.
        step: u64,
        /// The value.
        value: Number,
    },
    /// What a running node holds, with all that it has started; once a second.
    Memory {
        /// The node.
        node: String,
        /// Resident memory, in bytes.
        bytes: u64,
    },
    /// A message from a node, or about it.
    Log {
        /// The node.
        node: String,
        /// `info`, `note`, `warning` or `stderr`.
        level: String,
        /// The text.
        message: String,
    },
    /// A node failed and will be tried again.
    NodeRetries {
        /// Its name.
        node: String,
        /// Why it failed.
        error: String,
        /// The number of the next attempt.
        attempt: u32,
        /// How long until then.
        wait_s: f64,
    },
    /// A node has ended. If it succeeded, its outputs are in the store.
    NodeFinished {
        /// Its name.
        node: String,
        /// How it ended.
        status: NodeState,
        /// Whether the result was there already.
        cached: bool,
        /// The name of its computation; none where an input never came to be.
        key: Option<Digest>,
        /// Why it ran, or did not.
        reason: String,
        /// Wall seconds; 0 if cached.
        wall_s: f64,
        /// CPU seconds; 0 if cached.
        cpu_s: f64,
        /// Why it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// Something is not as it should be, and the run goes on.
    Warning {
        /// What.
        message: String,
    },
    /// The report has been written.
    ReportWritten {
        /// Where.
        path: String,
    },
    /// The run has ended. Always the last event.
    RunFinished(Summary),
}

/// Why a node failed, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// What the user can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The last lines that the node wrote to standard error.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stderr: Vec<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: clip(message.into()), hint: None, stderr: Vec::new() }
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How it ended.
    pub status: RunStatus,
    /// Nodes that ran and succeeded.
    pub executed: usize,
    /// Nodes whose results were there already.
    pub cached: usize,
    /// Nodes that failed.
    pub failed: usize,
    /// Nodes that were not tried.
    pub skipped: usize,
    /// Wall seconds of the run.
    pub wall_s: f64,
    /// Wall seconds that computing the cached nodes, and the states that others went on from, had taken.
    #[serde(skip)]
    pub saved_s: f64,
}

impl Summary {
    /// Of a run of so many nodes that the store or the system did not let begin.
    pub(crate) fn given_up(nodes: usize) -> Self {
        Self {
            status: RunStatus::Failed,
            executed: 0,
            cached: 0,
            failed: 0,
            skipped: nodes,
            wall_s: 0.0,
            saved_s: 0.0,
        }
    }
}

/// The longest line of JSON.
pub const MAX_LINE: usize = 1 << 20;

/// The longest text in an event: no event has more than a few, so that no line is longer than [`MAX_LINE`]
/// even where every character must be escaped.
const MAX_TEXT: usize = 32 << 10;

/// The end of a text that is too long for an event, or all of it.
#[must_use]
pub fn clip(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let start = (text.len() - MAX_TEXT..).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
        text.replace_range(..start, "…");
    }
    text
}
