//! Datasets of variables along one dimension, as tables.
//!
//! Rows are written in groups, so that no column is held whole.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::dataset::{DType, Dataset, Values, Variable};
use crate::{Error, Result};

/// Rows that are held at once.
const ROWS: usize = 1 << 18;

/// Writes variables that lie along one dimension as CSV, a column each.
///
/// # Errors
/// When a variable has other dimensions, or something cannot be read or written.
pub fn write_columns_csv(dataset: &Dataset, path: &Path) -> Result<()> {
    let rows = length(dataset)?;
    let file = File::create(path).map_err(Error::io("create", path))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let names: Vec<&str> = dataset.variables().iter().map(|variable| variable.name.as_str()).collect();
    writeln!(file, "{}", names.join(",")).map_err(Error::io("write", path))?;
    for rows in groups(rows) {
        let columns = read(dataset, rows)?;
        let mut line = String::new();
        for row in 0..columns.first().map_or(0, Values::len) {
            line.clear();
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    line.push(',');
                }
                cell(&mut line, column, row);
            }
            // A line without anything is no row to those who read it.
            if line.is_empty() {
                line.push_str("NaN");
            }
            writeln!(file, "{line}").map_err(Error::io("write", path))?;
        }
    }
    file.flush().map_err(Error::io("write", path))
}

/// Writes variables that lie along one dimension as Parquet, a column each.
///
/// # Errors
/// When a variable has other dimensions, or something cannot be read or written.
pub fn write_columns_parquet(dataset: &Dataset, path: &Path) -> Result<()> {
    let rows = length(dataset)?;
    let failed = |error: ParquetError| Error::invalid(path, format!("cannot be written: {error}"));
    let file = File::create(path).map_err(Error::io("create", path))?;
    let fields: Vec<Arc<Type>> = dataset
        .variables()
        .iter()
        .map(|v| schema(v).map(Arc::new))
        .collect::<ParquetResult<_>>()
        .map_err(failed)?;
    let schema = Type::group_type_builder("schema").with_fields(fields).build().map_err(failed)?;
    let properties = WriterProperties::builder().set_created_by("flow".to_owned()).build();
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
    for rows in groups(rows) {
        let columns = read(dataset, rows)?;
        let mut group = writer.next_row_group().map_err(failed)?;
        for column in columns {
            let Some(mut open) = group.next_column().map_err(failed)? else { break };
            let written = match (open.untyped(), column) {
                (ColumnWriter::Int32ColumnWriter(writer), Values::U8(values)) => {
                    let values: Vec<i32> = values.into_iter().map(i32::from).collect();
                    writer.write_batch(&values, None, None)
                }
                (ColumnWriter::Int32ColumnWriter(writer), Values::I32(values)) => {
                    writer.write_batch(&values, None, None)
                }
                (ColumnWriter::Int64ColumnWriter(writer), Values::I64(values)) => {
                    writer.write_batch(&values, None, None)
                }
                (ColumnWriter::FloatColumnWriter(writer), Values::F32(values)) => {
                    writer.write_batch(&values, None, None)
                }
                (ColumnWriter::DoubleColumnWriter(writer), Values::F64(values)) => {
                    writer.write_batch(&values, None, None)
                }
                _ => Err(ParquetError::General("a column of another type than the schema has".into())),
            };
            written.map_err(failed)?;
            open.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
    }
    writer.close().map(drop).map_err(failed)
}

/// The length of the one dimension that all variables lie along.
fn length(dataset: &Dataset) -> Result<usize> {
    let Some(first) = dataset.variables().iter().max_by_key(|variable| variable.dims.len() == 1) else {
        return Err(Error::invalid(dataset.path(), "has no variables that could be columns of a table"));
    };
    let (Some(dim), Some(length)) = (first.dims.first(), first.shape.first()) else {
        return Err(not_a_column(first, None));
    };
    match dataset.variables().iter().find(|variable| variable.dims != [dim.as_str()]) {
        Some(other) => Err(not_a_column(other, (first.dims.len() == 1).then_some(dim))),
        None => Ok(*length),
    }
}

fn not_a_column(variable: &Variable, dim: Option<&String>) -> Error {
    let dims = if variable.dims.is_empty() { "none".to_owned() } else { variable.dims.join(", ") };
    let others = dim.map_or(String::new(), |dim| format!(", as others do along `{dim}`"));
    Error::request(format!(
        "variable `{}` cannot be a column of a table: its dimensions are {dims}; a column lies along a single \
         one{others}; data/select chooses variables",
        variable.name
    ))
}

fn groups(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows.div_ceil(ROWS)).map(move |at| at * ROWS..((at + 1) * ROWS).min(rows))
}

fn read(dataset: &Dataset, rows: Range<usize>) -> Result<Vec<Values>> {
    dataset.variables().iter().map(|variable| dataset.read_values(&variable.name, rows.clone())).collect()
}

fn cell(line: &mut String, column: &Values, row: usize) {
    // Writing to a string cannot fail.
    let _ = match column {
        Values::U8(v) => write!(line, "{}", v[row]),
        Values::I32(v) => write!(line, "{}", v[row]),
        Values::I64(v) => write!(line, "{}", v[row]),
        // A missing number is an empty cell.
        Values::F32(v) if v[row].is_nan() => Ok(()),
        Values::F64(v) if v[row].is_nan() => Ok(()),
        // With a point, so that the column is read as one of numbers and not of integers.
        Values::F32(v) => write!(line, "{:?}", v[row]),
        Values::F64(v) => write!(line, "{:?}", v[row]),
    };
}

fn schema(variable: &Variable) -> ParquetResult<Type> {
    let physical = match variable.dtype {
        DType::U8 | DType::I32 => Physical::INT32,
        DType::I64 => Physical::INT64,
        DType::F32 => Physical::FLOAT,
        DType::F64 => Physical::DOUBLE,
    };
    let builder =
        Type::primitive_type_builder(&variable.name, physical).with_repetition(Repetition::REQUIRED);
    match variable.dtype {
        DType::U8 => builder
            .with_logical_type(Some(LogicalType::integer(8, false)))
            .with_converted_type(ConvertedType::UINT_8)
            .build(),
        _ => builder.build(),
    }
}
