//! NetCDF, the classic formats: CDF-1, CDF-2 (64-bit offsets) and CDF-5 (64-bit data).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::numbers::{Numbers, Type};
use super::piece::Piece;
use super::rows::{Packing, Sink, Source};
use super::{Attributes, Error, Form, Opened, Result};

const DIMENSION: u32 = 0x0a;
const VARIABLE: u32 = 0x0b;
const ATTRIBUTE: u32 = 0x0c;
const CHAR: u32 = 2;

/// The number of records of a file that is still being written.
const STREAMING: u64 = 0xffff_ffff;

/// A variable's place in the file.
struct Place {
    begin: u64,
    /// Bytes of a record of this variable with its padding, if it has records.
    record: Option<u64>,
}

/// An open file.
struct Classic {
    file: File,
    size: u64,
    places: Vec<Place>,
    /// From one record to the next.
    stride: u64,
}

/// Reads the header of a file.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    let (attributes, sources, places) = {
        let mut header = Header { from: BufReader::new(&mut file), left: size, path, wide: false };
        header.read()?
    };
    // A file with one variable that grows has no padding between records.
    let mut growing = sources.iter().zip(&places).filter(|(_, place)| place.record.is_some());
    let stride = match (growing.next(), growing.next()) {
        (Some((only, _)), None) => only.row_bytes()? as u64,
        _ => places.iter().filter_map(|place| place.record).fold(0, u64::saturating_add),
    };
    Ok(Opened { attributes, sources, form: Box::new(Classic { file, size, places, stride }) })
}

impl Form for Classic {
    fn read(&mut self, at: usize, source: &Source, to: Sink<'_>) -> Result<()> {
        let Place { begin, record } = self.places[at];
        let row = source.row_bytes()?;
        let rows = source.shape.first().copied().unwrap_or(1) as u64;
        // The last record may lack its padding.
        let step = if record.is_some() { self.stride } else { row as u64 };
        let last = step.checked_mul(rows.saturating_sub(1)).and_then(|last| begin.checked_add(last));
        let end = last.and_then(|last| last.checked_add(row as u64));
        if !source.shape.contains(&0) && end.is_none_or(|end| end > self.size) {
            return Err(source.invalid("that is cut short"));
        }
        let at_once = source.rows_at_once()?;
        if step == row as u64 {
            self.file.seek(SeekFrom::Start(begin)).map_err(Error::io("read", &source.path))?;
            let next = |rows: usize, piece: &mut Piece| {
                self.file.read_exact(piece.room(rows * row)).map_err(|error| source.failed(error))
            };
            return source.stream(at_once, next, to);
        }
        // Forwards only, and through a buffer: records may be a few bytes each.
        let mut reader = BufReader::with_capacity(1 << 17, &mut self.file);
        let mut position = reader.seek(SeekFrom::Start(begin)).map_err(Error::io("read", &source.path))?;
        let mut record = begin;
        let next = |rows: usize, piece: &mut Piece| {
            for part in piece.room(rows * row).chunks_exact_mut(row.max(1)) {
                // Within the file, whose size fits.
                let skip = record.cast_signed() - position.cast_signed();
                let read = reader.seek_relative(skip).and_then(|()| reader.read_exact(part));
                read.map_err(|error| source.failed(error))?;
                position = record + row as u64;
                // Behind the last one there may be no place.
                record = record.saturating_add(step);
            }
            Ok(())
        };
        source.stream(at_once, next, to)
    }
}

/// The header as it is read.
struct Header<'a, R> {
    from: R,
    /// Bytes of the file that are left: nothing that is announced can be longer.
    left: u64,
    path: &'a Path,
    /// Counts have eight bytes instead of four.
    wide: bool,
}

impl<R: Read> Header<'_, R> {
    fn read(&mut self) -> Result<(Attributes, Vec<Source>, Vec<Place>)> {
        let magic = self.bytes(4)?;
        let version = magic[3];
        if !matches!(version, 1 | 2 | 5) {
            return Err(self.bad(&format!("is NetCDF of version {version}, which is not known")));
        }
        self.wide = version == 5;
        let records = self.count()?;
        if records == STREAMING || (self.wide && records == u64::MAX) {
            return Err(self.bad("does not say how many records it has: it was not closed"));
        }
        let mut dims = Vec::new();
        for _ in 0..self.list(DIMENSION)? {
            let name = self.name()?;
            dims.push((name, self.count()?));
        }
        let attributes = self.attributes()?;
        let (mut sources, mut places) = (Vec::new(), Vec::new());
        for _ in 0..self.list(VARIABLE)? {
            let (source, place) = self.variable(&dims, records, version)?;
            sources.push(source);
            places.push(place);
        }
        Ok((attributes, sources, places))
    }

    fn variable(&mut self, dims: &[(String, u64)], records: u64, version: u8) -> Result<(Source, Place)> {
        let name = self.name()?;
        let count = self.count()?;
        let (mut names, mut shape, mut grows) = (Vec::new(), Vec::new(), false);
        for at in 0..count {
            let id = self.count()?;
            let known = usize::try_from(id).ok().and_then(|id| dims.get(id));
            let (dim, length) = known.ok_or_else(|| self.bad("has a variable without its dimension"))?;
            let unlimited = *length == 0;
            if unlimited && at > 0 {
                return Err(self.bad("has a dimension that grows and is not the first"));
            }
            grows |= unlimited;
            names.push(dim.clone());
            let length = if unlimited { records } else { *length };
            shape.push(usize::try_from(length).map_err(|_| self.bad("is too large"))?);
        }
        let attributes = self.attributes()?;
        let kind = self.word()?;
        // The size is not needed, and wrong for variables of 4 GiB or more.
        self.count()?;
        let begin = if version == 1 { u64::from(self.word()?) } else { self.long()? };
        let text =
            |key: &str| attributes.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.as_str());
        let number =
            |key: &str| attributes.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.as_f64());
        let unsigned = text("_Unsigned") == Some("true");
        let mut problem = None;
        let of = match (kind, unsigned) {
            (1, false) => Type::I8,
            (1, true) | (7, _) => Type::U8,
            (3, false) => Type::I16,
            (3, true) | (8, _) => Type::U16,
            (4, false) => Type::I32,
            (4, true) | (9, _) => Type::U32,
            (5, _) => Type::F32,
            (6, _) => Type::F64,
            (10, _) => Type::I64,
            (11, _) => Type::U64,
            (CHAR, _) => {
                problem = Some("of text, which a dataset cannot hold".to_owned());
                Type::U8
            }
            (other, _) => {
                return Err(self.bad(&format!("has a variable `{name}` of type {other}, which is not known")));
            }
        };
        let source = Source {
            path: self.path.to_owned(),
            name,
            dims: Some(names),
            shape,
            units: text("units").map(str::to_owned),
            long_name: text("long_name").map(str::to_owned),
            numbers: Numbers { of, big_endian: true },
            packing: Packing {
                scale: number("scale_factor"),
                offset: number("add_offset"),
                missing: number("_FillValue").or_else(|| number("missing_value")),
            },
            problem,
        };
        let bytes = source.row_bytes()? as u64;
        Ok((source, Place { begin, record: grows.then(|| bytes.next_multiple_of(4)) }))
    }

    fn attributes(&mut self) -> Result<Attributes> {
        let mut attributes = Vec::new();
        for _ in 0..self.list(ATTRIBUTE)? {
            let name = self.name()?;
            let kind = self.word()?;
            let count = self.count()?;
            let value = if kind == CHAR {
                let text = self.padded(count)?;
                Value::from(String::from_utf8_lossy(&text).trim_end_matches('\0'))
            } else {
                let of = match kind {
                    1 => Type::I8,
                    3 => Type::I16,
                    4 => Type::I32,
                    5 => Type::F32,
                    6 => Type::F64,
                    7 => Type::U8,
                    8 => Type::U16,
                    9 => Type::U32,
                    10 => Type::I64,
                    11 => Type::U64,
                    other => {
                        return Err(
                            self.bad(&format!("has an attribute of type {other}, which is not known"))
                        );
                    }
                };
                let numbers = Numbers { of, big_endian: true };
                let size =
                    count.checked_mul(numbers.size() as u64).ok_or_else(|| self.bad("is cut short"))?;
                let values = numbers.doubles(&self.padded(size)?);
                match values.as_slice() {
                    [one] => json(*one),
                    several => several.iter().copied().map(json).collect(),
                }
            };
            attributes.push((name, value));
        }
        Ok(attributes)
    }

    /// The length of a list with this tag; an absent one has none.
    fn list(&mut self, tag: u32) -> Result<u64> {
        let found = self.word()?;
        let count = self.count()?;
        if found != tag && (found != 0 || count != 0) {
            return Err(self.bad("has a damaged header"));
        }
        Ok(count)
    }

    fn name(&mut self) -> Result<String> {
        let length = self.count()?;
        String::from_utf8(self.padded(length)?).map_err(|_| self.bad("has a name that is not UTF-8"))
    }

    fn padded(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut bytes = self.bytes(length)?;
        let padding = length.next_multiple_of(4) - length;
        bytes.extend(self.bytes(padding)?);
        bytes.truncate(bytes.len() - padding as usize);
        Ok(bytes)
    }

    fn word(&mut self) -> Result<u32> {
        let bytes = self.bytes(4)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn long(&mut self) -> Result<u64> {
        Ok(u64::from(self.word()?) << 32 | u64::from(self.word()?))
    }

    fn count(&mut self) -> Result<u64> {
        if self.wide { self.long() } else { self.word().map(u64::from) }
    }

    fn bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        if length > self.left {
            return Err(self.bad("is cut short"));
        }
        self.left -= length;
        // Fits: it is not longer than a file.
        let mut bytes = vec![0; length as usize];
        self.from.read_exact(&mut bytes).map_err(Error::io("read", self.path))?;
        Ok(bytes)
    }

    fn bad(&self, problem: &str) -> Error {
        Error::invalid(self.path, problem)
    }
}

/// By value: the format has one type of number for `1` and `1.0`, as programs have two.
pub(super) fn json(value: f64) -> Value {
    /// Every whole number up to here is a double of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT { Value::from(value as i64) } else { Value::from(value) }
}
