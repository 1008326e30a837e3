//! The dispatcher: it decides what happens next, and owns the state that people see.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use flow_plugin::Digest;
use flow_store::{Hit, NodeState, RunStatus, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::executor::{Executor, Report, Stop};
use super::grow::Grown;
use super::node::{Phase, Progress};
use super::order::Turn;
use super::slots::Slots;
use super::writer::{Ended, Writer, Written};
use super::{Error, Options, machine};
use crate::catalog::Catalog;
use crate::event::{Event, Failure, Summary};
use crate::graph::{Graph, NodeId, Reuse};
use crate::plan::{self, Frozen, History, Resolver};
use crate::workflow::Facts;

/// How long an ended node waits to be written together with others, while there is other work.
const COMPANY: Duration = Duration::from_millis(20);

/// So many are written at once without waiting for more.
const GROUP: usize = 128;

/// What a run is made of.
pub(super) struct Parts<'a> {
    pub(super) graph: &'a Graph,
    /// The graph as it grows.
    pub(super) grown: &'a Grown,
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

/// Carries a run through. What it came to is put into `summary`, also when it had to be given up.
pub(super) async fn dispatch(
    parts: Parts<'_>,
    store: Store,
    started: f64,
    summary: &mut Summary,
) -> Result<(), Error> {
    let (writer, written) = Writer::start(store, parts.run.to_owned())?;
    let limits = parts.graph.limits_memory();
    let (executor, reports) = Executor::new(parts.options.worker.clone(), limits);
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
        frozen_todo: VecDeque::new(),
        ready: BTreeSet::new(),
        claimed: BTreeSet::new(),
        steps: Vec::new(),
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
        facts: Facts::default(),
        learnt: BTreeSet::new(),
        incomplete: false,
    };
    let result = dispatcher.carry_through(reports, written).await;
    dispatcher.executor.end().await;
    let finished = result.and_then(|()| dispatcher.finish(started));
    *summary = match &finished {
        Ok(summary) => summary.clone(),
        Err(_) => dispatcher.summary(RunStatus::Failed, started),
    };
    finished.map(drop)
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
    /// Those of them that are frozen.
    frozen_todo: VecDeque<NodeId>,
    /// Nodes that must run.
    pub(super) ready: BTreeSet<Turn>,
    /// Nodes that are ours to run, and wait for a slot.
    pub(super) claimed: BTreeSet<Turn>,
    /// For each node, how many follow it one after another; as far as it was asked for.
    pub(super) steps: Vec<u32>,
    pub(super) claiming: usize,
    pub(super) theirs: Vec<NodeId>,
    /// By key, the node that has claimed it or will.
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
    pub(super) outbox: Vec<Ended>,
    /// When the writer is to be told of them at the latest.
    pub(super) flush_at: Option<Instant>,
    /// Wall seconds and number of the nodes computed so far.
    pub(super) short: (f64, u32),
    /// What is known of outputs that decide which nodes there are.
    pub(super) facts: Facts,
    /// The nodes that have made such outputs since the graph last grew.
    pub(super) learnt: BTreeSet<NodeId>,
    /// Whether something that the workflow asks for could not be done, beside the nodes: an output could not be
    /// published, or the graph could not grow.
    pub(super) incomplete: bool,
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
    pub(super) fn flush(&mut self) {
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
        if self.stop == Stop::Cancel && self.nodes.iter().any(|node| node.phase == Phase::Running) {
            let message =
                "stopping: what runs has ten seconds to save a checkpoint; Ctrl-C again stops at once";
            (self.parts.sink)(&Event::Warning { message: message.to_owned() });
        }
        self.executor.stop(self.stop);
    }

    /// Does all that can be done without waiting.
    fn advance(&mut self) -> Result<(), Error> {
        while self.goes_on() {
            if !self.todo.is_empty() {
                let store = self.parts.store;
                let _snapshot = store.snapshot().map_err(Error::Store)?;
                while let Some(id) = self.next() {
                    self.settle(id)?;
                }
            }
            if !self.claimed.is_empty() && !self.slots.is_full() {
                self.start_claimed()?;
            }
            self.claim();
            if self.todo.is_empty() && self.growth_is_due() {
                self.grow()?;
            }
            // Nodes that are new, or have to be computed again because an output of theirs is gone.
            if self.todo.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// The next node to decide about: frozen ones last, so that what is cached in front of them is known by then.
    fn next(&mut self) -> Option<NodeId> {
        while let Some(id) = self.todo.pop_front() {
            match self.parts.graph.node(id).reuse {
                Reuse::Last => self.frozen_todo.push_back(id),
                _ => return Some(id),
            }
        }
        self.frozen_todo.pop_front()
    }

    fn start_claimed(&mut self) -> Result<(), Error> {
        let store = self.parts.store;
        let _snapshot = store.snapshot().map_err(Error::Store)?;
        let mut waiting = std::mem::take(&mut self.claimed);
        while let Some(turn) = waiting.pop_first() {
            if self.slots.is_full() {
                self.claimed.insert(turn);
                break;
            }
            self.start(turn.id)?;
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
                match plan::gone(store, graph, id, &hit.outputs).map_err(Error::Store)? {
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
        if !self.waits_for_twin(id) {
            self.enqueue(id);
        }
    }

    /// It is to be claimed.
    pub(super) fn enqueue(&mut self, id: NodeId) {
        self.nodes[id.0].phase = Phase::Ready;
        let turn = self.turn(id);
        self.ready.insert(turn);
    }

    /// The node's result was there already.
    pub(super) fn cached(&mut self, id: NodeId, hit: Hit, reason: &str) {
        let progress = &mut self.nodes[id.0];
        progress.cached = true;
        progress.resumed = None;
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
            Report::Memory { node, bytes } => {
                let node = self.parts.graph.node(node).name.clone();
                (self.parts.sink)(&Event::Memory { node, bytes });
            }
            Report::Log { node, level, message } => self.log(node, level, message),
            Report::Resumed { node, step, shorter, spent } => self.resumed(node, step, shorter, spent),
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
