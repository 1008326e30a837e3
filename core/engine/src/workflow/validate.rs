//! Values against a [`Schema`]: every problem with its place, and the canonical value.

use std::path::PathBuf;

use flow_artifact::units;
use serde_json::{Map, Number, Value};

use super::schema::{NumberShape, ObjectShape, Schema, Shape, plain, tagged};
use super::tree::{Data, Entry, Tree};
use crate::diagnostics::{Diagnostic, Diagnostics, Span, closest, did_you_mean};

/// A parameter that names an external file.
pub(super) struct PathParam {
    /// Its place below `with:`, as a dotted path.
    pub(super) at: String,
    pub(super) path: PathBuf,
    pub(super) span: Span,
}

/// Checks the parameters of one operation.
pub(super) struct Validator<'a> {
    /// The operation's name, for messages.
    pub(super) operation: &'a str,
    pub(super) problems: &'a mut Diagnostics,
    /// Makes a path absolute: relative to the workflow file, or to where the setting was typed.
    pub(super) resolve: &'a dyn Fn(&str, Span) -> PathBuf,
    /// Path parameters that were found.
    pub(super) paths: Vec<PathParam>,
    /// How many problems this validator has found.
    pub(super) found: usize,
    /// The names under `with:` that problems are about.
    pub(super) doubtful: Vec<String>,
}

impl Validator<'_> {
    /// Checks all parameters; `missing` is where to point when one is missing.
    pub(super) fn params(&mut self, schema: &Schema, with: &Tree, missing: Span) -> Value {
        match &schema.shape {
            Shape::Object(object) => self.object(object, with, "", missing),
            Shape::OneOf(_) => self.value(schema, with, ""),
            _ => {
                for entry in with.entries() {
                    let message = format!("`{}` takes no parameters", self.operation);
                    self.problem(Diagnostic::at(entry.key_span, message));
                }
                Value::Null
            }
        }
    }

    fn problem(&mut self, problem: Diagnostic) {
        self.found += 1;
        self.problems.push(problem);
    }

    /// `expected …, found …`, pointing at the value and at where it comes from.
    fn wrong(&mut self, tree: &Tree, at: &str, message: String, topic: &str) {
        let subject = if at.is_empty() { "the parameters".to_owned() } else { format!("`{at}`") };
        let mut problem = Diagnostic::at(tree.span, format!("{subject} {message}"))
            .label(format!("this is {}", tree.describe()))
            .topic(format!("{at} {topic}"));
        if let Some(origin) = tree.origin.filter(|origin| *origin != tree.span) {
            problem = problem.also(origin, "the value comes from here");
        }
        self.problem(problem);
    }

    fn value(&mut self, schema: &Schema, tree: &Tree, at: &str) -> Value {
        if tree.is_unknown() {
            // Could not be computed, which has been reported.
            return Value::Null;
        }
        match &schema.shape {
            Shape::Anything => tree.to_value(),
            Shape::Null if matches!(tree.data, Data::Null) => Value::Null,
            Shape::Bool => match tree.data {
                Data::Bool(flag) => Value::Bool(flag),
                _ => self.unexpected(schema, tree, at),
            },
            Shape::Number(shape) => self.number(schema, shape, tree, at),
            Shape::Text(shape) => match &tree.data {
                Data::Text(text) => {
                    let length = text.chars().count() as u64;
                    if shape.min_length.is_some_and(|min| length < min) {
                        let least = shape.min_length.unwrap_or(0);
                        self.wrong(tree, at, format!("must have at least {least} characters"), "short");
                    }
                    if let Some(max) = shape.max_length.filter(|max| length > *max) {
                        self.wrong(tree, at, format!("must have at most {max} characters"), "long");
                    }
                    if shape.path {
                        return self.path(text, tree, at);
                    }
                    Value::String(text.clone())
                }
                _ => self.unexpected(schema, tree, at),
            },
            Shape::List { first, rest, min, max } => match &tree.data {
                Data::List(items) => {
                    self.length(items.len() as u64, *min, *max, tree, at);
                    let item = |(index, item): (usize, &Tree)| {
                        let at = join(at, &index.to_string());
                        match first.get(index).or(rest.as_deref()) {
                            Some(schema) => self.value(schema, item, &at),
                            None => item.to_value(),
                        }
                    };
                    Value::Array(items.iter().enumerate().map(item).collect())
                }
                _ => self.unexpected(schema, tree, at),
            },
            Shape::Object(shape) => match &tree.data {
                Data::Map(_) => self.object(shape, tree, at, tree.span),
                _ => self.unexpected(schema, tree, at),
            },
            Shape::Choice(choices) => {
                let value = tree.to_value();
                if choices.iter().any(|(choice, _)| crate::expr::equal(choice, &value)) {
                    return value;
                }
                self.choice(schema, choices, tree, at)
            }
            Shape::OneOf(options) => self.one_of(schema, options, tree, at),
            Shape::Null => self.unexpected(schema, tree, at),
        }
    }

    fn unexpected(&mut self, schema: &Schema, tree: &Tree, at: &str) -> Value {
        let quoted = match (&schema.shape, &tree.data) {
            // `epochs: "40"`.
            (Shape::Number(_), Data::Text(text)) if text.parse::<f64>().is_ok() => {
                let quoted = self.problems.slice(tree.span).starts_with(['"', '\'']);
                Some(if quoted {
                    "remove the quotes"
                } else {
                    "make a number of it: `float(…)` or `int(…)`"
                })
            }
            (Shape::Text(_), Data::Number(_) | Data::Bool(_)) => {
                // An expression keeps its type, quoted or not.
                let expression = self.problems.slice(tree.span).contains("${{");
                Some(if expression { "make a text of it: `str(…)`" } else { "put it in quotes" })
            }
            _ => None,
        };
        let before = self.problems.len();
        self.wrong(tree, at, format!("must be {}", schema.expected()), "type");
        if self.problems.len() > before
            && let Some(help) = quoted.or(schema.help.as_deref())
        {
            self.problems.help_last(help);
        }
        Value::Null
    }

    fn choice(
        &mut self,
        schema: &Schema,
        choices: &[(Value, Option<String>)],
        tree: &Tree,
        at: &str,
    ) -> Value {
        let names: Vec<String> = choices.iter().map(|(value, _)| plain(value)).collect();
        let before = self.problems.len();
        self.wrong(tree, at, format!("must be {}", schema.expected()), "choice");
        let written = tree.text().unwrap_or_default();
        if self.problems.len() > before
            && let Some(near) = crate::diagnostics::closest(written, names.iter().map(String::as_str))
        {
            self.problems.help_last(&format!("did you mean `{near}`?"));
        }
        Value::Null
    }

    fn number(&mut self, schema: &Schema, shape: &NumberShape, tree: &Tree, at: &str) -> Value {
        let number = match (&tree.data, &schema.unit) {
            (Data::Number(number), _) => number.clone(),
            (Data::Text(text), Some(unit)) => match units::convert(text, unit) {
                Ok(value) => match in_number(value, shape.integer) {
                    Some(number) => number,
                    None => {
                        self.wrong(tree, at, format!("must be {}", schema.expected()), "type");
                        return Value::Null;
                    }
                },
                Err(error) => {
                    let before = self.problems.len();
                    self.wrong(tree, at, format!("must be {}", schema.expected()), "unit");
                    if self.problems.len() > before {
                        self.problems.note_last(&error.to_string());
                        self.problems.help_last(&format!("write a number, or a quantity such as `1 {unit}`"));
                    }
                    return Value::Null;
                }
            },
            _ => return self.unexpected(schema, tree, at),
        };
        let number = if shape.integer && !(number.is_i64() || number.is_u64()) {
            // 40.0, and 1e3, mean whole numbers.
            match number.as_f64().and_then(|float| in_number(float, true)) {
                Some(whole) => whole,
                None => return self.unexpected(schema, tree, at),
            }
        } else {
            number
        };
        let value = number.as_f64().unwrap_or(f64::NAN);
        let unit = schema.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
        let show = |bound: f64| {
            if bound.abs() < 1e15 { format!("{bound}{unit}") } else { format!("{bound:e}{unit}") }
        };
        let below = shape.min.filter(|min| value < *min || shape.min_open && value == *min);
        let above = shape.max.filter(|max| value > *max || shape.max_open && value == *max);
        if below.is_some() || above.is_some() {
            let lower = shape.min.map(|min| {
                if shape.min_open {
                    format!("greater than {}", show(min))
                } else {
                    format!("at least {}", show(min))
                }
            });
            let upper = shape.max.map(|max| {
                if shape.max_open {
                    format!("less than {}", show(max))
                } else {
                    format!("at most {}", show(max))
                }
            });
            // The largest value of an integer type is not worth a word when the lower bound is broken.
            let wanted = match (lower, upper) {
                (Some(lower), Some(upper)) if shape.max.is_some_and(|max| max < 1e15) => {
                    format!("{lower} and {upper}")
                }
                (Some(lower), _) if below.is_some() => lower,
                (_, Some(upper)) => upper,
                (lower, _) => lower.unwrap_or_default(),
            };
            self.wrong(tree, at, format!("must be {wanted}"), "range");
            return Value::Null;
        }
        if let Some(step) = shape.multiple_of
            && (value / step).fract() != 0.0
        {
            self.wrong(tree, at, format!("is a multiple of {step}"), "multiple");
        }
        Value::Number(number)
    }

    fn length(&mut self, length: u64, min: u64, max: Option<u64>, tree: &Tree, at: &str) {
        let items = |n: u64| if n == 1 { "1 item".to_owned() } else { format!("{n} items") };
        let wanted = match max {
            Some(max) if max == min => items(min),
            Some(max) if length > max => format!("at most {}", items(max)),
            _ => format!("at least {}", items(min)),
        };
        if length < min || max.is_some_and(|max| length > max) {
            self.wrong(tree, at, format!("must have {wanted}, not {length}"), "length");
        }
    }

    fn path(&mut self, text: &str, tree: &Tree, at: &str) -> Value {
        let path = (self.resolve)(text, tree.origin.unwrap_or(tree.span));
        let value = Value::String(path.to_string_lossy().into_owned());
        self.paths.push(PathParam { at: at.to_owned(), path, span: tree.span });
        value
    }

    fn object(&mut self, shape: &ObjectShape, tree: &Tree, at: &str, missing: Span) -> Value {
        let mut map = Map::new();
        for entry in tree.entries() {
            let inner = join(at, &entry.key);
            let before = self.found;
            let known = shape.properties.iter().find(|(name, _)| *name == entry.key);
            match (known, &shape.others) {
                (Some((_, schema)), _) => {
                    map.insert(entry.key.clone(), self.value(schema, &entry.value, &inner));
                }
                (None, Some(others)) => {
                    map.insert(entry.key.clone(), self.value(others, &entry.value, &inner));
                }
                (None, None) => self.unknown(shape, entry, at),
            }
            if at.is_empty() && self.found > before {
                self.doubtful.push(entry.key.clone());
            }
        }
        // A misspelt name stands for one of those that are missing.
        let missing_names: Vec<&str> =
            shape.required.iter().map(String::as_str).filter(|name| tree.get(name).is_none()).collect();
        let unknown = tree.entries().iter().filter(|entry| {
            shape.others.is_none() && !shape.properties.iter().any(|(known, _)| *known == entry.key)
        });
        let misspelt: Vec<&str> =
            unknown.filter_map(|entry| closest(&entry.key, missing_names.iter().copied())).collect();
        for name in &shape.required {
            if tree.get(name).is_none() {
                let schema = shape.properties.iter().find(|(known, _)| known == name).map(|(_, s)| s);
                let inner = join(at, name);
                if at.is_empty() {
                    self.doubtful.push(name.clone());
                }
                if misspelt.contains(&name.as_str()) {
                    // The unknown key next to it says it already.
                    self.found += 1;
                    continue;
                }
                let what = schema.map(|schema| {
                    let doc = schema.description.as_deref().and_then(|doc| doc.lines().next()).unwrap_or("");
                    let dot = if doc.is_empty() { "" } else { ": " };
                    format!("`{inner}` is {}{dot}{doc}", schema.expected())
                });
                let problem =
                    Diagnostic::at(missing, format!("`{}` needs the parameter `{inner}`", self.operation));
                self.problem(problem.maybe_help(what));
            }
        }
        Value::Object(map)
    }

    fn unknown(&mut self, shape: &ObjectShape, entry: &Entry, at: &str) {
        let owner = if at.is_empty() { format!("`{}`", self.operation) } else { format!("`{at}`") };
        let names = shape.properties.iter().map(|(name, _)| name.as_str());
        let help = if shape.properties.is_empty() {
            Some(format!("{owner} takes no parameters"))
        } else {
            did_you_mean(&entry.key, names, "its parameters are")
        };
        self.problem(
            Diagnostic::at(entry.key_span, format!("{owner} has no parameter `{}`", entry.key))
                .label("unknown parameter")
                .maybe_help(help),
        );
    }

    fn one_of(&mut self, schema: &Schema, options: &[Schema], tree: &Tree, at: &str) -> Value {
        if let Data::Map(entries) = &tree.data {
            let objects: Vec<&ObjectShape> = options
                .iter()
                .filter_map(|option| match &option.shape {
                    Shape::Object(object) => Some(object),
                    _ => None,
                })
                .collect();
            // `null` and other shapes beside the mappings do not matter for a mapping.
            let mappings: Vec<Schema> =
                options.iter().filter(|option| matches!(option.shape, Shape::Object(_))).cloned().collect();
            if let Some((tag, names)) = tagged(&mappings) {
                return self.tagged(&objects, tag, &names, tree, at);
            }
            // An enum that is written `{ variant: … }`.
            if objects.len() > 1
                && let [entry] = entries.as_slice()
                && objects.iter().all(|object| object.required.len() == 1)
                && let Some(object) =
                    objects.iter().find(|object| object.required.first() == Some(&entry.key))
            {
                return self.object(object, tree, at, tree.span);
            }
        }
        let fitting: Vec<&Schema> = options.iter().filter(|option| fits(option, tree)).collect();
        match fitting.as_slice() {
            [only] => self.value(only, tree, at),
            [] => match options.iter().find_map(|option| match &option.shape {
                Shape::Choice(choices) if tree.text().is_some() => Some(choices),
                _ => None,
            }) {
                Some(choices) => self.choice(schema, choices, tree, at),
                None => self.unexpected(schema, tree, at),
            },
            several => {
                // Untagged alternatives: the first without a problem.
                for option in several {
                    let mut silent = Diagnostics::default();
                    let mut trial = Validator {
                        operation: self.operation,
                        problems: &mut silent,
                        resolve: self.resolve,
                        paths: Vec::new(),
                        found: 0,
                        doubtful: Vec::new(),
                    };
                    let value = trial.value(option, tree, at);
                    let paths = trial.paths;
                    if trial.found == 0 {
                        self.paths.extend(paths);
                        return value;
                    }
                }
                self.wrong(
                    tree,
                    at,
                    format!("must be {}, and fits none of its forms", schema.expected()),
                    "form",
                );
                Value::Null
            }
        }
    }

    /// An enum whose variant a property names.
    fn tagged(
        &mut self,
        objects: &[&ObjectShape],
        tag: &str,
        names: &[String],
        tree: &Tree,
        at: &str,
    ) -> Value {
        let inner = join(at, tag);
        let Some(entry) = tree.get(tag) else {
            let message = format!("`{}` needs the parameter `{inner}`", self.operation);
            let help = format!("it is one of {}", crate::diagnostics::list(names));
            self.problem(Diagnostic::at(tree.span, message).help(help));
            return Value::Null;
        };
        if entry.value.is_unknown() {
            return Value::Null;
        }
        match names.iter().zip(objects).find(|(name, _)| Some(name.as_str()) == entry.value.text()) {
            Some((_, object)) => self.object(object, tree, at, tree.span),
            None => {
                let choices: Vec<(Value, Option<String>)> =
                    names.iter().map(|name| (Value::from(name.as_str()), None)).collect();
                let schema = Schema { shape: Shape::Choice(choices.clone()), ..Schema::default() };
                self.choice(&schema, &choices, &entry.value, &inner)
            }
        }
    }
}

/// Whether a value is of the sort that a schema takes, whatever its parts are.
fn fits(schema: &Schema, tree: &Tree) -> bool {
    match (&schema.shape, &tree.data) {
        (Shape::Anything, _)
        | (Shape::Null, Data::Null)
        | (Shape::Bool, Data::Bool(_))
        | (Shape::Text(_), Data::Text(_))
        | (Shape::Number(_), Data::Number(_))
        | (Shape::List { .. }, Data::List(_))
        | (Shape::Object(_), Data::Map(_)) => true,
        (Shape::Number(_), Data::Text(_)) => schema.unit.is_some(),
        (Shape::Choice(choices), _) => {
            let value = tree.to_value();
            choices.iter().any(|(choice, _)| crate::expr::equal(choice, &value))
        }
        (Shape::OneOf(options), _) => options.iter().any(|option| fits(option, tree)),
        _ => false,
    }
}

fn in_number(value: f64, integer: bool) -> Option<Number> {
    // 2^63: above it, and with a fraction, a float is no whole number that fits.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if !integer {
        return Number::from_f64(value);
    }
    (value.fract() == 0.0 && value.abs() < LIMIT).then(|| Number::from(value as i64))
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}
