//! Sharing work with other runs: a node is claimed before it runs, and one that another run computes is
//! waited for.

use std::time::Duration;

use flow_store::Claim;
use tokio::time::Instant;

use super::Error;
use super::dispatcher::Dispatcher;
use super::node::Phase;
use super::order::Turn;
use crate::event::Event;
use crate::graph::NodeId;

/// How often a node that another run computes is looked at.
const POLL: Duration = Duration::from_millis(150);

/// Nodes shorter than this are claimed many at a time.
const SHORT: Duration = Duration::from_millis(50);

/// How many short nodes are claimed at a time, per core.
const CLAIMS_PER_CORE: usize = 16;

impl Dispatcher<'_> {
    /// Asks for claims, a few at a time so that another run can share the work, but not one by one where
    /// nodes are short.
    pub(super) fn claim(&mut self) {
        if self.claiming > 0 || self.ready.is_empty() {
            return;
        }
        let (seconds, count) = self.short;
        let short = count > 0 && seconds / f64::from(count) < SHORT.as_secs_f64();
        let wanted = if short {
            (CLAIMS_PER_CORE * self.parts.options.cores).saturating_sub(self.claimed.len())
        } else {
            self.slots.free()
        };
        let mut keys = Vec::new();
        while keys.len() < wanted
            && let Some(Turn { id, .. }) = self.ready.pop_first()
        {
            let progress = &mut self.nodes[id.0];
            if let Some(key) = progress.key {
                progress.phase = Phase::Claiming;
                keys.push((id, key, progress.again));
            }
        }
        if !keys.is_empty() {
            self.flush_cached();
            self.claiming = keys.len();
            self.writer.claim(keys);
        }
    }

    pub(super) fn claimed(&mut self, id: NodeId, claim: Claim) -> Result<(), Error> {
        let twin = self.twin(id);
        let busy = twin.filter(|twin| !self.nodes[twin.0].has_ended());
        let progress = &mut self.nodes[id.0];
        match claim {
            Claim::Ours => match busy {
                // One of the two is enough.
                Some(twin) => self.wait_for_twin(id, twin),
                None => {
                    progress.phase = Phase::Claimed;
                    self.holders.extend(progress.key.map(|key| (key, id)));
                    let turn = self.turn(id);
                    self.claimed.insert(turn);
                }
            },
            Claim::Theirs(run) => {
                if !self.theirs.contains(&id) {
                    self.theirs.push(id);
                    let node = self.parts.graph.node(id).name.clone();
                    (self.parts.sink)(&Event::NodeWaits { node, run });
                }
                progress.phase = Phase::Theirs;
                self.poll.get_or_insert(Instant::now() + POLL);
            }
            Claim::Done => {
                let hit = match progress.key {
                    Some(key) => self.parts.store.lookup(&key).map_err(Error::Store)?,
                    None => None,
                };
                match hit {
                    Some(hit) => match twin {
                        Some(twin) => {
                            let reason = format!("{} is the same", self.parts.graph.node(twin).name);
                            self.cached(id, hit, &reason);
                        }
                        None => self.cached(id, hit, "another run has computed it meanwhile"),
                    },
                    None => self.make_ready(id),
                }
            }
        }
        Ok(())
    }

    /// Of several nodes with one key the first runs, and the others wait for it: so the plan can say which. What is
    /// computed although its result is known is computed for itself.
    pub(super) fn waits_for_twin(&mut self, id: NodeId) -> bool {
        let progress = &self.nodes[id.0];
        let Some(key) = progress.key.filter(|_| !progress.again) else { return false };
        if let Some(twin) = self.twin(id) {
            let phase = self.nodes[twin.0].phase;
            if phase == Phase::Ready && id < twin {
                let turn = self.turn(twin);
                self.ready.remove(&turn);
                self.wait_for_twin(twin, id);
            } else if !matches!(phase, Phase::Waiting | Phase::Ended(_)) {
                self.wait_for_twin(id, twin);
                return true;
            }
        }
        self.holders.insert(key, id);
        false
    }

    fn wait_for_twin(&mut self, id: NodeId, twin: NodeId) {
        self.nodes[id.0].phase = Phase::Theirs;
        self.twins.entry(twin).or_default().push(id);
    }

    /// Another node of this run that has claimed the same key, or is about to.
    fn twin(&self, id: NodeId) -> Option<NodeId> {
        self.holders.get(self.nodes[id.0].key.as_ref()?).copied().filter(|holder| *holder != id)
    }

    /// A node has ended: those that are the same take its result, or try themselves.
    pub(super) fn wake_twins(&mut self, id: NodeId) {
        for twin in self.twins.remove(&id).unwrap_or_default() {
            if self.nodes[twin.0].phase == Phase::Theirs {
                self.enqueue(twin);
            }
        }
    }

    /// Other runs were computing these nodes: asks for them again.
    pub(super) fn ask_again(&mut self) {
        for id in std::mem::take(&mut self.theirs) {
            if self.nodes[id.0].phase == Phase::Theirs {
                self.make_ready(id);
            }
        }
    }
}
