//! Frozen nodes: their last results, used whatever has changed.

use std::collections::{BTreeMap, HashMap};

use flow_plugin::Digest;
use flow_store::{Computation, Hit, Recipe, Store};

use super::Error;
use super::reason;
use super::resolve::Ports;
use crate::graph::{Graph, NodeId, Reuse};

/// How many earlier runs are looked through for a result.
const RUNS: usize = 1000;

/// The last result of a frozen node.
pub(crate) struct Frozen {
    /// The computation that it is the result of, which need not be the one that the workflow asks for.
    pub(crate) key: Digest,
    pub(crate) computation: Computation,
    pub(crate) hit: Hit,
    /// The run that computed it.
    run: String,
}

/// The last result of every frozen node.
///
/// # Errors
/// When one has no result, or a result of which something is gone; when the store fails.
pub(crate) fn find(graph: &Graph, store: &Store) -> Result<BTreeMap<NodeId, Frozen>, Error> {
    let mut wanted: HashMap<&str, NodeId> = graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.reuse == Reuse::Last)
        .map(|(number, node)| (node.name.as_str(), NodeId(number)))
        .collect();
    let (mut found, mut problems) = (BTreeMap::new(), BTreeMap::new());
    if wanted.is_empty() {
        return Ok(found);
    }
    for run in store.recent_runs(graph.workflow(), RUNS)? {
        for node in store.node_keys(&run)?.into_iter().filter(|node| node.computed) {
            let Some(key) = node.key else { continue };
            let Some(id) = wanted.remove(node.name.as_str()) else { continue };
            match result(graph, store, id, key)? {
                Ok(frozen) => drop(found.insert(id, frozen)),
                Err(problem) => drop(problems.insert(id, problem)),
            }
        }
        if wanted.is_empty() {
            break;
        }
    }
    problems.extend(wanted.into_values().map(|id| (id, "it has no result yet".to_owned())));
    if problems.is_empty() {
        return Ok(found);
    }
    let line =
        |(id, problem): (NodeId, String)| format!("`{}` is frozen, and {problem}", graph.node(id).name);
    Err(Error::Frozen(problems.into_iter().map(line).collect()))
}

/// The result of a computation, if all outputs of the node are there.
fn result(graph: &Graph, store: &Store, id: NodeId, key: Digest) -> Result<Result<Frozen, String>, Error> {
    let (Some(hit), Some(computation)) = (store.lookup(&key)?, store.computation(&key)?) else {
        return Ok(Err("its last result is gone from the store".to_owned()));
    };
    for port in graph.node(id).outputs.iter() {
        let Some(output) = hit.outputs.iter().find(|output| output.port == port.name) else {
            return Ok(Err(format!("its last result has no output `{}`", port.name)));
        };
        if let Err(error) = store.check_artifact(&output.digest) {
            return Ok(Err(format!("of its last result {}", super::missing(&port.name, error)?)));
        }
    }
    let run = store.computed_by(&key)?.map(|producer| producer.run).unwrap_or_default();
    Ok(Ok(Frozen { key, computation, hit, run }))
}

impl Frozen {
    /// What to say of using it, as far as it is known what would be computed instead.
    pub(crate) fn reason(&self, now: &Recipe, ports: &Ports) -> String {
        let changes = self.changes(now, ports);
        let used = format!("frozen: its result of run {} is used", self.run);
        if changes.is_empty() { used } else { format!("{used}, though {changes}") }
    }

    /// What is different from the computation that the workflow asks for, as far as that is known.
    pub(crate) fn changes(&self, now: &Recipe, ports: &Ports) -> String {
        let mut before = self.computation.clone();
        // What is not known yet, or was read from nodes that are left out of the run, cannot be compared.
        before
            .inputs
            .retain(|input| ports.iter().any(|(port, items)| *port == input.port && !items.is_empty()));
        reason::changes(&before, &reason::Now { recipe: now, ports: Some(ports) })
    }
}
