//! CPU and memory accounting: which nodes may run side by side.

use crate::graph::{Cpus, Resources};

/// What is free of the cores and the memory that a run may use.
#[derive(Debug)]
pub(super) struct Slots {
    cores: usize,
    memory: u64,
    used_cores: usize,
    used_memory: u64,
    running: usize,
    exclusive: bool,
}

/// What a running node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) threads: usize,
    memory: u64,
    exclusive: bool,
}

impl Slots {
    pub(super) fn new(cores: usize, memory: u64) -> Self {
        let (used_cores, used_memory) = (0, 0);
        Self { cores: cores.max(1), memory, used_cores, used_memory, running: 0, exclusive: false }
    }

    /// Takes what a node needs, if it is free. A node that measures runs alone. One that asks for more than
    /// there is gets all.
    pub(super) fn take(&mut self, resources: &Resources, measures: bool) -> Option<Held> {
        let threads = match resources.cpus {
            Cpus::Count(count) => count.clamp(1, self.cores),
            Cpus::All => self.cores,
        };
        let memory = resources.memory.unwrap_or(0).min(self.memory);
        let alone = self.running == 0;
        let fits = threads <= self.cores - self.used_cores && memory <= self.memory - self.used_memory;
        if self.exclusive || !fits || (measures && !alone) {
            return None;
        }
        self.used_cores += threads;
        self.used_memory += memory;
        self.running += 1;
        self.exclusive = measures;
        Some(Held { threads, memory, exclusive: measures })
    }

    /// Gives back what a node held.
    pub(super) fn give_back(&mut self, held: Held) {
        self.used_cores -= held.threads;
        self.used_memory -= held.memory;
        self.running -= 1;
        self.exclusive &= !held.exclusive;
    }

    /// Whether nothing more can be taken.
    pub(super) fn is_full(&self) -> bool {
        self.exclusive || self.used_cores == self.cores
    }

    /// How many cores are free.
    pub(super) fn free(&self) -> usize {
        if self.exclusive { 0 } else { self.cores - self.used_cores }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn count(n: usize) -> Resources {
        Resources { cpus: Cpus::Count(n), memory: None }
    }

    #[test]
    fn a_node_that_measures_runs_alone() {
        let mut slots = Slots::new(4, 0);
        let first = slots.take(&count(1), false).unwrap();
        assert_eq!(slots.take(&count(1), true), None);
        slots.give_back(first);
        let alone = slots.take(&count(1), true).unwrap();
        assert_eq!(slots.take(&count(1), false), None);
        slots.give_back(alone);
        assert!(slots.take(&count(1), false).is_some());
    }

    #[test]
    fn more_than_there_is_means_all() {
        let mut slots = Slots::new(2, 100);
        let all = slots.take(&Resources { cpus: Cpus::Count(8), memory: Some(1000) }, false).unwrap();
        assert_eq!(all.threads, 2);
        assert!(slots.is_full());
    }

    proptest! {
        #[test]
        fn never_more_than_there_is_and_all_comes_back(
            cores in 1usize..9,
            wishes in prop::collection::vec((0usize..12, 0u64..300, any::<bool>(), any::<bool>()), 1..40),
        ) {
            let mut slots = Slots::new(cores, 200);
            let mut held = Vec::new();
            for (cpus, memory, measures, end_one) in wishes {
                let resources = Resources { cpus: Cpus::Count(cpus), memory: Some(memory) };
                held.extend(slots.take(&resources, measures));
                prop_assert!(held.iter().map(|h: &Held| h.threads).sum::<usize>() <= cores);
                prop_assert!(held.iter().map(|h| h.memory).sum::<u64>() <= 200);
                prop_assert!(held.len() == 1 || held.iter().all(|h| !h.exclusive));
                if end_one && !held.is_empty() {
                    slots.give_back(held.remove(0));
                }
            }
            for h in held.drain(..) {
                slots.give_back(h);
            }
            prop_assert_eq!(slots.free(), cores);
        }
    }
}
