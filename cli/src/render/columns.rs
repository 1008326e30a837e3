//! Columns of text side by side.

use std::io::{self, Write};

use super::text::BOLD;

/// Writes columns of equal length; the first line is a heading.
pub(crate) fn write(out: &mut impl Write, columns: &[Vec<String>]) -> io::Result<()> {
    let width = |cells: &Vec<String>| cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = columns.iter().map(width).collect();
    for line in 0..columns.first().map_or(0, Vec::len) {
        let style = if line == 0 { BOLD } else { anstyle::Style::new() };
        let cells = columns.iter().zip(&widths).map(|(cells, width)| format!("{:<width$}", cells[line]));
        writeln!(out, "{style}{}{style:#}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
