//! Gates.

use super::Complex;

/// An angle: a number, or one of the circuit's free ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Angle {
    /// A number.
    Fixed(f64),
    /// A free angle, by its number.
    Free(usize),
}

impl Angle {
    /// Its value, given those of the free ones.
    #[must_use]
    pub fn value(self, angles: &[f64]) -> f64 {
        match self {
            Self::Fixed(value) => value,
            Self::Free(at) => angles[at],
        }
    }
}

/// A gate without its qubits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gate {
    /// Hadamard.
    H,
    /// Pauli X.
    X,
    /// Pauli Y.
    Y,
    /// Pauli Z.
    Z,
    /// `diag(1, i)`.
    S,
    /// Its inverse.
    Sdg,
    /// `diag(1, exp(iπ/4))`.
    T,
    /// Its inverse.
    Tdg,
    /// `exp(-iθX/2)`.
    Rx(Angle),
    /// `exp(-iθY/2)`.
    Ry(Angle),
    /// `exp(-iθZ/2)`.
    Rz(Angle),
    /// `diag(1, exp(iλ))`.
    Phase(Angle),
    /// `U(θ, φ, λ)` of OpenQASM 3 up to its global phase: `[[cos, -e^{iλ} sin], [e^{iφ} sin, e^{i(φ+λ)} cos]]` of θ/2.
    U3(Angle, Angle, Angle),
    /// Exchanges two qubits.
    Swap,
}

/// A gate on qubits, perhaps controlled by others.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The gate.
    pub gate: Gate,
    /// What it acts on.
    pub qubits: Vec<usize>,
    /// The qubits that must be 1.
    pub controls: Vec<usize>,
}

/// A matrix on one qubit, row by row.
pub(super) type Matrix = [[Complex; 2]; 2];

impl Gate {
    /// How many qubits it takes.
    #[must_use]
    pub fn qubits(self) -> usize {
        if self == Self::Swap { 2 } else { 1 }
    }

    /// Its name in OpenQASM 3.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::H => "h",
            Self::X => "x",
            Self::Y => "y",
            Self::Z => "z",
            Self::S => "s",
            Self::Sdg => "sdg",
            Self::T => "t",
            Self::Tdg => "tdg",
            Self::Rx(_) => "rx",
            Self::Ry(_) => "ry",
            Self::Rz(_) => "rz",
            Self::Phase(_) => "p",
            Self::U3(..) => "u3",
            Self::Swap => "swap",
        }
    }

    /// Whether its matrix is diagonal, for any angle.
    #[must_use]
    pub(super) fn is_diagonal(self) -> bool {
        matches!(self, Self::Z | Self::S | Self::Sdg | Self::T | Self::Tdg | Self::Rz(_) | Self::Phase(_))
    }

    /// Whether its matrix is real, for any angle.
    #[must_use]
    pub(super) fn is_real(self) -> bool {
        matches!(self, Self::H | Self::X | Self::Z | Self::Ry(_))
    }

    /// Its angles.
    #[must_use]
    pub fn angles(self) -> Vec<Angle> {
        match self {
            Self::Rx(a) | Self::Ry(a) | Self::Rz(a) | Self::Phase(a) => vec![a],
            Self::U3(a, b, c) => vec![a, b, c],
            _ => Vec::new(),
        }
    }

    /// The same gate with other angles.
    #[must_use]
    pub fn map(self, f: impl Fn(Angle) -> Angle) -> Self {
        match self {
            Self::Rx(a) => Self::Rx(f(a)),
            Self::Ry(a) => Self::Ry(f(a)),
            Self::Rz(a) => Self::Rz(f(a)),
            Self::Phase(a) => Self::Phase(f(a)),
            Self::U3(a, b, c) => Self::U3(f(a), f(b), f(c)),
            other => other,
        }
    }

    /// The matrix of a gate on one qubit; `None` for a swap.
    pub(super) fn matrix(self, angles: &[f64]) -> Option<Matrix> {
        let (zero, one, i) = (Complex::ZERO, Complex::ONE, Complex::I);
        let real = |x: f64| Complex::new(x, 0.0);
        let diagonal = |a, b| [[a, zero], [zero, b]];
        let half = |angle: Angle| libm::sincos(0.5 * angle.value(angles));
        let quarter = Complex::turn(std::f64::consts::FRAC_PI_4);
        Some(match self {
            Self::H => {
                let h = real(std::f64::consts::FRAC_1_SQRT_2);
                [[h, h], [h, -h]]
            }
            Self::X => [[zero, one], [one, zero]],
            Self::Y => [[zero, -i], [i, zero]],
            Self::Z => diagonal(one, -one),
            Self::S => diagonal(one, i),
            Self::Sdg => diagonal(one, -i),
            Self::T => diagonal(one, quarter),
            Self::Tdg => diagonal(one, quarter.conj()),
            Self::Rx(angle) => {
                let (sin, cos) = half(angle);
                [[real(cos), Complex::new(0.0, -sin)], [Complex::new(0.0, -sin), real(cos)]]
            }
            Self::Ry(angle) => {
                let (sin, cos) = half(angle);
                [[real(cos), real(-sin)], [real(sin), real(cos)]]
            }
            Self::Rz(angle) => {
                let (sin, cos) = half(angle);
                diagonal(Complex::new(cos, -sin), Complex::new(cos, sin))
            }
            Self::Phase(angle) => diagonal(one, Complex::turn(angle.value(angles))),
            Self::U3(theta, phi, lambda) => {
                let (sin, cos) = half(theta);
                let (phi, lambda) = (phi.value(angles), lambda.value(angles));
                [
                    [real(cos), -Complex::turn(lambda).scale(sin)],
                    [Complex::turn(phi).scale(sin), Complex::turn(phi + lambda).scale(cos)],
                ]
            }
            Self::Swap => return None,
        })
    }

    /// The derivative of the matrix by angle number `which` of the gate.
    pub(super) fn derivative(self, which: usize, angles: &[f64]) -> Option<Matrix> {
        let m = self.matrix(angles)?;
        let zero = Complex::ZERO;
        Some(match (self, which) {
            // A rotation's derivative is half the rotation by π more.
            (Self::Rx(a) | Self::Ry(a) | Self::Rz(a), _) => {
                let moved = Angle::Fixed(a.value(angles) + std::f64::consts::PI);
                self.map(|_| moved).matrix(angles)?.map(|row| row.map(|x| x.scale(0.5)))
            }
            (Self::Phase(_), _) => [[zero, zero], [zero, Complex::I * m[1][1]]],
            (Self::U3(theta, phi, lambda), 0) => {
                let moved = Angle::Fixed(theta.value(angles) + std::f64::consts::PI);
                Self::U3(moved, phi, lambda).matrix(angles)?.map(|row| row.map(|x| x.scale(0.5)))
            }
            (Self::U3(..), 1) => [[zero, zero], [Complex::I * m[1][0], Complex::I * m[1][1]]],
            (Self::U3(..), _) => [[zero, Complex::I * m[0][1]], [zero, Complex::I * m[1][1]]],
            _ => return None,
        })
    }
}
