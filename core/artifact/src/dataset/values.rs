//! Values whose element type is known only when the program runs.

use std::ops::Range;

use super::read::swap_bytes;
use super::{DType, Dataset, DatasetWriter, Element, Stream, Variable};
use crate::Result;

/// Values of a variable, or of some of its rows, in C order.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Unsigned 8-bit integers.
    U8(Vec<u8>),
    /// Signed 32-bit integers.
    I32(Vec<i32>),
    /// Signed 64-bit integers.
    I64(Vec<i64>),
    /// Single-precision floating point.
    F32(Vec<f32>),
    /// Double-precision floating point.
    F64(Vec<f64>),
}

/// One arm for every element type: `each!(values, v => v.len())`.
macro_rules! each {
    ($values:expr, $v:ident => $arm:expr) => {
        match $values {
            Values::U8($v) => $arm,
            Values::I32($v) => $arm,
            Values::I64($v) => $arm,
            Values::F32($v) => $arm,
            Values::F64($v) => $arm,
        }
    };
}

macro_rules! from {
    ($($rust:ty => $name:ident),*) => {$(
        impl From<Vec<$rust>> for Values {
            fn from(values: Vec<$rust>) -> Self {
                Self::$name(values)
            }
        }
    )*};
}

from!(u8 => U8, i32 => I32, i64 => I64, f32 => F32, f64 => F64);

impl Values {
    /// No values of a type.
    #[must_use]
    pub fn none(dtype: DType) -> Self {
        match dtype {
            DType::U8 => Self::U8(Vec::new()),
            DType::I32 => Self::I32(Vec::new()),
            DType::I64 => Self::I64(Vec::new()),
            DType::F32 => Self::F32(Vec::new()),
            DType::F64 => Self::F64(Vec::new()),
        }
    }

    /// These values, and none left here.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let none = Self::none(self.dtype());
        std::mem::replace(self, none)
    }

    /// Removes all; the memory stays.
    pub(crate) fn clear(&mut self) {
        each!(self, v => v.clear());
    }

    /// So many bytes of values, as they are in memory. What they are before has no meaning.
    pub(crate) fn bytes_mut(&mut self, bytes: usize) -> &mut [u8] {
        fn of<T: Element>(values: &mut Vec<T>, bytes: usize) -> &mut [u8] {
            let count = bytes / size_of::<T>();
            if values.capacity() == 0 {
                // Asked for as zeros, which the system need not write.
                *values = vec![T::zeroed(); count];
            } else {
                values.resize(count, T::zeroed());
            }
            bytemuck::cast_slice_mut(values)
        }
        each!(self, v => of(v, bytes))
    }

    /// Turns the bytes of each value around.
    pub(crate) fn swap_bytes(&mut self) {
        each!(self, v => swap_bytes(v));
    }

    /// Their type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        match self {
            Self::U8(_) => DType::U8,
            Self::I32(_) => DType::I32,
            Self::I64(_) => DType::I64,
            Self::F32(_) => DType::F32,
            Self::F64(_) => DType::F64,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        each!(self, v => v.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All in double precision; 64-bit integers are rounded.
    #[must_use]
    pub fn doubles(&self) -> Vec<f64> {
        each!(self, v => v.iter().map(|v| v.as_f64()).collect())
    }

    /// The elements at these places, in this order.
    ///
    /// # Panics
    /// When there is no such place.
    #[must_use]
    pub fn pick(&self, places: impl Iterator<Item = usize>) -> Self {
        each!(self, v => places.map(|at| v[at]).collect::<Vec<_>>().into())
    }

    /// All values as a type that holds each of them. Rounding to single precision is not an error; an integer
    /// that is cut, and a number that is no integer where one is needed, is.
    ///
    /// # Errors
    /// The first value that the type does not hold.
    pub fn cast(self, to: DType) -> Result<Self, f64> {
        if self.dtype() == to {
            return Ok(self);
        }
        /// 2⁶³: from here on the conversion would saturate.
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        fn integers<T: TryFrom<i64>>(values: &Values) -> Result<Vec<T>, f64> {
            let one = |n: i64| T::try_from(n).map_err(|_| n as f64);
            match values {
                Values::U8(v) => v.iter().map(|n| one(i64::from(*n))).collect(),
                Values::I32(v) => v.iter().map(|n| one(i64::from(*n))).collect(),
                Values::I64(v) => v.iter().map(|n| one(*n)).collect(),
                floats => floats
                    .doubles()
                    .into_iter()
                    .map(|x| if x.fract() == 0.0 && x.abs() < LIMIT { one(x as i64) } else { Err(x) })
                    .collect(),
            }
        }
        Ok(match to {
            DType::U8 => Self::U8(integers(&self)?),
            DType::I32 => Self::I32(integers(&self)?),
            DType::I64 => Self::I64(integers(&self)?),
            DType::F32 => Self::F32(self.doubles().into_iter().map(|x| x as f32).collect()),
            DType::F64 => Self::F64(self.doubles()),
        })
    }
}

impl Dataset {
    /// The values of some rows of the first dimension, whatever their type. A scalar has one row.
    ///
    /// # Errors
    /// When there is no such variable, the rows are not within it, or a file cannot be read.
    pub fn read_values(&self, name: &str, rows: Range<usize>) -> Result<Values> {
        Ok(match self.variable(name)?.dtype {
            DType::U8 => Values::U8(self.read_rows(name, rows)?),
            DType::I32 => Values::I32(self.read_rows(name, rows)?),
            DType::I64 => Values::I64(self.read_rows(name, rows)?),
            DType::F32 => Values::F32(self.read_rows(name, rows)?),
            DType::F64 => Values::F64(self.read_rows(name, rows)?),
        })
    }
}

impl DatasetWriter {
    /// Writes a variable with all its values: [`DatasetWriter::write`] for values of any type.
    ///
    /// # Errors
    /// As there.
    pub fn write_values(&mut self, variable: &Variable, values: &Values) -> Result<()> {
        each!(values, v => self.write(variable, v))
    }

    /// Starts a variable whose rows come one after the other, of the type that it says:
    /// [`DatasetWriter::stream`].
    ///
    /// # Errors
    /// As there.
    pub fn stream_values(&mut self, variable: &Variable) -> Result<Stream> {
        match variable.dtype {
            DType::U8 => self.stream::<u8>(variable),
            DType::I32 => self.stream::<i32>(variable),
            DType::I64 => self.stream::<i64>(variable),
            DType::F32 => self.stream::<f32>(variable),
            DType::F64 => self.stream::<f64>(variable),
        }
    }

    /// Appends whole rows: [`DatasetWriter::append`].
    ///
    /// # Errors
    /// As there.
    pub fn append_values(&mut self, stream: &mut Stream, rows: &Values) -> Result<()> {
        each!(rows, v => self.append(stream, v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_keeps_every_value_or_names_one() {
        let wide = Values::I64(vec![1, 300]);
        assert_eq!(wide.clone().cast(DType::I32), Ok(Values::I32(vec![1, 300])));
        assert_eq!(wide.clone().cast(DType::U8), Err(300.0));
        assert_eq!(wide.cast(DType::F32), Ok(Values::F32(vec![1.0, 300.0])));
        assert_eq!(Values::F64(vec![2.0, 2.5]).cast(DType::I32), Err(2.5));
        assert!(Values::F64(vec![f64::NAN]).cast(DType::I64).is_err());
        assert!(Values::F64(vec![1e300]).cast(DType::I64).is_err());
        // The largest double below 2⁶³ is one, 2⁶³ is none.
        assert!(Values::F64(vec![9_223_372_036_854_775_808.0]).cast(DType::I64).is_err());
        let big = i64::MAX - 1;
        assert_eq!(Values::I64(vec![big]).cast(DType::I64), Ok(Values::I64(vec![big])));
    }

    #[test]
    fn elements_are_picked_in_the_order_asked_for() {
        assert_eq!(Values::F32(vec![1.0, 2.0, 3.0]).pick([2, 0].into_iter()), Values::F32(vec![3.0, 1.0]));
    }
}
