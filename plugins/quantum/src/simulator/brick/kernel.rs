//! The sweeps over the amplitudes, forward through a circuit and back.

use super::plan::{Pass, Plan};
use crate::simulator::Real;
use crate::simulator::lanes::{Kernel, Lanes};
use crate::simulator::team::{Barrier, share};

/// Most amplitudes that a pass holds in registers, in units of registers.
const HELD: usize = 8;
/// Most bits within a register.
const LANE_BITS: usize = 4;
/// Most bits of a pass.
const PASS_BITS: usize = 3;
/// Most passes in a block: 2¹² numbers, two bits each.
const INNER: usize = 6;

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

/// What a pass needs to know of the layer, and of the part of the vectors that it goes over.
#[derive(Clone, Copy)]
struct Layer<'a, S: Lanes<T>, T: Real> {
    simd: S,
    /// Rotations on the bits within a register: tangents with the sign of each lane.
    lanes: [S::V; LANE_BITS],
    /// The code of each register's signs.
    codes: *const u8,
    /// The plan, whose codes these are.
    plan: &'a Plan<T>,
    signs: *const T,
    scale: Option<S::V>,
}

impl<'a, S: Lanes<T>, T: Real> Layer<'a, S, T> {
    #[inline(always)]
    fn new(simd: S, plan: &'a Plan<T>, layer: usize, tangent: &[T], scale: f64) -> Self {
        let mut lanes = [simd.splat(T::default()); LANE_BITS];
        for (bit, lane) in lanes.iter_mut().enumerate().take(S::LOG.min(plan.qubits)) {
            // -t where the bit is 0, t where it is 1.
            let mut signed = [T::default(); 16];
            for (at, value) in signed.iter_mut().enumerate() {
                *value = if (at >> bit) & 1 == 1 { tangent[bit] } else { -tangent[bit] };
            }
            // SAFETY: no register has more than 16 lanes.
            *lane = unsafe { simd.load(signed.as_ptr()) };
        }
        let scale = (scale != 1.0).then(|| simd.splat(T::of(scale)));
        Self { simd, lanes, codes: plan.codes[layer % 2].as_ptr(), plan, signs: plan.signs.as_ptr(), scale }
    }

    /// The same for a part that starts at this register.
    #[inline(always)]
    fn starting_at(self, register: usize) -> Self {
        Self { codes: self.codes.wrapping_add(register), ..self }
    }

    /// The controlled-Z gates on a register, and the factor that was put off.
    #[inline(always)]
    unsafe fn gates(&self, register: usize, v: S::V) -> S::V {
        // SAFETY: the caller's register is one of the plan's, which have codes, which are those of patterns.
        let v = unsafe {
            let code = *self.codes.add(register) as usize;
            self.simd.xor(v, self.simd.load(self.signs.add(code << S::LOG)))
        };
        match self.scale {
            Some(scale) => self.simd.mul(v, scale),
            None => v,
        }
    }
}

/// Tangents of the bits of a pass; zero for bits beyond the qubits.
#[inline(always)]
fn tangents<S: Lanes<T>, T: Real>(simd: S, plan: &Plan<T>, pass: Pass, tangent: &[T]) -> [S::V; PASS_BITS] {
    std::array::from_fn(|k| {
        let bit = pass.low + k;
        simd.splat(if k < pass.count && bit < plan.qubits { tangent[bit] } else { T::default() })
    })
}

/// Those of all passes in a block.
#[inline(always)]
fn inner_tangents<S: Lanes<T>, T: Real>(
    simd: S,
    plan: &Plan<T>,
    tangent: &[T],
) -> [[S::V; PASS_BITS]; INNER] {
    let mut all = [[simd.splat(T::default()); PASS_BITS]; INNER];
    for (t, &pass) in all.iter_mut().zip(&plan.inner) {
        *t = tangents(simd, plan, pass, tangent);
    }
    all
}

/// The first register of group `group` of registers that differ in `1 << count` ways at `low`.
#[inline(always)]
fn first(group: usize, low: usize, count: usize) -> usize {
    let below = group & ((1 << low) - 1);
    ((group - below) << count) | below
}

/// Rotations on the bits of a pass, on the bits within registers if `LANES`.
#[inline(always)]
unsafe fn rotate<S: Lanes<T>, T: Real, const R: usize, const LANES: bool, const GATES: bool>(
    layer: &Layer<'_, S, T>,
    tangent: &[S::V; PASS_BITS],
    psi: *mut T,
    register: usize,
    stride: usize,
) {
    let simd = layer.simd;
    let mut v = [simd.splat(T::default()); HELD];
    // SAFETY: the caller's registers are within the amplitudes.
    for (i, v) in v.iter_mut().enumerate().take(1 << R) {
        *v = unsafe { simd.load(psi.add((register + i * stride) << S::LOG)) };
    }
    for k in 0..R {
        for i in 0..1 << R {
            if (i >> k) & 1 == 0 {
                let (a, b) = (v[i], v[i | 1 << k]);
                v[i] = simd.fnma(tangent[k], b, a);
                v[i | 1 << k] = simd.fma(tangent[k], a, b);
            }
        }
    }
    for (i, v) in v.iter_mut().enumerate().take(1 << R) {
        if LANES {
            macro_rules! lane {
                ($k:literal) => {
                    if $k < S::LOG {
                        *v = simd.fma(layer.lanes[$k], simd.swap::<$k>(*v), *v);
                    }
                };
            }
            lane!(0);
            lane!(1);
            lane!(2);
            lane!(3);
        }
        if GATES {
            *v = unsafe { layer.gates(register + i * stride, *v) };
        }
        unsafe { simd.store(psi.add((register + i * stride) << S::LOG), *v) };
    }
}

/// Undoes what [`rotate`] does, on both vectors. Before each rotation is undone, `Σ λ₁ψ₀ - λ₀ψ₁` is added to `sums`.
#[inline(always)]
unsafe fn undo<S: Lanes<T>, T: Real, const R: usize, const LANES: bool, const GATES: bool>(
    layer: &Layer<'_, S, T>,
    tangent: &[S::V; PASS_BITS],
    (psi, lambda): (*mut T, *mut T),
    register: usize,
    stride: usize,
    sums: &mut [S::V; PASS_BITS],
    lane_sums: &mut [S::V; LANE_BITS],
) {
    let simd = layer.simd;
    let zero = simd.splat(T::default());
    let (mut v, mut w) = ([zero; HELD], [zero; HELD]);
    for i in 0..1 << R {
        let at = register + i * stride;
        // SAFETY: the caller's registers are within the amplitudes.
        let (mut a, mut b) =
            unsafe { (simd.load(psi.add(at << S::LOG)), simd.load(lambda.add(at << S::LOG))) };
        if GATES {
            (a, b) = unsafe { (layer.gates(at, a), layer.gates(at, b)) };
        }
        if LANES {
            macro_rules! lane {
                ($k:literal) => {
                    if $k < S::LOG {
                        let turned = simd.swap::<$k>(a);
                        lane_sums[$k] = simd.fma(b, turned, lane_sums[$k]);
                        a = simd.fnma(layer.lanes[$k], turned, a);
                        b = simd.fnma(layer.lanes[$k], simd.swap::<$k>(b), b);
                    }
                };
            }
            lane!(0);
            lane!(1);
            lane!(2);
            lane!(3);
        }
        (v[i], w[i]) = (a, b);
    }
    for k in 0..R {
        for i in 0..1 << R {
            if (i >> k) & 1 == 0 {
                let j = i | 1 << k;
                let (a, b, c, d) = (v[i], v[j], w[i], w[j]);
                sums[k] = simd.fma(d, a, sums[k]);
                sums[k] = simd.fnma(c, b, sums[k]);
                (v[i], v[j]) = (simd.fma(tangent[k], b, a), simd.fnma(tangent[k], a, b));
                (w[i], w[j]) = (simd.fma(tangent[k], d, c), simd.fnma(tangent[k], c, d));
            }
        }
    }
    for i in 0..1 << R {
        let at = (register + i * stride) << S::LOG;
        // SAFETY: as above.
        unsafe {
            simd.store(psi.add(at), v[i]);
            simd.store(lambda.add(at), w[i]);
        }
    }
}

/// Runs `$body` with `$R` set to the number of bits of the pass.
macro_rules! by_count {
    ($count:expr, $R:ident => $body:expr) => {
        match $count {
            1 => {
                const $R: usize = 1;
                $body
            }
            2 => {
                const $R: usize = 2;
                $body
            }
            _ => {
                const $R: usize = 3;
                $body
            }
        }
    };
}

/// The first register of a group of a pass over everything, and the distance of its registers.
#[inline(always)]
fn far<S: Lanes<T>, T: Real>(plan: &Plan<T>, pass: Pass, group: usize) -> (usize, usize) {
    let low = pass.low - S::LOG;
    let place = |register: usize| plan.place(register << S::LOG) >> S::LOG;
    (place(first(group, low, pass.count)), place(1 << low))
}

/// Passes over a part of a block, from the highest bits on.
///
/// # Safety
/// `psi` holds `registers` registers, which the passes stay within.
#[inline(always)]
unsafe fn rotate_part<S: Lanes<T>, T: Real>(
    layer: &Layer<'_, S, T>,
    tangents: &[[S::V; PASS_BITS]; INNER],
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
            for &pass in plan.outer.iter().rev() {
                let t = tangents(simd, plan, pass, tangent);
                let groups = (1 << (plan.bits - S::LOG - pass.count)) / plan.chunks();
                by_count!(pass.count, R => for group in chunks.start * groups..chunks.end * groups {
                    let (register, distance) = far::<S, T>(plan, pass, group);
                    // SAFETY: groups of different chunks have no register in common, and all are within the vector.
                    unsafe { rotate::<S, T, R, false, false>(&here, &t, self.psi, register, distance) };
                });
                self.barrier.wait();
            }
            let t = inner_tangents(simd, plan, tangent);
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
            if !plan.outer.is_empty() {
                self.barrier.wait();
            }
        }
    }
}

/// Sums of the passes in a block, and of the bits within a register.
struct Sums<V> {
    passes: [[V; PASS_BITS]; INNER],
    lanes: [V; LANE_BITS],
}

/// Undoes passes over a part of a block, from the lowest bits on.
///
/// # Safety
/// Both vectors hold `registers` registers, which the passes stay within.
#[inline(always)]
unsafe fn undo_part<S: Lanes<T>, T: Real>(
    layer: &Layer<'_, S, T>,
    tangents: &[[S::V; PASS_BITS]; INNER],
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
            let t = inner_tangents(simd, plan, tangent);
            for chunk in chunks.clone() {
                let mut sums = Sums { passes: [[zero; PASS_BITS]; INNER], lanes: [zero; LANE_BITS] };
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
            for &pass in &plan.outer {
                self.barrier.wait();
                let t = tangents(simd, plan, pass, tangent);
                let groups = (1 << (plan.bits - S::LOG - pass.count)) / plan.chunks();
                for chunk in chunks.clone() {
                    let (mut sums, mut unused) = ([zero; PASS_BITS], [zero; LANE_BITS]);
                    by_count!(pass.count, R => for group in chunk * groups..(chunk + 1) * groups {
                        let (register, distance) = far::<S, T>(plan, pass, group);
                        // SAFETY: groups of different chunks have no register in common.
                        unsafe {
                            undo::<S, T, R, false, false>(
                                &here, &t, both, register, distance, &mut sums, &mut unused,
                            );
                        }
                    });
                    for (k, &sum) in sums.iter().enumerate().take(pass.count) {
                        // SAFETY: the chunk is this thread's.
                        unsafe { self.keep(simd, chunk, layer, pass.low + k, sum) };
                    }
                }
            }
            if !plan.outer.is_empty() {
                self.barrier.wait();
            }
        }
    }
}
