//! Metric series as line charts: the nodes of a stage in one chart.

use std::collections::BTreeMap;

use flow_figure::{LineChart, Scale, Series};

use super::{NodeInput, ReportInput};

/// Up to so many nodes have a curve of their own; more are shown by their median and the band around it.
const CURVES: usize = 10;

/// A chart and what it is called.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) svg: String,
}

/// One curve: the part of the data it is about (`training`, `validation`), its node, its points.
struct Curve<'a> {
    split: &'a str,
    node: &'a NodeInput,
    points: &'a [(u64, f64)],
}

/// The charts of all series, by stage and by quantity.
pub(super) fn charts(input: &ReportInput) -> Vec<Chart> {
    let mut charts: BTreeMap<(usize, String), Vec<Curve<'_>>> = BTreeMap::new();
    for node in &input.nodes {
        for (name, points) in &node.series {
            let (quantity, split) = quantity(name);
            charts.entry((node.stage, quantity)).or_default().push(Curve { split, node, points });
        }
    }
    let charts = charts.into_iter().filter(|(_, curves)| curves.iter().any(|curve| curve.points.len() > 1));
    charts
        .map(|((stage, quantity), curves)| {
            let title = format!("{}: {quantity}", input.stages[stage].name);
            Chart { svg: draw(&title, &quantity, &curves), title }
        })
        .collect()
}

fn draw(title: &str, quantity: &str, curves: &[Curve<'_>]) -> String {
    let values =
        || curves.iter().flat_map(|curve| curve.points.iter().map(|p| p.1)).filter(|v| v.is_finite());
    let (low, high) = values().fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    let scale = if low > 0.0 && high / low > 20.0 { Scale::Log } else { Scale::Linear };
    let mut chart =
        LineChart::new(title).x_axis("step", Scale::Linear).y_axis(quantity, scale).size(560.0, 330.0);
    let mut nodes: Vec<&str> = curves.iter().map(|curve| curve.node.name.as_str()).collect();
    nodes.dedup();
    let splits: Vec<&str> = ["", "training", "validation", "test"]
        .into_iter()
        .filter(|split| curves.iter().any(|curve| curve.split == *split))
        .collect();
    for (dashed, &split) in splits.iter().enumerate() {
        let part: Vec<&Curve<'_>> = curves.iter().filter(|curve| curve.split == split).collect();
        let style = |series: Series| if dashed > 0 { series.dashed() } else { series };
        if nodes.len() > CURVES {
            let name = format!("{}median of {} nodes, 10–90 %", prefix(split), part.len());
            let (median, band) = quantiles(&part);
            chart = chart.series(style(Series::new(&name, median).color(dashed).band(band)));
            continue;
        }
        for curve in part {
            let color = nodes.iter().position(|name| *name == curve.node.name).unwrap_or(0);
            let name = match (nodes.len() > 1, split) {
                (true, split) => format!("{}{}", prefix(split), coordinates(&curve.node.name)),
                (false, "") => quantity.to_owned(),
                (false, split) => split.to_owned(),
            };
            let points = curve.points.iter().map(|&(step, value)| (step as f64, value));
            chart = chart.series(style(Series::new(&name, points).color(color)));
        }
    }
    chart.svg()
}

fn prefix(split: &str) -> String {
    if split.is_empty() { String::new() } else { format!("{split}, ") }
}

/// What tells a node from the others of its stage.
pub(super) fn coordinates(node: &str) -> &str {
    node.split_once('[').map_or(node, |(_, rest)| rest.trim_end_matches(']'))
}

type Median = Vec<(f64, f64)>;
type Band = Vec<(f64, f64, f64)>;

fn quantiles(curves: &[&Curve<'_>]) -> (Median, Band) {
    let mut by_step: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for &(step, value) in curves.iter().flat_map(|curve| curve.points) {
        if value.is_finite() {
            by_step.entry(step).or_default().push(value);
        }
    }
    let mut median = Vec::new();
    let mut band = Vec::new();
    for (step, mut values) in by_step {
        values.sort_by(f64::total_cmp);
        let at = |q: f64| values[(q * (values.len() - 1) as f64).round() as usize];
        median.push((step as f64, at(0.5)));
        band.push((step as f64, at(0.1), at(0.9)));
    }
    (median, band)
}

/// Splits a series' name into what is measured and on which part of the data: `validation_loss` is the loss
/// on the validation data.
fn quantity(name: &str) -> (String, &'static str) {
    let mut split = "";
    let words: Vec<&str> = name
        .split(['.', '_', '/', ' ', '-'])
        .filter(|word| {
            let found = match *word {
                "train" | "training" => "training",
                "val" | "valid" | "validation" => "validation",
                "test" | "testing" => "test",
                _ => return true,
            };
            split = found;
            false
        })
        .collect();
    let quantity = words.join(" ");
    (if quantity.trim().is_empty() { "value".to_owned() } else { quantity }, split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_on_training_and_validation_data_are_one_quantity() {
        for (name, expected) in [
            ("loss", ("loss", "")),
            ("train_loss", ("loss", "training")),
            ("validation.loss", ("loss", "validation")),
            ("relative_l2", ("relative l2", "")),
            ("val", ("value", "validation")),
        ] {
            assert_eq!(quantity(name), (expected.0.to_owned(), expected.1));
        }
    }
}
