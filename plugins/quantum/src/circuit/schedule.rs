//! In which order the gates of a circuit are done, and on which parts of the state.
//!
//! A state that does not fit into a cache is gone through in tiles: the amplitudes whose indices differ in few bits.
//! All gates on those bits that nothing else stands before are done while a tile is in the cache, over as many layers
//! as there are. Controls and diagonal gates do not mix amplitudes, so their bits need not be among the tile's.

use super::gate::Gate;
use super::{Circuit, Operation};

/// Bits of an index into a tile, at most: 256 kB, which leaves room for two in the second-level cache.
const TILE: usize = 14;

/// The lowest bits, which are in every tile, so that what is copied at a time is 128 bytes.
const TOGETHER: usize = 3;

/// Gates on one qubit, one after the other, where the controls are 1.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The gates, in order.
    pub(super) gates: Vec<Gate>,
    /// The bit of their qubit.
    pub(super) bit: usize,
    /// The bits that must be 1, as a mask.
    pub(super) controls: usize,
}

impl Step {
    /// Whether all gates are diagonal for any angles.
    pub(super) fn diagonal(&self) -> bool {
        self.gates.iter().all(|gate| gate.is_diagonal())
    }

    /// Whether all gates and their derivatives are real for any angles.
    pub(super) fn real(&self) -> bool {
        self.gates.iter().all(|gate| gate.is_real())
    }

    /// The bits in which it mixes amplitudes, and those it only looks at, as masks.
    fn bits(&self) -> (usize, usize) {
        let bit = 1 << self.bit;
        if self.diagonal() { (0, self.controls | bit) } else { (bit, self.controls) }
    }
}

/// Steps that are done tile by tile.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// The bits that differ in a tile, the lowest first.
    pub(super) bits: Vec<usize>,
    /// The steps, by number.
    pub(super) steps: Vec<usize>,
}

/// What steps that are left for later do to qubits, as masks of their bits.
#[derive(Default)]
struct Later {
    mixed: usize,
    seen: usize,
}

impl Later {
    /// Whether a step may be done before.
    fn lets_pass(&self, (mixes, sees): (usize, usize)) -> bool {
        mixes & (self.mixed | self.seen) == 0 && sees & self.mixed == 0
    }

    fn add(&mut self, (mixes, sees): (usize, usize)) {
        self.mixed |= mixes;
        self.seen |= sees;
    }
}

/// The steps of a circuit: gates that follow each other on a qubit become one.
pub(super) fn steps(circuit: &Circuit) -> Vec<Step> {
    let bit = |qubit: usize| circuit.qubits - 1 - qubit;
    let mut steps = Vec::new();
    // By bit: gates that nothing but gates on the same qubit has come after.
    let mut waiting: Vec<Vec<Gate>> = vec![Vec::new(); circuit.qubits];
    for Operation { gate, qubits, controls } in &circuit.operations {
        let controls: usize = controls.iter().map(|&q| 1 << bit(q)).sum();
        let first = bit(qubits[0]);
        if controls == 0 && *gate != Gate::Swap {
            waiting[first].push(*gate);
            continue;
        }
        let flip = |bit, controls| Step { gates: vec![Gate::X], bit, controls };
        let parts = if *gate == Gate::Swap {
            let other = bit(qubits[1]);
            vec![flip(first, 1 << other), flip(other, controls | 1 << first), flip(first, 1 << other)]
        } else {
            vec![Step { gates: vec![*gate], bit: first, controls }]
        };
        let (mut mixes, mut sees) = (0, 0);
        for (mixed, seen) in parts.iter().map(Step::bits) {
            mixes |= mixed;
            sees |= seen;
        }
        for (bit, gates) in waiting.iter_mut().enumerate() {
            let passes = gates.iter().all(|gate| gate.is_diagonal());
            if mixes >> bit & 1 == 1 || (sees >> bit & 1 == 1 && !passes) {
                steps.extend(taken(gates, bit));
            }
        }
        steps.extend(parts);
    }
    for (bit, gates) in waiting.iter_mut().enumerate().rev() {
        steps.extend(taken(gates, bit));
    }
    steps
}

fn taken(gates: &mut Vec<Gate>, bit: usize) -> Option<Step> {
    let gates = std::mem::take(gates);
    (!gates.is_empty()).then_some(Step { gates, bit, controls: 0 })
}

/// The sweeps that do all steps on `qubits` qubits. Each takes what it can, in order, and leaves the rest.
pub(super) fn sweeps(steps: &[Step], qubits: usize) -> Vec<Sweep> {
    let size = qubits.min(TILE);
    let all = (1 << qubits) - 1;
    let mut sweeps = Vec::new();
    let (mut left, mut next) = (Vec::new(), 0);
    while !left.is_empty() || next < steps.len() {
        let mut active = (1_usize << size.min(TOGETHER)) - 1;
        let mut later = Later::default();
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        let mut waiting = left.into_iter();
        while later.mixed != all {
            let Some(step) = waiting.next().or_else(|| {
                next += 1;
                (next <= steps.len()).then_some(next - 1)
            }) else {
                break;
            };
            let bits = steps[step].bits();
            if later.lets_pass(bits) && (active | bits.0).count_ones() as usize <= size {
                active |= bits.0;
                taken.push(step);
            } else {
                later.add(bits);
                rest.push(step);
            }
        }
        next = next.min(steps.len());
        rest.extend(waiting);
        left = rest;
        for bit in 0..qubits {
            if (active.count_ones() as usize) < size {
                active |= 1 << bit;
            }
        }
        sweeps.push(Sweep { bits: (0..qubits).filter(|bit| active >> bit & 1 == 1).collect(), steps: taken });
    }
    sweeps
}

/// Spreads the bits of a number over the bits of a mask, as a list of their places.
pub(super) fn spread(number: usize, places: &[usize]) -> usize {
    places.iter().enumerate().map(|(at, place)| (number >> at & 1) << place).sum()
}
