//! The plan: which nodes are cached, which must run, and why.
//!
//! A node whose inputs are all known has a key, and its key is in the store or it is not: that is certain. A
//! node behind one that must run is another matter, since its key depends on what will come out: it runs only
//! if that changed (early cutoff), and the plan says so. It is certain to run only if nothing was ever
//! computed with its parameters.

mod changes;
mod frozen;
mod history;
pub(crate) mod reason;
mod resolve;
mod twins;

use std::collections::{BTreeMap, HashSet};

use flow_plugin::{Digest, Kind};
use flow_store::{Computation, OutputRecord, Store, Usage};
use serde::Serialize;

pub use changes::{Changes, Content, changes};

pub(crate) use frozen::{Frozen, find as frozen};
pub(crate) use history::History;
pub(crate) use resolve::{Input, Ports, Resolver};

use crate::catalog::Catalog;
use crate::diagnostics::Diagnostics;
use crate::graph::{Graph, NodeId, Reuse};
use crate::growth;
use crate::run::publish;

/// What will be done about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its result is in the store.
    Cached,
    /// It must run, or may have to.
    Run,
    /// It is frozen: its last result is used.
    Frozen,
    /// It is switched off by a condition.
    Off,
    /// Not a node: further ones of a stage become known only when others have ended.
    Unknown,
}

/// What is planned for one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Planned {
    /// The node's name.
    pub node: String,
    /// Its stage.
    pub stage: String,
    /// What will be done.
    pub state: State,
    /// Whether that is certain, or depends on what comes out of other nodes.
    pub certain: bool,
    /// Why, for people.
    pub reason: String,
    /// The name of the computation, where its inputs are known.
    pub key: Option<Digest>,
    /// Wall seconds that it took when it, or for a node to run the one before it, was computed.
    pub wall_s: Option<f64>,
    /// The shorter computation that it can go on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<Continues>,
    /// For programs: the files that words of the command name, which are inputs by themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What will be computed, for a node that must run and whose inputs are known.
    #[serde(skip)]
    pub computation: Option<Computation>,
}

/// A shorter computation to go on from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Continues {
    /// The parameter that says how long.
    pub parameter: String,
    /// Its value there.
    pub from: i64,
    /// Wall seconds that it took.
    pub saves_s: f64,
}

/// A plan: an entry for each node, in the order of the graph. What a stage has switched off follows its nodes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// What is planned.
    pub nodes: Vec<Planned>,
}

impl Plan {
    /// How many nodes are cached, certain to run, and perhaps to run.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |states: &[State], certain| {
            self.nodes.iter().filter(|node| states.contains(&node.state) && node.certain == certain).count()
        };
        let perhaps = count(&[State::Run, State::Cached], false);
        (count(&[State::Cached], true), count(&[State::Run], true), perhaps)
    }
}

/// A workflow that cannot be planned or run: an external input cannot be read, or the store fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] flow_store::Error),
    /// External inputs that cannot be read: one line each.
    #[error("{}", .0.join("\n"))]
    Inputs(Vec<String>),
    /// Frozen nodes without a result that could be used: one line each.
    #[error("{}", .0.join("\n"))]
    Frozen(Vec<String>),
    /// Nodes that would have to be computed, and were left out: one line each.
    #[error("{}", .0.join("\n"))]
    LeftOut(Vec<String>),
    /// What is wrong with nodes that are known from outputs in the store.
    #[error(transparent)]
    Growth(Diagnostics),
}

/// What is known of a node while planning.
struct Known {
    planned: Planned,
    outputs: Option<Vec<OutputRecord>>,
    ports: Option<Ports>,
}

/// Makes the plan.
///
/// # Errors
/// When the store fails, or an external input cannot be read.
pub fn plan(graph: &Graph, catalog: &Catalog, store: &Store) -> Result<Plan, Error> {
    let graph = &*growth::known(graph, catalog, store)?;
    let mut resolver = Resolver::new(graph, catalog);
    resolver.check_externals(store, &graph.nodes)?;
    let history = History::new(store, &graph.name)?;
    let _snapshot = store.snapshot()?;
    let frozen = frozen::find(graph, store)?;
    let mut planner = Planner { graph, store, resolver, history, frozen, known: BTreeMap::new() };
    for id in order(graph) {
        let known = planner.node(id)?;
        planner.known.insert(id, known);
    }
    planner.tell_twins();
    planner.require_for_unknown()?;
    for id in order(graph).into_iter().rev() {
        planner.require_inputs(id)?;
    }
    planner.refuse_left_out()?;
    let mut known = planner.known;
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for stage in &graph.stages {
        let own = stage.nodes.iter().filter_map(|number| known.remove(&NodeId(*number)));
        nodes.extend(own.map(|known| known.planned));
        let absent = |name: &String, state, reason: &String| Planned {
            node: name.clone(),
            stage: stage.name.clone(),
            state,
            certain: state == State::Off,
            reason: reason.clone(),
            key: None,
            wall_s: None,
            continues: None,
            files: Vec::new(),
            computation: None,
        };
        nodes.extend(stage.off.iter().map(|(name, reason)| absent(name, State::Off, reason)));
        let why = stage.why_unknown();
        nodes.extend(why.map(|reason| absent(&stage.name, State::Unknown, &reason)));
    }
    Ok(Plan { nodes })
}

/// The nodes in an order in which each comes after those it needs.
pub(crate) fn order(graph: &Graph) -> Vec<NodeId> {
    // A checked graph has no cycle; should one slip through, its nodes are left out and never run.
    petgraph::algo::toposort(&graph.dag, None).unwrap_or_default().into_iter().map(NodeId::from).collect()
}

struct Planner<'a> {
    graph: &'a Graph,
    store: &'a Store,
    resolver: Resolver<'a>,
    history: History,
    frozen: BTreeMap<NodeId, Frozen>,
    known: BTreeMap<NodeId, Known>,
}

impl Planner<'_> {
    fn node(&mut self, id: NodeId) -> Result<Known, Error> {
        let node = self.graph.node(id);
        let known = &self.known;
        let ports = self.resolver.inputs(self.store, id, |from| known.get(&from)?.outputs.as_deref())?;
        let recipe = self.resolver.recipe(id).clone();
        let key = ports.as_ref().map(|ports| self.resolver.key(id, ports));
        let hit = match &key {
            Some(key) => self.store.lookup(key)?,
            None => None,
        };
        let planned = |state, certain, reason, usage: Option<Usage>| Planned {
            node: node.name.clone(),
            stage: node.stage.clone(),
            state,
            certain,
            reason,
            key,
            wall_s: usage.map(|usage| usage.wall_s),
            continues: None,
            files: node
                .inputs
                .iter()
                .filter_map(|(name, _)| Some(name.strip_prefix("file:")?.to_owned()))
                .collect(),
            computation: None,
        };
        if let Some(frozen) = self.frozen.get(&id) {
            let usage = frozen.hit.usage;
            let known = &self.known;
            let ports =
                self.resolver.known_inputs(self.store, id, |from| known.get(&from)?.outputs.as_deref());
            let planned = planned(State::Frozen, true, frozen.reason(&recipe, &ports), Some(usage));
            let planned = Planned { key: Some(frozen.key), ..planned };
            let outputs = Some(frozen.hit.outputs.clone());
            return Ok(Known { planned, outputs, ports: None });
        }
        if node.reuse == Reuse::Never && (hit.is_some() || key.is_none()) {
            let usage = match &hit {
                Some(hit) => Some(hit.usage),
                None => self.history.usage(self.store, node)?,
            };
            // What comes out will most likely be the same again, but that is not known.
            return Ok(Known {
                planned: planned(State::Run, true, "forced".into(), usage),
                outputs: None,
                ports,
            });
        }
        if let Some(hit) = hit {
            if let Some(reason) = gone(self.store, self.graph, id, &hit.outputs)? {
                let planned = planned(State::Run, true, reason, Some(hit.usage));
                return Ok(Known { planned, outputs: Some(hit.outputs), ports });
            }
            let planned = planned(State::Cached, true, "its result is in the store".into(), Some(hit.usage));
            return Ok(Known { planned, outputs: Some(hit.outputs), ports });
        }
        let before = self.history.usage(self.store, node)?;
        let certain = key.is_some() || !self.store.knows_recipe(&recipe.digest)?;
        let reason = if certain {
            self.history.explain(self.store, node, &recipe, key.as_ref(), ports.as_ref())?
        } else {
            format!("runs only if {} comes out different", self.undecided(id).join(" or "))
        };
        let inputs = ports.as_ref().map(|ports| self.resolver.records(ports));
        let computation = inputs.map(|inputs| Computation { recipe, inputs });
        let mut planned = Planned { computation, ..planned(State::Run, certain, reason, before) };
        if let Some(ports) = &ports {
            self.continues(id, ports, &mut planned)?;
        }
        Ok(Known { planned, outputs: None, ports })
    }

    /// Says so if the node can go on from a shorter computation, and how long it takes then.
    fn continues(&self, id: NodeId, ports: &Ports, planned: &mut Planned) -> Result<(), Error> {
        let Some(shorter) = self.resolver.shorter(self.store, id, ports)? else { return Ok(()) };
        let Some((_, extent)) = self.resolver.family(id, ports) else { return Ok(()) };
        let node = self.graph.node(id);
        let parameter = node.extendable.clone().unwrap_or_default();
        let saves_s = shorter.cost.wall_s;
        planned.reason += &format!("; can go on from {parameter} {}", shorter.extent);
        if shorter.extent > 0 {
            planned.wall_s = Some(saves_s * (extent as f64 / shorter.extent as f64 - 1.0));
        }
        planned.continues = Some(Continues { parameter, from: shorter.extent, saves_s });
        Ok(())
    }

    /// The outputs of nodes that run, or may run, which this node reads.
    fn undecided(&self, id: NodeId) -> Vec<String> {
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        for (_, sources) in &self.graph.node(id).inputs {
            for source in sources {
                if let Some((node, port)) = source.from.output()
                    && self.known.get(&node).is_none_or(|known| known.outputs.is_none())
                    && seen.insert((node, port))
                {
                    names.push(format!("{}.{port}", self.graph.node(node).name));
                }
            }
        }
        const SHOWN: usize = 3;
        if names.len() > SHOWN {
            let more = names.len() - SHOWN;
            names.truncate(SHOWN);
            names.push(if more == 1 { "another".to_owned() } else { format!("{more} others") });
        }
        names
    }

    /// A node that runs needs its inputs: where one is gone from the store, the cached node that makes it must run
    /// too; where it is not certain to run, perhaps.
    fn require_inputs(&mut self, id: NodeId) -> Result<(), Error> {
        let Some(known) = self.known.get(&id) else { return Ok(()) };
        let certain = match (known.planned.state, known.planned.certain) {
            (State::Run, certain) => certain,
            (State::Cached, false) => false,
            _ => return Ok(()),
        };
        let nodes = &self.known;
        let told;
        let ports = match &known.ports {
            Some(ports) => ports,
            None => {
                let outputs = |from: NodeId| nodes.get(&from)?.outputs.as_deref();
                told = self.resolver.known_inputs(self.store, id, outputs);
                &told
            }
        };
        let mut gone = Vec::new();
        for input in ports.iter().flat_map(|(_, inputs)| inputs) {
            if let Some((node, port)) = &input.output
                && let Err(error) = self.store.check_artifact(&input.artifact())
            {
                gone.push((*node, missing(port, error)?));
            }
        }
        let reader = (!certain).then(|| self.graph.node(id).name.as_str());
        for (node, reason) in gone {
            self.require(node, reason, reader);
        }
        Ok(())
    }

    /// What nodes will read that are not known yet may be gone, too.
    fn require_for_unknown(&mut self) -> Result<(), Error> {
        for stand_in in &self.graph.stand_ins {
            let sources = stand_in.inputs.iter().flat_map(|(_, sources)| sources);
            for (node, port) in sources.filter_map(|source| source.from.output()) {
                let outputs = self.known.get(&node).and_then(|known| known.outputs.as_ref());
                let found = outputs.and_then(|all| all.iter().find(|output| output.port == port));
                if let Some(found) = found
                    && let Err(error) = self.store.check_artifact(&found.digest)
                {
                    self.require(node, missing(port, error)?, Some(&stand_in.stage));
                }
            }
        }
        Ok(())
    }

    /// An output of a cached node is gone and needed: for certain, or only if its reader runs.
    fn require(&mut self, node: NodeId, reason: String, reader: Option<&str>) {
        let Some(known) = self.known.get_mut(&node).filter(|known| known.planned.state == State::Cached)
        else {
            return;
        };
        match reader {
            None => {
                (known.planned.state, known.planned.certain) = (State::Run, true);
                known.planned.reason = reason;
            }
            Some(reader) if known.planned.certain => {
                known.planned.certain = false;
                known.planned.reason = format!("{reason}: runs only if {reader} does");
            }
            Some(_) => {}
        }
    }
}

impl Planner<'_> {
    /// Nodes that others need, that were left out of the run, and that would have to be computed.
    fn refuse_left_out(&self) -> Result<(), Error> {
        let left_out = self.known.iter().filter(|(id, known)| {
            self.graph.node(**id).reuse == Reuse::Needed && known.planned.state == State::Run
        });
        let lines: Vec<String> = left_out
            .map(|(_, known)| {
                format!("`{}` is needed, and not in the store: {}", known.planned.node, known.planned.reason)
            })
            .collect();
        if lines.is_empty() { Ok(()) } else { Err(Error::LeftOut(lines)) }
    }
}

/// Why a node whose result is known has to run all the same: an output of it is gone from the store, and is to be
/// published and does not lie where that is, or decides which nodes there are.
pub(crate) fn gone(
    store: &Store,
    graph: &Graph,
    id: NodeId,
    outputs: &[OutputRecord],
) -> Result<Option<String>, flow_store::Error> {
    let published = graph.node(id).publish.iter().map(|(port, path)| (port, Some(path)));
    let deciding = graph.questions.iter().filter(|(node, _)| *node == id).map(|(_, port)| (port, None));
    for (port, path) in published.chain(deciding) {
        let Some(output) = outputs.iter().find(|output| output.port == *port) else { continue };
        let there = match (path, output.kind) {
            // Which entries a folder has is known without it.
            (None, Kind::Folder) => store.artifact_files(&output.digest).map(drop),
            _ => store.check_artifact(&output.digest),
        };
        if let Err(error) = there
            && !path.map_or(Ok(false), |path| publish::is_placed(store, graph, output, path))?
        {
            return missing(port, error).map(Some);
        }
    }
    Ok(None)
}

/// Why a node whose output is unavailable must run again; other errors of the store stay errors.
pub(crate) fn missing(port: &str, error: flow_store::Error) -> Result<String, flow_store::Error> {
    match error {
        flow_store::Error::Unavailable { digest, state } => {
            Ok(format!("its output {port} ({}) is {state} in the store", digest.short()))
        }
        other => Err(other),
    }
}
