//! The workflow's parameters: constants, or expressions over other parameters.

use serde_json::{Map, Value};

use super::tree::{Data, Tree};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::expr::{Piece, Scope};

/// Evaluated parameters.
pub(super) struct Params {
    pub(super) values: Map<String, Value>,
    /// The same as one JSON value, for scopes.
    pub(super) value: Value,
    /// Where each comes from.
    places: Vec<(String, Span)>,
    /// Whether all could be computed. If not, expressions that use them are not worth a message.
    pub(super) whole: bool,
}

impl Params {
    /// Where the value of `params.name` comes from.
    pub(super) fn origin(&self, root: &str, name: &str) -> Option<Span> {
        if root != "params" {
            return None;
        }
        self.places.iter().find(|(known, _)| known == name).map(|(_, span)| *span)
    }
}

/// Computes every parameter, each after those that it uses.
pub(super) fn evaluate(tree: &Tree, problems: &mut Diagnostics) -> Params {
    let entries = tree.entries();
    let before = problems.len();
    let mut state = State { done: Value::Object(Map::new()), places: Vec::new(), status: Vec::new() };
    state.status.resize(entries.len(), Status::Waiting);
    for index in 0..entries.len() {
        visit(index, tree, &mut state, &mut Vec::new(), problems);
    }
    // In the order of the file, whatever the order of computation was.
    let mut values = Map::new();
    for entry in entries {
        if let Some(value) = state.done.get(&entry.key) {
            values.insert(entry.key.clone(), value.clone());
        }
    }
    let whole = problems.len() == before && values.len() == entries.len();
    Params { value: Value::Object(values.clone()), values, places: state.places, whole }
}

struct State {
    done: Value,
    places: Vec<(String, Span)>,
    status: Vec<Status>,
}

#[derive(Clone, Copy, PartialEq)]
enum Status {
    Waiting,
    Open,
    Done,
}

fn visit(index: usize, tree: &Tree, state: &mut State, path: &mut Vec<usize>, problems: &mut Diagnostics) {
    let entries = tree.entries();
    let entry = &entries[index];
    match state.status[index] {
        Status::Done => return,
        Status::Open => {
            let start = path.iter().position(|step| *step == index).unwrap_or(0);
            let names: Vec<String> = path[start..]
                .iter()
                .chain([&index])
                .map(|step| format!("`{}`", entries[*step].key))
                .collect();
            problems.push(
                Diagnostic::at(entry.value.span, format!("the parameter `{}` depends on itself", entry.key))
                    .note(names.join(" → ")),
            );
            return;
        }
        Status::Waiting => {}
    }
    if entry.value.is_constant() {
        finish(index, entry.key.as_str(), &entry.value, state);
        return;
    }
    state.status[index] = Status::Open;
    path.push(index);
    let mut used = Vec::new();
    entry.value.templates(&mut |template, _| {
        for piece in &template.pieces {
            if let Piece::Expression { expr, .. } = piece {
                expr.references(&mut |root, field| match (root, field) {
                    ("params", Some(field)) => used.extend(entries.iter().position(|e| e.key == field)),
                    ("params", None) => used.extend(0..entries.len()),
                    _ => {}
                });
            }
        }
    });
    let before = problems.len();
    for other in used {
        visit(other, tree, state, path, problems);
    }
    path.pop();
    if problems.len() == before {
        let scope = Scope::new()
            .with("params", &state.done)
            .without("matrix", "parameters are the same for all nodes")
            .without("seed", "parameters are the same for all nodes")
            .without("resources", "parameters are the same for all nodes");
        let places = state.places.clone();
        let origin = |root: &str, name: &str| {
            places.iter().find(|(known, _)| root == "params" && known == name).map(|(_, span)| *span)
        };
        let value = entry.value.eval(&scope, &origin, problems);
        match value {
            Some(value) => finish(index, &entry.key, &value, state),
            None => state.status[index] = Status::Done,
        }
    } else {
        state.status[index] = Status::Done;
    }
}

fn finish(index: usize, name: &str, value: &Tree, state: &mut State) {
    state.status[index] = Status::Done;
    state.places.push((name.to_owned(), origin_of(value)));
    if let Value::Object(done) = &mut state.done {
        done.insert(name.to_owned(), value.to_value());
    }
}

/// Where a value was first written; that of a collection is where it stands.
fn origin_of(value: &Tree) -> Span {
    match value.data {
        Data::Map(_) | Data::List(_) => value.span,
        _ => value.origin.unwrap_or(value.span),
    }
}
