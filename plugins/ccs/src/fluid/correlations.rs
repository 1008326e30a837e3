//! Closed formulas: viscosity of CO₂ and density and viscosity of brine.

use crate::units::{BAR, ZERO_CELSIUS};

/// Viscosity of CO₂ in Pa·s and its derivative with density, at `temperature` (K) and `density`
/// (kg/m³).
///
/// Fenghour, Wakeham and Vesovic, J. Phys. Chem. Ref. Data 27, 31 (1998), without the critical
/// enhancement.
#[must_use]
pub fn co2_viscosity(temperature: f64, density: f64) -> (f64, f64) {
    const E: f64 = 251.196;
    let t = temperature / E;
    let l = libm::log(t);
    let collision = 0.235_156 + l * (-0.491_266 + l * (5.211_155e-2 + l * (5.347_906e-2 - 1.537_102e-2 * l)));
    let dilute = 1.00697 * temperature.sqrt() / libm::exp(collision);
    let (d11, d21, d64, d81, d82) = (
        0.407_111_9e-2,
        0.719_803_7e-4,
        0.241_169_7e-16 / (t * t * t),
        0.297_107_2e-22,
        -0.162_788_8e-22 / t,
    );
    let r2 = density * density;
    let r5 = r2 * r2 * density;
    let r7 = r5 * r2;
    let excess = d11 * density + d21 * r2 + d64 * r5 * density + (d81 + d82) * r7 * density;
    let slope = d11 + 2.0 * d21 * density + 6.0 * d64 * r5 + 8.0 * (d81 + d82) * r7;
    (1e-6 * (dilute + excess), 1e-6 * slope)
}

/// Coefficients of the brine density, a quadratic in pressure (bar): `rho = c0 + c1 p + c2 p²` in
/// kg/m³, at `temperature` (°C) and `salinity` (mass fraction of NaCl).
///
/// Batzle and Wang, Geophysics 57, 1396 (1992), equations 27a and 27b.
#[must_use]
pub fn brine_density(temperature: f64, salinity: f64) -> [f64; 3] {
    let (t, s) = (temperature, salinity);
    let c0 = 1000.0 + 1e-3 * (-80.0 * t - 3.3 * t * t + 0.00175 * t * t * t);
    let c1 = 1e-3 * (489.0 - 2.0 * t + 0.016 * t * t - 1.3e-5 * t * t * t);
    let c2 = 1e-3 * (-0.333 - 0.002 * t);
    let salt0 = 1000.0 * s * (0.668 + 0.44 * s + 1e-6 * t * (80.0 + 3.0 * t - 3300.0 * s));
    let salt1 = 1e-3 * s * (300.0 - 2400.0 * s + t * (-13.0 + 47.0 * s));
    // The formulas take MPa.
    let mpa = BAR / 1e6;
    [c0 + salt0, (c1 + salt1) * mpa, c2 * mpa * mpa]
}

/// Viscosity of brine in Pa·s at `temperature` (°C) and `salinity` (mass fraction of NaCl).
///
/// Batzle and Wang (1992), equation 32.
#[must_use]
pub fn brine_viscosity(temperature: f64, salinity: f64) -> f64 {
    let s = salinity;
    let a = libm::pow(s, 0.8) - 0.17;
    let exponent = -(0.42 * a * a + 0.045) * libm::pow(temperature, 0.8);
    1e-3 * (0.1 + 0.333 * s + (1.65 + 91.9 * s * s * s) * libm::exp(exponent))
}

/// Kelvin from °C.
#[must_use]
pub fn kelvin(celsius: f64) -> f64 {
    celsius + ZERO_CELSIUS
}
