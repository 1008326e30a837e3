//! Text with expressions in it.

use std::ops::Range;

use serde_json::Value;

use super::{Expr, Problem, Scope, parse};

/// Longer texts are refused: parameters can be made of parameters, and double at each step.
const MAX_TEXT: usize = 16 << 20;

/// A text with at least one `${{ … }}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Its pieces, in order.
    pub pieces: Vec<Piece>,
}

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Plain text.
    Text(String),
    /// An expression, with the text between `${{` and `}}` and where in the whole that starts.
    Expression {
        /// The expression.
        expr: Expr,
        /// What was written between the braces.
        written: String,
        /// The place of that in the template's text, in bytes.
        range: Range<usize>,
    },
}

impl Template {
    /// Finds the expressions in a text. `None` means that there are none: the text is just text. `$${{` stands
    /// for a plain `${{`.
    ///
    /// # Errors
    /// The first expression that does not parse; its range is one of `text`.
    pub fn parse(text: &str) -> Result<Option<Self>, Problem> {
        if !text.contains("${{") {
            return Ok(None);
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${{") {
            let open = at + found;
            if text[..open].ends_with('$') && open > at {
                plain.push_str(&text[at..open - 1]);
                plain.push_str("${{");
                at = open + 3;
                continue;
            }
            plain.push_str(&text[at..open]);
            let start = open + 3;
            let Some(length) = closing(&text[start..]) else {
                return Err(Problem::new(open..text.len(), "`${{` without `}}`"));
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            let range = start..start + length;
            let written = text[range.clone()].to_owned();
            let expr = parse(&written).map_err(|problem| Problem {
                range: start + problem.range.start..start + problem.range.end,
                ..problem
            })?;
            pieces.push(Piece::Expression { expr, written, range });
            at = start + length + 2;
        }
        plain.push_str(&text[at..]);
        if !plain.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Some(Self { pieces }))
    }

    /// The expression, if it is the whole of the text.
    #[must_use]
    pub fn whole(&self) -> Option<&Expr> {
        match self.pieces.as_slice() {
            [Piece::Expression { expr, .. }] => Some(expr),
            _ => None,
        }
    }

    /// The value: of its own type if the template is one expression, else a text.
    ///
    /// # Errors
    /// What is wrong, and in which piece (an index into `pieces`); the range is one of the piece's `written`.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value, (usize, Problem)> {
        if let Some(expr) = self.whole() {
            return expr.eval(scope).map_err(|problem| (0, problem));
        }
        let mut text = String::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Expression { expr, .. } => {
                    let value = expr.eval(scope).map_err(|problem| (index, problem))?;
                    if text.len() > MAX_TEXT {
                        let message = format!("the text is larger than {} MiB", MAX_TEXT >> 20);
                        return Err((index, Problem::new(expr.range.clone(), message)));
                    }
                    text.push_str(&in_text(&value).map_err(|message| {
                        let hint = matches!(value, Value::Array(_))
                            .then(|| "`join(list, ', ')` makes a text of a list".to_owned());
                        (index, Problem::new(expr.range.clone(), message).hint(hint))
                    })?);
                }
            }
        }
        Ok(Value::String(text))
    }
}

/// How a value reads inside a text.
pub(crate) fn in_text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Err("`null` cannot stand inside a text".to_owned()),
        Value::Array(_) => Err("a list cannot stand inside a text".to_owned()),
        Value::Object(_) => Err("a mapping cannot stand inside a text".to_owned()),
    }
}

/// Where `}}` is, skipping texts in quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if text[index..].starts_with("}}") => return Some(index),
            None => {}
        }
    }
    None
}
