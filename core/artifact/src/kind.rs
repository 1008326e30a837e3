//! The storage forms an artifact can take.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The storage form of an artifact: which files it consists of and how its content digest is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One file of any format.
    File,
    /// A folder of files.
    Folder,
    /// Named arrays with dimensions and units: a Zarr v3 group.
    Dataset,
    /// A trained model: a folder of `model.safetensors` and `config.json`.
    Model,
    /// Named numbers: a JSON object.
    Metrics,
    /// Rows and columns: a Parquet file.
    Table,
    /// A picture: a folder with the same figures as SVG and PNG.
    Figure,
}

impl Kind {
    /// Every kind, in the order in which documentation lists them.
    pub const ALL: [Self; 7] =
        [Self::File, Self::Folder, Self::Dataset, Self::Model, Self::Metrics, Self::Table, Self::Figure];

    /// The name used in workflow files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Dataset => "dataset",
            Self::Model => "model",
            Self::Metrics => "metrics",
            Self::Table => "table",
            Self::Figure => "figure",
        }
    }

    /// Whether an artifact of this kind is a folder on disk (otherwise it is one file).
    #[must_use]
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Folder | Self::Dataset | Self::Model | Self::Figure)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is not the name of a [`Kind`].
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an artifact kind; expected one of file, folder, dataset, model, metrics, table, figure"
)]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|k| k.name() == s).ok_or_else(|| UnknownKind(s.to_owned()))
    }
}
