//! The rows of a table that a person wrote: CSV, TSV or Parquet.

use std::path::Path;

use flow_artifact::csv::{self, Record, Records};
use flow_artifact::table::{Column, Table};
use serde_json::{Map, Number, Value};

/// A row: its columns by name, in their order.
pub(super) type Row = Map<String, Value>;

/// Larger tables are refused: a row is a node.
const MAX_BYTES: u64 = 256 << 20;

/// Reads a table.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read(path: &Path) -> Result<Vec<Row>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        // A folder; or a device or a pipe, which may never end.
        return Err("it is not a file".to_owned());
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if extension.eq_ignore_ascii_case("parquet") {
        return Table::read(path).map(|table| from_table(&table)).map_err(|error| error.to_string());
    }
    if metadata.len() > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    typed(&text, if extension.eq_ignore_ascii_case("tsv") { b'\t' } else { b',' })
}

fn from_table(table: &Table) -> Vec<Row> {
    let value = |column: &Column, row: usize| match column {
        Column::Int(values) => values.get(row).map(|value| Value::from(*value)),
        // One that is missing is NaN.
        Column::Float(values) => {
            values.get(row).and_then(|value| Number::from_f64(*value)).map(Value::Number)
        }
        Column::Text(values) => values.get(row).map(|value| Value::from(value.as_str())),
        Column::Bool(values) => values.get(row).map(|value| Value::from(*value)),
    };
    let row = |row: usize| {
        let columns = table.columns().iter();
        columns.map(|(name, column)| (name.clone(), value(column, row).unwrap_or_default())).collect()
    };
    (0..table.rows()).map(row).collect()
}

/// Gives the cells types, column by column: whole numbers, numbers, flags, or else texts. An empty cell is
/// `null`.
fn typed(text: &[u8], separator: u8) -> Result<Vec<Row>, String> {
    let mut records = Records::new(text, separator);
    let mut record = Record::default();
    if !records.next(&mut record)? {
        return Err("it is empty".to_owned());
    }
    let names = csv::names(&record)?;
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    while records.next(&mut record)? {
        csv::check_len(&record, names.len())?;
        columns.iter_mut().zip(record.cells()).for_each(|(column, cell)| column.push(cell.to_owned()));
    }
    let mut rows = vec![Row::new(); columns[0].len()];
    for (name, cells) in names.into_iter().zip(columns) {
        for (row, value) in rows.iter_mut().zip(values(&cells)) {
            row.insert(name.clone(), value);
        }
    }
    Ok(rows)
}

fn values(cells: &[String]) -> Vec<Value> {
    let all = |read: fn(&str) -> Option<Value>| -> Option<Vec<Value>> {
        let value = |cell: &String| if cell.is_empty() { Some(Value::Null) } else { read(cell) };
        cells.iter().map(value).collect()
    };
    all(|cell| csv::whole(cell).map(Value::from))
        .or_else(|| all(|cell| csv::number(cell).map(Value::from)))
        .or_else(|| all(|cell| csv::flag(cell).map(Value::from)))
        .or_else(|| all(|cell| Some(Value::from(cell))))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rows(text: &str) -> Result<Vec<Row>, String> {
        typed(text.as_bytes(), b',')
    }

    #[test]
    fn columns_have_types() {
        let found = rows("id,n,x,ok,code,gap\r\na,1,0.5,true,007,\n\nb,-2,1e-3,false,12,3\n").unwrap();
        let json = serde_json::to_value(found).unwrap();
        assert_eq!(
            json,
            json!([
                { "id": "a", "n": 1, "x": 0.5, "ok": true, "code": "007", "gap": null },
                { "id": "b", "n": -2, "x": 0.001, "ok": false, "code": "12", "gap": 3 },
            ])
        );
    }

    #[test]
    fn quotes_hold_separators_and_lines() {
        let found = rows("a,b\n\"x, \"\"y\"\"\nz\",\"1\"").unwrap();
        assert_eq!(found[0]["a"], json!("x, \"y\"\nz"));
        assert_eq!(found[0]["b"], json!(1));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(rows("a,b\n1,2\n\n3\n").unwrap_err(), "line 4 has 1 cell; columns: 2");
        assert_eq!(rows("a,a\n1,2\n").unwrap_err(), "two columns are called `a`");
        assert_eq!(rows("a,\n1,2\n").unwrap_err(), "column 2 has no name");
        assert_eq!(rows("a\n\"x\ny").unwrap_err(), "line 2: a quote is not closed");
        assert_eq!(rows("a\n\"x\"y").unwrap_err(), "line 2: there is text after a closing quote");
        assert_eq!(rows("").unwrap_err(), "it is empty");
    }

    proptest! {
        #[test]
        fn texts_survive_being_written(texts in prop::collection::vec("[a-z,\"\n é]{0,6}x", 1..5)) {
            let table = Table::new().with("t", texts.clone());
            let found = rows(&table.to_csv()).unwrap();
            let back: Vec<&str> = found.iter().map(|row| row["t"].as_str().unwrap()).collect();
            let trimmed: Vec<&str> = texts.iter().map(|text| text.trim()).collect();
            prop_assert_eq!(back, trimmed);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a,\"\n\r0.-]{0,40}") {
            let _ = rows(&text);
        }
    }
}
