//! The graph of nodes: what a workflow comes to after expansion.
//!
//! A [`Graph`] is complete and checked: every reference is resolved, every parameter is canonical, there is
//! no cycle. What it does not know is content: which artifacts exist, and what their digests are.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flow_plugin::{Kind, Port};
use petgraph::graph::{DiGraph, NodeIndex};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::select::Selection;
use crate::unite::United;
use crate::workflow::Written;

/// The unkeyed parameter of programs that holds what expressions over `resources` come to.
pub(crate) const RESOURCES: &str = "resources";

/// Names a node of a [`Graph`]: an index into [`Graph::nodes`], and into its DAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

impl From<NodeId> for NodeIndex {
    fn from(id: NodeId) -> Self {
        Self::new(id.0)
    }
}

impl From<NodeIndex> for NodeId {
    fn from(index: NodeIndex) -> Self {
        Self(index.index())
    }
}

/// A workflow after expansion.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The workflow's name.
    pub name: String,
    /// What it is for, as the file says.
    pub description: String,
    /// The workflow file.
    pub file: PathBuf,
    /// The text of the file, as it was read.
    pub source: String,
    /// The root folder: what relative paths of the store start from.
    pub root: PathBuf,
    /// The workflow's parameters, after profiles and settings from outside.
    pub params: Map<String, Value>,
    /// The stages, in the order of the file.
    pub stages: Vec<Stage>,
    /// The nodes: in the order of the file, and within a stage in matrix order; those that became known later come
    /// last.
    pub nodes: Vec<Arc<Node>>,
    /// Edges from a node to those that need it. Node weights are indices into `nodes`, in the same order.
    pub dag: DiGraph<NodeId, Edge>,
    /// The outputs that the run report shows, in order: stage and port.
    pub report: Vec<(String, String)>,
    /// Outputs that decide which further nodes there are: node and port.
    pub questions: Vec<(NodeId, String)>,
    /// For each stage of which no node is known yet: one that stands for them. Numbered behind the nodes.
    pub stand_ins: Vec<Arc<Node>>,
    /// What of the workflow it is.
    pub(crate) selection: Selection,
    /// What it was made of, to be made again when more is known.
    pub(crate) made_of: MadeOf,
}

/// What a graph was made of.
#[derive(Clone, Debug)]
pub(crate) enum MadeOf {
    /// A workflow as it is written.
    File(Arc<Written>),
    /// Variants of one.
    Variants(Arc<United>),
}

/// A stage, for people: graphs and reports show stages before nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The operation it runs.
    pub operation: String,
    /// Its nodes: indices into [`Graph::nodes`].
    pub nodes: Vec<usize>,
    /// It is repeated: its nodes are the iterations of a loop.
    pub looped: bool,
    /// Nodes that it would have, but which are switched off by a condition: name, and why.
    pub off: Vec<(String, String)>,
    /// The stages that must end before all of its nodes are known; nothing if they are.
    pub unknown: Vec<String>,
    /// The stages that `needs:` names.
    pub needs: Vec<String>,
}

/// Why one node comes before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    /// An output is connected to an input.
    Data {
        /// The output of the earlier node.
        output: String,
        /// The input of the later node.
        input: String,
    },
    /// `needs:` asks for the order.
    Order,
}

/// One concrete unit of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name, such as `train[model=fno,seed=1]`.
    pub name: String,
    /// The stage it comes from.
    pub stage: String,
    /// Its matrix coordinates, axes in the order written.
    pub coordinates: Arc<Map<String, Value>>,
    /// The operation's full name.
    pub operation: String,
    /// The operation's declared version.
    pub version: u32,
    /// What results depend on beside it, by name: see [`flow_plugin::Spec::code`].
    pub code: Arc<BTreeMap<String, String>>,
    /// The canonical parameters: defaults filled in, units converted. Where a parameter is a path there is
    /// `null`: its content counts, and is one of the `inputs`.
    pub params: Value,
    /// What the operation is told beside its parameters, which no result may depend on.
    pub unkeyed: Map<String, Value>,
    /// The seed.
    pub seed: u64,
    /// Its inputs, in the order of the operation's ports. Path parameters come last, as `params.` and their
    /// dotted place in `params`: whoever starts the node puts the path back there. For programs there follow
    /// the files that words of the command name, as `file:` and the word, and the executables that count, as
    /// `program:` and the name.
    pub inputs: Vec<(String, Vec<Source>)>,
    /// Its outputs, resolved for its parameters; mostly the same for all nodes of a stage, and then shared.
    pub outputs: Arc<[Port]>,
    /// What it takes while it runs.
    pub resources: Resources,
    /// How often to try again after a failure.
    pub retry: u32,
    /// When to give up.
    pub timeout: Option<Duration>,
    /// What the second attempt and those after it take, where that depends on the attempt; else none.
    pub later: Vec<Attempt>,
    /// Where to put outputs for the user: port and path, relative to the root.
    pub publish: BTreeMap<String, PathBuf>,
    /// It reports time: nothing else of the run goes beside it.
    pub measures: bool,
    /// It saves checkpoints.
    pub checkpoints: bool,
    /// The parameter (a dotted path) whose larger values go on from the final state of a smaller one. None where
    /// the operation has no such parameter, or says that with these parameters the result would differ.
    pub extendable: Option<String>,
    /// Whether a result that is in the store is used.
    pub reuse: Reuse,
}

/// Whether a node uses a result that is in the store. Never part of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// If its key is the same.
    #[default]
    SameKey,
    /// Never: it is computed again.
    Never,
    /// If its key is the same; without one the run is refused, since it is not meant to be computed.
    Needed,
    /// The last one, whatever its key is: it is frozen, and never computed.
    Last,
}

/// What an attempt after the first takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// What it takes while it runs.
    pub resources: Resources,
    /// When to give up.
    pub timeout: Option<Duration>,
    /// What expressions over `resources` in the command of a program come to.
    pub told: Option<Value>,
}

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The artifact.
    pub from: Origin,
    /// The matrix coordinates of the node that makes it; empty for external inputs.
    pub coordinates: Arc<Map<String, Value>>,
}

/// What an input is connected to.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// An output of a node.
    Output {
        /// The node.
        node: NodeId,
        /// Its output port.
        port: String,
    },
    /// A file or folder in a folder that a node puts out.
    Entry {
        /// The node.
        node: NodeId,
        /// Its output port.
        port: String,
        /// The name of the entry.
        name: String,
        /// Its storage form.
        kind: Kind,
    },
    /// A file or folder outside the store, hashed by content.
    External {
        /// The path, absolute.
        path: PathBuf,
        /// Its storage form.
        kind: Kind,
    },
}

impl Origin {
    /// The node that makes it, and the port of the output that it is, or is in.
    #[must_use]
    pub fn output(&self) -> Option<(NodeId, &str)> {
        match self {
            Self::Output { node, port } | Self::Entry { node, port, .. } => Some((*node, port)),
            Self::External { .. } => None,
        }
    }

    /// The same, with the node under another number.
    pub(crate) fn renumber(&mut self, number: impl Fn(NodeId) -> NodeId) {
        match self {
            Self::Output { node, .. } | Self::Entry { node, .. } => *node = number(*node),
            Self::External { .. } => {}
        }
    }
}

/// What a node takes while it runs. Never part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Threads. The machine's number of cores is the most a run hands out.
    pub cpus: Cpus,
    /// Memory in bytes, if limited.
    #[serde(default)]
    pub memory: Option<u64>,
}

impl Default for Resources {
    fn default() -> Self {
        Self { cpus: Cpus::Count(1), memory: None }
    }
}

/// How many threads a node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cpus {
    /// So many (fewer where the machine has fewer).
    Count(usize),
    /// As many as the run may use.
    All,
}

impl Node {
    /// What an attempt takes that is not the first; attempts are counted from 1.
    fn later(&self, attempt: u32) -> Option<&Attempt> {
        let at = usize::try_from(attempt.checked_sub(2)?).ok()?;
        self.later.get(at).or(self.later.last())
    }

    /// What an attempt takes while it runs.
    #[must_use]
    pub fn resources_of(&self, attempt: u32) -> &Resources {
        self.later(attempt).map_or(&self.resources, |later| &later.resources)
    }

    /// When to give up an attempt.
    #[must_use]
    pub fn timeout_of(&self, attempt: u32) -> Option<Duration> {
        self.later(attempt).map_or(self.timeout, |later| later.timeout)
    }

    /// The parameters as the operation sees them in an attempt: with what is no part of the key.
    #[must_use]
    pub fn job_params(&self, attempt: u32) -> Value {
        let mut params = self.params.clone();
        for (name, sources) in &self.inputs {
            let (Some(at), [source]) = (name.strip_prefix("params."), sources.as_slice()) else { continue };
            let Origin::External { path, .. } = &source.from else { continue };
            let place = at.split('.').try_fold(&mut params, |place, part| match place {
                Value::Object(map) => map.get_mut(part),
                Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
                _ => None,
            });
            if let Some(place) = place {
                *place = Value::String(path.to_string_lossy().into_owned());
            }
        }
        if let (Value::Object(params), false) = (&mut params, self.unkeyed.is_empty()) {
            params.extend(self.unkeyed.clone());
            if let Some(told) = self.later(attempt).and_then(|later| later.told.as_ref()) {
                params.insert(RESOURCES.to_owned(), told.clone());
            }
        }
        params
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Stage {
    /// Why further nodes may become known, if so: `unknown until split`.
    #[must_use]
    pub fn why_unknown(&self) -> Option<String> {
        (!self.unknown.is_empty()).then(|| format!("unknown until {}", self.unknown.join(" and ")))
    }
}

impl Graph {
    /// The node with this number.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The name of the workflow that it is of: runs of several variants together have a name of their own.
    pub(crate) fn workflow(&self) -> &str {
        match &self.made_of {
            MadeOf::File(_) => &self.name,
            MadeOf::Variants(united) => {
                united.variants().first().map_or(&self.name, |first| &first.graph.name)
            }
        }
    }

    /// Whether some node has a memory limit.
    #[must_use]
    pub fn limits_memory(&self) -> bool {
        self.nodes.iter().any(|node| node.resources.memory.is_some())
    }

    /// The node with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.name == name).map(NodeId)
    }

    /// The nodes that must be done before this one, in order, each once.
    pub fn upstream(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let mut nodes: Vec<NodeId> =
            self.dag.neighbors_directed(id.into(), petgraph::Direction::Incoming).map(NodeId::from).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.into_iter()
    }

    /// The nodes that wait for this one, in order, each once.
    pub fn downstream(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let mut nodes: Vec<NodeId> = self.dag.neighbors(id.into()).map(NodeId::from).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.into_iter()
    }
}
