//! Keys: canonical parameters and the names of computations. Equal values have equal texts and keys, and different
//! values different ones.

use flow_engine::graph::{Graph, Node};
use flow_engine::key::{Item, canonical, family, key, recipe};
use flow_plugin::Digest;
use serde_json::{Map, Number, Value};

use super::{Target, workflow};
use crate::random::Random;
use crate::{json, text};

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "false",
    "1",
    "1.0",
    "-0.0",
    "-0",
    "1e15",
    "1e16",
    "\"\\u0000\"",
    "\"1\"",
    "\"of\":",
    "\"at\":",
    "\"epochs\":",
    "\n",
    "\"model\":{\"kind\":\"fno\"}",
    "9007199254740993",
    "5e-324",
];

/// The most lines that are compared with each other.
const COMPARED: usize = 6;

pub(super) struct Key {
    /// A graph of one node, whose parameters are replaced.
    graph: Graph,
}

impl Key {
    pub(super) fn new() -> Self {
        let text = "flow: 1\nstages: { a: { uses: demo/text, with: { text: x } } }\n";
        let (graph, _) = workflow::Workflow::new().load(text);
        Self { graph: graph.unwrap_or_else(|problems| panic!("{problems}")) }
    }

    /// A node with these parameters, of which one is extendable.
    fn node(&self, params: &Value, extendable: &str) -> Node {
        let mut node = Node::clone(&self.graph.nodes[0]);
        node.params = params.clone();
        node.extendable = Some(extendable.to_owned());
        node
    }
}

impl Target for Key {
    fn name(&self) -> &'static str {
        "key"
    }

    fn mutate(&self, random: &mut Random, text: &mut String, other: &str) {
        if random.one_in(4) || !json::lines(random, text, other) {
            text::words(random, text, other, WORDS);
        }
    }

    fn check(&mut self, text: &str) {
        let values: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).take(COMPARED).collect();
        let texts: Vec<String> = values.iter().map(canonical).collect();
        let keys: Vec<_> = values.iter().map(|value| (ports(value), key_of(value))).collect();
        for (at, value) in values.iter().enumerate() {
            let again: Value = serde_json::from_str(&texts[at])
                .unwrap_or_else(|error| panic!("what is canonical is not JSON: {error}: {}", texts[at]));
            assert!(same(value, &again), "the canonical text has another value: {}", texts[at]);
            assert_eq!(canonical(&again), texts[at]);
            self.recipes(value);
            for other in 0..at {
                let equal = same(value, &values[other]);
                assert_eq!(texts[at] == texts[other], equal, "{value} and {}", values[other]);
                let equal = same_ports(&keys[at].0, &keys[other].0);
                assert_eq!(keys[at].1 == keys[other].1, equal, "{value} and {}", values[other]);
            }
        }
    }
}

impl Key {
    /// The recipe of a node with such parameters depends on all of them, its family on all but one.
    fn recipes(&self, value: &Value) {
        for parameter in ["epochs", "model.epochs", "epochs.0", ""] {
            let node = self.node(value, parameter);
            let whole = recipe(&node);
            assert_eq!(whole.params, canonical(value));
            let Some((digest, extent)) = family(&node) else { continue };
            assert_ne!(digest, whole.digest);
            let further = extent.wrapping_add(1);
            let node = self.node(&longer(value, parameter, further), parameter);
            assert_eq!(family(&node), Some((digest, further)), "{value}");
            assert_ne!(recipe(&node).digest, whole.digest);
        }
    }
}

/// The same parameters, and another value for one.
fn longer(value: &Value, parameter: &str, extent: i64) -> Value {
    let mut value = value.clone();
    if let Some(place) = value.pointer_mut(&format!("/{}", parameter.replace('.', "/"))) {
        *place = Value::from(extent);
    }
    value
}

type Ports = Vec<(String, Vec<(Digest, Option<Map<String, Value>>)>)>;

/// What a value says is connected to the ports of a node: `{ PORT: [{ of: DATA, at: COORDINATES }, …] }`.
fn ports(value: &Value) -> Ports {
    let item = |item: &Value| {
        let of = item.get("of").unwrap_or(item);
        let at = item.get("at").and_then(Value::as_object);
        (Digest::of(canonical(of).as_bytes()), at.cloned())
    };
    let ports = value.as_object().into_iter().flatten();
    ports
        .map(|(port, items)| (port.clone(), items.as_array().into_iter().flatten().map(item).collect()))
        .collect()
}

fn key_of(value: &Value) -> Digest {
    let ports = ports(value);
    let ports: Vec<(&str, Vec<Item<'_>>)> = ports
        .iter()
        .map(|(port, items)| {
            let items = items.iter().map(|(digest, at)| Item { digest: *digest, coordinates: at.as_ref() });
            (port.as_str(), items.collect())
        })
        .collect();
    key(&Digest::of(b"recipe"), &ports)
}

fn same_ports(a: &Ports, b: &Ports) -> bool {
    let connected =
        |ports: &Ports| -> Ports { ports.iter().filter(|(_, items)| !items.is_empty()).cloned().collect() };
    let (a, b) = (connected(a), connected(b));
    let same_at = |a: &Option<Map<String, Value>>, b: &Option<Map<String, Value>>| match (a, b) {
        (Some(a), Some(b)) => same(&Value::Object(a.clone()), &Value::Object(b.clone())),
        (a, b) => a.is_none() == b.is_none(),
    };
    a.len() == b.len()
        && a.iter().zip(&b).all(|((port, items), (other, others))| {
            port == other
                && items.len() == others.len()
                && items.iter().zip(others).all(|((x, at), (y, at_other))| x == y && same_at(at, at_other))
        })
}

/// Equality of values as keys mean it: numbers by value, a negative zero apart, names in any order.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => number(a) == number(b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// A number by value: a whole one, or the bits of another.
fn number(number: &Number) -> Result<i128, u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(whole), ..) => Ok(whole.into()),
        (_, Some(whole), _) => Ok(whole.into()),
        (.., Some(float)) => {
            let negative_zero = float == 0.0 && float.is_sign_negative();
            let whole = float.fract() == 0.0 && float.abs() < EXACT && !negative_zero;
            if whole { Ok(float as i128) } else { Err(float.to_bits()) }
        }
        _ => Err(0),
    }
}
