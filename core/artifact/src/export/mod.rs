//! Datasets in the forms that other programs read.

mod columns;
mod netcdf;
mod npy;
mod zip;

use std::fs::{self, File};
use std::io;
use std::path::Path;

pub use self::zip::write_zip;
pub use columns::{write_columns_csv, write_columns_parquet};
pub use netcdf::write_netcdf;
pub use npy::{write_npy, write_npz};

use crate::digest::list;
use crate::table::Table;
use crate::{Error, Result};

/// Copies an artifact's files as they are, without links to where they come from.
///
/// # Errors
/// When something is at the target already, or a file cannot be copied.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Err(Error::invalid(to, "exists already"));
    }
    if from.is_file() {
        return copy_file(from, to);
    }
    fs::create_dir(to).map_err(Error::io("create", to))?;
    for name in list(from)? {
        let target = to.join(&name);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        copy_file(&from.join(&name), &target)?;
    }
    Ok(())
}

/// Copies the bytes only: objects are read only, but a copy belongs to whoever asked for it.
fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(Error::io("read", from))?;
    let mut target = File::create(to).map_err(Error::io("create", to))?;
    io::copy(&mut source, &mut target).map(drop).map_err(Error::io("write", to))
}

/// Writes a table as CSV.
///
/// # Errors
/// When the file cannot be written.
pub fn write_csv(table: &Table, path: &Path) -> Result<()> {
    fs::write(path, table.to_csv()).map_err(Error::io("write", path))
}
