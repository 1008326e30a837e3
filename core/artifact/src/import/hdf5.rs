//! HDF5: NetCDF-4, MATLAB 7.3, and files of h5py.
//!
//! Datasets of groups inside the root group are called by their path, `group/name`.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use hdf5_reader::group::Group;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::reference::read_object_references;
use hdf5_reader::{
    Attribute, Dataset, Datatype, FileStorage, H5Type, Hdf5File, OpenOptions, SliceInfo, SliceInfoElem,
};
use serde_json::Value;

use super::filters::{self, Filters};
use super::netcdf::json;
use super::numbers::{Numbers, Type};
use super::piece::Piece;
use super::rows::{LARGEST, Packing, Sink, Source};
use super::{Attributes, Error, Form, Opened, Result};

/// Groups deeper than this are not looked into.
const DEEPEST: usize = 8;

/// Attributes by which libraries join datasets, and which say nothing about the values.
const BOOKKEEPING: [&str; 6] =
    ["_NCProperties", "_Netcdf4Dimid", "_Netcdf4Coordinates", "_nc3_strict", "CLASS", "NAME"];

/// How a scale begins that stands for a dimension without values of its own.
const NO_VARIABLE: &str = "This is a netCDF dimension but not a netCDF variable";

/// So many bytes of rows are read together, if a row of chunks is not more: the more, the more chunks are unpacked
/// side by side.
const TOGETHER: usize = 32 << 20;

/// Chunks that are kept unpacked, in bytes.
const CACHE: usize = 64 << 20;

/// An open file.
struct Hierarchy {
    file: File,
    datasets: Vec<Dataset>,
    /// For each dataset: where its values begin, if no library is needed to find them.
    begins: Vec<Option<u64>>,
    /// MATLAB's arrays, whose axes are in the other order.
    turned: Vec<bool>,
}

/// Reads the metadata of all datasets.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let failed = failed(path);
    let opened = File::open(path).map_err(Error::io("read", path))?;
    let size = opened.metadata().map_err(Error::io("read", path))?.len();
    let storage = opened.try_clone().map_err(Error::io("read", path))?;
    let storage = FileStorage::from_file(storage).map_err(&failed)?;
    let filters = Filters::default();
    let options = OpenOptions::default()
        .with_filter_registry(filters.registry())
        .with_chunk_cache_bytes(CACHE)
        .with_max_chunk_bytes(LARGEST)
        .with_max_read_bytes(LARGEST);
    let file = Hdf5File::from_storage_with_options(Arc::new(storage), options).map_err(&failed)?;
    let root = file.root_group().map_err(&failed)?;
    let mut found = Vec::new();
    walk(&root, "", 0, &mut HashSet::from([root.address()]), &mut found).map_err(&failed)?;
    found.iter().for_each(|(_, data, _)| filters.expect(data));
    let scales: HashMap<u64, &str> =
        found.iter().map(|(name, data, _)| (data.address(), name.as_str())).collect();
    let (mut sources, mut kept) = (Vec::new(), Vec::new());
    for (at, (name, data, group)) in found.iter().enumerate() {
        let attributes = data.attributes();
        if text(&attributes, "NAME").is_some_and(|name| name.starts_with(NO_VARIABLE)) {
            continue;
        }
        sources.push(source(path, name, data, &attributes, dims(data, group, &attributes, &scales)));
        kept.push(at);
    }
    let attributes = attributes(&root.attributes().map_err(&failed)?);
    let mut datasets: Vec<Option<Dataset>> = found.into_iter().map(|(_, data, _)| Some(data)).collect();
    let datasets: Vec<Dataset> = kept.into_iter().filter_map(|at| datasets[at].take()).collect();
    let turned = datasets.iter().map(|data| class(&data.attributes()).is_some()).collect();
    let begins = datasets.iter().map(|data| begin(&file, data, size)).collect();
    Ok(Opened { attributes, sources, form: Box::new(Hierarchy { file: opened, datasets, begins, turned }) })
}

fn failed(path: &Path) -> impl Fn(hdf5_reader::error::Error) -> Error {
    move |error| match error {
        hdf5_reader::error::Error::Io(error) => Error::io("read", path)(error),
        other => Error::invalid(path, format!("cannot be read as HDF5: {other}")),
    }
}

fn walk(
    group: &Group,
    prefix: &str,
    depth: usize,
    seen: &mut HashSet<u64>,
    found: &mut Vec<(String, Dataset, Group)>,
) -> Result<(), hdf5_reader::error::Error> {
    let (groups, datasets) = group.members()?;
    for data in datasets {
        found.push((format!("{prefix}{}", leaf(data.name())), data, group.clone()));
    }
    for inner in groups {
        let name = leaf(inner.name()).to_owned();
        // Where MATLAB keeps the cells of arrays of cells.
        let of_matlab = name.starts_with('#') && name.ends_with('#');
        // A group may have several names, one of them inside itself.
        if depth < DEEPEST && !of_matlab && seen.insert(inner.address()) {
            walk(&inner, &format!("{prefix}{name}/"), depth + 1, seen, found)?;
        }
    }
    Ok(())
}

fn leaf(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The type that MATLAB gave an array.
fn class(attributes: &[Attribute]) -> Option<String> {
    text(attributes, "MATLAB_class")
}

fn text(attributes: &[Attribute], name: &str) -> Option<String> {
    attributes.iter().find(|attribute| attribute.name == name)?.read_string().ok()
}

fn number(attributes: &[Attribute], name: &str) -> Option<f64> {
    let attribute = attributes.iter().find(|attribute| attribute.name == name)?;
    attribute.read_as_f64().ok()
}

fn attributes(found: &[Attribute]) -> Attributes {
    let wanted = found.iter().filter(|attribute| !BOOKKEEPING.contains(&attribute.name.as_str()));
    wanted.filter_map(|attribute| Some((attribute.name.clone(), value(attribute)?))).collect()
}

fn value(attribute: &Attribute) -> Option<Value> {
    if let Ok(text) = attribute.read_string() {
        return Some(Value::from(text.trim_end_matches('\0')));
    }
    if let Ok(texts) = attribute.read_strings() {
        return Some(Value::from(texts));
    }
    if attribute.num_elements().ok()? == 1 {
        return attribute.read_as_f64().ok().map(json);
    }
    fn several<T: H5Type + Into<f64>>(attribute: &Attribute) -> Option<Value> {
        let values = attribute.read_1d::<T>().ok()?;
        Some(values.into_iter().map(|value| json(value.into())).collect())
    }
    several::<f64>(attribute)
        .or_else(|| several::<f32>(attribute))
        .or_else(|| several::<i32>(attribute))
        .or_else(|| several::<i16>(attribute))
        .or_else(|| attribute.read_1d::<i64>().ok().map(Value::from))
}

/// The names of the dimensions, if all have some.
fn dims(
    data: &Dataset,
    group: &Group,
    attributes: &[Attribute],
    scales: &HashMap<u64, &str>,
) -> Option<Vec<String>> {
    let own_scale = text(attributes, "CLASS").is_some_and(|class| class == "DIMENSION_SCALE");
    if own_scale && data.ndim() == 1 {
        return Some(vec![leaf(data.name()).to_owned()]);
    }
    let list = attributes.iter().find(|attribute| attribute.name == "DIMENSION_LIST")?;
    // For every dimension: how many scales it has, and where in the heap the references to them are.
    let entry = 4 + usize::from(group.offset_size()) + 4;
    let mut names = Vec::new();
    for reference in list.raw_data.chunks_exact(entry).take(data.ndim()) {
        let references =
            data.resolve_vlen_reference_bytes(reference, usize::from(group.offset_size())).ok()?;
        let addresses = read_object_references(&references, group.offset_size()).ok()?;
        names.push(leaf(scales.get(addresses.first()?)?).to_owned());
    }
    let distinct = names.iter().enumerate().all(|(at, name)| !names[..at].contains(name));
    (names.len() == data.ndim() && distinct).then_some(names)
}

fn source(
    path: &Path,
    name: &str,
    data: &Dataset,
    attributes: &[Attribute],
    dims: Option<Vec<String>>,
) -> Source {
    let matlab = class(attributes);
    let numbers = numbers(data.dtype());
    let mut shape: Vec<usize> =
        data.shape().iter().map(|n| usize::try_from(*n).unwrap_or(usize::MAX)).collect();
    if matlab.is_some() {
        shape.reverse();
        shape = super::matlab::without_ones(&shape);
    }
    let problem = match (&numbers, matlab.as_deref()) {
        (_, Some("char")) => Some("of text, which a dataset cannot hold".to_owned()),
        (_, Some(_)) if number(attributes, "MATLAB_empty") == Some(1.0) => Some("that is empty".to_owned()),
        (None, _) => Some(format!("{}, which a dataset cannot hold", describe(data.dtype()))),
        (Some(_), _) => None,
    };
    Source {
        path: path.to_owned(),
        name: name.to_owned(),
        dims,
        shape,
        units: text(attributes, "units"),
        long_name: text(attributes, "long_name"),
        numbers: numbers.unwrap_or(Numbers { of: Type::U8, big_endian: false }),
        packing: Packing {
            scale: number(attributes, "scale_factor"),
            offset: number(attributes, "add_offset"),
            missing: number(attributes, "_FillValue").or_else(|| number(attributes, "missing_value")),
        },
        problem,
    }
}

fn numbers(of: &Datatype) -> Option<Numbers> {
    let (of, order) = match of {
        Datatype::FixedPoint { size, signed, byte_order } => {
            let of = match (size, signed) {
                (1, true) => Type::I8,
                (1, false) => Type::U8,
                (2, true) => Type::I16,
                (2, false) => Type::U16,
                (4, true) => Type::I32,
                (4, false) => Type::U32,
                (8, true) => Type::I64,
                (8, false) => Type::U64,
                _ => return None,
            };
            (of, byte_order)
        }
        Datatype::FloatingPoint { size, byte_order } => {
            let of = match size {
                2 => Type::F16,
                4 => Type::F32,
                8 => Type::F64,
                _ => return None,
            };
            (of, byte_order)
        }
        // The numbers that stand for the names; h5py writes booleans so.
        Datatype::Enum { base, .. } => return numbers(base),
        _ => return None,
    };
    Some(Numbers { of, big_endian: *order == hdf5_reader::ByteOrder::BigEndian })
}

fn describe(of: &Datatype) -> &'static str {
    match of {
        Datatype::String { .. } | Datatype::VarLen { .. } => "of text",
        Datatype::Compound { .. } => "of structures",
        Datatype::Reference { .. } => "of references to other objects",
        _ => "of values that are no numbers",
    }
}

/// The bytes of one number as they are in the file.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Raw<const N: usize>([u8; N]);

// SAFETY: it is an array of bytes and nothing else.
unsafe impl<const N: usize> bytemuck::Zeroable for Raw<N> {}
// SAFETY: the same.
unsafe impl<const N: usize> bytemuck::Pod for Raw<N> {}

impl<const N: usize> H5Type for Raw<N> {
    fn hdf5_type() -> Datatype {
        // Asked for when writing only.
        Datatype::Opaque { size: N as u32, tag: String::new() }
    }

    fn from_bytes(bytes: &[u8], _: &Datatype) -> Result<Self, hdf5_reader::error::Error> {
        let bytes = bytes.first_chunk().copied();
        bytes
            .map(Self)
            .ok_or_else(|| hdf5_reader::error::Error::InvalidData("an element is cut short".into()))
    }

    fn element_size(_: &Datatype) -> usize {
        N
    }

    fn decode_vec(
        raw: &[u8],
        _: &Datatype,
        count: usize,
    ) -> Option<Result<Vec<Self>, hdf5_reader::error::Error>> {
        let raw = raw.get(..count.checked_mul(N)?)?;
        Some(Ok(bytemuck::cast_slice(raw).to_vec()))
    }

    fn native_copy_compatible(of: &Datatype) -> bool {
        numbers(of).is_some_and(|numbers| numbers.size() == N)
    }
}

impl Form for Hierarchy {
    fn read(&mut self, at: usize, source: &Source, to: Sink<'_>) -> Result<()> {
        match source.numbers.size() {
            1 => self.read_sized::<1>(at, source, to),
            2 => self.read_sized::<2>(at, source, to),
            4 => self.read_sized::<4>(at, source, to),
            _ => self.read_sized::<8>(at, source, to),
        }
    }
}

impl Hierarchy {
    fn read_sized<const N: usize>(&mut self, at: usize, source: &Source, to: Sink<'_>) -> Result<()> {
        let data = &self.datasets[at];
        let failed = |error| match filters::problem(&error) {
            Some(problem) => source.invalid(&problem),
            None => failed(&source.path)(error),
        };
        if source.shape.contains(&0) {
            return Ok(());
        }
        if self.turned[at] || source.shape.is_empty() {
            let all = data.read_array::<Raw<N>>().map_err(failed)?.into_raw_vec_and_offset().0;
            return source.stream_from(bytemuck::cast_slice::<_, u8>(&all), self.turned[at], to);
        }
        let row = source.row_bytes()?.max(1);
        if let Some(begin) = self.begins[at] {
            self.file.seek(SeekFrom::Start(begin)).map_err(Error::io("read", &source.path))?;
            let next = |rows: usize, piece: &mut Piece| {
                self.file.read_exact(piece.room(rows * row)).map_err(|error| source.failed(error))
            };
            return source.stream(source.rows_at_once()?, next, to);
        }
        // Whole chunks, so that few are unpacked twice.
        let chunk = data.chunks().and_then(|chunk| chunk.first().copied()).unwrap_or(1).max(1) as usize;
        let fits = (TOGETHER / row).max(1);
        let at_once = if chunk <= fits { fits / chunk * chunk } else { chunk.min((CACHE / row).max(1)) };
        let mut done = 0;
        let next = |rows: usize, piece: &mut Piece| {
            let mut selections = vec![SliceInfoElem::Slice { start: done, end: done + rows as u64, step: 1 }];
            let rest = source.shape.iter().skip(1);
            selections.extend(rest.map(|n| SliceInfoElem::Slice { start: 0, end: *n as u64, step: 1 }));
            done += rows as u64;
            let part = data.read_slice_parallel::<Raw<N>>(&SliceInfo { selections }).map_err(failed)?;
            let part = part.into_raw_vec_and_offset().0;
            let bytes: &[u8] = bytemuck::cast_slice(&part);
            let room = piece.room(rows * row);
            if bytes.len() != room.len() {
                return Err(source.invalid("that is cut short"));
            }
            room.copy_from_slice(bytes);
            Ok(())
        };
        source.stream(at_once, next, to)
    }
}

/// Where in the file the values of a dataset begin, if they lie there as a whole, one after the other.
fn begin(file: &Hdf5File, data: &Dataset, size: u64) -> Option<u64> {
    let header = file.get_or_parse_header(data.address()).ok()?;
    let (mut place, mut elsewhere) = (None, false);
    for message in &header.messages {
        match message {
            HdfMessage::DataLayout(message) => place = Some(&message.layout),
            HdfMessage::ExternalFiles(_) => elsewhere = true,
            _ => {}
        }
    }
    let Some(DataLayout::Contiguous { address, size: stored }) = place else { return None };
    let elements = data.num_elements().ok()?;
    let bytes = elements.checked_mul(data.raw_element_size().ok()? as u64)?;
    // What has no place yet, or not this size, is left to the library, which knows what that means.
    let base = file.superblock().base_address;
    let begin = address.checked_add(base)?;
    let within = begin.checked_add(bytes).is_some_and(|end| end <= size);
    (!elsewhere && bytes > 0 && *stored == bytes && within).then_some(begin)
}
