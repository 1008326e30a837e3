//! From rows in a file to values of a dataset's types.

use std::io::{self, Read};
use std::path::PathBuf;

use super::numbers::Numbers;
use super::piece::Piece;
use super::{Error, Result};
use crate::dataset::{DType, Values, Variable};

/// So many bytes are read at once where the form leaves the choice: what the cache of a core holds.
const PIECE: usize = 1 << 20;

/// What has to be held whole may have so many bytes: a row, a chunk, an array in Fortran order.
pub(super) const LARGEST: usize = 2 << 30;

/// What is known of an array before its values are read.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file, for messages.
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) dims: Option<Vec<String>>,
    pub(super) shape: Vec<usize>,
    pub(super) units: Option<String>,
    pub(super) long_name: Option<String>,
    pub(super) numbers: Numbers,
    pub(super) packing: Packing,
    /// Why its values cannot be read, as the end of a sentence.
    pub(super) problem: Option<String>,
}

/// How numbers stand for others, by the conventions for NetCDF.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Packing {
    pub(super) scale: Option<f64>,
    pub(super) offset: Option<f64>,
    /// Stands for no value.
    pub(super) missing: Option<f64>,
}

/// Takes pieces of an array: some rows each. Values that it does not take out are overwritten by the next.
pub(super) type Sink<'a> = &'a mut dyn FnMut(&mut Values) -> Result<()>;

impl Packing {
    pub(super) fn is_packed(self) -> bool {
        self.scale.is_some() || self.offset.is_some()
    }

    pub(super) fn unpack(self, value: f64) -> f64 {
        if self.missing == Some(value) {
            return f64::NAN;
        }
        value * self.scale.unwrap_or(1.0) + self.offset.unwrap_or(0.0)
    }
}

impl Source {
    pub(super) fn invalid(&self, problem: &str) -> Error {
        Error::invalid(&self.path, format!("has an array `{}` {problem}", self.name))
    }

    /// The array as a variable of a dataset.
    pub(super) fn variable(&self) -> Variable {
        let dims = match &self.dims {
            Some(dims) => dims.clone(),
            None => (0..self.shape.len()).map(|at| format!("{}_{at}", self.name)).collect(),
        };
        Variable {
            name: self.name.clone(),
            dtype: if self.packing.is_packed() { DType::F64 } else { self.numbers.dtype() },
            dims,
            shape: self.shape.clone(),
            units: self.units.clone().unwrap_or_else(|| "1".to_owned()),
            long_name: self.long_name.clone().unwrap_or_default(),
        }
    }

    /// The bytes of one row. An error if the shape is one that cannot be.
    pub(super) fn row_bytes(&self) -> Result<usize> {
        let all = self.shape.iter().try_fold(self.numbers.size(), |all, n| all.checked_mul((*n).max(1)));
        // As a dataset it may take twice or four times the space.
        match all.and_then(|all| all.checked_mul(8)) {
            Some(_) => Ok(self.shape.iter().skip(1).product::<usize>() * self.numbers.size()),
            None => Err(self.invalid("of an impossible size")),
        }
    }

    /// How many rows to ask for at once.
    pub(super) fn rows_at_once(&self) -> Result<usize> {
        Ok((PIECE / self.row_bytes()?.max(1)).max(1))
    }

    /// Hands over all values: `next` puts the bytes of the next so many rows into a piece.
    pub(super) fn stream(
        &self,
        at_once: usize,
        mut next: impl FnMut(usize, &mut Piece) -> Result<()>,
        to: Sink<'_>,
    ) -> Result<()> {
        if self.shape.contains(&0) {
            return Ok(());
        }
        let row_bytes = self.row_bytes()?;
        if row_bytes > LARGEST {
            return Err(self.invalid(&format!(
                "with rows of {:.1} GiB along its first dimension, each of which would be held whole; up to 2 GiB are \
                 read: give it another shape",
                row_bytes as f64 / (1_u64 << 30) as f64
            )));
        }
        let mut piece = Piece::new(self.numbers, self.packing);
        let mut left = self.shape.first().copied().unwrap_or(1);
        while left > 0 {
            let rows = left.min(at_once);
            next(rows, &mut piece)?;
            let too_large = |n| self.invalid(&format!("with the number {n}, which is too large"));
            to(piece.values().map_err(too_large)?)?;
            left -= rows;
        }
        Ok(())
    }

    /// Hands over all values that stand one after the other in `from`: in C order, or in Fortran order.
    pub(super) fn stream_from(&self, mut from: impl Read, fortran: bool, to: Sink<'_>) -> Result<()> {
        if fortran && self.shape.len() > 1 {
            let all = self.rest(&mut from, true)?;
            return self.stream_from(&all[..], false, to);
        }
        let row = self.row_bytes()?;
        let next = |rows: usize, piece: &mut Piece| {
            piece.read(rows * row, &mut from).map_err(|error| self.failed(error))
        };
        self.stream(self.rows_at_once()?, next, to)
    }

    /// What to say when values could not be read.
    pub(super) fn failed(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return self.invalid("that is cut short");
        }
        Error::io("read", &self.path)(error)
    }

    /// All values in C order.
    pub(super) fn rest(&self, from: &mut impl Read, fortran: bool) -> Result<Vec<u8>> {
        let size = self.row_bytes()? * self.shape.first().copied().unwrap_or(1);
        if fortran && size > LARGEST {
            return Err(self.invalid(
                "of more than 2 GiB in Fortran order, which cannot be read row by row; write it in C order, \
                 `numpy.save(path, numpy.ascontiguousarray(array))`",
            ));
        }
        let mut bytes = Vec::new();
        let read = from.take(size as u64).read_to_end(&mut bytes);
        read.map_err(Error::io("read", &self.path))?;
        if bytes.len() != size {
            return Err(self.invalid("that is cut short"));
        }
        Ok(if fortran { c_order(&bytes, &self.shape, self.numbers.size()) } else { bytes })
    }
}

/// Elements in Fortran order (the first axis fastest) in C order.
fn c_order(bytes: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for flat in 0..bytes.len() / size {
        let (mut rest, mut index, mut stride) = (flat, 0, bytes.len() / size);
        // Walk the axes from the last: its stride in C order is 1, in Fortran order the largest.
        for &n in shape.iter().rev() {
            stride /= n;
            index += rest % n * stride;
            rest /= n;
        }
        out.extend_from_slice(&bytes[index * size..(index + 1) * size]);
    }
    out
}
