//! Fluid properties against tables computed elsewhere.
#![allow(clippy::unwrap_used)]

mod common;

use common::data;
use flow_ccs::fluid::{Fluid, Isotherm, brine_density, brine_viscosity, co2_viscosity, kelvin};

/// CO₂ density of CoolProp's Span–Wagner equation over 30-100 °C, 7-40 MPa, on both sides of the
/// critical temperature: 0.01 % (two implementations of the same equation; differences come from
/// the gas constant's digits).
#[test]
fn co2_density_is_span_wagner() {
    let reference = data("fluid_reference.npz");
    let (t, p) = (reference.array("t_C").unwrap().values, reference.array("P_MPa").unwrap().values);
    let rho = reference.array("co2_rho_span_wagner").unwrap().values;
    let mut worst = 0.0_f64;
    for (i, t) in t.iter().enumerate() {
        let isotherm = Isotherm::new(kelvin(*t)).unwrap();
        for (j, p) in p.iter().enumerate() {
            let (value, _) = isotherm.density(p * 1e6, None).unwrap();
            let expected = rho[i * 67 + j];
            worst = worst.max((value / expected - 1.0).abs());
        }
    }
    assert!(worst < 1e-4, "largest relative difference {worst:.2e}");
}

/// The check value of the equation, p(350 K, 500 kg/m³) = 16.21640 MPa, and derivatives against
/// central differences (limited by their own truncation to about 1e-8).
#[test]
fn equation_of_state_and_its_derivatives() {
    let isotherm = Isotherm::new(350.0).unwrap();
    let (p, slope) = isotherm.pressure(500.0);
    assert!((p / 16.21640e6 - 1.0).abs() < 1e-6, "{p}");
    let h = 0.01;
    let difference = (isotherm.pressure(500.0 + h).0 - isotherm.pressure(500.0 - h).0) / (2.0 * h);
    assert!((slope / difference - 1.0).abs() < 1e-7);
    let (rho, rho_p) = isotherm.density(p, None).unwrap();
    assert!((rho - 500.0).abs() < 1e-7 && (rho_p * slope - 1.0).abs() < 1e-8);
    // Near the critical point the non-analytic terms dominate the second derivative.
    let near = Isotherm::new(305.0).unwrap();
    let (_, slope) = near.pressure(440.0);
    let difference = (near.pressure(440.0 + h).0 - near.pressure(440.0 - h).0) / (2.0 * h);
    assert!((slope / difference - 1.0).abs() < 1e-5, "{slope} {difference}");
}

/// Outside the equation's range there is an error, not a number.
#[test]
fn impossible_states_are_refused() {
    assert!(Isotherm::new(100.0).is_err());
    assert!(Isotherm::new(320.0).unwrap().density(-1.0, None).is_err());
    assert!(Fluid::co2_brine(60.0, 0.0, (100.0, 50.0)).is_err());
    assert!(Fluid::co2_brine(60.0, 0.9, (100.0, 500.0)).is_err());
}

/// Closed formulas: rounding only (1e-10), at the reference's own densities.
#[test]
fn formulas_match_their_tables() {
    let reference = data("fluid_reference.npz");
    let (t, p) = (reference.array("t_C").unwrap().values, reference.array("P_MPa").unwrap().values);
    let rho = reference.array("co2_rho_span_wagner").unwrap().values;
    let mu = reference.array("co2_mu_fenghour_SWrho").unwrap().values;
    let water = reference.array("bw_water_rho").unwrap().values;
    for (i, t) in t.iter().enumerate() {
        let [c0, c1, c2] = brine_density(*t, 0.0);
        for (j, p) in p.iter().enumerate() {
            let n = i * 67 + j;
            assert!((co2_viscosity(kelvin(*t), rho[n]).0 / mu[n] - 1.0).abs() < 1e-10);
            let bar = 10.0 * p;
            assert!(((c0 + bar * (c1 + bar * c2)) / water[n] - 1.0).abs() < 1e-10);
        }
    }
    // OPM Flow prints 0.463907 mPa s at 60 °C without salt.
    assert!((brine_viscosity(60.0, 0.0) * 1e3 - 0.463907).abs() < 5e-7);
    // Salt makes brine denser and more viscous; 10 % by mass adds about 7 % to the density.
    let [c0, c1, c2] = brine_density(60.0, 0.1);
    let [w0, w1, w2] = brine_density(60.0, 0.0);
    let ratio = (c0 + 200.0 * (c1 + 200.0 * c2)) / (w0 + 200.0 * (w1 + 200.0 * w2));
    assert!((1.06..1.08).contains(&ratio), "{ratio}");
    assert!(brine_viscosity(60.0, 0.1) > brine_viscosity(60.0, 0.0));
}

/// The table of a run against the equation between its nodes, at the hardest temperature of the
/// data sets (35 °C, close to the critical one): density within 1e-4, slope consistent with it.
#[test]
fn run_table_interpolates_the_equation() {
    for (celsius, bound) in [(35.0, 1e-4), (60.0, 1e-7), (120.0, 1e-9)] {
        let fluid = Fluid::co2_brine(celsius, 0.0, (75.0, 1000.0)).unwrap();
        let isotherm = Isotherm::new(kelvin(celsius)).unwrap();
        let mut worst = 0.0_f64;
        let mut p = 75.3;
        while p < 990.0 {
            let point = fluid.gas.evaluate(p);
            let (rho, _) = isotherm.density(p * 1e5, None).unwrap();
            let (mu, _) = co2_viscosity(kelvin(celsius), rho);
            worst = worst
                .max((point.density / rho - 1.0).abs())
                .max((point.viscosity() / (mu * 1e3) - 1.0).abs());
            let h = 1e-4;
            let slope = (fluid.gas.evaluate(p + h).density - fluid.gas.evaluate(p - h).density) / (2.0 * h);
            assert!((point.density_p / slope - 1.0).abs() < 1e-5);
            p += 0.37;
        }
        assert!(worst < bound, "{celsius} °C: {worst:.1e}");
    }
}
