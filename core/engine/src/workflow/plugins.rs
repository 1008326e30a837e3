//! The workflow's own plugins: found, asked what they offer, and added to the catalogue.

use std::path::Path;
use std::time::Duration;

use super::Options;
use super::file::{PluginAt, PluginDecl};
use super::nodes::Place;
use crate::catalog::Catalog;
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::host::{self, Problem, Wanted, Where};

/// How long a plugin may take to start: importing large libraries takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Adds the plugins to the catalogue; says what is wrong with those that cannot be used.
pub(super) fn add(
    plugins: &[PluginDecl],
    place: &Place,
    options: &Options,
    catalog: &mut Catalog,
    problems: &mut Diagnostics,
) {
    let store = options.store.clone().unwrap_or_else(|| place.root.join(".flow"));
    for plugin in plugins {
        let span = plugin.name.span;
        if catalog.is_built_in(&plugin.name.text) {
            let message =
                format!("there is a plugin `{}` already, which comes with this program", plugin.name.text);
            problems.push(Diagnostic::at(span, message).help("call it otherwise"));
            continue;
        }
        let Some(at) = &plugin.at else {
            catalog.set_broken(&plugin.name.text);
            continue;
        };
        let (at, written) = match at {
            PluginAt::Python { target, environment } => {
                let environment = environment.as_ref().map(|word| word.text.clone());
                (Where::Python { target: target.text.clone(), environment }, target.span)
            }
            PluginAt::Command(words) => {
                let span = words.first().map_or(span, |word| word.span);
                (Where::Command(words.iter().map(|word| word.text.clone()).collect()), span)
            }
        };
        let wanted = Wanted {
            name: &plugin.name.text,
            at,
            folder: place.base(span),
            patience: plugin.timeout.unwrap_or(PATIENCE),
            store: &store,
        };
        let found = match catalog.starts_programs() {
            true => host::find(&wanted, options.tell.unwrap_or(|_| ())),
            false => Err(host::left_alone(&wanted)),
        };
        let found = found.map_err(|problem| {
            problems_of(&plugin.name.text, problem, written, &place.current, problems);
        });
        match found {
            // That the name is free has been seen above.
            Ok(hosted) => drop(catalog.host(hosted.plugin, hosted.program)),
            Err(()) => catalog.set_broken(&plugin.name.text),
        }
    }
}

/// Says what is wrong with a plugin: in its own code, where the place is known.
fn problems_of(name: &str, problem: Problem, written: Span, current: &Path, problems: &mut Diagnostics) {
    let message = format!("the plugin `{name}` cannot be used: {}", problem.message);
    let mut diagnostic = Diagnostic::at(written, &message);
    if let Some((file, line)) = &problem.place
        && let Ok(text) = std::fs::read_to_string(file)
        && let Some(within) = line_of(&text, *line)
    {
        let shown = file.strip_prefix(current).unwrap_or(file).display().to_string();
        let source = problems.add_source(shown, text);
        let place = Span::new(source, within.start, within.end);
        diagnostic = Diagnostic::at(place, &message).also(written, "it is named here");
    }
    if !problem.notes.is_empty() {
        diagnostic = diagnostic.note(problem.notes.join("\n"));
    }
    problems.push(diagnostic.maybe_help(problem.help));
}

/// Where a line is in a text, without the space around it. Lines count from 1.
fn line_of(text: &str, line: usize) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for (at, found) in text.split_inclusive('\n').enumerate() {
        if at + 1 == line {
            let indent = found.len() - found.trim_start().len();
            return Some(start + indent.min(found.trim_end().len())..start + found.trim_end().len());
        }
        start += found.len();
    }
    None
}
