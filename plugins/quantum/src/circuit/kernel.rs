//! One gate on amplitudes that lie side by side.
//!
//! A register holds pairs of numbers, real and imaginary part. A product with a complex number is two multiply-adds, of
//! the register and of the register with the parts exchanged; so it takes as many as with the parts apart, and one
//! exchange.

use super::Complex;
use super::gate::Matrix;
use crate::simulator::lanes::Lanes;

/// The most numbers in a register.
pub(super) const LANES: usize = 8;

/// What a gate acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A bit of the index.
    Bit(usize),
    /// A qubit that has this value in all amplitudes; the gate is diagonal.
    Value(usize),
}

/// A gate in a vector of amplitudes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act<'a> {
    pub(super) matrix: &'a Matrix,
    pub(super) target: Target,
    /// The bits of the index that must be 1.
    pub(super) controls: usize,
    /// Whether the matrix is diagonal, for any angles.
    pub(super) diagonal: bool,
    /// Whether the matrix and its derivatives are real, for any angles.
    pub(super) real: bool,
}

/// A complex number in each lane, for products with registers: real parts, and imaginary parts with the signs that they
/// take with exchanged parts.
type Factor<V> = [V; 2];

/// For the numbers of a register's amplitudes, what a [`Factor`] has in its lanes.
#[inline(always)]
pub(super) fn lanes(number: impl Fn(usize) -> Complex) -> [[f64; LANES]; 2] {
    let (mut re, mut im) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let z = number(lane / 2);
        re[lane] = z.re;
        im[lane] = if lane % 2 == 1 { z.im } else { -z.im };
    }
    [re, im]
}

#[inline(always)]
fn factor<S: Lanes<f64>>(simd: S, number: impl Fn(usize) -> Complex) -> Factor<S::V> {
    let [re, im] = lanes(number);
    // SAFETY: no register has more lanes.
    unsafe { [simd.load(re.as_ptr()), simd.load(im.as_ptr())] }
}

/// A register, and the same with real and imaginary parts exchanged.
#[inline(always)]
fn both<S: Lanes<f64>>(simd: S, v: S::V) -> [S::V; 2] {
    [v, simd.swap::<0>(v)]
}

#[inline(always)]
fn times<S: Lanes<f64>, const REAL: bool>(simd: S, z: Factor<S::V>, v: [S::V; 2]) -> S::V {
    let product = simd.mul(z[0], v[0]);
    if REAL { product } else { simd.fma(z[1], v[1], product) }
}

/// `z₀ a + z₁ b`.
#[inline(always)]
fn product<S: Lanes<f64>, const REAL: bool>(
    simd: S,
    z: [Factor<S::V>; 2],
    a: [S::V; 2],
    b: [S::V; 2],
) -> S::V {
    let sum = simd.fma(z[1][0], b[0], times::<S, REAL>(simd, z[0], a));
    if REAL { sum } else { simd.fma(z[1][1], b[1], sum) }
}

/// Adds `conj(λ) ψ`: the real part, summed over both lanes, and the imaginary part, their difference.
#[inline(always)]
fn overlap<S: Lanes<f64>, const REAL: bool>(simd: S, lambda: S::V, psi: [S::V; 2], sum: &mut [S::V; 2]) {
    sum[0] = simd.fma(lambda, psi[0], sum[0]);
    if !REAL {
        sum[1] = simd.fma(lambda, psi[1], sum[1]);
    }
}

/// The registers of a vector whose indices have certain bits, in order: those of `fixed` set, any of `free`.
#[derive(Clone, Copy)]
pub(super) struct Registers {
    pub(super) free: usize,
    pub(super) fixed: usize,
}

impl Registers {
    pub(super) fn count(self) -> usize {
        1 << self.free.count_ones()
    }

    /// The free bits of the one after that with the free bits `at`.
    #[inline(always)]
    pub(super) fn next(self, at: usize) -> usize {
        at.wrapping_sub(self.free) & self.free
    }
}

/// How an act looks in registers.
#[derive(Clone, Copy)]
struct Layout {
    registers: Registers,
    /// Bits of an index within a register.
    within: usize,
    /// The controls among them.
    controls: usize,
}

impl Layout {
    #[inline(always)]
    fn new<S: Lanes<f64>>(act: &Act<'_>, bits: usize) -> Self {
        let within = S::LOG - 1;
        let fixed = act.controls >> within;
        let free = (((1 << bits) - 1) >> within) & !fixed;
        Self { registers: Registers { free, fixed }, within, controls: act.controls & ((1 << within) - 1) }
    }

    /// Whether the gate acts on amplitude `at` of a register.
    #[inline(always)]
    fn acts(&self, at: usize) -> bool {
        at & self.controls == self.controls
    }

    /// The registers in which a bit has a value.
    #[inline(always)]
    fn with(&self, bit: usize, value: usize) -> Registers {
        let bit = bit - self.within;
        Registers { free: self.registers.free & !(1 << bit), fixed: self.registers.fixed | value << bit }
    }

    /// The sum over the lanes the gate acts on whose amplitudes are on side `side` of a bit within the register; over
    /// all of them without one.
    #[inline(always)]
    fn total<S: Lanes<f64>>(&self, simd: S, sum: [S::V; 2], bit: Option<usize>, side: usize) -> Complex {
        let (mut re, mut im) = ([0.0; LANES], [0.0; LANES]);
        // SAFETY: no register has more lanes.
        unsafe {
            simd.store(re.as_mut_ptr(), sum[0]);
            simd.store(im.as_mut_ptr(), sum[1]);
        }
        let mut total = Complex::ZERO;
        for lane in (0..1 << S::LOG).step_by(2) {
            if self.acts(lane / 2) && bit.is_none_or(|bit| ((lane / 2) >> bit) & 1 == side) {
                total += Complex::new(re[lane] + re[lane + 1], im[lane] - im[lane + 1]);
            }
        }
        total
    }
}

/// Applies a gate to `2^bits` amplitudes.
///
/// # Safety
/// `x` holds so many amplitudes, a register at least, and the act's bits are below `bits`.
#[inline(always)]
pub(super) unsafe fn apply<S: Lanes<f64>>(simd: S, act: &Act<'_>, x: *mut f64, bits: usize) {
    let (layout, m) = (Layout::new::<S>(act, bits), act.matrix);
    let only = |z: Complex| move |at| if layout.acts(at) { z } else { Complex::ONE };
    // SAFETY (of all calls): the layout's registers are within the vector.
    unsafe {
        match act.target {
            Target::Value(v) => scale(simd, factor(simd, only(m[v][v])), x, layout.registers),
            Target::Bit(bit) if act.diagonal && bit >= layout.within => {
                for v in [0, 1] {
                    if m[v][v] != Complex::ONE {
                        scale(simd, factor(simd, only(m[v][v])), x, layout.with(bit, v));
                    }
                }
            }
            Target::Bit(bit) if act.diagonal => {
                let [on, _] = within(simd, &layout, m, bit);
                scale(simd, on, x, layout.registers);
            }
            Target::Bit(bit) if bit >= layout.within => {
                let zero = layout.with(bit, 0);
                let distance = 1 << (bit - layout.within);
                if layout.controls == 0 && is_flip(m) {
                    exchange(simd, x, zero, distance);
                } else if act.real {
                    pair::<S, true>(simd, across(simd, &layout, m), x, zero, distance);
                } else {
                    pair::<S, false>(simd, across(simd, &layout, m), x, zero, distance);
                }
            }
            Target::Bit(bit) => {
                let z = within(simd, &layout, m, bit);
                match (bit, act.real) {
                    (0, true) => lane::<S, 1, true>(simd, z, x, layout.registers),
                    (0, false) => lane::<S, 1, false>(simd, z, x, layout.registers),
                    (_, true) => lane::<S, 2, true>(simd, z, x, layout.registers),
                    (_, false) => lane::<S, 2, false>(simd, z, x, layout.registers),
                }
            }
        }
    }
}

/// Applies a gate's inverse, which is `act`, to two vectors. Of the first one after and the second one before it
/// returns `E_ab = Σ conj(λ_a) ψ_b`, where `a` and `b` are the values of the gate's qubit and the controls are 1.
///
/// # Safety
/// As of [`apply`].
#[inline(always)]
pub(super) unsafe fn undo<S: Lanes<f64>>(
    simd: S,
    act: &Act<'_>,
    vectors: (*mut f64, *mut f64),
    bits: usize,
) -> Matrix {
    let (layout, m) = (Layout::new::<S>(act, bits), act.matrix);
    let only = |z: Complex| move |at| if layout.acts(at) { z } else { Complex::ONE };
    let mut sums = [[Complex::ZERO; 2]; 2];
    // SAFETY (of all calls): the layout's registers are within the vectors.
    unsafe {
        match act.target {
            Target::Value(v) => {
                let sum = unscale(simd, factor(simd, only(m[v][v])), vectors, layout.registers);
                sums[v][v] = layout.total(simd, sum, None, 0);
            }
            Target::Bit(bit) if act.diagonal && bit >= layout.within => {
                for v in [0, 1] {
                    let sum = unscale(simd, factor(simd, only(m[v][v])), vectors, layout.with(bit, v));
                    sums[v][v] = layout.total(simd, sum, None, 0);
                }
            }
            Target::Bit(bit) if act.diagonal => {
                let [on, _] = within(simd, &layout, m, bit);
                let sum = unscale(simd, on, vectors, layout.registers);
                for v in [0, 1] {
                    sums[v][v] = layout.total(simd, sum, Some(bit), v);
                }
            }
            Target::Bit(bit) if bit >= layout.within => {
                let (z, zero) = (across(simd, &layout, m), layout.with(bit, 0));
                let distance = 1 << (bit - layout.within);
                let found = if act.real {
                    unpair::<S, true>(simd, z, vectors, zero, distance)
                } else {
                    unpair::<S, false>(simd, z, vectors, zero, distance)
                };
                for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    sums[a][b] = layout.total(simd, found[a][b], None, 0);
                }
            }
            Target::Bit(bit) => {
                let z = within(simd, &layout, m, bit);
                let [same, other] = match (bit, act.real) {
                    (0, true) => unlane::<S, 1, true>(simd, z, vectors, layout.registers),
                    (0, false) => unlane::<S, 1, false>(simd, z, vectors, layout.registers),
                    (_, true) => unlane::<S, 2, true>(simd, z, vectors, layout.registers),
                    (_, false) => unlane::<S, 2, false>(simd, z, vectors, layout.registers),
                };
                for a in [0, 1] {
                    sums[a][a] = layout.total(simd, same, Some(bit), a);
                    sums[a][1 - a] = layout.total(simd, other, Some(bit), a);
                }
            }
        }
    }
    sums
}

/// Whether a matrix is X: it moves amplitudes without a change.
pub(super) fn is_flip(m: &Matrix) -> bool {
    *m == [[Complex::ZERO, Complex::ONE], [Complex::ONE, Complex::ZERO]]
}

/// The entries of a matrix on a bit that registers differ in; the identity's in lanes where controls are 0.
#[inline(always)]
fn across<S: Lanes<f64>>(simd: S, layout: &Layout, m: &Matrix) -> [[Factor<S::V>; 2]; 2] {
    let identity = |a, b| if a == b { Complex::ONE } else { Complex::ZERO };
    let entry =
        |a: usize, b: usize| factor(simd, move |at| if layout.acts(at) { m[a][b] } else { identity(a, b) });
    [[entry(0, 0), entry(0, 1)], [entry(1, 0), entry(1, 1)]]
}

/// The entries of a matrix on a bit within registers, by lane: on the diagonal, and beside it.
#[inline(always)]
fn within<S: Lanes<f64>>(simd: S, layout: &Layout, m: &Matrix, bit: usize) -> [Factor<S::V>; 2] {
    let row = |at: usize| (at >> bit) & 1;
    [
        factor(simd, |at| if layout.acts(at) { m[row(at)][row(at)] } else { Complex::ONE }),
        factor(simd, |at| if layout.acts(at) { m[row(at)][1 - row(at)] } else { Complex::ZERO }),
    ]
}

#[inline(always)]
unsafe fn scale<S: Lanes<f64>>(simd: S, z: Factor<S::V>, x: *mut f64, registers: Registers) {
    let mut at = 0;
    for _ in 0..registers.count() {
        // SAFETY: the caller's registers are within the vector.
        unsafe {
            let p = x.add((at | registers.fixed) << S::LOG);
            let v = both(simd, simd.load(p));
            simd.store(p, times::<S, false>(simd, z, v));
        }
        at = registers.next(at);
    }
}

#[inline(always)]
unsafe fn exchange<S: Lanes<f64>>(simd: S, x: *mut f64, registers: Registers, distance: usize) {
    let mut at = 0;
    for _ in 0..registers.count() {
        // SAFETY: the caller's registers are within the vector, and those at the distance.
        unsafe {
            let p = x.add((at | registers.fixed) << S::LOG);
            let q = p.add(distance << S::LOG);
            let (a, b) = (simd.load(p), simd.load(q));
            simd.store(p, b);
            simd.store(q, a);
        }
        at = registers.next(at);
    }
}

#[inline(always)]
unsafe fn pair<S: Lanes<f64>, const REAL: bool>(
    simd: S,
    z: [[Factor<S::V>; 2]; 2],
    x: *mut f64,
    registers: Registers,
    distance: usize,
) {
    let mut at = 0;
    for _ in 0..registers.count() {
        // SAFETY: the caller's registers are within the vector, and those at the distance.
        unsafe {
            let p = x.add((at | registers.fixed) << S::LOG);
            let q = p.add(distance << S::LOG);
            let (a, b) = (both(simd, simd.load(p)), both(simd, simd.load(q)));
            simd.store(p, product::<S, REAL>(simd, z[0], a, b));
            simd.store(q, product::<S, REAL>(simd, z[1], a, b));
        }
        at = registers.next(at);
    }
}

#[inline(always)]
unsafe fn lane<S: Lanes<f64>, const LANE: usize, const REAL: bool>(
    simd: S,
    z: [Factor<S::V>; 2],
    x: *mut f64,
    registers: Registers,
) {
    let mut at = 0;
    for _ in 0..registers.count() {
        // SAFETY: the caller's registers are within the vector.
        unsafe {
            let p = x.add((at | registers.fixed) << S::LOG);
            let v = simd.load(p);
            let other = both(simd, simd.swap::<LANE>(v));
            simd.store(p, product::<S, REAL>(simd, z, both(simd, v), other));
        }
        at = registers.next(at);
    }
}

#[inline(always)]
unsafe fn unscale<S: Lanes<f64>>(
    simd: S,
    z: Factor<S::V>,
    (psi, lambda): (*mut f64, *mut f64),
    registers: Registers,
) -> [S::V; 2] {
    let mut sum = [simd.splat(0.0); 2];
    let mut at = 0;
    for _ in 0..registers.count() {
        // SAFETY: the caller's registers are within the vectors.
        unsafe {
            let to = (at | registers.fixed) << S::LOG;
            let (p, q) = (psi.add(to), lambda.add(to));
            let v = times::<S, false>(simd, z, both(simd, simd.load(p)));
            let w = simd.load(q);
            overlap::<S, false>(simd, w, both(simd, v), &mut sum);
            simd.store(p, v);
            simd.store(q, times::<S, false>(simd, z, both(simd, w)));
        }
        at = registers.next(at);
    }
    sum
}

#[inline(always)]
unsafe fn unpair<S: Lanes<f64>, const REAL: bool>(
    simd: S,
    z: [[Factor<S::V>; 2]; 2],
    (psi, lambda): (*mut f64, *mut f64),
    registers: Registers,
    distance: usize,
) -> [[[S::V; 2]; 2]; 2] {
    let mut sums = [[[simd.splat(0.0); 2]; 2]; 2];
    let mut at = 0;
    for _ in 0..registers.count() {
        // SAFETY: the caller's registers are within the vectors, and those at the distance.
        unsafe {
            let to = (at | registers.fixed) << S::LOG;
            let far = to + (distance << S::LOG);
            let (a, b) = (both(simd, simd.load(psi.add(to))), both(simd, simd.load(psi.add(far))));
            let (a, b) = (product::<S, REAL>(simd, z[0], a, b), product::<S, REAL>(simd, z[1], a, b));
            let (a, b) = (both(simd, a), both(simd, b));
            let (c, d) = (simd.load(lambda.add(to)), simd.load(lambda.add(far)));
            overlap::<S, REAL>(simd, c, a, &mut sums[0][0]);
            overlap::<S, REAL>(simd, c, b, &mut sums[0][1]);
            overlap::<S, REAL>(simd, d, a, &mut sums[1][0]);
            overlap::<S, REAL>(simd, d, b, &mut sums[1][1]);
            simd.store(psi.add(to), a[0]);
            simd.store(psi.add(far), b[0]);
            let (c, d) = (both(simd, c), both(simd, d));
            simd.store(lambda.add(to), product::<S, REAL>(simd, z[0], c, d));
            simd.store(lambda.add(far), product::<S, REAL>(simd, z[1], c, d));
        }
        at = registers.next(at);
    }
    sums
}

#[inline(always)]
unsafe fn unlane<S: Lanes<f64>, const LANE: usize, const REAL: bool>(
    simd: S,
    z: [Factor<S::V>; 2],
    (psi, lambda): (*mut f64, *mut f64),
    registers: Registers,
) -> [[S::V; 2]; 2] {
    let mut sums = [[simd.splat(0.0); 2]; 2];
    let mut at = 0;
    for _ in 0..registers.count() {
        // SAFETY: the caller's registers are within the vectors.
        unsafe {
            let to = (at | registers.fixed) << S::LOG;
            let (v, w) = (simd.load(psi.add(to)), simd.load(lambda.add(to)));
            let other = both(simd, simd.swap::<LANE>(v));
            let v = product::<S, REAL>(simd, z, both(simd, v), other);
            overlap::<S, REAL>(simd, w, both(simd, v), &mut sums[0]);
            overlap::<S, REAL>(simd, w, both(simd, simd.swap::<LANE>(v)), &mut sums[1]);
            simd.store(psi.add(to), v);
            let other = both(simd, simd.swap::<LANE>(w));
            simd.store(lambda.add(to), product::<S, REAL>(simd, z, both(simd, w), other));
        }
        at = registers.next(at);
    }
    sums
}
