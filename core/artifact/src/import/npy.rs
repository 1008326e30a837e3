//! NumPy's formats: `.npy` (one array a file), and `.npz` (a ZIP archive of them, stored or deflated).
//!
//! Format: numpy.lib.format, versions 1.0 to 3.0.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::numbers::{Numbers, Type};
use super::rows::{Packing, Sink, Source};
use super::{Error, Form, Opened, Result};

/// The longest header that is read. NumPy's own take some hundred bytes.
const LONGEST: usize = 1 << 20;

/// An archive of arrays.
#[derive(Clone, Debug)]
pub struct Npz {
    path: PathBuf,
    names: Vec<String>,
}

/// An array of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Lengths of the axes; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values in C order.
    pub values: Vec<f64>,
}

impl Npz {
    /// Opens an archive, and reads its directory.
    ///
    /// # Errors
    /// When the file cannot be read, or is no ZIP archive.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let archive = open(path)?;
        let mut names: Vec<String> =
            archive.file_names().map(|name| name.strip_suffix(".npy").unwrap_or(name).to_owned()).collect();
        names.sort_unstable();
        Ok(Self { path: path.to_owned(), names })
    }

    /// Names of the arrays, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether there is an array of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// The array called `name`, its numbers in double precision.
    ///
    /// # Errors
    /// No such array, or one that does not hold numbers or booleans.
    pub fn array(&self, name: &str) -> Result<Array> {
        if !self.contains(name) {
            let names: Vec<String> = self.names().map(|name| format!("`{name}`")).collect();
            return Err(Error::invalid(
                &self.path,
                format!("has no array `{name}`; it has {}", names.join(", ")),
            ));
        }
        let mut archive = open(&self.path)?;
        let at = [format!("{name}.npy"), name.to_owned()];
        let at = at.iter().find_map(|name| archive.index_for_name(name)).unwrap_or_default();
        let mut member = archive.by_index(at).map_err(failed(&self.path))?;
        let header = header(&mut member, &self.path, name)?;
        if let Some(problem) = &header.source.problem {
            return Err(header.source.invalid(problem));
        }
        let shape = header.source.shape.clone();
        let bytes = header.source.rest(&mut member, header.fortran)?;
        Ok(Array { shape, values: header.source.numbers.doubles(&bytes) })
    }

    /// The array called `name` if it holds exactly one number.
    ///
    /// # Errors
    /// As [`Npz::array`], or another count of numbers.
    pub fn scalar(&self, name: &str) -> Result<f64> {
        let array = self.array(name)?;
        match array.values.as_slice() {
            [value] => Ok(*value),
            values => {
                let problem = format!("has an array `{name}` of {} values where one is needed", values.len());
                Err(Error::invalid(&self.path, problem))
            }
        }
    }
}

fn open(path: &Path) -> Result<ZipArchive<BufReader<File>>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    ZipArchive::new(BufReader::new(file)).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(ZipError) -> Error {
    move |error| match error {
        ZipError::Io(error) => Error::io("read", path)(error),
        other => Error::invalid(path, format!("is not a readable .npz archive: {other}")),
    }
}

/// Arrays of one or several files, which begin with a header each.
struct Numpy {
    path: PathBuf,
    /// For each array: where it is in the archive, if the file is one.
    members: Vec<Option<usize>>,
}

/// Reads the headers of all arrays of an archive.
pub(super) fn open_archive(path: &Path) -> Result<Opened> {
    let mut archive = open(path)?;
    let (mut sources, mut members) = (Vec::new(), Vec::new());
    for at in 0..archive.len() {
        let mut member = archive.by_index(at).map_err(failed(path))?;
        let name = member.name().to_owned();
        let Some(name) = name.strip_suffix(".npy") else {
            return Err(Error::invalid(
                path,
                format!("holds `{name}`: an .npz archive consists of .npy files"),
            ));
        };
        sources.push(header(&mut member, path, name)?.source);
        members.push(Some(at));
    }
    let form = Box::new(Numpy { path: path.to_owned(), members });
    Ok(Opened { attributes: Vec::new(), sources, form })
}

/// Reads the header of a `.npy` file, whose array is called `data`.
pub(super) fn open_single(path: &Path) -> Result<Opened> {
    let mut file = BufReader::new(File::open(path).map_err(Error::io("read", path))?);
    let sources = vec![header(&mut file, path, "data")?.source];
    let form = Box::new(Numpy { path: path.to_owned(), members: vec![None] });
    Ok(Opened { attributes: Vec::new(), sources, form })
}

impl Form for Numpy {
    fn read(&mut self, at: usize, source: &Source, to: Sink<'_>) -> Result<()> {
        match self.members[at] {
            Some(member) => {
                let mut archive = open(&self.path)?;
                let mut member = archive.by_index(member).map_err(failed(&self.path))?;
                let header = header(&mut member, &self.path, &source.name)?;
                header.source.stream_from(member, header.fortran, to)
            }
            None => {
                let file = File::open(&self.path).map_err(Error::io("read", &self.path))?;
                let mut file = BufReader::with_capacity(1 << 20, file);
                let header = header(&mut file, &self.path, &source.name)?;
                header.source.stream_from(file, header.fortran, to)
            }
        }
    }
}

/// What stands before the values.
struct Header {
    source: Source,
    fortran: bool,
}

fn header(from: &mut impl Read, path: &Path, name: &str) -> Result<Header> {
    let bad = |problem: &str| Error::invalid(path, format!("has an array `{name}` {problem}"));
    let mut take = |bytes: &mut [u8]| from.read_exact(bytes).map_err(|_| bad("that is cut short"));
    let mut start = [0; 8];
    take(&mut start)?;
    if !start.starts_with(b"\x93NUMPY") {
        return Err(bad("that is not in .npy format"));
    }
    let mut length = [0; 4];
    match start[6] {
        1 => take(&mut length[..2])?,
        2 | 3 => take(&mut length)?,
        other => return Err(bad(&format!("in version {other} of the .npy format, which is not known"))),
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err(bad("with a header of an impossible length"));
    }
    let mut text = vec![0; length];
    take(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    // The header is a literal of Python with these three keys, which NumPy writes in this way only.
    let after = |key: &str| Some(text.split_once(key)?.1.trim_start().strip_prefix(':')?.trim_start());
    let kind = after("'descr'").and_then(|rest| rest.strip_prefix('\'')?.split('\'').next());
    let fortran = after("'fortran_order'").map(|rest| rest.starts_with("True"));
    let shape = after("'shape'").and_then(|rest| rest.strip_prefix('(')?.split(')').next());
    let (Some(kind), Some(fortran), Some(shape)) = (kind, fortran, shape) else {
        return Err(bad("that is not of plain numbers: structures are not read"));
    };
    let lengths = shape.split(',').map(str::trim).filter(|part| !part.is_empty());
    let shape: Option<Vec<usize>> = lengths.map(|part| part.parse().ok()).collect();
    let shape = shape.ok_or_else(|| bad("whose shape cannot be read"))?;
    let numbers = Numbers::of_numpy(kind);
    let problem = numbers
        .is_none()
        .then(|| format!("with elements of type `{kind}`; numbers of up to 8 bytes and booleans are read"));
    let source = Source {
        path: path.to_owned(),
        name: name.to_owned(),
        dims: None,
        shape,
        units: None,
        long_name: None,
        numbers: numbers.unwrap_or(Numbers { of: Type::U8, big_endian: false }),
        packing: Packing::default(),
        problem,
    };
    source.row_bytes()?;
    Ok(Header { source, fortran })
}
