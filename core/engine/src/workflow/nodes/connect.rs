//! The inputs of a node: what is connected to them, and whether it fits.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_plugin::{Kind, Multiplicity, Port, Spec};
use serde_json::Map;

use super::super::axes::Cell;
use super::super::expand::{ItemLink, Link};
use super::super::file::{Connection, Item, Reference, StageDecl, Word};
use super::super::globs::{self, Match};
use super::super::link::{candidates, is_resolved};
use super::super::ports;
use super::super::tree::{Data, Tree};
use super::{Builder, Last};
use crate::diagnostics::{Diagnostic, Span, closest, did_you_mean};
use crate::exec;
use crate::expr::Scope;
use crate::graph::{NodeId, Origin, Source};

impl Builder<'_> {
    /// Inputs that are needed and not connected.
    pub(super) fn unconnected(&mut self, number: usize, stage: &StageDecl, spec: &Spec) {
        if stage.meant.contains(&"inputs") {
            return;
        }
        let connected = |port: &Port| stage.inputs.iter().any(|(name, _)| name.text == port.name);
        let open: Vec<&Port> = spec.inputs.iter().filter(|port| !connected(port)).collect();
        // A misspelt name stands for one of them, and has been reported.
        let unknown =
            stage.inputs.iter().filter(|(name, _)| !spec.inputs.iter().any(|p| p.name == name.text));
        let misspelt: Vec<&str> = unknown
            .filter_map(|(name, _)| closest(&name.text, open.iter().map(|port| port.name.as_str())))
            .collect();
        for port in open.into_iter().filter(|port| !port.optional && !misspelt.contains(&port.name.as_str()))
        {
            let span = stage.inputs_span.unwrap_or(stage.name.span);
            let found = candidates(self.file, self.linked, number, port);
            let (open, close) = match port.multiplicity {
                Multiplicity::One => ("", ""),
                Multiplicity::Many => ("[", "]"),
            };
            let help = match found.as_slice() {
                [] => format!("`{}` is a {}: {}", port.name, port.kind, port.doc),
                [one] => format!("write `inputs: {{ {}: {open}{one}{close} }}`", port.name),
                several => format!(
                    "`{}` is a {}; connect one of {}",
                    port.name,
                    port.kind,
                    crate::diagnostics::list(&several[..several.len().min(8)])
                ),
            };
            self.problems.push(
                Diagnostic::at(span, format!("`{}` needs the input `{}`", spec.name, port.name)).help(help),
            );
        }
    }

    /// One artifact where a collection is wanted, or the other way round.
    pub(super) fn multiplicities(&mut self, stage: &StageDecl, spec: &Spec) {
        for (name, connection) in &stage.inputs {
            let Some(port) = spec.inputs.iter().find(|port| port.name == name.text) else { continue };
            let takes = format!("the input `{}` of `{}`", port.name, spec.name);
            match (port.multiplicity, connection) {
                (Multiplicity::Many, Connection::Map(reference)) => {
                    let written = format!("{}.{}", reference.stage.text, reference.port.text);
                    self.problems.push(
                        Diagnostic::at(reference.span, format!("{takes} takes a collection"))
                            .label("this is one artifact")
                            .help(format!("collect it: `{}: [{written}]`", port.name)),
                    );
                }
                (Multiplicity::Many, Connection::External(path, _)) if globs::is_pattern(path) => {}
                (Multiplicity::One, Connection::External(path, span)) if globs::is_pattern(path) => {
                    self.problems.push(
                        Diagnostic::at(*span, format!("{takes} takes one artifact"))
                            .label("this is a collection: all files that match")
                            .help("for a node a file write `matrix: { AXIS: { files: PATTERN } }`"),
                    );
                }
                (Multiplicity::Many, Connection::External(_, span)) => self.problems.push(
                    Diagnostic::at(*span, format!("{takes} takes a collection"))
                        .label("this is one artifact")
                        .help(format!("collect it: `{}: [{{ path: … }}]`", port.name)),
                ),
                (Multiplicity::One, Connection::Collect(items, span)) => {
                    let help = match items.as_slice() {
                        [Item::Output(one)] => {
                            format!("map it: `{}: {}.{}`", port.name, one.stage.text, one.port.text)
                        }
                        _ => "connect one output, without the brackets".to_owned(),
                    };
                    self.problems.push(
                        Diagnostic::at(*span, format!("{takes} takes one artifact"))
                            .label("this is a collection")
                            .help(help),
                    );
                }
                (Multiplicity::One, Connection::Partial { span, from, .. }) => self.problems.push(
                    Diagnostic::at(*span, format!("{takes} takes one artifact"))
                        .label("this is a collection")
                        .help(format!("map it: `{}: {}.{}`", port.name, from.stage.text, from.port.text)),
                ),
                _ => {}
            }
        }
    }

    /// The sources of every input, in the order of the operation's ports, and the types of what is connected.
    pub(super) fn inputs(
        &mut self,
        number: usize,
        stage: &StageDecl,
        spec: &Spec,
        scope: &Scope<'_>,
        row: usize,
        last: &mut Last,
    ) -> (Vec<(String, Vec<Source>)>, Vec<Port>) {
        let mut inputs = Vec::with_capacity(spec.inputs.len());
        let mut connected = Vec::with_capacity(spec.inputs.len());
        for (index, port) in spec.inputs.iter().enumerate() {
            let Some(at) = stage.inputs.iter().position(|(name, _)| name.text == port.name) else { continue };
            let connection = &stage.inputs[at].1;
            if !is_resolved(connection, self.linked) {
                continue;
            }
            let expanded = &self.expanded[number];
            let tainted = expanded.tainted;
            let mut sources = Vec::new();
            let mut kind_of_input: Option<Port> = None;
            let own = matches!(
                connection,
                Connection::External(..) | Connection::Entry(_) | Connection::Carry { .. }
            );
            if matches!(expanded.links.get(at), Some(Link::None)) && !own {
                // What makes it is switched off, and the input is optional.
                continue;
            }
            match (connection, expanded.links.get(at)) {
                (Connection::Map(reference), Some(Link::One { stage, rows })) => {
                    self.output(*stage, rows[row], reference, &mut sources);
                }
                (
                    Connection::Map(from) | Connection::Partial { from, .. },
                    Some(Link::Group { stage, groups, rows }),
                ) => {
                    for upstream in groups[rows[row]].iter() {
                        self.output(*stage, *upstream, from, &mut sources);
                    }
                }
                (Connection::Collect(items, _), Some(Link::Items(links))) => {
                    for (item, link) in items.iter().zip(links) {
                        match (item, link) {
                            (Item::Output(reference), ItemLink::Group { stage, groups, rows }) => {
                                for upstream in groups[rows[row]].iter() {
                                    self.output(*stage, *upstream, reference, &mut sources);
                                }
                            }
                            (Item::Output(reference), ItemLink::All) => {
                                if let Some(stage) = self.linked.stage(&reference.stage.text) {
                                    for upstream in 0..self.expanded[stage].cells.len() {
                                        self.output(stage, upstream, reference, &mut sources);
                                    }
                                }
                            }
                            (Item::Carry { of, carry, span }, _) => {
                                let carry = (*of, *carry, *span);
                                sources.extend(self.carried(number, carry, spec, port, scope, row));
                            }
                            (Item::External(path), _) => {
                                sources.extend(self.external(path, spec, port, scope, tainted));
                            }
                        }
                    }
                }
                (Connection::External(path, _), _) => {
                    sources.extend(self.external(path, spec, port, scope, tainted));
                    kind_of_input = Some(port.clone());
                }
                (Connection::Carry { of, carry, span }, _) => {
                    let carry = (*of, *carry, *span);
                    sources.extend(self.carried(number, carry, spec, port, scope, row));
                    if sources.is_empty() && port.optional {
                        continue;
                    }
                    kind_of_input = Some(port.clone());
                }
                (Connection::Entry(axis), _) if tainted => self.check_axis(axis),
                (Connection::Entry(axis), _) => {
                    sources.extend(self.entry(axis, spec, port, &expanded.cells[row]));
                    kind_of_input = Some(port.clone());
                }
                _ => {}
            }
            self.check_form(stage, port, &sources);
            let spans: Vec<(String, Span)> = connection
                .references()
                .iter()
                .map(|r| (format!("{}.{}", r.stage.text, r.port.text), r.span))
                .collect();
            if let Some(found) = self.types(&sources, port, &spec.name, &spans, &mut last.fitting[index]) {
                kind_of_input = Some(found);
            }
            if let Some(mut found) = kind_of_input {
                found.name.clone_from(&port.name);
                found.multiplicity = port.multiplicity;
                connected.push(found);
            }
            inputs.push((port.name.clone(), sources));
        }
        (inputs, connected)
    }

    fn output(&self, stage: usize, row: usize, reference: &Reference, into: &mut Vec<Source>) {
        let node = NodeId(self.starts[stage] + row);
        let coordinates = match self.slots.get(node.0) {
            Some(Some(found)) => found.coordinates.clone(),
            _ => Arc::default(),
        };
        let from = Origin::Output { node, port: reference.port.text.clone() };
        into.push(Source { from, coordinates });
    }

    /// Whether the stage will have an axis.
    fn check_axis(&mut self, axis: &Word) {
        let Some(axes) = self.outlook else { return };
        let names: Vec<&str> = axes.iter().map(|(name, _)| name.as_str()).collect();
        if !names.contains(&axis.text.as_str()) {
            self.problems.push(no_axis(axis, &names));
        }
    }

    /// The entry that an axis of the stage stands for.
    fn entry(&mut self, axis: &Word, spec: &Spec, port: &Port, cell: &Cell) -> Option<Source> {
        let Some((_, value)) = cell.iter().find(|(name, _)| **name == *axis.text) else {
            let axes: Vec<&str> = cell.iter().map(|(name, _)| &**name).collect();
            self.problems.push(no_axis(axis, &axes));
            return None;
        };
        let Some(entry) = &value.entry else {
            let help = match value.value.get("path") {
                Some(_) => {
                    format!("connect the file: `{{ path: \"${{{{ matrix.{}.path }}}}\" }}`", axis.text)
                }
                None => format!("use the value under `with`: `${{{{ matrix.{} }}}}`", axis.text),
            };
            self.problems.push(
                Diagnostic::at(
                    axis.span,
                    format!("the axis `{}` is not over the entries of a folder", axis.text),
                )
                .help(help),
            );
            return None;
        };
        let takes_folder = !matches!(port.kind, Kind::File | Kind::Table | Kind::Metrics);
        // A program takes any kind.
        let kind = match (spec.name == exec::RUN, entry.folder) {
            (true, true) => Kind::Folder,
            (true, false) => Kind::File,
            (false, _) => port.kind,
        };
        if spec.name != exec::RUN && takes_folder != entry.folder {
            let what = if entry.folder { "a folder" } else { "a file" };
            let takes = format!("the input `{}` of `{}` takes a {}", port.name, spec.name, port.kind);
            self.problems.push(
                Diagnostic::at(axis.span, format!("{takes}, `{}` is {what}", entry.name)).topic("entry"),
            );
            return None;
        }
        let node = NodeId(self.starts[entry.stage] + entry.row);
        let (port, name) = (entry.port.clone(), entry.name.clone());
        Some(Source { from: Origin::Entry { node, port, name, kind }, coordinates: Arc::default() })
    }

    /// The file or folder outside, or the files that match a pattern.
    pub(super) fn external(
        &mut self,
        path: &Tree,
        spec: &Spec,
        port: &Port,
        scope: &Scope<'_>,
        tainted: bool,
    ) -> Vec<Source> {
        let Some(tree) = self.eval(path, scope, tainted) else { return Vec::new() };
        let Data::Text(text) = &tree.data else {
            self.problems.push(
                Diagnostic::at(tree.span, "`path` is the path of a file or folder")
                    .label(format!("this is {}", tree.describe())),
            );
            return Vec::new();
        };
        let written = tree.origin.unwrap_or(tree.span);
        let mut found = Vec::new();
        if globs::is_pattern(path) {
            let base = self.place.base(written).to_owned();
            let matches = self.known.matching(text, &base, tree.span, &self.place.current, self.problems);
            let matches = matches.as_deref().unwrap_or_default();
            let endings: HashSet<_> =
                matches.iter().map(|found| Path::new(&found.path).extension()).collect();
            let alike = endings.len() < 2;
            for Match { path, name, .. } in matches {
                // What a program sees of a file beside its content.
                let name = if alike { name.clone() } else { path.clone() };
                let coordinates = Map::from_iter([("file".to_owned(), name.into())]);
                found.push((self.place.resolve(path, written), coordinates));
            }
        } else {
            let absolute = self.place.resolve(text, written);
            self.known.check(&absolute, tree.span, &self.place.current, self.problems);
            found.push((absolute, Map::new()));
        }
        let source = |(path, coordinates): (PathBuf, Map<_, _>)| {
            self.externals.push((path.clone(), tree.span));
            // A program takes any kind.
            let kind = if spec.name == exec::RUN { self.known.kind(&path) } else { port.kind };
            Source { from: Origin::External { path, kind }, coordinates: coordinates.into() }
        };
        found.into_iter().map(source).collect()
    }

    /// Whether files outside can be given in the form that is asked for.
    fn check_form(&mut self, stage: &StageDecl, port: &Port, sources: &[Source]) {
        let Some((_, form, span)) = stage.forms.iter().find(|(name, ..)| *name == port.name) else { return };
        for source in sources {
            let Origin::External { path, kind } = &source.from else { continue };
            if *kind == Kind::Dataset {
                continue;
            }
            // That there is none has been reported.
            let Some(why) = self.known.unreadable(path) else { continue };
            let shown = path.strip_prefix(&self.place.current).unwrap_or(path);
            let message = format!("`{}` cannot be given as {}", shown.display(), form.name());
            self.problems.push(
                Diagnostic::at(*span, message)
                    .note(why)
                    .topic("form")
                    .help("without `as` the program gets the file as it is"),
            );
        }
    }

    /// Checks the types of all sources of one input; gives the type of the first.
    fn types(
        &mut self,
        sources: &[Source],
        port: &Port,
        operation: &str,
        names: &[(String, Span)],
        fitting: &mut Option<Port>,
    ) -> Option<Port> {
        let mut first = None;
        for source in sources {
            let Origin::Output { node, port: output } = &source.from else { continue };
            let Some(Some(upstream)) = self.slots.get(node.0) else { continue };
            let Some(found) = upstream.outputs.iter().find(|port| port.name == *output) else { continue };
            if first.is_none() {
                first = Some(found.clone());
            }
            if fitting.as_ref() == Some(found) {
                continue;
            }
            let wanted = format!("{}.{output}", upstream.stage);
            let Some((from, span)) = names.iter().find(|(name, _)| *name == wanted) else { continue };
            match ports::check(from, found, operation, port, *span) {
                None => *fitting = Some(found.clone()),
                Some(problem) => self.problems.push(problem),
            }
        }
        first
    }
}

fn no_axis(axis: &Word, axes: &[&str]) -> Diagnostic {
    let help = match axes {
        [] => Some("it has no axes: it is one node".to_owned()),
        axes => did_you_mean(&axis.text, axes.iter().copied(), "its axes are"),
    };
    Diagnostic::at(axis.span, format!("this stage has no axis `{}`", axis.text)).maybe_help(help)
}
