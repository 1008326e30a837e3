//! One pass: rotations on a few bits of some registers, forward and back.

use super::plan::{Pass, Plan};
use crate::simulator::Real;
use crate::simulator::lanes::Lanes;

/// Most amplitudes that a pass holds in registers, in units of registers.
pub(super) const HELD: usize = 8;
/// Most bits within a register.
pub(super) const LANE_BITS: usize = 4;
/// Most bits of a pass.
pub(super) const PASS_BITS: usize = 3;
/// Most passes in a block, of 2¹² numbers, two bits each; or in a strip.
pub(super) const MOST: usize = 6;
/// What a pass needs to know of the layer, and of the part of the vectors that it goes over.
#[derive(Clone, Copy)]
pub(super) struct Layer<'a, S: Lanes<T>, T: Real> {
    simd: S,
    /// Rotations on the bits within a register: tangents with the sign of each lane.
    lanes: [S::V; LANE_BITS],
    /// The code of each register's signs.
    codes: *const u8,
    /// The plan, whose codes these are.
    pub(super) plan: &'a Plan<T>,
    signs: *const T,
    scale: Option<S::V>,
}

impl<'a, S: Lanes<T>, T: Real> Layer<'a, S, T> {
    /// The rotations of a layer, whose tangents these are, by bit.
    #[inline(always)]
    pub(super) fn new(simd: S, plan: &'a Plan<T>, layer: usize, tangent: &[T], scale: f64) -> Self {
        let mut lanes = [simd.splat(T::default()); LANE_BITS];
        for (bit, lane) in lanes.iter_mut().enumerate().take(S::LOG) {
            *lane = signed(simd, plan, bit, simd.splat(tangent[bit]));
        }
        let scale = if scale == 1.0 { None } else { Some(simd.splat(T::of(scale))) };
        Self { simd, lanes, codes: plan.codes[layer % 2].as_ptr(), plan, signs: plan.signs.as_ptr(), scale }
    }

    /// The same for a part that starts at this register.
    #[inline(always)]
    pub(super) fn starting_at(self, register: usize) -> Self {
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

/// A register with the sign of lanes changed where this bit of their number is 0.
#[inline(always)]
pub(super) fn signed<S: Lanes<T>, T: Real>(simd: S, plan: &Plan<T>, bit: usize, v: S::V) -> S::V {
    let signs = &plan.lane_signs[bit << S::LOG..(bit + 1) << S::LOG];
    // SAFETY: as many signs as a register has lanes.
    simd.xor(v, unsafe { simd.load(signs.as_ptr()) })
}

/// Tangents of the bits of a pass.
#[inline(always)]
pub(super) fn tangents<S: Lanes<T>, T: Real, const R: usize>(
    simd: S,
    pass: Pass,
    tangent: &[T],
) -> [S::V; R] {
    let mut t = [simd.splat(T::default()); R];
    for (k, t) in t.iter_mut().enumerate() {
        *t = simd.splat(tangent[pass.low + k]);
    }
    t
}

/// The first register of group `group` of registers that differ in `1 << count` ways at `low`.
#[inline(always)]
pub(super) fn first(group: usize, low: usize, count: usize) -> usize {
    let below = group & ((1 << low) - 1);
    ((group - below) << count) | below
}

/// Rotations on the bits of a pass, on the bits within registers if `LANES`.
#[inline(always)]
pub(super) unsafe fn rotate<S: Lanes<T>, T: Real, const R: usize, const LANES: bool, const GATES: bool>(
    layer: &Layer<'_, S, T>,
    tangent: &[S::V; R],
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
pub(super) unsafe fn undo<S: Lanes<T>, T: Real, const R: usize, const LANES: bool, const GATES: bool>(
    layer: &Layer<'_, S, T>,
    tangent: &[S::V; R],
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
pub(super) use by_count;
