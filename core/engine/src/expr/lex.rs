//! Words of an expression.

use std::ops::Range;

use serde_json::{Number, Value};

use super::Problem;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Literal(Value),
    Name(String),
    /// An operator, bracket, comma or dot.
    Symbol(&'static str),
    End,
}

/// Longest first, so that `**` is not two times `*`.
const SYMBOLS: [&str; 21] = [
    "**", "//", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", ".", "=",
    "&",
];

/// Splits a text into words, with their places. The last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, Problem> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if c.is_ascii_digit() {
            number(rest, at)?
        } else if c == '\'' || c == '"' {
            string(rest, c, at)?
        } else if c.is_alphabetic() || c == '_' {
            word(rest)
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            if let Some(instead) = [("=", "=="), ("&", "and")].iter().find(|(wrong, _)| wrong == symbol) {
                return Err(Problem::new(at..at + 1, format!("`{}` is not an operator", instead.0))
                    .hint(Some(format!("write `{}`", instead.1))));
            }
            (Token::Symbol(symbol), symbol.len())
        } else {
            let hint = match c {
                '|' => Some("write `or`".to_owned()),
                '!' => Some("write `not`, or `!=`".to_owned()),
                '?' => Some("write `a if condition else b`".to_owned()),
                _ => None,
            };
            return Err(Problem::new(
                at..at + c.len_utf8(),
                format!("`{c}` has no meaning in an expression"),
            )
            .hint(hint));
        };
        found.push((token, at..at + length));
        at += length;
    }
    found.push((Token::End, text.len()..text.len()));
    Ok(found)
}

fn word(rest: &str) -> (Token, usize) {
    let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let token = match &rest[..length] {
        "true" => Token::Literal(Value::Bool(true)),
        "false" => Token::Literal(Value::Bool(false)),
        "null" => Token::Literal(Value::Null),
        name => Token::Name(name.to_owned()),
    };
    (token, length)
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), Problem> {
    let digits = |from: usize| {
        let tail = &rest[from..];
        from + tail.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(tail.len())
    };
    let mut end = digits(0);
    let mut float = false;
    if rest[end..].starts_with('.') && rest[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        float = true;
        end = digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        if rest[end + 1 + sign..].starts_with(|c: char| c.is_ascii_digit()) {
            float = true;
            end = digits(end + 1 + sign);
        }
    }
    let text = rest[..end].replace('_', "");
    let range = at..at + end;
    if rest[end..].starts_with(|c: char| c.is_alphanumeric()) {
        return Err(Problem::new(range, format!("`{text}` is followed by a letter"))
            .hint(Some("write quantities with units as text: `\"1.5 km\"`".into())));
    }
    let value = if float {
        text.parse::<f64>().ok().and_then(Number::from_f64)
    } else {
        text.parse::<u64>().ok().map(Number::from)
    };
    match value {
        Some(number) => Ok((Token::Literal(Value::Number(number)), end)),
        None => Err(Problem::new(range, format!("the number `{text}` is too large"))),
    }
}

fn string(rest: &str, quote: char, at: usize) -> Result<(Token, usize), Problem> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((Token::Literal(Value::String(text)), index + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, c @ ('\\' | '\'' | '"'))) => text.push(c),
                Some((after, c)) => {
                    return Err(Problem::new(
                        at + index..at + after + c.len_utf8(),
                        format!("`\\{c}` is not an escape; there are \\n, \\t, \\\\, \\' and \\\""),
                    ));
                }
                None => break,
            },
            c => text.push(c),
        }
    }
    Err(Problem::new(at..at + rest.len(), "this text is not closed"))
}
