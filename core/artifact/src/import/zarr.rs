//! Zarr groups as other programs write them: version 3 and 2.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Map, Value};

use super::block::Block;
use super::codec::{Codec, unpack};
use super::numbers::{Numbers, Type};
use super::piece::Piece;
use super::rows::{LARGEST, Packing, Sink, Source};
use super::{Error, Form, Opened, Result};

/// So many bytes of rows are handed over together, if a row of chunks is not more.
const TOGETHER: usize = 32 << 20;

/// Rows of chunks that have more bytes are read several times, a part each.
const BAND: usize = 64 << 20;

/// Chunks that are unpacked side by side, in bytes.
const SIDE_BY_SIDE: usize = 256 << 20;

/// How an array is cut up, and how its chunks are packed.
struct Layout {
    folder: PathBuf,
    chunk: Vec<usize>,
    /// What stands before the numbers of a chunk in its name, and between them.
    key: (&'static str, String),
    /// What was done to the bytes of a chunk, in the order in which to undo it.
    codecs: Vec<Codec>,
    /// One element: what chunks hold that are not there.
    fill: Vec<u8>,
}

/// An open group.
struct Group(Vec<Layout>);

/// Reads the metadata of a group, or of a single array.
pub(super) fn open(from: &Path) -> Result<Opened> {
    let v3 = from.join("zarr.json").is_file();
    let attributes = if v3 {
        let group = json(&from.join("zarr.json"))?;
        if group["node_type"] == "array" {
            return Err(Error::invalid(from, "is a single Zarr array; a dataset is a group of them"));
        }
        group["attributes"].clone()
    } else {
        optional(&from.join(".zattrs"))?
    };
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(from).map_err(Error::io("read", from))? {
        let path = entry.map_err(Error::io("read", from))?.path();
        let documents: &[&str] = if v3 { &["zarr.json"] } else { &[".zarray", ".zgroup"] };
        if documents.iter().any(|document| path.join(document).is_file()) {
            let name = path.file_name().and_then(|name| name.to_str());
            names.push(name.ok_or_else(|| Error::invalid(&path, "has a name that is not UTF-8"))?.to_owned());
        }
    }
    names.sort_unstable();
    let (mut sources, mut layouts) = (Vec::new(), Vec::new());
    for name in names {
        let read = if v3 { version_3(from, &name) } else { version_2(from, &name) };
        let (source, layout) = read?.unwrap_or_else(|problem| unreadable(from, name, problem));
        sources.push(source);
        layouts.push(layout);
    }
    let attributes = attributes.as_object().cloned().unwrap_or_default().into_iter().collect();
    Ok(Opened { attributes, sources, form: Box::new(Group(layouts)) })
}

impl Form for Group {
    fn read(&mut self, at: usize, source: &Source, to: Sink<'_>) -> Result<()> {
        let layout = &self.0[at];
        let (band, row) = (layout.chunk.first().copied().unwrap_or(1), source.row_bytes()?.max(1));
        // Whole rows of chunks, so that none is unpacked twice, unless that is too much to hold.
        let bands = (TOGETHER / row / band).max(1);
        let at_once = (bands * band).min((BAND / row).max(1));
        let mut done = 0;
        let next = |rows: usize, piece: &mut Piece| {
            layout.rows(source, done..done + rows, piece.room(rows * source.row_bytes()?))?;
            done += rows;
            Ok(())
        };
        source.stream(at_once, next, to)
    }
}

/// An array that is there, but is not read for a reason.
fn unreadable(path: &Path, name: String, problem: String) -> (Source, Layout) {
    let numbers = Numbers { of: Type::U8, big_endian: false };
    let mut source = source(path, name, Vec::new(), numbers, None, &Value::Null);
    source.problem = Some(problem);
    let layout = Layout {
        folder: PathBuf::new(),
        chunk: Vec::new(),
        key: ("", String::new()),
        codecs: Vec::new(),
        fill: Vec::new(),
    };
    (source, layout)
}

fn json(path: &Path) -> Result<Value> {
    let text = fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|error| Error::invalid(path, format!("is not JSON: {error}")))
}

fn optional(path: &Path) -> Result<Value> {
    if path.is_file() { json(path) } else { Ok(Value::Object(Map::new())) }
}

fn usizes(json: &Value) -> Option<Vec<usize>> {
    json.as_array()?.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect()
}

fn names(json: &Value) -> Option<Vec<String>> {
    json.as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect()
}

/// What both versions say of an array in its attributes.
fn source(
    path: &Path,
    name: String,
    shape: Vec<usize>,
    numbers: Numbers,
    dims: Option<Vec<String>>,
    attributes: &Value,
) -> Source {
    let text = |key: &str| attributes[key].as_str().map(str::to_owned);
    let number = |key: &str| attributes[key].as_f64();
    Source {
        path: path.to_owned(),
        name,
        dims: dims.filter(|dims| dims.len() == shape.len()),
        shape,
        units: text("units"),
        long_name: text("long_name"),
        numbers,
        packing: Packing {
            scale: number("scale_factor"),
            offset: number("add_offset"),
            missing: number("_FillValue")
                .or_else(|| text("_FillValue").and_then(|text| double_of_base64(&text)))
                .or_else(|| number("missing_value")),
        },
        problem: None,
    }
}

/// A double as xarray writes it into an attribute: its eight bytes in base 64.
fn double_of_base64(text: &str) -> Option<f64> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    // Sixty-six bits, of which the last two are padding.
    let digits = text.strip_suffix('=').filter(|digits| digits.len() == 11)?;
    let bits = digits.bytes().try_fold(0_u128, |bits, byte| Some(bits << 6 | u128::from(digit(byte)?)))? >> 2;
    Some(f64::from_le_bytes((bits as u64).to_be_bytes()))
}

/// An array, or the reason why it is not read, as the end of a sentence.
type Read = Result<Result<(Source, Layout), String>>;

fn version_3(group: &Path, name: &str) -> Read {
    let folder = group.join(name);
    let document = json(&folder.join("zarr.json"))?;
    let bad = |problem: &str| Error::invalid(group, format!("has an array `{name}` {problem}"));
    let other = |problem: String| Ok(Err(problem));
    if document["node_type"] != "array" {
        return other("that is a group; groups inside groups are not read".to_owned());
    }
    let data_type = document["data_type"].as_str().unwrap_or("?");
    let of = match data_type {
        "bool" => Type::Bool,
        "int8" => Type::I8,
        "uint8" => Type::U8,
        "int16" => Type::I16,
        "uint16" => Type::U16,
        "int32" => Type::I32,
        "uint32" => Type::U32,
        "int64" => Type::I64,
        "uint64" => Type::U64,
        "float16" => Type::F16,
        "float32" => Type::F32,
        "float64" => Type::F64,
        kind => return other(format!("with elements of type {kind}, which a dataset cannot hold")),
    };
    let shape = usizes(&document["shape"]).ok_or_else(|| bad("without a shape"))?;
    let grid = &document["chunk_grid"];
    let chunk = usizes(&grid["configuration"]["chunk_shape"]).filter(|_| grid["name"] == "regular");
    let chunk = chunk.ok_or_else(|| bad("without a regular chunk grid"))?;
    let (mut codecs, mut big_endian, mut bytes) = (Vec::new(), false, false);
    for codec in document["codecs"].as_array().into_iter().flatten() {
        match codec["name"].as_str().unwrap_or("?") {
            "bytes" => {
                big_endian = codec["configuration"]["endian"] == "big";
                bytes = true;
            }
            "blosc" => codecs.push(Codec::Blosc),
            "crc32c" => codecs.push(Codec::Crc32c),
            "gzip" => codecs.push(Codec::Gzip),
            "zstd" => codecs.push(Codec::Zstd),
            "sharding_indexed" => {
                return other(
                    "in shards, which are not read; write it without (`encoding: { …: { \"shards\": None } }` in xarray)"
                        .to_owned(),
                );
            }
            name => {
                return other(format!(
                    "with the codec {name}, which is not read; those of zarr.codecs that are: BloscCodec(), \
                     GzipCodec(), ZstdCodec(), and none"
                ));
            }
        }
    }
    if !bytes {
        return Err(bad("without the codec `bytes`"));
    }
    codecs.reverse();
    let encoding = &document["chunk_key_encoding"];
    let separator = encoding["configuration"]["separator"].as_str().map(str::to_owned);
    let key = match encoding["name"].as_str() {
        Some("default") => ("c", separator.unwrap_or_else(|| "/".to_owned())),
        Some("v2") => ("", separator.unwrap_or_else(|| ".".to_owned())),
        _ => return Err(bad("whose chunks have names of an unknown form")),
    };
    let numbers = Numbers { of, big_endian };
    let fill = fill(&document["fill_value"], numbers);
    let dims = names(&document["dimension_names"]);
    let source = source(group, name.to_owned(), shape, numbers, dims, &document["attributes"]);
    Layout { folder, chunk, key, codecs, fill }.checked(source)
}

fn version_2(group: &Path, name: &str) -> Read {
    let folder = group.join(name);
    let bad = |problem: &str| Error::invalid(group, format!("has an array `{name}` {problem}"));
    let other = |problem: String| Ok(Err(problem));
    if !folder.join(".zarray").is_file() {
        return other("that is a group; groups inside groups are not read".to_owned());
    }
    let document = json(&folder.join(".zarray"))?;
    let attributes = optional(&folder.join(".zattrs"))?;
    let kind = document["dtype"].as_str().unwrap_or("?");
    let Some(numbers) = Numbers::of_numpy(kind) else {
        return other(format!("with elements of type {kind}, which a dataset cannot hold"));
    };
    let shape = usizes(&document["shape"]).ok_or_else(|| bad("without a shape"))?;
    let chunk = usizes(&document["chunks"]).ok_or_else(|| bad("without a regular chunk grid"))?;
    if document["order"] != "C" && shape.len() > 1 {
        return other("in Fortran order, which is not read".to_owned());
    }
    let mut codecs = match document["compressor"]["id"].as_str() {
        None => Vec::new(),
        Some("blosc") => vec![Codec::Blosc],
        Some("gzip") => vec![Codec::Gzip],
        Some("lz4") => vec![Codec::Lz4],
        Some("zlib") => vec![Codec::Zlib],
        Some("zstd") => vec![Codec::Zstd],
        Some(name) => {
            return other(format!(
                "compressed with {name}, which is not read; those of numcodecs that are: Blosc(), GZip(), LZ4(), \
                 Zlib(), Zstd(), and none (`compressors: None` in xarray's `encoding`)"
            ));
        }
    };
    for filter in document["filters"].as_array().into_iter().flatten().rev() {
        match (filter["id"].as_str().unwrap_or("?"), filter["elementsize"].as_u64()) {
            ("shuffle", Some(size @ 1..=16)) => codecs.push(Codec::Shuffle(size as usize)),
            (name, _) => {
                return other(format!(
                    "with the filter {name}, which is not read; write it without (`filters: None` in xarray's \
                     `encoding`)"
                ));
            }
        }
    }
    let separator = document["dimension_separator"].as_str().unwrap_or(".").to_owned();
    let filled = document["fill_value"].as_f64();
    let fill = fill(&document["fill_value"], numbers);
    let dims = names(&attributes["_ARRAY_DIMENSIONS"]);
    let mut source = source(group, name.to_owned(), shape, numbers, dims, &attributes);
    // This version has no other place for what stands for no value; but zero is what libraries fill with unasked.
    let packing = &mut source.packing;
    packing.missing = packing.missing.or(filled.filter(|filled| *filled != 0.0 || packing.is_packed()));
    Layout { folder, chunk, key: ("", separator), codecs, fill }.checked(source)
}

/// The bytes of one element of this value; of zero where it is none of the numbers that are common there.
fn fill(value: &Value, numbers: Numbers) -> Vec<u8> {
    let float = match value {
        Value::Number(number) => number.as_f64().unwrap_or(0.0),
        Value::Bool(true) => 1.0,
        Value::String(word) => match word.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => 0.0,
        },
        _ => 0.0,
    };
    let mut bytes = match numbers.of {
        Type::F64 => float.to_le_bytes().to_vec(),
        Type::F32 => (float as f32).to_le_bytes().to_vec(),
        // Only whether it is a number: nobody fills with others.
        Type::F16 => if float.is_nan() { 0x7e00_u16 } else { 0 }.to_le_bytes().to_vec(),
        _ => value.as_i64().unwrap_or(float as i64).to_le_bytes()[..numbers.size()].to_vec(),
    };
    if numbers.big_endian {
        bytes.reverse();
    }
    bytes
}

impl Layout {
    fn checked(self, mut source: Source) -> Read {
        source.row_bytes()?;
        let size = source.numbers.size();
        let bytes = self.chunk.iter().try_fold(size, |all, n| all.checked_mul(*n));
        if self.chunk.len() != source.shape.len() || self.chunk.contains(&0) || bytes.is_none() {
            return Err(source.invalid("with chunks of an impossible shape"));
        }
        if bytes.is_some_and(|bytes| bytes > LARGEST) {
            source.problem = Some(
                "with chunks of more than 2 GiB, each of which would be held whole; write smaller ones"
                    .into(),
            );
        }
        Ok(Ok((source, self)))
    }

    /// So many chunks are unpacked at once.
    fn side_by_side(&self, size: usize) -> usize {
        let bytes = self.chunk.iter().product::<usize>() * size;
        (SIDE_BY_SIDE / bytes.max(1)).clamp(1, rayon::current_num_threads())
    }

    /// Reads some rows of the array, from as many rows of chunks as they lie in.
    fn rows(&self, source: &Source, rows: Range<usize>, bytes: &mut [u8]) -> Result<()> {
        let (shape, chunk, size) = (&source.shape, &self.chunk, source.numbers.size());
        if shape.is_empty() {
            bytes.copy_from_slice(&self.chunk(&[], size)?);
            return Ok(());
        }
        // Chunks are counted like the digits of a clock, the last axis first. There may be very many.
        let bands = rows.start / chunk[0]..rows.end.div_ceil(chunk[0]);
        let mut counts: Vec<usize> = shape.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c)).collect();
        counts[0] = bands.len();
        let place = |number: usize| {
            let mut place = vec![0; chunk.len()];
            let mut rest = number;
            for (axis, count) in counts.iter().enumerate().rev() {
                place[axis] = rest % count;
                rest /= count;
            }
            place[0] += bands.start;
            place
        };
        let mut extent = shape.clone();
        extent[0] = rows.len();
        let row_of_chunk: usize = chunk.iter().skip(1).product();
        let (all, together) = (counts.iter().product::<usize>(), self.side_by_side(size));
        // Where a chunk goes: its part that is wanted.
        let block = |place: &[usize]| {
            // Of the first axis, only the rows that are wanted.
            let first = place[0] * chunk[0];
            let wanted_rows = rows.start.max(first)..rows.end.min(first + chunk[0]);
            let skip = (wanted_rows.start - first) * row_of_chunk * size;
            let mut start: Vec<usize> = place.iter().zip(chunk).map(|(at, c)| at * c).collect();
            start[0] = wanted_rows.start - rows.start;
            let mut wanted: Vec<usize> =
                start.iter().zip(&extent).zip(chunk).map(|((s, n), c)| (*n - s).min(*c)).collect();
            wanted[0] = wanted_rows.len();
            (skip, Block { chunk, extent: &extent, start, wanted, size })
        };
        if self.codecs.is_empty() {
            for place in (0..all).map(place) {
                let (skip, block) = block(&place);
                self.lay(&place, skip, &block, bytes)?;
            }
            return Ok(());
        }
        for first in (0..all).step_by(together) {
            let unpacked = (first..all.min(first + together)).into_par_iter().map(|number| -> Result<_> {
                let place = place(number);
                let bytes = self.chunk(&place, size)?;
                Ok((place, bytes))
            });
            for (place, from) in unpacked.collect::<Result<Vec<_>>>()? {
                let (skip, block) = block(&place);
                for (source, target, run) in block.runs() {
                    bytes[target..target + run].copy_from_slice(&from[skip + source..skip + source + run]);
                }
            }
        }
        Ok(())
    }

    /// Puts the values of a chunk that is not packed where they belong, as they are read.
    fn lay(&self, place: &[usize], skip: usize, block: &Block<'_>, bytes: &mut [u8]) -> Result<()> {
        /// Less than a core's cache holds. Longer runs go past the buffer.
        const BUFFER: usize = 256 << 10;
        let path = self.path(place);
        let failed = Error::io("read", &path);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                for (_, target, run) in block.runs() {
                    let run = &mut bytes[target..target + run];
                    run.chunks_exact_mut(self.fill.len()).for_each(|one| one.copy_from_slice(&self.fill));
                }
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        let found = match file.metadata() {
            Ok(meta) => meta.len(),
            Err(error) => return Err(failed(error)),
        };
        let size = self.chunk.iter().product::<usize>() * block.size;
        if found != size as u64 {
            return Err(Error::invalid(&path, format!("holds {found} bytes instead of {size}")));
        }
        let mut reader = BufReader::with_capacity(BUFFER.min(size), file);
        let mut position = 0;
        for (source, target, run) in block.runs() {
            let source = skip + source;
            // No further than the file is long, which fits.
            let read = reader.seek_relative((source - position) as i64);
            if let Err(error) = read.and_then(|()| reader.read_exact(&mut bytes[target..target + run])) {
                return Err(failed(error));
            }
            position = source + run;
        }
        Ok(())
    }

    /// The file of a chunk.
    fn path(&self, place: &[usize]) -> PathBuf {
        let (prefix, separator) = &self.key;
        let mut parts: Vec<String> = place.iter().map(ToString::to_string).collect();
        if !prefix.is_empty() {
            parts.insert(0, (*prefix).to_owned());
        } else if parts.is_empty() {
            parts.push("0".to_owned());
        }
        self.folder.join(parts.join(separator))
    }

    /// The bytes of a chunk, unpacked.
    fn chunk(&self, place: &[usize], size: usize) -> Result<Vec<u8>> {
        let path = self.path(place);
        let size = self.chunk.iter().product::<usize>() * size;
        // Packed values may be a little longer than they are, and have a checksum.
        let limit = size + size / 8 + 4096;
        let read = File::open(&path).and_then(|file| {
            let length = file.metadata()?.len().min(limit as u64);
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
            file.take(limit as u64).read_to_end(&mut bytes).map(|_| bytes)
        });
        let mut bytes = match read {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(self.fill.iter().copied().cycle().take(size).collect());
            }
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        for codec in &self.codecs {
            bytes = unpack(*codec, &bytes, limit).map_err(Error::io("read", &path))?;
        }
        if bytes.len() == size {
            Ok(bytes)
        } else {
            Err(Error::invalid(&path, format!("holds {} bytes instead of {size}", bytes.len())))
        }
    }
}
