//! Reading of NumPy `.npz` and `.npy` files.
//!
//! An `.npz` is a ZIP archive of `.npy` members, stored or deflated. Numbers and booleans are read;
//! objects and strings are refused when asked for.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// A file that cannot be read as `.npz`.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// The file cannot be read at all.
    #[error("{path}: {source}")]
    File {
        /// Path of the file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The archive or a member is damaged or of a kind that is not read.
    #[error("{0}")]
    Format(String),
    /// There is no such array.
    #[error("there is no array `{name}` (the file has {have})")]
    Missing {
        /// Name asked for.
        name: String,
        /// Names in the file.
        have: String,
    },
}

fn format_error<T>(what: impl Into<String>) -> Result<T, NpzError> {
    Err(NpzError::Format(what.into()))
}

/// An array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Lengths of the axes; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub values: Vec<f64>,
}

/// The members of an archive.
#[derive(Debug, Clone)]
pub struct Npz {
    members: BTreeMap<String, Vec<u8>>,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<u64, NpzError> {
    match bytes.get(at..at + N) {
        Some(slice) => Ok(slice.iter().rev().fold(0, |sum, b| (sum << 8) | u64::from(*b))),
        None => format_error("the archive ends in the middle of a record"),
    }
}

impl Npz {
    /// Reads the archive at `path`.
    ///
    /// # Errors
    /// A file that cannot be read, or is no ZIP archive of stored or deflated members.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, NpzError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|source| NpzError::File { path: path.display().to_string(), source })?;
        Self::from_bytes(&bytes)
    }

    /// Reads an archive from memory.
    ///
    /// # Errors
    /// As [`Npz::open`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NpzError> {
        /// Length of the end record without its comment, and of its longest comment.
        const END: usize = 22;
        const COMMENT: usize = 65_535;
        let from = bytes.len().saturating_sub(END + COMMENT);
        let Some(end) =
            (from..=bytes.len().saturating_sub(END)).rev().find(|&i| bytes[i..].starts_with(b"PK\x05\x06"))
        else {
            return format_error("this is not an .npz file (no ZIP directory)");
        };
        let count = number::<2>(bytes, end + 10)?;
        let mut at = number::<4>(bytes, end + 16)? as usize;
        let mut members = BTreeMap::new();
        for _ in 0..count {
            if number::<4>(bytes, at)? != 0x0201_4b50 {
                return format_error("the ZIP directory is damaged");
            }
            let method = number::<2>(bytes, at + 10)?;
            let packed = number::<4>(bytes, at + 20)?;
            let length = number::<4>(bytes, at + 24)?;
            let name_length = number::<2>(bytes, at + 28)? as usize;
            let skip = number::<2>(bytes, at + 30)? as usize + number::<2>(bytes, at + 32)? as usize;
            let local = number::<4>(bytes, at + 42)?;
            if [packed, length, local].contains(&0xffff_ffff) {
                return format_error("archives of 4 GiB or more are not read");
            }
            let Some(name) = bytes.get(at + 46..at + 46 + name_length) else {
                return format_error("the ZIP directory is damaged");
            };
            let name = String::from_utf8_lossy(name).into_owned();
            at += 46 + name_length + skip;
            let data = member(bytes, local as usize, packed as usize, length, method)
                .map_err(|e| NpzError::Format(format!("member `{name}`: {e}")))?;
            members.insert(name.strip_suffix(".npy").map(str::to_owned).unwrap_or(name), data);
        }
        Ok(Self { members })
    }

    /// Names of the arrays.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Whether there is an array of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The array called `name`, its numbers as f64.
    ///
    /// # Errors
    /// No such array, or one that does not hold numbers or booleans.
    pub fn array(&self, name: &str) -> Result<Array, NpzError> {
        let Some(bytes) = self.members.get(name) else {
            let have = self.members.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
            return Err(NpzError::Missing { name: name.to_owned(), have });
        };
        parse_npy(bytes).map_err(|e| NpzError::Format(format!("array `{name}`: {e}")))
    }

    /// The array called `name` if it holds exactly one number.
    ///
    /// # Errors
    /// As [`Npz::array`], or more than one number.
    pub fn scalar(&self, name: &str) -> Result<f64, NpzError> {
        let array = self.array(name)?;
        match array.values.as_slice() {
            [value] => Ok(*value),
            values => format_error(format!("array `{name}` has {} values where one is needed", values.len())),
        }
    }
}

fn member(bytes: &[u8], local: usize, packed: usize, length: u64, method: u64) -> Result<Vec<u8>, NpzError> {
    if number::<4>(bytes, local)? != 0x0403_4b50 {
        return format_error("its header is damaged");
    }
    let start =
        local + 30 + number::<2>(bytes, local + 26)? as usize + number::<2>(bytes, local + 28)? as usize;
    let Some(data) = bytes.get(start..start + packed) else {
        return format_error("it is cut short");
    };
    match method {
        0 => Ok(data.to_vec()),
        8 => {
            let mut out = Vec::new();
            // One byte more than announced would show that the member is longer than it says.
            match flate2::read::DeflateDecoder::new(data).take(length + 1).read_to_end(&mut out) {
                Ok(n) if n as u64 == length => Ok(out),
                Ok(_) => format_error("its length is not the announced one"),
                Err(e) => format_error(format!("it cannot be inflated ({e})")),
            }
        }
        other => format_error(format!("compression method {other} is not read")),
    }
}

/// Reads one `.npy` (format versions 1 to 3).
fn parse_npy(bytes: &[u8]) -> Result<Array, NpzError> {
    if !bytes.starts_with(b"\x93NUMPY") {
        return format_error("this is not in .npy format");
    }
    let (length, start) = match bytes.get(6) {
        Some(1) => (number::<2>(bytes, 8)? as usize, 10),
        Some(2 | 3) => (number::<4>(bytes, 8)? as usize, 12),
        _ => return format_error("unknown .npy version"),
    };
    let Some(header) = bytes.get(start..start + length) else {
        return format_error("the .npy header is cut short");
    };
    let header = String::from_utf8_lossy(header).into_owned();
    let after = |key: &str| header.find(key).map(|i| header[i + key.len()..].trim_start_matches([':', ' ']));
    let kind = after("'descr'").and_then(|s| s.strip_prefix('\'')).and_then(|s| s.split('\'').next());
    let fortran = after("'fortran_order'").is_some_and(|s| s.starts_with("True"));
    let shape = after("'shape'").and_then(|s| s.strip_prefix('(')).and_then(|s| s.split(')').next());
    let (Some(kind), Some(shape)) = (kind, shape) else {
        return format_error("the .npy header is not understood");
    };
    let mut axes = Vec::new();
    for part in shape.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        match part.parse::<usize>() {
            Ok(n) => axes.push(n),
            Err(_) => return format_error(format!("`{part}` is not a length")),
        }
    }
    let data = &bytes[start + length..];
    let values: Vec<f64> = match kind {
        "<f8" => decode(data, f64::from_le_bytes),
        "<f4" => decode(data, |b| f64::from(f32::from_le_bytes(b))),
        "<i8" => decode(data, |b| i64::from_le_bytes(b) as f64),
        "<u8" => decode(data, |b| u64::from_le_bytes(b) as f64),
        "<i4" => decode(data, |b| f64::from(i32::from_le_bytes(b))),
        "<u4" => decode(data, |b| f64::from(u32::from_le_bytes(b))),
        "<i2" => decode(data, |b| f64::from(i16::from_le_bytes(b))),
        "<u2" => decode(data, |b| f64::from(u16::from_le_bytes(b))),
        "|i1" => decode(data, |b: [u8; 1]| f64::from(i8::from_le_bytes(b))),
        "|u1" | "|b1" => decode(data, |b: [u8; 1]| f64::from(b[0])),
        other => return format_error(format!("values of type `{other}` are not read")),
    };
    let expected = axes.iter().try_fold(1usize, |n, a| n.checked_mul(*a));
    if expected != Some(values.len()) {
        return format_error(format!("{} values do not fill the shape {axes:?}", values.len()));
    }
    Ok(Array { values: if fortran { row_major(&values, &axes) } else { values }, shape: axes })
}

fn decode<const N: usize>(data: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    data.as_chunks::<N>().0.iter().map(|chunk| f(*chunk)).collect()
}

/// Column-major values in row-major order.
fn row_major(values: &[f64], shape: &[usize]) -> Vec<f64> {
    let mut out = Vec::with_capacity(values.len());
    for flat in 0..values.len() {
        let (mut rest, mut index, mut stride) = (flat, 0, values.len());
        // Walk the axes from the last: its row-major stride is 1, its column-major one the largest.
        for &n in shape.iter().rev() {
            stride /= n;
            index += rest % n * stride;
            rest /= n;
        }
        out.push(values[index]);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn npy(kind: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut out = b"\x93NUMPY\x01\x00".to_vec();
        out.extend((header.len() as u16).to_le_bytes());
        out.extend(header.as_bytes());
        out.extend(data);
        out
    }

    #[test]
    fn reads_shapes_types_and_orders() {
        let data: Vec<u8> = [1i32, 2, 3, 4, 5, 6].iter().flat_map(|v| v.to_le_bytes()).collect();
        let array = parse_npy(&npy("<i4", false, "(2, 3)", &data)).unwrap();
        assert_eq!(
            (array.shape.as_slice(), array.values.as_slice()),
            ([2, 3].as_slice(), [1., 2., 3., 4., 5., 6.].as_slice())
        );
        let array = parse_npy(&npy("<i4", true, "(2, 3)", &data)).unwrap();
        assert_eq!(array.values, [1., 3., 5., 2., 4., 6.]);
        let scalar = parse_npy(&npy("|b1", false, "()", &[1])).unwrap();
        assert_eq!((scalar.shape.len(), scalar.values[0]), (0, 1.0));
    }

    #[test]
    fn damaged_files_are_refused() {
        assert!(matches!(Npz::from_bytes(b"hello"), Err(NpzError::Format(_))));
        let cut = npy("<f8", false, "(2,)", &[0; 9]);
        assert!(parse_npy(&cut).unwrap_err().to_string().contains("do not fill"));
        assert!(parse_npy(&npy("|O", false, "()", &[])).is_err());
    }
}
