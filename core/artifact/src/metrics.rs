//! Metrics: a JSON object of named numbers, possibly in groups.
//!
//! JSON has no way to write a number that is not finite; here it is one of the strings `"NaN"`, `"Infinity"`
//! and `"-Infinity"`. `null` stands for what is not known.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Error, Result};

mod ser;

/// Writes metrics: any value that serialises to a JSON object, with numbers that are not finite as strings.
///
/// # Errors
/// When the value is no object, contains something that is neither a number, a text, a flag, nothing, nor a
/// list or group of those, or the file cannot be written.
pub fn write_metrics(path: impl AsRef<Path>, value: &impl Serialize) -> Result<()> {
    let path = path.as_ref();
    let value = ser::to_value(value).map_err(|error| Error::invalid(path, error.to_string()))?;
    check(path, &value)?;
    fs::write(path, format!("{value:#}\n")).map_err(Error::io("write", path))
}

/// Reads metrics.
///
/// # Errors
/// When the file cannot be read or is not a JSON object of numbers.
pub fn read_metrics(path: impl AsRef<Path>) -> Result<Map<String, Value>> {
    let path = path.as_ref();
    let text = fs::read(path).map_err(Error::io("read", path))?;
    let value = serde_json::from_slice(&text)
        .map_err(|error| Error::invalid(path, format!("is not JSON: {error}")))?;
    check(path, &value)?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}

/// The number that a JSON value of metrics stands for, if it is one.
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn check(path: &Path, value: &Value) -> Result<()> {
    if !value.is_object() {
        return Err(Error::invalid(path, "is not a JSON object of named numbers"));
    }
    Ok(())
}
