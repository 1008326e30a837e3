//! Steps on a few bits of a tile at once.
//!
//! A gate by itself loads and stores every register of a tile for a few products with it, and a controlled X for none.
//! Registers whose indices differ in a few bits take all steps on these bits and on those within a register between one
//! load and one store. Flips then cost little: they change which index a register stands for, and so where it is stored.
//! Diagonal gates are kept back, to become one product for each register at the end, or before a step that mixes
//! amplitudes they tell apart.

use super::Complex;
use super::gate::Matrix;
use super::kernel::{Act, LANES, Registers, Target, is_flip, lanes};
use crate::simulator::lanes::Lanes;

/// Bits of a group in which registers differ.
const BITS: usize = 3;
/// Registers that are held at once.
const SIZE: usize = 1 << BITS;
/// Amplitudes in a register, at most.
const WIDTH: usize = LANES / 2;

/// A complex number for each amplitude that is held.
type Held = [[Complex; WIDTH]; SIZE];

/// Complex numbers to multiply amplitudes by, as the kernels of single gates have them.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Factors([[[f64; LANES]; 2]; SIZE]);

impl Factors {
    fn new(numbers: &Held) -> Self {
        Self(numbers.map(|row| lanes(|at| row[at])))
    }

    /// Adds the products of those of register `at` and a register to another one.
    #[inline(always)]
    fn add<S: Lanes<f64>>(&self, simd: S, at: usize, v: S::V, to: S::V) -> S::V {
        let [re, im] = &self.0[at];
        // SAFETY: no register has more lanes.
        let (re, im) = unsafe { (simd.load(re.as_ptr()), simd.load(im.as_ptr())) };
        simd.fma(im, simd.swap::<0>(v), simd.fma(re, v, to))
    }
}

/// Amplitudes that a step mixes: those in two registers, or two in each.
#[derive(Clone, Copy, Debug)]
enum Pairs {
    /// Registers `k` and `k XOR mask`.
    Apart(usize),
    /// Those of a register whose places differ in a bit.
    Within(usize),
}

/// What is done to the registers.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// To each register so many times the other one.
    Rotate { mask: usize, slopes: [f64; SIZE] },
    /// To each amplitude so many times the other one of the same register.
    Lean { bit: usize, slopes: [f64; LANES] },
    /// The amplitudes of these registers, a mask, change places with each other.
    Turn { bit: usize, registers: usize },
    /// Multiples of all, by their place among the factors, and of the other ones, by the next place.
    Mix { pairs: Pairs, factors: usize },
    /// Multiples of all.
    Scale { factors: usize },
}

/// Steps that wait to be done together.
///
/// Its index of an amplitude has the bits within a register lowest, and then those in which registers differ.
#[derive(Debug)]
pub(super) struct Group {
    /// Bits within a register.
    within: usize,
    /// The bits of the tile's index.
    all: usize,
    /// The places in a tile's index of those in which registers differ.
    places: Vec<usize>,
    moves: Vec<Move>,
    factors: Vec<Factors>,
    /// Which index a register stands for, after all flips.
    roles: [usize; SIZE],
    /// What diagonal gates multiply amplitudes by that has not become a move.
    kept: Held,
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
            kept: [[Complex::ONE; WIDTH]; SIZE],
        }
    }

    /// Takes a gate, which is `parts`, an orthogonal and then a diagonal matrix, where there are such. Returns whether it
    /// could.
    pub(super) fn take(&mut self, act: &Act<'_>, parts: Option<&(Matrix, Matrix)>) -> bool {
        let target = match act.target {
            Target::Bit(bit) => 1 << bit,
            Target::Value(_) => 0,
        };
        if !self.holds(target | act.controls) {
            return false;
        }
        let (bit, controls) = (self.own(target), self.own(act.controls));
        match act.target {
            Target::Value(v) => self.keep([act.matrix[v][v]; 2], 0, controls),
            Target::Bit(_) if act.diagonal => self.keep([act.matrix[0][0], act.matrix[1][1]], bit, controls),
            Target::Bit(_) if is_flip(act.matrix) && self.moves_registers(controls) => {
                self.flip(bit, controls)
            }
            Target::Bit(_) => {
                let pairs = self.pairs(bit);
                if self.tells_apart(pairs) {
                    self.settle();
                }
                match parts {
                    _ if controls != 0 => self.mix(bit, controls, pairs, act.matrix),
                    Some((real, diagonal)) => {
                        self.rotate(bit, pairs, real);
                        self.keep([diagonal[0][0], diagonal[1][1]], bit, 0);
                    }
                    None if act.real => self.rotate(bit, pairs, act.matrix),
                    None => self.mix(bit, 0, pairs, act.matrix),
                }
            }
        }
        true
    }

    /// Makes these bits of the tile's index some of the group's, if it can.
    fn holds(&mut self, bits: usize) -> bool {
        let inner = (1 << self.within) - 1;
        let new = self.places.iter().fold(bits & !inner, |bits, place| bits & !(1 << place));
        let fits = self.all >= self.within + BITS && self.places.len() + new.count_ones() as usize <= BITS;
        if fits {
            self.places.extend((0..self.all).filter(|place| new >> place & 1 == 1));
        }
        fits
    }

    /// Bits of the tile's index, which the group holds, as bits of its own.
    fn own(&self, bits: usize) -> usize {
        let outer =
            self.places.iter().enumerate().map(|(at, place)| (bits >> place & 1) << (self.within + at));
        bits & ((1 << self.within) - 1) | outer.sum::<usize>()
    }

    /// The index that an amplitude stands for.
    fn index(&self, register: usize, lane: usize) -> usize {
        self.roles[register] << self.within | lane & ((1 << self.within) - 1)
    }

    /// A number for each amplitude, by its index.
    fn each(&self, number: impl Fn(usize) -> Complex) -> Held {
        std::array::from_fn(|at| std::array::from_fn(|lane| number(self.index(at, lane))))
    }

    /// Whether a flip with these controls moves whole registers in a linear way.
    fn moves_registers(&self, controls: usize) -> bool {
        controls & ((1 << self.within) - 1) == 0 && controls.count_ones() <= 1
    }

    /// Where amplitudes are whose indices differ in a bit.
    fn pairs(&self, bit: usize) -> Pairs {
        let outer = bit >> self.within;
        if outer == 0 {
            return Pairs::Within(bit.trailing_zeros() as usize);
        }
        // Flips are linear, so registers are as far apart everywhere as here.
        let other = self.roles[0] ^ outer;
        Pairs::Apart(self.roles.iter().position(|role| *role == other).unwrap_or(0))
    }

    /// Whether what is kept differs in a pair.
    fn tells_apart(&self, pairs: Pairs) -> bool {
        let other = |at: usize, lane: usize| match pairs {
            Pairs::Apart(mask) => self.kept[at ^ mask][lane],
            Pairs::Within(bit) => self.kept[at][lane ^ 1 << bit],
        };
        (0..SIZE).any(|at| (0..WIDTH).any(|lane| self.kept[at][lane] != other(at, lane)))
    }

    /// Keeps factors for both values of a bit where the controls are 1.
    fn keep(&mut self, values: [Complex; 2], bit: usize, controls: usize) {
        for at in 0..SIZE {
            for lane in 0..WIDTH {
                let index = self.index(at, lane);
                if index & controls == controls {
                    self.kept[at][lane] = self.kept[at][lane] * values[usize::from(index & bit != 0)];
                }
            }
        }
    }

    fn flip(&mut self, bit: usize, controls: usize) {
        let (outer, controls) = (bit >> self.within, controls >> self.within);
        let mut registers = 0;
        for (at, role) in self.roles.iter_mut().enumerate() {
            if *role & controls == controls {
                *role ^= outer;
                registers |= 1 << at;
            }
        }
        if outer == 0 {
            for (_, row) in self.kept.iter_mut().enumerate().filter(|(at, _)| registers >> at & 1 == 1) {
                *row = std::array::from_fn(|lane| row[lane ^ bit]);
            }
            self.moves.push(Move::Turn { bit: bit.trailing_zeros() as usize, registers });
        }
    }

    /// An orthogonal matrix: the larger of a row's entries is put off as a factor, which leaves one product for each side.
    fn rotate(&mut self, bit: usize, pairs: Pairs, m: &Matrix) {
        let [[a, b], [c, d]] = m.map(|row| row.map(|entry| entry.re));
        let (factors, slopes) = if a.abs() < b.abs() {
            // The sides change places.
            self.flip(bit, 0);
            ([b, c], [a / b, d / c])
        } else {
            ([a, d], [b / a, c / d])
        };
        let slope = |index: usize| slopes[usize::from(index & bit != 0)];
        self.moves.push(match pairs {
            Pairs::Apart(mask) => {
                Move::Rotate { mask, slopes: std::array::from_fn(|at| slope(self.index(at, 0))) }
            }
            Pairs::Within(bit) => {
                Move::Lean { bit, slopes: std::array::from_fn(|lane| slope(self.index(0, lane / 2))) }
            }
        });
        self.keep(factors.map(|factor| Complex::new(factor, 0.0)), bit, 0);
    }

    fn mix(&mut self, bit: usize, controls: usize, pairs: Pairs, m: &Matrix) {
        let row = |index: usize| usize::from(index & bit != 0);
        let acts = |index: usize| index & controls == controls;
        let own = self.each(|at| if acts(at) { m[row(at)][row(at)] } else { Complex::ONE });
        let other = self.each(|at| if acts(at) { m[row(at)][1 - row(at)] } else { Complex::ZERO });
        self.moves.push(Move::Mix { pairs, factors: self.factors.len() });
        self.factors.extend([Factors::new(&own), Factors::new(&other)]);
    }

    /// Makes a move of what is kept.
    fn settle(&mut self) {
        if self.kept.iter().flatten().any(|factor| *factor != Complex::ONE) {
            self.moves.push(Move::Scale { factors: self.factors.len() });
            self.factors.push(Factors::new(&self.kept));
            self.kept = [[Complex::ONE; WIDTH]; SIZE];
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
            // A pass takes this many bits, also where steps need fewer.
            let unused = (self.within..self.all).rev().filter(|place| !self.places.contains(place));
            let unused: Vec<usize> = unused.take(BITS - self.places.len()).collect();
            self.places.extend(unused);
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
        let free = ((1 << (self.all - self.within)) - 1) & !(from[SIZE - 1] >> S::LOG);
        let registers = Registers { free, fixed: 0 };
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
                self.step(simd, step, &mut v);
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

    #[inline(always)]
    fn step<S: Lanes<f64>>(&self, simd: S, step: &Move, v: &mut [S::V; SIZE]) {
        match *step {
            Move::Rotate { mask, ref slopes } => match mask {
                1 => rotate::<S, 1>(simd, v, slopes),
                2 => rotate::<S, 2>(simd, v, slopes),
                3 => rotate::<S, 3>(simd, v, slopes),
                4 => rotate::<S, 4>(simd, v, slopes),
                5 => rotate::<S, 5>(simd, v, slopes),
                6 => rotate::<S, 6>(simd, v, slopes),
                _ => rotate::<S, 7>(simd, v, slopes),
            },
            Move::Lean { bit: 0, ref slopes } => lean::<S, 1>(simd, v, slopes),
            Move::Lean { ref slopes, .. } => lean::<S, 2>(simd, v, slopes),
            Move::Turn { bit: 0, registers } => turn::<S, 1>(simd, v, registers),
            Move::Turn { registers, .. } => turn::<S, 2>(simd, v, registers),
            Move::Mix { pairs, factors } => {
                let factors = &self.factors[factors..];
                match pairs {
                    Pairs::Apart(1) => mix::<S, 1>(simd, v, factors),
                    Pairs::Apart(2) => mix::<S, 2>(simd, v, factors),
                    Pairs::Apart(3) => mix::<S, 3>(simd, v, factors),
                    Pairs::Apart(4) => mix::<S, 4>(simd, v, factors),
                    Pairs::Apart(5) => mix::<S, 5>(simd, v, factors),
                    Pairs::Apart(6) => mix::<S, 6>(simd, v, factors),
                    Pairs::Apart(_) => mix::<S, 7>(simd, v, factors),
                    Pairs::Within(0) => mix_within::<S, 1>(simd, v, factors),
                    Pairs::Within(_) => mix_within::<S, 2>(simd, v, factors),
                }
            }
            Move::Scale { factors } => scale(simd, v, &self.factors[factors]),
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
fn lean<S: Lanes<f64>, const LANE: usize>(simd: S, v: &mut [S::V; SIZE], slopes: &[f64; LANES]) {
    // SAFETY: no register has more lanes.
    let slopes = unsafe { simd.load(slopes.as_ptr()) };
    for v in v {
        *v = simd.fma(slopes, simd.swap::<LANE>(*v), *v);
    }
}

#[inline(always)]
fn turn<S: Lanes<f64>, const LANE: usize>(simd: S, v: &mut [S::V; SIZE], registers: usize) {
    for (at, v) in v.iter_mut().enumerate() {
        if registers >> at & 1 == 1 {
            *v = simd.swap::<LANE>(*v);
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
fn mix_within<S: Lanes<f64>, const LANE: usize>(simd: S, v: &mut [S::V; SIZE], factors: &[Factors]) {
    let (own, others) = (&factors[0], &factors[1]);
    let zero = simd.splat(0.0);
    for (at, v) in v.iter_mut().enumerate() {
        *v = others.add(simd, at, simd.swap::<LANE>(*v), own.add(simd, at, *v, zero));
    }
}

#[inline(always)]
fn scale<S: Lanes<f64>>(simd: S, v: &mut [S::V; SIZE], factors: &Factors) {
    let zero = simd.splat(0.0);
    for (at, v) in v.iter_mut().enumerate() {
        *v = factors.add(simd, at, *v, zero);
    }
}
