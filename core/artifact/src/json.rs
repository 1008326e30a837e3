//! JSON in canonical form.

use serde_json::Value;

/// The same value with the members of every object sorted by name.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(name, v)| (name, sorted(v))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// The one text of a JSON value: members sorted, no white space.
pub(crate) fn canonical(value: Value) -> String {
    sorted(value).to_string()
}
