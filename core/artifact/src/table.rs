//! Tables: rows and columns in a Parquet file.
//!
//! ```
//! # fn main() -> flow_artifact::Result<()> {
//! # let file = std::env::temp_dir().join(format!("flow-doc-{}.parquet", std::process::id()));
//! use flow_artifact::table::Table;
//! let table = Table::new()
//!     .with("case", vec![1_i64, 2])
//!     .with("error", vec![0.01, 0.02])
//!     .with("name", vec!["first", "second"]);
//! table.write(&file)?;
//! assert_eq!(Table::read(&file)?, table);
//! # std::fs::remove_file(&file).map_err(|_| ()).unwrap_or(());
//! # Ok(()) }
//! ```

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::record::Field;
use parquet::schema::types::Type;

use crate::{Error, Result};

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// 64-bit integers.
    Int(Vec<i64>),
    /// Double-precision numbers; a missing one is NaN.
    Float(Vec<f64>),
    /// Texts; a missing one is empty.
    Text(Vec<String>),
    /// Flags.
    Bool(Vec<bool>),
}

impl Column {
    /// The number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Int(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Text(v) => v.len(),
            Self::Bool(v) => v.len(),
        }
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of the values, as people call it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Int(_) => "integer",
            Self::Float(_) => "number",
            Self::Text(_) => "text",
            Self::Bool(_) => "flag",
        }
    }

    /// A value as text, numbers with as many digits as they need. Empty beyond the last row.
    #[must_use]
    pub fn text(&self, row: usize) -> String {
        match self {
            Self::Int(v) => v.get(row).map(ToString::to_string),
            Self::Float(v) => v.get(row).map(ToString::to_string),
            Self::Text(v) => v.get(row).cloned(),
            Self::Bool(v) => v.get(row).map(ToString::to_string),
        }
        .unwrap_or_default()
    }
}

macro_rules! column {
    ($($values:ty => $column:ident),*) => {$(
        impl From<$values> for Column {
            fn from(values: $values) -> Self {
                Self::$column(values.into_iter().map(Into::into).collect())
            }
        }
    )*};
}

column!(Vec<i64> => Int, Vec<f64> => Float, Vec<String> => Text, Vec<&str> => Text, Vec<bool> => Bool);

/// A table in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<(String, Column)>,
}

impl Table {
    /// A table without columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column.
    #[must_use]
    pub fn with(mut self, name: &str, values: impl Into<Column>) -> Self {
        self.columns.push((name.to_owned(), values.into()));
        self
    }

    /// Its columns: names and values.
    #[must_use]
    pub fn columns(&self) -> &[(String, Column)] {
        &self.columns
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(n, _)| n == name).map(|(_, column)| column)
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// Writes a Parquet file: uncompressed, without anything that changes from one writing to the next.
    ///
    /// # Errors
    /// When columns have different lengths or the same name, or the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        for (at, (name, column)) in self.columns.iter().enumerate() {
            if self.columns[..at].iter().any(|(other, _)| other == name) {
                return Err(Error::request(format!("two columns of the table are called `{name}`")));
            }
            if column.len() != self.rows() {
                return Err(Error::request(format!(
                    "column `{name}` of the table has {} rows, the first one has {}",
                    column.len(),
                    self.rows()
                )));
            }
        }
        let file = File::create(path).map_err(Error::io("create", path))?;
        self.encode(file).map_err(|error| Error::invalid(path, format!("cannot be written: {error}")))
    }

    /// Reads a Parquet file. Integers, numbers, texts and flags are understood; a missing integer or flag
    /// makes its column one of numbers.
    ///
    /// # Errors
    /// When the file cannot be read, or has columns of other types.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let reader = open(path)?;
        let damaged = |error: ParquetError| Error::invalid(path, format!("cannot be read: {error}"));
        let schema = reader.metadata().file_metadata().schema();
        let names: Vec<String> = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
        let mut fields: Vec<Vec<Field>> = vec![Vec::new(); names.len()];
        for row in reader.get_row_iter(None).map_err(damaged)? {
            for (column, (_, field)) in fields.iter_mut().zip(row.map_err(damaged)?.into_columns()) {
                column.push(field);
            }
        }
        let mut table = Self::new();
        for (at, (name, fields)) in names.into_iter().zip(fields).enumerate() {
            let physical =
                schema.get_fields()[at].is_primitive().then(|| schema.get_fields()[at].get_physical_type());
            let column = decode(&fields, physical).ok_or_else(|| {
                Error::invalid(path, format!("has a column `{name}` of a type that is not supported"))
            })?;
            table.columns.push((name, column));
        }
        Ok(table)
    }

    /// The table as CSV (RFC 4180, lines ended by a line feed).
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut csv = String::new();
        let line = |csv: &mut String, cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.map(|cell| quote(&cell)).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(csv, "{}", cells.join(","));
        };
        line(&mut csv, &mut self.columns.iter().map(|(name, _)| name.clone()));
        for row in 0..self.rows() {
            line(&mut csv, &mut self.columns.iter().map(|(_, column)| column.text(row)));
        }
        csv
    }

    fn encode(&self, file: File) -> ParquetResult<()> {
        let fields = self.columns.iter().map(|(name, column)| schema(name, column).map(Arc::new));
        let fields = fields.collect::<ParquetResult<Vec<_>>>()?;
        let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
        let properties = WriterProperties::builder().set_created_by("flow".to_owned()).build();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
        let mut group = writer.next_row_group()?;
        for (_, column) in &self.columns {
            write_column(&mut group, column)?;
        }
        group.close()?;
        writer.close()?;
        Ok(())
    }
}

fn schema(name: &str, column: &Column) -> ParquetResult<Type> {
    let physical = match column {
        Column::Int(_) => Physical::INT64,
        Column::Float(_) => Physical::DOUBLE,
        Column::Text(_) => Physical::BYTE_ARRAY,
        Column::Bool(_) => Physical::BOOLEAN,
    };
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
    match column {
        Column::Text(_) => builder
            .with_logical_type(Some(LogicalType::String))
            .with_converted_type(ConvertedType::UTF8)
            .build(),
        _ => builder.build(),
    }
}

fn write_column(group: &mut SerializedRowGroupWriter<'_, File>, column: &Column) -> ParquetResult<()> {
    let Some(mut open) = group.next_column()? else {
        return Err(ParquetError::General("more columns than the schema has".into()));
    };
    match (open.untyped(), column) {
        (ColumnWriter::Int64ColumnWriter(writer), Column::Int(values)) => {
            writer.write_batch(values, None, None)?;
        }
        (ColumnWriter::DoubleColumnWriter(writer), Column::Float(values)) => {
            writer.write_batch(values, None, None)?;
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), Column::Text(values)) => {
            let values: Vec<ByteArray> = values.iter().map(|text| text.as_str().into()).collect();
            writer.write_batch(&values, None, None)?;
        }
        (ColumnWriter::BoolColumnWriter(writer), Column::Bool(values)) => {
            writer.write_batch(values, None, None)?;
        }
        _ => return Err(ParquetError::General("a column of another type than the schema has".into())),
    }
    open.close()
}

/// The column that fields of one kind make up. `physical` decides where all values are missing.
fn decode(fields: &[Field], physical: Option<Physical>) -> Option<Column> {
    let missing = fields.iter().any(|field| matches!(field, Field::Null));
    let first = fields.iter().find(|field| !matches!(field, Field::Null));
    Some(match (first, physical) {
        (Some(Field::Str(_)), _) | (None, Some(Physical::BYTE_ARRAY)) => Column::Text(
            fields
                .iter()
                .map(|field| if let Field::Str(text) = field { text.clone() } else { String::new() })
                .collect(),
        ),
        (Some(Field::Bool(_)), _) | (None, Some(Physical::BOOLEAN)) if !missing => {
            Column::Bool(fields.iter().map(|field| matches!(field, Field::Bool(true))).collect())
        }
        (Some(Field::Float(_) | Field::Double(_)), _) | (None, Some(Physical::FLOAT | Physical::DOUBLE)) => {
            Column::Float(fields.iter().map(float).collect::<Option<_>>()?)
        }
        _ if missing => Column::Float(fields.iter().map(float).collect::<Option<_>>()?),
        (None, Some(Physical::INT32 | Physical::INT64)) => Column::Int(Vec::new()),
        (Some(_), _) => Column::Int(fields.iter().map(int).collect::<Option<_>>()?),
        _ => return None,
    })
}

fn int(field: &Field) -> Option<i64> {
    Some(match *field {
        Field::Byte(v) => v.into(),
        Field::Short(v) => v.into(),
        Field::Int(v) => v.into(),
        Field::Long(v) => v,
        Field::UByte(v) => v.into(),
        Field::UShort(v) => v.into(),
        Field::UInt(v) => v.into(),
        Field::ULong(v) => i64::try_from(v).ok()?,
        _ => return None,
    })
}

fn float(field: &Field) -> Option<f64> {
    Some(match *field {
        Field::Null => f64::NAN,
        Field::Float(v) => v.into(),
        Field::Double(v) => v,
        Field::Bool(v) => f64::from(u8::from(v)),
        _ => int(field)? as f64,
    })
}

/// Checks that a file is a Parquet file.
pub(crate) fn check(path: &Path) -> Result<()> {
    open(path).map(|_| ())
}

fn open(path: &Path) -> Result<SerializedFileReader<File>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    SerializedFileReader::new(file)
        .map_err(|error| Error::invalid(path, format!("is not a table (Parquet): {error}")))
}

fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}
