//! Here-documents: announced by `<<` in a line, with their bodies behind it.

use super::{Misplaced, Read, Reader, Symbol, refused};

impl Reader<'_> {
    /// Behind `<<`: its delimiter.
    pub(super) fn here_document(&mut self) -> Read {
        let tabs = self.peek(0) == Some('-');
        self.at += usize::from(tabs);
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.at += 1;
        }
        let mut delimiter = String::new();
        let mut quote = None;
        loop {
            match self.symbols.get(self.at) {
                Some(Symbol::Reference(number)) => {
                    return Err(refused(*number, "in the delimiter of a here-document"));
                }
                Some(Symbol::Char(c)) if quote == Some(*c) => quote = None,
                Some(Symbol::Char(c @ ('\'' | '"'))) if quote.is_none() => quote = Some(*c),
                Some(Symbol::Char('\\')) if quote.is_none() => {}
                Some(Symbol::Char(c))
                    if quote.is_some() || !(c.is_whitespace() || ";&|<>()".contains(*c)) =>
                {
                    delimiter.push(*c);
                }
                _ => break,
            }
            self.at += 1;
        }
        self.documents.push((delimiter, tabs));
        Ok(())
    }

    /// Behind the end of a line: the bodies of the here-documents that were announced in it.
    pub(super) fn here_documents(&mut self) -> Read {
        for (delimiter, tabs) in std::mem::take(&mut self.documents) {
            loop {
                let mut line = String::new();
                let mut ended = true;
                while let Some(symbol) = self.next() {
                    match symbol {
                        Symbol::Char('\n') => {
                            ended = false;
                            break;
                        }
                        Symbol::Char(c) => line.push(c),
                        Symbol::Reference(number) => {
                            let help = "write it with `printf '%s\\n' …` instead";
                            return Err(Misplaced { help, ..refused(number, "in a here-document") });
                        }
                    }
                }
                let text = if tabs { line.trim_start_matches('\t') } else { &line };
                if text == delimiter || ended {
                    break;
                }
            }
        }
        Ok(())
    }
}
