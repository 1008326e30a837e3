//! Datasets from the forms in which other programs leave arrays.
//!
//! | form | what is read |
//! | --- | --- |
//! | Zarr v3 | groups of arrays: any chunks; codecs `bytes`, `gzip`, `zstd`, `crc32c`; with or without consolidated metadata |
//! | Zarr v2 | the same: no compressor, `gzip`, `zlib` or `zstd` |
//! | NetCDF | the classic formats (CDF-1, CDF-2, CDF-5) with or without a growing dimension; packed variables are unpacked |
//! | `.npz`, `.npy` | numbers and booleans of any width and byte order |
//!
//! Element types become the nearest that a dataset has ([`DType`](crate::DType)) and holds them exactly: booleans
//! `u8`, small integers `i32`, larger ones `i64`, half precision `f32`. Dimensions without names are called
//! `NAME_0`, `NAME_1`, … after the variable. Units that are not given are `1`. Of the attributes of a variable its
//! units and long name stay; those of the whole stay, but for `history`, in which programs write the time.

mod netcdf;
mod npy;
mod numbers;
mod rows;
mod zarr;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use npy::{Array, Npz};

use crate::{Dataset, Error, Result};

/// Endings that programs add to a path by themselves.
const ENDINGS: [&str; 4] = ["nc", "npz", "npy", "zarr"];

/// The path that a program has written to when it was told this one: itself, or with an ending that its library
/// adds (`numpy.savez` does).
#[must_use]
pub fn written(path: &Path) -> Option<PathBuf> {
    if path.exists() {
        return Some(path.to_owned());
    }
    candidates(path).into_iter().find(|path| path.exists())
}

/// This path with every ending that a library may add.
#[must_use]
pub fn candidates(path: &Path) -> Vec<PathBuf> {
    let with = |ending: &&str| {
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    ENDINGS.iter().map(with).collect()
}

/// Makes a dataset at `to`, where nothing is, of what lies at `from`, in whichever of the forms it is. `false` if
/// that is a dataset already, and nothing was made.
///
/// # Errors
/// When it is in none of the forms, or holds something that a dataset cannot.
pub fn dataset(from: &Path, to: &Path) -> Result<bool> {
    if from.is_dir() {
        if from.join("zarr.json").is_file() {
            return match Dataset::open(from) {
                Ok(_) => Ok(false),
                Err(_) => zarr::group(from, to).map(|()| true),
            };
        }
        if [".zgroup", ".zarray", ".zmetadata"].iter().any(|name| from.join(name).is_file()) {
            return zarr::group(from, to).map(|()| true);
        }
        return Err(Error::invalid(from, "is a folder, but no Zarr group: it has no zarr.json or .zgroup"));
    }
    let mut magic = Vec::new();
    let file = File::open(from).map_err(Error::io("read", from))?;
    file.take(8).read_to_end(&mut magic).map_err(Error::io("read", from))?;
    match magic.as_slice() {
        [b'C', b'D', b'F', ..] => netcdf::read(from, to)?,
        [b'P', b'K', 3 | 5, ..] => npy::archive(from, to)?,
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => npy::single(from, to)?,
        [0x89, b'H', b'D', b'F', ..] => {
            return Err(Error::invalid(
                from,
                "is NetCDF-4 or another HDF5 file, which is not read; write NetCDF-3, in xarray \
                 `data.to_netcdf(path, format=\"NETCDF3_64BIT\")`, or Zarr, `data.to_zarr(path)`",
            ));
        }
        _ => {
            return Err(Error::invalid(from, "is neither NetCDF nor .npz, .npy or Zarr"));
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
