//! Between amplitudes as callers have them and the vectors that the kernels work on: those lie [apart](Plan::place), and
//! are the state up to a [`Frame`].

use std::ops::Range;

use super::plan::Plan;
use super::rotation::Frame;
use crate::simulator::Real;
use crate::simulator::team::share;

/// Neighbouring amplitudes that are done together: the frame moves them among themselves, with one sign for all beside one
/// that depends on their place among them.
const GROUP: usize = 16;

/// The frame, ready to be applied.
struct Moves<T> {
    /// How many are done together: the whole vector where it is shorter than a group.
    group: usize,
    x: usize,
    z: usize,
    /// The signs within a group, and their opposites.
    signs: [[T; GROUP]; 2],
}

impl<T: Real> Moves<T> {
    fn new(frame: Frame, amplitudes: usize) -> Self {
        let sign = |lane: usize, other: bool| T::of(if frame.sign(lane) != other { -1.0 } else { 1.0 });
        let signs = [false, true].map(|other| std::array::from_fn(|lane| sign(lane, other)));
        Self { group: GROUP.min(amplitudes), x: frame.x, z: frame.z, signs }
    }

    /// Which group goes to the one that starts at `index`, and what index XOR to take within them.
    #[inline(always)]
    fn from(&self, index: usize) -> (usize, usize) {
        let within = self.x & (self.group - 1);
        (index ^ (self.x - within), within)
    }

    /// The signs of a group that starts at `index` of the kernels' vectors.
    #[inline(always)]
    fn signs(&self, index: usize) -> &[T; GROUP] {
        &self.signs[((index & self.z).count_ones() & 1) as usize]
    }
}

/// The part of the amplitudes that thread `me` of `threads` moves.
pub(super) fn part(amplitudes: usize, threads: usize, me: usize) -> Range<usize> {
    let group = GROUP.min(amplitudes);
    let groups = share(amplitudes / group, threads, me);
    groups.start * group..groups.end * group
}

/// Amplitudes `range` of the state, from where the kernels left it.
///
/// # Safety
/// `psi` is a vector of the plan, that no other thread writes to.
pub(super) unsafe fn take<T: Real>(
    plan: &Plan<T>,
    frame: Frame,
    psi: *const T,
    range: Range<usize>,
    state: &mut [T],
) {
    let moves = Moves::new(frame, 1 << plan.qubits);
    for (start, group) in range.step_by(moves.group).zip(state.chunks_exact_mut(moves.group)) {
        let (from, within) = moves.from(start);
        let signs = moves.signs(from);
        // SAFETY: a group lies in one block, whose amplitudes follow each other.
        let values = unsafe { std::slice::from_raw_parts(psi.add(plan.place(from)), moves.group) };
        for (at, to) in group.iter_mut().enumerate() {
            let lane = (at ^ within) & (moves.group - 1);
            *to = values[lane] * signs[lane];
        }
    }
}

/// Puts a vector of a value for each amplitude where the kernels work on it: those of places `range`.
///
/// # Safety
/// `vector` is one of the plan, of which no other thread uses this range.
pub(super) unsafe fn put<T: Real>(
    plan: &Plan<T>,
    frame: Frame,
    values: &[T],
    range: Range<usize>,
    vector: *mut T,
) {
    let moves = Moves::new(frame, 1 << plan.qubits);
    for start in range.step_by(moves.group) {
        let (from, within) = moves.from(start);
        let signs = moves.signs(start);
        let values = &values[from..from + moves.group];
        // SAFETY: a group lies in one block, whose amplitudes follow each other.
        let group = unsafe { std::slice::from_raw_parts_mut(vector.add(plan.place(start)), moves.group) };
        for (lane, to) in group.iter_mut().enumerate() {
            *to = values[(lane ^ within) & (moves.group - 1)] * signs[lane];
        }
    }
}
