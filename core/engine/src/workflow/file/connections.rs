//! What is written under `inputs` and `report`: references, collections, external files.

use super::super::tree::{Data, Tree};
use super::{Connection, Item, MATRIX, Reader, Reference, Word};
use crate::diagnostics::{Diagnostic, Span, did_you_mean};
use crate::exec::Form;

impl Reader<'_> {
    /// What an input is connected to, and the form that it is asked for in.
    pub(super) fn formed(&mut self, tree: &Tree) -> (Connection, Option<(Form, Span)>) {
        let (connection, from) = match (&tree.data, tree.get("from"), tree.get("path")) {
            (Data::Map(entries), Some(from), _) => {
                self.known_keys(entries, &["from", "as"], "a converted input");
                (self.connection(&from.value), from)
            }
            (Data::Map(entries), None, Some(path)) if tree.get("as").is_some() => {
                self.known_keys(entries, &["path", "as"], "a converted input");
                (Connection::External(path.value.clone(), tree.span), path)
            }
            _ => return (self.connection(tree), None),
        };
        let names = Form::ALL.map(Form::name);
        let Some(entry) = tree.get("as") else {
            self.problems.push(
                Diagnostic::at(from.key_span, "`from` goes with `as`, the form that the input is wanted in")
                    .help(format!("write `as: {}`, or connect the output itself", names.join("` or `as: "))),
            );
            return (connection, None);
        };
        let Some(word) = self.word(&entry.value, "the form of an input") else { return (connection, None) };
        let form = Form::ALL.into_iter().find(|form| form.name() == word.text);
        if form.is_none() {
            let problem = Diagnostic::at(word.span, format!("`{}` is not a form of a dataset", word.text));
            self.problems.push(problem.maybe_help(did_you_mean(&word.text, names, "the forms are")));
        }
        (connection, form.map(|form| (form, word.span)))
    }

    pub(super) fn connection(&mut self, tree: &Tree) -> Connection {
        match &tree.data {
            Data::Text(text) => match text.strip_prefix(MATRIX).and_then(|rest| rest.strip_prefix('.')) {
                Some(axis) => Connection::Entry(Word { text: axis.to_owned(), span: tree.span }),
                None => self.reference(tree).map_or(Connection::Broken, Connection::Map),
            },
            Data::List(items) if items.is_empty() => {
                self.problems.push(
                    Diagnostic::at(tree.span, "there is nothing in this collection")
                        .help("write `[stage.port, …]`, or leave the input out if it is optional"),
                );
                Connection::Broken
            }
            Data::List(items) => {
                let read: Vec<Option<Item>> = items.iter().map(|item| self.item(item)).collect();
                match read.into_iter().collect() {
                    Some(items) => Connection::Collect(items, tree.span),
                    None => Connection::Broken,
                }
            }
            Data::Map(entries) if tree.get("path").is_some() => {
                self.known_keys(entries, &["path"], "an external input");
                tree.get("path")
                    .map_or(Connection::Broken, |path| Connection::External(path.value.clone(), tree.span))
            }
            Data::Map(entries) if tree.get("collect").is_some() => {
                self.known_keys(entries, &["collect", "over"], "a collected input");
                let from = tree.get("collect").and_then(|entry| self.reference(&entry.value));
                let over = tree.get("over").map(|over| match &over.value.data {
                    Data::Text(_) => self.word(&over.value, "an axis").into_iter().collect(),
                    _ => self
                        .list(&over.value, "`over` must be a list of axes")
                        .iter()
                        .filter_map(|axis| self.word(axis, "an axis"))
                        .collect(),
                });
                match from {
                    Some(from) => Connection::Partial { from, over, span: tree.span },
                    None => Connection::Broken,
                }
            }
            _ => {
                self.problems.push(
                    Diagnostic::at(tree.span, format!("{} cannot be connected to an input", tree.describe()))
                        .help(
                            "write `stage.port`, `[stage.port, …]`, `{ collect: stage.port, over: [axis] }`, \
                             `{ path: FILE }`, `{ from: stage.port, as: netcdf }` or `{ path: FILE, as: npz }`",
                        ),
                );
                Connection::Broken
            }
        }
    }

    fn item(&mut self, tree: &Tree) -> Option<Item> {
        match (&tree.data, tree.get("path")) {
            (Data::Map(entries), Some(path)) => {
                self.known_keys(entries, &["path"], "an external input");
                Some(Item::External(path.value.clone()))
            }
            (Data::Map(_) | Data::List(_), _) => {
                self.problems.push(
                    Diagnostic::at(tree.span, format!("{} cannot be part of a collection", tree.describe()))
                        .help("its items are written `stage.port` or `{ path: FILE }`"),
                );
                None
            }
            _ => self.reference(tree).map(Item::Output),
        }
    }

    pub(super) fn reference(&mut self, tree: &Tree) -> Option<Reference> {
        let word = self.word(tree, "a reference to an output")?;
        let written = self.problems.slice(word.span);
        let quote = usize::from(written.starts_with(['"', '\'']));
        // The stages of an included file have a prefix that is not written there.
        let written = written.trim_matches(['"', '\'']);
        let prefix = word.text.strip_suffix(written).map_or(0, str::len);
        let part = |start: usize, end: usize| {
            let place = |at: usize| quote + at.saturating_sub(prefix);
            word.span.part(place(start), place(end))
        };
        match word.text.rsplit_once('.') {
            Some((stage, port)) if !stage.is_empty() && !port.is_empty() && !word.text.contains('/') => {
                Some(Reference {
                    stage: Word { text: stage.to_owned(), span: part(0, stage.len()) },
                    port: Word { text: port.to_owned(), span: part(stage.len() + 1, word.text.len()) },
                    span: word.span,
                })
            }
            found => {
                let looks_like_path =
                    word.text.contains('/') || found.is_some_and(|(_, port)| port.is_empty());
                let help = if looks_like_path {
                    format!("a file is written `{{ path: {} }}`", word.text)
                } else if found.is_none() {
                    format!("name the output too: `{}.OUTPUT`", word.text)
                } else {
                    "outputs are named `stage.port`".to_owned()
                };
                self.problems.push(
                    Diagnostic::at(word.span, format!("`{}` does not name an output of a stage", word.text))
                        .help(help),
                );
                None
            }
        }
    }
}
