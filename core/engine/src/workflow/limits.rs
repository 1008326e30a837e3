//! `resources`, `retry` and `timeout` of a stage.

use std::time::Duration;

use flow_artifact::units;
use serde_json::{Value, json};

use super::tree::{Data, Tree};
use crate::diagnostics::{Diagnostic, Diagnostics, did_you_mean};
use crate::graph::{Cpus, Resources};
use crate::human::parse_bytes;

/// Reads `resources`, already evaluated.
pub(super) fn resources(tree: &Tree, problems: &mut Diagnostics) -> Resources {
    let mut resources = Resources::default();
    if !matches!(tree.data, Data::Map(_)) {
        problems.push(wrong(tree, "`resources` must be a mapping such as `{ cpus: 2, memory: 4 GiB }`"));
        return resources;
    }
    for entry in tree.entries() {
        match entry.key.as_str() {
            "cpus" => match cpus(&entry.value) {
                Some(cpus) => resources.cpus = cpus,
                None => problems.push(wrong(&entry.value, "`cpus` must be a whole number from 1, or `all`")),
            },
            "memory" => match memory(&entry.value) {
                Ok(memory) => resources.memory = Some(memory),
                Err(problem) => problems.push(*problem),
            },
            "gpus" | "device" => problems.push(
                Diagnostic::at(entry.key_span, format!("`{}` is not available in this version", entry.key))
                    .help("nodes run on the CPU; remove the key"),
            ),
            other => problems.push(
                Diagnostic::at(entry.key_span, format!("`resources` has no key `{other}`"))
                    .label("unknown key")
                    .maybe_help(did_you_mean(other, ["cpus", "memory"], "its keys are")),
            ),
        }
    }
    resources
}

/// What `resources` is in expressions.
pub(super) fn resources_value(resources: &Resources, cores: usize) -> Value {
    let cpus = match resources.cpus {
        Cpus::Count(count) => count,
        Cpus::All => cores,
    };
    json!({ "cpus": cpus, "memory": resources.memory })
}

/// Reads `retry`, already evaluated.
pub(super) fn retry(tree: &Tree, problems: &mut Diagnostics) -> u32 {
    const MOST: u64 = 100;
    match tree.to_value().as_u64().filter(|retry| *retry <= MOST) {
        // At most 100, so it fits.
        Some(retry) => u32::try_from(retry).unwrap_or(0),
        None => {
            problems.push(wrong(tree, &format!("`retry` must be a whole number from 0 to {MOST}")));
            0
        }
    }
}

/// Reads `timeout`, already evaluated.
pub(super) fn timeout(tree: &Tree, problems: &mut Diagnostics) -> Option<Duration> {
    let seconds = tree.text().map(|text| units::convert(text, "s"));
    match seconds {
        Some(Ok(seconds)) if seconds > 0.0 => match Duration::try_from_secs_f64(seconds) {
            Ok(timeout) => return Some(timeout),
            Err(_) => problems.push(wrong(tree, "`timeout` must be a duration such as `30 min`")),
        },
        Some(Err(error)) => {
            problems
                .push(wrong(tree, "`timeout` must be a duration such as `30 min`").note(error.to_string()));
        }
        _ => {
            let problem = wrong(tree, "`timeout` must be a duration with a unit, such as `30 min`");
            let number = match &tree.data {
                Data::Number(number) => Some(format!("write `{number} s` or `{number} min`")),
                _ => None,
            };
            problems.push(problem.maybe_help(number));
        }
    }
    None
}

fn cpus(tree: &Tree) -> Option<Cpus> {
    if tree.text() == Some("all") {
        return Some(Cpus::All);
    }
    let count = tree.to_value().as_u64().filter(|count| *count >= 1)?;
    usize::try_from(count).ok().map(Cpus::Count)
}

fn memory(tree: &Tree) -> Result<u64, Box<Diagnostic>> {
    let problem = wrong(tree, "`memory` must be an amount with a unit, such as `4 GiB` or `500 MB`");
    let Some(text) = tree.text() else {
        return Err(Box::new(match &tree.data {
            Data::Number(number) => problem.help(format!("write `{number} GiB` or `{number} MB`")),
            _ => problem,
        }));
    };
    parse_bytes(text).ok_or_else(|| Box::new(problem))
}

fn wrong(tree: &Tree, message: &str) -> Diagnostic {
    Diagnostic::at(tree.span, message).label(format!("this is {}", tree.describe()))
}
