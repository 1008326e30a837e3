//! Nodes that become known while the run goes on.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::dispatcher::{Dispatcher, Parts};
use super::executor::Stop;
use super::node::{Phase, Progress};
use super::{Error, publish};
use crate::event::Event;
use crate::graph::{Graph, NodeId};
use crate::workflow::Fact;
use crate::{growth, plan};

/// The graph as it has grown: earlier ones stay, since many refer to them.
#[derive(Default)]
pub(crate) struct Grown(OnceCell<Box<(Graph, Grown)>>);

impl Grown {
    /// The latest one, if it has grown at all.
    pub(crate) fn latest(&self) -> Option<&Graph> {
        let (mut latest, mut end) = (None, self);
        while let Some((graph, next)) = end.0.get().map(AsRef::as_ref) {
            (latest, end) = (Some(graph), next);
        }
        latest
    }

    fn keep(&self, graph: Graph) -> &Graph {
        let mut end = self;
        while let Some(next) = end.0.get() {
            end = &next.1;
        }
        &end.0.get_or_init(|| Box::new((graph, Self::default()))).0
    }
}

impl<'a> Dispatcher<'a> {
    /// A node has ended well: whether further ones depend on what it put out is looked at when there is time.
    pub(super) fn learn(&mut self, id: NodeId) {
        if self.parts.graph.questions.iter().any(|(node, _)| *node == id) {
            self.learnt.insert(id);
        }
    }

    /// Expanding the workflow again has its price: several answers are taken together while there is other work.
    pub(super) fn growth_is_due(&self) -> bool {
        let answered = |(node, _): &(NodeId, String)| self.learnt.contains(node);
        !self.learnt.is_empty()
            && (self.slots.free() > 0 && self.ready.is_empty() && self.claimed.is_empty()
                || self.parts.graph.questions.iter().all(answered))
    }

    /// Adds the nodes that are known now.
    pub(super) fn grow(&mut self) -> Result<(), Error> {
        let learnt = std::mem::take(&mut self.learnt);
        let Err(mut problems) = self.grow_by(&learnt)? else { return Ok(()) };
        let mut blamed = learnt.last().copied();
        if learnt.len() > 1 {
            // One of them is to blame: the others are taken for themselves.
            for id in learnt {
                if let Err(own) = self.grow_by(&BTreeSet::from([id]))? {
                    (problems, blamed) = (own, Some(id));
                }
            }
        }
        self.incomplete = true;
        // Said of the node whose output it is about: the run has no other place to keep it.
        if let Some(id) = blamed {
            problems.into_iter().for_each(|problem| self.note(id, problem));
        }
        Ok(())
    }

    /// Adds the nodes that are known from the outputs of some others. Otherwise what is wrong with them; then these
    /// outputs count as unknown again.
    fn grow_by(&mut self, learnt: &BTreeSet<NodeId>) -> Result<Result<(), Vec<String>>, Error> {
        let graph = self.parts.graph;
        let questions: Vec<_> = graph.questions.iter().filter(|(id, _)| learnt.contains(id)).collect();
        for (id, port) in &questions {
            let mut outputs = self.nodes[id.0].outputs.iter().flatten();
            let Some(output) = outputs.find(|output| output.port == *port) else { continue };
            let fact = growth::read(self.parts.store, output).map_err(Error::Store)?;
            let fact = fact.unwrap_or_else(|| Fact::Unreadable("it is gone from the store".to_owned()));
            self.facts.insert(&graph.node(*id).name, port, fact);
        }
        let problems = match graph.grow(self.parts.catalog, &self.facts) {
            Ok(larger) => match self.check(&larger)? {
                Ok(()) => {
                    self.take_over(larger);
                    return Ok(Ok(()));
                }
                Err(problems) => problems,
            },
            Err(problems) => problems.lines(),
        };
        for (id, port) in questions {
            self.facts.remove(&graph.node(*id).name, port);
        }
        Ok(Err(problems))
    }

    /// What is checked of all other nodes before the run begins.
    fn check(&mut self, larger: &Graph) -> Result<Result<(), Vec<String>>, Error> {
        let Parts { graph, store, options, resolver, frozen, .. } = &mut self.parts;
        let from = graph.nodes.len();
        match plan::frozen(larger, store) {
            Ok(found) => frozen.extend(found.into_iter().filter(|(id, _)| id.0 >= from)),
            Err(plan::Error::Frozen(problems)) => return Ok(Err(problems)),
            Err(error) => return Err(Error::Plan(error)),
        }
        let checked = resolver
            .check_externals(store, &larger.nodes[from..])
            .map_err(Error::Plan)
            .and_then(|()| publish::check(larger, from, store, options.overwrite));
        match checked {
            Ok(()) => Ok(Ok(())),
            Err(Error::Publish(problems) | Error::Plan(plan::Error::Inputs(problems))) => Ok(Err(problems)),
            Err(error) => Err(error),
        }
    }

    fn take_over(&mut self, larger: Graph) {
        let before = self.parts.graph.nodes.len();
        let graph = self.keep(larger);
        let mut stages: Vec<(String, usize)> = Vec::new();
        for node in &graph.nodes[before..] {
            match stages.iter_mut().find(|(stage, _)| *stage == node.stage) {
                Some((_, count)) => *count += 1,
                None => stages.push((node.stage.clone(), 1)),
            }
        }
        if !stages.is_empty() {
            (self.parts.sink)(&Event::GraphGrown { nodes: graph.nodes.len(), stages });
        }
        for id in (before..graph.nodes.len()).map(NodeId) {
            // Another one that was lost may have taken it along.
            if self.nodes[id.0].phase != Phase::Waiting {
                continue;
            }
            let frozen = self.parts.frozen.contains_key(&id);
            match graph.upstream(id).find(|id| !frozen && self.nodes[id.0].is_lost()) {
                Some(lost) => self.skip(id, format!("{} did not succeed", graph.node(lost).name)),
                None if self.nodes[id.0].waits_for.is_empty() => self.todo.push_back(id),
                None => {}
            }
        }
        // A new question may be about a node that has ended before.
        for (id, port) in &graph.questions {
            let progress = &self.nodes[id.0];
            let answered = progress.has_ended() && progress.outputs.is_some();
            if answered && !self.facts.has(&graph.node(*id).name, port) {
                self.learnt.insert(*id);
            }
        }
    }

    /// Goes on with a larger graph, whose new nodes wait for what has not ended.
    fn keep(&mut self, larger: Graph) -> &'a Graph {
        let graph = self.parts.grown.keep(larger);
        self.parts.graph = graph;
        self.parts.resolver.grow(graph);
        for id in (self.nodes.len()..graph.nodes.len()).map(NodeId) {
            let ended = |id: &NodeId| self.nodes.get(id.0).is_some_and(Progress::has_ended);
            let waits_for = match self.parts.frozen.contains_key(&id) {
                true => BTreeSet::new(),
                false => graph.upstream(id).filter(|id| !ended(id)).collect(),
            };
            self.nodes.push(Progress::new(waits_for));
        }
        graph
    }

    /// At the end: what never came to be known takes part as one node a stage.
    pub(super) fn give_up_unknown(&mut self) {
        if self.parts.graph.stand_ins.is_empty() {
            return;
        }
        let mut graph = self.parts.graph.clone();
        let from = graph.nodes.len();
        for node in std::mem::take(&mut graph.stand_ins) {
            let id = NodeId(graph.nodes.len());
            graph.dag.add_node(id);
            if let Some(stage) = graph.stages.iter_mut().find(|stage| stage.name == node.stage) {
                stage.nodes.push(id.0);
            }
            graph.nodes.push(node);
        }
        graph.questions.clear();
        let graph = self.keep(graph);
        if self.stop != Stop::No {
            return;
        }
        for id in (from..graph.nodes.len()).map(NodeId) {
            let stage = graph.stages.iter().find(|stage| stage.nodes.contains(&id.0));
            let names = stage.map(|stage| stage.unknown.as_slice()).unwrap_or_default();
            let lost = graph.nodes[..from]
                .iter()
                .zip(&self.nodes)
                .find(|(node, progress)| progress.is_lost() && names.contains(&node.stage));
            let reason = match lost {
                Some((node, _)) => format!("{} did not succeed", node.name),
                None => format!("its nodes are not known without {}", names.join(" and ")),
            };
            self.skip(id, reason);
        }
    }
}
