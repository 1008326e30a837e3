//! What earlier runs of a workflow computed, to say what is different now.

use std::collections::HashMap;

use flow_plugin::Digest;
use flow_store::{NodeKey, Recipe, Store, Usage};

use super::reason::{self, Now};
use super::resolve::Ports;
use crate::graph::Node;

/// How many earlier runs are looked at.
const RUNS: usize = 20;

/// The latest runs of a workflow. Read one by one, and only when there is something to explain.
pub(crate) struct History {
    unread: Vec<String>,
    read: Vec<Run>,
}

struct Run {
    nodes: HashMap<String, NodeKey>,
    /// Of stages that were one node.
    stages: HashMap<String, Option<NodeKey>>,
}

impl History {
    /// The history up to now.
    pub(crate) fn new(store: &Store, workflow: &str) -> Result<Self, flow_store::Error> {
        let mut unread = store.recent_runs(workflow, RUNS)?;
        unread.reverse();
        Ok(Self { unread, read: Vec::new() })
    }

    /// Why a node must run that is not in the store.
    pub(crate) fn explain(
        &mut self,
        store: &Store,
        node: &Node,
        recipe: &Recipe,
        key: Option<&Digest>,
        ports: Option<&Ports>,
    ) -> Result<String, flow_store::Error> {
        if let Some(last) = self.find(store, |run| run.nodes.get(&node.name))?
            && last.key.as_ref() == key
            && key.is_some()
        {
            let how =
                if last.failed { "it failed the last time" } else { "it was not finished the last time" };
            return Ok(how.to_owned());
        }
        match self.computed(store, node)? {
            Some(before) => Ok(reason::difference(&before, &Now { recipe, ports })),
            None => Ok("never computed".to_owned()),
        }
    }

    /// What the node took when it was last computed.
    pub(crate) fn usage(&mut self, store: &Store, node: &Node) -> Result<Option<Usage>, flow_store::Error> {
        match self.computed_key(store, node)? {
            Some(key) => Ok(store.lookup(&key)?.map(|hit| hit.usage)),
            None => Ok(None),
        }
    }

    fn computed(
        &mut self,
        store: &Store,
        node: &Node,
    ) -> Result<Option<flow_store::Computation>, flow_store::Error> {
        match self.computed_key(store, node)? {
            Some(key) => store.computation(&key),
            None => Ok(None),
        }
    }

    /// The last computation of the node, or of its stage where that was a single node.
    fn computed_key(&mut self, store: &Store, node: &Node) -> Result<Option<Digest>, flow_store::Error> {
        let by_name = self.find(store, |run| run.nodes.get(&node.name).filter(|found| found.computed))?;
        let found = match by_name {
            Some(found) => Some(found),
            None => {
                self.find(store, |run| run.stages.get(&node.stage)?.as_ref().filter(|found| found.computed))?
            }
        };
        Ok(found.and_then(|found| found.key))
    }

    fn find(
        &mut self,
        store: &Store,
        wanted: impl Fn(&Run) -> Option<&NodeKey>,
    ) -> Result<Option<NodeKey>, flow_store::Error> {
        let mut next = 0;
        loop {
            if next == self.read.len() {
                let Some(run) = self.unread.pop() else { return Ok(None) };
                self.read.push(Run::new(store.node_keys(&run)?));
            }
            if let Some(found) = wanted(&self.read[next]) {
                return Ok(Some(found.clone()));
            }
            next += 1;
        }
    }
}

impl Run {
    fn new(keys: Vec<NodeKey>) -> Self {
        let mut run = Self { nodes: HashMap::new(), stages: HashMap::new() };
        for node in keys {
            run.stages
                .entry(node.stage.clone())
                .and_modify(|only| *only = None)
                .or_insert_with(|| Some(node.clone()));
            run.nodes.insert(node.name.clone(), node);
        }
        run
    }
}
