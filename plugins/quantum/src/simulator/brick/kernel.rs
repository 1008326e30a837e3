//! The sweeps over the amplitudes, forward through a circuit and back.

use super::pass::{LANE_BITS, Layer, MOST, PASS_BITS, all_tangents, by_count, first, rotate, undo};
use super::plan::{Pass, Plan, Strip};
use crate::simulator::Real;
use crate::simulator::lanes::{Kernel, Lanes};
use crate::simulator::team::{Barrier, share};

/// Neighbouring columns of a strip that are done together: a chunk has at least so many.
const WIDE: usize = 2;

/// A sweep through the circuit by one of several threads.
pub(super) struct Forward<'a, T> {
    pub(super) plan: &'a Plan<T>,
    pub(super) tangent: &'a [T],
    pub(super) scale: &'a [f64],
    pub(super) psi: *mut T,
    pub(super) barrier: &'a Barrier,
    pub(super) threads: usize,
    pub(super) me: usize,
}

/// A sweep back through the circuit by one of several threads: undoes it on both vectors, and sums what the
/// derivatives are made of.
pub(super) struct Backward<'a, T> {
    pub(super) plan: &'a Plan<T>,
    pub(super) tangent: &'a [T],
    pub(super) scale: &'a [f64],
    pub(super) psi: *mut T,
    pub(super) lambda: *mut T,
    /// By chunk, layer and bit.
    pub(super) sums: *mut T,
    pub(super) barrier: &'a Barrier,
    pub(super) threads: usize,
    pub(super) me: usize,
}

// SAFETY: threads work on different chunks between two barriers, so that no two reach the same numbers.
unsafe impl<T: Sync> Sync for Forward<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Backward<'_, T> {}

impl<T> Forward<'_, T> {
    pub(super) fn of(&self, me: usize) -> Self {
        Self { me, ..*self }
    }
}

impl<T> Backward<'_, T> {
    pub(super) fn of(&self, me: usize) -> Self {
        Self { me, ..*self }
    }
}

/// Where the registers of a strip lie.
#[derive(Clone, Copy)]
struct Place<'a, T> {
    plan: &'a Plan<T>,
    strip: &'a Strip,
}

impl<T: Real> Place<'_, T> {
    #[inline(always)]
    fn register<S: Lanes<T>>(self, register: usize) -> usize {
        self.plan.place(register << S::LOG) >> S::LOG
    }

    /// The columns of a chunk.
    #[inline(always)]
    fn columns<S: Lanes<T>>(self) -> usize {
        (1 << (self.plan.bits - S::LOG - self.strip.count)) / self.plan.chunks()
    }

    /// The first register of a column.
    #[inline(always)]
    fn column<S: Lanes<T>>(self, column: usize) -> usize {
        self.register::<S>(first(column, self.strip.low - S::LOG, self.strip.count))
    }

    /// How far the first register of a pass' group is from that of its column, and the distance of its registers: places
    /// add up, since a strip's bits are above those of blocks.
    #[inline(always)]
    fn group<S: Lanes<T>>(self, pass: Pass, group: usize) -> (usize, usize) {
        let low = self.strip.low - S::LOG;
        let start = first(group, pass.low - self.strip.low, pass.count) << low;
        (self.register::<S>(start), self.register::<S>(1 << (pass.low - S::LOG)))
    }
}

/// Asks for the registers of a group: they lie in many places, more than a processor follows by itself.
#[inline(always)]
fn ask<S: Lanes<T>, T: Real, const R: usize>(simd: S, vector: *const T, register: usize, distance: usize) {
    for i in 0..1 << R {
        simd.prefetch(vector.wrapping_add((register + i * distance) << S::LOG));
    }
}

/// Passes over a part of a block, from the highest bits on.
///
/// # Safety
/// `psi` holds `registers` registers, which the passes stay within.
#[inline(always)]
unsafe fn rotate_part<S: Lanes<T>, T: Real>(
    layer: &Layer<'_, S, T>,
    tangents: &[[S::V; PASS_BITS]; MOST],
    passes: std::ops::Range<usize>,
    psi: *mut T,
    registers: usize,
) {
    for at in passes.rev() {
        let pass = layer.plan.inner[at];
        let (t, low) = (tangents[at], pass.low - S::LOG);
        let groups = registers >> pass.count;
        if at > 0 {
            by_count!(pass.count, R => for group in 0..groups {
                // SAFETY: the caller's promise.
                unsafe { rotate::<S, T, R, false, false>(layer, &t, psi, first(group, low, R), 1 << low) };
            });
        } else {
            by_count!(pass.count, R => for group in 0..groups {
                // SAFETY: as above.
                unsafe { rotate::<S, T, R, true, true>(layer, &t, psi, first(group, 0, R), 1) };
            });
        }
    }
}

impl<T: Real> Kernel<T> for Forward<'_, T> {
    #[inline(always)]
    fn run<S: Lanes<T>>(self, simd: S) {
        let plan = self.plan;
        let chunks = share(plan.chunks(), self.threads, self.me);
        let blocks = chunks.start * plan.blocks()..chunks.end * plan.blocks();
        let (near, part) = plan.near;
        let part = 1 << (part - S::LOG);
        for layer in 0..plan.layers {
            let tangent = &self.tangent[layer * plan.qubits..(layer + 1) * plan.qubits];
            let here = Layer::new(simd, plan, layer, tangent, self.scale[layer]);
            for strip in plan.strips.iter().rev() {
                let place = Place { plan, strip };
                let all = all_tangents(simd, plan, &strip.passes, tangent);
                let columns = place.columns::<S>();
                for column in (chunks.start * columns..chunks.end * columns).step_by(WIDE) {
                    let (here_at, next) = (place.column::<S>(column), place.column::<S>(column + WIDE));
                    for (at, (&pass, t)) in strip.passes.iter().zip(&all).enumerate().rev() {
                        by_count!(pass.count, R => for group in 0..1 << (strip.count - R) {
                            let (start, distance) = place.group::<S>(pass, group);
                            for beside in 0..WIDE {
                                if at + 1 == strip.passes.len() {
                                    ask::<S, T, R>(simd, self.psi, next + start + beside, distance);
                                }
                                let register = here_at + start + beside;
                                // SAFETY: columns of different chunks have no register in common, and all are within the
                                // vector.
                                unsafe { rotate::<S, T, R, false, false>(&here, t, self.psi, register, distance) };
                            }
                        });
                    }
                }
                self.barrier.wait();
            }
            let t = all_tangents(simd, plan, &plan.inner, tangent);
            for block in blocks.clone() {
                let here = here.starting_at(block * plan.registers());
                // SAFETY: the block is this thread's and within the vector.
                unsafe {
                    let psi = self.psi.add(plan.place(block << plan.block));
                    rotate_part(&here, &t, near..plan.inner.len(), psi, plan.registers());
                    for start in (0..plan.registers()).step_by(part) {
                        rotate_part(&here.starting_at(start), &t, 0..near, psi.add(start << S::LOG), part);
                    }
                }
            }
            if !plan.strips.is_empty() {
                self.barrier.wait();
            }
        }
    }
}

/// Sums of the passes in a block, and of the bits within a register.
struct Sums<V> {
    passes: [[V; PASS_BITS]; MOST],
    lanes: [V; LANE_BITS],
}

/// Undoes passes over a part of a block, from the lowest bits on.
///
/// # Safety
/// Both vectors hold `registers` registers, which the passes stay within.
#[inline(always)]
unsafe fn undo_part<S: Lanes<T>, T: Real>(
    layer: &Layer<'_, S, T>,
    tangents: &[[S::V; PASS_BITS]; MOST],
    passes: std::ops::Range<usize>,
    both: (*mut T, *mut T),
    registers: usize,
    sums: &mut Sums<S::V>,
) {
    for at in passes {
        let pass = layer.plan.inner[at];
        let (t, low) = (tangents[at], pass.low - S::LOG);
        let groups = registers >> pass.count;
        // Kept in registers during the loop.
        let (mut sum, mut lanes) = (sums.passes[at], sums.lanes);
        if at > 0 {
            by_count!(pass.count, R => for group in 0..groups {
                let register = first(group, low, R);
                // SAFETY: the caller's promise.
                unsafe {
                    undo::<S, T, R, false, false>(layer, &t, both, register, 1 << low, &mut sum, &mut lanes);
                }
            });
        } else {
            by_count!(pass.count, R => for group in 0..groups {
                let register = first(group, 0, R);
                // SAFETY: as above.
                unsafe { undo::<S, T, R, true, true>(layer, &t, both, register, 1, &mut sum, &mut lanes) };
            });
        }
        (sums.passes[at], sums.lanes) = (sum, lanes);
    }
}

impl<T: Real> Backward<'_, T> {
    /// Adds the lanes of sums to where they are kept: of a bit within the register, those where it is 0 with a
    /// negative sign.
    #[inline(always)]
    unsafe fn keep<S: Lanes<T>>(&self, simd: S, chunk: usize, layer: usize, bit: usize, sum: S::V) {
        if bit >= self.plan.qubits {
            return;
        }
        let mut lanes = [T::default(); 16];
        // SAFETY: no register has more than 16 lanes.
        unsafe { simd.store(lanes.as_mut_ptr(), sum) };
        let sign = |lane: usize, v: T| if bit < S::LOG && (lane >> bit) & 1 == 0 { -v } else { v };
        let total: T = lanes.iter().take(1 << S::LOG).enumerate().map(|(lane, &v)| sign(lane, v)).sum();
        let at = (chunk * self.plan.layers + layer) * self.plan.qubits + bit;
        // SAFETY: chunk, layer and bit are those of the plan, and the chunk is this thread's.
        unsafe { *self.sums.add(at) = total };
    }
}

impl<T: Real> Kernel<T> for Backward<'_, T> {
    #[inline(always)]
    fn run<S: Lanes<T>>(self, simd: S) {
        let plan = self.plan;
        let chunks = share(plan.chunks(), self.threads, self.me);
        let both = (self.psi, self.lambda);
        let zero = simd.splat(T::default());
        let (near, part) = plan.near;
        let part = 1 << (part - S::LOG);
        for layer in (0..plan.layers).rev() {
            let tangent = &self.tangent[layer * plan.qubits..(layer + 1) * plan.qubits];
            let here = Layer::new(simd, plan, layer, tangent, self.scale[layer]);
            let t = all_tangents(simd, plan, &plan.inner, tangent);
            for chunk in chunks.clone() {
                let mut sums = Sums { passes: [[zero; PASS_BITS]; MOST], lanes: [zero; LANE_BITS] };
                for block in chunk * plan.blocks()..(chunk + 1) * plan.blocks() {
                    let here = here.starting_at(block * plan.registers());
                    let place = plan.place(block << plan.block);
                    // SAFETY: the block is this thread's and within the vectors.
                    unsafe {
                        let at = |start: usize| {
                            let to = place + (start << S::LOG);
                            (self.psi.add(to), self.lambda.add(to))
                        };
                        for start in (0..plan.registers()).step_by(part) {
                            undo_part(&here.starting_at(start), &t, 0..near, at(start), part, &mut sums);
                        }
                        undo_part(&here, &t, near..plan.inner.len(), at(0), plan.registers(), &mut sums);
                    }
                }
                for (bit, &sum) in sums.lanes.iter().enumerate().take(S::LOG) {
                    // SAFETY: the chunk is this thread's.
                    unsafe { self.keep(simd, chunk, layer, bit, sum) };
                }
                for (pass, sum) in plan.inner.iter().zip(&sums.passes) {
                    for (k, &sum) in sum.iter().enumerate().take(pass.count) {
                        // SAFETY: as above.
                        unsafe { self.keep(simd, chunk, layer, pass.low + k, sum) };
                    }
                }
            }
            for strip in &plan.strips {
                self.barrier.wait();
                let place = Place { plan, strip };
                let all = all_tangents(simd, plan, &strip.passes, tangent);
                let columns = place.columns::<S>();
                for chunk in chunks.clone() {
                    let (mut sums, mut unused) = ([[zero; PASS_BITS]; MOST], [zero; LANE_BITS]);
                    for column in (chunk * columns..(chunk + 1) * columns).step_by(WIDE) {
                        let (here_at, next) = (place.column::<S>(column), place.column::<S>(column + WIDE));
                        for (at, (&pass, t)) in strip.passes.iter().zip(&all).enumerate() {
                            let mut sum = sums[at];
                            by_count!(pass.count, R => for group in 0..1 << (strip.count - R) {
                                let (start, distance) = place.group::<S>(pass, group);
                                for beside in 0..WIDE {
                                    if at == 0 {
                                        ask::<S, T, R>(simd, self.psi, next + start + beside, distance);
                                        ask::<S, T, R>(simd, self.lambda, next + start + beside, distance);
                                    }
                                    let register = here_at + start + beside;
                                    // SAFETY: columns of different chunks have no register in common.
                                    unsafe {
                                        undo::<S, T, R, false, false>(
                                            &here, t, both, register, distance, &mut sum, &mut unused,
                                        );
                                    }
                                }
                            });
                            sums[at] = sum;
                        }
                    }
                    for (pass, sum) in strip.passes.iter().zip(&sums) {
                        for (k, &sum) in sum.iter().enumerate().take(pass.count) {
                            // SAFETY: the chunk is this thread's.
                            unsafe { self.keep(simd, chunk, layer, pass.low + k, sum) };
                        }
                    }
                }
            }
            if !plan.strips.is_empty() {
                self.barrier.wait();
            }
        }
    }
}
