//! The rotations of a brick circuit, in the form the kernels use.
//!
//! A rotation by a half angle φ in [-π/4, π/4] is `c (1 + t G)` with `c = cos φ`, `t = tan φ` and the quarter turn
//! `G = XZ = [[0, -1], [1, 0]]`: one multiply-add an amplitude once the factor `c` is put off. Larger angles are
//! turned back by quarter turns, which are Pauli operators. They are not applied but moved through the circuit to its
//! end: a rotation changes its sign when an X or a Z passes, and an X that passes a CZ leaves a Z on the other qubit.

use super::Ansatz;
use crate::simulator::lanes::{Kernel, Lanes};
use crate::simulator::{Isa, Real};

/// A Pauli operator on all qubits: `± X^x Z^z`, by bits of the amplitude's index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) x: usize,
    pub(super) z: usize,
    pub(super) negative: bool,
}

impl Frame {
    /// Whether a quarter turn on a qubit changes its sign when the frame passes.
    fn turns(self, bit: usize) -> bool {
        ((self.x ^ self.z) >> bit) & 1 == 1
    }

    /// Puts `k` quarter turns on a qubit behind the frame: `G X = -X G`, `G = X Z` and `G² = -1`. Without branches, which
    /// random angles would mislead.
    fn turn(&mut self, bit: usize, k: u8) {
        let odd = usize::from(k & 1);
        self.negative ^= ((self.x >> bit) & odd == 1) != (k & 2 == 2);
        self.x ^= odd << bit;
        self.z ^= odd << bit;
    }

    /// Moves the frame past a controlled Z.
    fn pass(&mut self, a: usize, b: usize) {
        let (xa, xb) = ((self.x >> a) & 1, (self.x >> b) & 1);
        self.z ^= (xb << a) | (xa << b);
        self.negative ^= xa & xb == 1;
    }

    /// The sign that the frame gives to amplitude `index`, before it moves it to `index XOR x`.
    #[inline]
    pub(super) fn sign(self, index: usize) -> bool {
        (((index & self.z).count_ones() & 1) == 1) != self.negative
    }
}

/// The rotations of a circuit with given angles.
#[derive(Debug, Default)]
pub(super) struct Rotations {
    /// Tangents, by layer and bit.
    pub(super) tangent: Vec<f64>,
    /// What makes sums of the backward sweep derivatives, by layer and bit.
    pub(super) factor: Vec<f64>,
    /// Factor on the amplitudes after each layer; 1 where it is put off.
    pub(super) scale_forward: Vec<f64>,
    /// Factor on both vectors before each layer is undone.
    pub(super) scale_backward: Vec<f64>,
    /// What is left at the end.
    pub(super) frame: Frame,
    cosine: Vec<f64>,
    quarter: Vec<u8>,
}

/// Put-off factors are made good when they have become this small: far from the smallest number of single precision,
/// whatever one more layer of up to 40 qubits does.
const PUT_OFF: f64 = 1.0 / 65536.0;

impl Rotations {
    /// Takes over new angles. `order` is the order of bits in which the backward sweep undoes even and odd layers.
    pub(super) fn bind(&mut self, ansatz: &Ansatz, angles: &[f64], order: &[Vec<usize>; 2], isa: Isa) {
        let (n, layers) = (ansatz.qubits, ansatz.layers);
        for list in [&mut self.tangent, &mut self.factor, &mut self.cosine] {
            list.resize(n * layers, 0.0);
        }
        self.quarter.resize(n * layers, 0);
        let (tangent, cosine, quarter) = (&mut self.tangent, &mut self.cosine, &mut self.quarter);
        f64::dispatch(isa, Reduce { angles, tangent, cosine, quarter });
        self.scale_forward.clear();
        self.scale_backward.clear();
        self.scale_backward.resize(layers, 1.0);
        self.frame = Frame::default();
        let mut put_off = 1.0;
        let pairs = [ansatz.pairs(0), ansatz.pairs(1)];
        for layer in 0..layers {
            let at = layer * n;
            // From here on by bit: qubit 0 is the most significant one.
            for list in [&mut self.tangent, &mut self.cosine] {
                list[at..at + n].reverse();
            }
            self.quarter[at..at + n].reverse();
            for bit in 0..n {
                let turned = self.frame.turns(bit);
                self.factor[at + bit] = if turned { -0.5 } else { 0.5 };
                if turned {
                    self.tangent[at + bit] = -self.tangent[at + bit];
                }
                self.frame.turn(bit, self.quarter[at + bit]);
                put_off *= self.cosine[at + bit];
            }
            for &(a, b) in &pairs[layer % 2] {
                self.frame.pass(n - 1 - a, n - 1 - b);
            }
            let now = put_off < PUT_OFF || layer + 1 == layers;
            self.scale_forward.push(if now { std::mem::replace(&mut put_off, 1.0) } else { 1.0 });
        }
        for layer in (0..layers).rev() {
            if put_off < PUT_OFF {
                self.scale_backward[layer] = std::mem::replace(&mut put_off, 1.0);
            }
            for &bit in &order[layer % 2] {
                self.factor[layer * n + bit] *= put_off * put_off;
                put_off *= self.cosine[layer * n + bit];
            }
        }
    }
}

/// [`reduce`], compiled for each instruction set: the same operations, more of them at a time.
struct Reduce<'a> {
    angles: &'a [f64],
    tangent: &'a mut [f64],
    cosine: &'a mut [f64],
    quarter: &'a mut [u8],
}

impl Kernel<f64> for Reduce<'_> {
    #[inline(always)]
    fn run<S: Lanes<f64>>(self, _: S) {
        reduce(self.angles, self.tangent, self.cosine, self.quarter);
    }
}

/// Tangents and cosines of half the angles, less the quarter turns (0 to 3) that bring them into [-π/4, π/4].
///
/// The polynomials are those of the usual sine and cosine kernels on that interval (errors below 2⁻⁵⁷); written out
/// here because this loop, unlike calls, is done several angles at a time.
#[inline(always)]
fn reduce(angles: &[f64], tangent: &mut [f64], cosine: &mut [f64], quarter: &mut [u8]) {
    #[allow(clippy::excessive_precision, reason = "the digits as published")]
    const SINE: [f64; 6] = [
        -1.666_666_666_666_663_2e-1,
        8.333_333_333_322_489e-3,
        -1.984_126_982_985_795e-4,
        2.755_731_370_707_006_8e-6,
        -2.505_076_025_340_686_3e-8,
        1.589_690_995_211_55e-10,
    ];
    #[allow(clippy::excessive_precision, reason = "the digits as published")]
    const COSINE: [f64; 6] = [
        4.166_666_666_666_66e-2,
        -1.388_888_888_887_411e-3,
        2.480_158_728_947_673e-5,
        -2.755_731_435_139_066_3e-7,
        2.087_572_321_298_175e-9,
        -1.135_964_755_778_819_5e-11,
    ];
    /// π/2 in two parts, the first with 33 bits.
    #[allow(clippy::excessive_precision, reason = "the digits as published")]
    const HIGH: f64 = 1.570_796_326_734_125_6;
    #[allow(clippy::excessive_precision, reason = "the digits as published")]
    const LOW: f64 = 6.077_100_506_506_192e-11;
    /// Adding and taking away rounds to an integer.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let outputs = tangent.iter_mut().zip(cosine.iter_mut()).zip(quarter.iter_mut());
    for (&angle, ((tangent, cosine), quarter)) in angles.iter().zip(outputs) {
        let half = 0.5 * angle;
        let shifted = half * std::f64::consts::FRAC_2_PI + ROUND;
        *quarter = (shifted.to_bits() & 3) as u8;
        let turns = shifted - ROUND;
        let x = (half - turns * HIGH) - turns * LOW;
        let z = x * x;
        let sine = SINE[0] + z * (SINE[1] + z * (SINE[2] + z * (SINE[3] + z * (SINE[4] + z * SINE[5]))));
        let tail =
            COSINE[0] + z * (COSINE[1] + z * (COSINE[2] + z * (COSINE[3] + z * (COSINE[4] + z * COSINE[5]))));
        let cos = 1.0 - 0.5 * z + z * z * tail;
        *cosine = cos;
        *tangent = (x + x * z * sine) / cos;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the sine and cosine of a library, to a few roundings.
    #[test]
    fn angles_are_reduced() {
        let angles: Vec<f64> = (-4000..4000).map(|i| f64::from(i) * 0.011_3).collect();
        let n = angles.len();
        let (mut tangent, mut cosine, mut quarter) = (vec![0.0; n], vec![0.0; n], vec![0; n]);
        reduce(&angles, &mut tangent, &mut cosine, &mut quarter);
        for i in 0..n {
            assert!(tangent[i].abs() <= 1.0 + 1e-12);
            // cos φ' + i sin φ', turned by i^k, is cos φ + i sin φ.
            let (mut re, mut im) = (cosine[i], cosine[i] * tangent[i]);
            for _ in 0..quarter[i] {
                (re, im) = (-im, re);
            }
            let (sin, cos) = libm::sincos(0.5 * angles[i]);
            assert!((re - cos).abs() < 4e-15 && (im - sin).abs() < 4e-15, "{} {re} {cos}", angles[i]);
        }
    }
}
