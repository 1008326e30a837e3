//! Naming the parts of a key that changed.

use std::collections::{BTreeMap, BTreeSet};

use flow_plugin::Digest;
use flow_store::{Computation, Recipe};
use serde_json::{Map, Value};

use super::resolve::{Input, Ports};
use crate::key::CODE;
use crate::{exec, host};

/// What is to be computed.
pub(crate) struct Now<'a> {
    pub(crate) recipe: &'a Recipe,
    /// None where an input is not known yet.
    pub(crate) ports: Option<&'a Ports>,
}

/// How many differences are spelt out.
const SHOWN: usize = 4;

/// The longest value that is shown in full, in characters.
const VALUE: usize = 40;

/// What is different from an earlier computation, with old and new values.
pub(crate) fn difference(before: &Computation, now: &Now<'_>) -> String {
    match changes(before, now) {
        none if none.is_empty() => "never computed".to_owned(),
        changes => changes,
    }
}

/// The same; empty where nothing is different.
pub(crate) fn changes(before: &Computation, now: &Now<'_>) -> String {
    let ports = now.ports.map(|ports| {
        let digests = |inputs: &Vec<Input>| inputs.iter().map(|input| input.digest).collect();
        ports.iter().map(|(port, inputs)| (port.as_str(), digests(inputs))).collect()
    });
    let parts = parts(before, now.recipe, ports);
    match parts.len() {
        n if n > SHOWN => format!("{}; and {} more changes", parts[..SHOWN].join("; "), n - SHOWN),
        _ => parts.join("; "),
    }
}

/// What is different about a program: its text, the values in it, or its environment.
fn command(old: &Value, new: &Value, parts: &mut Vec<String>) {
    let (mut was, mut is) = (old["run"].clone(), new["run"].clone());
    if crate::key::canonical(&was) != crate::key::canonical(&is) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        take_values(&mut was, &mut before);
        take_values(&mut is, &mut after);
        if was == is && before.len() == after.len() {
            let changed = before.iter().zip(&after).filter(|(old, new)| old != new);
            parts.extend(changed.map(|(old, new)| format!("run: a value {} → {}", shown(old), shown(new))));
        } else {
            parts.push("run: the command's text".to_owned());
        }
    }
    params("env", &old["env"], &new["env"], parts);
    params("environment", &old["environment"], &new["environment"], parts);
    for (what, key) in [("the form of input", "forms"), ("the kind of output", "kinds")] {
        let empty = Value::Object(serde_json::Map::new());
        let [old, new] = [old, new].map(|command| command.get(key).unwrap_or(&empty));
        params(what, old, new, parts);
    }
}

/// Takes the values out of a command, in order.
fn take_values(command: &mut Value, values: &mut Vec<Value>) {
    match command {
        Value::Object(map) => {
            if let Some(value) = map.get_mut("value") {
                values.push(value.take());
            }
            map.values_mut().for_each(|inner| take_values(inner, values));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| take_values(inner, values)),
        _ => {}
    }
}

/// What is different between two computations, with old and new values.
pub(crate) fn between(before: &Computation, after: &Computation) -> Vec<String> {
    let mut ports: Connected<'_> = Vec::new();
    for input in &after.inputs {
        match ports.last_mut() {
            Some((port, digests)) if *port == input.port => digests.push(input.digest),
            _ => ports.push((&input.port, vec![input.digest])),
        }
    }
    parts(before, &after.recipe, Some(ports))
}

/// What is connected, by port in order.
type Connected<'a> = Vec<(&'a str, Vec<Digest>)>;

fn parts(before: &Computation, recipe: &Recipe, ports: Option<Connected<'_>>) -> Vec<String> {
    let mut parts = Vec::new();
    if before.recipe.operation != recipe.operation {
        parts.push(format!("operation {} → {}", before.recipe.operation, recipe.operation));
    } else if before.recipe.version != recipe.version {
        let (old, new) = (before.recipe.version, recipe.version);
        parts.push(format!("version of {} {old} → {new}", recipe.operation));
    }
    let (mut old, mut new) = (before.recipe.params(), recipe.params());
    let [was, is] =
        [&mut old, &mut new].map(|params| params.as_object_mut().and_then(|p| p.shift_remove(CODE)));
    code(&was.unwrap_or_default(), &is.unwrap_or_default(), &mut parts);
    if recipe.operation == exec::RUN && before.recipe.operation == exec::RUN {
        command(&old, &new, &mut parts);
    } else {
        params("params", &old, &new, &mut parts);
    }
    if before.recipe.seed != recipe.seed {
        parts.push(format!("seed {} → {}", before.recipe.seed, recipe.seed));
    }
    if let Some(ports) = ports {
        inputs(before, &ports, &mut parts);
    }
    parts
}

/// What is different about the code of an operation: files by name, versions in full.
fn code(old: &Value, new: &Value, parts: &mut Vec<String>) {
    let empty = Map::new();
    let [old, new] = [old, new].map(|code| code.as_object().unwrap_or(&empty));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let [was, is] = [old, new].map(|code| code.get(name).and_then(Value::as_str));
        match (was, is) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) if name == host::ENVIRONMENT => {
                let [was, is] = [was, is].map(|text| serde_json::from_str(text).unwrap_or_default());
                params(name, &was, &is, parts);
            }
            (Some(was), Some(is)) if was.len().max(is.len()) <= VALUE => {
                parts.push(format!("{name} {was} → {is}"))
            }
            (Some(_), Some(_)) => parts.push(format!("{name} changed")),
            (None, _) => parts.push(format!("{name} is new")),
            (_, None) => parts.push(format!("{name} is no longer used")),
        }
    }
}

fn params(at: &str, old: &Value, new: &Value, parts: &mut Vec<String>) {
    if let (Value::Object(old), Value::Object(new)) = (old, new) {
        // Sorted, so that the text does not depend on how either was written down.
        let names: BTreeMap<&String, ()> = old.keys().chain(new.keys()).map(|name| (name, ())).collect();
        for name in names.into_keys() {
            let at = format!("{at}.{name}");
            match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) => params(&at, old, new, parts),
                (Some(old), None) => parts.push(format!("{at} {} → none", shown(old))),
                (None, Some(new)) => parts.push(format!("{at} none → {}", shown(new))),
                (None, None) => {}
            }
        }
    } else if crate::key::canonical(old) != crate::key::canonical(new) {
        parts.push(format!("{at} {} → {}", shown(old), shown(new)));
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn inputs(before: &Computation, ports: &Connected<'_>, parts: &mut Vec<String>) {
    let mut old: BTreeMap<&str, Vec<&flow_store::InputRecord>> = BTreeMap::new();
    for input in &before.inputs {
        old.entry(&input.port).or_default().push(input);
    }
    for (port, new) in ports {
        let old = old.remove(port).unwrap_or_default();
        // A program's own files come and go with its text.
        let own = port.starts_with("file:");
        if old.len() != new.len() && own {
            continue;
        }
        if old.len() != new.len() {
            parts.push(format!("input {port}: {} → {}", items(old.len()), items(new.len())));
            continue;
        }
        let changed: Vec<_> = old.iter().zip(new).filter(|(old, new)| old.digest != **new).collect();
        match changed.as_slice() {
            [] => {}
            // Of a program's own files the name says it all.
            [_] if port.starts_with("file:") || port.starts_with("program:") => {
                let name = port.split_once(':').map_or(*port, |(_, name)| name);
                parts.push(format!("{name} changed"));
            }
            [(old, new)] => parts.push(format!(
                "input data changed: {port} from {} ({} → {})",
                old.from,
                old.digest.short(),
                new.short()
            )),
            several => parts.push(format!("input data changed: {port}, {}", items(several.len()))),
        }
    }
    for port in old.into_keys().filter(|port| !port.starts_with("file:")) {
        parts.push(format!("input {port} is no longer connected"));
    }
}

fn items(n: usize) -> String {
    match n {
        0 => "not connected".to_owned(),
        1 => "1 item".to_owned(),
        n => format!("{n} items"),
    }
}

#[cfg(test)]
mod tests {
    use flow_store::InputRecord;
    use serde_json::json;

    use super::*;

    fn recipe(params: &Value, seed: u64) -> Recipe {
        Recipe {
            digest: Digest::of(b""),
            operation: "demo/text".into(),
            version: 1,
            params: params.to_string(),
            seed,
        }
    }

    #[test]
    fn old_and_new_values_are_named() {
        let before = Computation {
            recipe: recipe(&json!({"epochs": 40, "model": {"kind": "fno"}}), 1),
            inputs: vec![],
        };
        let new = recipe(&json!({"model": {"kind": "ufno", "modes": 8}, "epochs": 60}), 2);
        assert_eq!(
            difference(&before, &Now { recipe: &new, ports: Some(&Vec::new()) }),
            "params.epochs 40 → 60; params.model.kind \"fno\" → \"ufno\"; params.model.modes none → 8; seed 1 → 2"
        );
    }

    #[test]
    fn changed_and_lost_inputs_are_named() {
        let input = |port: &str, content: &[u8]| InputRecord {
            port: port.into(),
            index: 0,
            digest: Digest::of(content),
            from: "geology.reservoirs".into(),
        };
        let recipe = recipe(&json!({}), 0);
        let before = Computation { recipe: recipe.clone(), inputs: vec![input("x", b"1"), input("y", b"1")] };
        let new = Input {
            digest: Digest::of(b"2"),
            kind: flow_plugin::Kind::File,
            output: None,
            path: None,
            coordinates: None,
            within: None,
        };
        let text = difference(&before, &Now { recipe: &recipe, ports: Some(&vec![("x".into(), vec![new])]) });
        assert!(text.starts_with("input data changed: x from geology.reservoirs ("), "{text}");
        assert!(text.ends_with("; input y is no longer connected"), "{text}");
    }
}
