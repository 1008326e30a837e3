//! What is in an artifact, for people and for programs.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flow_artifact::figure::Figures;
use flow_artifact::metrics::read_metrics;
use flow_artifact::model::read_model;
use flow_artifact::table::Table;
use flow_artifact::{Dataset, Error, Kind, Variable};
use flow_engine::human::bytes;
use serde_json::{Value, json};

use super::text::{DIM, RESET, clean, count};

/// A number with about five digits.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() || (1e-3..1e6).contains(&size) {
        let digits = if size >= 1.0 { (4 - size.log10() as i32).max(0) } else { 5 };
        let text = format!("{value:.*}", digits as usize);
        return if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        };
    }
    format!("{value:.4e}")
}

/// A JSON object in one line: `epochs=40, model.kind=fno`.
pub(crate) fn pairs(value: &Value) -> String {
    let mut leaves = Vec::new();
    flatten(value, "", &mut leaves);
    leaves.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

/// A JSON object, a line for each member, behind a head that stands in the first line.
pub(crate) fn tree(out: &mut impl Write, head: &str, value: &Value) -> io::Result<()> {
    let mut leaves = Vec::new();
    flatten(value, "", &mut leaves);
    let width = leaves.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (at, (name, value)) in leaves.iter().enumerate() {
        let head = if at == 0 { head.to_owned() } else { " ".repeat(head.chars().count()) };
        writeln!(out, "{head}{name:width$}  {value}")?;
    }
    Ok(())
}

fn flatten(value: &Value, name: &str, leaves: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let name = if name.is_empty() { clean(key) } else { format!("{name}.{}", clean(key)) };
                flatten(member, &name, leaves);
            }
        }
        Value::String(text) => leaves.push((name.to_owned(), clean(text))),
        Value::Null if name.is_empty() => {}
        other => leaves.push((name.to_owned(), clean(&other.to_string()))),
    }
}

/// Describes what lies at a path. The inner error says what is wrong with it, the outer one that nobody reads.
pub(crate) fn describe(out: &mut impl Write, kind: Kind, path: &Path) -> io::Result<Result<(), Error>> {
    match kind {
        Kind::Dataset => match Dataset::open(path) {
            Ok(data) => dataset(out, &data),
            Err(error) => Ok(Err(error)),
        },
        Kind::Metrics => match read_metrics(path) {
            Ok(metrics) => tree(out, "  metrics    ", &Value::Object(metrics)).map(Ok),
            Err(error) => Ok(Err(error)),
        },
        Kind::Table => match Table::read(path) {
            Ok(found) => table(out, &found).map(Ok),
            Err(error) => Ok(Err(error)),
        },
        Kind::Model => match read_model(path) {
            Ok(model) => {
                let size: usize = model.tensors.iter().map(|t| t.shape.iter().product::<usize>()).sum();
                writeln!(out, "  tensors    {}, {size} numbers", model.tensors.len())?;
                tree(out, "  config     ", &model.config).map(Ok)
            }
            Err(error) => Ok(Err(error)),
        },
        Kind::Figure => match Figures::open(path) {
            Ok(figures) => {
                let mut pictures = figures.pictures().iter();
                pictures
                    .try_for_each(|p| {
                        writeln!(out, "  picture    {}  {DIM}{}{RESET}", clean(&p.name), clean(&p.caption))
                    })
                    .map(Ok)
            }
            Err(error) => Ok(Err(error)),
        },
        Kind::File => {
            writeln!(out, "  size       {}", bytes(fs::metadata(path).map_or(0, |m| m.len()))).map(Ok)
        }
        Kind::Folder => {
            let mut names: Vec<String> = fs::read_dir(path)?
                .flatten()
                .map(|entry| clean(&entry.file_name().to_string_lossy()))
                .collect();
            names.sort_unstable();
            names.truncate(20);
            writeln!(out, "  holds      {}", names.join(", ")).map(Ok)
        }
    }
}

fn dims(variable: &Variable) -> String {
    let dims: Vec<String> =
        variable.dims.iter().zip(&variable.shape).map(|(dim, n)| format!("{dim}={n}")).collect();
    format!("({})", clean(&dims.join(", ")))
}

fn dataset(out: &mut impl Write, data: &Dataset) -> io::Result<Result<(), Error>> {
    if !data.attributes().is_empty() {
        tree(out, "  attributes ", &Value::Object(data.attributes().clone()))?;
    }
    let name = data.variables().iter().map(|v| v.name.len()).max().unwrap_or(0);
    let shape = data.variables().iter().map(|v| dims(v).chars().count()).max().unwrap_or(0);
    for variable in data.variables() {
        let found = match data.statistics(&variable.name) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let mut numbers =
            format!("{} … {}, mean {}", number(found.min), number(found.max), number(found.mean));
        if found.min.is_nan() {
            numbers = "no finite values".to_owned();
        }
        if found.non_finite > 0 {
            numbers.push_str(&format!(", {} not finite", found.non_finite));
        }
        writeln!(
            out,
            "  {:name$}  {:shape$}  {:3}  {numbers} {}  {DIM}{}{RESET}",
            variable.name,
            dims(variable),
            variable.dtype.name(),
            clean(&variable.units),
            clean(&variable.long_name)
        )?;
    }
    Ok(Ok(()))
}

fn table(out: &mut impl Write, table: &Table) -> io::Result<()> {
    const ROWS: usize = 10;
    writeln!(out, "  table      {}, {}", count(table.rows(), "row"), count(table.columns().len(), "column"))?;
    let cells: Vec<Vec<String>> = table
        .columns()
        .iter()
        .map(|(name, column)| {
            let values = (0..table.rows().min(ROWS)).map(|row| clean(&column.text(row)));
            std::iter::once(clean(name)).chain(values).collect()
        })
        .collect();
    let widths: Vec<usize> = cells
        .iter()
        .map(|column| column.iter().map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    for row in 0..=table.rows().min(ROWS) {
        let line: Vec<String> =
            cells.iter().zip(&widths).map(|(column, &w)| format!("{:>w$}", column[row])).collect();
        writeln!(out, "    {}", line.join("  "))?;
    }
    if table.rows() > ROWS { writeln!(out, "    …") } else { Ok(()) }
}

/// The same as JSON.
pub(crate) fn as_json(kind: Kind, path: &Path) -> Result<Value, Error> {
    Ok(match kind {
        Kind::Dataset => {
            let data = Dataset::open(path)?;
            let variables = data.variables().iter().map(|variable| {
                let found = data.statistics(&variable.name)?;
                Ok(json!({
                    "name": variable.name, "dtype": variable.dtype.name(), "dims": variable.dims,
                    "shape": variable.shape, "units": variable.units, "long_name": variable.long_name,
                    "min": found.min, "mean": found.mean, "std": found.std, "max": found.max,
                    "non_finite": found.non_finite,
                }))
            });
            json!({ "attributes": data.attributes(), "variables": variables.collect::<Result<Vec<_>, Error>>()? })
        }
        Kind::Metrics => Value::Object(read_metrics(path)?),
        Kind::Table => {
            let table = Table::read(path)?;
            let columns =
                table.columns().iter().map(|(name, c)| json!({ "name": name, "type": c.type_name() }));
            json!({ "rows": table.rows(), "columns": columns.collect::<Vec<_>>() })
        }
        Kind::Model => {
            let model = read_model(path)?;
            let tensors = model
                .tensors
                .iter()
                .map(|t| json!({ "name": t.name, "dtype": t.dtype.name(), "shape": t.shape }));
            json!({ "config": model.config, "tensors": tensors.collect::<Vec<_>>() })
        }
        Kind::Figure => json!({ "pictures": Figures::open(path)?.pictures() }),
        Kind::File | Kind::Folder => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let cases =
            [(0.0, "0"), (12.0, "12"), (0.98127, "0.98127"), (1234.56, "1234.6"), (2.5e7, "2.5000e7")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(f64::NAN), "NaN");
    }

    #[test]
    fn parameters_are_flat_and_clean() {
        let value = json!({ "model": { "kind": "f\u{1b}no" }, "epochs": 40 });
        assert_eq!(pairs(&value), "model.kind=f\u{fffd}no, epochs=40");
    }
}
