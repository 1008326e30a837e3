//! The end of nodes, and of the run: what is recorded, who is told, and who goes on.

use flow_store::{NewComputation, NodeState, RunEnd, RunStatus, Usage};

use super::Error;
use super::dispatcher::Dispatcher;
use super::executor::{End, Stop};
use super::node::{Phase, Progress};
use super::writer::{Ended, FULL};
use crate::event::{Event, Failure, Summary};
use crate::exec;
use crate::graph::NodeId;

impl Dispatcher<'_> {
    pub(super) fn work_ended(&mut self, id: NodeId, end: End) {
        let node = self.parts.graph.node(id);
        let progress = &mut self.nodes[id.0];
        if let Some(held) = progress.held.take() {
            self.slots.give_back(held);
        }
        self.open -= 1;
        match end {
            End::Done { outputs, usage } => {
                progress.usage = Usage { cpu_s: usage.cpu_s, wall_s: usage.wall_s, peak_rss: usage.peak_rss };
                self.short = (self.short.0 + usage.wall_s, self.short.1 + 1);
                let changed = progress.ports.as_ref().and_then(|p| self.parts.resolver.changed_external(p));
                if let Some(path) = changed {
                    let mut failure = Failure::new(format!("input changed while it ran: {}", path.display()));
                    failure.hint = (node.operation == exec::RUN).then(|| {
                        "a file that the program itself writes belongs under `untracked`".to_owned()
                    });
                    self.fail(id, failure);
                    return;
                }
                progress.take_outputs(&outputs);
                let (Some(key), Some(ports)) = (progress.key, progress.ports.as_ref()) else { return };
                let plugin = self.parts.catalog.plugin_of(&node.operation);
                let plugin = plugin.map_or_else(String::new, |p| format!("{} {}", p.name(), p.version()));
                let family = self.parts.resolver.family(id, ports);
                let inputs = self.parts.resolver.records(ports);
                let cost = progress.cost();
                let computation = NewComputation { key, family, cost, plugin, inputs, outputs };
                self.commit(id, NodeState::Succeeded, Some(computation));
            }
            End::Failed { failure, usage, again } => {
                progress.usage = Usage { cpu_s: usage.cpu_s, wall_s: usage.wall_s, peak_rss: usage.peak_rss };
                let again = again && progress.attempts <= node.retry;
                if again && self.goes_on() {
                    self.retry(id, &failure);
                } else {
                    self.fail(id, failure);
                }
            }
            End::Cancelled => {
                progress.reason = "interrupted".to_owned();
                self.commit(id, NodeState::Cancelled, None);
            }
        }
    }

    pub(super) fn fail(&mut self, id: NodeId, failure: Failure) {
        let progress = &mut self.nodes[id.0];
        progress.keep_last(&failure.stderr);
        progress.failure = Some(failure);
        // Its slot is free already: nothing may take it while the failure is being recorded.
        self.give_up_after(id);
        self.commit(id, NodeState::Failed, None);
    }

    /// Hands a node that ran to the writer; it has ended once that is done.
    fn commit(&mut self, id: NodeId, state: NodeState, computation: Option<NewComputation>) {
        self.nodes[id.0].phase = Phase::Committing(state);
        self.open += 1;
        self.record(id, state, computation);
    }

    pub(super) fn record(&mut self, id: NodeId, state: NodeState, computation: Option<NewComputation>) {
        let node = self.parts.graph.node(id);
        let progress = &mut self.nodes[id.0];
        let checkpoints = computation.as_ref().filter(|_| node.checkpoints).map(|computation| {
            let keep = computation.family.map(|(family, extent)| self.parts.store.state(&family, extent));
            (self.parts.store.checkpoints(&computation.key), keep)
        });
        let scratch = std::mem::take(&mut progress.scratch);
        // A frozen node is recorded with what its result was computed from.
        let frozen = self.parts.frozen.get(&id).map(|frozen| &frozen.computation.recipe);
        let recipe = frozen.unwrap_or_else(|| self.parts.resolver.recipe(id));
        let record = progress.record(id, node, recipe, state);
        self.outbox.push(Ended { id, node: record, computation, scratch, checkpoints });
        if self.outbox.len() >= FULL {
            self.flush();
        }
    }

    /// A node has ended: says so, and sees to those that wait for it.
    pub(super) fn ended(&mut self, id: NodeId, state: NodeState) {
        let node = self.parts.graph.node(id);
        let progress = &mut self.nodes[id.0];
        progress.phase = Phase::Ended(state);
        progress.again = false;
        let (wall_s, cpu_s) = match progress.cached {
            true => (0.0, 0.0),
            false => (progress.usage.wall_s, progress.usage.cpu_s),
        };
        let different = progress.before.take().filter(|before| Some(before) != progress.outputs.as_ref());
        (self.parts.sink)(&Event::NodeFinished {
            node: node.name.clone(),
            status: state,
            cached: progress.cached,
            key: progress.key,
            reason: progress.reason(),
            wall_s,
            cpu_s,
            error: progress.failure.clone(),
        });
        self.wake_twins(id);
        match state {
            NodeState::Succeeded => self.learn(id),
            NodeState::Failed | NodeState::Skipped => return self.skip_downstream(id),
            // The run ends: what has not been tried is counted then.
            NodeState::Cancelled => return,
        }
        if different.is_some() {
            self.note(id, "computing it again gave other bytes than before".to_owned());
            self.reopen_downstream(id);
        }
        self.publish(id);
        for next in self.parts.graph.downstream(id) {
            let progress = &mut self.nodes[next.0];
            if progress.waits_for.remove(&id)
                && progress.waits_for.is_empty()
                && progress.phase == Phase::Waiting
            {
                self.todo.push_back(next);
            }
        }
    }

    fn skip_downstream(&mut self, id: NodeId) {
        for next in self.parts.graph.downstream(id) {
            if self.nodes[next.0].phase == Phase::Waiting {
                self.skip(next, format!("{} did not succeed", self.parts.graph.node(id).name));
            }
        }
    }

    pub(super) fn skip(&mut self, id: NodeId, reason: String) {
        self.nodes[id.0].reason = reason;
        self.record(id, NodeState::Skipped, None);
        self.ended(id, NodeState::Skipped);
    }

    /// An output came out otherwise than the one that later nodes have already used: their keys follow.
    fn reopen_downstream(&mut self, id: NodeId) {
        for next in self.parts.graph.downstream(id) {
            let progress = &mut self.nodes[next.0];
            let frozen = self.parts.frozen.contains_key(&next);
            if progress.phase == Phase::Ended(NodeState::Succeeded) && !frozen {
                progress.phase = Phase::Waiting;
                progress.cached = false;
                progress.before = progress.outputs.take();
                progress.waits_for.insert(id);
            }
        }
    }

    pub(super) fn finish(&mut self, started: f64) -> Result<Summary, Error> {
        self.give_up_unknown();
        for id in (0..self.nodes.len()).map(NodeId) {
            if !self.nodes[id.0].has_ended() {
                let (state, reason) = self.not_tried();
                self.nodes[id.0].reason = reason;
                self.record(id, state, None);
                self.ended(id, state);
            }
        }
        let failed = self.nodes.iter().any(|node| node.phase == Phase::Ended(NodeState::Failed));
        let status = match self.stop {
            Stop::No if failed || self.incomplete => RunStatus::Failed,
            Stop::No => RunStatus::Succeeded,
            Stop::Cancel | Stop::Kill => RunStatus::Interrupted,
        };
        let summary = self.summary(status, started);
        self.flush();
        let Summary { executed, cached, failed, skipped, wall_s, .. } = summary;
        let end = RunEnd { status, finished: started + wall_s, executed, cached, failed, skipped };
        self.writer.finish(end).map_err(Error::Store)?;
        Ok(summary)
    }

    /// What the run has come to by now.
    pub(super) fn summary(&self, status: RunStatus, started: f64) -> Summary {
        let count = |wanted: &dyn Fn(&Progress, NodeState) -> bool| {
            self.nodes.iter().filter(|n| matches!(n.phase, Phase::Ended(state) if wanted(n, state))).count()
        };
        let executed = count(&|node, state| state == NodeState::Succeeded && !node.cached);
        let cached = count(&|node, state| state == NodeState::Succeeded && node.cached);
        let failed = count(&|_, state| state == NodeState::Failed);
        let skipped = self.nodes.len() - executed - cached - failed;
        let saved = |node: &Progress| match (node.cached, &node.resumed) {
            (true, _) => node.usage.wall_s,
            (false, Some(resumed)) => resumed.spent.wall_s,
            (false, None) => 0.0,
        };
        let saved_s = self.nodes.iter().map(saved).sum();
        let wall_s = flow_store::now() - started;
        Summary { status, executed, cached, failed, skipped, wall_s, saved_s }
    }
}
