//! What is set from outside: profiles and `--set`. Both change the tree before it is read, so whatever they
//! bring is checked like the file itself, and messages point into what was typed.

use super::file::Word;
use super::tree::{Data, Entry, Tree};
use super::yaml;
use crate::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};

/// Checks every profile of the file and merges the chosen one into the parameters.
pub(super) fn profile(root: &mut Tree, chosen: Option<&Word>, problems: &mut Diagnostics) {
    let profiles = root.get("profiles").cloned();
    let names: Vec<String> = profiles
        .iter()
        .flat_map(|profiles| profiles.value.entries())
        .map(|profile| profile.key.clone())
        .collect();
    if let Some(profiles) = &profiles {
        if !matches!(profiles.value.data, Data::Map(_) | Data::Null) {
            problems.push(
                Diagnostic::at(profiles.value.span, "`profiles` must be a mapping of names to changes")
                    .label(format!("this is {}", profiles.value.describe())),
            );
        }
        for entry in profiles.value.entries() {
            check_profile(root, entry, problems);
        }
    }
    let Some(chosen) = chosen else { return };
    let found = profiles.as_ref().and_then(|profiles| profiles.value.get(&chosen.text));
    let Some(found) = found else {
        let help = if names.is_empty() {
            Some("the workflow declares no profiles".to_owned())
        } else {
            did_you_mean(&chosen.text, names.iter().map(String::as_str), "its profiles are")
        };
        let message = format!("the workflow has no profile `{}`", chosen.text);
        problems.push(Diagnostic::at(chosen.span, message).maybe_help(help));
        return;
    };
    if let Some(params) = found.value.get("params")
        && let Some(own) = entry_mut(root, "params")
        && matches!(params.value.data, Data::Map(_))
    {
        own.value.merge(params.value.clone());
    }
}

fn check_profile(root: &Tree, profile: &Entry, problems: &mut Diagnostics) {
    if !matches!(profile.value.data, Data::Map(_)) {
        let what = profile.value.describe();
        problems.push(
            Diagnostic::at(profile.value.span, format!("the profile `{}` is not a mapping", profile.key))
                .label(format!("this is {what}"))
                .help("write `NAME: { params: { … } }`"),
        );
    }
    for entry in profile.value.entries() {
        if entry.key != "params" {
            let known = root.get("params").is_some_and(|params| params.value.get(&entry.key).is_some());
            let help = if known {
                format!("parameters stand under `params`: `{{ params: {{ {}: … }} }}`", entry.key)
            } else {
                "a profile changes `params`".to_owned()
            };
            problems.push(
                Diagnostic::at(entry.key_span, format!("a profile has no key `{}`", entry.key))
                    .label("unknown key")
                    .help(help),
            );
        }
    }
    let own = root.get("params");
    for param in profile.value.get("params").map_or(&[][..], |params| params.value.entries()) {
        if own.is_none_or(|own| own.value.get(&param.key).is_none()) {
            let names = own.into_iter().flat_map(|own| own.value.entries()).map(|entry| entry.key.as_str());
            problems.push(
                Diagnostic::at(
                    param.key_span,
                    format!("the profile `{}` sets `{}`, which is no parameter", profile.key, param.key),
                )
                .maybe_help(did_you_mean(&param.key, names, "the parameters are")),
            );
        }
    }
}

/// Applies one `--set NAME[.sub]=V` or `--set STAGE.with.X=V`.
pub(super) fn set(root: &mut Tree, setting: &str, problems: &mut Diagnostics) {
    let source = problems.add_source("command line".into(), format!("--set {setting}"));
    let base = "--set ".len();
    let Some((name, _)) = setting.split_once('=') else {
        let span = Span::new(source, base, base + setting.len());
        problems.push(
            Diagnostic::at(span, "this setting has no value")
                .help("write `--set NAME=VALUE` or `--set STAGE.with.NAME=VALUE`"),
        );
        return;
    };
    let Some(value) = yaml::read(source, base + name.len() + 1, problems) else { return };
    // The pieces of the name with their places. What an included file brings has points in its name.
    let whole = whole(root, name);
    let (first, rest) = (&name[..whole], name[whole..].strip_prefix('.'));
    let mut at = base;
    let parts: Vec<(&str, Span)> = std::iter::once(first)
        .chain(rest.into_iter().flat_map(|rest| rest.split('.')))
        .map(|part| {
            let span = Span::new(source, at, at + part.len());
            at += part.len() + 1;
            (part, span)
        })
        .collect();
    let is_param = root.get("params").is_some_and(|params| params.value.get(parts[0].0).is_some());
    if !is_param && parts.len() >= 2 && parts[1].0 == "with" {
        return set_stage(root, &parts, value, problems);
    }
    set_param(root, &parts, value, problems);
}

/// How long the start of a setting's name is that names a parameter or a stage, or would do so.
fn whole(root: &Tree, name: &str) -> usize {
    let sections = ["params", "stages"].into_iter().filter_map(|key| root.get(key));
    let known: Vec<&str> =
        sections.flat_map(|section| section.value.entries()).map(|entry| entry.key.as_str()).collect();
    let mut ends: Vec<usize> = name.match_indices('.').map(|(at, _)| at).chain([name.len()]).collect();
    if let Some(longest) = ends.iter().rev().find(|end| known.contains(&&name[..**end])) {
        return *longest;
    }
    // One more piece than what is in front of the names that an included file brings.
    let prefixes = |end: usize| known.iter().any(|known| known.starts_with(&format!("{}.", &name[..end])));
    let pieces = ends.iter().take_while(|end| prefixes(**end)).count();
    ends.swap_remove(pieces.min(ends.len() - 1))
}

fn set_param(root: &mut Tree, parts: &[(&str, Span)], value: Tree, problems: &mut Diagnostics) {
    let stage = root.get("stages").is_some_and(|stages| stages.value.get(parts[0].0).is_some());
    let Some(params) = entry_mut(root, "params") else {
        let help = if stage {
            format!("parameters of a stage are set with `--set {}.with.NAME=VALUE`", parts[0].0)
        } else {
            "the workflow declares no parameters; those of a stage are set with `--set STAGE.with.NAME=VALUE`"
                .to_owned()
        };
        problems
            .push(Diagnostic::at(parts[0].1, format!("there is no parameter `{}`", parts[0].0)).help(help));
        return;
    };
    let mut place = &mut params.value;
    let mut path = String::from("params");
    for (part, span) in parts {
        if place.get(part).is_none() {
            let message = match &place.data {
                Data::Map(_) if path == "params" => format!("there is no parameter `{part}`"),
                Data::Map(_) => format!("`{path}` has no `{part}`"),
                _ => format!("`{path}` is {}, it has no `{part}`", place.describe()),
            };
            let names = place.entries().iter().map(|entry| entry.key.as_str());
            let help = if stage && path == "params" {
                Some(format!("parameters of a stage are set with `--set {part}.with.NAME=VALUE`"))
            } else {
                did_you_mean(part, names, "there are")
            };
            problems.push(Diagnostic::at(*span, message).maybe_help(help));
            return;
        }
        path = format!("{path}.{part}");
        match entry_mut(place, part) {
            Some(entry) => place = &mut entry.value,
            // Just seen to be there.
            None => return,
        }
    }
    *place = value;
}

fn set_stage(root: &mut Tree, parts: &[(&str, Span)], value: Tree, problems: &mut Diagnostics) {
    let (stage, stage_span) = parts[0];
    let names: Vec<String> = root
        .get("stages")
        .into_iter()
        .flat_map(|stages| stages.value.entries())
        .map(|stage| stage.key.clone())
        .collect();
    let Some(entry) = entry_mut(root, "stages").and_then(|stages| entry_mut(&mut stages.value, stage)) else {
        let help = did_you_mean(stage, names.iter().map(String::as_str), "the stages are");
        problems.push(
            Diagnostic::at(stage_span, format!("there is no stage or parameter `{stage}`")).maybe_help(help),
        );
        return;
    };
    if parts.len() == 2 {
        problems.push(
            Diagnostic::at(parts[1].1, "this setting does not say which parameter")
                .help(format!("write `--set {stage}.with.NAME=VALUE`")),
        );
        return;
    }
    // `with` itself and mappings below it come into being as they are needed: which names there may be is
    // checked against the operation, like everything under `with`.
    let mut place = &mut entry.value;
    let mut path = stage.to_owned();
    for (part, span) in &parts[1..] {
        if matches!(place.data, Data::Null) {
            place.data = Data::Map(Vec::new());
        }
        let what = place.describe();
        let Data::Map(entries) = &mut place.data else {
            problems.push(
                Diagnostic::at(*span, format!("`{path}` is {what} here, it has no `{part}`"))
                    .help(format!("set the whole: `--set {path}=VALUE`")),
            );
            return;
        };
        path = format!("{path}.{part}");
        let at = entries.iter().position(|entry| entry.key == *part).unwrap_or_else(|| {
            let value = Tree::new(*span, Data::Null);
            entries.push(Entry { key: (*part).to_owned(), key_span: *span, value });
            entries.len() - 1
        });
        place = &mut entries[at].value;
    }
    *place = value;
}

pub(super) fn entry_mut<'t>(tree: &'t mut Tree, key: &str) -> Option<&'t mut Entry> {
    match &mut tree.data {
        Data::Map(entries) => entries.iter_mut().find(|entry| entry.key == key),
        _ => None,
    }
}
