//! Partial collections: which rows of a stage fall together.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::axes::{Cell, axes_of, key_on};
use super::super::file::Word;
use crate::diagnostics::{Diagnostic, Diagnostics, did_you_mean};

/// The axes that a partial collection does not collect.
pub(super) fn kept_axes(
    cells: &[Cell],
    over: Option<&[Word]>,
    stage: &str,
    problems: &mut Diagnostics,
) -> Vec<Rc<str>> {
    let axes = axes_of(cells);
    let Some(over) = over else { return Vec::new() };
    for word in over {
        if !axes.iter().any(|axis| **axis == *word.text) {
            let help = if axes.is_empty() {
                Some(format!("`{stage}` has no axes: it is one node"))
            } else {
                did_you_mean(&word.text, axes.iter().map(|axis| &**axis), "its axes are")
            };
            problems.push(
                Diagnostic::at(word.span, format!("the stage `{stage}` has no axis `{}`", word.text))
                    .maybe_help(help),
            );
        }
    }
    axes.into_iter().filter(|axis| !over.iter().any(|word| *word.text == **axis)).collect()
}

/// Cells on some axes only, each with the rows that fall on it.
pub(super) fn group(cells: &[Cell], kept: &[Rc<str>]) -> (Vec<Cell>, Vec<Rc<Vec<usize>>>) {
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<Cell> = Vec::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (row, cell) in cells.iter().enumerate() {
        let number = *index.entry(key_on(cell, kept)).or_insert_with(|| {
            found.push(cell.iter().filter(|(axis, _)| kept.contains(axis)).cloned().collect());
            groups.push(Vec::new());
            found.len() - 1
        });
        groups[number].push(row);
    }
    (found, groups.into_iter().map(Rc::new).collect())
}
