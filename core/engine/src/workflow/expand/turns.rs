//! Loops: how often their stages are gone through, as far as that is known.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::super::axes::{self, AxisValue, Cell, axes_of, node_name, values};
use super::super::condition;
use super::super::facts::Fact;
use super::super::file::{Connection, File, Item, LoopDecl, Reference, StageDecl, Word};
use super::super::link::Linked;
use super::super::tree::Tree;
use super::unknown::Open;
use super::{Expanded, Expander, Expansion, Unknown};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::expr::{Piece, Scope, Shape};

/// The axis that the stages of a loop have.
pub(crate) const ITERATION: &str = "iteration";

/// A loop may ask for at most so many iterations.
const MOST: u64 = 10_000;

/// A loop after expansion: one cell an iteration, for each combination of the loop's own axes.
#[derive(Default)]
pub(in crate::workflow) struct Looped {
    /// The loop as a stage: a row for each combination of its axes, which takes the first values.
    pub(in crate::workflow) frame: Expanded,
    pub(in crate::workflow) turns: Vec<Turn>,
    /// Outputs that decide whether there is another iteration, and are not known: the stage, the turn, the port.
    pub(in crate::workflow) open: Vec<(usize, usize, String)>,
    /// Iterations that may come.
    pub(super) unknown: Unknown,
}

/// One iteration.
pub(in crate::workflow) struct Turn {
    /// The row of the frame.
    pub(in crate::workflow) outer: usize,
    pub(in crate::workflow) cell: Cell,
    /// The iteration before, if this is not the first.
    pub(in crate::workflow) previous: Option<usize>,
    pub(super) after: After,
}

/// What comes after an iteration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Another,
    Nothing,
    /// That is not known yet.
    Unknown,
}

impl Expander<'_> {
    /// A loop, which is expanded when the first of its stages is.
    pub(super) fn looped(&mut self, number: usize) -> Rc<Looped> {
        if let Some(found) = &self.loops[number] {
            return found.clone();
        }
        let file = self.file;
        let found = Rc::new(self.turns(number, &file.loops[number]));
        self.loops[number] = Some(found.clone());
        found
    }

    fn turns(&mut self, number: usize, of: &LoopDecl) -> Looped {
        let frame = self.rows(&of.frame, None, None);
        let mut looped = Looped { frame, ..Looped::default() };
        looped.unknown.extend(&looped.frame.unknown);
        let Some(most) = self.most(of) else {
            looped.frame.tainted = true;
            return looped;
        };
        if looped.frame.tainted {
            return looped;
        }
        let name: Rc<str> = Rc::from(ITERATION);
        for (outer, cell) in looped.frame.cells.iter().enumerate() {
            let mut previous = None;
            let first = looped.turns.len();
            for iteration in 1..=most {
                if looped.turns.len() == axes::MAX_NODES {
                    self.problems.push(axes::too_many(of.frame.name.span));
                    looped.frame.tainted = true;
                    return looped;
                }
                let at = |iteration: u64| {
                    let value = AxisValue::new(iteration.to_string(), iteration.into(), None);
                    let mut cell = cell.clone();
                    cell.push((name.clone(), Rc::new(value)));
                    cell
                };
                let cell = at(iteration);
                let turn = looped.turns.len();
                let mut open = Vec::new();
                let ends = match iteration == most {
                    true => Some(Some(true)),
                    false => self.ends(number, of, &cell, &mut open),
                };
                let Some(ends) = ends else {
                    looped.frame.tainted = true;
                    return looped;
                };
                looped.open.extend(open.into_iter().map(|(stage, port)| (stage, turn, port)));
                let after = match ends {
                    Some(true) => After::Nothing,
                    Some(false) => After::Another,
                    None => After::Unknown,
                };
                looped.turns.push(Turn { outer, cell, previous, after });
                previous = Some(turn);
                let waits = self.ends.get(&(number, outer)) == Some(&(looped.turns.len() - first));
                if after == After::Unknown || after == After::Another && waits {
                    looped.unknown.add(&of.frame.name.text, at(iteration + 1));
                }
                if after != After::Another || waits {
                    break;
                }
            }
        }
        looped
    }

    /// After how many iterations a loop ends in any case.
    fn most(&mut self, of: &LoopDecl) -> Option<u64> {
        let tree = of.at_most.as_ref().filter(|_| self.params.whole)?;
        let given = "how often a loop is gone through at most is given by `params` only";
        let scope = Scope::new().with("params", &self.params.value);
        let scope = scope.without("matrix", given).without("seed", given).without("resources", given);
        let tree = tree.eval(&scope, &|root, name| self.params.origin(root, name), self.problems)?;
        let found = tree.to_value().as_u64().filter(|most| (1..=MOST).contains(most));
        if found.is_none() {
            self.problems.push(
                Diagnostic::at(tree.span, format!("`at_most` must be a whole number from 1 to {MOST}"))
                    .label(format!("this is {}", tree.describe())),
            );
        }
        found
    }

    /// Whether a loop ends after an iteration, if that is known; otherwise outputs that decide are added to `open`.
    /// `None` where it cannot be computed, which is then reported.
    #[allow(clippy::option_option, reason = "not known yet, and wrong, are two answers")]
    fn ends(
        &mut self,
        number: usize,
        of: &LoopDecl,
        cell: &Cell,
        open: &mut Vec<(usize, String)>,
    ) -> Option<Option<bool>> {
        let Some(until) = &of.until else { return Some(Some(false)) };
        let mut roots: Vec<(String, Value)> = Vec::new();
        for (stage, port) in outputs(until) {
            let name = format!("{}.{stage}", of.frame.name.text);
            let decided = self.linked.stage(&name)?;
            debug_assert_eq!(self.file.stages[decided].body_of, Some(number));
            match self.facts.get(&node_name(&name, cell), &port) {
                None => open.push((decided, port)),
                Some(Fact::Json(value)) => {
                    let at = roots.iter().position(|(known, _)| *known == stage).unwrap_or_else(|| {
                        roots.push((stage, Value::Object(Map::new())));
                        roots.len() - 1
                    });
                    roots[at].1[&port] = value.clone();
                }
                Some(Fact::Entries(_) | Fact::Unreadable(_)) => {
                    self.problems.push(Diagnostic::at(
                        until.span,
                        format!("`{stage}.{port}` cannot be read after `{}`", node_name(&name, cell)),
                    ));
                    return None;
                }
            }
        }
        let matrix = values(cell);
        let (iteration, seed) =
            (matrix.get(ITERATION).cloned().unwrap_or_default(), matrix.get("seed").cloned());
        let matrix = Value::Object(matrix);
        let mut scope = Scope::new()
            .with("params", &self.params.value)
            .with("matrix", &matrix)
            .with(ITERATION, &iteration);
        if let Some(seed) = &seed {
            scope = scope.with("seed", seed);
        }
        if !open.is_empty() {
            // What the metrics hold may be anything.
            let stages = outputs(until);
            let known: Vec<_> = stages.iter().map(|(stage, _)| (stage.as_str(), &Shape::Any)).collect();
            return until.check(&|expr| expr.check_names(&scope, &known), self.problems).then_some(None);
        }
        for (stage, value) in &roots {
            scope = scope.with(stage, value);
        }
        let before = self.problems.len();
        let example = "score.metrics.error < 0.1";
        let truth = condition::truth("until", example, until, &scope, self.params, self.problems);
        if self.problems.len() > before {
            self.problems.note_last(&format!("after {}", node_name(&of.frame.name.text, cell)));
        }
        truth.map(Some)
    }
}

/// The outputs that a condition reads: stage of the loop, and port.
pub(in crate::workflow) fn outputs(until: &Tree) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    until.templates(&mut |template, _| {
        for piece in &template.pieces {
            if let Piece::Expression { expr, .. } = piece {
                expr.references(&mut |root, field| {
                    if let Some(field) = field
                        && !matches!(root, "params" | "matrix" | "seed" | "resources" | ITERATION)
                    {
                        found.insert((root.to_owned(), field.to_owned()));
                    }
                });
            }
        }
    });
    found
}

/// The stages of loops that the last iteration needs, too: what its end is decided by, what is read from outside, what
/// nothing reads; and all that these read. The others prepare the next iteration, and are there only if there is one.
pub(super) fn needed_last(file: &File, linked: &Linked<'_>) -> HashSet<usize> {
    let of = |reference: &Reference| linked.stage(&reference.stage.text);
    let mut read: HashSet<usize> = HashSet::new();
    let mut todo: Vec<usize> = Vec::new();
    for stage in &file.stages {
        let inside =
            |other: usize| file.stages[other].body_of.is_some_and(|body| stage.body_of == Some(body));
        let needs = stage.needs.iter().filter_map(|word| linked.stage(&word.text));
        for other in stage.references().filter_map(of).chain(needs) {
            read.insert(other);
            if !inside(other) && !collects_history(stage, other, linked) {
                todo.push(other);
            }
        }
    }
    for one in &file.loops {
        let prefix = &one.frame.name.text;
        let decides = one.until.iter().flat_map(outputs);
        todo.extend(decides.filter_map(|(stage, _)| linked.stage(&format!("{prefix}.{stage}"))));
        read.extend(one.carry.iter().filter_map(|carry| of(carry.then.as_ref()?)));
    }
    todo.extend((0..file.stages.len()).filter(|stage| !read.contains(stage)));
    let mut needed = HashSet::new();
    while let Some(stage) = todo.pop() {
        if needed.insert(stage) {
            let own = &file.stages[stage];
            todo.extend(own.references().filter_map(of));
            todo.extend(own.needs.iter().filter_map(|word| linked.stage(&word.text)));
        }
    }
    needed
}

/// Whether all that a stage takes from another are collections over the iterations, of which the last one may be missing.
fn collects_history(stage: &StageDecl, other: usize, linked: &Linked<'_>) -> bool {
    let is_other = |reference: &Reference| linked.stage(&reference.stage.text) == Some(other);
    let whole = |connection: &Connection| match connection {
        Connection::Collect(items, _) => {
            items.iter().any(|item| matches!(item, Item::Output(r) if is_other(r)))
        }
        Connection::Partial { from, over, .. } => is_other(from) && is_history(over.as_deref()),
        _ => false,
    };
    let once =
        |connection: &Connection| connection.references().into_iter().any(is_other) && !whole(connection);
    let from = stage.output_axes().filter_map(|axis| axis.from.as_ref());
    stage.inputs.iter().any(|(_, connection)| whole(connection))
        && !stage.inputs.iter().any(|(_, connection)| once(connection))
        && !from.into_iter().any(is_other)
}

/// Whether a partial collection from outside is over the iterations.
pub(super) fn is_history(over: Option<&[Word]>) -> bool {
    over.is_none_or(|axes| axes.iter().any(|axis| axis.text == ITERATION))
}

/// Iterations that are given something which is not known yet, as what makes it in the one before waits for an axis:
/// the first one of each row of a loop's frame, by how many come before it.
pub(super) fn too_early(
    file: &File,
    linked: &Linked<'_>,
    expansion: &Expansion,
) -> HashMap<(usize, usize), usize> {
    let mut early = HashMap::new();
    for (number, (of, looped)) in file.loops.iter().zip(&expansion.loops).enumerate() {
        let then = of.carry.iter().filter_map(|carry| linked.stage(&carry.then.as_ref()?.stage.text));
        let carried: Vec<&Expanded> = then.map(|stage| &expansion.stages[stage]).collect();
        let mut before = 0;
        for turn in &looped.turns {
            before = if turn.previous.is_some() { before + 1 } else { 0 };
            let Some(previous) = turn.previous else { continue };
            if carried.iter().any(|stage| stage.row_in(previous).is_none()) {
                early.entry((number, turn.outer)).or_insert(before);
            }
        }
    }
    early
}

/// Checks that every iteration has one of what decides about it and of what it hands on.
pub(super) fn check(file: &File, linked: &Linked<'_>, expansion: &Expansion, problems: &mut Diagnostics) {
    for (of, looped) in file.loops.iter().zip(&expansion.loops).filter(|(_, looped)| !looped.frame.tainted) {
        let prefix = &of.frame.name.text;
        let first = looped.turns.first().map_or(&[][..], |turn| turn.cell.as_slice());
        let own: Vec<Rc<str>> = first.iter().map(|(axis, _)| axis.clone()).collect();
        let decides = of.until.iter().flat_map(|until| {
            let stages: BTreeSet<_> =
                outputs(until).into_iter().map(|(stage, _)| format!("{prefix}.{stage}")).collect();
            stages.into_iter().map(|stage| (until.span, stage))
        });
        let carried = of
            .carry
            .iter()
            .filter_map(|carry| carry.then.as_ref().map(|then| (then.span, then.stage.text.clone())));
        for (span, name) in decides.chain(carried) {
            let Some(stage) = linked.stage(&name).map(|stage| &expansion.stages[stage]) else { continue };
            if stage.tainted {
                continue;
            }
            let axes = axes_of(&stage.cells);
            if axes.len() > own.len() {
                let more: Vec<&str> = axes[own.len()..].iter().map(|axis| &**axis).collect();
                problems.push(
                    Diagnostic::at(span, format!("`{name}` is several nodes an iteration"))
                        .note(format!(
                            "it has the axis {} beside those of the loop",
                            crate::diagnostics::list(&more)
                        ))
                        .help("collect them in a stage of the loop: `[stage.port]`"),
                );
                continue;
            }
            // Of an iteration that is followed by another, all must be there; of the last, what decides.
            let open = stage.unknown.seen_from(&own);
            let absent = looped.turns.iter().enumerate().find(|(number, turn)| {
                turn.after == After::Another && stage.row_in(*number).is_none() && !open.touches(&turn.cell)
            });
            if let Some((_, turn)) = absent {
                let node = node_name(&name, &turn.cell);
                problems.push(
                    Diagnostic::at(span, format!("there is no `{node}`, which the loop needs"))
                        .note("it is switched off by a condition"),
                );
            }
        }
        let mut known: HashMap<usize, Open> = HashMap::new();
        let undecided = looped.open.iter().find(|(number, turn, _)| {
            let stage = &expansion.stages[*number];
            if stage.tainted || stage.row_in(*turn).is_some() {
                return false;
            }
            let open = known.entry(*number).or_insert_with(|| stage.unknown.seen_from(&own));
            !open.touches(&looped.turns[*turn].cell)
        });
        if let (Some((stage, turn, _)), Some(until)) = (undecided, &of.until) {
            let node = node_name(&file.stages[*stage].name.text, &looped.turns[*turn].cell);
            problems.push(
                Diagnostic::at(until.span, format!("there is no `{node}`, which the loop needs"))
                    .note("it is switched off by a condition"),
            );
        }
    }
}
