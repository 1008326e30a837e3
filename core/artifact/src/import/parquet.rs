//! Parquet: a table whose columns become variables along the dimension `row`.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::Type as Column;

use super::moment::SINCE;
use super::numbers::{Numbers, Type};
use super::pages::{self, Pages};
use super::rows::{Packing, Sink, Source};
use super::{Error, Form, Opened, Result};
use crate::dataset::{DType, Values};

/// Rows that are handed over together.
const ROWS: usize = 1 << 18;

/// An open file.
struct Table {
    file: Arc<File>,
    meta: ParquetMetaData,
    /// For each column: how many seconds one is, if it holds moments.
    seconds: Vec<Option<f64>>,
}

/// Reads the schema and what is known of the columns.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    let bad = |problem: &dyn std::fmt::Display| {
        Error::invalid(path, format!("is not a readable Parquet file: {problem}"))
    };
    let meta = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|error| bad(&error))?;
    let rows = usize::try_from(meta.file_metadata().num_rows())
        .map_err(|_| bad(&"it says that it has a negative number of rows"))?;
    let schema = meta.file_metadata().schema_descr();
    for group in meta.row_groups() {
        if group.num_columns() != schema.num_columns()
            || !group.columns().iter().all(|part| lies_within(part, size))
        {
            return Err(bad(&"a part of a column is said to be where none can be"));
        }
    }
    let (mut sources, mut seconds) = (Vec::new(), Vec::new());
    for at in 0..schema.num_columns() {
        let column = schema.column(at);
        // Columns without nulls in their statistics keep their type.
        let nulls: Option<u64> = meta
            .row_groups()
            .iter()
            .map(|group| group.column(at).statistics().and_then(|s| s.null_count_opt()))
            .sum();
        let optional = column.max_def_level() > 0 && nulls != Some(0);
        let unit = unit(column.self_type());
        let of = kind(column.self_type(), unit.is_some());
        let problem = if column.path().parts().len() > 1 || column.max_rep_level() > 0 {
            Some("that is nested, which is not read".to_owned())
        } else if of.is_none() {
            Some(format!("{}, which a dataset cannot hold", describe(column.self_type())))
        } else {
            let packed = meta.row_groups().iter().find_map(|group| pages::codec(group.column(at)).err());
            packed.map(|codec| {
                format!(
                    "packed with {codec}, which is not read; write it with snappy, gzip, zstd or none, in pandas \
                     `data.to_parquet(path, compression=\"zstd\")`"
                )
            })
        };
        let of = of.unwrap_or(Type::U8);
        let of = if optional && of != Type::F32 { Type::F64 } else { of };
        sources.push(Source {
            path: path.to_owned(),
            name: column.path().string(),
            dims: Some(vec!["row".to_owned()]),
            shape: vec![rows],
            units: unit.map(|_| "s".to_owned()),
            long_name: unit.map(|_| SINCE.to_owned()),
            numbers: Numbers { of, big_endian: false },
            packing: Packing::default(),
            problem,
        });
        seconds.push(unit);
    }
    Ok(Opened {
        attributes: Vec::new(),
        sources,
        form: Box::new(Table { file: Arc::new(file), meta, seconds }),
    })
}

/// Whether a part of a column is at a place in a file of this size.
fn lies_within(part: &ColumnChunkMetaData, size: u64) -> bool {
    let begin = part.dictionary_page_offset().unwrap_or_else(|| part.data_page_offset());
    let end = begin.checked_add(part.compressed_size());
    begin >= 0
        && part.compressed_size() >= 0
        && end.and_then(|end| u64::try_from(end).ok()).is_some_and(|end| end <= size)
}

/// How many seconds one of a column of moments is.
fn unit(column: &Column) -> Option<f64> {
    match column.get_basic_info().logical_type_ref() {
        Some(LogicalType::Timestamp(of)) => Some(match of.unit {
            TimeUnit::MILLIS => 1e-3,
            TimeUnit::MICROS => 1e-6,
            TimeUnit::NANOS => 1e-9,
        }),
        Some(LogicalType::Date) => Some(86_400.0),
        _ => match column.get_basic_info().converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => Some(1e-3),
            ConvertedType::TIMESTAMP_MICROS => Some(1e-6),
            ConvertedType::DATE => Some(86_400.0),
            _ => None,
        },
    }
}

/// The type of a column without gaps.
fn kind(column: &Column, moment: bool) -> Option<Type> {
    let converted = column.get_basic_info().converted_type();
    let decimal = converted == ConvertedType::DECIMAL
        || matches!(column.get_basic_info().logical_type_ref(), Some(LogicalType::Decimal(..)));
    Some(match column.get_physical_type() {
        _ if decimal => return None,
        Physical::INT32 | Physical::INT64 if moment => Type::F64,
        Physical::BOOLEAN => Type::Bool,
        Physical::INT32 if converted == ConvertedType::UINT_8 => Type::U8,
        Physical::INT32 if converted == ConvertedType::UINT_32 => Type::I64,
        Physical::INT32 => Type::I32,
        Physical::INT64 => Type::I64,
        Physical::FLOAT => Type::F32,
        Physical::DOUBLE => Type::F64,
        Physical::INT96 | Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => return None,
    })
}

fn describe(column: &Column) -> &'static str {
    match column.get_physical_type() {
        Physical::BYTE_ARRAY => "of text",
        Physical::INT96 => "of moments in an old form",
        _ => "of values that are no plain numbers",
    }
}

impl Form for Table {
    fn read(&mut self, at: usize, source: &Source, to: Sink<'_>) -> Result<()> {
        let failed = |error: ParquetError| source.invalid(&format!("that cannot be read: {error}"));
        for group in self.meta.row_groups() {
            let rows = usize::try_from(group.num_rows()).unwrap_or(0);
            let pages = Pages::new(self.file.clone(), group.column(at), rows).map_err(failed)?;
            let unsigned = source.numbers.of == Type::I64;
            match get_column_reader(group.column(at).column_descr_ptr(), Box::new(pages)) {
                ColumnReader::BoolColumnReader(mut column) => self.column(
                    at,
                    &mut column,
                    source,
                    to,
                    |v| if *v { 1 } else { 0 },
                    |v| f64::from(u8::from(*v)),
                ),
                ColumnReader::Int32ColumnReader(mut column) => {
                    let wide = |v: &i32| if unsigned { i64::from(v.cast_unsigned()) } else { i64::from(*v) };
                    self.column(at, &mut column, source, to, wide, |v| wide(v) as f64)
                }
                ColumnReader::Int64ColumnReader(mut column) => {
                    self.column(at, &mut column, source, to, |v| *v, |v| *v as f64)
                }
                ColumnReader::FloatColumnReader(mut column) => {
                    self.column(at, &mut column, source, to, |_| 0, |v| f64::from(*v))
                }
                ColumnReader::DoubleColumnReader(mut column) => {
                    self.column(at, &mut column, source, to, |_| 0, |v| *v)
                }
                _ => Err(source.invalid("of a type that it did not have before")),
            }?;
        }
        Ok(())
    }
}

impl Table {
    /// A column of a row group. `whole` is for integers, `double` for all.
    fn column<T: DataType>(
        &self,
        at: usize,
        column: &mut ColumnReaderImpl<T>,
        source: &Source,
        to: Sink<'_>,
        whole: impl Fn(&T::T) -> i64 + Copy,
        double: impl Fn(&T::T) -> f64,
    ) -> Result<()> {
        let seconds = self.seconds[at];
        loop {
            let (mut values, mut levels) = (Vec::new(), Vec::new());
            let (records, ..) = column
                .read_records(ROWS, Some(&mut levels), None, &mut values)
                .map_err(|error| source.invalid(&format!("that cannot be read: {error}")))?;
            if records == 0 {
                return Ok(());
            }
            let dtype = source.numbers.dtype();
            // Without gaps there are no levels, or all are 1.
            let gaps = values.len() < records;
            let mut piece = match dtype {
                DType::F32 | DType::F64 => {
                    let mut left = values.iter();
                    let mut next = || left.next().map_or(f64::NAN, |v| double(v) * seconds.unwrap_or(1.0));
                    let all: Vec<f64> = if gaps {
                        levels.iter().map(|level| if *level > 0 { next() } else { f64::NAN }).collect()
                    } else {
                        (0..records).map(|_| next()).collect()
                    };
                    if dtype == DType::F64 {
                        Values::F64(all)
                    } else {
                        Values::F32(all.iter().map(|v| *v as f32).collect())
                    }
                }
                _ if gaps => {
                    return Err(source.invalid("with missing values, which its statistics do not tell"));
                }
                DType::U8 => Values::U8(values.iter().map(|v| whole(v) as u8).collect()),
                DType::I32 => Values::I32(values.iter().map(|v| whole(v) as i32).collect()),
                DType::I64 => Values::I64(values.iter().map(whole).collect()),
            };
            to(&mut piece)?;
        }
    }
}
