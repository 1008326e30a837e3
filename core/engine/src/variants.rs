//! Results over a matrix: a number of every node, and its mean and spread over some axes.

use std::collections::BTreeMap;

use flow_artifact::metrics::number;
use serde_json::{Map, Value};

/// The numbers of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its coordinates: axis and value, as its name has them.
    pub coordinates: Vec<(String, String)>,
    /// Its numbers by name; none where it has no result.
    pub numbers: Vec<(String, f64)>,
}

/// What some nodes have in common: numbers over the axes that are left.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The axes of the rows.
    pub axes: Vec<String>,
    /// The names of the numbers.
    pub metrics: Vec<String>,
    /// The rows, in the order in which their first nodes come.
    pub rows: Vec<Row>,
}

/// A row of a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// A value for every axis of the table; empty where a node does not have the axis.
    pub coordinates: Vec<String>,
    /// For every metric of the table.
    pub cells: Vec<Spread>,
}

/// Several values of one number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// Their mean; NaN of none.
    pub mean: f64,
    /// Their sample standard deviation (divided by n − 1); NaN of fewer than two.
    pub deviation: f64,
}

impl Spread {
    /// The mean and spread of some values, in two passes.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let count = values.len();
        let n = count as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = if count > 1 { (squares / (n - 1.0)).sqrt() } else { f64::NAN };
        Self { count, mean, deviation }
    }
}

/// Takes the name of a node apart: `train[model=fno,seed=1]` is the stage `train`, with two coordinates. Values
/// that hold commas or brackets are in quotes.
#[must_use]
pub fn parse_name(name: &str) -> (&str, Vec<(String, String)>) {
    let Some((stage, inner)) = name.split_once('[').and_then(|(s, rest)| Some((s, rest.strip_suffix(']')?)))
    else {
        return (name, Vec::new());
    };
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let pair = |part: &str| {
        let (axis, label) = part.split_once('=')?;
        // A label in quotes is a JSON text.
        let text = serde_json::from_str::<String>(label).ok().filter(|_| label.starts_with('"'));
        Some((axis.to_owned(), text.unwrap_or_else(|| label.to_owned())))
    };
    (stage, parts.into_iter().filter_map(pair).collect())
}

/// The numbers of a metrics artifact, those in groups with points in their names: `test.rmse`.
#[must_use]
pub fn numbers(metrics: &Map<String, Value>) -> Vec<(String, f64)> {
    fn collect(prefix: &str, map: &Map<String, Value>, into: &mut Vec<(String, f64)>) {
        for (name, value) in map {
            let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match (value, number(value)) {
                (Value::Object(group), _) => collect(&name, group, into),
                (_, Some(number)) => into.push((name, number)),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    collect("", metrics, &mut found);
    found
}

/// The axes that occur, in order of appearance.
#[must_use]
pub fn axes(entries: &[Entry]) -> Vec<String> {
    distinct(entries.iter().flat_map(|entry| entry.coordinates.iter().map(|(axis, _)| axis)))
}

/// The names of the numbers that occur, in order of appearance.
#[must_use]
pub fn metrics(entries: &[Entry]) -> Vec<String> {
    distinct(entries.iter().flat_map(|entry| entry.numbers.iter().map(|(name, _)| name)))
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| seen.insert(*name)).cloned().collect()
}

/// Puts entries together that differ on the axes `over` only.
#[must_use]
pub fn tabulate(entries: &[Entry], over: &[String], metrics: &[String]) -> Table {
    let axes: Vec<String> = axes(entries).into_iter().filter(|axis| !over.contains(axis)).collect();
    let mut index: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut rows: Vec<(Vec<String>, Vec<Vec<f64>>)> = Vec::new();
    for entry in entries {
        let label =
            |axis: &String| entry.coordinates.iter().find(|(own, _)| own == axis).map(|(_, l)| l.clone());
        let coordinates: Vec<String> = axes.iter().map(|axis| label(axis).unwrap_or_default()).collect();
        let row = *index.entry(coordinates.clone()).or_insert_with(|| {
            rows.push((coordinates, vec![Vec::new(); metrics.len()]));
            rows.len() - 1
        });
        for (values, metric) in rows[row].1.iter_mut().zip(metrics) {
            values.extend(entry.numbers.iter().find(|(name, _)| name == metric).map(|(_, number)| *number));
        }
    }
    let row = |(coordinates, values): (Vec<String>, Vec<Vec<f64>>)| Row {
        coordinates,
        cells: values.iter().map(|values| Spread::of(values)).collect(),
    };
    Table { axes, metrics: metrics.to_vec(), rows: rows.into_iter().map(row).collect() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn entry(coordinates: &[(&str, &str)], numbers: &[(&str, f64)]) -> Entry {
        Entry {
            coordinates: coordinates.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
            numbers: numbers.iter().map(|(a, b)| ((*a).to_owned(), *b)).collect(),
        }
    }

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(parse_name("train"), ("train", Vec::new()));
        let (stage, coordinates) = parse_name(r#"geo.train[model=fno,size=4x4,word="a,b\"]=",seed=1]"#);
        assert_eq!(stage, "geo.train");
        let pairs: Vec<(&str, &str)> = coordinates.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(pairs, [("model", "fno"), ("size", "4x4"), ("word", "a,b\"]="), ("seed", "1")]);
    }

    #[test]
    fn means_and_deviations_are_over_the_axes_asked_for() {
        let entries = [
            entry(&[("model", "a"), ("seed", "1")], &[("rmse", 1.0), ("n", 1.0)]),
            entry(&[("model", "b"), ("seed", "1")], &[("rmse", 5.0)]),
            entry(&[("model", "a"), ("seed", "2")], &[("rmse", 3.0), ("n", 1.0)]),
            entry(&[("model", "b"), ("seed", "2")], &[]),
        ];
        let table = tabulate(&entries, &["seed".to_owned()], &metrics(&entries));
        assert_eq!(
            (table.axes, table.metrics),
            (vec!["model".to_owned()], vec!["rmse".to_owned(), "n".into()])
        );
        // The sample standard deviation of 1 and 3 is √2.
        assert_eq!(table.rows[0].cells[0], Spread { count: 2, mean: 2.0, deviation: 2f64.sqrt() });
        assert_eq!((table.rows[0].cells[1].mean, table.rows[0].cells[1].deviation), (1.0, 0.0));
        let b = table.rows[1].cells[0];
        assert!(b.count == 1 && b.mean == 5.0 && b.deviation.is_nan());
        assert_eq!(table.rows[1].cells[1].count, 0);
        assert_eq!(tabulate(&entries, &[], &["rmse".to_owned()]).rows.len(), 4);
    }

    #[test]
    fn numbers_in_groups_have_points() {
        let metrics =
            json!({ "test": { "rmse": 0.5, "who": "me" }, "n": 3, "worst": "Infinity", "all": [1, 2] });
        let found = numbers(metrics.as_object().unwrap());
        assert_eq!(
            found,
            [("test.rmse".to_owned(), 0.5), ("n".to_owned(), 3.0), ("worst".to_owned(), f64::INFINITY)]
        );
    }

    proptest! {
        #[test]
        fn names_of_nodes_are_taken_apart_again(labels in prop::collection::vec("[a-z,\\[\\]\"\\\\=é ]{1,8}", 1..4)) {
            let axes: Vec<String> = (0..labels.len()).map(|at| format!("x{at}")).collect();
            let parts: Vec<String> = axes.iter().zip(&labels).map(|(axis, label)| {
                format!("{axis}={}", crate::workflow::label(&Value::from(label.as_str())))
            }).collect();
            let name = format!("s[{}]", parts.join(","));
            let expected: Vec<(String, String)> = axes.into_iter().zip(labels).collect();
            prop_assert_eq!(parse_name(&name), ("s", expected));
        }

        #[test]
        fn shifting_all_values_shifts_the_mean_only(values in prop::collection::vec(-1e3..1e3f64, 2..20), by in -1e3..1e3f64) {
            let shifted: Vec<f64> = values.iter().map(|value| value + by).collect();
            let (a, b) = (Spread::of(&values), Spread::of(&shifted));
            prop_assert!((a.mean + by - b.mean).abs() < 1e-9);
            prop_assert!((a.deviation - b.deviation).abs() < 1e-9);
        }
    }
}
