//! From YAML text to a [`Tree`].

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned, budget, options};

use super::tree::{Data, Entry, Tree, within};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::expr::Template;

/// Larger texts are refused: they are not written by people.
const MAX_BYTES: usize = 64 << 20;

/// Reads the source with this number, from a byte on. Duplicate keys and bad expressions are reported with
/// everything else; text that is not YAML is the end of it.
pub(super) fn read(source: u32, from: usize, problems: &mut Diagnostics) -> Option<Tree> {
    let text = problems.text(source).get(from..)?.to_owned();
    let place = Place { source, from, text: &text };
    if text.len() > MAX_BYTES {
        problems.push(Diagnostic::nowhere(format!("the file is larger than {} MiB", MAX_BYTES >> 20)));
        return None;
    }
    let options = options! {
        // Reported here, with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        // A sample called 007 is not number 7.
        leading_zero_numbers_as_strings: true,
        with_snippet: false,
        budget: budget! { max_nodes: 5_000_000, max_events: 10_000_000 },
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(&text, options) {
        Ok(raw) => Some(Reader { place, problems, path: Vec::new() }.tree(raw)),
        Err(error) => {
            let problem = not_yaml(place, &error);
            problems.push(problem);
            None
        }
    }
}

/// What the parser complains about, in the words of this program.
fn not_yaml(place: Place<'_>, error: &serde_saphyr::Error) -> Diagnostic {
    let text = place.text;
    let (start, end) = match error.location() {
        Some(location) => place.bytes(&location),
        None => (text.len(), text.len()),
    };
    let span = place.span(start, end);
    let message = error.without_snippet().to_string();
    // The parser repeats the place at the end of its messages.
    let short = message.split(" at line ").next().unwrap_or(&message).trim();
    let line = text.get(..start).and_then(|before| before.lines().last()).unwrap_or("");
    let rest = text.get(start..).unwrap_or("").lines().next().unwrap_or("");
    let (message, help) = if short.contains("alias replay") || short.contains("budget") {
        ("aliases expand this file beyond all measure".to_owned(), Some("write the values out"))
    } else if short.contains("unknown anchor") {
        ("this alias names an anchor that is not in the file".to_owned(), Some("anchors are written `&name`"))
    } else if short.contains("recursive") {
        ("this alias is inside its own anchor".to_owned(), None)
    } else if short.contains("non-finite") {
        ("this number is not finite".to_owned(), Some("quote it if a text is meant"))
    } else if short.contains("multiple YAML documents") {
        ("a second document starts here, and a workflow is one".to_owned(), Some("remove the `---`"))
    } else if rest.starts_with("${{") || rest.starts_with("{{") && line.ends_with('$') {
        (
            format!("this is not YAML: {short}"),
            Some("inside `{ }` and `[ ]` an expression must be quoted: `\"${{ … }}\"`"),
        )
    } else if short.contains("tabs") {
        ("YAML does not allow tabs for indentation".to_owned(), Some("use spaces"))
    } else {
        let help = (line.contains("${{") || rest.contains("${{"))
            .then_some("an expression inside `{ }`, or with `: ` or ` #` in it, must be quoted")
            .or(Some("look here and above for an open bracket or quote, or for wrong indentation"));
        (format!("this is not YAML: {short}"), help)
    };
    Diagnostic::at(span, message).maybe_help(help.map(str::to_owned))
}

/// A text that is a part of a source.
#[derive(Clone, Copy)]
struct Place<'a> {
    source: u32,
    from: usize,
    text: &'a str,
}

impl Place<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, self.from + start, self.from + end)
    }

    /// The bytes of the text that a location of the parser names.
    fn bytes(&self, location: &Location) -> (usize, usize) {
        let piece = location.span();
        if let (Some(offset), Some(length)) = (piece.byte_offset(), piece.byte_len()) {
            let start = usize::try_from(offset).unwrap_or(self.text.len());
            return (start, start + usize::try_from(length).unwrap_or(0));
        }
        let line = usize::try_from(location.line()).unwrap_or(1).max(1);
        let column = usize::try_from(location.column()).unwrap_or(1).max(1);
        let start: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = self.text[start.min(self.text.len())..].chars();
        let start = start + rest.take(column - 1).map(char::len_utf8).sum::<usize>();
        (start, start)
    }
}

struct Reader<'a> {
    place: Place<'a>,
    problems: &'a mut Diagnostics,
    /// The keys that lead to the mapping being read.
    path: Vec<String>,
}

impl Reader<'_> {
    fn tree(&mut self, raw: Spanned<Raw>) -> Tree {
        let (start, mut end) = self.written(&raw.defined);
        let data = match raw.value {
            Raw::Null => Data::Null,
            Raw::Bool(flag) => Data::Bool(flag),
            Raw::Number(number) => Data::Number(number),
            Raw::Text(text) => self.template(text, self.place.span(start, end)),
            Raw::List(items) => {
                let items: Vec<Tree> = items.into_iter().map(|item| self.tree(item)).collect();
                end = self.container(start, end, items.last().map(|last| last.span));
                Data::List(items)
            }
            Raw::Map(pairs) => {
                let entries = self.entries(pairs);
                end = self.container(start, end, entries.last().map(|last| last.value.span));
                Data::Map(entries)
            }
        };
        Tree::new(self.place.span(start, end), data)
    }

    /// The bytes of a scalar or of the mark that opens a collection.
    fn written(&self, location: &Location) -> (usize, usize) {
        let (start, end) = self.place.bytes(location);
        // Block texts end with the newline after them.
        (start, start + self.place.text.get(start..end).unwrap_or("").trim_end().len())
    }

    /// Where a collection ends: with its last part, or the bracket that closes it. Parts that come from an
    /// alias may stand elsewhere.
    fn container(&self, start: usize, end: usize, last: Option<Span>) -> usize {
        let text = self.place.text;
        let last = last.map_or(end, |last| last.end as usize - self.place.from.min(last.end as usize));
        if last < end {
            return end;
        }
        let rest = text.get(last..).unwrap_or("");
        let closing = rest.len() - rest.trim_start().len();
        let brackets = text.get(start..).is_some_and(|text| text.starts_with(['[', '{']));
        if brackets && rest[closing..].starts_with([']', '}']) { last + closing + 1 } else { last }
    }

    fn entries(&mut self, pairs: Vec<(Spanned<String>, Spanned<Raw>)>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
        // Long mappings are checked through a table: comparing all with all would take a second for 30,000.
        let mut seen = std::collections::HashMap::new();
        for (key, value) in pairs {
            let (start, end) = self.written(&key.defined);
            let key_span = self.place.span(start, end);
            self.path.push(key.value.clone());
            let value = self.tree(value);
            self.path.pop();
            if let Some(first) = seen.insert(key.value.clone(), key_span) {
                let message = match self.path.as_slice() {
                    [stages] if stages == "stages" => format!("two stages are called `{}`", key.value),
                    _ => format!("the key `{}` is given twice", key.value),
                };
                self.problems.push(
                    Diagnostic::at(key_span, message)
                        .label("the second time")
                        .also(first, "the first time")
                        .help("remove one of them, or give it another name"),
                );
                continue;
            }
            entries.push(Entry { key: key.value, key_span, value });
        }
        entries
    }

    fn template(&mut self, text: String, span: Span) -> Data {
        match Template::parse(&text) {
            Ok(None) => Data::Text(text),
            Ok(Some(template)) => Data::Template(Box::new(template)),
            Err(problem) => {
                let place = within(self.problems, span, text.trim_end(), 0, problem.range);
                self.problems.push(Diagnostic::at(place, problem.message).maybe_help(problem.hint));
                Data::Broken
            }
        }
    }
}

/// A value as the YAML parser gives it.
enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Raw, E> {
        Number::from_f64(number).map(Raw::Number).ok_or_else(|| E::custom("non-finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Map(pairs))
    }
}
