//! Problems in a workflow file: where they are, what is wrong, what to write instead.
//!
//! Checking goes on after a problem, so that one look shows everything. A [`Diagnostics`] is that list
//! together with the texts it points into.

mod render;
mod suggest;

use std::fmt;

pub use suggest::closest;
pub(crate) use suggest::{did_you_mean, list};

/// A piece of a source text: byte offsets into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Which text: 0 is the workflow file, others are settings from the command line.
    pub source: u32,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// A piece of the source with this number.
    #[must_use]
    pub fn new(source: u32, start: usize, end: usize) -> Self {
        // Texts of 4 GiB are refused when they are read.
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { source, start: narrow(start), end: narrow(end.max(start)) }
    }

    /// A part of this piece, by byte offsets from its start.
    pub(crate) fn part(self, start: usize, end: usize) -> Self {
        let base = self.start as usize;
        Self::new(self.source, base + start, base + end)
    }
}

/// A text that spans point into.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// What to call it: the file's path, or the setting as it was written.
    pub(crate) name: String,
    /// The text.
    pub(crate) text: String,
}

/// A piece of text with a remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The piece.
    pub span: Span,
    /// The remark; may be empty.
    pub text: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where it is. Absent where no text is to blame, such as for a file that cannot be read.
    pub primary: Option<Label>,
    /// Other places that matter.
    pub secondary: Vec<Label>,
    /// Facts that help to understand it.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Vec<String>,
    /// What it is about, where the message quotes a value that differs from node to node of a matrix: the
    /// same topic at the same place is one problem.
    pub(crate) topic: Option<String>,
}

impl Diagnostic {
    /// A problem at a place.
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        let primary = Some(Label { span, text: String::new() });
        Self { primary, ..Self::nowhere(message) }
    }

    /// A problem that no piece of text is to blame for.
    pub fn nowhere(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
            topic: None,
        }
    }

    /// Says something about the offending text itself.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Points at another place that matters.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Says that the message quotes a value, and what it is about apart from that.
    #[must_use]
    pub(crate) fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Says what to do, if there is something to say.
    #[must_use]
    pub fn maybe_help(self, text: Option<String>) -> Self {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }
}

/// Every problem found in a workflow, with the texts they are in.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    pub(crate) sources: Vec<Source>,
    list: Vec<Diagnostic>,
    /// How many further nodes have the problem at the same index of `list`.
    repeats: Vec<usize>,
}

impl Diagnostics {
    /// Adds a problem, once: a matrix finds its mistake again in each node.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        let known = self.list.iter().position(|known| {
            place(known) == place(&diagnostic)
                && (known.message == diagnostic.message
                    || known.topic.is_some() && known.topic == diagnostic.topic)
        });
        match known {
            Some(index) => {
                // The same for another value is worth a word, the same once more is not.
                let known = &self.list[index];
                let value = |d: &Diagnostic| d.primary.as_ref().map(|label| label.text.clone());
                let other = known.message != diagnostic.message || value(known) != value(&diagnostic);
                self.repeats[index] += usize::from(other);
            }
            None => {
                self.list.push(diagnostic);
                self.repeats.push(0);
            }
        }
    }

    /// Says what to do about the problem added last.
    pub(crate) fn help_last(&mut self, text: &str) {
        if let Some(last) = self.list.last_mut() {
            last.help.push(text.to_owned());
        }
    }

    /// Adds a fact to the problem added last.
    pub(crate) fn note_last(&mut self, text: &str) {
        if let Some(last) = self.list.last_mut() {
            last.notes.push(text.to_owned());
        }
    }

    /// A list of one problem without a place.
    #[must_use]
    pub fn single(diagnostic: Diagnostic) -> Self {
        let mut list = Self::default();
        list.push(diagnostic);
        list
    }

    /// Adds a text and gives its number.
    pub(crate) fn add_source(&mut self, name: String, text: String) -> u32 {
        self.sources.push(Source { name, text });
        u32::try_from(self.sources.len() - 1).unwrap_or(u32::MAX)
    }

    /// The texts without the problems.
    pub(crate) fn texts(&self) -> Self {
        Self { sources: self.sources.clone(), ..Self::default() }
    }

    /// The text of a source.
    pub(crate) fn text(&self, source: u32) -> &str {
        self.sources.get(source as usize).map_or("", |source| source.text.as_str())
    }

    /// The piece of text that a span names.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text(span.source).get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// How many problems there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems in the order of the file.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.list.iter().collect();
        sorted.sort_by_key(|d| d.primary.as_ref().map(|label| label.span));
        sorted
    }

    /// The problems as a line each: place, message, and what to do.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |problem: &Diagnostic| {
            let place = problem.primary.as_ref().and_then(|label| render::place(self, label));
            let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
            let more = problem.notes.iter().chain(&problem.help);
            let more: String = more.map(|text| format!("; {text}")).collect();
            format!("{place}{}{more}", problem.message)
        };
        self.sorted().into_iter().map(line).collect()
    }

    fn repeats_of(&self, diagnostic: &Diagnostic) -> usize {
        self.list.iter().zip(&self.repeats).find(|(known, _)| *known == diagnostic).map_or(0, |(_, n)| *n)
    }
}

fn place(diagnostic: &Diagnostic) -> Option<Span> {
    diagnostic.primary.as_ref().map(|label| label.span)
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in self.sorted() {
            render::diagnostic(f, self, diagnostic)?;
            writeln!(f)?;
        }
        let count = match self.len() {
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        };
        write!(f, "{}{count} found; nothing was run{}", render::BOLD, render::RESET)
    }
}

impl std::error::Error for Diagnostics {}
