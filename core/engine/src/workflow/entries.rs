//! Axes over what an output holds: the entries of a folder, or the items of a JSON list. They are known once the
//! node that makes the output has ended.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};

use super::axes::{self, AxisValue, Cell, EntryOf, MAX_NODES, axis_value, node_name};
use super::expand::Expanded;
use super::facts::{Fact, Facts, FolderEntry};
use super::file::FromAxis;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::expr::describe;

/// What is known of such an axis.
pub(super) struct Taken {
    /// A cell each: the coordinates of the node that makes the output, and a value.
    pub(super) cells: Vec<Cell>,
    /// Rows of the stage that makes the output which have not ended.
    pub(super) open: Vec<usize>,
}

/// The cells of an axis over the output of some rows of a stage (its number, and what it comes to), which lie at some
/// cells as seen from here. `None` where an output cannot be used, which is then reported.
pub(super) fn take<'c>(
    axis: &FromAxis,
    (number, upstream): (usize, &Expanded),
    rows: impl Iterator<Item = (usize, &'c Cell)>,
    facts: &Facts,
    problems: &mut Diagnostics,
) -> Option<Taken> {
    let from = axis.from.as_ref()?;
    let name: Rc<str> = Rc::from(axis.name.text.as_str());
    let mut taken = Taken { cells: Vec::new(), open: Vec::new() };
    for (row, cell) in rows {
        let node = node_name(&from.stage.text, &upstream.cells[row]);
        let Some(fact) = facts.get(&node, &from.port.text) else {
            taken.open.push(row);
            continue;
        };
        let whole = format!("{node}.{}", from.port.text);
        let values = match fact {
            Fact::Entries(entries) => folder(entries, (number, row, &from.port.text)),
            Fact::Json(value) => list(axis, &whole, value, problems)?,
            Fact::Unreadable(why) => {
                problems.push(Diagnostic::at(from.span, format!("`{whole}` is not a JSON list: {why}")));
                return None;
            }
        };
        if taken.cells.len() + values.len() > MAX_NODES {
            problems.push(axes::too_many(from.span));
            return None;
        }
        taken.cells.extend(values.into_iter().map(|value| {
            let mut cell = cell.clone();
            cell.push((name.clone(), Rc::new(value)));
            cell
        }));
    }
    Some(taken)
}

/// One value an entry: `.name`, and `.stem`. What is hidden is left out, as in patterns.
fn folder(entries: &[FolderEntry], (stage, row, port): (usize, usize, &str)) -> Vec<AxisValue> {
    let stem = |name: &str| {
        Path::new(name).file_stem().map_or_else(|| name.to_owned(), |s| s.to_string_lossy().into_owned())
    };
    let shown: Vec<&FolderEntry> = entries.iter().filter(|entry| !entry.name.starts_with('.')).collect();
    let stems: HashSet<String> = shown.iter().map(|entry| stem(&entry.name)).collect();
    let unique = stems.len() == shown.len();
    let value = |entry: &FolderEntry| {
        let stem = stem(&entry.name);
        let called = Value::String(if unique { stem.clone() } else { entry.name.clone() });
        let label = axes::label(&called).unwrap_or_else(|| entry.name.clone());
        let of =
            EntryOf { stage, row, port: port.to_owned(), name: entry.name.clone(), folder: entry.folder };
        AxisValue::new(label, json!({ "name": entry.name, "stem": stem }), Some(called)).entry(of)
    };
    shown.into_iter().map(value).collect()
}

/// One value an item of a JSON list.
fn list(axis: &FromAxis, whole: &str, value: &Value, problems: &mut Diagnostics) -> Option<Vec<AxisValue>> {
    let from = axis.from.as_ref()?;
    let (place, value) = match &axis.key {
        Some(key) => {
            let found = key.text.split('.').try_fold(value, |value, name| value.get(name));
            let Some(found) = found else {
                problems.push(Diagnostic::at(key.span, format!("`{whole}` has no `{}`", key.text)));
                return None;
            };
            (format!("`{}` of `{whole}`", key.text), found)
        }
        None => (format!("`{whole}`"), value),
    };
    let Value::Array(items) = value else {
        let what = format!("{place} is not a list: it is {}", describe(value));
        let mut problem = Diagnostic::at(from.span, what);
        let lists = value.as_object().into_iter().flatten().find(|(_, value)| value.is_array());
        if let Some((name, _)) = lists.filter(|_| axis.key.is_none()) {
            let (stage, port) = (&from.stage.text, &from.port.text);
            problem = problem.help(format!("name the list: `{{ from: {stage}.{port}, key: {name} }}`"));
        }
        problems.push(problem);
        return None;
    };
    if items.len() > MAX_NODES {
        problems.push(axes::too_many(from.span));
        return None;
    }
    let mut labels: HashMap<String, usize> = HashMap::new();
    let mut values = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let value = axis_value(item.clone(), number);
        if let Some(first) = labels.insert(value.label.clone(), number) {
            let (label, name) = (&value.label, &axis.name.text);
            problems.push(
                Diagnostic::at(from.span, format!("`{label}` is in {place} twice"))
                    .note(format!("items {} and {}", first + 1, number + 1))
                    .help(format!("each item is one value of the axis `{name}`")),
            );
            return None;
        }
        values.push(value);
    }
    Some(values)
}
