//! Zarr groups as other programs write them: version 3 and 2.

use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::numbers::{Numbers, Type};
use super::rows::{Packing, Sink, Source};
use super::{Error, Form, Opened, Result};

/// Rows of chunks that have more bytes are read several times, a part each.
const BAND: usize = 64 << 20;

/// How an array is cut up, and how its chunks are packed.
struct Layout {
    folder: PathBuf,
    chunk: Vec<usize>,
    /// What stands before the numbers of a chunk in its name, and between them.
    key: (&'static str, String),
    codecs: Vec<Codec>,
    /// One element: what chunks hold that are not there.
    fill: Vec<u8>,
}

/// What was done to the bytes of a chunk, in the order in which to undo it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Codec {
    Gzip,
    Zlib,
    Zstd,
    /// Four bytes behind the others.
    Crc32c,
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
        let band = layout.chunk.first().copied().unwrap_or(1);
        // A row of chunks at once, so that none is unpacked twice, unless that is too much to hold.
        let at_once = band.min((BAND / source.row_bytes()?.max(1)).max(1));
        let mut done = 0;
        let next = |rows: usize| {
            let bytes = layout.rows(source, done..done + rows)?;
            done += rows;
            Ok(bytes)
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
            missing: number("_FillValue").or_else(|| number("missing_value")),
        },
        problem: None,
    }
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
            "gzip" => codecs.push(Codec::Gzip),
            "zstd" => codecs.push(Codec::Zstd),
            "crc32c" => codecs.push(Codec::Crc32c),
            name => {
                return other(format!(
                    "with the codec {name}, which is not read; zarr.codecs.ZstdCodec() and GzipCodec() are, and \
                     no compression"
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
    if document["filters"].as_array().is_some_and(|filters| !filters.is_empty()) {
        return other("with filters, which are not read".to_owned());
    }
    let codecs = match document["compressor"]["id"].as_str() {
        None => Vec::new(),
        Some("gzip") => vec![Codec::Gzip],
        Some("zlib") => vec![Codec::Zlib],
        Some("zstd") => vec![Codec::Zstd],
        Some(name) => {
            return other(format!(
                "compressed with {name}, which is not read; write Zarr v3 (`zarr_format=3`), or without compression \
                 (`compressor: None` in xarray's `encoding`)"
            ));
        }
    };
    let separator = document["dimension_separator"].as_str().unwrap_or(".").to_owned();
    let fill = fill(&document["fill_value"], numbers);
    let dims = names(&attributes["_ARRAY_DIMENSIONS"]);
    let source = source(group, name.to_owned(), shape, numbers, dims, &attributes);
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
    fn checked(self, source: Source) -> Read {
        source.row_bytes()?;
        let size = source.numbers.size();
        let fits = self.chunk.len() == source.shape.len()
            && !self.chunk.contains(&0)
            && self.chunk.iter().try_fold(size, |all, n| all.checked_mul(*n)).is_some();
        if fits { Ok(Ok((source, self))) } else { Err(source.invalid("with chunks of an impossible shape")) }
    }

    /// Some rows of the array, from as many rows of chunks as they lie in.
    fn rows(&self, source: &Source, rows: Range<usize>) -> Result<Vec<u8>> {
        let (shape, chunk, size) = (&source.shape, &self.chunk, source.numbers.size());
        if shape.is_empty() {
            return self.chunk(&[], size);
        }
        let mut bytes = vec![0; rows.len() * source.row_bytes()?];
        // Positions of chunks along all axes but the first, counted like the digits of a clock.
        let counts: Vec<usize> = shape.iter().zip(chunk).skip(1).map(|(n, c)| n.div_ceil(*c)).collect();
        let mut extent = shape.clone();
        extent[0] = rows.len();
        let row_of_chunk: usize = chunk.iter().skip(1).product();
        for band in rows.start / chunk[0]..rows.end.div_ceil(chunk[0]) {
            let wanted_rows = rows.start.max(band * chunk[0])..rows.end.min((band + 1) * chunk[0]);
            for number in 0..counts.iter().product::<usize>() {
                let mut place = vec![band];
                let mut rest = number;
                for count in counts.iter().rev() {
                    place.insert(1, rest % count);
                    rest /= count;
                }
                let from = self.chunk(&place, size)?;
                let from = &from[(wanted_rows.start - band * chunk[0]) * row_of_chunk * size..];
                let mut start: Vec<usize> = place.iter().zip(chunk).map(|(at, c)| at * c).collect();
                start[0] = wanted_rows.start - rows.start;
                let mut wanted: Vec<usize> =
                    start.iter().zip(&extent).zip(chunk).map(|((s, n), c)| (*n - s).min(*c)).collect();
                wanted[0] = wanted_rows.len();
                lay(from, chunk, &mut bytes, &extent, &start, &wanted, size);
            }
        }
        Ok(bytes)
    }

    /// The bytes of a chunk, unpacked.
    fn chunk(&self, place: &[usize], size: usize) -> Result<Vec<u8>> {
        let (prefix, separator) = &self.key;
        let mut parts: Vec<String> = place.iter().map(ToString::to_string).collect();
        if !prefix.is_empty() {
            parts.insert(0, (*prefix).to_owned());
        } else if parts.is_empty() {
            parts.push("0".to_owned());
        }
        let path = self.folder.join(parts.join(separator));
        let size = self.chunk.iter().product::<usize>() * size;
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(self.fill.iter().copied().cycle().take(size).collect());
            }
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        for codec in &self.codecs {
            bytes = unpack(*codec, &bytes, size).map_err(Error::io("read", &path))?;
        }
        if bytes.len() == size {
            Ok(bytes)
        } else {
            Err(Error::invalid(&path, format!("holds {} bytes instead of {size}", bytes.len())))
        }
    }
}

/// At most `size` bytes and a few: a chunk that unpacks to more is damaged, or meant to fill the memory.
fn unpack(codec: Codec, bytes: &[u8], size: usize) -> std::io::Result<Vec<u8>> {
    let limit = size as u64 + 64;
    let mut out = Vec::new();
    match codec {
        Codec::Gzip => flate2::read::MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut out)?,
        Codec::Zlib => flate2::read::ZlibDecoder::new(bytes).take(limit).read_to_end(&mut out)?,
        Codec::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(bytes).map_err(std::io::Error::other)?;
            decoder.take(limit).read_to_end(&mut out)?
        }
        Codec::Crc32c => {
            out.extend_from_slice(&bytes[..bytes.len().saturating_sub(4)]);
            out.len()
        }
    };
    Ok(out)
}

/// Copies a block from the start of `from` (of shape `chunk`) into `to` (of shape `extent`) at `start`.
fn lay(
    from: &[u8],
    chunk: &[usize],
    to: &mut [u8],
    extent: &[usize],
    start: &[usize],
    wanted: &[usize],
    size: usize,
) {
    let last = wanted.len() - 1;
    let run = wanted[last] * size;
    for line in 0..wanted[..last].iter().product::<usize>() {
        let (mut rest, mut source, mut target) = (line, 0, start[last]);
        let (mut source_stride, mut target_stride) = (chunk[last], extent[last]);
        for axis in (0..last).rev() {
            let at = rest % wanted[axis];
            rest /= wanted[axis];
            source += at * source_stride;
            target += (start[axis] + at) * target_stride;
            source_stride *= chunk[axis];
            target_stride *= extent[axis];
        }
        to[target * size..target * size + run].copy_from_slice(&from[source * size..source * size + run]);
    }
}
