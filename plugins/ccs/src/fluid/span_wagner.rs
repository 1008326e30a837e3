//! Density of CO₂ from the Span–Wagner equation of state.
//!
//! R. Span and W. Wagner, J. Phys. Chem. Ref. Data 25, 1509 (1996): the residual Helmholtz energy
//! with all 42 terms of their Table 31, and the auxiliary vapour-pressure equation 3.13.

use super::FluidError;

/// Critical temperature of CO₂ in K.
pub const CRITICAL_TEMPERATURE: f64 = 304.1282;
/// Critical density of CO₂ in kg/m³.
pub const CRITICAL_DENSITY: f64 = 467.6;
/// Critical pressure of CO₂ in Pa.
pub const CRITICAL_PRESSURE: f64 = 7.3773e6;
/// Specific gas constant of CO₂ in J/(kg·K).
pub const GAS_CONSTANT: f64 = 188.9241;

/// Terms 1 to 34: `n`, power of the reduced density, power of the inverse reduced temperature and
/// power of the density inside the exponential (0: no exponential).
const POWER: [(f64, i32, f64, i32); 34] = [
    (0.388_568_232_032, 1, 0.0, 0),
    (2.938_547_594_27, 1, 0.75, 0),
    (-5.586_718_853_5, 1, 1.0, 0),
    (-0.767_531_995_925, 1, 2.0, 0),
    (0.317_290_055_804, 2, 0.75, 0),
    (0.548_033_158_978, 2, 2.0, 0),
    (0.122_794_112_203, 3, 0.75, 0),
    (2.165_896_154_32, 1, 1.5, 1),
    (1.584_173_510_97, 2, 1.5, 1),
    (-0.231_327_054_055, 4, 2.5, 1),
    (0.058_116_916_431_4, 5, 0.0, 1),
    (-0.553_691_372_054, 5, 1.5, 1),
    (0.489_466_159_094, 5, 2.0, 1),
    (-0.024_275_739_843_5, 6, 0.0, 1),
    (0.062_494_790_501_7, 6, 1.0, 1),
    (-0.121_758_602_252, 6, 2.0, 1),
    (-0.370_556_852_701, 1, 3.0, 2),
    (-0.016_775_879_700_4, 1, 6.0, 2),
    (-0.119_607_366_38, 4, 3.0, 2),
    (-0.045_619_362_508_8, 4, 6.0, 2),
    (0.035_612_789_270_3, 4, 8.0, 2),
    (-0.007_442_772_713_21, 7, 6.0, 2),
    (-0.001_739_570_490_24, 8, 0.0, 2),
    (-0.021_810_121_289_5, 2, 7.0, 3),
    (0.024_332_166_559_2, 3, 12.0, 3),
    (-0.037_440_133_423_5, 3, 16.0, 3),
    (0.143_387_157_569, 5, 22.0, 4),
    (-0.134_919_690_833, 5, 24.0, 4),
    (-0.023_151_225_053_5, 6, 16.0, 4),
    (0.012_363_125_492_9, 7, 24.0, 4),
    (0.002_105_832_197_29, 8, 8.0, 4),
    (-0.000_339_585_190_264, 10, 2.0, 4),
    (0.005_599_365_177_16, 4, 28.0, 5),
    (-0.000_303_351_180_556, 8, 14.0, 6),
];

/// Terms 35 to 39: `n`, density power, temperature power, eta, beta, gamma (epsilon is 1).
const GAUSSIAN: [(f64, i32, f64, f64, f64, f64); 5] = [
    (-213.654_886_883, 2, 1.0, 25.0, 325.0, 1.16),
    (26_641.569_149_3, 2, 0.0, 25.0, 300.0, 1.19),
    (-24_027.212_204_6, 2, 1.0, 25.0, 300.0, 1.19),
    (-283.416_034_24, 3, 3.0, 15.0, 275.0, 1.25),
    (212.472_844_002, 3, 3.0, 20.0, 275.0, 1.22),
];

/// Terms 40 to 42: `n`, a, b, B, C (A = 0.7, beta = 0.3, D = 275).
const CRITICAL: [(f64, f64, f64, f64, f64); 3] = [
    (-0.666_422_765_408, 3.5, 0.875, 0.3, 10.0),
    (0.726_086_323_499, 3.5, 0.925, 0.3, 10.0),
    (0.055_068_668_612_8, 3.0, 0.875, 1.0, 12.5),
];
const CRITICAL_A: f64 = 0.7;
const CRITICAL_BETA: f64 = 0.3;
const CRITICAL_D: f64 = 275.0;

/// The equation of state on one isotherm.
#[derive(Debug, Clone)]
pub struct Isotherm {
    temperature: f64,
    tau: f64,
    /// Coefficients with their temperature factors multiplied in.
    power: [f64; 34],
    gaussian: [f64; 5],
    critical: [f64; 3],
}

impl Isotherm {
    /// The isotherm at `temperature` (K), within the equation's range 216.592 to 1100 K.
    ///
    /// # Errors
    /// [`FluidError::Temperature`] outside the range.
    pub fn new(temperature: f64) -> Result<Self, FluidError> {
        if !(216.592..=1100.0).contains(&temperature) {
            return Err(FluidError::Temperature { kelvin: temperature });
        }
        let tau = CRITICAL_TEMPERATURE / temperature;
        Ok(Self {
            temperature,
            tau,
            power: POWER.map(|(n, _, t, _)| n * libm::pow(tau, t)),
            gaussian: GAUSSIAN.map(|(n, _, t, _, beta, gamma)| {
                n * libm::pow(tau, t) * libm::exp(-beta * (tau - gamma) * (tau - gamma))
            }),
            critical: CRITICAL.map(|(n, ..)| n * libm::exp(-CRITICAL_D * (tau - 1.0) * (tau - 1.0))),
        })
    }

    /// Pressure (Pa) and its derivative with density (Pa·m³/kg) at `density` (kg/m³).
    #[must_use]
    pub fn pressure(&self, density: f64) -> (f64, f64) {
        let d = density / CRITICAL_DENSITY;
        let (a1, a2) = self.residual_derivatives(d);
        let rt = GAS_CONSTANT * self.temperature;
        (density * rt * (1.0 + d * a1), rt * (1.0 + 2.0 * d * a1 + d * d * a2))
    }

    /// First and second derivative of the residual Helmholtz energy with the reduced density.
    fn residual_derivatives(&self, d: f64) -> (f64, f64) {
        // Integer powers of d, and exp(-d^c), each needed by many terms.
        let mut powers = [1.0; 11];
        for i in 1..11 {
            powers[i] = powers[i - 1] * d;
        }
        let mut decay = [1.0; 7];
        for (c, value) in decay.iter_mut().enumerate().skip(1) {
            *value = libm::exp(-powers[c]);
        }
        let (mut a1, mut a2) = (0.0, 0.0);
        for (n, &(_, power, _, c)) in self.power.iter().zip(&POWER) {
            // The tables hold powers of 1 to 10 and 0 to 6, within the arrays above.
            let (power_index, c_index) = (power as usize, c as usize);
            let f = n * powers[power_index] * decay[c_index] / d;
            let (k, m) = (f64::from(power), f64::from(c));
            let u = if c == 0 { k } else { k - m * powers[c_index] };
            a1 += f * u;
            let curvature = if c == 0 { 0.0 } else { m * m * powers[c_index] };
            a2 += f / d * (u * (u - 1.0) - curvature);
        }
        let e = d - 1.0;
        for (n, &(_, power, _, eta, ..)) in self.gaussian.iter().zip(&GAUSSIAN) {
            let f = n * powers[power as usize] * libm::exp(-eta * e * e);
            let k = f64::from(power);
            let u = k / d - 2.0 * eta * e;
            a1 += f * u;
            a2 += f * (u * u - k / (d * d) - 2.0 * eta);
        }
        let (c1, c2) = self.critical_derivatives(d);
        (a1 + c1, a2 + c2)
    }

    /// Contribution of the three terms that are non-analytic at the critical point.
    fn critical_derivatives(&self, d: f64) -> (f64, f64) {
        // At the critical density itself the distance function has no second derivative: a
        // neighbouring density (relative distance 1e-8) stands for it.
        let e = if (d - 1.0).abs() < 1e-8 { 1e-8 } else { d - 1.0 };
        let y = e * e;
        let half = 1.0 / (2.0 * CRITICAL_BETA);
        let yh = libm::pow(y, half);
        let theta = (1.0 - self.tau) + CRITICAL_A * yh;
        let (mut a1, mut a2) = (0.0, 0.0);
        for (n, &(_, a, b, big_b, c)) in self.critical.iter().zip(&CRITICAL) {
            let ya = libm::pow(y, a);
            let delta = theta * theta + big_b * ya;
            // Derivatives of the distance function with the reduced density.
            let yh1 = yh / y;
            let delta1 = e * (CRITICAL_A * theta * 2.0 / CRITICAL_BETA * yh1 + 2.0 * big_b * a * ya / y);
            let delta2 = delta1 / e
                + y * (4.0 * big_b * a * (a - 1.0) * ya / (y * y)
                    + 2.0 * (CRITICAL_A / CRITICAL_BETA) * (CRITICAL_A / CRITICAL_BETA) * yh1 * yh1
                    + CRITICAL_A * theta * 4.0 / CRITICAL_BETA * (half - 1.0) * yh1 / y);
            let power = libm::pow(delta, b);
            let power1 = b * power / delta * delta1;
            let power2 = b * (power / delta * delta2 + (b - 1.0) * power / (delta * delta) * delta1 * delta1);
            let psi = libm::exp(-c * y);
            let psi1 = -2.0 * c * e * psi;
            let psi2 = (2.0 * c * y - 1.0) * 2.0 * c * psi;
            a1 += n * (power * (psi + d * psi1) + power1 * d * psi);
            a2 += n * (power * (2.0 * psi1 + d * psi2) + 2.0 * power1 * (psi + d * psi1) + power2 * d * psi);
        }
        (a1, a2)
    }

    /// Vapour pressure (Pa) below the critical temperature, `None` above it.
    #[must_use]
    pub fn vapour_pressure(&self) -> Option<f64> {
        if self.temperature >= CRITICAL_TEMPERATURE {
            return None;
        }
        let x = 1.0 - self.temperature / CRITICAL_TEMPERATURE;
        let sum = -7.060_208_7 * x + 1.939_121_8 * libm::pow(x, 1.5)
            - 1.646_359_7 * x * x
            - 3.299_563_4 * x * x * x * x;
        Some(CRITICAL_PRESSURE * libm::exp(CRITICAL_TEMPERATURE / self.temperature * sum))
    }

    /// Density (kg/m³) at `pressure` (Pa) and its derivative with pressure (kg/(m³·Pa)); `guess`
    /// (kg/m³) speeds the search up and does not change the result beyond rounding.
    ///
    /// # Errors
    /// [`FluidError::Pressure`] outside 1 kPa to 800 MPa or when no density gives the pressure.
    pub fn density(&self, pressure: f64, guess: Option<f64>) -> Result<(f64, f64), FluidError> {
        if !(1.0e3..=8.0e8).contains(&pressure) {
            return Err(FluidError::Pressure { pascal: pressure });
        }
        let ideal = pressure / (GAS_CONSTANT * self.temperature);
        // The stable branch: below the critical temperature the search stays on one side.
        let (mut low, mut high, start) = match self.vapour_pressure() {
            Some(vapour) if pressure > vapour => (CRITICAL_DENSITY, 1600.0, 1300.0),
            Some(_) => (0.0, CRITICAL_DENSITY, ideal.min(300.0)),
            None => (0.0, 1600.0, ideal.min(CRITICAL_DENSITY)),
        };
        let mut rho = guess.filter(|g| *g > low && *g < high).unwrap_or(start);
        for _ in 0..200 {
            let (p, slope) = self.pressure(rho);
            let step = (pressure - p) / slope;
            if step.abs() <= 1e-12 * rho {
                return Ok((rho, 1.0 / slope));
            }
            // A negative slope means a state inside the spinodal: move outwards by halving.
            if p < pressure {
                low = low.max(rho);
            } else {
                high = high.min(rho);
            }
            let next = rho + step;
            rho = if slope > 0.0 && next > low && next < high { next } else { 0.5 * (low + high) };
            if high - low <= 1e-13 * rho {
                return Ok((rho, 1.0 / slope));
            }
        }
        Err(FluidError::Pressure { pascal: pressure })
    }
}
