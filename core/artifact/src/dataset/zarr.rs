//! The metadata of a dataset: Zarr v3 documents.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{DType, Variable};
use crate::{Error, Result};

/// The file that describes a group or an array.
pub(super) const FILE: &str = "zarr.json";

/// A variable and how many rows each of its chunks has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) variable: Variable,
    pub(super) chunk_rows: usize,
}

impl Layout {
    /// How many chunks there are.
    pub(super) fn chunks(&self) -> usize {
        if self.variable.is_empty() { 0 } else { self.variable.rows().div_ceil(self.chunk_rows) }
    }

    /// The file name of a chunk: `c.3.0.0` for the fourth chunk of three dimensions, `c` for a scalar.
    pub(super) fn chunk_name(&self, chunk: usize) -> String {
        let mut name = String::from("c");
        for dim in 0..self.variable.dims.len() {
            name.push_str(&if dim == 0 { format!(".{chunk}") } else { ".0".to_owned() });
        }
        name
    }

    /// The bytes of every chunk's file. The last one may be filled up with zeros.
    pub(super) fn chunk_bytes(&self) -> usize {
        self.chunk_rows * self.variable.row_bytes()
    }

    /// The rows that a chunk holds, counted from the first row of the variable.
    pub(super) fn chunk_range(&self, chunk: usize) -> std::ops::Range<usize> {
        let start = chunk * self.chunk_rows;
        start..(start + self.chunk_rows).min(self.variable.rows())
    }

    /// The Zarr array document.
    pub(super) fn to_json(&self) -> Value {
        let Variable { dtype, dims, shape, units, long_name, .. } = &self.variable;
        // Zarr wants chunks of at least one element along every dimension, also where the array has none.
        let mut chunk_shape: Vec<usize> = shape.iter().map(|&n| n.max(1)).collect();
        if let Some(rows) = chunk_shape.first_mut() {
            *rows = self.chunk_rows.max(1);
        }
        let codec = match dtype {
            DType::U8 => json!({ "name": "bytes" }),
            _ => json!({ "name": "bytes", "configuration": { "endian": "little" } }),
        };
        let fill = if matches!(dtype, DType::F32 | DType::F64) { json!(0.0) } else { json!(0) };
        json!({
            "zarr_format": 3,
            "node_type": "array",
            "shape": shape,
            "data_type": zarr_name(*dtype),
            "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": chunk_shape } },
            "chunk_key_encoding": { "name": "default", "configuration": { "separator": "." } },
            "fill_value": fill,
            "codecs": [codec],
            "attributes": { "long_name": long_name, "units": units },
            "dimension_names": dims,
            "storage_transformers": [],
        })
    }

    /// Reads a Zarr array document.
    pub(super) fn from_json(path: &Path, name: &str, json: &Value) -> Result<Self> {
        let bad = |what: &str| Error::invalid(path, format!("has a variable `{name}` {what}"));
        check_name(name).map_err(|problem| Error::invalid(path, problem))?;
        if json["node_type"] != "array" {
            return Err(bad("that is not an array; groups inside groups are not supported"));
        }
        let data_type = json["data_type"].as_str().unwrap_or("?");
        let dtype = DType::ALL.into_iter().find(|&d| zarr_name(d) == data_type).ok_or_else(|| {
            bad(&format!(
                "with elements of type {data_type}; supported are {}",
                DType::ALL.map(zarr_name).join(", ")
            ))
        })?;
        let codecs = json["codecs"].as_array().map_or(&[][..], Vec::as_slice);
        let plain = codecs.len() == 1
            && codecs[0]["name"] == "bytes"
            && (dtype.size() == 1 || codecs[0]["configuration"]["endian"] == "little");
        if !plain {
            return Err(bad("that is compressed or not little-endian; only plain `bytes` are supported"));
        }
        let encoding = &json["chunk_key_encoding"];
        if encoding["name"] != "default" || encoding["configuration"]["separator"] != "." {
            return Err(bad("whose chunks are not named with the separator `.`"));
        }
        let shape = usizes(&json["shape"]).ok_or_else(|| bad("without a shape"))?;
        let chunk_shape = usizes(&json["chunk_grid"]["configuration"]["chunk_shape"])
            .filter(|c| json["chunk_grid"]["name"] == "regular" && c.len() == shape.len())
            .ok_or_else(|| bad("without a regular chunk grid"))?;
        if chunk_shape.iter().zip(&shape).skip(1).any(|(&chunk, &n)| chunk != n.max(1)) {
            return Err(bad("that is chunked along other dimensions than the first"));
        }
        let chunk_rows = chunk_shape.first().copied().unwrap_or(1);
        if chunk_rows == 0 {
            return Err(bad("with empty chunks"));
        }
        let dims: Option<Vec<String>> =
            json["dimension_names"].as_array().and_then(|names| names.iter().map(text).collect());
        let dims =
            dims.filter(|d| d.len() == shape.len()).ok_or_else(|| bad("whose dimensions have no names"))?;
        // A hostile shape must not overflow when sizes are worked out later.
        let bytes =
            shape.iter().chain([&dtype.size()]).try_fold(1_usize, |all, &n| all.checked_mul(n.max(1)));
        if bytes.and_then(|all| all.checked_mul(2)).is_none()
            || chunk_rows > shape.first().map_or(1, |&n| n.max(1))
        {
            return Err(bad("of an impossible size"));
        }
        let attribute = |key: &str| text(&json["attributes"][key]).unwrap_or_default();
        let (units, long_name) = (attribute("units"), attribute("long_name"));
        let variable = Variable { name: name.to_owned(), dtype, dims, shape, units, long_name };
        Ok(Self { variable, chunk_rows })
    }
}

/// The document of the group: the attributes, and the documents of all arrays, sorted.
pub(super) fn group(attributes: &Map<String, Value>, layouts: &[Layout]) -> Value {
    let arrays: Map<String, Value> =
        layouts.iter().map(|layout| (layout.variable.name.clone(), layout.to_json())).collect();
    json!({
        "zarr_format": 3,
        "node_type": "group",
        "attributes": attributes,
        "consolidated_metadata": { "kind": "inline", "must_understand": false, "metadata": arrays },
    })
}

/// Reads the group's document: its attributes, and its variables sorted by name.
pub(super) fn parse_group(path: &Path, text: &[u8]) -> Result<(Map<String, Value>, Vec<Layout>)> {
    let json: Value = serde_json::from_slice(text)
        .map_err(|error| Error::invalid(path, format!("is not a dataset: {FILE} is not JSON: {error}")))?;
    if json["zarr_format"] != 3 || json["node_type"] != "group" {
        return Err(Error::invalid(path, "is not a dataset: it is no Zarr v3 group"));
    }
    let Some(arrays) = json["consolidated_metadata"]["metadata"].as_object() else {
        return Err(Error::invalid(path, "has no consolidated metadata"));
    };
    let mut layouts: Vec<Layout> =
        arrays.iter().map(|(name, json)| Layout::from_json(path, name, json)).collect::<Result<_>>()?;
    layouts.sort_by(|a, b| a.variable.name.cmp(&b.variable.name));
    check_dims(layouts.iter().map(|l| &l.variable)).map_err(|problem| Error::invalid(path, problem))?;
    Ok((json["attributes"].as_object().cloned().unwrap_or_default(), layouts))
}

/// Whether a variable can have this name. It becomes a folder's name, so it must not lead elsewhere.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.starts_with("__") || !name.chars().all(fine) {
        return Err(format!("has a variable `{name}`: names consist of letters, digits, `_` and `-`"));
    }
    Ok(())
}

/// Whether dimensions of one name have one length.
pub(super) fn check_dims<'a>(variables: impl Iterator<Item = &'a Variable>) -> Result<(), String> {
    let mut known = std::collections::BTreeMap::new();
    for variable in variables {
        for (dim, &len) in variable.dims.iter().zip(&variable.shape) {
            let (first, other) = known.entry(dim).or_insert((len, &variable.name));
            if *first != len {
                let name = &variable.name;
                return Err(format!(
                    "has dimension `{dim}` with length {first} in variable `{other}` but {len} in `{name}`"
                ));
            }
        }
    }
    Ok(())
}

fn zarr_name(dtype: DType) -> &'static str {
    match dtype {
        DType::U8 => "uint8",
        DType::I32 => "int32",
        DType::I64 => "int64",
        DType::F32 => "float32",
        DType::F64 => "float64",
    }
}

fn usizes(json: &Value) -> Option<Vec<usize>> {
    json.as_array()?.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect()
}

fn text(json: &Value) -> Option<String> {
    json.as_str().map(str::to_owned)
}
