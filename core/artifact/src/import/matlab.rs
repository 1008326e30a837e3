//! MATLAB's files of versions 5 to 7.2.
//!
//! Format: MAT-File Format, version 5. Arrays lie in Fortran order; what has one row or one column becomes an array
//! of one dimension, what has one element a scalar.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;

use super::numbers::{Numbers, Type};
use super::rows::{Packing, Sink, Source};
use super::{Error, Form, Opened, Result};

const COMPRESSED: u32 = 15;
const MATRIX: u32 = 14;

/// In the flags of an array.
const COMPLEX: u32 = 0x0800;
const LOGICAL: u32 = 0x0200;

/// The longest list of lengths and the longest name that are read.
const LONGEST: u64 = 1 << 16;

/// An open file.
struct Mat {
    path: PathBuf,
    big_endian: bool,
    /// Where each array begins.
    places: Vec<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    /// Of what stands behind the tag of the element.
    begin: u64,
    size: u64,
    compressed: bool,
}

/// Reads what stands before the values of all arrays.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let mut file = BufReader::new(File::open(path).map_err(Error::io("read", path))?);
    let bad = |problem: &str| Error::invalid(path, format!("is a file of MATLAB that {problem}"));
    let mut head = [0; 128];
    file.read_exact(&mut head).map_err(|_| bad("is cut short"))?;
    let big_endian = match &head[126..] {
        b"IM" => false,
        b"MI" => true,
        _ => return Err(bad("does not say in which order its bytes are")),
    };
    let (mut sources, mut places) = (Vec::new(), Vec::new());
    let mut at = head.len() as u64;
    loop {
        file.seek(SeekFrom::Start(at)).map_err(Error::io("read", path))?;
        let mut tag = [0; 8];
        match file.read(&mut tag[..1]).map_err(Error::io("read", path))? {
            0 => break,
            _ => file.read_exact(&mut tag[1..]).map_err(|_| bad("is cut short"))?,
        }
        let (kind, size) = (word(&tag[..4], big_endian), u64::from(word(&tag[4..], big_endian)));
        let place = Place { begin: at + 8, size, compressed: kind == COMPRESSED };
        // Elements are padded to eight bytes, except for compressed ones.
        at = place.begin + if place.compressed { size } else { size.next_multiple_of(8) };
        if kind != COMPRESSED && kind != MATRIX {
            continue;
        }
        let mut element = Element::open(&mut file, place, big_endian, path)?;
        // Data of MATLAB's own, such as that of functions, has no name.
        if let Some(source) = element.array(path)?.filter(|source| !source.name.is_empty()) {
            sources.push(source);
            places.push(place);
        }
    }
    let form = Box::new(Mat { path: path.to_owned(), big_endian, places });
    Ok(Opened { attributes: Vec::new(), sources, form })
}

impl Form for Mat {
    fn read(&mut self, at: usize, source: &Source, to: Sink<'_>) -> Result<()> {
        let path = &self.path;
        let mut file = BufReader::new(File::open(path).map_err(Error::io("read", path))?);
        let place = self.places[at];
        file.seek(SeekFrom::Start(place.begin)).map_err(Error::io("read", path))?;
        let mut element = Element::open(&mut file, place, self.big_endian, path)?;
        element.array(path)?;
        if source.shape.contains(&0) {
            return Ok(());
        }
        // Numbers may be stored in fewer bytes than their type has.
        let (kind, _, small) = element.tag(source)?;
        let of = Type::of_matlab(kind).ok_or_else(|| source.invalid("of values of an unknown type"))?;
        let as_stored = Source { numbers: Numbers { of, big_endian: self.big_endian }, ..source.clone() };
        let dtype = source.numbers.dtype();
        let cast = &mut |values: &mut crate::Values| {
            let cast = values.take().cast(dtype);
            *values =
                cast.map_err(|x| source.invalid(&format!("with the number {x}, which is too large")))?;
            to(values)
        };
        match small {
            Some(bytes) => as_stored.stream_from(&bytes[..], true, cast),
            None => as_stored.stream_from(element.from, true, cast),
        }
    }
}

/// An array's bytes, unpacked.
struct Element<'a> {
    from: Box<dyn Read + 'a>,
    big_endian: bool,
}

impl<'a> Element<'a> {
    /// `file` stands behind the tag.
    fn open(file: &'a mut BufReader<File>, place: Place, big_endian: bool, path: &Path) -> Result<Self> {
        let part = file.take(place.size);
        if !place.compressed {
            return Ok(Self { from: Box::new(part), big_endian });
        }
        let mut from = ZlibDecoder::new(part);
        let mut tag = [0; 8];
        from.read_exact(&mut tag).map_err(Error::io("read", path))?;
        if word(&tag[..4], big_endian) != MATRIX {
            return Err(Error::invalid(path, "is a file of MATLAB with packed data that is no array"));
        }
        Ok(Self { from: Box::new(from), big_endian })
    }

    /// What stands before the values: `None` for an element without anything in it.
    fn array(&mut self, path: &Path) -> Result<Option<Source>> {
        let mut source = Source {
            path: path.to_owned(),
            name: "?".to_owned(),
            dims: None,
            shape: Vec::new(),
            units: None,
            long_name: None,
            numbers: Numbers { of: Type::U8, big_endian: false },
            packing: Packing::default(),
            problem: None,
        };
        let flags = self.part(&source)?;
        let Some(flags) = flags.get(..4).map(|flags| word(flags, self.big_endian)) else { return Ok(None) };
        let lengths = self.part(&source)?;
        let lengths = lengths.as_chunks::<4>().0.iter().map(|length| word(length, self.big_endian) as usize);
        let lengths: Vec<usize> = lengths.collect();
        source.name = String::from_utf8_lossy(&self.part(&source)?).into_owned();
        source.shape = without_ones(&lengths);
        source.problem = match flags & 0xff {
            _ if flags & COMPLEX != 0 => Some("of complex numbers, which a dataset cannot hold"),
            _ if flags & LOGICAL != 0 => None,
            6..=15 => None,
            1 => Some("of cells, which are not read"),
            2 | 3 => Some("that is a structure, which is not read; save its fields as variables"),
            4 => Some("of text, which a dataset cannot hold"),
            5 => Some("that is sparse, which is not read; save `full(x)`"),
            _ => Some("that is no array of numbers"),
        }
        .map(str::to_owned);
        source.numbers.of = match flags & 0xff {
            _ if flags & LOGICAL != 0 => Type::Bool,
            7 => Type::F32,
            8 => Type::I8,
            9 => Type::U8,
            10 => Type::I16,
            11 => Type::U16,
            12 => Type::I32,
            13 => Type::U32,
            14 => Type::I64,
            15 => Type::U64,
            _ => Type::F64,
        };
        source.row_bytes()?;
        Ok(Some(source))
    }

    /// The type and size of the next part; its bytes, if there are at most four, which stand in the tag.
    fn tag(&mut self, source: &Source) -> Result<(u32, u64, Option<Vec<u8>>)> {
        let mut tag = [0; 8];
        self.from.read_exact(&mut tag).map_err(|_| source.invalid("that is cut short"))?;
        let first = word(&tag[..4], self.big_endian);
        let size = first >> 16;
        if size == 0 {
            return Ok((first, u64::from(word(&tag[4..], self.big_endian)), None));
        }
        let bytes = tag[4..].get(..size as usize).ok_or_else(|| source.invalid("that is damaged"))?;
        Ok((first & 0xffff, u64::from(size), Some(bytes.to_vec())))
    }

    /// The bytes of a short part.
    fn part(&mut self, source: &Source) -> Result<Vec<u8>> {
        let (_, size, small) = self.tag(source)?;
        if let Some(bytes) = small {
            return Ok(bytes);
        }
        if size > LONGEST {
            return Err(source.invalid("that is damaged"));
        }
        // Fits: it is short.
        let mut bytes = vec![0; size.next_multiple_of(8) as usize];
        self.from.read_exact(&mut bytes).map_err(|_| source.invalid("that is cut short"))?;
        bytes.truncate(size as usize);
        Ok(bytes)
    }
}

/// The shape of an array of MATLAB without the axes that a scalar or a vector does not need.
pub(super) fn without_ones(shape: &[usize]) -> Vec<usize> {
    match shape {
        [1, 1] => Vec::new(),
        [n, 1] | [1, n] => vec![*n],
        other => other.to_vec(),
    }
}

impl Type {
    fn of_matlab(kind: u32) -> Option<Self> {
        Some(match kind {
            1 => Self::I8,
            2 => Self::U8,
            3 => Self::I16,
            4 => Self::U16,
            5 => Self::I32,
            6 => Self::U32,
            7 => Self::F32,
            9 => Self::F64,
            12 => Self::I64,
            13 => Self::U64,
            _ => return None,
        })
    }
}

fn word(bytes: &[u8], big_endian: bool) -> u32 {
    let join = |number, byte: &u8| number << 8 | u32::from(*byte);
    if big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
}
