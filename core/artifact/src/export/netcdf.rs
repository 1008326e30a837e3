//! NetCDF, the classic format: the one that every NetCDF library reads, and that needs none to write.
//!
//! The 64-bit offset variant (CDF-2) is written wherever it can hold the dataset, since the most programs
//! read it (SciPy among them); the 64-bit data variant (CDF-5) for 64-bit integers beyond 32 bits and for
//! variables of 2 GiB or more. CDF-2 has neither unsigned bytes nor 64-bit integers: bytes are marked
//! `_Unsigned`, as the NetCDF conventions have it, and integers that fit become 32-bit ones.
//!
//! Format: NetCDF Classic and 64-bit Offset File Formats (CDF-1, -2), and the CDF-5 specification of PnetCDF.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::Value;

use crate::dataset::{DType, Dataset, Variable};
use crate::{Error, Result};

const DIMENSION: u32 = 0x0a;
const VARIABLE: u32 = 0x0b;
const ATTRIBUTE: u32 = 0x0c;
const BYTE: u32 = 1;
const CHAR: u32 = 2;
const INT: u32 = 4;
const FLOAT: u32 = 5;
const DOUBLE: u32 = 6;
const UBYTE: u32 = 7;
const INT64: u32 = 10;

/// Which variant is written.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    Offset64 = 2,
    Data64 = 5,
}

/// Writes a dataset as one NetCDF file.
///
/// # Errors
/// When a dimension has length 0 (the format keeps that for growing dimensions), or something cannot be read
/// or written.
pub fn write_netcdf(dataset: &Dataset, path: &Path) -> Result<()> {
    let mut dims: Vec<(&str, usize)> = Vec::new();
    for variable in dataset.variables() {
        for (dim, &len) in variable.dims.iter().zip(&variable.shape) {
            if len == 0 {
                let problem = format!("cannot be written as NetCDF: dimension `{dim}` has length 0");
                return Err(Error::invalid(dataset.path(), problem));
            }
            if !dims.iter().any(|(known, _)| known == dim) {
                dims.push((dim, len));
            }
        }
    }
    let version = version(dataset)?;
    // Offsets depend on the header's size, and the header has fixed-size offsets: write it twice.
    let size = header(dataset, &dims, version, 0).len();
    let header = header(dataset, &dims, version, size as u64);
    let file = File::create(path).map_err(Error::io("create", path))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    file.write_all(&header).map_err(Error::io("write", path))?;
    for (at, variable) in dataset.variables().iter().enumerate() {
        let narrow = version == Version::Offset64 && variable.dtype == DType::I64;
        dataset.pieces(at, |bytes| {
            let bytes = big_endian(bytes, variable.dtype, narrow);
            file.write_all(&bytes).map_err(Error::io("write", path))
        })?;
        let padding = (size_of(variable, version) - values_of(variable, version)) as usize;
        file.write_all(&[0; 4][..padding]).map_err(Error::io("write", path))?;
    }
    file.flush().map_err(Error::io("write", path))
}

fn version(dataset: &Dataset) -> Result<Version> {
    for (at, variable) in dataset.variables().iter().enumerate() {
        let large = variable.len() as u64 * variable.dtype.size() as u64 >= 1 << 31;
        if large || (variable.dtype == DType::I64 && needs_64_bits(dataset, at)?) {
            return Ok(Version::Data64);
        }
    }
    Ok(Version::Offset64)
}

/// Whether some of a variable's 64-bit integers are beyond 32 bits.
fn needs_64_bits(dataset: &Dataset, variable: usize) -> Result<bool> {
    let mut wide = false;
    dataset.pieces(variable, |bytes| {
        let mut numbers = bytes.as_chunks::<8>().0.iter().map(|raw| i64::from_le_bytes(*raw));
        wide |= numbers.any(|n| i32::try_from(n).is_err());
        Ok(())
    })?;
    Ok(wide)
}

fn nc_type(dtype: DType, version: Version) -> (u32, u64) {
    match (dtype, version) {
        (DType::U8, Version::Offset64) => (BYTE, 1),
        (DType::U8, Version::Data64) => (UBYTE, 1),
        (DType::I64, Version::Offset64) | (DType::I32, _) => (INT, 4),
        (DType::I64, Version::Data64) => (INT64, 8),
        (DType::F32, _) => (FLOAT, 4),
        (DType::F64, _) => (DOUBLE, 8),
    }
}

/// Bytes of a variable's values.
fn values_of(variable: &Variable, version: Version) -> u64 {
    variable.len() as u64 * nc_type(variable.dtype, version).1
}

/// Bytes of a variable in the file: a multiple of four.
fn size_of(variable: &Variable, version: Version) -> u64 {
    values_of(variable, version).next_multiple_of(4)
}

/// Little-endian elements as big-endian ones; 64-bit integers known to fit as 32-bit ones.
fn big_endian(bytes: &[u8], dtype: DType, narrow: bool) -> Vec<u8> {
    let mut swapped = Vec::with_capacity(bytes.len());
    for element in bytes.chunks_exact(dtype.size()) {
        let element = if narrow { &element[..4] } else { element };
        swapped.extend(element.iter().rev());
    }
    swapped
}

/// The header: dimensions, attributes of the dataset, variables with theirs. Values start at `begin`.
fn header(dataset: &Dataset, dims: &[(&str, usize)], version: Version, mut begin: u64) -> Vec<u8> {
    let mut out = Header { bytes: b"CDF".to_vec(), version };
    out.bytes.push(version as u8);
    out.count(0);
    out.list(DIMENSION, dims.len());
    for (name, len) in dims {
        out.name(name);
        out.count(*len as u64);
    }
    let attributes: Vec<(String, Value)> =
        dataset.attributes().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    out.attributes(&attributes);
    out.list(VARIABLE, dataset.variables().len());
    for variable in dataset.variables() {
        out.name(&variable.name);
        out.count(variable.dims.len() as u64);
        for dim in &variable.dims {
            // Found: the list has the dimensions of all variables.
            let id = dims.iter().position(|(name, _)| name == dim).unwrap_or(0);
            out.count(id as u64);
        }
        let mut attributes = vec![
            ("long_name".to_owned(), Value::from(variable.long_name.as_str())),
            ("units".to_owned(), Value::from(variable.units.as_str())),
        ];
        if nc_type(variable.dtype, version).0 == BYTE {
            attributes.push(("_Unsigned".to_owned(), "true".into()));
        }
        out.attributes(&attributes);
        out.word(nc_type(variable.dtype, version).0);
        out.count(size_of(variable, version));
        out.bytes.extend_from_slice(&begin.to_be_bytes());
        begin += size_of(variable, version);
    }
    out.bytes
}

struct Header {
    bytes: Vec<u8>,
    version: Version,
}

impl Header {
    fn word(&mut self, n: u32) {
        self.bytes.extend_from_slice(&n.to_be_bytes());
    }

    /// A number that is never negative: four bytes, or eight in the 64-bit data variant.
    fn count(&mut self, n: u64) {
        match self.version {
            // Fits: variables and dimensions of the 64-bit offset variant are below 2 GiB.
            Version::Offset64 => self.word(n as u32),
            Version::Data64 => self.bytes.extend_from_slice(&n.to_be_bytes()),
        }
    }

    fn list(&mut self, tag: u32, len: usize) {
        self.word(if len == 0 { 0 } else { tag });
        self.count(len as u64);
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        self.bytes.extend_from_slice(&[0; 4][..padding]);
    }

    fn name(&mut self, name: &str) {
        self.count(name.len() as u64);
        self.padded(name.as_bytes());
    }

    /// Numbers as doubles, everything else as text.
    fn attributes(&mut self, attributes: &[(String, Value)]) {
        let usable: Vec<&(String, Value)> = attributes
            .iter()
            .filter(|(name, value)| !name.is_empty() && value.as_str() != Some(""))
            .collect();
        self.list(ATTRIBUTE, usable.len());
        for (name, value) in usable {
            self.name(name);
            if let Some(number) = value.as_f64() {
                self.word(DOUBLE);
                self.count(1);
                self.bytes.extend_from_slice(&number.to_be_bytes());
                continue;
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.word(CHAR);
            self.count(text.len() as u64);
            self.padded(text.as_bytes());
        }
    }
}
