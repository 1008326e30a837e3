//! Threads that go through the same steps together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A barrier that waits actively: the steps of a circuit take microseconds, less than it takes to wake a thread.
pub(crate) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
}

impl Barrier {
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads, arrived: AtomicUsize::new(0), round: AtomicUsize::new(0) }
    }

    /// Waits until all threads have come here. What they wrote before is seen by all afterwards.
    #[inline]
    pub(crate) fn wait(&self) {
        if self.threads == 1 {
            return;
        }
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut spins = 0_u32;
        while self.round.load(Ordering::Acquire) == round {
            spins += 1;
            // The processor may have fewer cores free than there are threads.
            if spins.is_multiple_of(512) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

/// Calls `work` with 0, 1, ..., `threads` - 1 at the same time.
pub(crate) fn run(threads: usize, work: impl Fn(usize) + Sync) {
    each((0..threads).map(|_| ()), |me, ()| work(me));
}

/// Calls `work` with 0, 1, ... and the piece that each is given, at the same time.
pub(crate) fn each<P: Send>(pieces: impl Iterator<Item = P>, work: impl Fn(usize, P) + Sync) {
    let mut pieces = pieces.enumerate();
    let Some((_, mine)) = pieces.next() else { return };
    std::thread::scope(|scope| {
        for (me, piece) in pieces {
            let work = &work;
            scope.spawn(move || work(me, piece));
        }
        work(0, mine);
    });
}

/// The part of `0..count` that thread `me` of `threads` does.
pub(crate) fn share(count: usize, threads: usize, me: usize) -> std::ops::Range<usize> {
    count * me / threads..count * (me + 1) / threads
}

/// The parts of a list that so many threads get: as long as `part` says of each.
pub(crate) fn parts<V>(
    list: &mut [V],
    threads: usize,
    part: impl Fn(usize) -> std::ops::Range<usize>,
) -> impl Iterator<Item = &mut [V]> {
    let mut rest = list;
    (0..threads).map(move |me| {
        let (mine, others) = std::mem::take(&mut rest).split_at_mut(part(me).len());
        rest = others;
        mine
    })
}
