//! What a place in a line is inside of, and the word that is being read there.

/// What text is inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Commands: the line itself, or `$(…)`.
    Commands,
    /// `"…"`.
    Double,
    /// `${…}`.
    Braces { in_double: bool },
    /// `$((…))` or `((…))`: how many inner parentheses are open.
    Arithmetic(usize),
}

/// What is open among commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    Parenthesis,
    Case,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) word: Word,
    /// The next word is what output is redirected to.
    pub(super) target: bool,
    /// The next word names a command, or is a word of the grammar.
    pub(super) command: bool,
    pub(super) open: Vec<Open>,
}

#[derive(Debug, Default)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) started: bool,
    /// It is more than its letters: a variable, a pattern.
    pub(super) changes: bool,
    pub(super) quoted: bool,
    pub(super) reference: Option<usize>,
    pub(super) parts: usize,
}

impl Frame {
    pub(super) fn commands() -> Self {
        Self::new(Kind::Commands)
    }

    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, word: Word::default(), target: false, command: true, open: Vec::new() }
    }
}

/// `name=value`.
pub(super) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '+'))
    })
}
