//! The rows of a table that a person wrote: CSV, TSV or Parquet.

use std::path::Path;

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
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let separator = if extension.eq_ignore_ascii_case("tsv") { '\t' } else { ',' };
    typed(parse(text.strip_prefix('\u{feff}').unwrap_or(&text), separator)?)
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

/// A line of a text table, and its number.
struct Line {
    number: usize,
    cells: Vec<String>,
}

/// Splits a text table (RFC 4180: a cell in quotes may hold separators, line ends and doubled quotes).
fn parse(text: &str, separator: char) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    let mut cells = Vec::new();
    let mut cell = String::new();
    let (mut number, mut start) = (1, 1);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if cell.is_empty() => {
                let opened = number;
                loop {
                    match chars.next() {
                        Some('"') if chars.peek() == Some(&'"') => {
                            cell.push('"');
                            chars.next();
                        }
                        Some('"') => break,
                        Some(c) => {
                            number += usize::from(c == '\n');
                            cell.push(c);
                        }
                        None => return Err(format!("line {opened}: a quote is not closed")),
                    }
                }
                if chars.peek().is_some_and(|next| ![separator, '\n', '\r'].contains(next)) {
                    return Err(format!("line {number}: there is text after a closing quote"));
                }
            }
            '\n' => {
                cells.push(std::mem::take(&mut cell));
                lines.push(Line { number: start, cells: std::mem::take(&mut cells) });
                number += 1;
                start = number;
            }
            '\r' if matches!(chars.peek(), Some('\n') | None) => {}
            c if c == separator => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        lines.push(Line { number: start, cells });
    }
    lines.retain(|line| line.cells.len() > 1 || line.cells.iter().any(|cell| !cell.trim().is_empty()));
    Ok(lines)
}

/// Gives the cells types, column by column: whole numbers, numbers, flags, or else texts. An empty cell is
/// `null`.
fn typed(lines: Vec<Line>) -> Result<Vec<Row>, String> {
    let mut lines = lines.into_iter();
    let Some(head) = lines.next() else { return Err("it is empty".to_owned()) };
    let names: Vec<String> = head.cells.iter().map(|name| name.trim().to_owned()).collect();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("column {} has no name", at + 1));
        }
        if names[..at].contains(name) {
            return Err(format!("two columns are called `{name}`"));
        }
    }
    let lines: Vec<Line> = lines.collect();
    if let Some(line) = lines.iter().find(|line| line.cells.len() != names.len()) {
        let (number, columns) = (line.number, names.len());
        let cells = match line.cells.len() {
            1 => "1 cell".to_owned(),
            cells => format!("{cells} cells"),
        };
        return Err(format!("line {number} has {cells}; columns: {columns}"));
    }
    let mut rows = vec![Row::new(); lines.len()];
    for (column, name) in names.iter().enumerate() {
        let cells: Vec<&str> = lines.iter().map(|line| line.cells[column].trim()).collect();
        for (row, value) in rows.iter_mut().zip(values(&cells)) {
            row.insert(name.clone(), value);
        }
    }
    Ok(rows)
}

fn values(cells: &[&str]) -> Vec<Value> {
    let all = |read: fn(&str) -> Option<Value>| -> Option<Vec<Value>> {
        let value = |cell: &&str| if cell.is_empty() { Some(Value::Null) } else { read(cell) };
        cells.iter().map(value).collect()
    };
    all(whole)
        .or_else(|| all(number))
        .or_else(|| all(flag))
        .or_else(|| all(|cell| Some(Value::from(cell))))
        .unwrap_or_default()
}

/// A number that is written as one: `007` is the name of something.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !leading_zero
}

fn whole(cell: &str) -> Option<Value> {
    cell.parse::<i64>().ok().filter(|_| is_number(cell)).map(Value::from)
}

fn number(cell: &str) -> Option<Value> {
    let number = cell.parse::<f64>().ok().filter(|_| is_number(cell))?;
    Number::from_f64(number).map(Value::Number)
}

fn flag(cell: &str) -> Option<Value> {
    cell.parse::<bool>().ok().map(Value::Bool)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rows(text: &str) -> Result<Vec<Row>, String> {
        typed(parse(text, ',')?)
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
