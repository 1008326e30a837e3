//! Writing datasets.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::read::{check_type, swap_bytes};
use super::zarr::{self, Layout};
use super::{CHUNK_BYTES, Element, Variable};
use crate::json::sorted;
use crate::{Error, Result};

/// Writes a dataset into a new folder. Until [`DatasetWriter::finish`] it does not open as one.
pub struct DatasetWriter {
    path: PathBuf,
    attributes: Map<String, Value>,
    arrays: Vec<Array>,
    chunk_bytes: usize,
}

/// A variable that is written row by row: made by [`DatasetWriter::stream`].
#[derive(Debug)]
pub struct Stream(usize);

/// A variable being written. Its shape grows as rows come.
struct Array {
    layout: Layout,
    /// The chunk being written, once rows have come.
    file: Option<File>,
}

impl DatasetWriter {
    /// Starts a dataset at a path at which nothing exists yet, in a folder that exists.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        fs::create_dir(path).map_err(Error::io("create", path))?;
        Ok(Self {
            path: path.to_owned(),
            attributes: Map::new(),
            arrays: Vec::new(),
            chunk_bytes: CHUNK_BYTES,
        })
    }

    /// Lets chunks have at most so many bytes (but always one row). The content digest does not depend on it.
    #[must_use]
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes.clamp(1, CHUNK_BYTES);
        self
    }

    /// Sets an attribute of the dataset as a whole.
    pub fn attribute(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// Writes a variable with all its values, in C order: the last dimension varies fastest.
    ///
    /// # Errors
    /// When the number or type of the values is not the variable's, when the variable cannot be (a second one
    /// of the same name, a name that is not allowed, other dimensions than lengths), or when a file cannot be
    /// written.
    pub fn write<T: Element>(&mut self, variable: &Variable, values: &[T]) -> Result<()> {
        let size = variable.shape.iter().try_fold(1_usize, |all, &n| all.checked_mul(n));
        if size != Some(values.len()) {
            return Err(Error::request(format!(
                "variable `{}` has shape {:?}, but {} values were given",
                variable.name,
                variable.shape,
                values.len()
            )));
        }
        // As many chunks as are needed, all of nearly the same length.
        let (rows, most) = (variable.rows(), self.most_rows(variable));
        let chunk_rows = match rows.div_ceil(most) {
            0 | 1 => rows.max(1),
            chunks => whole_pages(rows.div_ceil(chunks), most, variable.row_bytes()),
        };
        let stream = self.start::<T>(variable, chunk_rows)?;
        if variable.dims.is_empty() {
            return self.scalar(&stream, values);
        }
        if variable.row_len() == 0 {
            self.arrays[stream.0].layout.variable.shape[0] = variable.shape[0];
            return Ok(());
        }
        self.push(&stream, values)
    }

    /// Starts a variable whose rows come one after the other. `shape[0]` is ignored: the length is the number
    /// of rows appended until [`DatasetWriter::finish`].
    ///
    /// # Errors
    /// When the variable cannot be, as for [`DatasetWriter::write`], or is a scalar.
    pub fn stream<T: Element>(&mut self, variable: &Variable) -> Result<Stream> {
        if variable.dims.is_empty() {
            return Err(Error::request(format!(
                "variable `{}` is a scalar: it has no rows to append",
                variable.name
            )));
        }
        let most = self.most_rows(variable);
        self.start::<T>(variable, whole_pages(most, most, variable.row_bytes()))
    }

    /// Appends one row or several, in C order.
    ///
    /// # Errors
    /// When the values are not of the variable's type, do not make up whole rows, or cannot be written.
    pub fn append<T: Element>(&mut self, stream: &mut Stream, rows: &[T]) -> Result<()> {
        let variable = &self.array(stream)?.layout.variable;
        check_type::<T>(variable)?;
        let row_len = variable.row_len();
        if row_len == 0 || !rows.len().is_multiple_of(row_len) {
            return Err(Error::request(format!(
                "{} values are not whole rows of variable `{}`, which has {row_len} values in a row",
                rows.len(),
                variable.name
            )));
        }
        self.push(stream, rows)
    }

    /// Completes the dataset: writes its metadata.
    ///
    /// # Errors
    /// When dimensions of one name have different lengths, or when a file cannot be written.
    pub fn finish(self) -> Result<()> {
        let Self { path, attributes, arrays, .. } = self;
        let mut layouts = Vec::with_capacity(arrays.len());
        for Array { mut layout, file } in arrays {
            let rows = layout.variable.rows();
            if rows <= layout.chunk_rows {
                layout.chunk_rows = rows.max(1);
            } else if let Some(file) = file {
                // Zarr wants every chunk whole; the file system stores the rest of the last one as a hole.
                let chunk = layout.chunks() - 1;
                let name = path.join(&layout.variable.name).join(layout.chunk_name(chunk));
                file.set_len(layout.chunk_bytes() as u64).map_err(Error::io("write", &name))?;
            }
            layouts.push(layout);
        }
        layouts.sort_by(|a, b| a.variable.name.cmp(&b.variable.name));
        zarr::check_dims(layouts.iter().map(|layout| &layout.variable))
            .map_err(|problem| Error::invalid(&path, problem))?;
        for layout in &layouts {
            write_json(&path.join(&layout.variable.name).join(zarr::FILE), &layout.to_json())?;
        }
        let attributes = attributes.into_iter().map(|(name, value)| (name, sorted(value)));
        let mut attributes: Vec<_> = attributes.collect();
        attributes.sort_by(|a, b| a.0.cmp(&b.0));
        // Last: a folder with this file is a whole dataset.
        write_json(&path.join(zarr::FILE), &zarr::group(&attributes.into_iter().collect(), &layouts))
    }

    fn most_rows(&self, variable: &Variable) -> usize {
        (self.chunk_bytes / variable.row_bytes().max(1)).max(1)
    }

    fn start<T: Element>(&mut self, variable: &Variable, chunk_rows: usize) -> Result<Stream> {
        check_type::<T>(variable)?;
        zarr::check_name(&variable.name).map_err(|problem| Error::invalid(&self.path, problem))?;
        if variable.dims.len() != variable.shape.len() {
            return Err(Error::request(format!(
                "variable `{}` has {} dimensions but {} lengths",
                variable.name,
                variable.dims.len(),
                variable.shape.len()
            )));
        }
        if self.arrays.iter().any(|array| array.layout.variable.name == variable.name) {
            return Err(Error::request(format!("variable `{}` is written twice", variable.name)));
        }
        let folder = self.path.join(&variable.name);
        fs::create_dir(&folder).map_err(Error::io("create", &folder))?;
        let mut variable = variable.clone();
        if let Some(rows) = variable.shape.first_mut() {
            *rows = 0;
        }
        self.arrays.push(Array { layout: Layout { variable, chunk_rows }, file: None });
        Ok(Stream(self.arrays.len() - 1))
    }

    fn array(&mut self, stream: &Stream) -> Result<&mut Array> {
        // A stream of another writer could name a variable that this one does not have.
        self.arrays.get_mut(stream.0).ok_or_else(|| Error::request("a stream of another dataset"))
    }

    fn scalar<T: Element>(&mut self, stream: &Stream, values: &[T]) -> Result<()> {
        let folder = self.path.clone();
        let layout = &self.array(stream)?.layout;
        let path = folder.join(&layout.variable.name).join(layout.chunk_name(0));
        let mut file = File::create(&path).map_err(Error::io("create", &path))?;
        write_values(&mut file, values).map_err(Error::io("write", &path))
    }

    /// Appends whole rows, opening chunk after chunk.
    fn push<T: Element>(&mut self, stream: &Stream, mut rows: &[T]) -> Result<()> {
        let folder = self.path.clone();
        let Array { layout, file } = self.array(stream)?;
        let row_len = layout.variable.row_len();
        while !rows.is_empty() {
            let written = layout.variable.shape[0];
            let (chunk, filled) = (written / layout.chunk_rows, written % layout.chunk_rows);
            let path = folder.join(&layout.variable.name).join(layout.chunk_name(chunk));
            if filled == 0 {
                *file = Some(File::create(&path).map_err(Error::io("create", &path))?);
            }
            let count = (layout.chunk_rows - filled).min(rows.len() / row_len);
            let (now, later) = rows.split_at(count * row_len);
            if let Some(file) = file {
                write_values(file, now).map_err(Error::io("write", &path))?;
            }
            layout.variable.shape[0] += count;
            rows = later;
        }
        Ok(())
    }
}

/// About so many rows a chunk, of `most` at most, so that chunks end with a page of memory if that can be: then they
/// can be mapped one behind the other and are one array, without a copy.
fn whole_pages(rows: usize, most: usize, row_bytes: usize) -> usize {
    // The sizes of pages that systems have.
    for page in [64_usize << 10, 16 << 10, 4 << 10] {
        // A power of two: what it shares with the length of a row are that length's factors of two.
        let step = page >> row_bytes.trailing_zeros().min(page.trailing_zeros());
        if step <= most {
            return (rows.div_ceil(step) * step).min(most / step * step);
        }
    }
    rows
}

fn write_values<T: Element>(file: &mut File, values: &[T]) -> std::io::Result<()> {
    if cfg!(target_endian = "big") {
        let mut swapped = values.to_vec();
        swap_bytes(&mut swapped);
        return file.write_all(bytemuck::cast_slice(&swapped));
    }
    file.write_all(bytemuck::cast_slice(values))
}

fn write_json(path: &Path, json: &Value) -> Result<()> {
    fs::write(path, format!("{json:#}\n")).map_err(Error::io("write", path))
}
