//! The artifacts listed under `report:`, each kind in the form that tells most.

use std::fmt::Write;
use std::fs;

use flow_figure::{base64, escape};
use flow_plugin::Kind;
use flow_plugin::artifact::figure::Figures;
use flow_plugin::artifact::metrics::read_metrics;
use flow_plugin::artifact::model::read_model;
use flow_plugin::artifact::table::{Column, Table};
use flow_plugin::artifact::{Dataset, Error};
use serde_json::{Map, Value};

use super::ArtifactInput;
use super::grid::{Cell, Grid, number};
use super::nodes::params;
use super::series::coordinates;
use crate::human::bytes;

/// A larger SVG is replaced by its PNG: browsers are slow with many thousands of shapes.
const SVG_BYTES: u64 = 1_500_000;
/// Larger variables are listed without statistics, so that the report stays cheap.
const STATISTICS_BYTES: usize = 64 << 20;

/// Everything to be shown, in order. Metrics of several nodes of a stage stand in one table.
pub(super) fn sections(artifacts: &[ArtifactInput]) -> String {
    let mut html = String::new();
    let mut at = 0;
    while let Some(first) = artifacts.get(at) {
        let same =
            |a: &&ArtifactInput| a.stage == first.stage && a.port == first.port && a.kind == first.kind;
        let count = artifacts[at..].iter().take_while(same).count();
        let group = &artifacts[at..at + count];
        at += count;
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            html,
            "<section class=\"result\"><h3>{}.{}</h3>",
            escape(&first.stage),
            escape(&first.port)
        );
        if first.kind == Kind::Metrics {
            html.push_str(&metrics(group));
        } else {
            for artifact in group {
                if count > 1 {
                    let _ = write!(html, "<h4>{}</h4>", escape(coordinates(&artifact.node)));
                }
                html.push_str(&one(artifact).unwrap_or_else(|error| problem(&error)));
            }
        }
        html.push_str("</section>");
    }
    html
}

fn problem(error: &Error) -> String {
    format!("<p class=\"error\">{}</p>", escape(&error.to_string()))
}

fn one(artifact: &ArtifactInput) -> Result<String, Error> {
    match artifact.kind {
        Kind::Figure => figures(artifact),
        Kind::Table => Ok(table(&Table::read(&artifact.path)?)),
        Kind::Dataset => dataset(&Dataset::open(&artifact.path)?),
        Kind::Model => {
            let model = read_model(&artifact.path)?;
            let count: usize = model.tensors.iter().map(|t| t.shape.iter().product::<usize>()).sum();
            Ok(format!(
                "<p>{count} parameters in {} tensors.</p>{}",
                model.tensors.len(),
                params(&model.config)
            ))
        }
        Kind::File => Ok(file(artifact)),
        Kind::Folder | Kind::Metrics => Ok(format!("<p>{}</p>", artifact.kind)),
    }
}

fn figures(artifact: &ArtifactInput) -> Result<String, Error> {
    let figures = Figures::open(&artifact.path)?;
    let mut html = String::from("<div class=\"figures\">");
    for picture in figures.pictures() {
        let svg =
            figures.svg(&picture.name).filter(|svg| fs::metadata(svg).is_ok_and(|m| m.len() <= SVG_BYTES));
        let (file, form) = match (svg, figures.png(&picture.name)) {
            (Some(svg), _) => (svg, "svg+xml"),
            (None, Some(png)) => (png, "png"),
            (None, None) => continue,
        };
        let Ok(content) = fs::read(&file) else { continue };
        html.push_str(&image(form, &content, &picture.caption, &picture.name));
    }
    Ok(html + "</div>")
}

/// A picture as an image with its caption. Scripts in an SVG do not run in an image.
pub(super) fn image(form: &str, content: &[u8], caption: &str, name: &str) -> String {
    let alternative = if caption.is_empty() { name } else { caption };
    let mut html = format!(
        "<figure><img alt=\"{}\" src=\"data:image/{form};base64,{}\">",
        escape(alternative),
        base64(content)
    );
    if !caption.is_empty() {
        let _ = write!(html, "<figcaption>{}</figcaption>", escape(caption));
    }
    html + "</figure>"
}

/// Metrics side by side: a line for each name, a column for each node. Lists of groups become tables below.
fn metrics(group: &[ArtifactInput]) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut columns: Vec<Map<String, Value>> = Vec::new();
    let mut below = String::new();
    for artifact in group {
        let mut flat = Map::new();
        match read_metrics(&artifact.path) {
            Ok(values) if alike(&values) => below.push_str(&records(&named(values))),
            Ok(values) => flatten(values, "", &mut flat, &mut below),
            Err(error) => below.push_str(&problem(&error)),
        }
        for name in flat.keys() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        columns.push(flat);
    }
    if names.is_empty() {
        return below;
    }
    let head = |artifact: &ArtifactInput| {
        if group.len() > 1 { coordinates(&artifact.node).to_owned() } else { "value".to_owned() }
    };
    let heads = std::iter::once(String::new()).chain(group.iter().map(head)).collect();
    let row = |name: &String| {
        let values = columns.iter().map(|column| column.get(name).map_or_else(Cell::default, Cell::value));
        std::iter::once(Cell::text(name)).chain(values).collect()
    };
    Grid::new(heads, names.iter().map(row)).html() + &below
}

fn flatten(members: Map<String, Value>, prefix: &str, flat: &mut Map<String, Value>, below: &mut String) {
    for (name, value) in members {
        let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Object(inner) if alike(&inner) => {
                let _ = write!(below, "<h4>{}</h4>{}", escape(&name), records(&named(inner)));
            }
            Value::Object(inner) => flatten(inner, &name, flat, below),
            Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
                let _ = write!(below, "<h4>{}</h4>{}", escape(&name), records(&items));
            }
            other => {
                flat.insert(name, other);
            }
        }
    }
}

/// Whether a group consists of several groups with the same members: then it is a table.
fn alike(members: &Map<String, Value>) -> bool {
    let mut groups = members.values().map(Value::as_object);
    let Some(Some(first)) = groups.next() else { return false };
    let same = |group: Option<&Map<String, Value>>| {
        group.is_some_and(|group| {
            group.len() == first.len() && group.keys().all(|key| first.contains_key(key))
        })
    };
    members.len() > 1 && first.values().all(|value| !value.is_object()) && groups.all(same)
}

/// Groups as a list, each with its name as the first member.
fn named(groups: Map<String, Value>) -> Vec<Value> {
    let with_name = |(name, group): (String, Value)| {
        let mut record = Map::from_iter([(String::new(), Value::from(name))]);
        record.extend(group.as_object().cloned().unwrap_or_default());
        Value::Object(record)
    };
    groups.into_iter().map(with_name).collect()
}

/// A list of groups with the same members, as a table.
fn records(items: &[Value]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for name in items.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let row = |item: &Value| {
        let cell = |name: &&String| item.get(*name).map_or_else(Cell::default, Cell::value);
        names.iter().map(cell).collect()
    };
    let heads = names.iter().map(|name| name.to_string()).collect();
    Grid::new(heads, items.iter().map(row)).html()
}

fn table(table: &Table) -> String {
    let cell = |column: &Column, row: usize| match column {
        Column::Float(values) => Cell::number(values[row]),
        Column::Int(values) => Cell::whole(values[row]),
        other => Cell::text(other.text(row)),
    };
    let row = |row: usize| table.columns().iter().map(|(_, column)| cell(column, row)).collect();
    let heads = table.columns().iter().map(|(name, _)| name.clone()).collect();
    Grid::new(heads, (0..table.rows()).map(row)).html()
}

fn dataset(dataset: &Dataset) -> Result<String, Error> {
    let mut html = String::from(
        "<div class=\"scroll\"><table><thead><tr><th>variable</th><th>dimensions</th><th>type</th><th>units</th>\
         <th class=\"n\">min</th><th class=\"n\">mean</th><th class=\"n\">max</th><th>description</th></tr></thead><tbody>",
    );
    for variable in dataset.variables() {
        let dims: Vec<String> =
            variable.dims.iter().zip(&variable.shape).map(|(dim, n)| format!("{dim} {n}")).collect();
        let small = variable.len() * variable.dtype.size() <= STATISTICS_BYTES;
        let found = small.then(|| dataset.statistics(&variable.name)).transpose()?;
        let value = |value: Option<f64>| value.map_or_else(String::new, number);
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&variable.name),
            escape(&dims.join(" × ")),
            variable.dtype,
            escape(&variable.units),
            value(found.map(|s| s.min)),
            value(found.map(|s| s.mean)),
            value(found.map(|s| s.max)),
            escape(&variable.long_name),
        );
    }
    Ok(html + "</tbody></table></div>")
}

fn file(artifact: &ArtifactInput) -> String {
    const SHOWN: u64 = 20_000;
    let size = fs::metadata(&artifact.path).map_or(0, |metadata| metadata.len());
    let text = if size <= SHOWN { fs::read_to_string(&artifact.path).ok() } else { None };
    match text {
        Some(text) => format!("<pre>{}</pre>", escape(&text)),
        None => format!("<p>A file of {}.</p>", bytes(size)),
    }
}
