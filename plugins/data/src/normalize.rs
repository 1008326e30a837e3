//! Scaling variables to comparable sizes, and back.

use std::collections::BTreeMap;
use std::path::Path;

use flow_plugin::artifact::dataset::Columns;
use flow_plugin::artifact::{DType, Dataset, DatasetWriter, Values, Variable};
use flow_plugin::serde::{Deserialize, Serialize};

use crate::pieces::{Progress, walk};
use crate::{Error, Result};

/// Where zero and one of a scaled variable are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Mean 0, standard deviation 1.
    Standard,
    /// From 0 to 1.
    Range,
}

/// How a variable was scaled: `scaled = (value - offset) / scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "flow_plugin::serde")]
pub struct Scaling {
    /// The value that becomes 0.
    pub offset: f64,
    /// The difference that becomes 1.
    pub scale: f64,
    /// The units that the values had.
    pub units: String,
}

/// The scaling of each variable.
pub type Scalings = BTreeMap<String, Scaling>;

/// Whether a variable is scaled when none are named: numbers of floating point, but no coordinates.
#[must_use]
pub fn is_scaled(variable: &Variable) -> bool {
    matches!(variable.dtype, DType::F32 | DType::F64) && variable.dims != [variable.name.as_str()]
}

/// Works out how to scale variables from their values; those that are not finite do not count.
///
/// # Errors
/// When there is no such variable, it has no finite value, or it cannot be read.
pub fn fit(data: &Dataset, names: &[String], method: Method, progress: Progress<'_>) -> Result<Scalings> {
    let mut scalings = Scalings::new();
    for name in names {
        let variable = data.variable(name)?;
        let found = data.statistics(name)?;
        progress((variable.len() * variable.dtype.size()) as u64)?;
        if found.mean.is_nan() {
            return Err(Error::data(format!("variable `{name}` has no finite value to scale by")));
        }
        let (offset, scale) = match method {
            Method::Standard => (found.mean, found.std),
            Method::Range => (found.min, found.max - found.min),
        };
        // A constant becomes 0.
        let scale = if scale > 0.0 { scale } else { 1.0 };
        scalings.insert(name.clone(), Scaling { offset, scale, units: variable.units.clone() });
    }
    Ok(scalings)
}

/// Writes the dataset with some variables scaled, or, with `back`, as they were before. Scaled variables have no units;
/// integers become double-precision numbers.
///
/// # Errors
/// When a variable has other units than the scaling is for, or something cannot be read or written.
pub fn apply(
    data: &Dataset,
    scalings: &Scalings,
    back: bool,
    to: &Path,
    progress: Progress<'_>,
) -> Result<()> {
    let mut writer = DatasetWriter::create(to)?;
    for (name, value) in data.attributes() {
        writer.attribute(name, value.clone());
    }
    let mut variables = Vec::new();
    for variable in data.variables() {
        let mut variable = variable.clone();
        if let Some(scaling) = scalings.get(&variable.name) {
            let (from, to) = if back { ("1", scaling.units.as_str()) } else { (scaling.units.as_str(), "1") };
            if variable.units != from {
                return Err(Error::data(format!(
                    "variable `{}` is in `{}`, but the statistics are for `{from}`",
                    variable.name, variable.units
                )));
            }
            to.clone_into(&mut variable.units);
            if variable.dtype != DType::F32 {
                variable.dtype = DType::F64;
            }
        }
        variables.push(variable);
    }
    let mut columns = Columns::new(writer, variables);
    for (at, variable) in data.variables().iter().enumerate() {
        let scaling = scalings.get(&variable.name);
        walk(data, variable, progress, |_, values| {
            let Some(Scaling { offset, scale, .. }) = scaling else { return Ok(columns.push(at, &values)?) };
            // In double precision, also for single-precision values: back and forth changes no more than a rounding.
            let convert = |v: f64| if back { v * scale + offset } else { (v - offset) / scale };
            let values = match values {
                Values::F32(v) => Values::F32(v.into_iter().map(|v| convert(f64::from(v)) as f32).collect()),
                other => Values::F64(other.doubles().into_iter().map(convert).collect()),
            };
            Ok(columns.push(at, &values)?)
        })?;
    }
    Ok(columns.finish()?)
}
