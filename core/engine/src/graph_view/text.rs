//! A graph as text for a terminal.

use std::fmt::Write;

use anstyle::{Reset, Style};

use super::layout::sequence;
use super::{Arrow, View, title};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RESET: Reset = Reset;
/// More values of an axis than this are counted, not listed.
const LISTED: usize = 8;

/// The boxes in an order in which each comes after what it needs, with what is connected to their inputs.
#[must_use]
pub fn text(view: &View) -> String {
    let mut out = String::new();
    let noun = |n: usize, noun: &str| if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") };
    let stages = view.nodes != view.boxes.len() || view.boxes.iter().any(|item| !item.axes.is_empty());
    let count = match (stages, view.boxes.len() == view.nodes) {
        (false, true) => noun(view.nodes, "node"),
        _ => format!("{}, {}", noun(view.boxes.len(), "stage"), noun(view.nodes, "node")),
    };
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(out, "{BOLD}{}{RESET}  {count}\n", clean(&view.name));
    let names = view.boxes.iter().map(|item| title(item).chars().count()).max().unwrap_or(0);
    let operations = view.boxes.iter().map(|item| item.operation.chars().count()).max().unwrap_or(0);
    for number in sequence(view.boxes.len(), &view.pairs()) {
        let item = &view.boxes[number];
        let arrows = view.arrows.iter().filter(|arrow| arrow.to == number);
        let inputs: Vec<String> = arrows.map(|arrow| connection(view, arrow)).collect();
        let (name, operation) = (clean(&title(item)), clean(&item.operation));
        let indent = names + operations + 6;
        // Padding only in front of something: no line ends in spaces.
        let width = if inputs.is_empty() { 0 } else { operations };
        let inputs = inputs.join(&format!("\n{:indent$}", ""));
        let gap = if inputs.is_empty() { "" } else { "  " };
        let _ = writeln!(out, "  {BOLD}{name:<names$}{RESET}  {DIM}{operation:<width$}{RESET}{gap}{inputs}");
        for (axis, values) in &item.axes {
            let values = match values.len() {
                0..=LISTED => values.join(", "),
                n => format!("{}, … ({n} values)", values[..LISTED].join(", ")),
            };
            let _ = writeln!(out, "    {DIM}{}: {}{RESET}", clean(axis), clean(&values));
        }
    }
    out
}

/// `data ← simulate.solutions`, with brackets around what is collected.
fn connection(view: &View, arrow: &Arrow) -> String {
    let from = clean(&view.boxes[arrow.from].name);
    match &arrow.data {
        Some((input, output, true)) => format!("{input} ← [{from}.{output}]"),
        Some((input, output, false)) => format!("{input} ← {from}.{output}"),
        None => format!("after {from}"),
    }
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
