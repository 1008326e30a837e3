//! Matrices: from axes to cells.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::file::{Axis, AxisBlock, FromAxis, StageDecl, Word, bad_name, is_name};
use super::nodes::Place;
use super::sources;
use super::tree::{Data, Entry, Tree};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::expr::Scope;

/// A stage of more nodes than this is refused.
pub(super) const MAX_NODES: usize = 100_000;

/// One value of an axis.
#[derive(Debug)]
pub(super) struct AxisValue {
    pub(super) value: Value,
    /// How it reads in a node's name.
    pub(super) label: String,
    /// What an operation that collects is told of it, where that is not the value: a path is in no key.
    pub(super) coordinate: Option<Value>,
    /// The entry of a folder that it stands for, if it does.
    pub(super) entry: Option<EntryOf>,
    /// Canonical text: two values are the same when these are.
    id: String,
}

/// An entry of a folder that a node puts out.
#[derive(Debug)]
pub(super) struct EntryOf {
    /// The stage and row of the node.
    pub(super) stage: usize,
    pub(super) row: usize,
    pub(super) port: String,
    pub(super) name: String,
    /// Whether it is a folder itself.
    pub(super) folder: bool,
}

/// Values that a stage gives to its axes.
pub(super) enum List<'f> {
    /// Written down.
    Cells(Vec<Cell>, Span),
    /// In an output.
    From(&'f FromAxis),
}

/// One combination of values: an axis and its value, in the order in which names show them.
pub(super) type Cell = Vec<(Rc<str>, Rc<AxisValue>)>;

/// The values of a cell as JSON: what `matrix` is in expressions.
pub(super) fn values(cell: &Cell) -> Map<String, Value> {
    cell.iter().map(|(axis, value)| (axis.to_string(), value.value.clone())).collect()
}

/// The coordinates of a cell as JSON: what others are told of it.
pub(super) fn coordinates(cell: &Cell) -> Map<String, Value> {
    let coordinate = |value: &AxisValue| value.coordinate.as_ref().unwrap_or(&value.value).clone();
    cell.iter().map(|(axis, value)| (axis.to_string(), coordinate(value))).collect()
}

/// The name of the node at a cell: `train[model=fno,seed=1]`.
pub(super) fn node_name(stage: &str, cell: &Cell) -> String {
    if cell.is_empty() {
        return stage.to_owned();
    }
    let parts: Vec<String> = cell.iter().map(|(axis, value)| format!("{axis}={}", value.label)).collect();
    format!("{stage}[{}]", parts.join(","))
}

/// The values of a cell on some axes, as a text to compare by.
pub(super) fn key_on(cell: &Cell, axes: &[Rc<str>]) -> String {
    let mut key = String::new();
    for axis in axes {
        if let Some((_, value)) = cell.iter().find(|(own, _)| own == axis) {
            key.push_str(&value.id);
        }
        key.push('\u{0}');
    }
    key
}

/// The axes of a list of cells: all cells of one list have the same.
pub(super) fn axes_of(cells: &[Cell]) -> Vec<Rc<str>> {
    cells.first().map(|cell| cell.iter().map(|(axis, _)| axis.clone()).collect()).unwrap_or_default()
}

/// A row of a stage under construction: its cell, and which row of each joined list it was made from.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) cell: Cell,
    pub(super) picks: Vec<usize>,
}

/// Joins another list of cells to the rows: on equal values of the axes that both have, crossing the others.
/// `None` when there would be too many.
pub(super) fn join(rows: &[Row], cells: &[Cell]) -> Option<Vec<Row>> {
    let left: Vec<Rc<str>> =
        rows.first().map(|row| row.cell.iter().map(|(axis, _)| axis.clone()).collect()).unwrap_or_default();
    let shared: Vec<Rc<str>> = axes_of(cells).into_iter().filter(|axis| left.contains(axis)).collect();
    let mut index: HashMap<String, Vec<usize>> = HashMap::new();
    for (number, cell) in cells.iter().enumerate() {
        index.entry(key_on(cell, &shared)).or_default().push(number);
    }
    let mut joined = Vec::new();
    for row in rows {
        for number in index.get(&key_on(&row.cell, &shared)).into_iter().flatten() {
            if joined.len() == MAX_NODES {
                return None;
            }
            let mut cell = row.cell.clone();
            cell.extend(cells[*number].iter().filter(|(axis, _)| !shared.contains(axis)).cloned());
            let mut picks = row.picks.clone();
            picks.push(*number);
            joined.push(Row { cell, picks });
        }
    }
    Some(joined)
}

/// The cells that `matrix`, `zip` and `seeds` of a stage write down, one list a block; axes from outputs are lists
/// of their own. `None` when something is wrong with them, which has then been reported. Tables that are read are
/// added to `reads`.
pub(super) fn own<'f>(
    stage: &'f StageDecl,
    scope: &Scope<'_>,
    origin: &dyn Fn(&str, &str) -> Option<Span>,
    place: &Place,
    reads: &mut Vec<(PathBuf, Span)>,
    problems: &mut Diagnostics,
) -> Option<Vec<List<'f>>> {
    let mut reader = Reader { scope, origin, place, reads, problems };
    let mut lists = Vec::new();
    let mut whole = true;
    for block in &stage.axes {
        let found = match block {
            AxisBlock::Matrix { axes, include, span, exclude: _ } => {
                reader.matrix(axes, include.as_ref(), *span)
            }
            AxisBlock::Zip { axes, span } => {
                reader.zip(axes, *span).map(|cells| vec![List::Cells(cells, *span)])
            }
            AxisBlock::Seeds { values, span } => {
                reader.seeds(values, *span).map(|cells| vec![List::Cells(cells, *span)])
            }
        };
        match found {
            Some(mut found) => lists.append(&mut found),
            None => whole = false,
        }
    }
    let mut seen: Vec<(String, Span)> = Vec::new();
    for list in &lists {
        let (axes, span) = match list {
            List::Cells(cells, span) => (axes_of(cells), *span),
            List::From(axis) => (vec![Rc::from(axis.name.text.as_str())], axis.name.span),
        };
        for axis in axes {
            match seen.iter().find(|(known, _)| **known == *axis) {
                Some((_, first)) => {
                    reader.problems.push(
                        Diagnostic::at(span, format!("the axis `{axis}` is given twice"))
                            .also(*first, "the first time"),
                    );
                    whole = false;
                }
                None => seen.push((axis.to_string(), span)),
            }
        }
    }
    whole.then_some(lists)
}

struct Reader<'a> {
    scope: &'a Scope<'a>,
    origin: &'a dyn Fn(&str, &str) -> Option<Span>,
    place: &'a Place,
    reads: &'a mut Vec<(PathBuf, Span)>,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// The lists of a matrix: one, where no axis is from an output.
    fn matrix<'f>(&mut self, axes: &'f [Axis], include: Option<&Tree>, span: Span) -> Option<Vec<List<'f>>> {
        let from = axes.iter().any(|axis| matches!(axis, Axis::From(_)));
        if let Some(include) = include.filter(|_| from) {
            self.problems.push(
                Diagnostic::at(include.span, "`include` cannot add to an axis whose values are in an output")
                    .help("let the output hold them, or write another stage"),
            );
            return None;
        }
        let mut lists = Vec::new();
        let mut written: Vec<&Entry> = Vec::new();
        let mut whole = true;
        let mut cross = |this: &mut Self, written: &mut Vec<&Entry>, lists: &mut Vec<List<'f>>| match this
            .cross(&std::mem::take(written), include, span)
        {
            Some(cells) => lists.push(List::Cells(cells, span)),
            None => whole = false,
        };
        for axis in axes {
            match axis {
                Axis::Written(axis) => written.push(axis),
                Axis::From(axis) => {
                    if !written.is_empty() {
                        cross(self, &mut written, &mut lists);
                    }
                    lists.push(List::From(axis));
                }
            }
        }
        if !written.is_empty() || !from {
            cross(self, &mut written, &mut lists);
        }
        whole.then_some(lists)
    }

    fn cross(&mut self, axes: &[&Entry], include: Option<&Tree>, span: Span) -> Option<Vec<Cell>> {
        let lists: Vec<Option<Vec<Rc<AxisValue>>>> = axes.iter().map(|axis| self.values(axis)).collect();
        let lists: Vec<Vec<Rc<AxisValue>>> = lists.into_iter().collect::<Option<_>>()?;
        let names: Vec<Rc<str>> = axes.iter().map(|axis| Rc::from(axis.key.as_str())).collect();
        let mut cells: Vec<Cell> = if axes.is_empty() { Vec::new() } else { vec![Vec::new()] };
        for (name, values) in names.iter().zip(&lists) {
            if cells.len().saturating_mul(values.len()) > MAX_NODES {
                self.problems.push(too_many(span));
                return None;
            }
            cells = cells
                .iter()
                .flat_map(|cell| {
                    values.iter().map(move |value| {
                        let mut cell = cell.clone();
                        cell.push((name.clone(), value.clone()));
                        cell
                    })
                })
                .collect();
        }
        if let Some(include) = include {
            self.include(include, names, &mut cells)?;
        }
        if cells.is_empty() {
            self.problems.push(
                Diagnostic::at(span, "this matrix has no axes").help("write `matrix: { AXIS: [VALUE, …] }`"),
            );
            return None;
        }
        Some(cells)
    }

    /// Adds cells written one by one. Each gives a value on every axis; where there are no other cells, the first says
    /// which axes there are.
    fn include(&mut self, tree: &Tree, mut axes: Vec<Rc<str>>, cells: &mut Vec<Cell>) -> Option<()> {
        let tree = tree.eval(self.scope, self.origin, self.problems)?;
        let Data::List(items) = &tree.data else {
            self.problems.push(
                Diagnostic::at(tree.span, "`include` must be a list of mappings from axes to values")
                    .label(format!("this is {}", tree.describe())),
            );
            return None;
        };
        let mut seen: HashSet<String> = HashSet::new();
        for cell in &*cells {
            seen.extend([node_name("", cell), key_on(cell, &axes)]);
        }
        for item in items {
            if item.entries().is_empty() {
                self.problems.push(
                    Diagnostic::at(item.span, "an item of `include` must be a mapping from axes to values")
                        .label(format!("this is {}", item.describe())),
                );
                return None;
            }
            if axes.is_empty() {
                axes = self.axes_of_first(item)?;
            }
            let given: HashSet<&str> = item.entries().iter().map(|entry| entry.key.as_str()).collect();
            if given.len() != axes.len() || !axes.iter().all(|axis| given.contains(&**axis)) {
                let axes: Vec<&str> = axes.iter().map(|axis| &**axis).collect();
                self.problems.push(
                    Diagnostic::at(item.span, "an item of `include` must give a value on every axis")
                        .help(format!("the axes are {}", crate::diagnostics::list(&axes))),
                );
                return None;
            }
            let value = |axis: &Rc<str>| {
                let value = item.get(axis)?.value.to_value();
                Some((axis.clone(), Rc::new(axis_value(value, cells.len()))))
            };
            let cell: Cell = axes.iter().filter_map(value).collect();
            let name = node_name("", &cell);
            if !seen.insert(key_on(&cell, &axes)) || !seen.insert(name.clone()) {
                self.problems.push(
                    Diagnostic::at(item.span, format!("`{name}` is in this matrix twice"))
                        .help("leave out this item of `include`"),
                );
                return None;
            }
            cells.push(cell);
        }
        Some(())
    }

    /// The axes of a matrix that consists of included cells only.
    fn axes_of_first(&mut self, item: &Tree) -> Option<Vec<Rc<str>>> {
        if let Some(bad) = item.entries().iter().find(|entry| !is_name(&entry.key)) {
            let word = Word { text: bad.key.clone(), span: bad.key_span };
            self.problems.push(bad_name(&word, "axis"));
            return None;
        }
        Some(item.entries().iter().map(|entry| Rc::from(entry.key.as_str())).collect())
    }

    /// Axes side by side. A value may be there again, beside others.
    fn zip(&mut self, axes: &[Entry], span: Span) -> Option<Vec<Cell>> {
        let lists: Vec<_> = axes.iter().map(|axis| self.list(axis)).collect();
        let lists: Vec<_> = lists.into_iter().collect::<Option<_>>()?;
        let Some(first) = lists.first() else {
            self.problems.push(Diagnostic::at(span, "this `zip` has no axes"));
            return None;
        };
        if let Some((axis, values)) = axes.iter().zip(&lists).find(|(_, values)| values.len() != first.len())
        {
            self.problems.push(
                Diagnostic::at(axis.value.span, "the axes of a `zip` must have equally many values")
                    .label(count(values.len()))
                    .also(axes[0].value.span, count(first.len())),
            );
            return None;
        }
        let names: Vec<Rc<str>> = axes.iter().map(|axis| Rc::from(axis.key.as_str())).collect();
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut cells = Vec::with_capacity(first.len());
        for row in 0..first.len() {
            let cell: Cell =
                names.iter().zip(&lists).map(|(name, list)| (name.clone(), list[row].0.clone())).collect();
            let (here, key) = (lists[0][row].1, key_on(&cell, &names));
            if let Some(first) = seen.insert(node_name("", &cell), here).or(seen.insert(key, here)) {
                self.problems.push(
                    Diagnostic::at(here, format!("`{}` is in this `zip` twice", node_name("", &cell)))
                        .also(first, "the first time"),
                );
                return None;
            }
            cells.push(cell);
        }
        Some(cells)
    }

    fn seeds(&mut self, values: &Tree, span: Span) -> Option<Vec<Cell>> {
        let axis = Entry { key: "seed".to_owned(), key_span: span, value: values.clone() };
        let seeds = self.values(&axis)?;
        if let Some(bad) = seeds.iter().find(|seed| !seed.value.is_u64()) {
            self.problems.push(
                Diagnostic::at(values.span, format!("`{}` is not a seed", bad.label))
                    .help("seeds are whole numbers from 0: `seeds: [1, 2, 3]`"),
            );
            return None;
        }
        let name: Rc<str> = Rc::from("seed");
        Some(seeds.into_iter().map(|seed| vec![(name.clone(), seed)]).collect())
    }

    /// The values of an axis that is crossed with others: each once.
    fn values(&mut self, axis: &Entry) -> Option<Vec<Rc<AxisValue>>> {
        let values = self.list(axis)?;
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (number, (value, span)) in values.iter().enumerate() {
            // Two values may read alike in names, and two that have no short form be the same.
            for text in [value.label.as_str(), value.id.as_str()] {
                if let Some(first) = seen.insert(text, number).filter(|first| *first != number) {
                    let name = &axis.key;
                    self.problems.push(
                        Diagnostic::at(*span, format!("`{}` is on the axis `{name}` twice", value.label))
                            .also(values[first].1, "the first time"),
                    );
                    return None;
                }
            }
        }
        Some(values.into_iter().map(|(value, _)| value).collect())
    }

    /// What is written for one axis, and where.
    fn list(&mut self, axis: &Entry) -> Option<Vec<(Rc<AxisValue>, Span)>> {
        let name = &axis.key;
        let tree = axis.value.eval(self.scope, self.origin, self.problems)?;
        let Data::List(items) = &tree.data else {
            if sources::is_source(&tree) {
                let values = sources::values(axis, &tree, self.place, self.reads, self.problems)?;
                return Some(values.into_iter().map(|value| (Rc::new(value), tree.span)).collect());
            }
            if let Some(from) = tree.get("from") {
                self.problems.push(
                    Diagnostic::at(from.key_span, "an axis from an output stands under `matrix`, as it is")
                        .help(format!("write `matrix: {{ {name}: {{ from: stage.port }} }}`")),
                );
                return None;
            }
            let help = match (&tree.data, sources::meant(&tree)) {
                (Data::Map(_), Some(meant)) => format!("did you mean `{meant}`?"),
                (Data::Map(_), None) => format!(
                    "for one node a file or row, write `{name}: {{ files: \"data/*.csv\" }}` or `{name}: {{ rows: \
                     table.csv }}`"
                ),
                _ => format!("write `{name}: [{}]`", super::schema::plain(&tree.to_value())),
            };
            self.problems.push(
                Diagnostic::at(tree.span, format!("the axis `{name}` must be a list of values"))
                    .label(format!("this is {}", tree.describe()))
                    .help(help),
            );
            return None;
        };
        if items.is_empty() {
            self.problems.push(Diagnostic::at(tree.span, format!("the axis `{name}` has no values")));
            return None;
        }
        if items.len() > MAX_NODES {
            self.problems.push(too_many(tree.span));
            return None;
        }
        let values = items.iter().enumerate();
        Some(values.map(|(number, item)| (Rc::new(axis_value(item.to_value(), number)), item.span)).collect())
    }
}

pub(super) fn too_many(span: Span) -> Diagnostic {
    Diagnostic::at(span, format!("this stage comes to more than {MAX_NODES} nodes"))
        .help("let one node work on several values")
}

pub(super) fn axis_value(value: Value, number: usize) -> AxisValue {
    AxisValue::new(label(&value).unwrap_or_else(|| format!("#{}", number + 1)), value, None)
}

impl AxisValue {
    pub(super) fn new(label: String, value: Value, coordinate: Option<Value>) -> Self {
        let id = value.to_string();
        Self { value, label, coordinate, entry: None, id }
    }

    /// Says which entry of a folder it stands for.
    pub(super) fn entry(self, entry: EntryOf) -> Self {
        Self { entry: Some(entry), ..self }
    }

    /// Whether a pattern of `exclude` means it: by its value, or by the name that it has in nodes' names where
    /// it is a file or a row.
    pub(super) fn is_meant(&self, pattern: &Value, id: &str) -> bool {
        self.id == id || self.value.is_object() && pattern.as_str() == Some(&self.label)
    }
}

/// How a value reads in a node's name. Lists and mappings without a name have no short form.
pub(super) fn label(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) if plain_label(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| item.is_number()) => {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
        }
        Value::Object(map) => match map.get("name") {
            Some(Value::String(name)) if plain_label(name) => name.clone(),
            _ => return None,
        },
        Value::Array(_) => return None,
        other => other.to_string(),
    })
}

/// Whether a text can stand in a node's name as it is.
fn plain_label(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= 60
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | ' ' | '/'))
}

fn count(values: usize) -> String {
    if values == 1 { "1 value".to_owned() } else { format!("{values} values") }
}
