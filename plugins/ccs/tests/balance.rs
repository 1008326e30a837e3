//! Properties every solution must have: balance, equilibrium, symmetry, order.
#![allow(clippy::unwrap_used)]

mod common;

use common::{fixed_steps, run, snapshot};
use flow_ccs::curves::{Model, leverett};
use flow_ccs::fluid::{Fluid, SimplePhase};
use flow_ccs::grid::Grid;
use flow_ccs::simulate::{Case, Connection, Initial, SimulationError, Well, simulate};
use flow_ccs::units::{GRAVITY, YEAR, megatonnes_per_year};
use std::ops::ControlFlow;

/// A layered, laterally varying reservoir of 24 x 10 cells with one inactive corner.
fn heterogeneous() -> Case {
    let grid = Grid::geometric(15.0, 1.3, 24, 5.0, 10).unwrap();
    let n = grid.cells();
    let wave = |c: usize| ((c % 24) as f64 * 0.7).sin() + 1.3 * ((c / 24) as f64 * 1.9).cos();
    let kr: Vec<f64> = (0..n).map(|c| 80.0 * wave(c).exp()).collect();
    let kz: Vec<f64> = kr.iter().map(|k| 0.1 * k).collect();
    let porosity: Vec<f64> = (0..n).map(|c| 0.2 + 0.03 * wave(c)).collect();
    let model = Model::VanGenuchten { swi: 0.2, sgr: 0.0, lambda: 0.5, scale: 0.2 };
    let fluid = Fluid::co2_brine(55.0, 0.02, (100.0, 700.0)).unwrap();
    let mut case = Case::new(
        grid,
        (&kr, &kz, &porosity),
        (model.tabulate(100).unwrap(), fluid),
        160.0,
        vec![5.0, 200.0, 3000.0],
    )
    .unwrap();
    for c in 0..n {
        case.capillary_scale[c] = leverett(kr[c], porosity[c], 100.0, 0.2);
        case.active[c] = !(c / 24 >= 8 && c % 24 < 5);
    }
    let connections = (2..6)
        .map(|row| Connection { row, factor: case.grid.connection_factor(row, kr[row * 24]).unwrap() })
        .collect();
    case.well =
        Some(Well { column: 0, connections, rate: megatonnes_per_year(0.3), pressure_limit: Some(700.0) });
    case
}

/// Brine at rest stays at rest for 1000 years, with capillary entry pressures that differ from cell
/// to cell: the initial state balances to rounding (1e-9 bar of 160).
#[test]
fn equilibrium_is_kept() {
    let mut case = heterogeneous();
    case.well = None;
    case.curves = vec![Model::BrooksCorey { swi: 0.2, lambda: 2.0, entry: 0.1 }.tabulate(100).unwrap()];
    case.report_times = vec![1000.0 * YEAR];
    let solution = run(&case);
    assert!(solution.saturation.iter().all(|s| *s == 0.0));
    let worst = solution.buildup.iter().fold(0.0_f64, |m, p| m.max(p.abs()));
    assert!(worst < 1e-9, "pressure moves by {worst:.1e} bar");
}

/// The CO₂ of every step is where it should be to 1e-6 of the amount injected in it, and so is the
/// sum at the end; saturations keep their bounds.
#[test]
fn mass_is_balanced() {
    let case = heterogeneous();
    let solution = run(&case);
    let s = &solution.statistics;
    assert!(s.max_step_mass_error <= 1e-6, "{:.1e}", s.max_step_mass_error);
    assert!(s.mass_error <= 1e-6, "{:.1e}", s.mass_error);
    assert!((s.injected / (megatonnes_per_year(0.3) * 3000.0) - 1.0).abs() < 1e-12);
    assert!(solution.saturation.iter().all(|s| (0.0..=0.8 + 1e-9).contains(s)));
    let inactive = case.active.iter().position(|a| !a).unwrap();
    assert_eq!(solution.saturation[inactive], 0.0);
}

/// Two runs give the same bytes.
#[test]
fn runs_are_reproducible() {
    let case = heterogeneous();
    assert_eq!(run(&case), run(&case));
}

/// Implicit Euler is of first order: against a run with 16 times the finest steps, halving the step
/// halves the error (ratio 1.6 to 2.6, since 1/16 of the last error is left in the reference and the
/// upwind directions switch).
#[test]
fn time_stepping_is_of_first_order() {
    let error_of = |steps: usize, reference: Option<&[f64]>| {
        let grid = Grid::geometric(40.0, 1.25, 20, 5.0, 5).unwrap();
        let n = grid.cells();
        let fluid = Fluid::co2_brine(55.0, 0.0, (80.0, 700.0)).unwrap();
        let curves = Model::BrooksCorey { swi: 0.2, lambda: 2.0, entry: 0.05 }.tabulate(100).unwrap();
        let (kr, kz, porosity) = (vec![100.0; n], vec![10.0; n], vec![0.2; n]);
        let mut case = Case::new(grid, (&kr, &kz, &porosity), (curves, fluid), 150.0, vec![1000.0]).unwrap();
        let factor = case.grid.connection_factor(0, 100.0).unwrap();
        case.well = Some(Well {
            column: 0,
            connections: (0..5).map(|row| Connection { row, factor }).collect(),
            rate: megatonnes_per_year(0.1),
            pressure_limit: None,
        });
        case.controls.cell_tolerance = 1e-7;
        fixed_steps(&mut case, 1000.0 / steps as f64);
        let solution = run(&case);
        assert_eq!(solution.statistics.steps, steps);
        let error = reference
            .map(|r| solution.saturation.iter().zip(r).map(|(a, b)| (a - b).abs()).sum::<f64>())
            .unwrap_or(0.0);
        (error, solution.saturation)
    };
    let (_, reference) = error_of(3200, None);
    let errors: Vec<f64> = [50, 100, 200].iter().map(|n| error_of(*n, Some(&reference)).0).collect();
    for pair in errors.windows(2) {
        let ratio = pair[0] / pair[1];
        assert!((1.6..2.6).contains(&ratio), "errors {errors:?}");
    }
}

/// A ring of the r-z grid and a Cartesian wedge of the same volumes: their transmissibilities differ
/// by (dr/r)²/12, here at most 8e-4, and so may the saturations (5e-3 at the steepest cell).
#[test]
fn rings_and_wedge_agree() {
    let faces: Vec<f64> = (0..=60).map(|i| 100.0 + 10.0 * f64::from(i)).collect();
    let z: Vec<f64> = (0..=8).map(|k| 4.0 * f64::from(k)).collect();
    let widths: Vec<f64> = faces.windows(2).map(|w| std::f64::consts::PI * (w[0] + w[1])).collect();
    let radial = Grid::radial(faces.clone(), z.clone()).unwrap();
    let wedge = Grid::cartesian(faces, widths, z).unwrap();
    let solve = |grid: Grid| {
        let n = grid.cells();
        let fluid = Fluid::co2_brine(60.0, 0.0, (80.0, 700.0)).unwrap();
        let curves = Model::BrooksCorey { swi: 0.2, lambda: 2.0, entry: 0.05 }.tabulate(100).unwrap();
        let (k, porosity) = (vec![200.0; n], vec![0.2; n]);
        let mut case = Case::new(grid, (&k, &k, &porosity), (curves, fluid), 150.0, vec![600.0]).unwrap();
        case.sources =
            (0..8).map(|k| flow_ccs::simulate::Source { cell: k * 60, gas: 2.0e5, water: 0.0 }).collect();
        case.fixed = (0..8).map(|k| k * 60 + 59).collect();
        fixed_steps(&mut case, 5.0);
        run(&case)
    };
    let (a, b) = (solve(radial), solve(wedge));
    let worst = a.saturation.iter().zip(&b.saturation).fold(0.0_f64, |m, (x, y)| m.max((x - y).abs()));
    assert!(a.saturation.iter().any(|s| *s > 0.3));
    assert!(worst < 5e-3, "{worst}");
}

/// A light fluid under a heavy one in a closed column changes places with it: mass is kept to 1e-9,
/// the interface ends at the height that keeps the volumes, and each layer is hydrostatic to 1e-6
/// of its pressure gradient. The column is taller than wide, so the solver's lines are rows.
#[test]
fn gravity_segregates() {
    const N: usize = 60;
    let grid = Grid::cartesian(vec![0.0, 1.0], vec![1.0], (0..=N).map(|k| k as f64).collect()).unwrap();
    let gas = SimplePhase { density: 500.0, viscosity: 0.05, compressibility: 1e-5 };
    let brine = SimplePhase { density: 1000.0, viscosity: 0.5, compressibility: 1e-5 };
    let fluid = Fluid::simple(gas, brine, 100.0).unwrap();
    let curves = Model::Corey { swi: 0.0, gas: 1.0, water: 1.0 }.tabulate(50).unwrap();
    let (k, porosity) = (vec![1000.0; N], vec![0.25; N]);
    let mut case = Case::new(grid, (&k, &k, &porosity), (curves, fluid), 100.0, vec![1.0, 2.0e5]).unwrap();
    // Gas fills the lower 15 m.
    let saturation: Vec<f64> = (0..N).map(|k| if k >= N - 15 { 1.0 } else { 0.0 }).collect();
    case.initial = Initial::State { pressure: vec![100.0; N], saturation };
    case.controls.balance_tolerance = 1e-8;
    case.controls.cell_tolerance = 1e-9;
    let solution = run(&case);
    assert!(solution.statistics.mass_error < 1e-9, "{:.1e}", solution.statistics.mass_error);
    let end = snapshot(&solution.saturation, &case, 1);
    for (k, s) in end.iter().enumerate() {
        // The cell at the interface takes up what compression changes of the volumes.
        if k < 14 {
            assert!((s - 1.0).abs() < 1e-5, "row {k}: {s}");
        } else if k > 15 {
            assert!(s.abs() < 1e-5, "row {k}: {s}");
        }
    }
    let volume: f64 = end.iter().sum();
    assert!((volume - 15.0).abs() < 0.02, "{volume}");
    let pressure: Vec<f64> = snapshot(&solution.buildup, &case, 1)
        .iter()
        .zip(&solution.initial_pressure)
        .map(|(d, p)| d + p)
        .collect();
    for (k, w) in pressure.windows(2).enumerate() {
        let fluid = if k < 13 { gas } else { brine };
        if !(13..=16).contains(&k) {
            let mean = 0.5 * (w[0] + w[1]);
            let expected = fluid.density * (1.0 + fluid.compressibility * (mean - 100.0)) * GRAVITY;
            assert!(((w[1] - w[0]) / expected - 1.0).abs() < 1e-6, "row {k}");
        }
    }
}

/// A rate the rock cannot take ends with the injector's limit, an interrupted run with `Cancelled`,
/// and contradictory input with a message.
#[test]
fn failures_are_named() {
    let mut case = heterogeneous();
    if let Some(well) = &mut case.well {
        well.pressure_limit = Some(170.0);
    }
    let result = simulate(&case, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(result, Err(SimulationError::PressureLimit { limit: 170.0, .. })), "{result:?}");
    let case = heterogeneous();
    let mut calls = 0;
    let result = simulate(&case, &mut |_| {
        calls += 1;
        if calls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((result, calls), (Err(SimulationError::Cancelled), 3));
    let mut case = heterogeneous();
    case.report_times = vec![3.0, 2.0];
    assert!(matches!(case.check(), Err(SimulationError::Case(_))));
    let mut case = heterogeneous();
    case.active[2 * 24] = false;
    assert!(case.check().unwrap_err().to_string().contains("row 2"));
}
