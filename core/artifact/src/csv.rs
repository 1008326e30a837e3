//! Tables of text (RFC 4180), read record by record: a cell in quotes may hold separators, line ends and doubled
//! quotes.

use std::io::BufRead;

/// A record that takes more is one of a quote that was never closed.
const LONGEST: usize = 64 << 20;

/// The records of a table, one after the other.
pub struct Records<R> {
    from: R,
    separator: u8,
    line: usize,
}

/// One record. It is filled anew for each, so that reading takes no memory for every cell.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The line of the file on which it starts, from 1.
    pub line: usize,
    text: String,
    ends: Vec<usize>,
}

impl Record {
    /// How many cells it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has no cells: before the first record is read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Its cells, without space around them.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text[start..*end].trim())
    }
}

impl<R: BufRead> Records<R> {
    /// The records of a text whose cells are separated by this character.
    pub fn new(from: R, separator: u8) -> Self {
        Self { from, separator, line: 0 }
    }

    /// Reads the next record; `false` behind the last one. Lines without anything on them are passed over.
    ///
    /// # Errors
    /// What is wrong with the text, with its line.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, String> {
        let mut text = Vec::new();
        loop {
            record.ends.clear();
            text.clear();
            let line = self.line + 1;
            if !self.record(&mut text, &mut record.ends)? {
                return Ok(false);
            }
            record.line = line;
            record.text = String::from_utf8(std::mem::take(&mut text))
                .map_err(|_| format!("line {line} is not UTF-8 text"))?;
            if line == 1 && record.text.starts_with('\u{feff}') {
                record.text.drain(..3);
                record.ends.iter_mut().for_each(|end| *end -= 3);
            }
            if record.len() > 1 || !record.text.trim().is_empty() {
                return Ok(true);
            }
        }
    }

    fn record(&mut self, text: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<bool, String> {
        let mut raw = Vec::new();
        if !self.more(&mut raw)? {
            return Ok(false);
        }
        let (mut at, mut start) = (0, 0);
        loop {
            match raw.get(at).copied() {
                Some(b'"') if text.len() == start => {
                    let opened = self.line;
                    at += 1;
                    loop {
                        match raw.get(at).copied() {
                            Some(b'"') if raw.get(at + 1) == Some(&b'"') => {
                                text.push(b'"');
                                at += 2;
                            }
                            Some(b'"') => break,
                            Some(byte) => {
                                text.push(byte);
                                at += 1;
                            }
                            None => {
                                if raw.len() > LONGEST || !self.more(&mut raw)? {
                                    return Err(format!("line {opened}: a quote is not closed"));
                                }
                            }
                        }
                    }
                    at += 1;
                    let next = raw.get(at).copied();
                    if next.is_some_and(|next| next != self.separator && next != b'\n' && next != b'\r') {
                        return Err(format!("line {}: there is text after a closing quote", self.line));
                    }
                    continue;
                }
                Some(b'\n') | None => break,
                Some(b'\r') if matches!(raw.get(at + 1), Some(b'\n') | None) => {}
                Some(byte) if byte == self.separator => {
                    ends.push(text.len());
                    start = text.len();
                }
                Some(byte) => text.push(byte),
            }
            at += 1;
        }
        ends.push(text.len());
        Ok(true)
    }

    /// Adds the next line of the file; `false` at its end.
    fn more(&mut self, raw: &mut Vec<u8>) -> Result<bool, String> {
        let read = self.from.read_until(b'\n', raw).map_err(|error| error.to_string())?;
        self.line += usize::from(read > 0);
        Ok(read > 0)
    }
}

/// Names of columns, from the first record.
///
/// # Errors
/// A column without a name, or two of one.
pub fn names(record: &Record) -> Result<Vec<String>, String> {
    let names: Vec<String> = record.cells().map(str::to_owned).collect();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("column {} has no name", at + 1));
        }
        if names[..at].contains(name) {
            return Err(format!("two columns are called `{name}`"));
        }
    }
    Ok(names)
}

/// Says so when a record has another number of cells than there are columns.
///
/// # Errors
/// Both numbers, and the line.
pub fn check_len(record: &Record, columns: usize) -> Result<(), String> {
    match record.len() {
        cells if cells == columns => Ok(()),
        1 => Err(format!("line {} has 1 cell; columns: {columns}", record.line)),
        cells => Err(format!("line {} has {cells} cells; columns: {columns}", record.line)),
    }
}

/// Whether a cell is a number that is written as one: `007` is the name of something.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let leading_zero =
        digits.len() > 1 && digits.starts_with('0') && digits[1..].starts_with(|c: char| c.is_ascii_digit());
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !leading_zero
}

/// The whole number in a cell.
#[must_use]
pub fn whole(cell: &str) -> Option<i64> {
    cell.parse().ok().filter(|_| is_number(cell))
}

/// The finite number in a cell.
#[must_use]
pub fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| number.is_finite() && is_number(cell))
}

/// The flag in a cell.
#[must_use]
pub fn flag(cell: &str) -> Option<bool> {
    cell.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
        let mut records = Records::new(text.as_bytes(), b',');
        let (mut record, mut all) = (Record::default(), Vec::new());
        while records.next(&mut record)? {
            all.push((record.line, record.cells().map(str::to_owned).collect()));
        }
        Ok(all)
    }

    #[test]
    fn records_keep_their_lines_and_cells_their_text() {
        let found = read("\u{feff}a,b\r\n\n\"x, \"\"y\"\"\nz\", 1 \n,\n").unwrap();
        let cells = |line, cells: [&str; 2]| (line, cells.map(str::to_owned).to_vec());
        assert_eq!(found, [cells(1, ["a", "b"]), cells(3, ["x, \"y\"\nz", "1"]), cells(5, ["", ""])]);
    }

    #[test]
    fn what_is_wrong_has_a_line() {
        assert_eq!(read("a\n\"x\ny").unwrap_err(), "line 2: a quote is not closed");
        assert_eq!(read("a\n\"x\"y").unwrap_err(), "line 2: there is text after a closing quote");
        let mut records = Records::new(&b"a\n\xff\n"[..], b',');
        let mut record = Record::default();
        assert!(records.next(&mut record).unwrap());
        assert_eq!(records.next(&mut record).unwrap_err(), "line 2 is not UTF-8 text");
    }

    #[test]
    fn numbers_are_those_written_as_such() {
        assert_eq!((whole("-12"), whole("007"), whole("1.0"), whole("+1")), (Some(-12), None, None, None));
        assert_eq!(
            (number("1e-3"), number("00"), number("0e0"), number(".5")),
            (Some(1e-3), None, Some(0.0), Some(0.5))
        );
        assert_eq!((number("inf"), flag("true"), flag("True")), (None, Some(true), None));
    }
}
