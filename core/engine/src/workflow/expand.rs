//! Expansion: how many nodes each stage has, where they lie on its axes, and which nodes of earlier stages
//! each of their inputs takes.

use std::path::PathBuf;
use std::rc::Rc;

use serde_json::Value;

use super::axes::{self, Cell, Row, axes_of, join, key_on};
use super::condition;
use super::file::{Connection, File, Item, Reference, Word};
use super::link::{Linked, is_resolved};
use super::nodes::Place;
use super::params::Params;
use crate::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::expr::Scope;

/// A stage after expansion.
#[derive(Default)]
pub(super) struct Expanded {
    /// One a node, in matrix order.
    pub(super) cells: Vec<Cell>,
    /// One an input, in the order written.
    pub(super) links: Vec<Link>,
    /// Something before it is broken: its axes are not known.
    pub(super) tainted: bool,
    /// Cells that are switched off, and why.
    pub(super) off: Vec<(Cell, String)>,
    /// Tables that its axes are read from.
    pub(super) reads: Vec<(PathBuf, Span)>,
}

impl Expanded {
    /// Something about the stage is broken: one cell stands for whatever there would be.
    fn broken() -> Self {
        Self { tainted: true, cells: vec![Vec::new()], ..Self::default() }
    }

    /// There is nothing of the stage.
    fn off(why: String) -> Self {
        Self { off: vec![(Vec::new(), why)], ..Self::default() }
    }

    fn is_off(&self) -> bool {
        self.cells.is_empty()
    }
}

/// Which rows of an earlier stage an input takes.
pub(super) enum Link {
    /// Broken, or an external input.
    None,
    /// By node: one row.
    One { stage: usize, rows: Vec<usize> },
    /// By node: the rows of one group.
    Group { stage: usize, groups: Vec<Rc<Vec<usize>>>, rows: Vec<usize> },
    /// Every node takes all rows.
    All,
}

/// Expands all stages, in an order in which each comes after those it needs.
pub(super) fn expand(
    file: &File,
    linked: &Linked<'_>,
    params: &Params,
    place: &Place,
    problems: &mut Diagnostics,
) -> Vec<Expanded> {
    let mut expanded: Vec<Option<Expanded>> = file.stages.iter().map(|_| None).collect();
    for stage in &linked.order {
        let result = stage_rows(*stage, file, linked, &expanded, params, place, problems);
        expanded[*stage] = Some(result);
    }
    // Those on a cycle have not been reached.
    expanded.into_iter().map(|stage| stage.unwrap_or_else(Expanded::broken)).collect()
}

fn stage_rows(
    number: usize,
    file: &File,
    linked: &Linked<'_>,
    expanded: &[Option<Expanded>],
    params: &Params,
    place: &Place,
    problems: &mut Diagnostics,
) -> Expanded {
    let stage = &file.stages[number];
    let empty = Value::Object(serde_json::Map::new());
    let scope = Scope::new()
        .with("params", &params.value)
        .without("matrix", "the values of a matrix are given by `params` only")
        .without("seed", "the values of a matrix are given by `params` only")
        .without("resources", "the values of a matrix are given by `params` only");
    let scope = if params.whole { scope } else { Scope::new().with("params", &empty) };
    let origin = |root: &str, name: &str| params.origin(root, name);

    let mut rows = vec![Row::default()];
    let mut links = Vec::with_capacity(stage.inputs.len());
    let mut tainted = stage.meant.iter().any(|key| matches!(*key, "matrix" | "zip" | "seeds" | "inputs"));
    // For every joined list: the link that it belongs to.
    let mut joined_links = Vec::new();
    let mut failed = false;
    // An input that cannot be had, since what makes it is switched off.
    let mut lacks: Option<String> = None;
    let mut absent: Vec<&Cell> = Vec::new();
    for (port, connection) in &stage.inputs {
        let resolved = is_resolved(connection, linked);
        tainted |= !resolved;
        let upstream = |name: &Word| {
            let stage = linked.stage(&name.text)?;
            expanded[stage].as_ref().map(|found| (stage, found))
        };
        if resolved && let Some(off) = off(connection, linked, expanded) {
            let port = linked.spec(number).and_then(|spec| spec.inputs.iter().find(|p| p.name == port.text));
            if !port.is_some_and(|port| port.optional) {
                lacks.get_or_insert(off);
            }
            links.push(Link::None);
            continue;
        }
        for reference in connection.references() {
            let found = upstream(&reference.stage).map(|(_, found)| &found.off);
            absent.extend(found.into_iter().flatten().map(|(cell, _)| cell));
        }
        let link = match connection {
            Connection::Map(reference) if resolved => match upstream(&reference.stage) {
                Some((number, found)) => {
                    tainted |= found.tainted;
                    joined_links.push(links.len());
                    rows = step(rows, &found.cells, reference.span, port, problems, &mut failed);
                    Link::One { stage: number, rows: Vec::new() }
                }
                None => Link::None,
            },
            Connection::Partial { from, over, span } if resolved => match upstream(&from.stage) {
                Some((number, found)) => {
                    tainted |= found.tainted;
                    if found.tainted {
                        Link::None
                    } else {
                        let kept = kept_axes(&found.cells, over.as_deref(), &from.stage.text, problems);
                        let (cells, groups) = group(&found.cells, &kept);
                        joined_links.push(links.len());
                        rows = step(rows, &cells, *span, port, problems, &mut failed);
                        Link::Group { stage: number, groups, rows: Vec::new() }
                    }
                }
                None => Link::None,
            },
            Connection::Collect(items, _) if resolved => {
                for item in items {
                    if let Item::Output(reference) = item {
                        tainted |= upstream(&reference.stage).is_none_or(|(_, found)| found.tainted);
                    }
                }
                Link::All
            }
            _ => Link::None,
        };
        links.push(link);
    }
    let mut reads = Vec::new();
    match axes::own(stage, &scope, &origin, place, &mut reads, problems) {
        Some(lists) => {
            for (cells, span) in lists {
                if !tainted && !failed {
                    if missing_values(&rows, &cells, &absent, span, &stage.name.text, problems) {
                        failed = true;
                        continue;
                    }
                    let name = Word { text: "matrix".into(), span };
                    rows = step(rows, &cells, span, &name, problems, &mut failed);
                } else if let Some(joined) = join(&rows, &cells) {
                    rows = joined;
                }
            }
        }
        None => tainted = true,
    }
    if let Some(lacks) = lacks.filter(|_| !tainted && !failed) {
        return Expanded::off(lacks);
    }
    let mut off = Vec::new();
    if !tainted && !failed {
        axes::exclude(stage, &mut rows, &scope, &origin, problems);
        if rows.is_empty() && !failed {
            problems.push(Diagnostic::at(
                stage.name.span,
                format!("nothing is left of the stage `{}`: `exclude` excludes all of it", stage.name.text),
            ));
            failed = true;
        }
        if let Some(when) = stage.when.as_ref().filter(|_| !failed && params.whole) {
            match condition::apply(when, rows, params, problems) {
                Some(split) => (rows, off) = split,
                None => return Expanded::broken(),
            }
        }
    }
    if failed {
        return Expanded::broken();
    }
    for (pick, link) in joined_links.into_iter().enumerate() {
        let picks = rows.iter().map(|row| row.picks[pick]).collect();
        match &mut links[link] {
            Link::One { rows, .. } | Link::Group { rows, .. } => *rows = picks,
            Link::None | Link::All => {}
        }
    }
    Expanded { cells: rows.into_iter().map(|row| row.cell).collect(), links, tainted, off, reads }
}

/// Why nothing comes over a connection, if so: all that it names is switched off.
fn off(connection: &Connection, linked: &Linked<'_>, expanded: &[Option<Expanded>]) -> Option<String> {
    if let Connection::Collect(items, _) = connection
        && items.iter().any(|item| matches!(item, Item::External(_)))
    {
        return None;
    }
    let references = connection.references();
    let is_off = |reference: &&Reference| {
        let stage = linked.stage(&reference.stage.text).and_then(|stage| expanded[stage].as_ref());
        stage.is_some_and(Expanded::is_off)
    };
    let first = references.first().filter(|_| references.iter().all(is_off))?;
    Some(format!("it reads {}.{}, which is off", first.stage.text, first.port.text))
}

/// Joins one more list of cells, and says why if nothing or too much comes of it.
fn step(
    rows: Vec<Row>,
    cells: &[Cell],
    span: Span,
    port: &Word,
    problems: &mut Diagnostics,
    failed: &mut bool,
) -> Vec<Row> {
    match join(&rows, cells) {
        None => {
            problems.push(axes::too_many(span));
            *failed = true;
            rows
        }
        Some(joined) if joined.is_empty() => {
            let shared: Vec<String> = axes_of(cells)
                .iter()
                .filter(|axis| rows.first().is_some_and(|row| row.cell.iter().any(|(own, _)| own == *axis)))
                .map(|axis| format!("`{axis}`"))
                .collect();
            problems.push(
                Diagnostic::at(
                    span,
                    format!("`{}` has no values in common with the inputs before it", port.text),
                )
                .note(format!("they join on equal values of {}", shared.join(", ")))
                .help("to take all of them, collect: `[stage.port]`"),
            );
            *failed = true;
            rows
        }
        Some(joined) => joined,
    }
}

/// Whether the stage asks for values that its inputs do not have, nor would have if all were switched on, which
/// is then reported.
fn missing_values(
    rows: &[Row],
    cells: &[Cell],
    absent: &[&Cell],
    span: Span,
    stage: &str,
    problems: &mut Diagnostics,
) -> bool {
    for axis in axes_of(cells) {
        let label =
            |cell: &Cell| cell.iter().find(|(own, _)| *own == axis).map(|(_, value)| value.label.clone());
        let given: Vec<String> = rows.iter().filter_map(|row| label(&row.cell)).collect();
        if given.is_empty() {
            continue;
        }
        let mut wanted: Vec<String> = cells.iter().filter_map(label).collect();
        wanted.dedup();
        let absent: Vec<String> = absent.iter().filter_map(|cell| label(cell)).collect();
        let missing = wanted.iter().find(|wanted| !given.contains(wanted) && !absent.contains(wanted));
        if let Some(missing) = missing {
            let mut known = given.clone();
            known.sort();
            known.dedup();
            problems.push(
                Diagnostic::at(span, format!("the inputs of `{stage}` have no `{axis}={missing}`"))
                    .note(format!("on the axis `{axis}` they have {}", crate::diagnostics::list(&known))),
            );
            return true;
        }
    }
    false
}

/// The axes that a partial collection does not collect.
fn kept_axes(cells: &[Cell], over: Option<&[Word]>, stage: &str, problems: &mut Diagnostics) -> Vec<Rc<str>> {
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
fn group(cells: &[Cell], kept: &[Rc<str>]) -> (Vec<Cell>, Vec<Rc<Vec<usize>>>) {
    let mut index: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
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
