//! A user's own reservoir, from a data set or an `.npz` file.
//!
//! Two layouts are read. An `.npz` with an array `tx` has that of [`crate::stored`]: transmissibilities, pore volumes and
//! tables of saturation functions. Everything else gives the rock:
//!
//! | variable | shape | units | meaning |
//! | --- | --- | --- | --- |
//! | `r_face` | (columns + 1) | m | radii of the ring faces; the first one is the well's radius |
//! | `z_face` | (rows + 1) | m | depths of the row faces below the top |
//! | `time` | (times) | d | report times |
//! | `kr`, `kz` | (rows, columns) | mD | radial and vertical permeability |
//! | `porosity` | (rows, columns) | 1 | porosity |
//! | `active` | (rows, columns), optional | 1 | 0 in cells that take no part |
//! | `rate` | scalar | Mt/a | CO₂ injected |
//! | `pressure_top` | scalar | bar | brine pressure at the top before injection |
//! | `temperature` | scalar | degC | temperature |
//! | `perforation_top`, `perforation_bottom` | scalar | m | depths between which the well is open |
//! | `swi`, `lambda` | scalar | 1 | irreducible water saturation, exponent of the capillary-pressure curve |
//! | `entry_pressure` | scalar | bar | capillary pressure scale at 100 mD and porosity 0.2 |
//! | `curve` | scalar, optional | 1 | 0 Brooks–Corey, 1 van Genuchten (the default) |
//! | `salinity` | scalar, optional | 1 | mass fraction of NaCl; 0 |
//! | `rock_compressibility` | scalar, optional | bar-1 | 4.35e-5 per bar |
//!
//! A data set may use other units of the same dimension; an `.npz` file has no units and must use these.

mod source;

pub use source::{ArrayFile, SourceError};

use flow_plugin::artifact::import::Array;

use crate::data::{Coordinates, Sample, Scalars, Setting, case};
use crate::simulate::{Case, Controls, SimulationError};
use crate::stored::{StoredError, case_from_npz};

/// A reservoir that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaseFileError {
    /// The file or one of its variables.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// An array in the layout of [`crate::stored`].
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// A variable of the wrong shape or with impossible values.
    #[error("{0}")]
    Value(String),
    /// The problem they describe.
    #[error(transparent)]
    Case(#[from] SimulationError),
}

/// Bottom-hole pressure limit for cases of this kind, bar: the fluid table ends a little above.
const PRESSURE_LIMIT: f64 = 1000.0;

/// A problem for the simulator, with what its results are stored with.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// Grid and report times.
    pub coordinates: Coordinates,
    /// The problem.
    pub case: Case,
}

/// Reads a case in either layout.
///
/// # Errors
/// A missing variable, one of the wrong shape or with other units, or values that no reservoir can have.
pub fn read(file: &ArrayFile) -> Result<CaseFile, CaseFileError> {
    if let ArrayFile::Npz(npz) = file
        && npz.contains("tx")
    {
        let case = case_from_npz(npz)?;
        let (r, z) = (case.grid.faces().to_vec(), case.grid.z_faces().to_vec());
        let coordinates = Coordinates::new(r, z, case.report_times.clone());
        return Ok(CaseFile { coordinates, case });
    }
    let list = |name, units| -> Result<Vec<f64>, CaseFileError> { Ok(file.array(name, units)?.values) };
    let coordinates = Coordinates::new(list("r_face", "m")?, list("z_face", "m")?, list("time", "d")?);
    // Fields next: they are checked against the faces before those are used.
    let shape = [coordinates.rows(), coordinates.columns()];
    let field = |name: &str, units: &str| -> Result<Vec<f64>, CaseFileError> {
        let Array { shape: found, values } = file.array(name, units)?;
        if found == shape {
            return Ok(values);
        }
        Err(CaseFileError::Value(format!(
            "`{name}` has shape {found:?}; the faces make {} rows and {} columns",
            shape[0], shape[1]
        )))
    };
    let scalar = |name: &str, units: &str| -> Result<f64, CaseFileError> {
        match file.array(name, units)?.values.as_slice() {
            [value] if value.is_finite() => Ok(*value),
            other => Err(CaseFileError::Value(format!(
                "`{name}` must be one finite number, it has {}",
                other.len()
            ))),
        }
    };
    let optional = |name: &str, units: &str, default: f64| {
        if file.contains(name) { scalar(name, units) } else { Ok(default) }
    };
    let (kr, kz, porosity) = (field("kr", "mD")?, field("kz", "mD")?, field("porosity", "1")?);
    let active: Vec<u8> = if file.contains("active") {
        field("active", "1")?.iter().map(|v| u8::from(*v != 0.0)).collect()
    } else {
        vec![1; coordinates.cells()]
    };
    let inside = |values: &[f64], low: f64, high: f64| {
        values.iter().zip(&active).all(|(v, a)| *a == 0 || (*v > low && *v <= high))
    };
    if !(inside(&kr, 0.0, 1e9) && inside(&kz, 0.0, 1e9) && inside(&porosity, 0.0, 1.0)) {
        let message = "permeabilities must be positive and porosities within 0 to 1 in active cells";
        return Err(CaseFileError::Value(message.into()));
    }
    let scalars = Scalars {
        rate: scalar("rate", "Mt/a")?,
        pressure_top: scalar("pressure_top", "bar")?,
        temperature: scalar("temperature", "degC")?,
        thickness: coordinates.z_face[coordinates.rows()] - coordinates.z_face[0],
        perforation_top: scalar("perforation_top", "m")?,
        perforation_bottom: scalar("perforation_bottom", "m")?,
        swi: scalar("swi", "1")?,
        lambda: scalar("lambda", "1")?,
        entry_pressure: scalar("entry_pressure", "bar")?,
    };
    let curve = optional("curve", "1", 1.0)?;
    if curve != 0.0 && curve != 1.0 {
        return Err(CaseFileError::Value(format!(
            "`curve` is 0 (Brooks-Corey) or 1 (van Genuchten), not {curve}"
        )));
    }
    let setting = Setting {
        compressibility: optional("rock_compressibility", "bar-1", 4.35e-5)?,
        salinity: optional("salinity", "1", 0.0)?,
        pressure_limit: PRESSURE_LIMIT,
        controls: Controls::default(),
    };
    let sample = Sample { id: 0, scalars, curve: curve as u8, field_kind: 0, kr, kz, porosity, active };
    let case = case(&coordinates, &sample, &setting)?;
    case.check()?;
    Ok(CaseFile { coordinates, case })
}
