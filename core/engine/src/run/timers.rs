//! What happens later: second attempts, other looks at the nodes of other runs, grouped writes.

use std::time::Duration;

use tokio::time::Instant;

use super::dispatcher::Dispatcher;
use super::node::Phase;
use crate::event::{Event, Failure};
use crate::graph::NodeId;

/// The wait before the second attempt; it doubles with each further one.
const BACK_OFF: Duration = Duration::from_secs(1);

/// The longest wait between two attempts.
const BACK_OFF_MOST: Duration = Duration::from_secs(60);

impl Dispatcher<'_> {
    /// Lets a node that failed be tried again after a while.
    pub(super) fn retry(&mut self, id: NodeId, failure: &Failure) {
        let progress = &mut self.nodes[id.0];
        progress.phase = Phase::Retrying;
        let wait = BACK_OFF.saturating_mul(1 << (progress.attempts - 1).min(16)).min(BACK_OFF_MOST);
        self.retries.insert((Instant::now() + wait, id), ());
        (self.parts.sink)(&Event::NodeRetries {
            node: self.parts.graph.node(id).name.clone(),
            error: failure.message.clone(),
            attempt: progress.attempts + 1,
            wait_s: wait.as_secs_f64(),
        });
    }

    /// When something is to be done at the latest.
    pub(super) fn wake(&self) -> Option<Instant> {
        let retry = self.retries.first_key_value().map(|((at, _), ())| *at);
        [self.poll, retry, self.flush_at].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn woken(&mut self) {
        let now = Instant::now();
        while let Some(((at, id), ())) = self.retries.first_key_value().map(|(k, v)| (*k, *v))
            && at <= now
        {
            self.retries.pop_first();
            self.nodes[id.0].phase = Phase::Claimed;
            let turn = self.turn(id);
            self.claimed.insert(turn);
        }
        if self.poll.is_some_and(|at| at <= now) {
            self.poll = None;
            self.ask_again();
        }
    }
}
