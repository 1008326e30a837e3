//! From a stored reservoir to a problem for the simulator.

use super::{Coordinates, Sample};
use crate::curves::{Model, leverett};
use crate::fluid::Fluid;
use crate::geology::Curve;
use crate::grid::Grid;
use crate::simulate::{Case, Connection, Controls, Rock, SimulationError, Well};
use crate::units::megatonnes_per_year;

/// Permeability (mD) and porosity at which capillary pressure scales are given.
const REFERENCE_ROCK: (f64, f64) = (100.0, 0.2);

/// Intervals of the tabulated saturation functions.
const CURVE_INTERVALS: usize = 200;

/// Pressure below that of the top of the formation, and above the injector's limit, that the fluid table spans, bar.
const TABLE_MARGIN: f64 = 60.0;

/// What a simulation needs beside the reservoir.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Rock compressibility, 1/bar.
    pub compressibility: f64,
    /// Salinity, mass fraction of NaCl.
    pub salinity: f64,
    /// Bottom-hole pressure at which a simulation ends, bar.
    pub pressure_limit: f64,
    /// Accuracy and limits of the time stepping.
    pub controls: Controls,
}

/// The problem of injecting into a reservoir.
///
/// # Errors
/// Values that no reservoir can have.
pub fn case(coordinates: &Coordinates, sample: &Sample, setting: &Setting) -> Result<Case, SimulationError> {
    let s = &sample.scalars;
    let grid = Grid::radial(coordinates.r_face.clone(), coordinates.z_face.clone())?;
    let curve = Curve::from_code(sample.curve)
        .ok_or_else(|| SimulationError::Case(format!("curve family {} is not 0 or 1", sample.curve)))?;
    let model = match curve {
        Curve::BrooksCorey => Model::BrooksCorey { swi: s.swi, lambda: s.lambda, entry: s.entry_pressure },
        Curve::VanGenuchten => {
            Model::VanGenuchten { swi: s.swi, sgr: 0.0, lambda: s.lambda, scale: s.entry_pressure }
        }
    };
    let range = ((s.pressure_top - TABLE_MARGIN).max(1.0), setting.pressure_limit + TABLE_MARGIN);
    let fluid = Fluid::co2_brine(s.temperature, setting.salinity, range)?;
    let rock = (sample.kr.as_slice(), sample.kz.as_slice(), sample.porosity.as_slice());
    let curves = model.tabulate(CURVE_INTERVALS)?;
    let well = well(&grid, coordinates, sample, setting.pressure_limit)?;
    let mut case = Case::new(grid, rock, (curves, fluid), s.pressure_top, coordinates.time.clone())?;
    case.active = sample.active.iter().map(|a| *a != 0).collect();
    case.rock = Rock { compressibility: setting.compressibility, reference_pressure: s.pressure_top };
    case.capillary_scale = (0..case.grid.cells())
        .map(|c| {
            let (k, phi) = (sample.kr[c], sample.porosity[c]);
            if k > 0.0 { leverett(k, phi, REFERENCE_ROCK.0, REFERENCE_ROCK.1) } else { 1.0 }
        })
        .collect();
    case.well = Some(well);
    case.controls = setting.controls;
    Ok(case)
}

/// Rows whose centres lie within the perforation.
#[must_use]
pub fn perforated_rows(coordinates: &Coordinates, sample: &Sample) -> Vec<usize> {
    let inside = |z: &f64| (sample.scalars.perforation_top..sample.scalars.perforation_bottom).contains(z);
    (0..coordinates.rows()).filter(|k| inside(&coordinates.z[*k])).collect()
}

/// The well: connection factors in proportion to how much of each row is perforated.
fn well(
    grid: &Grid,
    coordinates: &Coordinates,
    sample: &Sample,
    limit: f64,
) -> Result<Well, SimulationError> {
    let columns = coordinates.columns();
    let s = &sample.scalars;
    let mut connections = Vec::new();
    for row in 0..coordinates.rows() {
        let (top, bottom) = (coordinates.z_face[row], coordinates.z_face[row + 1]);
        let share = (bottom.min(s.perforation_bottom) - top.max(s.perforation_top)) / (bottom - top);
        // Depths are stored in single precision: what is within rounding of a face ends there.
        if share < 1e-4 {
            continue;
        }
        let share = if share > 1.0 - 1e-4 { 1.0 } else { share };
        let factor = grid
            .connection_factor(row, sample.kr[row * columns])
            .ok_or_else(|| SimulationError::Case("a well on the axis needs a radial grid".into()))?;
        connections.push(Connection { row, factor: factor * share });
    }
    Ok(Well { column: 0, connections, rate: megatonnes_per_year(s.rate), pressure_limit: Some(limit) })
}
