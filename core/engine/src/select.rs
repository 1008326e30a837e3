//! Choosing what of a workflow a run is about.
//!
//! A [`Selection`] names stages and nodes; [`Graph::select`] leaves out what is not needed for them, and marks
//! the nodes whose results are to be computed again, or never. Plan and run see nothing but the smaller graph.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use petgraph::graph::DiGraph;

use crate::diagnostics::{closest, list};
use crate::graph::{Graph, Node, NodeId, Reuse, Stage};

/// What a run is about, by names of stages and nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These, and what they need; everything if empty.
    pub until: Vec<String>,
    /// These alone: what they need must be in the store. Everything if empty.
    pub only: Vec<String>,
    /// These are computed even if their results are in the store.
    pub force: Vec<String>,
    /// Of these the last results are used, whatever has changed.
    pub frozen: Vec<String>,
}

/// A selection that a workflow cannot follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unselectable {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for Unselectable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Unselectable {}

impl Graph {
    /// The nodes that these names mean: each that of a node, or of a stage for all its nodes. `purpose` ends
    /// the sentence that there is no such stage.
    ///
    /// # Errors
    /// When a name is that of neither, or of one that a condition switches off.
    pub fn named(&self, names: &[String], purpose: &str) -> Result<BTreeSet<NodeId>, Unselectable> {
        let mut found = BTreeSet::new();
        for name in names {
            let ids = self.meant(name);
            if ids.is_empty() && !self.stages.iter().any(|stage| may_have(stage, name)) {
                return Err(self.unknown(name, purpose));
            }
            found.extend(ids);
        }
        Ok(found)
    }

    fn meant(&self, name: &str) -> Vec<NodeId> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(_, node)| node.name == name || node.stage == name).map(|(n, _)| NodeId(n)).collect()
    }

    fn unknown(&self, name: &str, purpose: &str) -> Unselectable {
        let off = self.stages.iter().find_map(|stage| {
            let whole = stage.name == name && stage.nodes.is_empty();
            stage.off.iter().find(|(node, _)| node == name || whole).map(|(_, reason)| reason)
        });
        if let Some(reason) = off {
            let message = format!("there is nothing to {purpose}: `{name}` is switched off: {reason}");
            return Unselectable { message, hint: None };
        }
        let stages: Vec<&str> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
        let nodes = self.nodes.iter().map(|node| node.name.as_str());
        // A stage first: where both are as near, the shorter name is the likelier one.
        let near = match name.contains('[') {
            true => closest(name, nodes),
            false => closest(name, stages.iter().copied()),
        };
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the stages are {}", list(&stages)),
        };
        Unselectable { message: format!("there is no stage or node `{name}` to {purpose}"), hint: Some(hint) }
    }

    /// The part of the graph that a selection is about, with its wishes on each node.
    ///
    /// # Errors
    /// When a name means nothing, or wishes contradict each other.
    pub fn select(self, selection: &Selection) -> Result<Self, Unselectable> {
        let frozen = self.named(&selection.frozen, "freeze")?;
        let forced = self.named(&selection.force, "force")?;
        let only = self.named(&selection.only, "run alone")?;
        let until = self.named(&selection.until, "run up to")?;
        if let Some(both) =
            forced.iter().find(|id| frozen.contains(id) || self.node(**id).reuse == Reuse::Last)
        {
            let hint = "a frozen stage is never computed: take `frozen` away first";
            let message = format!("`{}` is frozen, and cannot be forced", self.node(*both).name);
            return Err(Unselectable { message, hint: Some(hint.to_owned()) });
        }
        let option = if selection.only.is_empty() { "--until" } else { "--only" };
        let names: Vec<String> = forced.iter().map(|id| self.node(*id).name.clone()).collect();
        let alone = |id: &NodeId| selection.only.is_empty() || only.contains(id);
        let beside = forced.iter().position(|id| !alone(id));
        let all = until.is_empty() && only.is_empty();
        let selected = self.follow(selection);
        let left_out = names.iter().position(|name| !all && selected.find(name).is_none());
        if let Some(outside) = beside.or(left_out) {
            let message = format!("`{}` is to be forced, but is left out by `{option}`", names[outside]);
            return Err(Unselectable { message, hint: Some(format!("name it with `{option}` too")) });
        }
        Ok(selected)
    }

    /// The same for a graph that has grown, where names have been checked, and some may have come to mean
    /// nothing.
    pub(crate) fn follow(mut self, selection: &Selection) -> Self {
        self.selection = selection.clone();
        let meant = |graph: &Self, names: &[String]| -> BTreeSet<NodeId> {
            names.iter().flat_map(|name| graph.meant(name)).collect()
        };
        for (names, reuse) in [(&selection.frozen, Reuse::Last), (&selection.force, Reuse::Never)] {
            for id in meant(&self, names) {
                Arc::make_mut(&mut self.nodes[id.0]).reuse = reuse;
            }
        }
        let alone = !selection.only.is_empty();
        let names = if alone { &selection.only } else { &selection.until };
        if names.is_empty() {
            return self;
        }
        let targets = meant(&self, names);
        let kept = self.needed(&targets, names);
        for id in kept.nodes.difference(&targets).filter(|_| alone) {
            let node = Arc::make_mut(&mut self.nodes[id.0]);
            if node.reuse == Reuse::SameKey {
                node.reuse = Reuse::Needed;
            }
        }
        self.restricted(&kept, names)
    }

    /// What these nodes need, and the stages among `names` of which further nodes are not known yet. A frozen
    /// node needs nothing.
    fn needed(&self, targets: &BTreeSet<NodeId>, names: &[String]) -> Kept {
        let mut kept = Kept::default();
        let mut nodes: Vec<NodeId> = targets.iter().copied().collect();
        let mut stages: Vec<&Stage> =
            self.stages.iter().filter(|stage| names.iter().any(|name| may_have(stage, name))).collect();
        loop {
            if let Some(id) = nodes.pop() {
                match self.stand_in(id) {
                    Some(stand_in) => stages.extend(self.stages.iter().filter(|s| s.name == stand_in.stage)),
                    None if kept.nodes.insert(id) && self.node(id).reuse != Reuse::Last => {
                        nodes.extend(self.upstream(id));
                    }
                    None => {}
                }
            } else if let Some(stage) = stages.pop() {
                if stage.unknown.is_empty() || !kept.unknown.insert(stage.name.clone()) {
                    continue;
                }
                // What decides about its nodes, what they wait for, and what they will read as far as that is known.
                let before =
                    |other: &&Stage| [&stage.unknown, &stage.needs].iter().any(|s| s.contains(&other.name));
                for other in self.stages.iter().filter(before) {
                    nodes.extend(other.nodes.iter().copied().map(NodeId));
                    stages.push(other);
                }
                let stand_ins = self.stand_ins.iter().filter(|node| node.stage == stage.name);
                let sources = stand_ins.flat_map(|node| node.inputs.iter().flat_map(|(_, sources)| sources));
                nodes.extend(sources.filter_map(|source| source.from.output()).map(|(node, _)| node));
            } else {
                return kept;
            }
        }
    }

    /// The node that stands for those of a stage which are not known, by number.
    fn stand_in(&self, id: NodeId) -> Option<&Node> {
        self.stand_ins.get(id.0.checked_sub(self.nodes.len())?).map(AsRef::as_ref)
    }

    /// The graph of what is kept alone. Stages that were asked for by name stay where they turn out to be off.
    fn restricted(mut self, kept: &Kept, names: &[String]) -> Self {
        let stands = |node: &Arc<Node>| kept.unknown.contains(&node.stage);
        let mut numbers: Vec<Option<NodeId>> = vec![None; self.nodes.len() + self.stand_ins.len()];
        let behind = self.stand_ins.iter().enumerate().filter(|(_, node)| stands(node));
        let behind = behind.map(|(number, _)| NodeId(self.nodes.len() + number));
        for (new, old) in kept.nodes.iter().copied().chain(behind).enumerate() {
            numbers[old.0] = Some(NodeId(new));
        }
        let mut number = 0;
        self.nodes.retain(|_| {
            number += 1;
            numbers[number - 1].is_some()
        });
        self.stand_ins.retain(stands);
        for node in self.nodes.iter_mut().chain(&mut self.stand_ins) {
            for (_, sources) in &mut Arc::make_mut(node).inputs {
                // Only what a frozen node once read can be gone: it reads nothing any more.
                sources
                    .retain(|source| source.from.output().is_none_or(|(node, _)| numbers[node.0].is_some()));
                for source in sources {
                    source.from.renumber(|node| numbers[node.0].unwrap_or(node));
                }
            }
        }
        let mut dag = DiGraph::with_capacity(self.nodes.len(), self.dag.edge_count());
        for number in 0..self.nodes.len() {
            dag.add_node(NodeId(number));
        }
        for edge in self.dag.edge_indices() {
            let Some((from, to)) = self.dag.edge_endpoints(edge) else { continue };
            if let (Some(from), Some(to)) = (numbers[from.index()], numbers[to.index()]) {
                dag.add_edge(from.into(), to.into(), self.dag[edge].clone());
            }
        }
        self.dag = dag;
        for stage in &mut self.stages {
            stage.nodes = stage.nodes.iter().filter_map(|number| numbers[*number]).map(|id| id.0).collect();
            if !kept.unknown.contains(&stage.name) {
                stage.unknown.clear();
            }
        }
        let off = |stage: &Stage| !stage.off.is_empty() && names.contains(&stage.name);
        self.stages.retain(|stage| !stage.nodes.is_empty() || !stage.unknown.is_empty() || off(stage));
        let number = |(node, port): (NodeId, String)| Some((numbers[node.0]?, port));
        let questions = std::mem::take(&mut self.questions);
        if !kept.unknown.is_empty() {
            self.questions = questions.into_iter().filter_map(number).collect();
        }
        let stages: Vec<&str> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
        self.report.retain(|(stage, _)| stages.contains(&stage.as_str()));
        self
    }
}

/// What is left of a graph.
#[derive(Default)]
struct Kept {
    nodes: BTreeSet<NodeId>,
    /// The stages of which further nodes become known later.
    unknown: BTreeSet<String>,
}

/// Whether a name is that of a stage of which further nodes become known later, or may be that of one of them.
fn may_have(stage: &Stage, name: &str) -> bool {
    let within = name.strip_prefix(&stage.name).is_some_and(|rest| rest.starts_with('['));
    !stage.unknown.is_empty() && (stage.name == name || within)
}
