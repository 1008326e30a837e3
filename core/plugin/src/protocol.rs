//! The worker protocol: one JSON object a line, requests on standard input, replies on standard output.
//!
//! Control only: arrays travel as paths. Standard error is the node's log. A worker runs one node at a time.
//!
//! ```text
//! flow    {"type":"hello","protocol":1,"engine":"0.1.0"}
//! worker  {"type":"hello","protocol":1,"plugins":[{"name":"ccs","version":"0.1.0","operations":[…]}]}
//! flow    {"type":"run","id":7,"operation":"ccs/simulate","params":{…},"inputs":{…},"outputs":{…},…}
//! worker  {"type":"progress","id":7,"done":40,"total":100,"unit":"samples"}
//! worker  {"type":"metric","id":7,"name":"loss","step":40,"value":0.02}
//! worker  {"type":"done","id":7,"usage":{"cpu_s":1.2,"peak_rss":123456}}
//! flow    {"type":"cancel","id":7}
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Checked, Digest, Error, Kind, Level, ParamProblem, Port, Spec};

/// The version of the protocol spoken here.
pub const PROTOCOL: u32 = 1;

/// What the engine says to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Opens the conversation.
    Hello {
        /// The protocol version the engine speaks.
        protocol: u32,
        /// The engine's version.
        engine: String,
    },
    /// Asks for parameters to be checked, before anything runs.
    Check {
        /// Names the answer.
        id: u64,
        /// The operation's full name.
        operation: String,
        /// The parameters as the workflow gives them.
        params: Value,
        /// The types of what is connected to the inputs.
        inputs: Vec<Port>,
    },
    /// Runs one node.
    Run(Arc<Job>),
    /// Asks a running node to save a checkpoint and stop.
    Cancel {
        /// The node's number.
        id: u64,
    },
    /// Ends the worker.
    Shutdown,
}

/// One node to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Names the replies.
    pub id: u64,
    /// The node's name, for messages.
    pub node: String,
    /// The operation's full name.
    pub operation: String,
    /// The checked parameters.
    pub params: Value,
    /// By port: the artifacts to read. More than one only where the port takes a collection.
    pub inputs: BTreeMap<String, Vec<InputArtifact>>,
    /// By port: where to write. Nothing is there yet; what is there on `done` is taken over.
    pub outputs: BTreeMap<String, PathBuf>,
    /// A folder that stays until the node has succeeded, for checkpoints. Absent where it keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<PathBuf>,
    /// Whether the final state is kept, for a longer computation to go on from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_state: bool,
    /// A folder with the final state of a shorter computation, which this one may go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_from: Option<PathBuf>,
    /// The seed.
    pub seed: u64,
    /// How many threads to use.
    pub threads: usize,
}

/// One input artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputArtifact {
    /// The file or folder. Read only.
    pub path: PathBuf,
    /// Its storage form.
    pub kind: Kind,
    /// Its content digest.
    pub digest: Digest,
    /// The matrix coordinates of the node that made it.
    #[serde(default, skip_serializing_if = "none")]
    pub coordinates: Arc<Map<String, Value>>,
    /// What making it cost. Given to operations that measure, and to no other: it is not part of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Usage>,
}

fn none(coordinates: &Map<String, Value>) -> bool {
    coordinates.is_empty()
}

/// What a worker says to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply {
    /// Answers the greeting.
    Hello {
        /// The protocol version the worker speaks.
        protocol: u32,
        /// What it offers.
        plugins: Vec<PluginInfo>,
    },
    /// Answers the greeting where the plugin cannot be served: its code is wrong.
    Refused {
        /// What is wrong.
        message: String,
        /// The file to blame, absolute.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
        /// The line in that file, counted from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
        /// The traceback, in lines.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trace: Vec<String>,
    },
    /// The answer to a check.
    Checked {
        /// The request's number.
        id: u64,
        /// The parameters with defaults, and the resolved outputs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ok: Option<Checked>,
        /// Everything that is wrong with them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<ParamProblem>,
    },
    /// How far a node has come. At most ten a second.
    Progress {
        /// The node's number.
        id: u64,
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// What is counted: `samples`, `epochs`.
        unit: String,
        /// What else to show beside the bar, such as the present loss.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// One point of a series.
    Metric {
        /// The node's number.
        id: u64,
        /// The series.
        name: String,
        /// The position in the series.
        step: u64,
        /// The value; non-finite numbers as `"NaN"`, `"Infinity"`, `"-Infinity"`.
        value: Number,
    },
    /// A message for the node's log.
    Log {
        /// The node's number.
        id: u64,
        /// How much it matters.
        level: Level,
        /// The message.
        message: String,
    },
    /// The node does not start afresh.
    Resumed {
        /// The node's number.
        id: u64,
        /// The step that it goes on from.
        step: u64,
        /// Whether that is the final state of a shorter computation, and not a checkpoint of this one.
        shorter: bool,
        /// What reaching that state had cost.
        spent: Spent,
    },
    /// The node has succeeded; its outputs are complete.
    Done {
        /// The node's number.
        id: u64,
        /// What it cost.
        usage: Usage,
    },
    /// The node has failed.
    Failed {
        /// The node's number.
        id: u64,
        /// Why.
        error: Error,
        /// What it cost.
        usage: Usage,
    },
}

impl Reply {
    /// The node or the request that it is about.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        match self {
            Self::Hello { .. } | Self::Refused { .. } => None,
            Self::Checked { id, .. }
            | Self::Progress { id, .. }
            | Self::Metric { id, .. }
            | Self::Log { id, .. }
            | Self::Resumed { id, .. }
            | Self::Done { id, .. }
            | Self::Failed { id, .. } => Some(*id),
        }
    }
}

/// A plugin as its worker announces it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// Its name.
    pub name: String,
    /// Its version: recorded, not part of keys.
    pub version: String,
    /// What it is for.
    pub summary: String,
    /// What it offers.
    pub operations: Vec<Spec>,
    /// Files, absolute, whose change makes it worth asking again what the plugin offers. The executable itself
    /// need not be among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
}

/// What reaching a state has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// CPU seconds.
    pub cpu_s: f64,
    /// Wall seconds.
    pub wall_s: f64,
}

/// What a node cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU seconds, user and system, of the worker while the node ran.
    pub cpu_s: f64,
    /// Wall seconds.
    pub wall_s: f64,
    /// Peak resident memory of the worker so far, in bytes.
    pub peak_rss: u64,
}

/// A floating-point number that survives JSON also when it is not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else if self.0.is_nan() {
            serializer.serialize_str("NaN")
        } else if self.0 > 0.0 {
            serializer.serialize_str("Infinity")
        } else {
            serializer.serialize_str("-Infinity")
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => {
                number.as_f64().map(Self).ok_or_else(|| serde::de::Error::custom("not a number"))
            }
            Value::String(word) => match word.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                _ => Err(serde::de::Error::custom(format!("`{word}` is not a number"))),
            },
            other => Err(serde::de::Error::custom(format!("`{other}` is not a number"))),
        }
    }
}
