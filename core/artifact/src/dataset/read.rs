//! Reading datasets.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::zarr::{self, Layout};
use super::{DType, Element, Variable};
use crate::{Error, Result};

/// A dataset on disk. Opening one reads its metadata only.
#[derive(Clone, Debug)]
pub struct Dataset {
    path: PathBuf,
    attributes: Map<String, Value>,
    variables: Vec<Variable>,
    layouts: Vec<Layout>,
}

impl Dataset {
    /// Opens the dataset in a folder.
    ///
    /// # Errors
    /// When the folder cannot be read, or is not a dataset of the form described in this module.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let document = path.join(zarr::FILE);
        let text = fs::read(&document).map_err(|error| {
            if path.is_dir() && error.kind() == std::io::ErrorKind::NotFound {
                Error::invalid(path, format!("is not a dataset: it has no {}", zarr::FILE))
            } else {
                Error::io("read", &document)(error)
            }
        })?;
        let (attributes, layouts) = zarr::parse_group(path, &text)?;
        let variables = layouts.iter().map(|layout| layout.variable.clone()).collect();
        Ok(Self { path: path.to_owned(), attributes, variables, layouts })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its variables, sorted by name.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The variable of this name.
    ///
    /// # Errors
    /// When there is none; the error lists those there are.
    pub fn variable(&self, name: &str) -> Result<&Variable> {
        self.layout(name).map(|layout| &layout.variable)
    }

    /// The length of a dimension, if any variable has it.
    #[must_use]
    pub fn dim(&self, name: &str) -> Option<usize> {
        self.variables.iter().find_map(|v| {
            let at = v.dims.iter().position(|dim| dim == name)?;
            v.shape.get(at).copied()
        })
    }

    /// The attributes of the dataset as a whole, sorted by name.
    #[must_use]
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// All values of a variable, in C order: the last dimension varies fastest.
    ///
    /// # Errors
    /// When there is no such variable, when its elements are not of type `T`, or when a file cannot be read.
    pub fn read<T: Element>(&self, name: &str) -> Result<Vec<T>> {
        let rows = self.variable(name)?.rows();
        self.read_rows(name, 0..rows)
    }

    /// All values of a variable in double precision, whatever their type.
    ///
    /// # Errors
    /// When there is no such variable, or a file cannot be read.
    pub fn read_wide(&self, name: &str) -> Result<Vec<f64>> {
        fn wide<T: Into<f64>>(values: Vec<T>) -> Vec<f64> {
            values.into_iter().map(Into::into).collect()
        }
        Ok(match self.variable(name)?.dtype {
            DType::U8 => wide(self.read::<u8>(name)?),
            DType::I32 => wide(self.read::<i32>(name)?),
            DType::I64 => self.read::<i64>(name)?.into_iter().map(|v| v as f64).collect(),
            DType::F32 => wide(self.read::<f32>(name)?),
            DType::F64 => self.read::<f64>(name)?,
        })
    }

    /// The values of some rows of the first dimension, in C order. A scalar has one row.
    ///
    /// # Errors
    /// As [`Dataset::read`], and when the rows are not within the variable.
    pub fn read_rows<T: Element>(&self, name: &str, rows: Range<usize>) -> Result<Vec<T>> {
        let layout = self.layout(name)?;
        let variable = &layout.variable;
        check_type::<T>(variable)?;
        if rows.start > rows.end || rows.end > variable.rows() {
            return Err(Error::request(format!(
                "rows {rows:?} of variable `{name}` were asked for, which has {}",
                variable.rows()
            )));
        }
        let row_len = variable.row_len();
        let mut values = vec![T::zeroed(); rows.len() * row_len];
        if values.is_empty() {
            return Ok(values);
        }
        let mut rest: &mut [T] = &mut values;
        for chunk in rows.start / layout.chunk_rows..=(rows.end - 1) / layout.chunk_rows {
            let held = layout.chunk_range(chunk);
            let wanted = held.start.max(rows.start)..held.end.min(rows.end);
            let (part, after) = rest.split_at_mut(wanted.len() * row_len);
            rest = after;
            let path = self.chunk_path(layout, chunk);
            let skip = (wanted.start - held.start) * variable.row_bytes();
            read_at(&path, skip, bytemuck::cast_slice_mut(part)).map_err(Error::io("read", &path))?;
            if cfg!(target_endian = "big") {
                swap_bytes::<T>(part);
            }
        }
        Ok(values)
    }

    /// Hands over the values of a variable piece by piece: little-endian bytes of whole elements, in C order.
    pub(crate) fn pieces(&self, variable: usize, mut to: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        /// A multiple of the size of every element.
        const PIECE: usize = 1 << 20;
        let mut piece = vec![0; PIECE];
        for (path, mut left) in self.chunks(variable) {
            let mut file = File::open(&path).map_err(Error::io("read", &path))?;
            while left > 0 {
                let now = &mut piece[..left.min(PIECE)];
                file.read_exact(now).map_err(Error::io("read", &path))?;
                to(now)?;
                left -= now.len();
            }
        }
        Ok(())
    }

    /// For every chunk of a variable, in order: its file, and how many bytes at its start are values (the
    /// last chunk may be filled up).
    pub(crate) fn chunks(&self, variable: usize) -> impl Iterator<Item = (PathBuf, usize)> {
        let layout = &self.layouts[variable];
        (0..layout.chunks()).map(move |chunk| {
            let values = layout.chunk_range(chunk).len() * layout.variable.row_bytes();
            (self.chunk_path(layout, chunk), values)
        })
    }

    /// The bytes that every chunk file of a variable has.
    pub(crate) fn chunk_bytes(&self, variable: usize) -> usize {
        self.layouts[variable].chunk_bytes()
    }

    fn chunk_path(&self, layout: &Layout, chunk: usize) -> PathBuf {
        self.path.join(&layout.variable.name).join(layout.chunk_name(chunk))
    }

    fn layout(&self, name: &str) -> Result<&Layout> {
        let found = self.layouts.binary_search_by(|layout| layout.variable.name.as_str().cmp(name));
        found.map(|at| &self.layouts[at]).map_err(|_| Error::NoVariable {
            path: self.path.clone(),
            name: name.to_owned(),
            known: self.variables.iter().map(|v| v.name.clone()).collect(),
        })
    }
}

/// Says so when a variable's elements are not of type `T`.
pub(super) fn check_type<T: Element>(variable: &Variable) -> Result<()> {
    if variable.dtype == T::DTYPE {
        return Ok(());
    }
    let (actual, asked) = (variable.dtype.name(), T::DTYPE.name());
    Err(Error::ElementType { name: variable.name.clone(), actual, asked })
}

fn read_at(path: &Path, skip: usize, bytes: &mut [u8]) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    if skip > 0 {
        file.seek(SeekFrom::Start(skip as u64))?;
    }
    file.read_exact(bytes)
}

/// Turns little-endian elements into big-endian ones, or back.
pub(super) fn swap_bytes<T: Element>(values: &mut [T]) {
    fn swap<const N: usize>(bytes: &mut [u8]) {
        bytes.as_chunks_mut::<N>().0.iter_mut().for_each(|element| element.reverse());
    }
    let bytes = bytemuck::cast_slice_mut(values);
    match T::DTYPE.size() {
        4 => swap::<4>(bytes),
        8 => swap::<8>(bytes),
        // Of one byte.
        _ => {}
    }
}
