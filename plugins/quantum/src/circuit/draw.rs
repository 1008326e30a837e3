//! Drawing circuits as SVG.

use std::fmt::Write as _;

use super::{Angle, Circuit, Gate};

/// Width of a column and height of a wire, points.
const COLUMN: usize = 46;
const WIRE: usize = 36;
const LEFT: usize = 44;

/// The circuit as an SVG picture, gates as far to the left as they go. Of longer circuits the first `columns` columns
/// are drawn.
#[must_use]
pub fn draw(circuit: &Circuit, columns: usize) -> String {
    let mut free = vec![0; circuit.qubits];
    let mut placed = Vec::new();
    let mut all = 0;
    for operation in &circuit.operations {
        let touched = || operation.controls.iter().chain(&operation.qubits).copied();
        let (first, last) = (touched().min().unwrap_or(0), touched().max().unwrap_or(0));
        let column = free[first..=last].iter().copied().max().unwrap_or(0);
        free[first..=last].fill(column + 1);
        all = all.max(column + 1);
        if column < columns {
            placed.push((column, first, last, operation));
        }
    }
    let shown = all.min(columns);
    let more = if all > columns { format!("{} more columns", all - columns) } else { String::new() };
    let (width, height) =
        (LEFT + COLUMN * shown + if more.is_empty() { 12 } else { 130 }, WIRE * circuit.qubits + 12);
    let x = |column: usize| LEFT + COLUMN * column + COLUMN / 2;
    let y = |qubit: usize| WIRE * qubit + WIRE / 2 + 6;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\" text-anchor=\"middle\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    // Writing to a string cannot fail.
    let mut put = |line: String| {
        let _ = writeln!(svg, "{line}");
    };
    for qubit in 0..circuit.qubits {
        let (at, end) = (y(qubit), LEFT + COLUMN * shown + 6);
        put(format!("<text x=\"20\" y=\"{}\">q{qubit}</text>", at + 4));
        put(format!("<line x1=\"36\" y1=\"{at}\" x2=\"{end}\" y2=\"{at}\" stroke=\"#555\"/>"));
    }
    for (column, first, last, operation) in placed {
        let at = x(column);
        if last > first {
            put(format!(
                "<line x1=\"{at}\" y1=\"{}\" x2=\"{at}\" y2=\"{}\" stroke=\"#06c\" stroke-width=\"1.5\"/>",
                y(first),
                y(last)
            ));
        }
        for &control in &operation.controls {
            put(format!("<circle cx=\"{at}\" cy=\"{}\" r=\"4\" fill=\"#06c\"/>", y(control)));
        }
        for &qubit in &operation.qubits {
            let level = y(qubit);
            match (operation.gate, operation.controls.is_empty()) {
                (Gate::Z, false) => {
                    put(format!("<circle cx=\"{at}\" cy=\"{level}\" r=\"4\" fill=\"#06c\"/>"))
                }
                (Gate::Swap, _) => put(format!(
                    "<text x=\"{at}\" y=\"{}\" font-size=\"16\" fill=\"#06c\">×</text>",
                    level + 5
                )),
                (gate, _) => {
                    let angle = match gate.angles().as_slice() {
                        [] => String::new(),
                        [Angle::Free(n), ..] => {
                            format!("<text x=\"{at}\" y=\"{}\" font-size=\"8\">θ{n}</text>", level + 9)
                        }
                        [Angle::Fixed(v), ..] => {
                            format!("<text x=\"{at}\" y=\"{}\" font-size=\"8\">{v:.3}</text>", level + 9)
                        }
                    };
                    let up = if angle.is_empty() { 4 } else { 0 };
                    put(format!(
                        "<rect x=\"{}\" y=\"{}\" width=\"34\" height=\"26\" rx=\"3\" fill=\"#eaf2fb\" stroke=\"#06c\"/>\
                         <text x=\"{at}\" y=\"{}\">{}</text>{angle}",
                        at - 17,
                        level - 13,
                        level + up,
                        gate.name().to_uppercase(),
                    ));
                }
            }
        }
    }
    if !more.is_empty() {
        put(format!("<text x=\"{}\" y=\"{}\">{more}</text>", LEFT + COLUMN * shown + 64, height / 2));
    }
    svg += "</svg>\n";
    svg
}
