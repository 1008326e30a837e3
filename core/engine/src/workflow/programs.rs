//! What a stage that runs a program declares: its inputs and outputs are in the file, not in the catalogue.

use flow_plugin::{Kind, Multiplicity, Port, Spec};

use super::file::{Connection, File, Item, StageDecl};
use super::globs;
use super::link::Linked;
use super::tree::Data;
use crate::diagnostics::{Diagnostic, Diagnostics, list};
use crate::exec;

/// The declaration of a program's stage with its outputs, not yet with its inputs.
pub(super) fn outputs(stage: &StageDecl, problems: &mut Diagnostics) -> Spec {
    let mut spec = exec::spec();
    for entry in stage.outputs.iter().flat_map(|(outputs, _)| outputs) {
        let kind = match &entry.value.data {
            Data::Text(text) => text.parse().ok().filter(|kind| exec::OUTPUT_KINDS.contains(kind)),
            _ => None,
        };
        if kind.is_none() {
            let kinds = exec::OUTPUT_KINDS.map(Kind::name);
            let found = match &entry.value.data {
                Data::Text(text) => format!("`{text}` is not a kind that a program can put out"),
                _ => "the kind of an output is a word".to_owned(),
            };
            problems.push(
                Diagnostic::at(entry.value.span, found).help(format!("the kinds are {}", list(&kinds))),
            );
        }
        // An output of a wrong kind is there all the same: what reads it is not to blame.
        spec = spec.output(Port::new(&entry.key, kind.unwrap_or(Kind::File), "An output of the program."));
    }
    spec
}

/// Only programs declare outputs.
pub(super) fn refuse_outputs(stage: &StageDecl, spec: &Spec, problems: &mut Diagnostics) {
    if let Some((_, span)) = &stage.outputs {
        let names: Vec<&str> = spec.outputs.iter().map(|port| port.name.as_str()).collect();
        let message = format!("`{}` has its own outputs: {}", spec.name, list(&names));
        let problem = Diagnostic::at(*span, message);
        problems.push(problem.help(format!("remove `outputs`; only `{}` declares any", exec::RUN)));
    }
}

/// Only programs take inputs in another form, and only datasets have other forms.
pub(super) fn check_forms(stage: &StageDecl, spec: &Spec, problems: &mut Diagnostics) {
    for (input, form, span) in &stage.forms {
        let Some(port) = spec.inputs.iter().find(|port| port.name == *input) else { continue };
        if spec.name != exec::RUN {
            let problem = Diagnostic::at(*span, format!("`{}` takes its inputs as they are", spec.name));
            problems
                .push(problem.help(format!("connect the output itself; only `{}` takes `as`", exec::RUN)));
        } else if port.kind != Kind::Dataset && !is_outside(stage, input) {
            let message = format!("a {} cannot be given as {}", port.kind, form.name());
            problems.push(Diagnostic::at(*span, message).help("only a dataset has other forms"));
        }
    }
}

/// Whether an input is a file outside, which is looked at when its path is known.
fn is_outside(stage: &StageDecl, input: &str) -> bool {
    let connection =
        stage.inputs.iter().find(|(name, _)| name.text == input).map(|(_, connection)| connection);
    match connection {
        Some(Connection::External(..)) => true,
        Some(Connection::Collect(items, _)) => items.iter().all(|item| matches!(item, Item::External(_))),
        _ => false,
    }
}

/// What to do about an output that a program does not declare.
pub(super) fn help_declare(spec: &Spec, output: &str) -> Option<String> {
    (spec.name == exec::RUN).then(|| format!("a program declares it: `outputs: {{ {output}: file }}`"))
}

/// Adds the inputs of programs: any name, and the kind of what is connected.
pub(super) fn inputs(file: &File, linked: &mut Linked<'_>) {
    for (number, stage) in file.stages.iter().enumerate() {
        if linked.spec(number).is_none_or(|spec| spec.name != exec::RUN) {
            continue;
        }
        let ports: Vec<Port> = stage
            .inputs
            .iter()
            .map(|(name, connection)| {
                let kinds = connection.references().into_iter().filter_map(|reference| {
                    let spec = linked.spec(linked.stage(&reference.stage.text)?)?;
                    let port = spec.outputs.iter().find(|port| port.name == reference.port.text)?;
                    Some(port.kind)
                });
                let carried = || {
                    let (of, carry) = connection.carried()?;
                    let then = file.loops[of].carry[carry].then.as_ref()?;
                    let spec = linked.spec(linked.stage(&then.stage.text)?)?;
                    Some(spec.outputs.iter().find(|port| port.name == then.port.text)?.kind)
                };
                // A file outside is looked at when its path is known.
                let kind = kinds.into_iter().next().or_else(carried).unwrap_or(Kind::File);
                let port = Port::new(&name.text, kind, "An input of the program.");
                match connection {
                    Connection::Collect(..) | Connection::Partial { .. } => port.many(),
                    Connection::External(path, _) if globs::is_pattern(path) => port.many(),
                    Connection::Map(_)
                    | Connection::External(..)
                    | Connection::Entry(_)
                    | Connection::Carry { .. }
                    | Connection::Broken => port,
                }
            })
            .collect();
        if let Some(spec) = &mut linked.specs[number] {
            spec.to_mut().inputs = ports;
        }
    }
}

/// Whether a port takes a collection.
pub(super) fn is_many(port: &Port) -> bool {
    port.multiplicity == Multiplicity::Many
}
