//! How long a node still needs, from how fast it has gone since it first spoke.

use std::time::{Duration, Instant};

/// The pace of one node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// When the node first spoke, and what was done then: a node that goes on from a checkpoint did not do that now.
    first: (Instant, u64),
    /// When something was last printed of it.
    printed: Instant,
}

/// Too little has been seen of a node before this to say when it will end.
const ENOUGH: Duration = Duration::from_secs(2);

impl Pace {
    pub(super) fn start(now: Instant, done: u64) -> Self {
        Self { first: (now, done), printed: now }
    }

    /// The time left at the pace so far, if that can be said.
    pub(super) fn left(&self, now: Instant, done: u64, total: u64) -> Option<Duration> {
        let (since, before) = self.first;
        let (spent, gained) = (now.duration_since(since), done.checked_sub(before)?);
        if spent < ENOUGH || gained == 0 {
            return None;
        }
        let seconds = spent.as_secs_f64() / gained as f64 * total.saturating_sub(done) as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Whether a line is due: at most one in `interval`.
    pub(super) fn due(&mut self, now: Instant, interval: Duration) -> bool {
        let due = now.duration_since(self.printed) >= interval;
        if due {
            self.printed = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_before_does_not_count_as_pace() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let pace = Pace::start(start, 900);
        assert_eq!(pace.left(later(1), 901, 1000), None);
        assert_eq!(pace.left(later(10), 900, 1000), None);
        assert_eq!(pace.left(later(10), 920, 1000), Some(Duration::from_secs(40)));
        assert_eq!(pace.left(later(10), 1000, 1000), Some(Duration::ZERO));
        assert_eq!(pace.left(later(10), 20, 1000), None);
    }

    #[test]
    fn lines_keep_their_distance() {
        let start = Instant::now();
        let mut pace = Pace::start(start, 0);
        let due =
            [30, 61, 70, 122].map(|s| pace.due(start + Duration::from_secs(s), Duration::from_secs(60)));
        assert_eq!(due, [false, true, false, true]);
    }
}
