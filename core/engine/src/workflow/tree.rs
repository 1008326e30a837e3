//! YAML values with their places: what every later step reads, so that every message can point.

use serde_json::{Number, Value};

use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::expr::{Expr, Piece, Problem, Scope, Template};

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) span: Span,
    pub(crate) data: Data,
    /// Where the value comes from, if an expression took it from elsewhere.
    pub(crate) origin: Option<Span>,
}

/// A value whose parts know their places.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    /// A text with expressions in it; gone after [`Tree::eval`].
    Template(Box<Template>),
    /// An expression that does not parse, which has been reported.
    Broken,
    List(Vec<Tree>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Tree,
}

impl Tree {
    pub(crate) fn new(span: Span, data: Data) -> Self {
        Self { span, data, origin: None }
    }

    /// A value that has one place as a whole.
    pub(crate) fn from_value(value: Value, span: Span, origin: Option<Span>) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(flag) => Data::Bool(flag),
            Value::Number(number) => Data::Number(number),
            Value::String(text) => Data::Text(text),
            Value::Array(items) => {
                Data::List(items.into_iter().map(|item| Self::from_value(item, span, origin)).collect())
            }
            Value::Object(map) => Data::Map(
                map.into_iter()
                    .map(|(key, value)| Entry {
                        key,
                        key_span: span,
                        value: Self::from_value(value, span, origin),
                    })
                    .collect(),
            ),
        };
        Self { span, data, origin }
    }

    /// The value alone. A template stands for its own text only in files that are not evaluated.
    pub(crate) fn to_value(&self) -> Value {
        match &self.data {
            Data::Null | Data::Template(_) | Data::Broken => Value::Null,
            Data::Bool(flag) => Value::Bool(*flag),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Data::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_value())).collect())
            }
        }
    }

    /// The entry with this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries of a mapping; nothing for other values.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether its value could not be computed, which has been reported.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.data, Data::Template(_) | Data::Broken)
    }

    /// What sort of value it is, for messages: with the value where it is short.
    pub(crate) fn describe(&self) -> String {
        match &self.data {
            Data::Template(_) | Data::Broken => "an expression".to_owned(),
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a mapping".to_owned(),
            _ => crate::expr::describe(&self.to_value()),
        }
    }

    /// Whether an expression is anywhere in it.
    pub(crate) fn is_constant(&self) -> bool {
        match &self.data {
            Data::Template(_) | Data::Broken => false,
            Data::List(items) => items.iter().all(Self::is_constant),
            Data::Map(entries) => entries.iter().all(|entry| entry.value.is_constant()),
            _ => true,
        }
    }

    /// Calls `visit` with every template, and with the place of the text that it is in.
    pub(crate) fn templates<'t>(&'t self, visit: &mut dyn FnMut(&'t Template, Span)) {
        match &self.data {
            Data::Template(template) => visit(template, self.span),
            Data::List(items) => items.iter().for_each(|item| item.templates(visit)),
            Data::Map(entries) => entries.iter().for_each(|entry| entry.value.templates(visit)),
            _ => {}
        }
    }

    /// The tree with every expression computed. `origin` tells where a reference such as `params.x` leads.
    ///
    /// # Errors
    /// The problems are added to `problems`; what could be computed is not returned then.
    pub(crate) fn eval(
        &self,
        scope: &Scope<'_>,
        origin: &dyn Fn(&str, &str) -> Option<Span>,
        problems: &mut Diagnostics,
    ) -> Option<Self> {
        let data = match &self.data {
            Data::Template(template) => {
                let mut leads_to = None;
                if let Some(Piece::Expression { expr, .. }) = template.pieces.first() {
                    expr.references(&mut |root, field| {
                        leads_to = leads_to.or_else(|| origin(root, field?));
                    });
                }
                return match template.eval(scope) {
                    Ok(value) => Some(Self::from_value(value, self.span, leads_to)),
                    Err((index, problem)) => {
                        report(template, self.span, index, problem, problems);
                        None
                    }
                };
            }
            Data::List(items) => {
                // Every item is tried, so that all problems show at once.
                let items: Vec<_> = items.iter().map(|item| item.eval(scope, origin, problems)).collect();
                Data::List(items.into_iter().collect::<Option<_>>()?)
            }
            Data::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| {
                        let value = entry.value.eval(scope, origin, problems)?;
                        Some(Entry { key: entry.key.clone(), key_span: entry.key_span, value })
                    })
                    .collect();
                Data::Map(entries.into_iter().collect::<Option<_>>()?)
            }
            Data::Broken => return None,
            constant => constant.clone(),
        };
        Some(Self { span: self.span, data, origin: self.origin })
    }

    /// Looks at every expression, and reports what is wrong. Whether all are sound.
    pub(crate) fn check(
        &self,
        check: &dyn Fn(&Expr) -> Result<(), Problem>,
        problems: &mut Diagnostics,
    ) -> bool {
        let mut found = Vec::new();
        self.templates(&mut |template, span| {
            for (index, piece) in template.pieces.iter().enumerate() {
                if let Piece::Expression { expr, .. } = piece
                    && let Err(problem) = check(expr)
                {
                    found.push((template, span, index, problem));
                }
            }
        });
        let sound = found.is_empty();
        for (template, span, index, problem) in found {
            report(template, span, index, problem, problems);
        }
        sound
    }

    /// Lays the entries of another mapping over this one, mapping by mapping. Everything else is replaced.
    pub(crate) fn merge(&mut self, over: Tree) {
        match (&mut self.data, over.data) {
            (Data::Map(entries), Data::Map(others)) => {
                for other in others {
                    match entries.iter_mut().find(|entry| entry.key == other.key) {
                        Some(entry) => entry.value.merge(other.value),
                        None => entries.push(other),
                    }
                }
            }
            (_, data) => *self = Self { span: over.span, data, origin: over.origin },
        }
    }
}

/// Reports what is wrong with a piece of a template, which stands at a place.
fn report(template: &Template, text: Span, index: usize, problem: Problem, problems: &mut Diagnostics) {
    let span = match &template.pieces[index] {
        Piece::Expression { written, range, .. } => {
            within(problems, text, written, range.start, problem.range)
        }
        Piece::Text(_) => text,
    };
    let diagnostic = Diagnostic::at(span, problem.message).topic("expression");
    problems.push(diagnostic.maybe_help(problem.hint));
}

/// The place in the source of a piece of an expression. Quoted and folded texts do not stand in the source as
/// they read, so the expression is looked for; where it cannot be found the whole text is meant.
pub(crate) fn within(
    problems: &Diagnostics,
    text: Span,
    written: &str,
    after: usize,
    piece: std::ops::Range<usize>,
) -> Span {
    let source = problems.slice(text);
    // The same expression may stand twice in one text: the one nearest to its place in the value is meant.
    let found = source.match_indices(written).min_by_key(|(at, _)| at.abs_diff(after));
    match found {
        Some((at, _)) if !written.is_empty() => {
            let end = piece.end.max(piece.start + 1).min(written.len());
            text.part(at + piece.start.min(end), at + end)
        }
        _ => text,
    }
}
