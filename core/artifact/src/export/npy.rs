//! NumPy's formats: `.npy` (one array a file) and `.npz` (a ZIP archive of them).
//!
//! Format: numpy.lib.format, version 1.0. Archives are not compressed and carry no time, so equal datasets
//! give equal bytes.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use zip::ZipWriter;

use super::zip::options;
use crate::dataset::{DType, Dataset, Variable};
use crate::{Error, Result};

/// Writes every variable of a dataset as `NAME.npy` into a new folder.
///
/// # Errors
/// When something cannot be read or written.
pub fn write_npy(dataset: &Dataset, path: &Path) -> Result<()> {
    fs::create_dir(path).map_err(Error::io("create", path))?;
    for (at, variable) in dataset.variables().iter().enumerate() {
        let target = path.join(format!("{}.npy", variable.name));
        let mut file = BufWriter::new(File::create(&target).map_err(Error::io("create", &target))?);
        array(dataset, at, variable, &mut file, &target)?;
        file.flush().map_err(Error::io("write", &target))?;
    }
    Ok(())
}

/// Writes all variables of a dataset into one archive, which `numpy.load` opens.
///
/// # Errors
/// When something cannot be read or written.
pub fn write_npz(dataset: &Dataset, path: &Path) -> Result<()> {
    let file = File::create(path).map_err(Error::io("create", path))?;
    let failed = |error: zip::result::ZipError| Error::io("write", path)(error.into());
    let mut archive = ZipWriter::new(BufWriter::new(file));
    for (at, variable) in dataset.variables().iter().enumerate() {
        let size = variable.len() * variable.dtype.size();
        archive.start_file(format!("{}.npy", variable.name), options(size as u64)).map_err(failed)?;
        array(dataset, at, variable, &mut archive, path)?;
    }
    let mut file = archive.finish().map_err(failed)?;
    file.flush().map_err(Error::io("write", path))
}

fn array(dataset: &Dataset, at: usize, variable: &Variable, to: &mut impl Write, path: &Path) -> Result<()> {
    to.write_all(&header(variable)).map_err(Error::io("write", path))?;
    dataset.pieces(at, |bytes| to.write_all(bytes).map_err(Error::io("write", path)))
}

/// The header of an array: its values follow in C order, little-endian.
fn header(variable: &Variable) -> Vec<u8> {
    let descr = match variable.dtype {
        DType::U8 => "|u1",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
    };
    let shape: String = variable.shape.iter().map(|n| format!("{n}, ")).collect();
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version and length take ten bytes; the whole header is a multiple of 64.
    let padding = 64 - (10 + text.len() + 1) % 64;
    text.extend(std::iter::repeat_n(' ', padding % 64));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    // Fits: a shape of as many dimensions as a name has room for stays far below 65,536 characters.
    header.extend_from_slice(&(text.len() as u16).to_le_bytes());
    header.extend_from_slice(text.as_bytes());
    header
}
