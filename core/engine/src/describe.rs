//! The parameters of an operation, ready to be documented.

use flow_plugin::Spec;
use serde::Serialize;
use serde_json::Value;

use crate::workflow::schema::{NumberShape, ObjectShape, Schema, Shape, plain, tagged};

/// One parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it accepts, in words: `whole number`, `number in m, at least 1`.
    pub accepts: String,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What it means.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// For one of several values: each, and what it means.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<(String, String)>,
    /// For a mapping: its parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Parameter>,
    /// For a mapping that comes in several forms: the key that tells them apart, and each form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

/// One form of a mapping.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Variant {
    /// The key and value that choose it: `kind: fno`.
    pub chosen_by: String,
    /// What it means.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Its parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Parameter>,
}

/// The parameters of an operation, in the order in which they are declared.
#[must_use]
pub fn parameters(spec: &Spec) -> Vec<Parameter> {
    match &Schema::compile(&spec.params).shape {
        Shape::Object(object) => fields(object, None),
        _ => Vec::new(),
    }
}

fn fields(object: &ObjectShape, tag: Option<&str>) -> Vec<Parameter> {
    object
        .properties
        .iter()
        .filter(|(name, _)| Some(name.as_str()) != tag)
        .map(|(name, schema)| parameter(name, schema, object.required.contains(name)))
        .collect()
}

fn parameter(name: &str, schema: &Schema, required: bool) -> Parameter {
    let mut found = Parameter {
        name: name.to_owned(),
        accepts: accepts(schema),
        required,
        default: schema.default.clone().filter(|_| !required),
        doc: first_paragraph(schema.description.as_deref()),
        choices: Vec::new(),
        fields: Vec::new(),
        variants: Vec::new(),
    };
    let inner: Vec<&Schema> = match &schema.shape {
        Shape::OneOf(options) => options.iter().collect(),
        _ => vec![schema],
    };
    let objects: Vec<Schema> =
        inner.iter().filter(|option| matches!(option.shape, Shape::Object(_))).map(|&o| o.clone()).collect();
    for option in inner {
        if let Shape::Choice(choices) = &option.shape {
            found
                .choices
                .extend(choices.iter().map(|(value, doc)| (plain(value), first_paragraph(doc.as_deref()))));
        }
        if let Shape::List { rest: Some(items), .. } = &option.shape
            && let Shape::Object(object) = &items.shape
        {
            found.fields = fields(object, None);
        }
    }
    match (tagged(&objects).filter(|_| objects.len() > 1), objects.as_slice()) {
        (Some((tag, names)), _) => {
            found.variants = names
                .iter()
                .zip(&objects)
                .filter_map(|(name, option)| match &option.shape {
                    Shape::Object(object) => Some(Variant {
                        chosen_by: format!("{tag}: {name}"),
                        doc: first_paragraph(option.description.as_deref()),
                        fields: fields(object, Some(tag)),
                    }),
                    _ => None,
                })
                .collect();
        }
        (None, [only]) => {
            if let Shape::Object(object) = &only.shape {
                found.fields = fields(object, None);
            }
        }
        (None, several) => {
            found.variants = several
                .iter()
                .filter_map(|option| match &option.shape {
                    Shape::Object(object) => Some(Variant {
                        chosen_by: object.required.join(", "),
                        doc: first_paragraph(option.description.as_deref()),
                        fields: fields(object, None),
                    }),
                    _ => None,
                })
                .collect();
        }
    }
    found
}

/// What a schema accepts, without the articles of a sentence.
fn accepts(schema: &Schema) -> String {
    let unit = schema.unit.as_ref().map(|unit| format!(" in {unit}")).unwrap_or_default();
    match &schema.shape {
        Shape::Anything => "any value".to_owned(),
        Shape::Null => "null".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::Number(number) => {
            let name = if number.integer { "whole number" } else { "number" };
            format!("{name}{unit}{}", range(number))
        }
        Shape::Text(text) if text.path => "path".to_owned(),
        Shape::Text(_) => "text".to_owned(),
        Shape::List { first, rest, min, max } => {
            let items = rest.as_deref().or(first.first()).map_or_else(|| "values".to_owned(), plural);
            match max {
                Some(max) if max == min => format!("list of {min} {items}"),
                _ => format!("list of {items}"),
            }
        }
        Shape::Object(object) if object.properties.is_empty() => match &object.others {
            Some(values) => format!("mapping to {}", accepts(values)),
            None => "empty mapping".to_owned(),
        },
        Shape::Object(_) => "mapping".to_owned(),
        Shape::Choice(values) => values.iter().map(|(value, _)| plain(value)).collect::<Vec<_>>().join(" | "),
        Shape::OneOf(options) => {
            let mut words: Vec<String> = Vec::new();
            for option in options {
                let word = accepts(option);
                if !words.contains(&word) {
                    words.push(word);
                }
            }
            words.join(", or ")
        }
    }
}

/// What a list has items of.
fn plural(schema: &Schema) -> String {
    let one = accepts(schema);
    for noun in ["whole number", "number", "text", "path", "mapping", "list"] {
        if let Some(rest) = one.strip_prefix(noun) {
            return format!("{noun}s{rest}");
        }
    }
    one
}

fn range(number: &NumberShape) -> String {
    // The bounds of 32-bit and wider types say nothing about the parameter.
    let min = number.min.filter(|min| *min > -2e9 && !(number.integer && *min == 0.0));
    let max = number.max.filter(|max| *max < 2e9);
    let lower = if number.min_open { ">" } else { "≥" };
    let upper = if number.max_open { "<" } else { "≤" };
    match (min, max) {
        (Some(min), Some(max)) if !number.min_open && !number.max_open => format!(", {min} to {max}"),
        (Some(min), Some(max)) => format!(", {lower} {min} and {upper} {max}"),
        (Some(min), None) => format!(", {lower} {min}"),
        (None, Some(max)) => format!(", {upper} {max}"),
        (None, None) => String::new(),
    }
}

fn first_paragraph(text: Option<&str>) -> String {
    let paragraph = text.unwrap_or_default().split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}
