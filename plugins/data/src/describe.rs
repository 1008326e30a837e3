//! What a dataset is like: statistics and a picture of each variable.

use flow_plugin::artifact::table::Table;
use flow_plugin::artifact::{Dataset, Statistics, Variable};
use flow_plugin::figure::{FieldMaps, Figure, LineChart, Panel, Scale, Series};

use crate::Result;

/// The most points of a curve, and cells of a map along each side.
const POINTS: usize = 4000;
const CELLS: usize = 256;

/// Statistics as a table, a row for each variable.
#[must_use]
pub fn table(variables: &[(Variable, Statistics)]) -> Table {
    let text = |f: fn(&Variable) -> String| variables.iter().map(|(v, _)| f(v)).collect::<Vec<_>>();
    let number = |f: fn(&Statistics) -> f64| variables.iter().map(|(_, s)| f(s)).collect::<Vec<f64>>();
    let mut table = Table::new();
    for (name, column) in [
        ("variable", text(|v| v.name.clone())),
        ("dtype", text(|v| v.dtype.to_string())),
        ("dims", text(|v| v.dims.join(" "))),
        ("shape", text(|v| v.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x "))),
        ("units", text(|v| v.units.clone())),
    ] {
        table = table.with(name, column);
    }
    let missing: Vec<i64> =
        variables.iter().map(|(_, s)| i64::try_from(s.non_finite).unwrap_or(i64::MAX)).collect();
    table
        .with("min", number(|s| s.min))
        .with("mean", number(|s| s.mean))
        .with("std", number(|s| s.std))
        .with("max", number(|s| s.max))
        .with("non_finite", missing)
}

/// A picture of a variable, with what it shows: a curve of one dimension, a map of the last two of several. `None` for
/// a scalar, and for what has no values.
///
/// # Errors
/// When values cannot be read.
pub fn picture(data: &Dataset, variable: &Variable) -> Result<Option<(String, Figure)>> {
    if variable.is_empty() {
        return Ok(None);
    }
    match variable.dims.as_slice() {
        [] => Ok(None),
        [dim] => curve(data, variable, dim).map(Some),
        [.., y, x] => map(data, variable, y, x).map(Some),
    }
}

fn label(variable: &Variable) -> String {
    let name = if variable.long_name.is_empty() { &variable.name } else { &variable.long_name };
    with_units(name, &variable.units)
}

fn with_units(name: &str, units: &str) -> String {
    if units == "1" || units.is_empty() { name.to_owned() } else { format!("{name}, {units}") }
}

/// The coordinate of a dimension, or else the places counted, and its label.
fn coordinate(data: &Dataset, dim: &str, places: &[usize]) -> Result<(Vec<f64>, String)> {
    match data.variable(dim) {
        Ok(own) if own.dims == [dim] => Ok((some(data, own, places)?, label(own))),
        _ => Ok((places.iter().map(|at| *at as f64).collect(), dim.to_owned())),
    }
}

/// Some values of a variable of one dimension, without holding the others.
fn some(data: &Dataset, variable: &Variable, places: &[usize]) -> Result<Vec<f64>> {
    if places.len() == variable.rows() {
        return Ok(data.read_wide(&variable.name)?);
    }
    places.iter().map(|at| Ok(data.read_values(&variable.name, *at..at + 1)?.doubles()[0])).collect()
}

/// So many places of a dimension, evenly spread.
fn spread(length: usize, most: usize) -> Vec<usize> {
    (0..length).step_by(length.div_ceil(most).max(1)).collect()
}

fn curve(data: &Dataset, variable: &Variable, dim: &str) -> Result<(String, Figure)> {
    let places = spread(variable.rows(), POINTS);
    let values = some(data, variable, &places)?;
    let (x, name) = if variable.name == *dim {
        (places.iter().map(|at| *at as f64).collect(), format!("place along {dim}"))
    } else {
        coordinate(data, dim, &places)?
    };
    let chart = LineChart::new(&variable.name)
        .x_axis(&name, Scale::Linear)
        .y_axis(&label(variable), Scale::Linear)
        .series(Series::new("", x.into_iter().zip(values)));
    let caption = match places.len() {
        n if n < variable.rows() => format!("{}: {n} of {} values", label(variable), variable.rows()),
        _ => label(variable),
    };
    Ok((caption, chart.render()))
}

fn map(data: &Dataset, variable: &Variable, y: &str, x: &str) -> Result<(String, Figure)> {
    let axes = variable.dims.len();
    let (rows, columns) = (variable.shape[axes - 2], variable.shape[axes - 1]);
    // The first place of all other dimensions: with two, the rows are those of the variable.
    let (down, across) = (spread(rows, CELLS), spread(columns, CELLS));
    let pick = |row: &[f64], start: usize| across.iter().map(|at| row[start + at]).collect::<Vec<f64>>();
    let mut values = Vec::with_capacity(down.len() * across.len());
    if axes == 2 {
        for at in &down {
            values.extend(pick(&data.read_values(&variable.name, *at..at + 1)?.doubles(), 0));
        }
    } else {
        let first = data.read_values(&variable.name, 0..1)?.doubles();
        down.iter().for_each(|at| values.extend(pick(&first, at * columns)));
    }
    let ((x_edges, x_name), (y_edges, y_name)) = (edges(data, x, &across)?, edges(data, y, &down)?);
    let figure = FieldMaps::new(&variable.name, x_edges, y_edges)
        .x_axis(&x_name, Scale::Linear)
        .y_axis(&y_name, Scale::Linear)
        .row("")
        .panel(Panel::new("", values).label(if variable.units == "1" { "" } else { &variable.units }))
        .render();
    let first: Vec<String> = variable.dims[..axes - 2].iter().map(|dim| format!("{dim} 0")).collect();
    let caption = if first.is_empty() {
        label(variable)
    } else {
        format!("{}, at {}", label(variable), first.join(", "))
    };
    Ok((caption, figure))
}

/// Edges of cells around the coordinates of a dimension, if these rise; else around the places.
fn edges(data: &Dataset, dim: &str, places: &[usize]) -> Result<(Vec<f64>, String)> {
    let (at, name) = coordinate(data, dim, places)?;
    let rises = at.windows(2).all(|pair| pair[0] < pair[1]) && at.iter().all(|v| v.is_finite());
    let (at, name) =
        if rises { (at, name) } else { (places.iter().map(|p| *p as f64).collect(), dim.to_owned()) };
    let step = |a: usize, b: usize| if at.len() > 1 { (at[b] - at[a]) / 2.0 } else { 0.5 };
    let mut edges = vec![at[0] - step(0, 1)];
    edges.extend(at.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])));
    let last = at.len() - 1;
    edges.push(at[last] + step(last.saturating_sub(1), last));
    Ok((edges, name))
}
