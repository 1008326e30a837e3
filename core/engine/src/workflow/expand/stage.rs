//! The expansion of one stage: the axes that arrive over its inputs, and those of its own.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::axes::{self, Cell, List, Row, axes_of, join};
use super::super::condition;
use super::super::entries;
use super::super::file::{Connection, FromAxis, Item, Reference, StageDecl, Word};
use super::super::link::{is_resolved, is_there};
use super::collect::{group, kept_axes};
use super::{Expanded, Expander, Link, reached};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::expr::Scope;

/// The rows of a stage while lists of cells are joined to them, one after the other.
struct Rows {
    rows: Vec<Row>,
    /// How many lists have been joined.
    joined: usize,
    /// What is wrong has been reported.
    failed: bool,
    /// Something that it builds on is broken, or not known yet.
    tainted: bool,
    /// What must end before all rows are known.
    unknown: BTreeSet<String>,
    /// Nothing can be said before that has ended.
    waits: bool,
}

impl Rows {
    /// Joins one more list of cells, and says why if nothing or too much comes of it.
    fn join(&mut self, cells: &[Cell], span: Span, port: &Word, problems: &mut Diagnostics) {
        self.joined += 1;
        match join(&self.rows, cells) {
            None => {
                problems.push(axes::too_many(span));
                self.failed = true;
            }
            Some(joined) if joined.is_empty() && self.unknown.is_empty() && !self.rows.is_empty() => {
                let shared: Vec<String> = axes_of(cells)
                    .iter()
                    .filter(|axis| {
                        self.rows.first().is_some_and(|row| row.cell.iter().any(|(own, _)| own == *axis))
                    })
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
                self.failed = true;
            }
            Some(joined) => self.rows = joined,
        }
    }

    /// Takes over what is not known of a stage before.
    fn builds_on(&mut self, found: &Expanded) {
        self.tainted |= found.tainted;
        self.unknown.extend(found.unknown.iter().cloned());
    }

    /// As [`Rows::builds_on`], where all of that stage is needed at once.
    fn needs_all_of(&mut self, found: &Expanded) {
        self.builds_on(found);
        self.waits |= !found.unknown.is_empty();
    }
}

impl Expander<'_> {
    pub(super) fn stage(&mut self, number: usize) -> Expanded {
        let file = self.file;
        let stage = &file.stages[number];
        let params = self.params;
        let empty = Value::Object(serde_json::Map::new());
        let given = "the values of a matrix are given by `params` only";
        let scope = Scope::new().with("params", if params.whole { &params.value } else { &empty });
        let scope = scope.without("matrix", given).without("seed", given).without("resources", given);
        let origin = |root: &str, name: &str| params.origin(root, name);

        let mut rows = Rows {
            rows: vec![Row::default()],
            joined: 0,
            failed: false,
            tainted: stage.meant.iter().any(|key| matches!(*key, "matrix" | "zip" | "seeds" | "inputs")),
            unknown: BTreeSet::new(),
            waits: false,
        };
        let mut links = Vec::with_capacity(stage.inputs.len());
        // For joined lists: the link that they belong to.
        let mut joined_links = Vec::new();
        // An input that cannot be had, since what makes it is switched off.
        let mut lacks: Option<String> = None;
        for (at, (port, connection)) in stage.inputs.iter().enumerate() {
            let resolved = is_resolved(connection, self.linked);
            rows.tainted |= !resolved;
            if resolved && let Some(off) = self.off(connection) {
                let spec = self.linked.spec(number);
                let port = spec.and_then(|spec| spec.inputs.iter().find(|p| p.name == port.text));
                if !port.is_some_and(|port| port.optional) {
                    lacks.get_or_insert(off);
                }
                links.push(Link::None);
                continue;
            }
            let before = rows.joined;
            let link = if resolved { self.link(connection, port, &mut rows) } else { Link::None };
            if rows.joined > before {
                joined_links.push((at, before));
            }
            links.push(link);
        }
        for needed in &stage.needs {
            if let Some((_, found)) = self.reached(&needed.text) {
                // The order among nodes is fixed when they come to be.
                let waits = !found.unknown.is_empty();
                rows.unknown.extend(found.unknown.iter().cloned());
                rows.waits |= waits;
            }
        }
        let (mut reads, mut open) = (Vec::new(), Vec::new());
        match axes::own(stage, &scope, &origin, self.place, &mut reads, self.problems) {
            Some(lists) => {
                for list in lists {
                    match list {
                        List::Cells(cells, span) => self.own_list(stage, &cells, span, &mut rows),
                        List::From(axis) => match self.from_list(axis, &mut rows, &mut open) {
                            Ok(()) => {}
                            Err(off) => drop(lacks.get_or_insert(off)),
                        },
                    }
                }
            }
            None => rows.tainted = true,
        }
        let sound = !rows.tainted && !rows.failed;
        if let Some(lacks) = lacks.filter(|_| sound) {
            return Expanded::off(lacks);
        }
        let mut off = Vec::new();
        if sound && !rows.waits && !rows.rows.is_empty() {
            let more = !rows.unknown.is_empty();
            axes::exclude(stage, &mut rows.rows, more, &scope, &origin, self.problems);
            if rows.rows.is_empty() && !more {
                self.problems.push(Diagnostic::at(
                    stage.name.span,
                    format!(
                        "nothing is left of the stage `{}`: `exclude` excludes all of it",
                        stage.name.text
                    ),
                ));
                return Expanded::broken();
            }
            if let Some(when) = stage.when.as_ref().filter(|_| params.whole) {
                match condition::apply(when, std::mem::take(&mut rows.rows), params, self.problems) {
                    Some(split) => (rows.rows, off) = split,
                    None => return Expanded::broken(),
                }
            }
        }
        if rows.failed {
            return Expanded::broken();
        }
        if !rows.unknown.is_empty() && (rows.tainted || rows.waits || rows.rows.is_empty()) {
            // One row, made of the first one of everything, stands for what will be there.
            rows.tainted = true;
            rows.rows = vec![Row { cell: Cell::new(), picks: vec![0; rows.joined] }];
            off.clear();
        }
        for (link, pick) in joined_links {
            let picks = rows.rows.iter().map(|row| row.picks[pick]).collect();
            match &mut links[link] {
                Link::One { rows, .. } | Link::Group { rows, .. } => *rows = picks,
                Link::None | Link::All => {}
            }
        }
        let cells = rows.rows.into_iter().map(|row| row.cell).collect();
        let (tainted, unknown) = (rows.tainted, rows.unknown);
        Expanded { cells, links, tainted, unknown, open, off, reads }
    }

    /// What comes over a connection that is resolved: its axes are joined to the rows.
    fn link(&mut self, connection: &Connection, port: &Word, rows: &mut Rows) -> Link {
        match connection {
            Connection::Map(reference) => {
                let found = reached(self.linked, &self.expanded, &reference.stage.text);
                let Some((number, found)) = found else { return Link::None };
                rows.builds_on(found);
                rows.join(&found.cells, reference.span, port, self.problems);
                Link::One { stage: number, rows: Vec::new() }
            }
            Connection::Partial { from, over, span } => {
                let found = reached(self.linked, &self.expanded, &from.stage.text);
                let Some((number, found)) = found else { return Link::None };
                rows.needs_all_of(found);
                if found.tainted {
                    return Link::None;
                }
                let kept = kept_axes(&found.cells, over.as_deref(), &from.stage.text, self.problems);
                let (cells, groups) = group(&found.cells, &kept);
                rows.join(&cells, *span, port, self.problems);
                Link::Group { stage: number, groups, rows: Vec::new() }
            }
            Connection::Collect(items, _) => {
                for item in items {
                    if let Item::Output(reference) = item {
                        match self.reached(&reference.stage.text) {
                            Some((_, found)) => rows.needs_all_of(found),
                            None => rows.tainted = true,
                        }
                    }
                }
                Link::All
            }
            Connection::External(..) | Connection::Entry(_) | Connection::Broken => Link::None,
        }
    }

    /// A list of cells that the stage writes down.
    fn own_list(&mut self, stage: &StageDecl, cells: &[Cell], span: Span, rows: &mut Rows) {
        if rows.tainted || rows.failed {
            return;
        }
        if rows.unknown.is_empty()
            && let Some(problem) =
                missing_values(&rows.rows, cells, &self.absent(stage), span, &stage.name.text)
        {
            self.problems.push(problem);
            rows.failed = true;
            return;
        }
        rows.join(cells, span, &Word { text: "matrix".into(), span }, self.problems);
    }

    /// The axis whose values are in an output. Otherwise why there is none.
    fn from_list(
        &mut self,
        axis: &FromAxis,
        rows: &mut Rows,
        open: &mut Vec<(usize, usize, String)>,
    ) -> Result<(), String> {
        let from = axis.from.as_ref().filter(|from| is_there(from, self.linked));
        let found = from.and_then(|from| reached(self.linked, &self.expanded, &from.stage.text));
        let (Some(from), Some((number, found))) = (from, found) else {
            rows.tainted = true;
            return Ok(());
        };
        let (stage, port) = (&from.stage.text, &from.port.text);
        if found.is_off() {
            return Err(format!("it reads {stage}.{port}, which is off"));
        }
        if let Some((_, first)) = found.cells.iter().flatten().find(|(known, _)| **known == *axis.name.text) {
            let name = &axis.name.text;
            let help = format!("`{stage}` has that axis, with values such as {}", first.label);
            self.problems
                .push(Diagnostic::at(axis.name.span, format!("the axis `{name}` is given twice")).help(help));
            rows.failed = true;
            return Ok(());
        }
        rows.builds_on(found);
        if found.tainted {
            return Ok(());
        }
        let Some(taken) = entries::take(axis, number, found, self.facts, self.problems) else {
            rows.failed = true;
            return Ok(());
        };
        if !taken.open.is_empty() {
            rows.unknown.insert(stage.clone());
            open.extend(taken.open.into_iter().map(|row| (number, row, port.clone())));
        }
        if taken.cells.is_empty() {
            if rows.unknown.is_empty() {
                return Err(format!("{stage}.{port} is empty"));
            }
            rows.waits = true;
            return Ok(());
        }
        if !rows.tainted && !rows.failed {
            rows.join(&taken.cells, axis.name.span, &axis.name, self.problems);
        }
        Ok(())
    }

    /// Cells of the stages before that are switched off.
    fn absent(&self, stage: &StageDecl) -> Vec<&Cell> {
        let references = stage.inputs.iter().flat_map(|(_, connection)| connection.references());
        let found = references.filter_map(|reference| self.reached(&reference.stage.text));
        found.flat_map(|(_, found)| found.off.iter().map(|(cell, _)| cell)).collect()
    }

    /// Why nothing comes over a connection, if so: all that it names is switched off.
    fn off(&self, connection: &Connection) -> Option<String> {
        if let Connection::Collect(items, _) = connection
            && items.iter().any(|item| matches!(item, Item::External(_)))
        {
            return None;
        }
        let references = connection.references();
        let is_off = |reference: &&Reference| {
            self.reached(&reference.stage.text).is_some_and(|(_, found)| found.is_off())
        };
        let first = references.first().filter(|_| references.iter().all(is_off))?;
        Some(format!("it reads {}.{}, which is off", first.stage.text, first.port.text))
    }
}

/// What is wrong where the stage asks for values that its inputs do not have, nor would have if all were switched on.
fn missing_values(
    rows: &[Row],
    cells: &[Cell],
    absent: &[&Cell],
    span: Span,
    stage: &str,
) -> Option<Diagnostic> {
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
            return Some(
                Diagnostic::at(span, format!("the inputs of `{stage}` have no `{axis}={missing}`"))
                    .note(format!("on the axis `{axis}` they have {}", crate::diagnostics::list(&known))),
            );
        }
    }
    None
}
