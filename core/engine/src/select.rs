//! Choosing what of a workflow a run is about.
//!
//! A [`Selection`] names stages and nodes; [`Graph::select`] leaves out what is not needed for them, and marks
//! the nodes whose results are to be computed again, or never. Plan and run see nothing but the smaller graph.

use std::collections::BTreeSet;
use std::fmt;

use petgraph::graph::DiGraph;

use crate::diagnostics::{closest, list};
use crate::graph::{Graph, NodeId, Origin, Reuse, Stage};

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
            let ids =
                self.nodes.iter().enumerate().filter(|(_, node)| node.name == *name || node.stage == *name);
            let before = found.len();
            found.extend(ids.map(|(number, _)| NodeId(number)));
            if found.len() == before && !found.iter().any(|id| self.means(*id, name)) {
                return Err(self.unknown(name, purpose));
            }
        }
        Ok(found)
    }

    fn means(&self, id: NodeId, name: &str) -> bool {
        self.node(id).name == name || self.node(id).stage == name
    }

    fn unknown(&self, name: &str, purpose: &str) -> Unselectable {
        let off = self.stages.iter().find_map(|stage| {
            let whole = stage.name == name && stage.nodes.is_empty();
            stage.off.iter().find(|(node, _)| node == name || whole).map(|(_, reason)| reason)
        });
        if let Some(reason) = off {
            let hint = Some(format!("it is switched off: {reason}"));
            return Unselectable { message: format!("`{name}` cannot be meant to {purpose}"), hint };
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
    pub fn select(mut self, selection: &Selection) -> Result<Self, Unselectable> {
        for id in self.named(&selection.frozen, "freeze")? {
            self.nodes[id.0].reuse = Reuse::Last;
        }
        let forced = self.named(&selection.force, "force")?;
        let only = self.named(&selection.only, "run alone")?;
        let until = self.named(&selection.until, "run up to")?;
        for id in &forced {
            let node = &mut self.nodes[id.0];
            if node.reuse == Reuse::Last {
                let hint = "a frozen stage is never computed: take `frozen` away first";
                let message = format!("`{}` is frozen, and cannot be forced", node.name);
                return Err(Unselectable { message, hint: Some(hint.to_owned()) });
            }
            node.reuse = Reuse::Never;
        }
        let targets = if only.is_empty() { &until } else { &only };
        if targets.is_empty() {
            return Ok(self);
        }
        let kept = self.needed(targets);
        if let Some(outside) =
            forced.iter().find(|id| !kept.contains(id) || !only.is_empty() && !only.contains(id))
        {
            let name = &self.node(*outside).name;
            let option = if only.is_empty() { "--until" } else { "--only" };
            let hint = format!("name it with `{option}` too");
            let message = format!("`{name}` is to be forced, but is left out by `{option}`");
            return Err(Unselectable { message, hint: Some(hint) });
        }
        if !only.is_empty() {
            for id in kept.difference(&only) {
                let node = &mut self.nodes[id.0];
                if node.reuse == Reuse::SameKey {
                    node.reuse = Reuse::Needed;
                }
            }
        }
        Ok(self.restricted(&kept))
    }

    /// These nodes and all that they need. A frozen node needs nothing.
    #[must_use]
    pub fn needed(&self, targets: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        let mut needed = targets.clone();
        let mut todo: Vec<NodeId> = targets.iter().copied().collect();
        while let Some(id) = todo.pop() {
            if self.node(id).reuse != Reuse::Last {
                todo.extend(self.upstream(id).filter(|upstream| needed.insert(*upstream)));
            }
        }
        needed
    }

    /// The graph of these nodes alone. They must contain what each needs.
    #[must_use]
    pub fn restricted(mut self, kept: &BTreeSet<NodeId>) -> Self {
        let mut numbers: Vec<Option<NodeId>> = vec![None; self.nodes.len()];
        for (new, old) in kept.iter().enumerate() {
            numbers[old.0] = Some(NodeId(new));
        }
        let mut number = 0;
        self.nodes.retain(|_| {
            number += 1;
            numbers[number - 1].is_some()
        });
        for (_, sources) in self.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
            // Only what a frozen node once read can be gone: it reads nothing any more.
            sources.retain_mut(|source| match &mut source.from {
                Origin::Output { node, .. } => match numbers[node.0] {
                    Some(new) => {
                        *node = new;
                        true
                    }
                    None => false,
                },
                Origin::External { .. } => true,
            });
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
        let before = |end: usize| numbers[..end].iter().flatten().count();
        self.stages = self
            .stages
            .into_iter()
            .map(|stage| Stage { nodes: before(stage.nodes.start)..before(stage.nodes.end), ..stage })
            .filter(|stage| !stage.nodes.is_empty())
            .collect();
        let stages: Vec<&str> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
        self.report.retain(|(stage, _)| stages.contains(&stage.as_str()));
        self
    }
}
