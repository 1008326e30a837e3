//! Datasets: named arrays with dimensions and units.
//!
//! On disk a dataset is a [Zarr v3] group: little-endian, uncompressed, chunked along the first dimension
//! only, with dimension names and consolidated metadata. So `xarray.open_zarr` opens it, and every chunk is a
//! plain file of numbers.
//!
//! ```
//! # fn main() -> flow_artifact::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("flow-doc-{}", std::process::id()));
//! # let _ = std::fs::remove_dir_all(&folder);
//! use flow_artifact::{Dataset, DatasetWriter, Variable};
//! let mut writer = DatasetWriter::create(&folder)?;
//! let time = Variable::new::<f64>("time", &["time"], &[3], "s", "Time since the start");
//! writer.write(&time, &[0.0, 0.5, 1.0])?;
//! let height = Variable::new::<f32>("height", &["sample", "time"], &[0, 3], "m", "Height");
//! let mut stream = writer.stream::<f32>(&height)?; // as many samples as will be appended
//! writer.append::<f32>(&mut stream, &[1.0, 2.0, 3.0])?;
//! writer.append::<f32>(&mut stream, &[4.0, 5.0, 6.0])?;
//! writer.finish()?;
//!
//! let dataset = Dataset::open(&folder)?;
//! assert_eq!(dataset.dim("sample"), Some(2));
//! assert_eq!(dataset.read_rows::<f32>("height", 1..2)?, [4.0, 5.0, 6.0]);
//! # std::fs::remove_dir_all(&folder).map_err(|_| ()).unwrap_or(());
//! # Ok(()) }
//! ```
//!
//! [Zarr v3]: https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html

mod columns;
mod read;
mod statistics;
#[cfg(test)]
mod tests;
mod values;
mod write;
mod zarr;

use std::fmt;

pub use columns::Columns;
pub use read::Dataset;
pub use statistics::Statistics;
pub use values::Values;
pub use write::{DatasetWriter, Stream};

/// The largest chunk in bytes. A single row that is larger is a chunk by itself.
const CHUNK_BYTES: usize = 64 << 20;

/// The type of a variable's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DType {
    /// Unsigned 8-bit integers, also used for masks.
    U8,
    /// Signed 32-bit integers.
    I32,
    /// Signed 64-bit integers.
    I64,
    /// Single-precision floating point.
    F32,
    /// Double-precision floating point.
    F64,
}

impl DType {
    /// Every element type.
    pub const ALL: [Self; 5] = [Self::U8, Self::I32, Self::I64, Self::F32, Self::F64];

    /// The name used in port declarations and messages: `u8`, `i32`, `i64`, `f32` or `f64`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// Bytes an element takes.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that a variable's elements can have.
pub trait Element: bytemuck::Pod + Send + Sync + fmt::Debug {
    /// Its name among the [`DType`]s.
    const DTYPE: DType;

    /// The value as a double (64-bit integers are rounded).
    fn as_f64(self) -> f64;
}

macro_rules! element {
    ($($rust:ty => $dtype:ident),*) => {$(
        impl Element for $rust {
            const DTYPE: DType = DType::$dtype;

            fn as_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}

element!(u8 => U8, i32 => I32, i64 => I64, f32 => F32, f64 => F64);

/// An array of a dataset: everything but its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// The names of its dimensions, slowest first.
    pub dims: Vec<String>,
    /// Its length along each dimension.
    pub shape: Vec<usize>,
    /// Its units, in the documented subset of UCUM; `1` for a dimensionless number.
    pub units: String,
    /// What it is, for axis labels and people.
    pub long_name: String,
}

impl Variable {
    /// A variable with elements of type `T`. An empty `dims` makes a scalar.
    #[must_use]
    pub fn new<T: Element>(name: &str, dims: &[&str], shape: &[usize], units: &str, long_name: &str) -> Self {
        Self {
            name: name.to_owned(),
            dtype: T::DTYPE,
            dims: dims.iter().map(|&dim| dim.to_owned()).collect(),
            shape: shape.to_vec(),
            units: units.to_owned(),
            long_name: long_name.to_owned(),
        }
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of the first dimension; 1 for a scalar.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Elements in one row of the first dimension.
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Bytes in one row of the first dimension.
    fn row_bytes(&self) -> usize {
        self.row_len() * self.dtype.size()
    }
}
