//! Starting a node: finding its inputs, and putting together what the worker is told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use flow_plugin::protocol::{self, InputArtifact, Job, Spent};
use flow_store::NodeState;

use super::Error;
use super::declared::{Arrival, says_something};
use super::dispatcher::{Dispatcher, gone};
use super::executor::Task;
use super::node::{Phase, Resumed};
use crate::event::Event;
use crate::graph::{NodeId, Reuse};
use crate::plan::{Input, Ports};

impl Dispatcher<'_> {
    /// Starts a node that is ours, if there is room for it and its inputs can be read.
    pub(super) fn start(&mut self, id: NodeId) -> Result<(), Error> {
        let node = self.parts.graph.node(id);
        let attempt = self.nodes[id.0].attempts + 1;
        let resources = node.resources_of(attempt);
        let Some(held) = self.slots.take(resources, node.measures) else {
            let turn = self.turn(id);
            self.claimed.insert(turn);
            return Ok(());
        };
        let Some(ports) = self.nodes[id.0].ports.clone() else { return Ok(()) };
        let Some(inputs) = self.inputs(id, &ports)? else {
            self.slots.give_back(held);
            return Ok(());
        };
        let arrivals = self.arrivals(id, &ports, &inputs);
        let outputs: BTreeMap<String, PathBuf> = node
            .outputs
            .iter()
            .map(|port| (port.name.clone(), self.scratch.join(format!("{}-{}", id.0, port.name))))
            .collect();
        if self.nodes[id.0].attempts > 0 {
            // What an earlier attempt left is nobody's.
            outputs.values().for_each(|path| super::writer::discard(path));
        }
        // Who asks for a node to be computed anew wants all of it.
        let shorter = match node.reuse == Reuse::Never {
            true => None,
            false => self.parts.resolver.shorter(self.parts.store, id, &ports).map_err(Error::Store)?,
        };
        let progress = &mut self.nodes[id.0];
        let checkpoints = progress.key.filter(|_| node.checkpoints);
        progress.attempts += 1;
        progress.phase = Phase::Running;
        progress.cached = false;
        progress.started = flow_store::now();
        progress.held = Some(held);
        progress.scratch = outputs.iter().map(|(port, path)| (port.clone(), path.clone())).collect();
        progress.failure = None;
        progress.resumed = None;
        progress.offered = shorter
            .as_ref()
            .and_then(|shorter| Some(format!("{} {}", node.extendable.as_ref()?, shorter.extent)));
        (self.parts.sink)(&Event::NodeStarted {
            node: node.name.clone(),
            reason: progress.reason.clone(),
            attempt: progress.attempts,
        });
        let job = Job {
            id: id.0 as u64,
            node: node.name.clone(),
            operation: node.operation.clone(),
            params: node.job_params(attempt),
            inputs,
            outputs,
            checkpoints: checkpoints.map(|key| self.parts.store.checkpoints(&key)),
            keep_state: node.extendable.is_some(),
            continue_from: shorter.map(|shorter| shorter.state),
            seed: node.seed,
            threads: held.threads,
        };
        self.open += 1;
        self.executor.start(Task {
            node: id,
            job: Arc::new(job),
            program: self.parts.catalog.program_of(&node.operation).cloned(),
            arrivals,
            outputs: node.outputs.clone(),
            timeout: node.timeout_of(attempt),
            memory: resources.memory,
            grows: node.resources_of(attempt + 1).memory > resources.memory,
        });
        Ok(())
    }

    /// A node has said that it does not start afresh.
    pub(super) fn resumed(&mut self, id: NodeId, step: u64, shorter: bool, spent: Spent) {
        let progress = &mut self.nodes[id.0];
        let from = match progress.offered.take().filter(|_| shorter) {
            Some(offered) => offered,
            None => format!("its checkpoint at step {step}"),
        };
        progress.resumed = Some(Resumed { from: from.clone(), spent });
        let node = self.parts.graph.node(id).name.clone();
        (self.parts.sink)(&Event::NodeResumed { node, from, saved_s: spent.wall_s });
    }

    /// The inputs as the worker is told of them; none if one is gone from the store, in which case the node
    /// that makes it runs again, and this one waits for it.
    fn inputs(
        &mut self,
        id: NodeId,
        ports: &Ports,
    ) -> Result<Option<BTreeMap<String, Vec<InputArtifact>>>, Error> {
        let measures = self.parts.graph.node(id).measures;
        let mut all = BTreeMap::new();
        let mut complete = true;
        for (port, inputs) in ports {
            let mut artifacts = Vec::with_capacity(inputs.len());
            for input in inputs {
                let Some(path) = self.path(id, input)? else {
                    complete = false;
                    continue;
                };
                let usage = input.output.as_ref().map(|(producer, _)| self.nodes[producer.0].cost());
                let cost = usage.filter(|_| measures).map(|usage| protocol::Usage {
                    cpu_s: usage.cpu_s,
                    wall_s: usage.wall_s,
                    peak_rss: usage.peak_rss,
                });
                artifacts.push(input.told(path, cost));
            }
            all.insert(port.clone(), artifacts);
        }
        Ok(complete.then_some(all))
    }

    /// What is given to inputs that declare something about it.
    fn arrivals(
        &self,
        id: NodeId,
        ports: &Ports,
        told: &BTreeMap<String, Vec<InputArtifact>>,
    ) -> Vec<Arrival> {
        let graph = self.parts.graph;
        let spec = self.parts.catalog.get(&graph.node(id).operation);
        let declared = spec.into_iter().flat_map(|spec| &spec.inputs).filter(|port| says_something(port));
        let mut arrivals = Vec::new();
        for port in declared {
            let inputs = ports.iter().filter(|(name, _)| *name == port.name).flat_map(|(_, inputs)| inputs);
            for (input, artifact) in inputs.zip(told.get(&port.name).into_iter().flatten()) {
                let from = match &input.output {
                    Some((producer, output)) => format!("{}.{output}", graph.node(*producer).name),
                    None => artifact.path.display().to_string(),
                };
                let (path, digest) = (artifact.path.clone(), artifact.digest);
                arrivals.push(Arrival { port: port.clone(), from, path, digest });
            }
        }
        arrivals
    }

    fn path(&mut self, id: NodeId, input: &Input) -> Result<Option<PathBuf>, Error> {
        if let Some(path) = input.path.as_ref().or_else(|| self.paths.get(&input.digest)) {
            return Ok(Some(path.clone()));
        }
        match input.locate(self.parts.store) {
            Ok(path) => {
                self.paths.insert(input.digest, path.clone());
                Ok(Some(path))
            }
            Err(error) => {
                let Some((producer, port)) = &input.output else { return Err(Error::Store(error)) };
                self.compute_again(*producer, gone(port, error)?);
                let progress = &mut self.nodes[id.0];
                progress.phase = Phase::Waiting;
                progress.waits_for.insert(*producer);
                Ok(None)
            }
        }
    }

    /// Lets a node that has ended run once more.
    fn compute_again(&mut self, id: NodeId, reason: String) {
        let progress = &mut self.nodes[id.0];
        if progress.phase == Phase::Ended(NodeState::Succeeded) {
            progress.phase = Phase::Waiting;
            progress.again = true;
            progress.cached = false;
            progress.reason = reason;
            progress.before = progress.outputs.clone();
            self.todo.push_back(id);
        }
    }
}
