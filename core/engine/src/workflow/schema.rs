//! Checking parameters against the JSON Schema that their type generates.
//!
//! A [`Schema`] is compiled once an operation and understands what `schemars` writes: types, ranges, enums,
//! tagged unions, nested objects and lists, maps. Beyond JSON Schema, `x-unit` makes a number a quantity
//! (`"1.5 km"` is converted to that unit), `x-help` says what to do where a value is of another type, and
//! `format: path` makes a text an external input. Properties that an object does not declare are always errors: a
//! misspelt parameter must not be ignored.

use serde_json::{Map, Value};

/// A compiled schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) default: Option<Value>,
    /// The unit in which a number is kept.
    pub(crate) unit: Option<String>,
    /// What to do where a value is of another type.
    pub(crate) help: Option<String>,
    pub(crate) shape: Shape,
}

/// What a schema accepts.
#[derive(Clone, Debug, Default)]
pub(crate) enum Shape {
    #[default]
    Anything,
    Null,
    Bool,
    Number(NumberShape),
    Text(TextShape),
    List {
        /// Schemas of the first items.
        first: Vec<Schema>,
        /// The schema of the others.
        rest: Option<Box<Schema>>,
        min: u64,
        max: Option<u64>,
    },
    Object(ObjectShape),
    /// One of several values, with what each means.
    Choice(Vec<(Value, Option<String>)>),
    /// One of several shapes.
    OneOf(Vec<Schema>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct NumberShape {
    pub(crate) integer: bool,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    /// Whether the bounds themselves are outside.
    pub(crate) min_open: bool,
    pub(crate) max_open: bool,
    pub(crate) multiple_of: Option<f64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct TextShape {
    pub(crate) path: bool,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectShape {
    pub(crate) properties: Vec<(String, Schema)>,
    pub(crate) required: Vec<String>,
    /// What other properties must be; `None` means that there may be none.
    pub(crate) others: Option<Box<Schema>>,
}

/// References deeper than this are cut: a recursive type is checked that far, and by its own code beyond.
const MAX_DEPTH: usize = 12;

impl Schema {
    /// Compiles a root schema.
    pub(crate) fn compile(root: &Value) -> Self {
        compile(root, root, 0)
    }

    /// The property of an object schema.
    pub(crate) fn property(&self, name: &str) -> Option<&Schema> {
        match &self.shape {
            Shape::Object(object) => {
                object.properties.iter().find(|(known, _)| known == name).map(|(_, schema)| schema)
            }
            _ => None,
        }
    }

    /// A value that it accepts, if one is easily found.
    pub(crate) fn stand_in(&self) -> Option<Value> {
        if let Some(default) = &self.default {
            return Some(default.clone());
        }
        match &self.shape {
            Shape::Anything | Shape::Null => Some(Value::Null),
            Shape::Bool => Some(Value::Bool(false)),
            Shape::Number(number) => {
                let bound = number.min.or(number.max.map(|max| max.min(0.0))).unwrap_or(0.0);
                let value = if number.min_open { bound + 1.0 } else { bound };
                let above = number.max.is_some_and(|max| value > max || number.max_open && value == max);
                match number.integer {
                    _ if above => None,
                    true => Some(Value::from(value.ceil() as i64)),
                    false => Some(Value::from(value)),
                }
            }
            Shape::Text(text) if text.min_length.is_none_or(|least| least <= 1) => Some(Value::from("x")),
            Shape::List { min: 0, .. } => Some(Value::Array(Vec::new())),
            Shape::Object(object) => {
                let value = |name: &String| Some((name.clone(), self.property(name)?.stand_in()?));
                object.required.iter().map(value).collect::<Option<Map<_, _>>>().map(Value::Object)
            }
            Shape::Choice(choices) => choices.first().map(|(value, _)| value.clone()),
            Shape::OneOf(options) => options.iter().find_map(Self::stand_in),
            Shape::Text(_) | Shape::List { .. } => None,
        }
    }

    /// What it accepts, in a few words: `a whole number`, `one of …`.
    pub(crate) fn expected(&self) -> String {
        let unit = self.unit.as_ref().map(|unit| format!(" in {unit}")).unwrap_or_default();
        match &self.shape {
            Shape::Anything => "any value".to_owned(),
            Shape::Null => "`null`".to_owned(),
            Shape::Bool => "`true` or `false`".to_owned(),
            Shape::Number(number) if number.integer => format!("a whole number{unit}"),
            Shape::Number(_) => format!("a number{unit}"),
            Shape::Text(text) if text.path => "the path of a file or folder".to_owned(),
            Shape::Text(_) => "a text".to_owned(),
            Shape::List { .. } => "a list".to_owned(),
            Shape::Object(_) => "a mapping".to_owned(),
            Shape::Choice(values) => {
                let names: Vec<String> = values.iter().map(|(value, _)| plain(value)).collect();
                match names.as_slice() {
                    [one] => format!("`{one}`"),
                    _ => format!("one of {}", crate::diagnostics::list(&names)),
                }
            }
            Shape::OneOf(options) => {
                if let Some((tag, names)) = tagged(options) {
                    return format!("a mapping whose `{tag}` is one of {}", crate::diagnostics::list(&names));
                }
                let mut words: Vec<String> = Vec::new();
                for option in options {
                    let word = option.expected();
                    if !words.contains(&word) {
                        words.push(word);
                    }
                }
                words.join(" or ")
            }
        }
    }
}

/// For alternatives that are told apart by a property: the property, and its value in each.
pub(crate) fn tagged(options: &[Schema]) -> Option<(&str, Vec<String>)> {
    let objects: Vec<&ObjectShape> = options
        .iter()
        .map(|option| match &option.shape {
            Shape::Object(object) => Some(object),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let first = objects.first()?;
    first.properties.iter().find_map(|(name, _)| {
        let values = objects.iter().map(|object| object.tag_value(name)).collect::<Option<Vec<_>>>()?;
        Some((name.as_str(), values))
    })
}

impl ObjectShape {
    /// The one text that a required property can have: the name of a variant.
    pub(crate) fn tag_value(&self, tag: &str) -> Option<String> {
        let (_, schema) = self.properties.iter().find(|(name, _)| name == tag)?;
        match &schema.shape {
            Shape::Choice(values) if self.required.iter().any(|required| required == tag) => {
                match values.as_slice() {
                    [(Value::String(text), _)] => Some(text.clone()),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// A value as one writes it in YAML where that is a word.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn compile(schema: &Value, root: &Value, depth: usize) -> Schema {
    let Some(map) = schema.as_object() else { return Schema::default() };
    if depth > MAX_DEPTH {
        return Schema::default();
    }
    if let Some(target) = map.get("$ref").and_then(Value::as_str) {
        let found = match target.strip_prefix('#') {
            Some("") => Some(root),
            Some(pointer) => root.pointer(pointer),
            None => None,
        };
        let mut compiled = found.map_or_else(Schema::default, |found| compile(found, root, depth + 1));
        annotate(&mut compiled, map);
        return compiled;
    }
    let mut compiled = Schema { shape: shape(map, root, depth), ..Schema::default() };
    // One alternative alone is that alternative; its annotations count where the outer ones are silent.
    if let Shape::OneOf(options) = &mut compiled.shape
        && options.len() == 1
        && let Some(only) = options.pop()
    {
        compiled = only;
    }
    annotate(&mut compiled, map);
    hand_down_unit(&mut compiled);
    compiled
}

fn annotate(schema: &mut Schema, map: &Map<String, Value>) {
    let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    schema.title = text("title").or_else(|| schema.title.take());
    schema.description = text("description").or_else(|| schema.description.take());
    schema.help = text("x-help").or_else(|| schema.help.take());
    schema.unit = text("x-unit").or_else(|| schema.unit.take());
    schema.default = map.get("default").cloned().or_else(|| schema.default.take());
}

/// The unit of a list or of an optional number is the unit of the numbers in it.
fn hand_down_unit(schema: &mut Schema) {
    let Some(unit) = schema.unit.clone() else { return };
    let children: Vec<&mut Schema> = match &mut schema.shape {
        Shape::List { first, rest, .. } => first.iter_mut().chain(rest.as_deref_mut()).collect(),
        Shape::OneOf(options) => options.iter_mut().collect(),
        _ => return,
    };
    for child in children {
        child.unit.get_or_insert_with(|| unit.clone());
        hand_down_unit(child);
    }
}

fn shape(map: &Map<String, Value>, root: &Value, depth: usize) -> Shape {
    if let Some(value) = map.get("const") {
        return Shape::Choice(vec![(value.clone(), None)]);
    }
    if let Some(Value::Array(values)) = map.get("enum") {
        return Shape::Choice(values.iter().map(|value| (value.clone(), None)).collect());
    }
    let has_properties = map.contains_key("properties");
    if let Some(Value::Array(options)) = map.get("oneOf").or_else(|| map.get("anyOf")) {
        let own = has_properties.then(|| object(map, root, depth));
        let options: Vec<Schema> =
            options.iter().map(|option| compile(option, root, depth + 1)).map(|o| joined(o, &own)).collect();
        return one_of(options);
    }
    if let Some(Value::Array(parts)) = map.get("allOf") {
        let own = has_properties.then(|| object(map, root, depth));
        let parts = parts.iter().map(|part| compile(part, root, depth + 1));
        return parts.map(|part| joined(part, &own)).next().unwrap_or_default().shape;
    }
    match map.get("type") {
        Some(Value::String(name)) => typed(name, map, root, depth),
        Some(Value::Array(names)) => one_of(
            names
                .iter()
                .filter_map(Value::as_str)
                .map(|name| Schema { shape: typed(name, map, root, depth), ..Schema::default() })
                .collect(),
        ),
        _ if has_properties => Shape::Object(object(map, root, depth)),
        _ => Shape::Anything,
    }
}

/// Alternatives that are all single values make one choice; nested alternatives are laid out flat.
fn one_of(options: Vec<Schema>) -> Shape {
    let mut flat = Vec::new();
    for option in options {
        match option.shape {
            Shape::OneOf(inner) => flat.extend(inner),
            _ => flat.push(option),
        }
    }
    let mut values = Vec::new();
    let mut others = Vec::new();
    for option in flat {
        match option.shape {
            Shape::Choice(choices) => {
                values.extend(
                    choices.into_iter().map(|(value, doc)| (value, doc.or(option.description.clone()))),
                );
            }
            _ => others.push(option),
        }
    }
    if values.is_empty() {
        return Shape::OneOf(others);
    }
    if others.is_empty() {
        return Shape::Choice(values);
    }
    others.insert(0, Schema { shape: Shape::Choice(values), ..Schema::default() });
    Shape::OneOf(others)
}

/// An alternative of an object that has properties of its own as well (a flattened enum).
fn joined(mut option: Schema, own: &Option<ObjectShape>) -> Schema {
    if let (Shape::Object(object), Some(own)) = (&mut option.shape, own) {
        object.properties.extend(own.properties.iter().cloned());
        object.required.extend(own.required.iter().cloned());
        object.others = object.others.take().or_else(|| own.others.clone());
    }
    option
}

fn typed(name: &str, map: &Map<String, Value>, root: &Value, depth: usize) -> Shape {
    let float = |key: &str| map.get(key).and_then(Value::as_f64);
    let count = |key: &str| map.get(key).and_then(Value::as_u64);
    match name {
        "null" => Shape::Null,
        "boolean" => Shape::Bool,
        "integer" | "number" => {
            let (min, min_open) = match float("exclusiveMinimum") {
                Some(min) => (Some(min), true),
                None => (float("minimum"), false),
            };
            let (max, max_open) = match float("exclusiveMaximum") {
                Some(max) => (Some(max), true),
                None => (float("maximum"), false),
            };
            let integer = name == "integer";
            Shape::Number(NumberShape {
                integer,
                min,
                max,
                min_open,
                max_open,
                multiple_of: float("multipleOf"),
            })
        }
        "string" => Shape::Text(TextShape {
            path: map.get("format").and_then(Value::as_str) == Some("path"),
            min_length: count("minLength"),
            max_length: count("maxLength"),
        }),
        "array" => Shape::List {
            first: map
                .get("prefixItems")
                .and_then(Value::as_array)
                .map(|items| items.iter().map(|item| compile(item, root, depth + 1)).collect())
                .unwrap_or_default(),
            rest: map
                .get("items")
                .filter(|items| items.is_object())
                .map(|items| Box::new(compile(items, root, depth + 1))),
            min: count("minItems").unwrap_or(0),
            max: count("maxItems"),
        },
        "object" => Shape::Object(object(map, root, depth)),
        _ => Shape::Anything,
    }
}

fn object(map: &Map<String, Value>, root: &Value, depth: usize) -> ObjectShape {
    let properties: Vec<(String, Schema)> = map
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| {
            properties.iter().map(|(name, schema)| (name.clone(), compile(schema, root, depth + 1))).collect()
        })
        .unwrap_or_default();
    let required = map
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    let others = match map.get("additionalProperties") {
        Some(Value::Bool(false)) => None,
        Some(schema @ Value::Object(_)) => Some(Box::new(compile(schema, root, depth + 1))),
        Some(Value::Bool(true)) => Some(Box::default()),
        // A structure without the attribute to deny unknown fields: they are denied here.
        _ if map.contains_key("properties") => None,
        _ => Some(Box::default()),
    };
    ObjectShape { properties, required, others }
}
