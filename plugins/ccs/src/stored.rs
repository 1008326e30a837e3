//! Cases stored as arrays: the layout of the reference decks.
//!
//! | array | shape | meaning |
//! | --- | --- | --- |
//! | `rf` | (columns + 1) | radii of the faces, m |
//! | `dz` | scalar | height of every row, m |
//! | `pv` | (rows, columns) | pore volumes at `p_top`, m³; 0 is an inactive cell |
//! | `tx`, `tz` | (rows, columns) | transmissibilities to the next column and row, cP·m³/(day·bar) |
//! | `cf` | (perforations) or (rows) | connection factors, cP·m³/(day·bar) |
//! | `perf` | (2) | first and last perforated row, counted from 1 |
//! | `q_mt` | scalar | CO₂ rate, Mt/yr |
//! | `p_top`, `T` | scalar | water pressure (bar) at the top face, temperature (°C) |
//! | `salinity` | scalar, optional | mass fraction of NaCl |
//! | `cr` | scalar | rock compressibility, 1/bar, referred to `p_top` |
//! | `sgwfn` | (regions, 4, rows of the table) | S_g, k_rg, k_rw, Pc (bar), joined by straight lines |
//! | `satnum` | (rows, columns), optional | region of each cell, counted from 1 |
//! | `times_days` | (times) | report times, days |

use flow_plugin::artifact::import::Npz;

use crate::curves::CurveTable;
use crate::fluid::Fluid;
use crate::grid::{Grid, Transmissibility};
use crate::simulate::{Case, Connection, Controls, Initial, Rock, SimulationError, Well};
use crate::units::{GRAVITY, megatonnes_per_year};

/// A stored case that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The file or one of its arrays.
    #[error(transparent)]
    Npz(#[from] flow_plugin::artifact::Error),
    /// The problem the arrays describe.
    #[error(transparent)]
    Case(#[from] SimulationError),
    /// An array of the wrong shape or with impossible values.
    #[error("{0}")]
    Shape(String),
}

fn shape_error<T>(what: impl Into<String>) -> Result<T, StoredError> {
    Err(StoredError::Shape(what.into()))
}

/// Pressures the fluid table spans below and above the pressure at the top, bar.
const TABLE_BELOW: f64 = 40.0;
const TABLE_ABOVE: f64 = 600.0;

/// The case in `npz`, in the layout of this module.
///
/// # Errors
/// A missing array, one of the wrong shape, or values no case can have.
pub fn case_from_npz(npz: &Npz) -> Result<Case, StoredError> {
    let faces = npz.array("rf")?.values;
    let volumes = npz.array("pv")?;
    let &[rows, columns] = volumes.shape.as_slice() else {
        return shape_error("`pv` must have two axes (rows, columns)");
    };
    if columns + 1 != faces.len() || rows == 0 {
        return shape_error(format!("`rf` has {} faces for {columns} columns", faces.len()));
    }
    let cells = |name: &str| -> Result<Vec<f64>, StoredError> {
        let array = npz.array(name)?;
        if array.shape == volumes.shape {
            return Ok(array.values);
        }
        shape_error(format!("`{name}` has shape {:?} where {:?} is needed", array.shape, volumes.shape))
    };
    let dz = npz.scalar("dz")?;
    let grid =
        Grid::radial(faces, (0..=rows).map(|k| dz * k as f64).collect()).map_err(SimulationError::from)?;
    let pressure_top = npz.scalar("p_top")?;
    let salinity = if npz.contains("salinity") { npz.scalar("salinity")? } else { 0.0 };
    let range = ((pressure_top - TABLE_BELOW).max(1.0), pressure_top + TABLE_ABOVE);
    let fluid = Fluid::co2_brine(npz.scalar("T")?, salinity, range).map_err(SimulationError::from)?;
    let case = Case {
        active: volumes.values.iter().map(|v| *v > 0.0).collect(),
        transmissibility: Transmissibility { horizontal: cells("tx")?, vertical: cells("tz")? },
        rock: Rock { compressibility: npz.scalar("cr")?, reference_pressure: pressure_top },
        curves: curves(npz)?,
        region: if npz.contains("satnum") { regions(&cells("satnum")?)? } else { vec![0; rows * columns] },
        capillary_scale: vec![1.0; rows * columns],
        fluid,
        initial: Initial::Hydrostatic { pressure_top },
        well: Some(well(npz, rows)?),
        sources: Vec::new(),
        fixed: Vec::new(),
        gravity: GRAVITY,
        report_times: npz.array("times_days")?.values,
        controls: Controls::default(),
        pore_volume: volumes.values,
        grid,
    };
    case.check()?;
    Ok(case)
}

fn curves(npz: &Npz) -> Result<Vec<CurveTable>, StoredError> {
    let tables = npz.array("sgwfn")?;
    let &[count, 4, rows] = tables.shape.as_slice() else {
        return shape_error("`sgwfn` must have the axes (regions, 4, table rows)");
    };
    let mut curves = Vec::with_capacity(count);
    for table in tables.values.chunks_exact(4 * rows.max(1)) {
        let list: Vec<[f64; 4]> = (0..rows)
            .map(|j| [table[j], table[rows + j], table[2 * rows + j], table[3 * rows + j]])
            .collect();
        curves.push(CurveTable::linear(&list).map_err(SimulationError::from)?);
    }
    Ok(curves)
}

fn regions(satnum: &[f64]) -> Result<Vec<u32>, StoredError> {
    satnum
        .iter()
        .map(|&v| {
            if v >= 1.0 && v <= f64::from(u32::MAX) {
                Ok(v as u32 - 1)
            } else {
                shape_error("`satnum` counts regions from 1")
            }
        })
        .collect()
}

fn well(npz: &Npz, rows: usize) -> Result<Well, StoredError> {
    let perforated = npz.array("perf")?.values;
    let &[first, last] = perforated.as_slice() else {
        return shape_error("`perf` must hold the first and the last perforated row");
    };
    if !(first >= 1.0 && last >= first && last <= rows as f64) {
        return shape_error(format!("`perf` ({first}, {last}) is not a range of the rows 1 to {rows}"));
    }
    let (first, last) = (first as usize - 1, last as usize - 1);
    let factors = npz.array("cf")?.values;
    let count = last - first + 1;
    // Either one factor for each perforation or one for each row.
    let from = match factors.len() {
        n if n == count => 0,
        n if n == rows => first,
        n => {
            return shape_error(format!("`cf` has {n} values for {count} perforations in {rows} rows"));
        }
    };
    let connections = (0..count).map(|j| Connection { row: first + j, factor: factors[from + j] }).collect();
    Ok(Well { column: 0, connections, rate: megatonnes_per_year(npz.scalar("q_mt")?), pressure_limit: None })
}
