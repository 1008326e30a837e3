//! Which stage needs which: references resolved, cycles found, an order in which to work.

use std::borrow::Cow;
use std::collections::HashMap;

use flow_plugin::{Kind, Spec};

use super::expand::outputs;
use super::file::{Connection, File, Item, LoopDecl, Reference, StageDecl, Word};
use super::programs;
use super::tree::{Data, Tree};
use crate::catalog::Catalog;
use crate::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean, list};
use crate::exec;

/// The stages of a file, resolved against the catalogue and each other.
pub(super) struct Linked<'a> {
    /// By stage: the operation's declaration, unless it is unknown.
    pub(super) specs: Vec<Option<Cow<'a, Spec>>>,
    /// By name: the index of a stage.
    pub(super) index: HashMap<&'a str, usize>,
    /// The stages in an order in which each comes after those it needs. Stages on a cycle, and those behind
    /// one, are left out.
    pub(super) order: Vec<usize>,
    /// By loop: whether what it carries is there.
    pub(super) loops: Vec<bool>,
}

impl Linked<'_> {
    /// The declaration of a stage's operation, unless that is unknown.
    pub(super) fn spec(&self, stage: usize) -> Option<&Spec> {
        self.specs[stage].as_deref()
    }

    pub(super) fn stage(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }
}

/// Resolves everything that does not depend on the values of parameters.
pub(super) fn link<'a>(file: &'a File, catalog: &'a Catalog, problems: &mut Diagnostics) -> Linked<'a> {
    let index: HashMap<&str, usize> =
        file.stages.iter().enumerate().map(|(number, stage)| (stage.name.text.as_str(), number)).collect();
    let specs: Vec<Option<Cow<'_, Spec>>> = file
        .stages
        .iter()
        .map(|stage| {
            let uses = stage.uses.as_ref()?;
            let found = catalog.get(&uses.text);
            match found {
                Some(found) if found.name == exec::RUN => {
                    return Some(Cow::Owned(programs::outputs(stage, problems)));
                }
                Some(found) => programs::refuse_outputs(stage, found, problems),
                None if catalog.is_broken(&uses.text) => {}
                None => problems.push(unknown_operation(uses, catalog)),
            }
            found.map(Cow::Borrowed)
        })
        .collect();
    let mut linked = Linked { specs, index, order: Vec::new(), loops: vec![true; file.loops.len()] };
    programs::inputs(file, &mut linked);
    for (number, stage) in file.stages.iter().enumerate() {
        if let Some(spec) = linked.spec(number) {
            for (port, _) in &stage.inputs {
                if !spec.inputs.iter().any(|known| known.name == port.text) {
                    problems.push(unknown_input(port, spec));
                }
            }
            programs::check_forms(stage, spec, problems);
            for publish in &stage.publish {
                if !spec.outputs.iter().any(|known| known.name == publish.key) {
                    let names = spec.outputs.iter().map(|port| port.name.as_str());
                    problems.push(
                        Diagnostic::at(
                            publish.key_span,
                            format!("`{}` has no output `{}`", spec.name, publish.key),
                        )
                        .maybe_help(
                            did_you_mean(&publish.key, names, "its outputs are")
                                .or_else(|| programs::help_declare(spec, &publish.key)),
                        ),
                    );
                }
            }
        }
        for reference in stage.references() {
            check_output(reference, &linked, problems);
        }
        for from in stage.output_axes().filter_map(|axis| axis.from.as_ref()) {
            check_holds(from, &linked, problems);
        }
        for needed in &stage.needs {
            if linked.stage(&needed.text).is_none() {
                problems.push(unknown_stage(needed, &linked));
            }
        }
    }
    linked.loops = loops(file, &linked, problems);
    let edges = edges(file, &linked);
    linked.order = order(file, &edges, problems);
    linked
}

/// Whether a reference names an output that there is; says so if not. An output of a stage whose operation is
/// unknown is taken on trust.
pub(super) fn check_output(reference: &Reference, linked: &Linked<'_>, problems: &mut Diagnostics) -> bool {
    let Some(stage) = linked.stage(&reference.stage.text) else {
        problems.push(unknown_stage(&reference.stage, linked));
        return false;
    };
    let Some(spec) = linked.spec(stage) else { return true };
    if spec.outputs.iter().any(|port| port.name == reference.port.text) {
        return true;
    }
    let port = &reference.port;
    let names = spec.outputs.iter().map(|port| port.name.as_str());
    problems.push(
        Diagnostic::at(
            port.span,
            format!("the stage `{}` (`{}`) has no output `{}`", reference.stage.text, spec.name, port.text),
        )
        .maybe_help(
            did_you_mean(&port.text, names, "its outputs are")
                .or_else(|| programs::help_declare(spec, &port.text)),
        ),
    );
    false
}

/// Checks what loops refer to; gives for each whether all is there that it carries.
fn loops(file: &File, linked: &Linked<'_>, problems: &mut Diagnostics) -> Vec<bool> {
    let check = |(number, of): (usize, &LoopDecl)| {
        let name = &of.frame.name.text;
        let mut sound = true;
        for reference in of.frame.references() {
            sound &= check_output(reference, linked, problems);
        }
        for carry in &of.carry {
            let Some(then) = &carry.then else {
                sound = false;
                continue;
            };
            let inside =
                linked.stage(&then.stage.text).is_none_or(|stage| file.stages[stage].body_of == Some(number));
            if !inside {
                problems.push(
                    Diagnostic::at(then.span, format!("`{}` is not a stage of the loop `{name}`", then.stage.text))
                        .help("what is carried on comes from a stage of the loop; the first one, from outside, is `first`"),
                );
            }
            sound &= inside && check_output(then, linked, problems);
        }
        let first = of.frame.inputs.iter().all(|(_, connection)| !matches!(connection, Connection::Broken));
        if let Some(until) = &of.until {
            check_until(file, (number, name), until, linked, problems);
        }
        sound && first
    };
    file.loops.iter().enumerate().map(check).collect()
}

/// What the end of a loop is decided by: metrics of its stages.
fn check_until(
    file: &File,
    (number, name): (usize, &str),
    until: &Tree,
    linked: &Linked<'_>,
    problems: &mut Diagnostics,
) {
    let reads = outputs(until);
    if reads.is_empty() && !matches!(until.data, Data::Broken) {
        problems.push(Diagnostic::at(until.span, "`until` reads nothing that the loop puts out").help(
            "write a condition on metrics of a stage of it: `until: \"${{ score.metrics.error < 0.1 }}\"`",
        ));
    }
    for (stage, port) in reads {
        let found = linked.stage(&format!("{name}.{stage}"));
        let Some(found) = found.filter(|found| file.stages[*found].body_of == Some(number)) else {
            let own = file.stages.iter().filter(|stage| stage.body_of == Some(number));
            let names = own.filter_map(|stage| stage.name.text.rsplit('.').next());
            problems.push(
                Diagnostic::at(until.span, format!("the loop `{name}` has no stage `{stage}`"))
                    .maybe_help(did_you_mean(&stage, names, "its stages are")),
            );
            continue;
        };
        let Some(spec) = linked.spec(found) else { continue };
        match spec.outputs.iter().find(|output| output.name == port) {
            Some(output) if output.kind == Kind::Metrics => {}
            Some(output) => problems.push(
                Diagnostic::at(until.span, format!("`{stage}.{port}` does not hold metrics"))
                    .label(format!("it is a {}", output.kind)),
            ),
            None => {
                let names = spec.outputs.iter().map(|port| port.name.as_str());
                problems.push(
                    Diagnostic::at(until.span, format!("the stage `{stage}` has no output `{port}`"))
                        .maybe_help(did_you_mean(&port, names, "its outputs are")),
                );
            }
        }
    }
}

/// Whether an output can hold the values of an axis; says so if not.
fn check_holds(from: &Reference, linked: &Linked<'_>, problems: &mut Diagnostics) {
    let spec = linked.stage(&from.stage.text).and_then(|stage| linked.spec(stage));
    let port = spec.and_then(|spec| spec.outputs.iter().find(|port| port.name == from.port.text));
    if let Some(port) = port.filter(|port| !matches!(port.kind, Kind::Folder | Kind::File | Kind::Metrics)) {
        problems.push(
            Diagnostic::at(from.span, "an axis cannot be made of this output")
                .label(format!("this is a {}", port.kind))
                .help("the values are the entries of a folder, or a JSON list in a file or in metrics"),
        );
    }
}

fn unknown_stage(word: &Word, linked: &Linked<'_>) -> Diagnostic {
    let below = format!("{}.", word.text);
    if let Some(inner) = linked.index.keys().filter(|name| name.starts_with(&below)).min() {
        return Diagnostic::at(word.span, format!("`{}` stands for several stages", word.text))
            .help(format!("name one of them: `{inner}`"));
    }
    let mut names: Vec<&str> = linked.index.keys().copied().collect();
    names.sort_by_key(|name| linked.index[name]);
    Diagnostic::at(word.span, format!("there is no stage `{}`", word.text)).maybe_help(did_you_mean(
        &word.text,
        names,
        "the stages are",
    ))
}

fn unknown_operation(uses: &Word, catalog: &Catalog) -> Diagnostic {
    let problem = Diagnostic::at(uses.span, format!("there is no operation `{}`", uses.text));
    let names: Vec<&str> = catalog.names().collect();
    if let Some(near) = crate::diagnostics::closest(&uses.text, names.iter().copied()) {
        return problem.help(format!("did you mean `{near}`?"));
    }
    let Some((plugin, verb)) = uses.text.split_once('/') else {
        let same_verb: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| name.split_once('/').is_some_and(|(_, v)| v == uses.text))
            .collect();
        return match same_verb.as_slice() {
            [] => problem.help("operations are named `plugin/verb`; `flow plugins` lists them"),
            found => problem.help(format!("did you mean {}?", list(found))),
        };
    };
    let of_plugin: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| name.split_once('/').is_some_and(|(known, _)| known == plugin))
        .collect();
    if !of_plugin.is_empty() {
        return problem.help(format!("the operations of `{plugin}` are {}", list(&of_plugin)));
    }
    let plugins: Vec<&str> = catalog.plugins().iter().map(flow_plugin::Plugin::name).collect();
    match crate::diagnostics::closest(plugin, plugins.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}/{verb}`?")),
        None => {
            problem.help(format!("the plugins are {}; `flow plugins` lists their operations", list(&plugins)))
        }
    }
}

fn unknown_input(port: &Word, spec: &Spec) -> Diagnostic {
    let names: Vec<&str> = spec.inputs.iter().map(|port| port.name.as_str()).collect();
    let problem = Diagnostic::at(port.span, format!("`{}` has no input `{}`", spec.name, port.text))
        .label("unknown input");
    if names.is_empty() {
        return problem.help(format!("`{}` takes no inputs", spec.name));
    }
    problem.maybe_help(did_you_mean(&port.text, names, "its inputs are"))
}

/// One stage needs another, and the text that says so.
struct Need {
    on: usize,
    span: Span,
}

fn edges(file: &File, linked: &Linked<'_>) -> Vec<Vec<Need>> {
    file.stages
        .iter()
        .map(|stage| {
            // A stage of a loop comes after what the loop itself needs.
            let frame = stage.body_of.map(|of| &file.loops[of].frame);
            let data = stage.references().chain(frame.into_iter().flat_map(StageDecl::references));
            let data = data.filter_map(|r| Some(Need { on: linked.stage(&r.stage.text)?, span: r.span }));
            let order = stage
                .needs
                .iter()
                .filter_map(|word| Some(Need { on: linked.stage(&word.text)?, span: word.span }));
            data.chain(order).collect()
        })
        .collect()
}

/// Kahn's algorithm, the earliest stage of the file first among those that are ready. What remains has a cycle.
fn order(file: &File, needs: &[Vec<Need>], problems: &mut Diagnostics) -> Vec<usize> {
    let count = needs.len();
    let mut waiting: Vec<usize> = vec![0; count];
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (stage, needs) in needs.iter().enumerate() {
        let mut on: Vec<usize> = needs.iter().map(|need| need.on).collect();
        on.sort_unstable();
        on.dedup();
        waiting[stage] = on.len();
        for earlier in on {
            behind[earlier].push(stage);
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..count).filter(|stage| waiting[*stage] == 0).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(stage) = ready.pop_first() {
        order.push(stage);
        for later in &behind[stage] {
            waiting[*later] -= 1;
            if waiting[*later] == 0 {
                ready.insert(*later);
            }
        }
    }
    let mut left: Vec<bool> = vec![true; count];
    for stage in &order {
        left[*stage] = false;
    }
    // From any stage that is left, going to what it needs among those left ends in a cycle.
    let mut seen = vec![false; count];
    for start in 0..count {
        if !left[start] || seen[start] {
            continue;
        }
        let mut path: Vec<(usize, Span)> = Vec::new();
        let mut at = start;
        while !seen[at] {
            seen[at] = true;
            let Some(need) = needs[at].iter().find(|need| left[need.on]) else { break };
            path.push((at, need.span));
            at = need.on;
        }
        if let Some(first) = path.iter().position(|(stage, _)| *stage == at) {
            problems.push(cycle(file, &path[first..]));
        }
    }
    order
}

fn cycle(file: &File, path: &[(usize, Span)]) -> Diagnostic {
    let name = |stage: usize| file.stages[stage].name.text.as_str();
    // The path goes from a stage to what it needs.
    let first = path[0].0;
    if path.len() == 1 {
        return Diagnostic::at(path[0].1, format!("the stage `{}` needs itself", name(first)));
    }
    let mut names: Vec<String> = path.iter().map(|(stage, _)| format!("`{}`", name(*stage))).collect();
    names.push(format!("`{}`", name(first)));
    let label = |index: usize| {
        let next = path[(index + 1) % path.len()].0;
        format!("`{}` needs `{}`", name(path[index].0), name(next))
    };
    let mut problem =
        Diagnostic::at(path[0].1, format!("stages need each other in a circle: {}", names.join(" → ")))
            .label(label(0));
    for (index, (_, span)) in path.iter().enumerate().skip(1) {
        problem = problem.also(*span, label(index));
    }
    problem.help("one of these connections must go")
}

/// What an input could be connected to: outputs of earlier stages of the right kind and type.
pub(super) fn candidates(
    file: &File,
    linked: &Linked<'_>,
    consumer: usize,
    input: &flow_plugin::Port,
) -> Vec<String> {
    let mut found = Vec::new();
    for (number, stage) in file.stages.iter().enumerate() {
        let Some(spec) = linked.spec(number).filter(|_| number != consumer) else { continue };
        for port in &spec.outputs {
            if port.kind == input.kind && (input.nominal.is_none() || input.nominal == port.nominal) {
                found.push(format!("{}.{}", stage.name.text, port.name));
            }
        }
    }
    found
}

/// Whether anything that a connection names is missing.
pub(super) fn is_resolved(connection: &Connection, linked: &Linked<'_>) -> bool {
    let carried = match connection {
        Connection::Broken => false,
        Connection::Carry { of, .. } => linked.loops[*of],
        Connection::Collect(items, _) => {
            items.iter().all(|item| !matches!(item, Item::Carry { of, .. } if !linked.loops[*of]))
        }
        _ => true,
    };
    carried && connection.references().iter().all(|reference| is_there(reference, linked))
}

/// Whether the output that a reference names is there, as far as that can be told.
pub(super) fn is_there(reference: &Reference, linked: &Linked<'_>) -> bool {
    linked.stage(&reference.stage.text).is_some_and(|stage| {
        let spec = linked.spec(stage);
        spec.is_none_or(|spec| spec.outputs.iter().any(|port| port.name == reference.port.text))
    })
}
