//! Changes to JSON: to the values in it, so that most of what comes out is JSON still.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// Changes a line of a text of JSON values, one a line. False if that line is not JSON.
pub(crate) fn lines(random: &mut Random, text: &mut String, other: &str) -> bool {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let theirs: Vec<Value> = other.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if lines.is_empty() {
        return false;
    }
    let at = random.below(lines.len());
    let Ok(mut value) = serde_json::from_str(&lines[at]) else { return false };
    let piece = random.pick(&theirs).map(|theirs| part(random, theirs)).unwrap_or_default();
    match random.below(8) {
        0 => drop(lines.remove(at)),
        1 => {
            let line = lines[at].clone();
            lines.insert(at, line);
        }
        2 => lines.insert(at, format!("{piece}\n")),
        _ => {
            change(random, &mut value, &piece);
            lines[at] = format!("{value}\n");
        }
    }
    *text = lines.concat();
    true
}

/// A value somewhere in a value.
fn part(random: &mut Random, value: &Value) -> Value {
    let inner: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => Vec::new(),
    };
    match random.pick(&inner) {
        Some(inner) if !random.one_in(3) => part(random, inner),
        _ => value.clone(),
    }
}

/// Changes something in a value: at this place, or below.
fn change(random: &mut Random, value: &mut Value, piece: &Value) {
    let deeper = !random.one_in(4);
    match value {
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = random.below(items.len());
            change(random, &mut items[at], piece);
        }
        Value::Object(map) if deeper && !map.is_empty() => {
            let at = random.below(map.len());
            if let Some((_, inner)) = map.iter_mut().nth(at) {
                change(random, inner, piece);
            }
        }
        Value::Array(items) => list(random, items, piece),
        Value::Object(map) => object(random, map, piece),
        other => *other = leaf(random, other, piece),
    }
}

fn list(random: &mut Random, items: &mut Vec<Value>, piece: &Value) {
    let at = random.below(items.len());
    match random.below(3) {
        0 if !items.is_empty() => drop(items.remove(at)),
        1 if !items.is_empty() => items.swap(at, 0),
        _ => items.insert(at, piece.clone()),
    }
}

fn object(random: &mut Random, map: &mut Map<String, Value>, piece: &Value) {
    let keys: Vec<String> = map.keys().cloned().collect();
    let key = random.pick(&keys).cloned().unwrap_or_default();
    match random.below(4) {
        0 => drop(map.shift_remove(&key)),
        1 => drop(map.insert(key + "'", piece.clone())),
        2 => drop(map.insert(key, piece.clone())),
        // The same in another order.
        _ => {
            if let Some(value) = map.shift_remove(&key) {
                map.insert(key, value);
            }
        }
    }
}

fn leaf(random: &mut Random, value: &Value, piece: &Value) -> Value {
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(-0.0),
        json!(1.0),
        json!(1e-3),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(9_007_199_254_740_992_u64),
        json!(9_007_199_254_740_993_u64),
        json!(1e15),
        json!(1e16),
        json!(1e17),
        json!(5e-324),
        json!(f64::MAX),
        json!("NaN"),
        json!("-Infinity"),
        json!(""),
        json!("é\u{0}\"\\"),
        json!([]),
        json!({}),
        json!("1"),
    ];
    match (random.below(3), value) {
        (0, _) => piece.clone(),
        (1, Value::Number(number)) => match number.as_f64() {
            // Its neighbour, or the same in another form.
            Some(float) if random.one_in(2) => json!(float),
            Some(float) => json!(f64::from_bits(float.to_bits() ^ 1)),
            None => Value::Null,
        },
        (1, Value::String(text)) => Value::from(format!("{text}{text}")),
        _ => random.pick(&odd).cloned().unwrap_or_default(),
    }
}
