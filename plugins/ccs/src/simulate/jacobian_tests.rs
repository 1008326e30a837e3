//! The analytic derivatives and the linear solver against finite differences.
#![allow(clippy::unwrap_used)]

use super::case::{Case, Connection, Source, Well};
use super::linear::{LineSolver, Update};
use super::mesh::Mesh;
use super::residual::System;
use crate::curves::{Model, leverett};
use crate::fluid::Fluid;
use crate::grid::Grid;

fn case(columns: usize, rows: usize) -> Case {
    let grid = Grid::geometric(10.0, 1.2, columns, 5.0, rows).unwrap();
    let n = grid.cells();
    let noise = |c: usize, salt: f64| libm::sin(12.9898 * c as f64 + salt);
    let kr: Vec<f64> = (0..n).map(|c| 100.0 * libm::exp(noise(c, 0.0))).collect();
    let porosity: Vec<f64> = (0..n).map(|c| 0.2 + 0.05 * noise(c, 1.0)).collect();
    let model = Model::VanGenuchten { swi: 0.15, sgr: 0.02, lambda: 0.45, scale: 0.3 };
    let fluid = Fluid::co2_brine(48.0, 0.03, (60.0, 500.0)).unwrap();
    let curves = model.tabulate(60).unwrap();
    let mut case = Case::new(grid, (&kr, &kr, &porosity), (curves, fluid), 120.0, vec![1.0]).unwrap();
    for c in 0..n {
        case.capillary_scale[c] = leverett(kr[c], porosity[c], 100.0, 0.2);
        case.active[c] = c != columns + 1;
    }
    let connections = (0..rows.min(3))
        .map(|row| Connection { row, factor: case.grid.connection_factor(row, kr[row * columns]).unwrap() })
        .collect();
    case.well = Some(Well { column: 0, connections, rate: 4.0e5, pressure_limit: None });
    case.sources = vec![Source { cell: n - 1, gas: 0.0, water: -100.0 }];
    case.fixed = vec![n - 2];
    case
}

/// A state with gas in the inner columns, its residual, and the update of the solver: along the
/// update the residual must change by its own negative, so that one test sees every derivative,
/// the elimination and the bordered well. Central differences of relative size 1e-6 leave 1e-5.
#[test]
fn update_removes_the_linearised_residual() {
    for (columns, rows) in [(9, 4), (3, 7), (20, 1)] {
        let case = case(columns, rows);
        let mesh = Mesh::new(&case);
        let mut system = System::new(&case, &mesh);
        for c in 0..mesh.cells() {
            let g = mesh.grid_cell[c] as usize;
            system.pressure[c] = 125.0 + 0.4 * (g / columns) as f64 + 2.0 * libm::sin(3.7 * g as f64);
            let gas = g % columns < columns / 2;
            system.saturation[c] = if gas { 0.3 + 0.25 * libm::sin(1.3 * g as f64) } else { 0.0 };
        }
        system.update_states();
        system.begin_step();
        for c in 0..mesh.cells() {
            system.pressure[c] += 1.5 * libm::cos(2.1 * c as f64);
            if system.saturation[c] > 0.0 {
                system.saturation[c] += 0.04 * libm::cos(0.9 * c as f64);
            }
        }
        system.well.as_mut().unwrap().bhp = 150.0;
        let residual = |system: &mut System| {
            system.update_states();
            system.update_residual(2.0);
            let mut all = system.water_residual.clone();
            all.extend_from_slice(&system.gas_residual);
            all.push(system.well.as_ref().unwrap().residual());
            all
        };
        let base = residual(&mut system);
        let mut solver = LineSolver::new(&mesh);
        let mut update = Update::default();
        assert!(solver.solve(&system, 2.0, &mut update));
        let state = (system.pressure.clone(), system.saturation.clone());
        let mut along = |t: f64| {
            for c in 0..mesh.cells() {
                system.pressure[c] = state.0[c] + t * update.pressure[c];
                system.saturation[c] = state.1[c] + t * update.saturation[c];
            }
            system.well.as_mut().unwrap().bhp = 150.0 + t * update.bhp;
            residual(&mut system)
        };
        let largest = update.pressure.iter().chain(&update.saturation).fold(0.0_f64, |m, v| m.max(v.abs()));
        let t = 1e-6 / largest;
        // Saturations of dry cells must not become negative: forward differences, second order.
        let (one, two) = (along(t), along(2.0 * t));
        let scale = base.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for (i, r) in base.iter().enumerate() {
            let slope = (4.0 * one[i] - two[i] - 3.0 * r) / (2.0 * t);
            assert!((slope + r).abs() < 1e-5 * scale, "{columns} x {rows}, row {i}: {slope} for {}", -r);
        }
    }
}
