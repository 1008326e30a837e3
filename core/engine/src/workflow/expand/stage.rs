//! The expansion of one stage: the axes that arrive over its inputs, and those of its own.

use std::rc::Rc;

use flow_plugin::Spec;
use serde_json::Value;

use super::super::axes::{self, Cell, List, Row, axes_of, join};
use super::super::condition;
use super::super::entries;
use super::super::exclude::exclude;
use super::super::file::{Connection, FromAxis, Item, Reference, StageDecl, Word};
use super::super::link::{is_resolved, is_there};
use super::collect::kept_axes;
use super::turns::{After, is_history};
use super::view::group_known;
use super::{Expanded, Expander, ItemLink, Link, Looped, Unknown};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::expr::Scope;

/// The rows of a stage while lists of cells are joined to them, one after the other.
pub(super) struct Rows {
    rows: Vec<Row>,
    /// How many lists have been joined.
    joined: usize,
    /// What is wrong has been reported.
    failed: bool,
    /// Something that it builds on is broken, or not known yet.
    tainted: bool,
    /// What must end before all rows are known.
    pub(super) unknown: Unknown,
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
    fn builds_on(&mut self, tainted: bool, unknown: &Unknown) {
        self.tainted |= tainted;
        self.unknown.extend(unknown);
    }

    /// As [`Rows::builds_on`], where all of that stage is needed at once.
    fn needs_all_of(&mut self, found: &Expanded) {
        self.builds_on(found.tainted, &found.unknown);
        self.waits |= !found.unknown.is_empty();
    }
}

impl Expander<'_> {
    pub(super) fn stage(&mut self, number: usize) -> Expanded {
        let (file, linked) = (self.file, self.linked);
        let stage = &file.stages[number];
        let looped = stage.body_of.map(|of| (of, self.looped(of)));
        let turns = looped.as_ref().map(|(of, looped)| {
            let (selected, unknown) = self.selected(number, *of, looped);
            (&**looped, selected, unknown)
        });
        self.rows(stage, linked.spec(number), turns)
    }

    /// The turns of its loop that a stage takes part in, and what is not known of that.
    fn selected(&self, number: usize, of: usize, looped: &Looped) -> (Vec<usize>, Unknown) {
        let mut unknown = looped.unknown.clone();
        let mut selected = Vec::with_capacity(looped.turns.len());
        for (turn, found) in looped.turns.iter().enumerate() {
            if self.last.contains(&number) || found.after == After::Another {
                selected.push(turn);
            } else if found.after == After::Unknown {
                unknown.add(&self.file.loops[of].frame.name.text, found.cell.clone());
            }
        }
        (selected, unknown)
    }

    /// What a stage comes to, or a loop as a stage; for a stage of a loop, the turns that it takes part in.
    pub(super) fn rows(
        &mut self,
        stage: &StageDecl,
        spec: Option<&Spec>,
        turns: Option<(&Looped, Vec<usize>, Unknown)>,
    ) -> Expanded {
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
            unknown: Unknown::default(),
            waits: false,
        };
        let repeated = turns.is_some();
        let outlook = self.outlook(stage, turns.as_ref().map(|(looped, ..)| *looped));
        if let Some((looped, selected, unknown)) = turns {
            rows.builds_on(looped.frame.tainted, &unknown);
            rows.joined = 1;
            let sound = !looped.frame.tainted;
            if let Some((_, why)) = looped.frame.off.first().filter(|_| sound && looped.frame.is_off()) {
                return Expanded::off(why.clone());
            }
            if selected.is_empty() && sound && unknown.is_empty() {
                return Expanded::off("only a further iteration would need it".to_owned());
            }
            let turn = |turn: usize| Row { cell: looped.turns[turn].cell.clone(), picks: vec![turn] };
            rows.rows = match sound {
                true => selected.into_iter().map(turn).collect(),
                false => vec![Row { cell: Cell::new(), picks: vec![0] }],
            };
        }
        let mut links = Vec::with_capacity(stage.inputs.len());
        // For joined lists: the link that they belong to, and the item of a collection.
        let mut joined_links: Vec<(usize, Option<usize>, usize)> = Vec::new();
        // An input that cannot be had, since what makes it is switched off.
        let mut lacks: Option<String> = None;
        for (at, (port, connection)) in stage.inputs.iter().enumerate() {
            let resolved = is_resolved(connection, self.linked);
            rows.tainted |= !resolved;
            if resolved && let Some(off) = self.off(connection) {
                let port = spec.and_then(|spec| spec.inputs.iter().find(|p| p.name == port.text));
                if !port.is_some_and(|port| port.optional) {
                    lacks.get_or_insert(off);
                }
                links.push(Link::None);
                continue;
            }
            let before = rows.joined;
            let link = if resolved { self.link(stage, connection, port, &mut rows) } else { Link::None };
            match &link {
                Link::Items(items) => {
                    let groups =
                        items.iter().enumerate().filter(|(_, i)| matches!(i, ItemLink::Group { .. }));
                    joined_links.extend(groups.zip(before..).map(|((item, _), pick)| (at, Some(item), pick)));
                }
                _ if rows.joined > before => joined_links.push((at, None, before)),
                _ => {}
            }
            links.push(link);
        }
        for needed in &stage.needs {
            if let Some((other, found)) = self.reached(&needed.text) {
                // The order among nodes is fixed when they come to be.
                let one_loop = stage.body_of.is_some() && self.file.stages[other].body_of == stage.body_of;
                rows.unknown.extend(&found.unknown);
                rows.waits |= !found.unknown.is_empty() && !one_loop || found.is_standing_in();
            }
        }
        let (mut reads, mut open) = (Vec::new(), Vec::new());
        match axes::own(stage, &scope, &origin, self.place, &mut reads, self.problems) {
            Some(lists) => {
                for list in lists {
                    match list {
                        List::Cells(cells, span) => self.own_list(stage, &cells, span, &mut rows),
                        List::From(axis) => match self.join_output(stage, axis, &mut rows, &mut open) {
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
            exclude(stage, &mut rows.rows, more, &scope, &origin, self.problems);
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
            rows.unknown = rows.unknown.everywhere();
            links.iter_mut().for_each(Link::stand_in);
            rows.rows = vec![Row { cell: Cell::new(), picks: vec![0; rows.joined] }];
            off.clear();
        }
        for (link, item, pick) in joined_links {
            let picks = rows.rows.iter().map(|row| row.picks[pick]).collect();
            match (&mut links[link], item) {
                (Link::One { rows, .. } | Link::Group { rows, .. }, _) => *rows = picks,
                (Link::Items(items), Some(item)) => {
                    if let ItemLink::Group { rows, .. } = &mut items[item] {
                        *rows = picks;
                    }
                }
                (Link::None | Link::Items(_), _) => {}
            }
        }
        let turns = if repeated { rows.rows.iter().map(|row| row.picks[0]).collect() } else { Vec::new() };
        let cells = rows.rows.into_iter().map(|row| row.cell).collect();
        let (tainted, unknown) = (rows.tainted, rows.unknown);
        Expanded { cells, links, tainted, unknown, turns, open, off, outlook, reads }
    }

    /// What comes over a connection that is resolved: its axes are joined to the rows.
    fn link(&mut self, stage: &StageDecl, connection: &Connection, port: &Word, rows: &mut Rows) -> Link {
        let mut problems = std::mem::take(self.problems);
        let link = match connection {
            Connection::Map(reference) => match self.view(stage, &reference.stage.text, false) {
                Some(view) => {
                    rows.builds_on(view.tainted, &view.unknown);
                    rows.join(&view.cells, reference.span, port, &mut problems);
                    view.link(None)
                }
                None => Link::None,
            },
            Connection::Partial { from, over, span } => {
                let history = is_history(over.as_deref());
                match self.view(stage, &from.stage.text, history) {
                    Some(view) if !view.tainted => {
                        let kept = kept_axes(&view.cells, over.as_deref(), &from.stage.text, &mut problems);
                        let groups = group_known(&view, &kept, rows);
                        rows.join(&groups.0, *span, port, &mut problems);
                        view.link(Some(groups.1))
                    }
                    Some(view) => {
                        rows.builds_on(true, &view.unknown);
                        Link::None
                    }
                    None => Link::None,
                }
            }
            Connection::Collect(items, span) => {
                let mut links = Vec::with_capacity(items.len());
                for item in items {
                    links.push(self.item(stage, item, (*span, port), rows, &mut problems));
                }
                Link::Items(links)
            }
            Connection::External(..)
            | Connection::Entry(_)
            | Connection::Carry { .. }
            | Connection::Broken => Link::None,
        };
        *self.problems = problems;
        link
    }

    /// One item of a collection: in a loop, what another stage of it puts out in the same iteration.
    fn item(
        &self,
        stage: &StageDecl,
        item: &Item,
        (span, port): (Span, &Word),
        rows: &mut Rows,
        problems: &mut Diagnostics,
    ) -> ItemLink {
        let Item::Output(reference) = item else { return ItemLink::All };
        let Some((number, found)) = self.reached(&reference.stage.text) else {
            rows.tainted = true;
            return ItemLink::All;
        };
        let of = stage.body_of.filter(|of| self.file.stages[number].body_of == Some(*of));
        let looped = of.and_then(|of| self.loops[of].as_ref()).filter(|_| !found.tainted);
        let (Some(looped), Some(view)) = (looped, self.view(stage, &reference.stage.text, true)) else {
            rows.needs_all_of(found);
            return ItemLink::All;
        };
        let axes = looped.turns.iter().take(1).flat_map(|turn| &turn.cell);
        let kept: Vec<Rc<str>> = axes.map(|(axis, _)| axis.clone()).collect();
        let (cells, groups) = group_known(&view, &kept, rows);
        rows.join(&cells, span, port, problems);
        ItemLink::Group { stage: number, groups, rows: Vec::new() }
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
    fn join_output(
        &mut self,
        stage: &StageDecl,
        axis: &FromAxis,
        rows: &mut Rows,
        open: &mut Vec<(usize, usize, String)>,
    ) -> Result<(), String> {
        let mut problems = std::mem::take(self.problems);
        let found = self.output_cells(stage, axis, rows, open, &mut problems);
        let joined = found.map(|cells| {
            if !cells.is_empty() && !rows.tainted && !rows.failed {
                rows.join(&cells, axis.name.span, &axis.name, &mut problems);
            }
        });
        *self.problems = problems;
        joined
    }

    fn output_cells(
        &self,
        stage: &StageDecl,
        axis: &FromAxis,
        rows: &mut Rows,
        open: &mut Vec<(usize, usize, String)>,
        problems: &mut Diagnostics,
    ) -> Result<Vec<Cell>, String> {
        let from = axis.from.as_ref().filter(|from| is_there(from, self.linked));
        let found = from.and_then(|from| self.reached(&from.stage.text));
        let view = from.and_then(|from| self.view(stage, &from.stage.text, false));
        let (Some(from), Some((number, found)), Some(view)) = (from, found, view) else {
            rows.tainted = true;
            return Ok(Vec::new());
        };
        let (name, port) = (&from.stage.text, &from.port.text);
        if found.is_off() {
            return Err(format!("it reads {name}.{port}, which is off"));
        }
        if let Some((_, first)) = view.cells.iter().flatten().find(|(known, _)| **known == *axis.name.text) {
            let help = format!("`{name}` has that axis, with values such as {}", first.label);
            problems.push(
                Diagnostic::at(axis.name.span, format!("the axis `{}` is given twice", axis.name.text))
                    .help(help),
            );
            rows.failed = true;
            return Ok(Vec::new());
        }
        rows.builds_on(view.tainted, &view.unknown);
        if view.tainted {
            return Ok(Vec::new());
        }
        let row = |at: usize| view.rows.as_ref().map_or(at, |rows| rows[at]);
        let seen = view.cells.iter().enumerate().map(|(at, cell)| (row(at), cell));
        let Some(taken) = entries::take(axis, (number, found), seen, self.facts, problems) else {
            rows.failed = true;
            return Ok(Vec::new());
        };
        for row in taken.open {
            rows.unknown.add(name, found.cells[row].clone());
            open.push((number, row, port.clone()));
        }
        if taken.cells.is_empty() {
            if rows.unknown.is_empty() {
                return Err(format!("{name}.{port} is empty"));
            }
            rows.waits = true;
        }
        Ok(taken.cells)
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
            && items.iter().any(|item| !matches!(item, Item::Output(_)))
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
