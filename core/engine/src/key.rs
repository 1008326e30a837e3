//! Keys: the names of computations.
//!
//! A key is a hash over everything that can change a result and nothing else: the operation's name and
//! declared version, the canonical parameters, the seed, and the digests of the inputs by port, in order. An
//! item of a collection brings its matrix coordinates along, since the operation sees them. Names of nodes,
//! paths, resources, retries, comments and formatting are in no key.

use flow_plugin::Digest;
use flow_store::Recipe;
use serde_json::{Map, Value};

use crate::graph::Node;

/// One item connected to an input port.
#[derive(Clone, Debug, PartialEq)]
pub struct Item<'a> {
    /// What is connected.
    pub digest: Digest,
    /// Its matrix coordinates; `None` unless the port takes a collection.
    pub coordinates: Option<&'a Map<String, Value>>,
}

/// The part of a node's key that is known before its inputs are.
#[must_use]
pub fn recipe(node: &Node) -> Recipe {
    let params = recorded(&node.params, node);
    Recipe {
        digest: recipe_digest(&node.operation, node.version, &params, node.seed),
        operation: node.operation.clone(),
        version: node.version,
        params,
        seed: node.seed,
    }
}

/// What the code of an operation is called among its recorded parameters: no parameter can have this name.
pub(crate) const CODE: &str = "(code)";

/// The parameters as they enter a key and are recorded: with the code that counts, if some does.
fn recorded(params: &Value, node: &Node) -> String {
    if node.code.is_empty() {
        return canonical(params);
    }
    let mut all = params.as_object().cloned().unwrap_or_default();
    let code: Map<String, Value> =
        node.code.iter().map(|(name, code)| (name.clone(), code.as_str().into())).collect();
    all.insert(CODE.to_owned(), code.into());
    canonical_object(&all)
}

fn recipe_digest(operation: &str, version: u32, params: &str, seed: u64) -> Digest {
    let mut hasher = Hasher::new("flow recipe 1");
    hasher.text(operation).number(version.into()).text(params).number(seed);
    hasher.finish()
}

/// The key of a computation: a recipe, and what is connected to each port, in the order of the ports. A port
/// to which nothing is connected counts as absent, so that an operation can gain optional inputs.
#[must_use]
pub fn key(recipe: &Digest, ports: &[(&str, Vec<Item<'_>>)]) -> Digest {
    let mut hasher = Hasher::new("flow key 1");
    hasher.bytes(recipe.as_bytes());
    for (port, items) in ports.iter().filter(|(_, items)| !items.is_empty()) {
        hasher.text(port).number(items.len() as u64);
        for item in items {
            hasher.bytes(item.digest.as_bytes());
            if let Some(coordinates) = item.coordinates {
                hasher.text(&canonical_object(coordinates));
            }
        }
    }
    hasher.finish()
}

/// For a node that can go on from a shorter computation: the recipe without the extendable parameter, and that
/// parameter's value. `None` where the parameter is no whole number.
#[must_use]
pub fn family(node: &Node) -> Option<(Digest, i64)> {
    let parameter = node.extendable.as_ref()?;
    let mut params = node.params.clone();
    let (parent, last) = match parameter.rsplit_once('.') {
        Some((parent, last)) => {
            (parent.split('.').try_fold(&mut params, |value, name| value.get_mut(name))?, last)
        }
        None => (&mut params, parameter.as_str()),
    };
    let extent = parent.as_object_mut()?.shift_remove(last)?.as_i64()?;
    Some((recipe_digest(&node.operation, node.version, &recorded(&params, node), node.seed), extent))
}

/// JSON with sorted keys, no spaces, and numbers by value: `1`, `1.0` and `1e0` are written alike.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn canonical_object(object: &Map<String, Value>) -> String {
    let mut out = String::new();
    write_object(object, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Number(number) => write_number(number, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => write_object(object, out),
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

fn write_object(object: &Map<String, Value>, out: &mut String) {
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_unstable_by_key(|(name, _)| name.as_str());
    out.push('{');
    for (i, (name, value)) in entries.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&Value::String(name.clone()).to_string());
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

/// Every whole number up to here is a double of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn write_number(number: &serde_json::Number, out: &mut String) {
    match number.as_f64() {
        // A negative zero is kept apart: a result may depend on it.
        Some(float)
            if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT && !negative_zero(float) =>
        {
            out.push_str(&format!("{float:.0}"));
        }
        _ => out.push_str(&number.to_string()),
    }
}

fn negative_zero(float: f64) -> bool {
    float == 0.0 && float.is_sign_negative()
}

/// BLAKE3 over parts, each with its length in front, so that no two lists of parts read alike.
struct Hasher(blake3::Hasher);

impl Hasher {
    fn new(domain: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.text(domain);
        hasher
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    fn finish(&self) -> Digest {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9f64).prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn reversed(value: &Value) -> Value {
        match value {
            Value::Object(object) => {
                Value::Object(object.iter().rev().map(|(k, v)| (k.clone(), reversed(v))).collect())
            }
            Value::Array(items) => items.iter().map(reversed).collect(),
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn the_order_of_names_and_the_formatting_do_not_matter(value in value()) {
            prop_assert_eq!(canonical(&value), canonical(&reversed(&value)));
            let reread: Value = serde_json::from_str(&serde_json::to_string_pretty(&value).unwrap()).unwrap();
            prop_assert_eq!(canonical(&value), canonical(&reread));
        }

        #[test]
        fn canonical_text_has_the_same_value(value in value()) {
            let reread: Value = serde_json::from_str(&canonical(&value)).unwrap();
            prop_assert_eq!(canonical(&reread), canonical(&value));
        }

        #[test]
        fn different_values_have_different_texts(a in value(), b in value()) {
            prop_assume!(canonical(&a) != canonical(&b));
            prop_assert_ne!(a, b);
        }

        #[test]
        fn every_part_of_a_recipe_counts(version in any::<u32>(), seed in any::<u64>(), params in ".{0,8}") {
            let base = recipe_digest("a/b", version, &params, seed);
            prop_assert_ne!(base, recipe_digest("a/c", version, &params, seed));
            prop_assert_ne!(base, recipe_digest("a/b", version.wrapping_add(1), &params, seed));
            prop_assert_ne!(base, recipe_digest("a/b", version, &format!("{params} "), seed));
            prop_assert_ne!(base, recipe_digest("a/b", version, &params, seed.wrapping_add(1)));
        }

        #[test]
        fn the_order_of_items_and_the_split_over_ports_count(n in 2usize..5) {
            let recipe = Digest::of(b"recipe");
            let items: Vec<_> =
                (0..n).map(|i| Item { digest: Digest::of(&[i as u8]), coordinates: None }).collect();
            let mut backwards = items.clone();
            backwards.reverse();
            let all = key(&recipe, &[("x", items.clone())]);
            prop_assert_ne!(all, key(&recipe, &[("x", backwards)]));
            prop_assert_ne!(all, key(&recipe, &[("y", items.clone())]));
            let (head, tail) = items.split_at(1);
            prop_assert_ne!(all, key(&recipe, &[("x", head.to_vec()), ("y", tail.to_vec())]));
            prop_assert_eq!(all, key(&recipe, &[("x", items), ("unused", Vec::new())]));
        }
    }

    #[test]
    fn numbers_are_written_by_value() {
        let same: Vec<Value> =
            ["1", "1.0", "1e0", "10e-1"].iter().map(|s| serde_json::from_str(s).unwrap()).collect();
        assert!(same.iter().all(|v| canonical(v) == "1"));
        assert_eq!(canonical(&json!(1e-3)), canonical(&json!(0.001)));
        assert_ne!(canonical(&json!(0.1)), canonical(&json!(0.1 + f64::EPSILON)));
        assert_ne!(canonical(&json!(-0.0)), canonical(&json!(0.0)));
        assert_ne!(canonical(&json!(1)), canonical(&json!("1")));
    }

    #[test]
    fn coordinates_of_collected_items_count() {
        let recipe = Digest::of(b"recipe");
        let digest = Digest::of(b"item");
        let (one, two) = (json!({"seed": 1}), json!({"seed": 2}));
        let with = |c: &Value| key(&recipe, &[("x", vec![Item { digest, coordinates: c.as_object() }])]);
        assert_ne!(with(&one), with(&two));
    }
}
