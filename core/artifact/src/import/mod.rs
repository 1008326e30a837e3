//! Datasets from the forms in which other programs leave arrays.
//!
//! | form | what is read |
//! | --- | --- |
//! | Zarr v3 | groups of arrays: any chunks; codecs `bytes`, `blosc`, `gzip`, `zstd`, `crc32c`; with or without consolidated metadata |
//! | Zarr v2 | the same: no compressor, `blosc`, `gzip`, `lz4`, `zlib` or `zstd`; the filter `shuffle` |
//! | NetCDF | the classic formats (CDF-1, CDF-2, CDF-5) with or without a growing dimension; packed variables are unpacked |
//! | NetCDF-4, HDF5 | datasets of all groups: contiguous or in chunks; HDF5's own filters, and Blosc, LZ4, LZF, zstd; names of dimensions from their scales |
//! | `.npz`, `.npy` | numbers and booleans of any width and byte order |
//! | `.mat` | MATLAB 5 to 7.2: full arrays of real numbers; of 7.3, which is HDF5, the same |
//! | Parquet | columns of numbers and flags without nesting; uncompressed, Snappy, gzip or zstd |
//! | CSV | UTF-8, a line of names first, separated by `,`, `;` or tabs; columns of numbers, flags or moments (ISO 8601) |
//!
//! Element types become the nearest that a dataset has ([`DType`](crate::DType)) and holds them exactly: booleans
//! `u8`, small integers `i32`, larger ones `i64`, half precision `f32`. Dimensions without names are called
//! `NAME_0`, `NAME_1`, … after the variable. Units that are not given are `1`. Of the attributes of a variable its
//! units and long name stay; those of the whole stay, but for `history`, in which programs write the time.

mod block;
mod blosc;
mod codec;
mod filters;
mod hdf5;
mod matlab;
mod moment;
mod netcdf;
mod npy;
mod numbers;
mod pages;
mod parquet;
mod piece;
mod rows;
mod text;
mod zarr;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use npy::{Array, Npz};

use serde_json::Value;

use self::rows::{Sink, Source};
use crate::dataset::Columns;
use crate::{Dataset, DatasetWriter, Error, Result, Values, Variable};

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

/// Arrays in a file or folder of another program, opened: their metadata has been read.
pub struct Import {
    path: PathBuf,
    opened: Opened,
}

/// An array that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The variable that it becomes.
    pub variable: Variable,
    /// Whether the file gives its dimensions names; those that it does not are called `NAME_0`, `NAME_1`, ….
    pub named_dims: bool,
    /// Whether the file gives it units.
    pub with_units: bool,
    /// Why its values cannot be read, as the end of a sentence that begins with the array; its type then means
    /// nothing.
    pub problem: Option<String>,
}

type Attributes = Vec<(String, Value)>;

/// What a form gives when it has read the metadata.
struct Opened {
    attributes: Attributes,
    sources: Vec<Source>,
    form: Box<dyn Form>,
}

/// A way in which arrays lie in files.
trait Form {
    /// Hands over the values of an array, some rows at a time.
    fn read(&mut self, at: usize, source: &Source, to: Sink<'_>) -> Result<()>;

    /// The same for several arrays, whose pieces may come mixed: for forms that hold all arrays row by row.
    fn read_several(
        &mut self,
        wanted: &[usize],
        sources: &[Source],
        to: &mut dyn FnMut(usize, &mut Values) -> Result<()>,
    ) -> Result<()> {
        for &at in wanted {
            self.read(at, &sources[at], &mut |values| to(at, values))?;
        }
        Ok(())
    }
}

/// An attribute in which programs write down when they ran: two equal files would not be.
const HISTORY: &str = "history";

impl Import {
    /// Opens what lies at a path, in whichever of the forms it is.
    ///
    /// # Errors
    /// When it is in none of them, is damaged, or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut opened = open(path)?;
        opened.attributes.retain(|(name, _)| name != HISTORY);
        Ok(Self { path: path.to_owned(), opened })
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Attributes of the whole.
    #[must_use]
    pub fn attributes(&self) -> &[(String, Value)] {
        &self.opened.attributes
    }

    /// Its arrays, in the file's order.
    #[must_use]
    pub fn arrays(&self) -> Vec<Found> {
        let found = |source: &Source| Found {
            variable: source.variable(),
            named_dims: source.dims.is_some(),
            with_units: source.units.is_some(),
            problem: source.problem.clone(),
        };
        self.opened.sources.iter().map(found).collect()
    }

    /// Hands over the values of some arrays, by number: pieces of whole rows, in the order of the rows, of bounded
    /// size. Pieces of several arrays may come mixed. An array without values has no pieces. The next piece comes in
    /// the same memory, unless `to` takes the values out ([`Values::take`]).
    ///
    /// # Errors
    /// When there is no such array, its values cannot be read, or those of `to`.
    pub fn read(
        &mut self,
        wanted: &[usize],
        to: &mut dyn FnMut(usize, &mut Values) -> Result<()>,
    ) -> Result<()> {
        let Opened { sources, form, .. } = &mut self.opened;
        for &at in wanted {
            let source = sources.get(at).ok_or_else(|| Error::request("no array has this number"))?;
            if let Some(problem) = &source.problem {
                return Err(source.invalid(problem));
            }
        }
        form.read_several(wanted, sources, to)
    }

    /// Makes a dataset of all its arrays.
    fn write(mut self, to: &Path) -> Result<()> {
        let mut writer = DatasetWriter::create(to)?;
        for (name, value) in self.attributes() {
            writer.attribute(name, value.clone());
        }
        let variables: Vec<Variable> = self.arrays().into_iter().map(|found| found.variable).collect();
        let all: Vec<usize> = (0..variables.len()).collect();
        let mut columns = Columns::new(writer, variables);
        self.read(&all, &mut |at, values| columns.push(at, values))?;
        columns.finish()
    }
}

/// Makes a dataset at `to`, where nothing is, of what lies at `from`, in whichever of the forms it is. `false` if
/// that is a dataset already, and nothing was made.
///
/// # Errors
/// When it is in none of the forms, or holds something that a dataset cannot.
pub fn dataset(from: &Path, to: &Path) -> Result<bool> {
    if from.join("zarr.json").is_file() && Dataset::open(from).is_ok() {
        return Ok(false);
    }
    Import::open(from)?.write(to)?;
    Ok(true)
}

fn open(path: &Path) -> Result<Opened> {
    if path.is_dir() {
        if ["zarr.json", ".zgroup", ".zarray", ".zmetadata"].iter().any(|name| path.join(name).is_file()) {
            return zarr::open(path);
        }
        return Err(Error::invalid(path, "is a folder, but no Zarr group: it has no zarr.json or .zgroup"));
    }
    let mut magic = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(1024).read_to_end(&mut magic).map_err(Error::io("read", path))?;
    match magic.as_slice() {
        [b'C', b'D', b'F', ..] => netcdf::open(path),
        [b'P', b'K', 3 | 5, ..] => npy::open_archive(path),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => npy::open_single(path),
        [0x89, b'H', b'D', b'F', ..] => hdf5::open(path),
        [b'P', b'A', b'R', b'1', ..] => parquet::open(path),
        // A file of MATLAB begins with a text; those of version 7.3 are HDF5 after 512 bytes.
        start if start.starts_with(b"MATLAB") => match start.get(512..516) {
            Some(b"\x89HDF") => hdf5::open(path),
            _ => matlab::open(path),
        },
        start if is_text(start) => text::open(path),
        start => Err(Error::invalid(path, other_form(start))),
    }
}

/// What a file is that is not read, by its first bytes, as the end of a sentence.
fn other_form(start: &[u8]) -> &'static str {
    match start {
        [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => {
            "is a TIFF, which is not read; make it NetCDF, `gdal_translate -of netCDF in.tif out.nc`"
        }
        [b'G', b'R', b'I', b'B', ..] => {
            "is in GRIB, which is not read; make it NetCDF, in Python \
             `xarray.open_dataset(path, engine=\"cfgrib\").to_netcdf(\"out.nc\")`"
        }
        [0x80, 2..=5, ..] => {
            "is a pickle of Python, which is never read, since reading it runs what it says; write arrays with \
             `numpy.savez(path, name=array)`"
        }
        [0x1f, 0x8b, ..] => "is packed with gzip as a whole; unpack it first, `gunzip` does",
        _ => "is in none of the forms that are read: NetCDF, HDF5, .npz, .npy, Zarr, Parquet, .mat, CSV",
    }
}

/// Whether this is how a table of text may begin: no bytes that stand in no text.
fn is_text(start: &[u8]) -> bool {
    // The last character may be cut.
    let whole = std::str::from_utf8(start).is_ok()
        || std::str::from_utf8(start).is_err_and(|error| error.error_len().is_none());
    whole && !start.is_empty() && !start.iter().any(|b| b.is_ascii_control() && !b"\t\r\n".contains(b))
}

#[cfg(test)]
mod tests;
