//! Lines that need no shell: one command, its words, and files to read and write.
//!
//! Most lines are of this form, and starting bash for them costs more than all else that a small node costs. So
//! they are started directly, as `make` does it. What is read here means the same to bash, character by character:
//! anything that could mean more is left to bash. So is whatever goes wrong before the program runs, since bash
//! then says what.

use super::Piece;

/// A command and where its standard input comes from and output goes to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Simple {
    /// The command and its arguments, each in pieces; a piece alone may stand for several words.
    pub(super) words: Vec<Vec<Piece>>,
    /// Files to open, in order.
    pub(super) files: Vec<(Open, Vec<Piece>)>,
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// `< file`
    Read,
    /// `> file`
    Write,
    /// `>> file`
    Append,
}

/// What bash does itself or reads as the beginning of something larger. `echo` is not among them: the program of
/// this name does the same, unless an argument begins with `-`.
const NOT_PROGRAMS: &str = " . : [ [[ ]] ! { } alias bg bind break builtin caller case cd command compgen complete \
    compopt continue coproc declare dirs disown do done elif else enable esac eval exec exit export false fc fg fi \
    for function getopts hash help history if in jobs kill let local logout mapfile popd printf pushd pwd read \
    readarray readonly return select set shift shopt source suspend test then time times trap true type typeset \
    ulimit umask unalias unset until wait while ";

/// Reads a line; `None` where it needs the shell.
pub(super) fn read(pieces: &[Piece]) -> Option<Simple> {
    let mut reader = Reader::default();
    let last = pieces.len().saturating_sub(1);
    for (number, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) if number == last => reader.text(text.trim_end_matches([' ', '\t', '\n']))?,
            Piece::Text(text) => reader.text(text)?,
            Piece::Plain(symbol) | Piece::Quoted { quoted: symbol } => {
                reader.word.get_or_insert_default().push(Piece::Plain(symbol.clone()));
            }
        }
    }
    reader.end_word();
    if reader.quote.is_some() || reader.open.is_some() {
        return None;
    }
    let [Piece::Text(name)] = reader.line.words.first()?.as_slice() else { return None };
    let is_special = name.is_empty() || name.contains('=') || NOT_PROGRAMS.contains(&format!(" {name} "));
    let is_echo_with_options =
        name == "echo" && !reader.line.words.iter().skip(1).all(|word| is_no_option(word));
    (!is_special && !is_echo_with_options).then_some(reader.line)
}

/// Whether a word is certain not to begin with `-`.
fn is_no_option(word: &[Piece]) -> bool {
    match word.first() {
        None => true,
        Some(Piece::Text(text)) => !text.starts_with('-'),
        Some(Piece::Plain(super::Symbol::Value(serde_json::Value::String(text)))) => !text.starts_with('-'),
        Some(Piece::Plain(super::Symbol::Value(value))) => value.as_u64().is_some(),
        Some(_) => false,
    }
}

#[derive(Default)]
struct Reader {
    line: Simple,
    word: Option<Vec<Piece>>,
    quote: Option<char>,
    /// What the next word is, if it names a file.
    open: Option<Open>,
}

impl Reader {
    fn text(&mut self, text: &str) -> Option<()> {
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match (self.quote, c) {
                (Some(quote), c) if c == quote => self.quote = None,
                (Some('"'), '$' | '`' | '\\') => return None,
                (Some(_), c) => self.push(c),
                (None, '\'' | '"') => {
                    self.quote = Some(c);
                    self.word.get_or_insert_default();
                }
                (None, ' ' | '\t') => self.end_word(),
                (None, '<' | '>') => {
                    // A number directly before it would name another stream.
                    if self.word.is_some() || self.open.is_some() {
                        return None;
                    }
                    self.open = Some(match (c, rest.peek()) {
                        ('>', Some('>')) => {
                            rest.next();
                            Open::Append
                        }
                        ('>', _) => Open::Write,
                        _ => Open::Read,
                    });
                }
                (None, c) if c.is_ascii_alphanumeric() || "_./:,@%+-=^".contains(c) => self.push(c),
                (None, _) => return None,
            }
        }
        Some(())
    }

    fn push(&mut self, c: char) {
        let word = self.word.get_or_insert_default();
        match word.last_mut() {
            Some(Piece::Text(text)) => text.push(c),
            _ => word.push(Piece::Text(c.to_string())),
        }
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match self.open.take() {
            Some(open) => self.line.files.push((open, word)),
            None => self.line.words.push(word),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use std::process::Command;

    use super::*;

    fn line(text: &str) -> Option<Simple> {
        read(&[Piece::Text(text.to_owned())])
    }

    fn words(simple: &Simple) -> Vec<String> {
        let word = |word: &Vec<Piece>| match word.as_slice() {
            [] => String::new(),
            [Piece::Text(text)] => text.clone(),
            other => panic!("{other:?}"),
        };
        simple.words.iter().map(word).collect()
    }

    #[test]
    fn what_needs_the_shell_is_left_to_it() {
        for text in [
            "",
            "a; b",
            "a | b",
            "a & b",
            "a && b",
            "a $b",
            "a `b`",
            "a *.c",
            "a [b]",
            "a ?",
            "a {b,c}",
            "a ~",
            "a # b",
            "a\nb",
            "a \\b",
            "a \"$b\"",
            "a \"\\b\"",
            "X=1 a",
            "a 2> b",
            "a > b > ",
            "a > ",
            "a >& b",
            "a >| b",
            "a << b",
            "a <(b)",
            "(a)",
            "! a",
            "cd a",
            "test a",
            "'a",
            "echo -n a",
            "time a",
            "if a",
            "a >2>b",
            "a <> b",
        ] {
            assert_eq!(line(text), None, "{text}");
        }
    }

    #[test]
    fn files_are_told_from_words() {
        let simple = line("cat <a - '' >>'b c' x=y \n").unwrap();
        assert_eq!(words(&simple), ["cat", "-", "", "x=y"]);
        let text = |text: &str| vec![Piece::Text(text.to_owned())];
        assert_eq!(simple.files, [(Open::Read, text("a")), (Open::Append, text("b c"))]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Whatever is read as simple has the words that bash finds in it: printf prints each.
        #[test]
        fn the_words_are_those_of_bash(rest in "[a-c '\"\\-=./:,@%+^~#!$*\\\\{}<>(-0-9\t]{0,12}") {
            let text = format!("/usr/bin/env printf '<%s>' x {rest}");
            if let Some(simple) = line(&text).filter(|simple| simple.files.is_empty()) {
                let found = words(&simple);
                let ours = Command::new(&found[0]).args(&found[1..]).output().unwrap();
                let bash = Command::new("bash").args(["-euo", "pipefail", "-c", &text]).output().unwrap();
                prop_assert!(bash.status.success());
                prop_assert_eq!(ours.stdout, bash.stdout);
            }
        }
    }
}
