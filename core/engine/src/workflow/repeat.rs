//! `repeat`: the stages of a loop, taken out of it.
//!
//! The stage `train` in the loop `learn` becomes the stage `learn.train`, and what refers to it in the loop follows;
//! `carry.data` there becomes `learn.carry.data`. So all that comes later sees stages in one list.

use super::file::{self, CARRY, MATRIX, Word};
use super::references;
use super::settings::entry_mut;
use super::tree::{Data, Entry, Tree};
use crate::diagnostics::{Diagnostic, Diagnostics};

/// Takes the stages out of all loops of a file.
pub(super) fn flatten(root: &mut Tree, problems: &mut Diagnostics) {
    let Some(stages) = entry_mut(root, "stages") else { return };
    let Data::Map(entries) = &mut stages.value.data else { return };
    for mut entry in std::mem::take(entries) {
        let body = take_out(&mut entry, problems);
        entries.push(entry);
        entries.extend(body);
    }
}

/// The stages of a loop, under their new names; nothing for other stages.
fn take_out(stage: &mut Entry, problems: &mut Diagnostics) -> Vec<Entry> {
    let prefix = stage.key.clone();
    let Some(repeat) = entry_mut(&mut stage.value, "repeat") else { return Vec::new() };
    let (repeat_span, is_map) = (repeat.key_span, matches!(repeat.value.data, Data::Map(_)));
    let Data::Map(keys) = &mut repeat.value.data else { return Vec::new() };
    let at = keys.iter().position(|entry| entry.key == "stages");
    let body = at.map(|at| keys.remove(at));
    let mut body = match body.map(|body| (body.value.data, body.value.span)) {
        Some((Data::Map(body), _)) if !body.is_empty() => body,
        _ => {
            if is_map {
                problems.push(
                    Diagnostic::at(repeat_span, format!("the loop `{prefix}` has no stages"))
                        .help("write them under it: `repeat: { stages: { NAME: { uses: … } }, … }`"),
                );
            }
            return Vec::new();
        }
    };
    let names: Vec<String> = body.iter().map(|entry| entry.key.clone()).collect();
    let rename = |text: &str| {
        let first = text.split_once('.').map_or(text, |(first, _)| first);
        (first == CARRY || names.iter().any(|name| name == first)).then(|| format!("{prefix}.{text}"))
    };
    for inner in body.iter().filter_map(|entry| entry.value.get("repeat")) {
        problems.push(
            Diagnostic::at(inner.key_span, "a loop cannot stand in another one")
                .help("write it as a loop of its own, and let the stages of this one read its result"),
        );
    }
    body.retain(|entry| entry.value.get("repeat").is_none());
    for entry in &mut body {
        let name = Word { text: entry.key.clone(), span: entry.key_span };
        if !file::is_name(&name.text) {
            problems.push(file::bad_name(&name, "stage"));
        } else if matches!(name.text.as_str(), MATRIX | CARRY) {
            problems.push(
                Diagnostic::at(name.span, format!("`{}` cannot be the name of a stage in a loop", name.text))
                    .help("under `inputs` it means something else"),
            );
        }
        references::rename(&mut entry.value, &rename);
        entry.key = format!("{prefix}.{}", entry.key);
    }
    // What is carried on comes from a stage of the loop; the first one from outside.
    let carry =
        entry_mut(&mut stage.value, "repeat").and_then(|repeat| entry_mut(&mut repeat.value, "carry"));
    if let Some(carry) = carry
        && let Data::Map(carried) = &mut carry.value.data
    {
        for entry in carried {
            if let Some(then) = entry_mut(&mut entry.value, "then") {
                references::reference(&mut then.value, &rename);
            }
        }
    }
    body
}
