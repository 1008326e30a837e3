//! Reading a shell line as the shell will, as far as it takes to say where each reference in it stands.
//!
//! Values never become script text: a reference is replaced by the expansion of a shell variable, in quotes of
//! its own unless it stands in double quotes. So the reader has to know of every character whether it is
//! quoted, and by what. It follows quotes, substitutions, comments, here-documents and `case` patterns; where
//! a variable would not be expanded to exactly its value, a reference is refused.

mod documents;
mod frame;

use frame::{Frame, Kind, Open, is_assignment};

/// A piece of a line: a character, or the reference with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Char(char),
    Reference(usize),
}

/// What is known of a reference's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// It stands in double quotes.
    pub(crate) quoted: bool,
    /// It is a word of its own, so that several words can stand for it.
    pub(crate) alone: bool,
}

/// What reading a line gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// By reference.
    pub(crate) places: Vec<Place>,
    /// Words that say the same whenever the line runs, without those that output is redirected to.
    pub(crate) words: Vec<String>,
}

/// Why a line cannot be used: what is wrong, with which reference, if with one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misplaced {
    pub(crate) reference: Option<usize>,
    pub(crate) message: &'static str,
    pub(crate) help: &'static str,
}

/// Reads a line. `values` has for each reference the one text that it always stands for, if there is one.
pub(crate) fn read(symbols: &[Symbol], values: &[Option<String>]) -> Result<Line, Misplaced> {
    let line = Line { places: vec![Place::default(); values.len()], words: Vec::new() };
    let mut reader = Reader {
        symbols,
        at: 0,
        values,
        line,
        frames: vec![Frame::commands()],
        documents: Vec::new(),
        lost: false,
        seen: 0,
    };
    reader.read()?;
    Ok(reader.line)
}

struct Reader<'a> {
    symbols: &'a [Symbol],
    at: usize,
    values: &'a [Option<String>],
    line: Line,
    /// The innermost last; the first is never taken away.
    frames: Vec<Frame>,
    /// Here-documents that start at the end of the line: the delimiter, and whether tabs are stripped.
    documents: Vec<(String, bool)>,
    /// What looked like arithmetic was something else.
    lost: bool,
    /// How many references there were.
    seen: usize,
}

type Read = Result<(), Misplaced>;

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        match self.symbols.get(self.at + ahead) {
            Some(Symbol::Char(c)) => Some(*c),
            _ => None,
        }
    }

    fn next(&mut self) -> Option<Symbol> {
        let symbol = self.symbols.get(self.at).copied();
        self.at += 1;
        symbol
    }

    fn top(&mut self) -> &mut Frame {
        // The first frame is never taken away.
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// The innermost commands: what words belong to.
    fn commands(&mut self) -> &mut Frame {
        let at = self.frames.iter().rposition(|frame| frame.kind == Kind::Commands).unwrap_or(0);
        &mut self.frames[at]
    }

    fn push(&mut self, c: char) {
        let word = &mut self.commands().word;
        word.text.push(c);
        word.started = true;
        word.parts += 1;
    }

    /// The present word will say something else when it is expanded.
    fn changes(&mut self) {
        let word = &mut self.commands().word;
        (word.started, word.changes) = (true, true);
        word.parts += 1;
    }

    fn read(&mut self) -> Read {
        while let Some(symbol) = self.next() {
            match (symbol, self.top().kind) {
                (Symbol::Reference(number), kind) => self.reference(number, kind)?,
                (Symbol::Char(c), Kind::Commands) => self.in_commands(c)?,
                (Symbol::Char(c), Kind::Double) => self.in_double(c)?,
                (Symbol::Char(c), Kind::Braces { in_double }) => self.in_braces(c, in_double)?,
                (Symbol::Char(c), Kind::Arithmetic(depth)) => self.in_arithmetic(c, depth)?,
            }
        }
        self.end_word();
        if self.frames.len() > 1 && !self.lost {
            return Err(open_end());
        }
        // Each was looked at, or has ended the reading: none can slip through.
        debug_assert_eq!(self.seen, self.values.len());
        Ok(())
    }

    fn reference(&mut self, number: usize, kind: Kind) -> Read {
        let inner = self.frames.iter().rev().take_while(|frame| frame.kind != Kind::Commands);
        for frame in inner {
            match frame.kind {
                Kind::Braces { .. } => return Err(refused(number, "inside `${…}`")),
                Kind::Arithmetic(_) => {
                    let help = "the shell computes with it as text: put the value into a variable and check it first";
                    return Err(Misplaced { help, ..refused(number, "inside arithmetic, `((…))`") });
                }
                Kind::Commands | Kind::Double => {}
            }
        }
        if self.lost {
            let help = "put a space between the two parentheses of `((`";
            return Err(Misplaced {
                help,
                ..refused(number, "after parentheses that cannot be told from arithmetic")
            });
        }
        self.seen += 1;
        let quoted = kind == Kind::Double;
        self.line.places[number].quoted = quoted;
        let value = self.values[number].as_deref();
        let word = &mut self.commands().word;
        match value {
            Some(value) => word.text.push_str(value),
            None => word.changes = true,
        }
        word.started = true;
        word.quoted = true;
        word.parts += 1;
        word.reference = Some(number);
        Ok(())
    }

    fn in_commands(&mut self, c: char) -> Read {
        match c {
            ' ' | '\t' => self.end_word(),
            '\n' => {
                self.end_word();
                (self.top().command, self.top().target) = (true, false);
                self.here_documents()?;
            }
            '#' if !self.top().word.started => self.comment()?,
            '\\' => self.backslash()?,
            '\'' => self.single()?,
            '"' => self.open_double(),
            '`' => self.backticks()?,
            '$' => self.dollar()?,
            '(' => self.open_parenthesis(),
            ')' => self.close_parenthesis(),
            ';' | '&' | '|' => {
                // `>&` and `>|` are redirections.
                let redirects = self.top().target && !self.top().word.started;
                self.end_word();
                (self.top().command, self.top().target) = (!redirects, redirects);
            }
            '<' if self.peek(0) == Some('<') => {
                self.end_word();
                self.at += 1;
                if self.peek(0) == Some('<') { self.at += 1 } else { self.here_document()? }
            }
            '<' | '>' => {
                let command = self.top().command;
                self.end_word();
                (self.top().command, self.top().target) = (command, c == '>');
            }
            '*' | '?' | '[' => {
                self.push(c);
                self.changes();
            }
            '~' if !self.top().word.started => {
                self.push(c);
                self.changes();
            }
            _ => self.push(c),
        }
        Ok(())
    }

    fn in_double(&mut self, c: char) -> Read {
        match c {
            '"' => drop(self.frames.pop()),
            '\\' => match self.peek(0) {
                Some(next @ ('$' | '`' | '"' | '\\')) => {
                    self.at += 1;
                    self.push(next);
                }
                Some('\n') => self.at += 1,
                _ => match self.symbols.get(self.at) {
                    Some(Symbol::Reference(number)) => return Err(after_backslash(*number)),
                    _ => self.push(c),
                },
            },
            '`' => self.backticks()?,
            '$' => self.dollar()?,
            _ => self.push(c),
        }
        Ok(())
    }

    fn in_braces(&mut self, c: char, in_double: bool) -> Read {
        match c {
            '}' => drop(self.frames.pop()),
            '\\' => self.skip_escaped()?,
            '\'' if !in_double => self.single()?,
            '"' => self.open_double(),
            '`' => self.backticks()?,
            '$' => self.dollar()?,
            _ => {}
        }
        Ok(())
    }

    fn in_arithmetic(&mut self, c: char, depth: usize) -> Read {
        match c {
            '(' => self.top().kind = Kind::Arithmetic(depth + 1),
            ')' if depth > 0 => self.top().kind = Kind::Arithmetic(depth - 1),
            ')' => {
                if self.peek(0) == Some(')') {
                    self.at += 1;
                } else {
                    self.lost = true;
                }
                self.frames.pop();
            }
            '\\' => self.skip_escaped()?,
            '\'' => self.single()?,
            '"' => self.open_double(),
            '`' => self.backticks()?,
            '$' => self.dollar()?,
            _ => {}
        }
        Ok(())
    }

    /// Behind a backslash that keeps what follows, where that is not looked at.
    fn skip_escaped(&mut self) -> Read {
        match self.next() {
            Some(Symbol::Reference(number)) => Err(after_backslash(number)),
            _ => Ok(()),
        }
    }

    fn open_double(&mut self) {
        let word = &mut self.commands().word;
        (word.started, word.quoted) = (true, true);
        self.frames.push(Frame::new(Kind::Double));
    }

    fn backslash(&mut self) -> Read {
        match self.next() {
            Some(Symbol::Reference(number)) => return Err(after_backslash(number)),
            Some(Symbol::Char('\n')) | None => {}
            Some(Symbol::Char(c)) => {
                self.push(c);
                self.commands().word.quoted = true;
            }
        }
        Ok(())
    }

    /// From behind the first quote to behind the last.
    fn single(&mut self) -> Read {
        let word = &mut self.commands().word;
        (word.started, word.quoted) = (true, true);
        loop {
            match self.next() {
                Some(Symbol::Char('\'')) => return Ok(()),
                Some(Symbol::Char(c)) => self.push(c),
                Some(Symbol::Reference(number)) => {
                    let help = "single quotes keep everything as it is written: end them before the reference, or use double quotes";
                    return Err(Misplaced { help, ..refused(number, "inside single quotes") });
                }
                None => return Err(open_end()),
            }
        }
    }

    /// The same for `$'…'` and backticks, in which a backslash keeps what follows.
    fn escaped_until(&mut self, end: char, place: &'static str, help: &'static str) -> Read {
        self.changes();
        loop {
            match self.next() {
                Some(Symbol::Char('\\')) => match self.next() {
                    Some(Symbol::Reference(number)) => return Err(after_backslash(number)),
                    _ => continue,
                },
                Some(Symbol::Char(c)) if c == end => return Ok(()),
                Some(Symbol::Char(_)) => {}
                Some(Symbol::Reference(number)) => return Err(Misplaced { help, ..refused(number, place) }),
                None => return Err(open_end()),
            }
        }
    }

    fn backticks(&mut self) -> Read {
        self.escaped_until('`', "inside backticks", "write `$(…)` instead of backticks")
    }

    fn dollar(&mut self) -> Read {
        self.changes();
        let in_double = self.top().kind == Kind::Double;
        match self.peek(0) {
            Some('\'') if !in_double => {
                self.at += 1;
                self.escaped_until('\'', "inside `$'…'`", "end the quotes before the reference")?;
            }
            Some('(') if self.peek(1) == Some('(') => {
                self.at += 2;
                self.frames.push(Frame::new(Kind::Arithmetic(0)));
            }
            Some('(') => {
                self.at += 1;
                self.frames.push(Frame::commands());
            }
            Some('{') => {
                self.at += 1;
                self.frames.push(Frame::new(Kind::Braces { in_double }));
            }
            // A variable, or one of the special ones, among which `#` starts no comment.
            Some('#' | '$' | '?' | '*' | '@' | '!' | '-') => self.at += 1,
            _ => {}
        }
        Ok(())
    }

    fn open_parenthesis(&mut self) {
        let fresh = !self.top().word.started;
        self.end_word();
        if fresh && self.top().command && self.peek(0) == Some('(') {
            self.at += 1;
            self.frames.push(Frame::new(Kind::Arithmetic(0)));
            return;
        }
        let top = self.top();
        top.open.push(Open::Parenthesis);
        (top.command, top.target) = (true, false);
    }

    fn close_parenthesis(&mut self) {
        self.end_word();
        let inner = self.frames.len() > 1;
        let top = self.top();
        (top.command, top.target) = (true, false);
        match top.open.last() {
            Some(Open::Parenthesis) => drop(top.open.pop()),
            // The end of a pattern.
            Some(Open::Case) => {}
            None if inner => drop(self.frames.pop()),
            // Bash will say so.
            None => {}
        }
    }

    fn comment(&mut self) -> Read {
        while !matches!(self.symbols.get(self.at), None | Some(Symbol::Char('\n'))) {
            if let Some(Symbol::Reference(number)) = self.next() {
                let help = "remove it, or write the comment without `${{ }}`";
                return Err(Misplaced { help, ..refused(number, "in a comment") });
            }
        }
        Ok(())
    }

    fn end_word(&mut self) {
        let top = self.top();
        let word = std::mem::take(&mut top.word);
        if !word.started || top.kind != Kind::Commands {
            return;
        }
        let target = std::mem::take(&mut top.target);
        let grammar = !word.quoted && !word.changes && top.command && !target;
        if !target {
            let continues = matches!(
                word.text.as_str(),
                "do" | "then" | "else" | "elif" | "if" | "while" | "until" | "!" | "{" | "time"
            );
            match word.text.as_str() {
                "case" if grammar => {
                    top.open.push(Open::Case);
                    top.command = false;
                }
                "esac" if grammar && top.open.last() == Some(&Open::Case) => {
                    top.open.pop();
                    top.command = false;
                }
                // The words behind an assignment are a command still.
                _ => top.command &= (grammar && continues) || is_assignment(&word.text),
            }
        }
        if let (Some(number), 1) = (word.reference, word.parts) {
            self.line.places[number].alone = !target;
        }
        if !word.changes && !target {
            self.line.words.push(word.text);
        }
    }
}

fn refused(reference: usize, place: &'static str) -> Misplaced {
    Misplaced { reference: Some(reference), message: place, help: "move it out of there" }
}

fn after_backslash(reference: usize) -> Misplaced {
    let help = "remove the backslash: a value is never split or expanded";
    Misplaced { help, ..refused(reference, "behind a backslash") }
}

fn open_end() -> Misplaced {
    Misplaced { reference: None, message: "a quote or a parenthesis is not closed", help: "close it" }
}

#[cfg(test)]
mod tests;
