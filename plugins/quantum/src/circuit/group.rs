//! Steps on a few bits of a tile at once.
//!
//! A gate by itself loads and stores every register of a tile for a few products with it, and a controlled X for none.
//! Registers whose indices differ in a few bits take all steps on these bits between one load and one store. Flips
//! then cost nothing: they change which index a register stands for, and so where it is stored. Diagonal gates are kept
//! back, to become one product for each register at the end, or before a step that mixes amplitudes they tell apart.

use super::Complex;
use super::gate::Matrix;
use super::kernel::{Act, LANES, Registers, Target, is_flip};
use crate::simulator::lanes::Lanes;

/// Bits of a group.
const BITS: usize = 3;
/// Registers that are held at once.
const SIZE: usize = 1 << BITS;

/// For each register a complex number to multiply it by: real parts in all lanes, and imaginary parts with the signs that
/// they take with exchanged parts.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Factors([[[f64; LANES]; 2]; SIZE]);

impl Factors {
    fn new(numbers: &[Complex; SIZE]) -> Self {
        let signed = |z: Complex| std::array::from_fn(|lane| if lane % 2 == 1 { z.im } else { -z.im });
        Self(numbers.map(|z| [[z.re; LANES], signed(z)]))
    }

    /// Adds the product of number `at` and a register to another one.
    #[inline(always)]
    fn add<S: Lanes<f64>>(&self, simd: S, at: usize, v: S::V, to: S::V) -> S::V {
        let [re, im] = &self.0[at];
        // SAFETY: no register has more lanes.
        let (re, im) = unsafe { (simd.load(re.as_ptr()), simd.load(im.as_ptr())) };
        simd.fma(im, simd.swap::<0>(v), simd.fma(re, v, to))
    }
}

/// What is done to the registers. Register `k` and register `k XOR mask` are a pair.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// To each so many times the other one.
    Rotate { mask: usize, slopes: [f64; SIZE] },
    /// A multiple of each, by the place of the multipliers in the list, and one of the other, by the next place.
    Mix { mask: usize, factors: usize },
    /// A multiple of each.
    Scale { factors: usize },
}

/// Steps that wait to be done together.
#[derive(Debug)]
pub(super) struct Group {
    /// Bits within a register, which none of the group's can be.
    within: usize,
    /// The bits of the tile's index.
    all: usize,
    /// Those the group acts on: their places in a tile's index.
    places: Vec<usize>,
    moves: Vec<Move>,
    factors: Vec<Factors>,
    /// Which index a register stands for, after all flips.
    roles: [usize; SIZE],
    /// What diagonal gates multiply each register by that has not become a move.
    kept: [Complex; SIZE],
}

impl Group {
    /// None yet, in tiles of `2^bits` amplitudes.
    pub(super) fn new<S: Lanes<f64>>(bits: usize) -> Self {
        Self {
            within: S::LOG - 1,
            all: bits,
            places: Vec::with_capacity(BITS),
            moves: Vec::new(),
            factors: Vec::new(),
            roles: std::array::from_fn(|at| at),
            kept: [Complex::ONE; SIZE],
        }
    }

    /// Takes a gate, which is `parts`, an orthogonal and then a diagonal matrix, where there are such. Returns whether it
    /// could.
    pub(super) fn take(&mut self, act: &Act<'_>, parts: Option<&(Matrix, Matrix)>) -> bool {
        let flip = !act.diagonal && is_flip(act.matrix);
        let target = match act.target {
            Target::Bit(bit) => 1 << bit,
            Target::Value(_) => 0,
        };
        if !self.holds(target | act.controls) || (act.controls.count_ones() > u32::from(flip) && !act.diagonal) {
            return false;
        }
        let (bit, controls) = (self.own(target), self.own(act.controls));
        match act.target {
            Target::Value(v) => self.keep([act.matrix[v][v]; 2], 0, controls),
            Target::Bit(_) if act.diagonal => self.keep([act.matrix[0][0], act.matrix[1][1]], bit, controls),
            Target::Bit(_) if flip => self.flip(bit, controls),
            Target::Bit(_) => {
                let mask = self.pairs(bit);
                if (0..SIZE).any(|at| self.kept[at] != self.kept[at ^ mask]) {
                    self.settle();
                }
                match parts {
                    Some((real, diagonal)) => {
                        self.rotate(bit, mask, real);
                        self.keep([diagonal[0][0], diagonal[1][1]], bit, 0);
                    }
                    None if act.real => self.rotate(bit, mask, act.matrix),
                    None => self.mix(bit, mask, act.matrix),
                }
            }
        }
        true
    }

    /// Makes these bits of the tile's index some of the group's, if it can.
    fn holds(&mut self, bits: usize) -> bool {
        let new = self.places.iter().fold(bits, |bits, place| bits & !(1 << place));
        let fits = bits & ((1 << self.within) - 1) == 0
            && self.all >= self.within + BITS
            && self.places.len() + new.count_ones() as usize <= BITS;
        if fits {
            self.places.extend((0..self.all).filter(|place| new >> place & 1 == 1));
        }
        fits
    }

    /// Bits of the tile's index that the group holds, as bits of the group.
    fn own(&self, bits: usize) -> usize {
        self.places.iter().enumerate().map(|(at, place)| (bits >> place & 1) << at).sum()
    }

    /// How far apart registers are whose indices differ in a bit.
    fn pairs(&self, bit: usize) -> usize {
        // Flips are linear, so it is the same for all.
        let other = self.roles[0] ^ bit;
        self.roles.iter().position(|role| *role == other).unwrap_or(0)
    }

    /// Keeps factors for both values of a bit where the controls are 1.
    fn keep(&mut self, values: [Complex; 2], bit: usize, controls: usize) {
        for (kept, role) in self.kept.iter_mut().zip(self.roles) {
            if role & controls == controls {
                *kept = *kept * values[usize::from(role & bit != 0)];
            }
        }
    }

    fn flip(&mut self, bit: usize, controls: usize) {
        for role in &mut self.roles {
            if *role & controls == controls {
                *role ^= bit;
            }
        }
    }

    /// An orthogonal matrix: the larger of a row's entries is put off as a factor, which leaves one product for each side.
    fn rotate(&mut self, bit: usize, mask: usize, m: &Matrix) {
        let [[a, b], [c, d]] = m.map(|row| row.map(|entry| entry.re));
        let (factors, slopes) = if a.abs() < b.abs() {
            // The sides change places.
            self.flip(bit, 0);
            ([b, c], [a / b, d / c])
        } else {
            ([a, d], [b / a, c / d])
        };
        let slopes = self.roles.map(|role| slopes[usize::from(role & bit != 0)]);
        self.moves.push(Move::Rotate { mask, slopes });
        self.keep(factors.map(|factor| Complex::new(factor, 0.0)), bit, 0);
    }

    fn mix(&mut self, bit: usize, mask: usize, m: &Matrix) {
        let row = |role: usize| usize::from(role & bit != 0);
        self.moves.push(Move::Mix { mask, factors: self.factors.len() });
        self.factors.push(Factors::new(&self.roles.map(|role| m[row(role)][row(role)])));
        self.factors.push(Factors::new(&self.roles.map(|role| m[row(role)][1 - row(role)])));
    }

    /// Makes a move of what is kept.
    fn settle(&mut self) {
        if self.kept != [Complex::ONE; SIZE] {
            self.moves.push(Move::Scale { factors: self.factors.len() });
            self.factors.push(Factors::new(&self.kept));
            self.kept = [Complex::ONE; SIZE];
        }
    }

    /// Does what has been taken to a tile, and is empty then.
    ///
    /// # Safety
    /// `x` holds the tile.
    #[inline(always)]
    pub(super) unsafe fn apply<S: Lanes<f64>>(&mut self, simd: S, x: *mut f64) {
        self.settle();
        if !self.places.is_empty() || !self.moves.is_empty() {
            let mut spare = (self.within..self.all).rev();
            while self.places.len() < BITS {
                let Some(place) = spare.next() else { break };
                if !self.places.contains(&place) {
                    self.places.push(place);
                }
            }
            // SAFETY: the caller's promise.
            unsafe { self.pass(simd, x) };
        }
        self.places.clear();
        self.moves.clear();
        self.factors.clear();
        self.roles = std::array::from_fn(|at| at);
    }

    #[inline(always)]
    unsafe fn pass<S: Lanes<f64>>(&self, simd: S, x: *mut f64) {
        let mut from = [0; SIZE];
        for (at, offset) in from.iter_mut().enumerate() {
            for (bit, place) in self.places.iter().enumerate() {
                *offset |= (at >> bit & 1) << (place + 1);
            }
        }
        let mut to = [0; SIZE];
        for at in 0..SIZE {
            to[at] = from[self.roles[at]];
        }
        let registers = Registers {
            free: ((1 << (self.all - self.within)) - 1) & !(from[SIZE - 1] >> S::LOG),
            fixed: 0,
        };
        let mut at = 0;
        for _ in 0..registers.count() {
            let mut v = [simd.splat(0.0); SIZE];
            // SAFETY: places are below the tile's bits, so the registers are within it.
            unsafe {
                let x = x.add(at << S::LOG);
                for k in 0..SIZE {
                    v[k] = simd.load(x.add(from[k]));
                }
            }
            for step in &self.moves {
                match step {
                    Move::Rotate { mask: 1, slopes } => rotate::<S, 1>(simd, &mut v, slopes),
                    Move::Rotate { mask: 2, slopes } => rotate::<S, 2>(simd, &mut v, slopes),
                    Move::Rotate { mask: 3, slopes } => rotate::<S, 3>(simd, &mut v, slopes),
                    Move::Rotate { mask: 4, slopes } => rotate::<S, 4>(simd, &mut v, slopes),
                    Move::Rotate { mask: 5, slopes } => rotate::<S, 5>(simd, &mut v, slopes),
                    Move::Rotate { mask: 6, slopes } => rotate::<S, 6>(simd, &mut v, slopes),
                    Move::Rotate { slopes, .. } => rotate::<S, 7>(simd, &mut v, slopes),
                    Move::Mix { mask: 1, factors } => mix::<S, 1>(simd, &mut v, &self.factors[*factors..]),
                    Move::Mix { mask: 2, factors } => mix::<S, 2>(simd, &mut v, &self.factors[*factors..]),
                    Move::Mix { mask: 3, factors } => mix::<S, 3>(simd, &mut v, &self.factors[*factors..]),
                    Move::Mix { mask: 4, factors } => mix::<S, 4>(simd, &mut v, &self.factors[*factors..]),
                    Move::Mix { mask: 5, factors } => mix::<S, 5>(simd, &mut v, &self.factors[*factors..]),
                    Move::Mix { mask: 6, factors } => mix::<S, 6>(simd, &mut v, &self.factors[*factors..]),
                    Move::Mix { factors, .. } => mix::<S, 7>(simd, &mut v, &self.factors[*factors..]),
                    Move::Scale { factors } => scale(simd, &mut v, &self.factors[*factors]),
                }
            }
            // SAFETY: as above.
            unsafe {
                let x = x.add(at << S::LOG);
                for k in 0..SIZE {
                    simd.store(x.add(to[k]), v[k]);
                }
            }
            at = registers.next(at);
        }
    }
}

#[inline(always)]
fn rotate<S: Lanes<f64>, const MASK: usize>(simd: S, v: &mut [S::V; SIZE], slopes: &[f64; SIZE]) {
    for at in 0..SIZE {
        let other = at ^ MASK;
        if at < other {
            let (a, b) = (v[at], v[other]);
            v[at] = simd.fma(simd.splat(slopes[at]), b, a);
            v[other] = simd.fma(simd.splat(slopes[other]), a, b);
        }
    }
}

#[inline(always)]
fn mix<S: Lanes<f64>, const MASK: usize>(simd: S, v: &mut [S::V; SIZE], factors: &[Factors]) {
    let (own, others) = (&factors[0], &factors[1]);
    let zero = simd.splat(0.0);
    for at in 0..SIZE {
        let other = at ^ MASK;
        if at < other {
            let (a, b) = (v[at], v[other]);
            v[at] = others.add(simd, at, b, own.add(simd, at, a, zero));
            v[other] = others.add(simd, other, a, own.add(simd, other, b, zero));
        }
    }
}

#[inline(always)]
fn scale<S: Lanes<f64>>(simd: S, v: &mut [S::V; SIZE], factors: &Factors) {
    let zero = simd.splat(0.0);
    for at in 0..SIZE {
        v[at] = factors.add(simd, at, v[at], zero);
    }
}
