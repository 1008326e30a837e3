//! From rows in a file to values of a dataset's types.

use std::io::Read;
use std::path::PathBuf;

use super::numbers::Numbers;
use super::{Error, Result};
use crate::dataset::{DType, Values, Variable};

/// So many bytes are held at once where the form leaves the choice.
const PIECE: usize = 8 << 20;

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

/// Takes pieces of an array: some rows each.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Values) -> Result<()>;

impl Packing {
    pub(super) fn is_packed(self) -> bool {
        self.scale.is_some() || self.offset.is_some()
    }

    fn unpack(self, value: f64) -> f64 {
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

    /// Hands over all values: `next` gives the bytes of the next so many rows.
    pub(super) fn stream(
        &self,
        at_once: usize,
        mut next: impl FnMut(usize) -> Result<Vec<u8>>,
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
        let mut left = self.shape.first().copied().unwrap_or(1);
        while left > 0 {
            let rows = left.min(at_once);
            let bytes = next(rows)?;
            if bytes.len() != rows * row_bytes {
                return Err(self.invalid("that is cut short"));
            }
            to(self.values(&bytes)?)?;
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
        let next = |rows: usize| {
            let mut bytes = Vec::new();
            // Not taken at its word: what is not there takes no memory.
            let read = from.by_ref().take((rows * row) as u64).read_to_end(&mut bytes);
            read.map_err(Error::io("read", &self.path))?;
            Ok(bytes)
        };
        self.stream(self.rows_at_once()?, next, to)
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

    /// Numbers of the file as the values that they stand for.
    fn values(&self, bytes: &[u8]) -> Result<Values> {
        let (numbers, packing) = (self.numbers, self.packing);
        if packing.is_packed() {
            return Ok(Values::F64(
                numbers.doubles(bytes).into_iter().map(|value| packing.unpack(value)).collect(),
            ));
        }
        let missing = packing.missing.filter(|missing| !missing.is_nan());
        Ok(match numbers.dtype() {
            DType::U8 => Values::U8(numbers.u8s(bytes)),
            DType::I32 => Values::I32(numbers.i32s(bytes)),
            DType::I64 => Values::I64(numbers.i64s(bytes).map_err(|n| self.too_large(n))?),
            DType::F32 => {
                let mut values = numbers.f32s(bytes);
                if let Some(missing) = missing {
                    let missing = missing as f32;
                    values.iter_mut().filter(|v| **v == missing).for_each(|v| *v = f32::NAN);
                }
                Values::F32(values)
            }
            DType::F64 => {
                let mut values = numbers.doubles(bytes);
                if let Some(missing) = missing {
                    values.iter_mut().filter(|v| **v == missing).for_each(|v| *v = f64::NAN);
                }
                Values::F64(values)
            }
        })
    }

    fn too_large(&self, number: u64) -> Error {
        self.invalid(&format!("with the number {number}, which is too large"))
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
