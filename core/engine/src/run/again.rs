//! What it takes to compute a result again that is in the store, apart from any run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use flow_plugin::protocol::Job;
use flow_store::{Hit, Store};

use super::executor::Task;
use super::{Error, writer};
use crate::catalog::Catalog;
use crate::graph::{Graph, NodeId};
use crate::plan::{self, Ports, Resolver};

/// A node whose result is in the store.
pub(super) struct Candidate {
    pub(super) id: NodeId,
    pub(super) ports: Ports,
    pub(super) hit: Hit,
}

/// The nodes whose results are in the store.
pub(super) fn candidates(
    graph: &Graph,
    store: &Store,
    resolver: &mut Resolver<'_>,
) -> Result<Vec<Candidate>, Error> {
    // What is frozen is used as it is, and not asked about.
    let frozen = plan::frozen(graph, store)?;
    let mut hits: BTreeMap<NodeId, (Ports, Hit)> = BTreeMap::new();
    for id in plan::order(graph).into_iter().filter(|id| !frozen.contains_key(id)) {
        let ports = resolver.inputs(store, id, |from| {
            let hit = frozen.get(&from).map(|frozen| &frozen.hit);
            hit.or_else(|| hits.get(&from).map(|(_, hit)| hit)).map(|hit| hit.outputs.as_slice())
        });
        let Some(ports) = ports? else { continue };
        if let Some(hit) = store.lookup(&resolver.key(id, &ports)).map_err(Error::Store)? {
            hits.insert(id, (ports, hit));
        }
    }
    Ok(hits.into_iter().map(|(id, (ports, hit))| Candidate { id, ports, hit }).collect())
}

/// What the worker is told; or why the node cannot be computed again. It starts afresh: its folder of checkpoints is
/// one of its own, and there is no shorter computation to go on from.
pub(super) fn job(
    graph: &Graph,
    store: &Store,
    scratch: &Path,
    candidate: &Candidate,
    threads: usize,
) -> Result<Result<Job, String>, Error> {
    let node = graph.node(candidate.id);
    let mut inputs = BTreeMap::new();
    for (port, items) in &candidate.ports {
        let mut artifacts = Vec::with_capacity(items.len());
        for input in items {
            let path = match input.locate(store) {
                Ok(path) => path,
                Err(error @ flow_store::Error::Unavailable { .. }) => {
                    return Ok(Err(format!("its input `{port}` is not there: {error}")));
                }
                Err(error) => return Err(Error::Store(error)),
            };
            artifacts.push(input.told(path, None));
        }
        inputs.insert(port.clone(), artifacts);
    }
    let output = |name: &String| scratch.join(format!("{}-{name}", candidate.id.0));
    Ok(Ok(Job {
        id: candidate.id.0 as u64,
        node: node.name.clone(),
        operation: node.operation.clone(),
        params: node.job_params(1),
        inputs,
        outputs: node.outputs.iter().map(|port| (port.name.clone(), output(&port.name))).collect(),
        checkpoints: node.checkpoints.then(|| scratch.join(format!("{}.checkpoints", candidate.id.0))),
        keep_state: false,
        continue_from: None,
        seed: node.seed,
        threads,
    }))
}

/// The same as a unit of work.
pub(super) fn task(graph: &Graph, catalog: &Catalog, candidate: &Candidate, job: Job) -> Task {
    let node = graph.node(candidate.id);
    Task {
        node: candidate.id,
        job: Arc::new(job),
        program: catalog.program_of(&node.operation).cloned(),
        // They were looked at when the result was made.
        arrivals: Vec::new(),
        outputs: node.outputs.clone(),
        timeout: node.timeout,
        memory: node.resources.memory,
        grows: false,
    }
}

/// Removes what a node has left where nobody takes it over.
pub(super) fn discard(job: &Job) {
    job.outputs.values().chain(&job.checkpoints).for_each(|path| writer::discard(path));
}
