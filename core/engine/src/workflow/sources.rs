//! Axes whose values are not written out: one a file, or one a row of a table.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::axes::{self, AxisValue, MAX_NODES};
use super::external::Known;
use super::globs::Match;
use super::nodes::Place;
use super::rows;
use super::tree::{Data, Entry, Tree};
use crate::diagnostics::{Diagnostic, Diagnostics, Span, closest, did_you_mean};

/// Where the values of an axis can come from.
const SOURCES: [&str; 2] = ["files", "rows"];

/// What was probably meant by a mapping that is neither.
pub(super) fn meant(tree: &Tree) -> Option<&'static str> {
    tree.entries().iter().find_map(|entry| closest(&entry.key, SOURCES))
}

/// Whether an axis says where its values come from.
pub(super) fn is_source(tree: &Tree) -> bool {
    tree.entries().iter().any(|entry| SOURCES.contains(&entry.key.as_str()))
}

/// The values of such an axis, already evaluated. A table that is read is added to `reads`.
pub(super) fn values(
    axis: &Entry,
    tree: &Tree,
    place: &Place,
    reads: &mut Vec<(PathBuf, Span)>,
    problems: &mut Diagnostics,
) -> Option<Vec<AxisValue>> {
    let entries = tree.entries();
    if let Some(other) = entries.iter().find(|entry| !SOURCES.contains(&entry.key.as_str())) {
        problems.push(
            Diagnostic::at(other.key_span, format!("an axis from elsewhere has no key `{}`", other.key))
                .maybe_help(did_you_mean(&other.key, SOURCES, "write one of")),
        );
        return None;
    }
    let [source] = entries else {
        let second = entries.get(1)?;
        problems.push(
            Diagnostic::at(second.key_span, format!("the values of `{}` come from two places", axis.key))
                .help("write two axes, or leave one out"),
        );
        return None;
    };
    let Data::Text(path) = &source.value.data else {
        let what = match source.key.as_str() {
            "files" => "`files` must be a pattern of paths, such as `data/*.csv`",
            _ => "`rows` must be the path of a table",
        };
        problems.push(
            Diagnostic::at(source.value.span, what).label(format!("this is {}", source.value.describe())),
        );
        return None;
    };
    let values = match source.key.as_str() {
        "files" => files(path, source, axis, place, problems)?,
        _ => table(path, source, axis, place, reads, problems)?,
    };
    if values.len() > MAX_NODES {
        problems.push(axes::too_many(source.value.span));
        return None;
    }
    Some(values)
}

/// One value a file: `.path`, as the pattern is written, and `.stem`.
fn files(
    pattern: &str,
    source: &Entry,
    axis: &Entry,
    place: &Place,
    problems: &mut Diagnostics,
) -> Option<Vec<AxisValue>> {
    let written = source.value.origin.unwrap_or(source.value.span);
    let base = place.base(written);
    let span = source.value.span;
    let found = Known::default().matching(pattern, base, span, &place.current, problems)?;
    // A path is used where the axis stands, which may be another file than where the pattern comes from.
    let elsewhere = base != place.base(axis.key_span);
    let value = |Match { path, stem, name }: &Match| {
        let name = Value::String(name.clone());
        let label = axes::label(&name).unwrap_or_else(|| path.clone());
        let path = if elsewhere {
            place.resolve(path, written).to_string_lossy().into_owned()
        } else {
            path.clone()
        };
        AxisValue::new(label, json!({ "path": path, "stem": stem }), Some(name))
    };
    Some(found.iter().map(value).collect())
}

/// One value a row: its columns.
fn table(
    path: &str,
    source: &Entry,
    axis: &Entry,
    place: &Place,
    reads: &mut Vec<(PathBuf, Span)>,
    problems: &mut Diagnostics,
) -> Option<Vec<AxisValue>> {
    let span = source.value.span;
    let absolute = place.resolve(path, source.value.origin.unwrap_or(span));
    reads.push((absolute.clone(), span));
    let before = problems.len();
    Known::default().check(&absolute, span, &place.current, problems);
    if problems.len() > before {
        return None;
    }
    let rows = match rows::read(&absolute) {
        Ok(rows) => rows,
        Err(error) => {
            problems.push(Diagnostic::at(span, format!("the table `{path}` cannot be read: {error}")).help(
                "a table is CSV with a line of column names first, TSV (`.tsv`) or Parquet (`.parquet`)",
            ));
            return None;
        }
    };
    if rows.is_empty() {
        problems.push(Diagnostic::at(span, format!("the table `{path}` has no rows")));
        return None;
    }
    let mut seen = std::collections::HashMap::new();
    for (number, row) in rows.iter().enumerate() {
        if let Some(first) = seen.insert(Value::Object(row.clone()).to_string(), number) {
            problems.push(
                Diagnostic::at(
                    span,
                    format!("two rows of `{path}` are the same: {} and {}", first + 1, number + 1),
                )
                .help(format!(
                    "each row is one value of the axis `{}`; add a column that tells them apart",
                    axis.key
                )),
            );
            return None;
        }
    }
    let labels = labels(&rows);
    let values = rows.into_iter().zip(labels);
    Some(values.map(|(row, label)| AxisValue::new(label, Value::Object(row), None)).collect())
}

/// What rows are called: by the column `name`, else by the first one, where that tells them apart; else by number.
fn labels(rows: &[rows::Row]) -> Vec<String> {
    let first = rows.first().and_then(|row| row.keys().next());
    for column in std::iter::once("name").chain(first.map(String::as_str)) {
        let label = |row: &rows::Row| row.get(column).filter(|value| !value.is_null()).and_then(axes::label);
        let labels: Vec<String> = rows.iter().map_while(label).collect();
        let distinct: HashSet<&String> = labels.iter().collect();
        if distinct.len() == rows.len() {
            return labels;
        }
    }
    (1..=rows.len()).map(|number| format!("#{number}")).collect()
}
