//! Named arrays from a data set or an `.npz` file.

use std::path::Path;

use flow_plugin::artifact::Dataset;
use flow_plugin::artifact::import::{Array, Npz};
use flow_plugin::artifact::units::{Unit, UnitError};

/// A file or folder of named arrays.
#[derive(Debug, Clone)]
pub enum ArrayFile {
    /// A NumPy archive, whose arrays have no units.
    Npz(Npz),
    /// A data set.
    Dataset(Dataset),
}

/// Arrays that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The archive or data set.
    #[error(transparent)]
    Artifact(#[from] flow_plugin::artifact::Error),
    /// Units that are none.
    #[error("the units of `{0}`")]
    Unit(String, #[source] UnitError),
    /// Units of another dimension.
    #[error("`{name}` is in `{found}`, which cannot be converted to `{wanted}`")]
    Dimension {
        /// The variable.
        name: String,
        /// Its units.
        found: String,
        /// The units wanted.
        wanted: String,
    },
}

impl ArrayFile {
    /// Opens an archive (a file) or a data set (a folder).
    ///
    /// # Errors
    /// What lies there is neither.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        if path.is_dir() { Ok(Self::Dataset(Dataset::open(path)?)) } else { Ok(Self::Npz(Npz::open(path)?)) }
    }

    /// Whether there is an array of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::Npz(npz) => npz.contains(name),
            Self::Dataset(dataset) => dataset.variable(name).is_ok(),
        }
    }

    /// The array of this name, in these units.
    ///
    /// # Errors
    /// A missing array, or units of another dimension.
    pub fn array(&self, name: &str, units: &str) -> Result<Array, SourceError> {
        let dataset = match self {
            Self::Npz(npz) => return Ok(npz.array(name)?),
            Self::Dataset(dataset) => dataset,
        };
        let variable = dataset.variable(name)?;
        let mut values = dataset.read_wide(name)?;
        // Without units they are taken to be the right ones.
        if !variable.units.is_empty() && variable.units != units {
            let unit =
                |text: &str| Unit::parse(text).map_err(|error| SourceError::Unit(name.to_owned(), error));
            let (from, to) = (unit(&variable.units)?, unit(units)?);
            if !from.same_dimension(&to) {
                let (found, wanted) = (variable.units.clone(), units.to_owned());
                return Err(SourceError::Dimension { name: name.to_owned(), found, wanted });
            }
            values.iter_mut().for_each(|v| *v = (*v * from.factor + from.offset - to.offset) / to.factor);
        }
        Ok(Array { shape: variable.shape.clone(), values })
    }
}
