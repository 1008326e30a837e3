//! In which order the kernels go through layers and their qubits.

use std::ops::Range;

use super::Ansatz;
use crate::simulator::lanes::width;
use crate::simulator::{Isa, Real};

/// Bytes of a vector that stay in the first-level cache together with those of another one.
const NEAR_BYTES: usize = 16 << 10;

/// Bits of an index into a block, where vectors are longer than that.
const BLOCK: usize = 9;

/// Bits that a strip takes at most: as many registers of both vectors, two of each block at a time, fill half of the
/// first-level cache.
const STRIP: usize = 6;

/// Bytes between blocks.
const GAP_BYTES: usize = 64;

/// Parts in which sums are kept, at most: enough for any number of threads that is worth it.
const CHUNKS: usize = 16;

/// Rotations on up to three neighbouring bits, done while the amplitudes are in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    /// The lowest bit.
    pub(super) low: usize,
    /// How many.
    pub(super) count: usize,
}

/// Passes over everything, done together for a few registers of each block at a time: those stay in the first-level cache
/// meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strip {
    /// The lowest bit.
    pub(super) low: usize,
    /// Bits of all passes.
    pub(super) count: usize,
    /// The passes, from the lowest bits on.
    pub(super) passes: Vec<Pass>,
}

/// What is done between two exchanges among threads, part by part of the vectors: rotations on the bits of a strip, or on
/// those within blocks. Rotations of a layer commute, so every other layer takes them in the opposite order; then the end of
/// one layer and the beginning of the next are on the same bits, and both are done while a part is in the first-level cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phase {
    /// Which of the strips; none for blocks.
    pub(super) strip: Option<usize>,
    /// One layer or two.
    pub(super) layers: Range<usize>,
    /// Whether the first of them ends here, with its controlled-Z gates. A second one never does.
    pub(super) gates: bool,
}

/// The order of work. Bits below `block` are done block by block in the first-level cache, those within a register
/// together with `inner[0]`; the others strip by strip.
pub(super) struct Plan<T> {
    /// Bits of an index: those of the qubits, and more where a register or a block needs them.
    pub(super) bits: usize,
    /// Bits of the qubits.
    pub(super) qubits: usize,
    pub(super) layers: usize,
    /// Bits of an index into a block.
    pub(super) block: usize,
    /// Passes in a block, from the lowest bits on.
    pub(super) inner: Vec<Pass>,
    /// How many of them are done part by part in a block, and the bits of an index into a part: while a vector's block
    /// fills half of the cache, what comes between two passes over all of it would drive it out.
    pub(super) near: (usize, usize),
    /// The passes over everything, from the lowest bits on.
    pub(super) strips: Vec<Strip>,
    /// The steps through the circuit.
    pub(super) phases: Vec<Phase>,
    /// The order of bits when even and odd layers are undone.
    pub(super) order: [Vec<usize>; 2],
    /// For even and odd layers, by where a register lies: which of `signs` the controlled-Z gates give its amplitudes.
    pub(super) codes: [Vec<u8>; 2],
    /// Patterns of zeros whose signs are to be taken over, a register each.
    pub(super) signs: Vec<T>,
    /// For each bit within a register, zeros with a sign where it is 0.
    pub(super) lane_signs: Vec<T>,
    lanes: usize,
}

impl<T: Real> Plan<T> {
    pub(super) fn new(ansatz: &Ansatz, isa: Isa) -> Self {
        let (log, radix) = width::<T>(isa);
        let n = ansatz.qubits;
        // A register and one pass over it, at least; qubits that are not there stay in |0⟩.
        let bits = n.max(log + 1);
        // Vectors that stay in the cache are one block.
        let near = (NEAR_BYTES / size_of::<T>()).ilog2() as usize;
        let block = if bits <= near { bits } else { BLOCK };
        let passes = |from: usize, to: usize| -> Vec<Pass> {
            let count = (to - from).div_ceil(radix);
            // As even as can be: two passes over two bits each rather than over three and one.
            let start = |k: usize| from + (to - from) * k / count.max(1);
            (0..count).map(|k| Pass { low: start(k), count: start(k + 1) - start(k) }).collect()
        };
        let inner = passes(log, block);
        let mut strips: Vec<Strip> = Vec::new();
        for pass in passes(block, bits) {
            match strips.last_mut().filter(|strip| strip.count + pass.count <= STRIP) {
                Some(strip) => {
                    strip.count += pass.count;
                    strip.passes.push(pass);
                }
                None => strips.push(Strip { low: pass.low, count: pass.count, passes: vec![pass] }),
            }
        }
        let near = inner.get(2).map_or((inner.len(), block), |pass| (2, pass.low));
        let bits_of = |pass: &Pass| pass.low..pass.low + pass.count;
        let within: Vec<usize> = (0..log).chain(inner.iter().flat_map(bits_of)).collect();
        let of_strips: Vec<Vec<usize>> =
            strips.iter().map(|strip| strip.passes.iter().flat_map(bits_of).collect()).collect();
        let order = [
            [&within].into_iter().chain(&of_strips).flatten().copied().filter(|&bit| bit < n).collect(),
            of_strips.iter().rev().chain([&within]).flatten().copied().filter(|&bit| bit < n).collect(),
        ];
        let (codes, signs) = patterns(ansatz, bits, 1 << log);
        let phases = phases(ansatz.layers, strips.len());
        let mut plan = Self {
            bits,
            qubits: n,
            layers: ansatz.layers,
            block,
            inner,
            near,
            strips,
            phases,
            order,
            codes: [Vec::new(), Vec::new()],
            signs,
            lane_signs: (0..log << log).map(|i| zero((i >> (i >> log)) & 1 == 0)).collect(),
            lanes: 1 << log,
        };
        plan.codes = codes.map(|codes| {
            let mut placed = vec![0; plan.room().div_ceil(plan.lanes)];
            for (register, code) in codes.into_iter().enumerate() {
                placed[plan.place(register * plan.lanes) / plan.lanes] = code;
            }
            placed
        });
        plan
    }

    /// Parts in which sums are kept. They depend on the circuit alone, so that results do not depend on threads.
    pub(super) fn chunks(&self) -> usize {
        (1 << (self.bits - self.block)).min(CHUNKS)
    }

    /// Blocks in a chunk.
    pub(super) fn blocks(&self) -> usize {
        (1 << (self.bits - self.block)) / self.chunks()
    }

    /// Registers in a block.
    pub(super) fn registers(&self) -> usize {
        (1 << self.block) / self.lanes
    }

    /// Where an amplitude lies. Blocks are a cache line apart, since a strip takes amplitudes from up to 64 blocks of both
    /// vectors: without the gap all of them would fall into the same few places of the cache.
    pub(super) fn place(&self, index: usize) -> usize {
        index + (index >> self.block) * (GAP_BYTES / size_of::<T>())
    }

    /// Makes the blocks of some chunks those of |0…0⟩.
    ///
    /// # Safety
    /// `psi` is a vector of this plan, of which no other thread uses these chunks.
    pub(super) unsafe fn begin(&self, chunks: Range<usize>, psi: *mut T) {
        for block in chunks.start * self.blocks()..chunks.end * self.blocks() {
            // SAFETY: the block is within the vector.
            let block = unsafe { psi.add(self.place(block << self.block)) };
            // SAFETY: as above; all bits zero are the number zero.
            unsafe { block.write_bytes(0, 1 << self.block) };
        }
        if chunks.start == 0 {
            // SAFETY: there is one amplitude at least.
            unsafe { *psi = T::of(1.0) };
        }
    }

    /// The room that a vector takes.
    pub(super) fn room(&self) -> usize {
        self.place((1 << self.bits) - 1) + 1
    }
}

/// The order in which a circuit goes through blocks and so many strips: even layers end with the blocks, odd ones begin
/// with them.
fn phases(layers: usize, strips: usize) -> Vec<Phase> {
    let sides: Vec<Option<usize>> = std::iter::once(None).chain((0..strips).map(Some)).collect();
    let mut phases: Vec<Phase> = Vec::new();
    for layer in 0..layers {
        for at in 0..sides.len() {
            let strip = sides[if layer % 2 == 0 { sides.len() - 1 - at } else { at }];
            match phases.last_mut().filter(|before| at == 0 && strips > 0 && before.strip == strip) {
                Some(before) => before.layers.end += 1,
                None => phases.push(Phase { strip, layers: layer..layer + 1, gates: at == strips }),
            }
        }
    }
    phases
}

/// The signs of the controlled-Z gates after even and odd layers, as few patterns and a code for each register.
fn patterns<T: Real>(ansatz: &Ansatz, bits: usize, lanes: usize) -> ([Vec<u8>; 2], Vec<T>) {
    let mut patterns: Vec<Vec<bool>> = Vec::new();
    let codes = [0, 1].map(|layer| {
        let pairs: Vec<usize> = ansatz
            .pairs(layer)
            .into_iter()
            .map(|(a, b)| (1 << (ansatz.qubits - 1 - a)) | (1 << (ansatz.qubits - 1 - b)))
            .collect();
        let negative = |index: usize| pairs.iter().filter(|&&pair| index & pair == pair).count() % 2 == 1;
        (0..(1 << bits) / lanes)
            .map(|register| {
                let pattern: Vec<bool> = (0..lanes).map(|lane| negative(register * lanes + lane)).collect();
                let known = patterns.iter().position(|other| *other == pattern);
                let code = known.unwrap_or_else(|| {
                    patterns.push(pattern);
                    patterns.len() - 1
                });
                // A register's pattern depends on its lowest and highest bit beside a common sign, for each kind of
                // layer: at most 16 patterns.
                code as u8
            })
            .collect()
    });
    (codes, patterns.into_iter().flatten().map(zero).collect())
}

fn zero<T: Real>(negative: bool) -> T {
    T::of(if negative { -0.0 } else { 0.0 })
}
