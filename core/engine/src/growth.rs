//! Graphs that grow: where an output decides which nodes there are, these become known once it is.
//!
//! The workflow is expanded anew with what is known by then, and the nodes that are new are appended. Numbers of
//! nodes never change, so whoever has begun to work on a graph can go on with the larger one.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use flow_plugin::Kind;
use flow_store::{OutputRecord, Store};
use petgraph::Direction;
use petgraph::visit::EdgeRef;

use crate::catalog::Catalog;
use crate::diagnostics::Diagnostics;
use crate::graph::{Graph, MadeOf, NodeId};
use crate::plan::{self, Error, Resolver};
use crate::workflow::{Fact, Facts, FolderEntry};

/// The longest JSON that is read, in bytes.
const LONGEST: u64 = 64 << 20;

impl Graph {
    /// The graph with what is known now: its nodes, and behind them those that are new.
    ///
    /// # Errors
    /// What is wrong with the new ones.
    pub fn grow(&self, catalog: &Catalog, facts: &Facts) -> Result<Self, Diagnostics> {
        let written = match &self.made_of {
            MadeOf::File(written) => written,
            MadeOf::Variants(variants) => return Ok(variants.grow(self, catalog, facts)),
        };
        let fresh = written.again(catalog, facts)?;
        // What was asked for counts for the new ones too.
        let fresh = fresh.follow(&self.selection);
        Ok(self.append(fresh))
    }

    fn append(&self, mut fresh: Self) -> Self {
        let old: HashMap<&str, usize> =
            self.nodes.iter().enumerate().map(|(number, node)| (node.name.as_str(), number)).collect();
        let mut end = self.nodes.len();
        let mut numbers: Vec<usize> = Vec::with_capacity(fresh.nodes.len() + fresh.stand_ins.len());
        for node in &fresh.nodes {
            numbers.push(old.get(node.name.as_str()).copied().unwrap_or_else(|| {
                end += 1;
                end - 1
            }));
        }
        numbers.extend(end..end + fresh.stand_ins.len());
        let renumber = |id: NodeId| NodeId(numbers[id.0]);
        let is_new = |number: usize| numbers[number] >= self.nodes.len();

        let mut dag = self.dag.clone();
        let mut nodes = self.nodes.clone();
        let mut stand_ins = Vec::with_capacity(fresh.stand_ins.len());
        let known = fresh.nodes.len();
        for (number, node) in fresh.nodes.drain(..).chain(fresh.stand_ins.drain(..)).enumerate() {
            if !is_new(number) {
                continue;
            }
            let mut node = Arc::unwrap_or_clone(node);
            for source in node.inputs.iter_mut().flat_map(|(_, sources)| sources) {
                source.from.renumber(renumber);
            }
            if number < known {
                dag.add_node(NodeId(nodes.len()));
                nodes.push(Arc::new(node));
            } else {
                stand_ins.push(Arc::new(node));
            }
        }
        for edge in fresh.dag.edge_references().filter(|edge| is_new(edge.target().index())) {
            let (from, to) = (renumber(edge.source().into()), renumber(edge.target().into()));
            dag.add_edge(from.into(), to.into(), edge.weight().clone());
        }
        let before: HashMap<&str, &[usize]> =
            self.stages.iter().map(|stage| (stage.name.as_str(), stage.nodes.as_slice())).collect();
        for stage in &mut fresh.stages {
            stage.nodes.iter_mut().for_each(|node| *node = numbers[*node]);
            // What has once been part of a run stays there, whatever becomes of the files that it was made for.
            let there: HashSet<usize> = stage.nodes.iter().copied().collect();
            let before = before.get(stage.name.as_str()).copied().unwrap_or_default();
            stage.nodes.extend(before.iter().filter(|node| !there.contains(node)));
        }
        fresh.questions.iter_mut().for_each(|(node, _)| *node = renumber(*node));
        Self { nodes, dag, stand_ins, ..fresh }
    }
}

/// The graph with all that the store knows: every output that decides about nodes and is there already.
///
/// # Errors
/// When the store cannot be read, or something is wrong with the nodes that become known.
pub fn known<'g>(graph: &'g Graph, catalog: &Catalog, store: &Store) -> Result<Cow<'g, Graph>, Error> {
    let mut graph = Cow::Borrowed(graph);
    let mut facts = Facts::default();
    let mut results: BTreeMap<NodeId, Vec<OutputRecord>> = BTreeMap::new();
    loop {
        if graph.questions.is_empty() {
            return Ok(graph);
        }
        look_up(&graph, catalog, store, &mut results)?;
        let mut more = false;
        for (id, port) in &graph.questions {
            let output = results.get(id).and_then(|outputs| outputs.iter().find(|o| o.port == *port));
            let known = facts.has(&graph.node(*id).name, port);
            let Some(output) = output.filter(|_| !known) else { continue };
            if let Some(fact) = read(store, output)? {
                facts.insert(&graph.node(*id).name, port, fact);
                more = true;
            }
        }
        if !more {
            return Ok(graph);
        }
        graph = Cow::Owned(graph.grow(catalog, &facts).map_err(Error::Growth)?);
    }
}

/// Adds the results that the store has of the nodes that questions are about, and of those before them.
fn look_up(
    graph: &Graph,
    catalog: &Catalog,
    store: &Store,
    results: &mut BTreeMap<NodeId, Vec<OutputRecord>>,
) -> Result<(), Error> {
    let mut wanted: HashSet<NodeId> = HashSet::new();
    let mut todo: Vec<NodeId> = graph.questions.iter().map(|(id, _)| *id).collect();
    while let Some(id) = todo.pop() {
        if wanted.insert(id) {
            todo.extend(graph.dag.neighbors_directed(id.into(), Direction::Incoming).map(NodeId::from));
        }
    }
    let mut resolver = Resolver::new(graph, catalog);
    // One without a result is the business of the plan.
    let frozen = match plan::frozen(graph, store) {
        Err(Error::Frozen(_)) => BTreeMap::new(),
        found => found?,
    };
    results.extend(frozen.into_iter().map(|(id, frozen)| (id, frozen.hit.outputs)));
    for id in plan::order(graph).into_iter().filter(|id| wanted.contains(id)) {
        if results.contains_key(&id) {
            continue;
        }
        let ports = resolver.inputs(store, id, |from| results.get(&from).map(Vec::as_slice));
        // Inputs that cannot be read are the business of whoever reports them all.
        let Ok(Some(ports)) = ports else { continue };
        if let Some(hit) = store.lookup(&resolver.key(id, &ports))? {
            results.insert(id, hit.outputs);
        }
    }
    Ok(())
}

/// What an output holds; none if it is gone from the store.
pub(crate) fn read(store: &Store, output: &OutputRecord) -> Result<Option<Fact>, flow_store::Error> {
    let unavailable = |error: flow_store::Error| match error {
        flow_store::Error::Unavailable { .. } => Ok(None),
        other => Err(other),
    };
    if output.kind == Kind::Folder {
        return match store.artifact_files(&output.digest) {
            Ok(files) => Ok(Some(Fact::Entries(entries(files.iter().map(|file| file.path.as_str()))))),
            Err(error) => unavailable(error),
        };
    }
    match store.artifact_path(&output.digest) {
        Ok(path) => Ok(Some(json(&path).map_or_else(Fact::Unreadable, Fact::Json))),
        Err(error) => unavailable(error),
    }
}

/// The entries of a folder, from the paths of all files in it.
fn entries<'p>(paths: impl Iterator<Item = &'p str>) -> Vec<FolderEntry> {
    let mut entries: BTreeMap<&str, bool> = BTreeMap::new();
    for path in paths {
        let (name, folder) = path.split_once('/').map_or((path, false), |(name, _)| (name, true));
        entries.insert(name, folder);
    }
    entries.into_iter().map(|(name, folder)| FolderEntry { name: name.to_owned(), folder }).collect()
}

fn json(path: &Path) -> Result<serde_json::Value, String> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text));
    read.map_err(|error| format!("it cannot be read: {error}"))?;
    if text.len() as u64 > LONGEST {
        return Err(format!("it is longer than {} MiB", LONGEST >> 20));
    }
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}
