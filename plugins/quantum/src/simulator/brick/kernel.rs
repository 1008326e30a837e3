//! The sweeps over the amplitudes, forward through a circuit and back.

use std::ops::Range;

use super::pass::{LANE_BITS, Layer, MOST, PASS_BITS, by_count, first, rotate, signed, tangents, undo};
use super::plan::{Pass, Phase, Plan, Strip};
use crate::simulator::Real;
use crate::simulator::lanes::{Kernel, Lanes};
use crate::simulator::team::{Barrier, share};

/// Neighbouring columns of a strip that are done together: a chunk has at least so many.
const WIDE: usize = 2;

/// A sweep through the circuit by one of several threads. They work on different chunks between two barriers, so that no
/// two reach the same numbers, and wait for each other at the end.
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

/// A layer's part of a phase.
struct Part<'a, S: Lanes<T>, T: Real> {
    layer: Layer<'a, S, T>,
    /// Tangents, by bit.
    tangent: &'a [T],
    /// Whether the layer ends in this phase, with its controlled-Z gates.
    gates: bool,
}

impl<'a, S: Lanes<T>, T: Real> Part<'a, S, T> {
    #[inline(always)]
    fn new(simd: S, plan: &'a Plan<T>, phase: &Phase, layer: usize, tangent: &'a [T], scale: &[f64]) -> Self {
        let tangent = &tangent[layer * plan.bits..(layer + 1) * plan.bits];
        let gates = phase.gates && layer == phase.layers.start;
        Self { layer: Layer::new(simd, plan, layer, tangent, scale[layer]), tangent, gates }
    }
}

/// The parts of the layers of a phase: of two, or twice of the same. Here as elsewhere closures would not be compiled for the
/// instruction set.
#[inline(always)]
fn parts<'a, S: Lanes<T>, T: Real>(
    simd: S,
    plan: &'a Plan<T>,
    phase: &Phase,
    tangent: &'a [T],
    scale: &[f64],
) -> [Part<'a, S, T>; 2] {
    let Range { start, end } = phase.layers;
    [
        Part::new(simd, plan, phase, start, tangent, scale),
        Part::new(simd, plan, phase, end - 1, tangent, scale),
    ]
}

/// Passes over a part of a block, from the highest bits on.
///
/// # Safety
/// `psi` holds `registers` registers from `start` on in its vector, which the passes stay within.
#[inline(always)]
unsafe fn rotate_part<S: Lanes<T>, T: Real>(
    simd: S,
    part: &Part<'_, S, T>,
    start: usize,
    passes: Range<usize>,
    psi: *mut T,
    registers: usize,
) {
    let layer = part.layer.starting_at(start);
    for at in passes.rev() {
        let pass = layer.plan.inner[at];
        let (low, groups) = (pass.low - S::LOG, registers >> pass.count);
        by_count!(pass.count, R => {
            let t = tangents::<S, T, R>(simd, pass, part.tangent);
            for group in 0..groups {
                let register = first(group, low, R);
                // SAFETY: the caller's promise.
                unsafe {
                    match (at, part.gates) {
                        (0, true) => rotate::<S, T, R, true, true>(&layer, &t, psi, register, 1),
                        (0, false) => rotate::<S, T, R, true, false>(&layer, &t, psi, register, 1),
                        _ => rotate::<S, T, R, false, false>(&layer, &t, psi, register, 1 << low),
                    }
                }
            }
        });
    }
}

impl<T: Real> Forward<'_, T> {
    /// Blocks of one thread through a phase.
    #[inline(always)]
    fn blocks<S: Lanes<T>>(&self, simd: S, parts: &[Part<'_, S, T>], chunks: Range<usize>) {
        let plan = self.plan;
        let (near, bits) = plan.near;
        let registers = 1 << (bits - S::LOG);
        for block in chunks.start * plan.blocks()..chunks.end * plan.blocks() {
            let start = plan.place(block << plan.block) >> S::LOG;
            for part in parts {
                // SAFETY: the block is this thread's and within the vector.
                unsafe {
                    let at = |register: usize| self.psi.add((start + register) << S::LOG);
                    rotate_part(simd, part, start, near..plan.inner.len(), at(0), plan.registers());
                    for from in (0..plan.registers()).step_by(registers) {
                        rotate_part(simd, part, start + from, 0..near, at(from), registers);
                    }
                }
            }
        }
    }

    /// Columns of a strip of one thread through a phase.
    #[inline(always)]
    fn columns<S: Lanes<T>>(&self, simd: S, strip: &Strip, parts: &[Part<'_, S, T>], chunks: Range<usize>) {
        let place = Place { plan: self.plan, strip };
        let columns = place.columns::<S>();
        for column in (chunks.start * columns..chunks.end * columns).step_by(WIDE) {
            let (here, next) = (place.column::<S>(column), place.column::<S>(column + WIDE));
            for (turn, part) in parts.iter().enumerate() {
                for (at, &pass) in strip.passes.iter().enumerate().rev() {
                    by_count!(pass.count, R => {
                    let t = &tangents::<S, T, R>(simd, pass, part.tangent);
                    for group in 0..1 << (strip.count - R) {
                        let (start, distance) = place.group::<S>(pass, group);
                        for beside in 0..WIDE {
                            if turn == 0 && at + 1 == strip.passes.len() {
                                ask::<S, T, R>(simd, self.psi, next + start + beside, distance);
                            }
                            let register = here + start + beside;
                            // SAFETY: columns of different chunks have no register in common, and all are within the
                            // vector.
                            unsafe {
                                if at == 0 && part.gates {
                                    rotate::<S, T, R, false, true>(&part.layer, t, self.psi, register, distance);
                                } else {
                                    rotate::<S, T, R, false, false>(&part.layer, t, self.psi, register, distance);
                                }
                            }
                        }
                    }});
                }
            }
        }
    }
}

impl<T: Real> Kernel<T> for Forward<'_, T> {
    #[inline(always)]
    fn run<S: Lanes<T>>(self, simd: S) {
        let plan = self.plan;
        let chunks = share(plan.chunks(), self.threads, self.me);
        for phase in &plan.phases {
            let parts = parts(simd, plan, phase, self.tangent, self.scale);
            let parts = &parts[..phase.layers.len()];
            match phase.strip {
                None => self.blocks(simd, parts, chunks.clone()),
                Some(strip) => self.columns(simd, &plan.strips[strip], parts, chunks.clone()),
            }
            self.barrier.wait();
        }
    }
}

/// Sums of the passes in a block, and of the bits within a register.
#[derive(Clone, Copy)]
struct Sums<V> {
    passes: [[V; PASS_BITS]; MOST],
    lanes: [V; LANE_BITS],
}

/// Undoes passes over a part of a block, from the lowest bits on.
///
/// # Safety
/// Both vectors hold `registers` registers from `start` on, which the passes stay within.
#[inline(always)]
unsafe fn undo_part<S: Lanes<T>, T: Real>(
    simd: S,
    part: &Part<'_, S, T>,
    start: usize,
    passes: Range<usize>,
    both: (*mut T, *mut T),
    registers: usize,
    sums: &mut Sums<S::V>,
) {
    let layer = part.layer.starting_at(start);
    for at in passes {
        let pass = layer.plan.inner[at];
        let (low, groups) = (pass.low - S::LOG, registers >> pass.count);
        // Kept in registers during the loop.
        let (mut sum, mut lanes) = (sums.passes[at], sums.lanes);
        by_count!(pass.count, R => {
            let t = tangents::<S, T, R>(simd, pass, part.tangent);
            for group in 0..groups {
                let register = first(group, low, R);
                let (sum, lanes) = (&mut sum, &mut lanes);
                // SAFETY: the caller's promise.
                unsafe {
                    match (at, part.gates) {
                        (0, true) => undo::<S, T, R, true, true>(&layer, &t, both, register, 1, sum, lanes),
                        (0, false) => undo::<S, T, R, true, false>(&layer, &t, both, register, 1, sum, lanes),
                        _ => undo::<S, T, R, false, false>(&layer, &t, both, register, 1 << low, sum, lanes),
                    }
                }
            }
        });
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
        let mut total = if bit < S::LOG { signed(simd, self.plan, bit, sum) } else { sum };
        macro_rules! halves {
            ($($k:literal),*) => {$(
                if $k < S::LOG {
                    total = simd.add(total, simd.swap::<$k>(total));
                }
            )*};
        }
        halves!(0, 1, 2, 3);
        let mut lanes = [T::default(); 16];
        // SAFETY: no register has more than 16 lanes.
        unsafe { simd.store(lanes.as_mut_ptr(), total) };
        let at = (chunk * self.plan.layers + layer) * self.plan.qubits + bit;
        // SAFETY: chunk, layer and bit are those of the plan, and the chunk is this thread's.
        unsafe { *self.sums.add(at) = lanes[0] };
    }

    /// Keeps the sums of some passes.
    #[inline(always)]
    unsafe fn keep_passes<S: Lanes<T>>(
        &self,
        simd: S,
        chunk: usize,
        layer: usize,
        passes: &[Pass],
        sums: &[[S::V; PASS_BITS]; MOST],
    ) {
        for (pass, sum) in passes.iter().zip(sums) {
            for (k, &sum) in sum.iter().enumerate().take(pass.count) {
                // SAFETY: the caller's promise, which is that of `keep`.
                unsafe { self.keep(simd, chunk, layer, pass.low + k, sum) };
            }
        }
    }

    /// Blocks of a chunk back through a phase.
    #[inline(always)]
    fn blocks<S: Lanes<T>>(&self, simd: S, first: usize, parts: &[Part<'_, S, T>], chunk: usize) {
        let plan = self.plan;
        let (near, bits) = plan.near;
        let registers = 1 << (bits - S::LOG);
        let zero = simd.splat(T::default());
        let mut sums = [Sums { passes: [[zero; PASS_BITS]; MOST], lanes: [zero; LANE_BITS] }; 2];
        for block in chunk * plan.blocks()..(chunk + 1) * plan.blocks() {
            let start = plan.place(block << plan.block) >> S::LOG;
            for (part, sums) in parts.iter().zip(&mut sums).rev() {
                // SAFETY: the block is this thread's and within the vectors.
                unsafe {
                    let at = |register: usize| {
                        let to = (start + register) << S::LOG;
                        (self.psi.add(to), self.lambda.add(to))
                    };
                    for from in (0..plan.registers()).step_by(registers) {
                        undo_part(simd, part, start + from, 0..near, at(from), registers, sums);
                    }
                    undo_part(simd, part, start, near..plan.inner.len(), at(0), plan.registers(), sums);
                }
            }
        }
        for (turn, sums) in sums.iter().enumerate().take(parts.len()) {
            // SAFETY: the chunk is this thread's.
            unsafe {
                for (bit, &sum) in sums.lanes.iter().enumerate().take(S::LOG) {
                    self.keep(simd, chunk, first + turn, bit, sum);
                }
                self.keep_passes(simd, chunk, first + turn, &plan.inner, &sums.passes);
            }
        }
    }

    /// Columns of a chunk of a strip back through a phase.
    #[inline(always)]
    fn columns<S: Lanes<T>>(
        &self,
        simd: S,
        first: usize,
        strip: &Strip,
        parts: &[Part<'_, S, T>],
        chunk: usize,
    ) {
        let place = Place { plan: self.plan, strip };
        let columns = place.columns::<S>();
        let both = (self.psi, self.lambda);
        let zero = simd.splat(T::default());
        let (mut sums, mut unused) = ([[[zero; PASS_BITS]; MOST]; 2], [zero; LANE_BITS]);
        for column in (chunk * columns..(chunk + 1) * columns).step_by(WIDE) {
            let (here, next) = (place.column::<S>(column), place.column::<S>(column + WIDE));
            for (turn, (part, sums)) in parts.iter().zip(&mut sums).enumerate().rev() {
                for (at, &pass) in strip.passes.iter().enumerate() {
                    let mut sum = sums[at];
                    by_count!(pass.count, R => {
                    let t = &tangents::<S, T, R>(simd, pass, part.tangent);
                    for group in 0..1 << (strip.count - R) {
                        let (start, distance) = place.group::<S>(pass, group);
                        for beside in 0..WIDE {
                            if turn + 1 == parts.len() && at == 0 {
                                ask::<S, T, R>(simd, self.psi, next + start + beside, distance);
                                ask::<S, T, R>(simd, self.lambda, next + start + beside, distance);
                            }
                            let (layer, register) = (&part.layer, here + start + beside);
                            // SAFETY: columns of different chunks have no register in common.
                            unsafe {
                                if at == 0 && part.gates {
                                    undo::<S, T, R, false, true>(
                                        layer, t, both, register, distance, &mut sum, &mut unused,
                                    );
                                } else {
                                    undo::<S, T, R, false, false>(
                                        layer, t, both, register, distance, &mut sum, &mut unused,
                                    );
                                }
                            }
                        }
                    }});
                    sums[at] = sum;
                }
            }
        }
        for (turn, sums) in sums.iter().enumerate().take(parts.len()) {
            // SAFETY: the chunk is this thread's.
            unsafe { self.keep_passes(simd, chunk, first + turn, &strip.passes, sums) };
        }
    }
}

impl<T: Real> Kernel<T> for Backward<'_, T> {
    #[inline(always)]
    fn run<S: Lanes<T>>(self, simd: S) {
        let plan = self.plan;
        for phase in plan.phases.iter().rev() {
            let parts = parts(simd, plan, phase, self.tangent, self.scale);
            let (first, parts) = (phase.layers.start, &parts[..phase.layers.len()]);
            for chunk in share(plan.chunks(), self.threads, self.me) {
                match phase.strip {
                    None => self.blocks(simd, first, parts, chunk),
                    Some(strip) => self.columns(simd, first, &plan.strips[strip], parts, chunk),
                }
            }
            self.barrier.wait();
        }
    }
}
