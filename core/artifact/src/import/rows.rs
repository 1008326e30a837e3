//! From rows in a file to rows of a dataset.

use std::path::Path;

use super::numbers::Numbers;
use crate::dataset::{DType, DatasetWriter, Element, Variable};
use crate::{Error, Result};

/// So many bytes are held at once where the form leaves the choice.
const PIECE: usize = 8 << 20;

/// What is known of an array before its values are read.
pub(super) struct Source<'a> {
    /// The file, for messages.
    pub(super) path: &'a Path,
    pub(super) name: String,
    pub(super) dims: Option<Vec<String>>,
    pub(super) shape: Vec<usize>,
    pub(super) units: Option<String>,
    pub(super) long_name: Option<String>,
    pub(super) numbers: Numbers,
    pub(super) packing: Packing,
}

/// How numbers stand for others, by the conventions for NetCDF.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Packing {
    pub(super) scale: Option<f64>,
    pub(super) offset: Option<f64>,
    /// Stands for no value.
    pub(super) missing: Option<f64>,
}

impl Packing {
    fn is_packed(self) -> bool {
        self.scale.is_some() || self.offset.is_some()
    }

    fn unpack(self, value: f64) -> f64 {
        if self.missing == Some(value) {
            return f64::NAN;
        }
        value * self.scale.unwrap_or(1.0) + self.offset.unwrap_or(0.0)
    }
}

impl Source<'_> {
    pub(super) fn invalid(&self, problem: &str) -> Error {
        Error::invalid(self.path, format!("has an array `{}` {problem}", self.name))
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

    /// Writes the variable: `next` gives the bytes of the next so many rows.
    pub(super) fn write(
        &self,
        writer: &mut DatasetWriter,
        at_once: usize,
        next: impl FnMut(usize) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let (numbers, packing) = (self.numbers, self.packing);
        let float = matches!(numbers.dtype(), DType::F32 | DType::F64);
        if packing.is_packed() {
            let unpack = |bytes: &[u8]| {
                Ok(numbers.doubles(bytes).into_iter().map(|value| packing.unpack(value)).collect())
            };
            return self.copy::<f64>(writer, at_once, next, unpack);
        }
        let missing = packing.missing.filter(|missing| float && !missing.is_nan());
        match numbers.dtype() {
            DType::U8 => self.copy(writer, at_once, next, |bytes| Ok(numbers.u8s(bytes))),
            DType::I32 => self.copy(writer, at_once, next, |bytes| Ok(numbers.i32s(bytes))),
            DType::I64 => self.copy(writer, at_once, next, |bytes| {
                numbers
                    .i64s(bytes)
                    .map_err(|n| self.invalid(&format!("with the number {n}, which is too large")))
            }),
            DType::F32 => self.copy(writer, at_once, next, |bytes| {
                let mut values = numbers.f32s(bytes);
                if let Some(missing) = missing {
                    let missing = missing as f32;
                    values.iter_mut().filter(|v| **v == missing).for_each(|v| *v = f32::NAN);
                }
                Ok(values)
            }),
            DType::F64 => self.copy(writer, at_once, next, |bytes| {
                let mut values = numbers.doubles(bytes);
                if let Some(missing) = missing {
                    values.iter_mut().filter(|v| **v == missing).for_each(|v| *v = f64::NAN);
                }
                Ok(values)
            }),
        }
    }

    fn copy<T: Element>(
        &self,
        writer: &mut DatasetWriter,
        at_once: usize,
        mut next: impl FnMut(usize) -> Result<Vec<u8>>,
        values: impl Fn(&[u8]) -> Result<Vec<T>>,
    ) -> Result<()> {
        let row_bytes = self.row_bytes()?;
        let dims = match &self.dims {
            Some(dims) => dims.clone(),
            None => (0..self.shape.len()).map(|at| format!("{}_{at}", self.name)).collect(),
        };
        let variable = Variable {
            name: self.name.clone(),
            dtype: T::DTYPE,
            dims,
            shape: self.shape.clone(),
            units: self.units.clone().unwrap_or_else(|| "1".to_owned()),
            long_name: self.long_name.clone().unwrap_or_default(),
        };
        if variable.is_empty() {
            return writer.write::<T>(&variable, &[]);
        }
        if variable.dims.is_empty() {
            return writer.write(&variable, &values(&next(1)?)?);
        }
        let mut stream = writer.stream::<T>(&variable)?;
        let mut left = variable.rows();
        while left > 0 {
            let rows = left.min(at_once);
            let bytes = next(rows)?;
            if bytes.len() != rows * row_bytes {
                return Err(self.invalid("that is cut short"));
            }
            writer.append(&mut stream, &values(&bytes)?)?;
            left -= rows;
        }
        Ok(())
    }
}
