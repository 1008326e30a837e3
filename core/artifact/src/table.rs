//! Tables: rows and columns in a Parquet file.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::{Error, Result};

/// Checks that a file is a Parquet file.
pub(crate) fn check(path: &Path) -> Result<()> {
    open(path).map(|_| ())
}

fn open(path: &Path) -> Result<impl FileReader> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    SerializedFileReader::new(file)
        .map_err(|error| Error::invalid(path, format!("is not a table (Parquet): {error}")))
}
