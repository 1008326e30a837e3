//! What the dispatcher knows of a node.

use std::collections::BTreeSet;
use std::path::PathBuf;

use flow_plugin::Digest;
use flow_store::{LogRecord, NewArtifact, NewNode, NodeState, OutputRecord, Recipe, Usage};

use super::slots::Held;
use crate::event::Failure;
use crate::graph::{Node, NodeId};
use crate::plan::Ports;

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Others must end first.
    Waiting,
    /// It must run; it is not claimed yet.
    Ready,
    /// The writer has been asked for the claim.
    Claiming,
    /// It waits for a slot.
    Claimed,
    /// Another run computes the same.
    Theirs,
    /// A worker computes it.
    Running,
    /// It failed, and waits to be tried again.
    Retrying,
    /// It has ended, and is being recorded.
    Committing(NodeState),
    /// It has ended.
    Ended(NodeState),
}

/// A node on its way.
pub(super) struct Progress {
    pub(super) phase: Phase,
    /// The nodes that must end first.
    pub(super) waits_for: BTreeSet<NodeId>,
    pub(super) ports: Option<Ports>,
    pub(super) key: Option<Digest>,
    /// It runs although its key has been computed.
    pub(super) again: bool,
    pub(super) cached: bool,
    pub(super) reason: String,
    pub(super) failure: Option<Failure>,
    pub(super) attempts: u32,
    pub(super) started: f64,
    /// What computing it cost, in this run or before.
    pub(super) usage: Usage,
    pub(super) held: Option<Held>,
    /// Where its outputs are written, by port.
    pub(super) scratch: Vec<(String, PathBuf)>,
    /// In the store once it has ended.
    pub(super) outputs: Option<Vec<OutputRecord>>,
    /// What it had put out before it was computed again.
    pub(super) before: Option<Vec<OutputRecord>>,
    pub(super) series: Vec<(String, u64, f64)>,
    pub(super) logs: Vec<LogRecord>,
}

/// The most points of a node that are recorded, over all its series.
const POINTS: usize = 1_000_000;

/// The most messages of a node that are recorded.
const MESSAGES: usize = 10_000;

impl Progress {
    pub(super) fn new(waits_for: BTreeSet<NodeId>) -> Self {
        Self {
            phase: Phase::Waiting,
            waits_for,
            ports: None,
            key: None,
            again: false,
            cached: false,
            reason: String::new(),
            failure: None,
            attempts: 0,
            started: 0.0,
            usage: Usage::default(),
            held: None,
            scratch: Vec::new(),
            outputs: None,
            before: None,
            series: Vec::new(),
            logs: Vec::new(),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// It has ended, and not well.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.phase, Phase::Ended(state) if state != NodeState::Succeeded)
    }

    pub(super) fn metric(&mut self, name: String, step: u64, value: f64) {
        if self.series.len() < POINTS {
            self.series.push((name, step, value));
        }
    }

    /// Adds a message to the log; false if there were too many before.
    pub(super) fn log(&mut self, level: &str, message: String) -> bool {
        let room = self.logs.len() < MESSAGES;
        if room {
            self.logs.push(LogRecord { at: flow_store::now(), level: level.to_owned(), message });
        }
        room
    }

    /// The last lines before a failure are worth more than what came before them.
    pub(super) fn keep_last(&mut self, lines: &[String]) {
        if self.logs.len() == MESSAGES {
            self.logs.truncate(MESSAGES - lines.len().min(MESSAGES));
            lines.iter().for_each(|line| {
                self.log("stderr", line.clone());
            });
        }
    }

    /// Takes over what came out; it counts once it is recorded.
    pub(super) fn take_outputs(&mut self, outputs: &[(String, NewArtifact)]) {
        let record = |(port, artifact): &(String, NewArtifact)| OutputRecord {
            port: port.clone(),
            kind: artifact.kind,
            digest: artifact.digest,
            bytes: artifact.bytes,
        };
        self.outputs = Some(outputs.iter().map(record).collect());
    }

    /// The node as it is recorded. Its series and log go along.
    pub(super) fn record(&mut self, id: NodeId, node: &Node, recipe: &Recipe, state: NodeState) -> NewNode {
        let now = flow_store::now();
        NewNode {
            position: id.0,
            name: node.name.clone(),
            stage: node.stage.clone(),
            recipe: recipe.clone(),
            key: self.key,
            state,
            cached: self.cached,
            reason: self.reason.clone(),
            error: self.failure.as_ref().map(|failure| failure.message.clone()),
            attempts: self.attempts,
            started: if self.started > 0.0 { self.started } else { now },
            finished: now,
            usage: if self.cached { Usage::default() } else { self.usage },
            series: std::mem::take(&mut self.series),
            logs: std::mem::take(&mut self.logs),
        }
    }
}
