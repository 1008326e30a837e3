//! The dispatcher: it decides what happens next, and owns the state that people see.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use flow_plugin::Digest;
use flow_store::{Hit, NewComputation, NodeState, RunEnd, RunStatus, Store, Usage};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::executor::{End, Executor, Report, Stop};
use super::node::{Phase, Progress};
use super::publish;
use super::slots::Slots;
use super::writer::{Ended, Writer, Written};
use super::{Error, Options, machine};
use crate::catalog::Catalog;
use crate::event::{Event, Failure, Summary};
use crate::exec;
use crate::graph::{Graph, NodeId, Reuse};
use crate::plan::{self, Frozen, History, Resolver};

/// How long an ended node waits to be written together with others, while there is other work.
const COMPANY: Duration = Duration::from_millis(20);

/// So many are written at once without waiting for more.
const GROUP: usize = 128;

/// What a run is made of.
pub(super) struct Parts<'a> {
    pub(super) graph: &'a Graph,
    pub(super) catalog: &'a Catalog,
    /// For questions; the writer has a connection of its own.
    pub(super) store: &'a Store,
    pub(super) resolver: Resolver<'a>,
    pub(super) history: History,
    /// The last results of the frozen nodes.
    pub(super) frozen: BTreeMap<NodeId, Frozen>,
    pub(super) run: &'a str,
    pub(super) options: &'a Options,
    pub(super) sink: &'a mut dyn FnMut(&Event),
}

/// Carries a run through, and gives what it came to.
pub(super) async fn dispatch(parts: Parts<'_>, store: Store, started: f64) -> Result<Summary, Error> {
    let (writer, written) = Writer::start(store, parts.run.to_owned())?;
    let (executor, reports) = Executor::new(parts.options.worker.clone());
    let nodes = (0..parts.graph.nodes.len()).map(NodeId);
    let waits_for = |id| match parts.frozen.contains_key(&id) {
        true => BTreeSet::new(),
        false => parts.graph.upstream(id).collect(),
    };
    let nodes = nodes.map(|id| Progress::new(waits_for(id))).collect();
    let scratch = parts.store.scratch(parts.run);
    std::fs::create_dir_all(&scratch)?;
    let slots = Slots::new(parts.options.cores, machine::memory());
    let mut dispatcher = Dispatcher {
        parts,
        writer,
        executor,
        scratch,
        slots,
        nodes,
        open: 0,
        todo: VecDeque::new(),
        ready: BTreeSet::new(),
        claimed: BTreeSet::new(),
        claiming: 0,
        theirs: Vec::new(),
        holders: HashMap::new(),
        twins: HashMap::new(),
        poll: None,
        retries: BTreeMap::new(),
        paths: HashMap::new(),
        stop: Stop::No,
        gave_up: None,
        outbox: Vec::new(),
        flush_at: None,
        short: (0.0, 0),
        unpublished: false,
    };
    let result = dispatcher.carry_through(reports, written).await;
    dispatcher.executor.end().await;
    result.and_then(|()| dispatcher.finish(started)).inspect_err(|_| {
        // Whoever follows the events is told the end in any case.
        let given_up = dispatcher.summary(RunStatus::Failed, started);
        (dispatcher.parts.sink)(&Event::RunFinished(given_up));
    })
}

pub(super) struct Dispatcher<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) writer: Writer,
    pub(super) executor: Executor,
    /// Where nodes write.
    pub(super) scratch: PathBuf,
    pub(super) slots: Slots,
    pub(super) nodes: Vec<Progress>,
    /// How many nodes run or are being recorded.
    pub(super) open: usize,
    /// Nodes whose upstream nodes have all ended well.
    pub(super) todo: VecDeque<NodeId>,
    /// Nodes that must run; those that measure come last.
    pub(super) ready: BTreeSet<(bool, NodeId)>,
    /// Nodes that are ours to run, and wait for a slot.
    pub(super) claimed: BTreeSet<(bool, NodeId)>,
    pub(super) claiming: usize,
    pub(super) theirs: Vec<NodeId>,
    /// By key, the node that has claimed it.
    pub(super) holders: HashMap<Digest, NodeId>,
    /// Nodes that wait for another one of this run with the same key.
    pub(super) twins: HashMap<NodeId, Vec<NodeId>>,
    pub(super) poll: Option<Instant>,
    pub(super) retries: BTreeMap<(Instant, NodeId), ()>,
    /// Where artifacts lie that this run has checked or made.
    pub(super) paths: HashMap<Digest, PathBuf>,
    pub(super) stop: Stop,
    /// The node whose failure ends the run, where one is enough.
    pub(super) gave_up: Option<NodeId>,
    /// Ended nodes that the writer is not told of yet.
    outbox: Vec<Ended>,
    /// When the writer is to be told of them at the latest.
    pub(super) flush_at: Option<Instant>,
    /// Wall seconds and number of the nodes computed so far.
    pub(super) short: (f64, u32),
    /// Whether an output could not be put where it was wanted.
    pub(super) unpublished: bool,
}

impl Dispatcher<'_> {
    async fn carry_through(
        &mut self,
        mut reports: UnboundedReceiver<Report>,
        mut written: UnboundedReceiver<Written>,
    ) -> Result<(), Error> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let sources = (0..self.nodes.len()).map(NodeId);
        self.todo = sources.filter(|id| self.nodes[id.0].waits_for.is_empty()).collect();
        loop {
            self.advance()?;
            if self.flush_is_due() {
                self.flush();
            }
            if self.is_done() {
                return Ok(());
            }
            tokio::select! {
                Some(report) = reports.recv() => {
                    self.report(report);
                    while let Ok(report) = reports.try_recv() {
                        self.report(report);
                    }
                }
                Some(answer) = written.recv() => {
                    self.written(answer)?;
                    while let Ok(answer) = written.try_recv() {
                        self.written(answer)?;
                    }
                }
                _ = interrupt.recv() => self.interrupt(),
                _ = terminate.recv() => self.interrupt(),
                () = sleep_until(self.wake()) => self.woken(),
            }
        }
    }

    /// While there is work for the workers, what has ended waits a little for company: a group costs hardly
    /// more to write than a single node. Where a worker would stand idle, what comes next may wait for it.
    fn flush_is_due(&mut self) -> bool {
        let idle = self.claimed.is_empty() && self.slots.free() > 0;
        if self.outbox.is_empty() || idle || self.outbox.len() >= GROUP || self.stop != Stop::No {
            return true;
        }
        let due = *self.flush_at.get_or_insert_with(|| Instant::now() + COMPANY);
        due <= Instant::now()
    }

    /// Before a node starts, the store must know which results it reads, or they might be cleared away: cached
    /// ones wait for company no longer.
    pub(super) fn flush_cached(&mut self) {
        if self.outbox.iter().any(|ended| ended.node.cached) {
            self.flush();
        }
    }

    /// Tells the writer what has ended since the last time.
    fn flush(&mut self) {
        self.flush_at = None;
        if !self.outbox.is_empty() {
            self.writer.ended(std::mem::take(&mut self.outbox));
        }
    }

    /// Whether there is nothing more to wait for.
    fn is_done(&self) -> bool {
        let idle = self.open == 0;
        idle && (!self.goes_on() || self.nodes.iter().all(Progress::has_ended))
    }

    fn interrupt(&mut self) {
        self.stop = if self.stop == Stop::No { Stop::Cancel } else { Stop::Kill };
        self.executor.stop(self.stop);
    }

    /// Does all that can be done without waiting.
    fn advance(&mut self) -> Result<(), Error> {
        if !self.goes_on() {
            return Ok(());
        }
        if !self.todo.is_empty() {
            let store = self.parts.store;
            let _snapshot = store.snapshot().map_err(Error::Store)?;
            while let Some(id) = self.todo.pop_front() {
                self.settle(id)?;
            }
        }
        if !self.claimed.is_empty() && !self.slots.is_full() {
            self.start_claimed()?;
        }
        self.claim();
        // Nodes that have to be computed again because an output of theirs is gone.
        if self.todo.is_empty() { Ok(()) } else { self.advance() }
    }

    fn start_claimed(&mut self) -> Result<(), Error> {
        let store = self.parts.store;
        let _snapshot = store.snapshot().map_err(Error::Store)?;
        let mut waiting = std::mem::take(&mut self.claimed);
        while let Some((measures, id)) = waiting.pop_first() {
            if self.slots.is_full() {
                self.claimed.insert((measures, id));
                break;
            }
            self.start(id)?;
        }
        self.claimed.append(&mut waiting);
        Ok(())
    }

    /// Decides about a node all of whose upstream nodes have ended well.
    fn settle(&mut self, id: NodeId) -> Result<(), Error> {
        let Parts { graph, store, .. } = self.parts;
        let node = graph.node(id);
        if node.reuse == Reuse::Last {
            self.use_last(id);
            return Ok(());
        }
        // What is found in the store is published at once; until then it must stay.
        let _kept = if node.publish.is_empty() { None } else { Some(store.keep().map_err(Error::Store)?) };
        let nodes = &self.nodes;
        let ports = self.parts.resolver.inputs(store, id, |from| nodes[from.0].outputs.as_deref());
        let ports = ports.map_err(Error::Plan)?;
        let Some(ports) = ports else {
            self.fail(id, Failure::new("an output that it reads was not made"));
            return Ok(());
        };
        let key = self.parts.resolver.key(id, &ports);
        let hit = store.lookup(&key).map_err(Error::Store)?;
        let progress = &mut self.nodes[id.0];
        progress.key = Some(key);
        let forced = node.reuse == Reuse::Never;
        match hit {
            Some(hit) if !progress.again && !forced => {
                progress.ports = Some(ports);
                match publish::gone(store, graph, id, &hit.outputs).map_err(Error::Store)? {
                    None => self.cached(id, hit, "its result is in the store"),
                    Some(reason) => {
                        let progress = &mut self.nodes[id.0];
                        progress.again = true;
                        progress.reason = reason;
                        self.make_ready(id);
                    }
                }
            }
            Some(_) => {
                if forced && !progress.again {
                    progress.reason = "forced".to_owned();
                }
                progress.again = true;
                progress.ports = Some(ports);
                self.make_ready(id);
            }
            None => {
                let recipe = self.parts.resolver.recipe(id);
                let why = self.parts.history.explain(store, node, recipe, Some(&key), Some(&ports));
                progress.reason = why.map_err(Error::Store)?;
                progress.ports = Some(ports);
                self.make_ready(id);
            }
        }
        Ok(())
    }

    pub(super) fn make_ready(&mut self, id: NodeId) {
        self.nodes[id.0].phase = Phase::Ready;
        self.ready.insert((self.parts.graph.node(id).measures, id));
    }

    /// The node's result was there already.
    pub(super) fn cached(&mut self, id: NodeId, hit: Hit, reason: &str) {
        let progress = &mut self.nodes[id.0];
        progress.cached = true;
        progress.usage = hit.usage;
        progress.outputs = Some(hit.outputs);
        reason.clone_into(&mut progress.reason);
        self.record(id, NodeState::Succeeded, None);
        self.ended(id, NodeState::Succeeded);
    }

    fn written(&mut self, answer: Written) -> Result<(), Error> {
        match answer {
            Written::Committed(ids) => {
                for id in ids {
                    if let Phase::Committing(state) = self.nodes[id.0].phase {
                        self.open -= 1;
                        self.ended(id, state);
                    }
                }
            }
            Written::Claimed(claims) => {
                self.claiming = 0;
                for (id, claim) in claims {
                    self.claimed(id, claim)?;
                }
            }
            Written::Failed => {
                self.executor.stop(Stop::Kill);
                self.writer.end().map_err(Error::Store)?;
            }
        }
        Ok(())
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Progress { node, done, total, unit, message } => {
                let node = self.parts.graph.node(node).name.clone();
                (self.parts.sink)(&Event::Progress { node, done, total, unit, message });
            }
            Report::Metric { node: id, name, step, value } => {
                self.nodes[id.0].metric(name.clone(), step, value.0);
                let node = self.parts.graph.node(id).name.clone();
                (self.parts.sink)(&Event::Metric { node, name, step, value });
            }
            Report::Log { node, level, message } => self.log(node, level, message),
            Report::Ended { node, end } => self.work_ended(node, end),
        }
    }

    pub(super) fn log(&mut self, id: NodeId, level: &str, message: String) {
        if !self.nodes[id.0].log(level, message.clone()) {
            return;
        }
        let node = self.parts.graph.node(id).name.clone();
        (self.parts.sink)(&Event::Log { node, level: level.to_owned(), message });
    }

    fn work_ended(&mut self, id: NodeId, end: End) {
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
                let computation = NewComputation { key, family, plugin, inputs, outputs };
                self.commit(id, NodeState::Succeeded, Some(computation));
            }
            End::Failed { failure, usage, again } => {
                progress.usage = Usage { cpu_s: usage.cpu_s, wall_s: usage.wall_s, peak_rss: usage.peak_rss };
                if again && progress.attempts <= node.retry && self.stop == Stop::No && self.gave_up.is_none()
                {
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
        self.commit(id, NodeState::Failed, None);
    }

    /// Hands a node that ran to the writer; it has ended once that is done.
    fn commit(&mut self, id: NodeId, state: NodeState, computation: Option<NewComputation>) {
        self.nodes[id.0].phase = Phase::Committing(state);
        self.open += 1;
        self.record(id, state, computation);
    }

    fn record(&mut self, id: NodeId, state: NodeState, computation: Option<NewComputation>) {
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
    }

    /// A node has ended: says so, and sees to those that wait for it.
    fn ended(&mut self, id: NodeId, state: NodeState) {
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
            reason: progress.reason.clone(),
            wall_s,
            cpu_s,
            error: progress.failure.clone(),
        });
        self.wake_twins(id);
        if state != NodeState::Succeeded {
            self.give_up_after(id, state);
            self.skip_downstream(id);
            return;
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
            let progress = &mut self.nodes[next.0];
            if progress.phase == Phase::Waiting {
                progress.reason = format!("{} did not succeed", self.parts.graph.node(id).name);
                self.record(next, NodeState::Skipped, None);
                self.ended(next, NodeState::Skipped);
            }
        }
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

    fn finish(&mut self, started: f64) -> Result<Summary, Error> {
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
            Stop::No if failed || self.unpublished => RunStatus::Failed,
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
    fn summary(&self, status: RunStatus, started: f64) -> Summary {
        let count = |wanted: &dyn Fn(&Progress, NodeState) -> bool| {
            self.nodes.iter().filter(|n| matches!(n.phase, Phase::Ended(state) if wanted(n, state))).count()
        };
        let executed = count(&|node, state| state == NodeState::Succeeded && !node.cached);
        let cached = count(&|node, state| state == NodeState::Succeeded && node.cached);
        let failed = count(&|_, state| state == NodeState::Failed);
        let skipped = self.nodes.len() - executed - cached - failed;
        let saved_s = self.nodes.iter().filter(|node| node.cached).map(|node| node.usage.wall_s).sum();
        let wall_s = flow_store::now() - started;
        Summary { status, executed, cached, failed, skipped, wall_s, saved_s }
    }
}

/// Why a node whose output is gone runs again.
pub(super) fn gone(port: &str, error: flow_store::Error) -> Result<String, Error> {
    plan::missing(port, error).map_err(Error::Store)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
