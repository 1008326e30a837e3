//! Tables of text: CSV, also separated by semicolons or tabs.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::moment::{self, SINCE};
use super::numbers::{Numbers, Type};
use super::rows::{Packing, Sink, Source};
use super::{Error, Form, Opened, Result};
use crate::csv::{self, Record, Records};
use crate::dataset::Values;

/// The dimension of all columns.
const ROW: &str = "row";

/// So many columns are read in one pass: each is a file that is being written.
const AT_ONCE: usize = 256;

/// Rows that are handed over together.
const ROWS: usize = 1 << 16;

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cells {
    Whole,
    Number,
    Flag,
    Moment,
}

/// What is known of a column after so many of its cells.
#[derive(Clone, Debug)]
struct Guess {
    /// What all cells so far could be, the most special first.
    could: Vec<Cells>,
    /// There are empty cells.
    gaps: bool,
    /// The first cell that is none of it, and its line.
    other: Option<(String, usize)>,
}

/// An open table.
struct Text {
    path: PathBuf,
    separator: u8,
    header: bool,
    columns: Vec<Option<Cells>>,
}

/// Reads the whole table once, for the types of its columns.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let separator = separator(path)?;
    let mut record = Record::default();
    let mut records = records(path, separator)?;
    let wrong = |problem: String| Error::invalid(path, format!("cannot be read as a table: {problem}"));
    if !records.next(&mut record).map_err(wrong)? {
        return Err(wrong("it is empty".to_owned()));
    }
    // Numbers are no names: NumPy writes tables without any.
    let header = !record.cells().all(|cell| number(cell).is_some());
    let names = if header {
        csv::names(&record).map_err(wrong)?
    } else {
        (1..=record.len()).map(|at| format!("column_{at}")).collect()
    };
    let mut guesses = vec![Guess::new(); names.len()];
    let mut rows = 0;
    if header {
        record = Record::default();
    }
    loop {
        if !record.is_empty() {
            csv::check_len(&record, names.len()).map_err(wrong)?;
            rows += 1;
            for (guess, cell) in guesses.iter_mut().zip(record.cells()) {
                guess.see(cell, record.line);
            }
        }
        if !records.next(&mut record).map_err(wrong)? {
            break;
        }
    }
    if rows == 0 {
        return Err(wrong("it has names of columns but no rows, which would tell their types".to_owned()));
    }
    let columns = guesses.iter().map(|guess| guess.cells().ok()).collect();
    let sources =
        names.into_iter().zip(&guesses).map(|(name, guess)| source(path, name, rows, guess)).collect();
    let form = Box::new(Text { path: path.to_owned(), separator, header, columns });
    Ok(Opened { attributes: Vec::new(), sources, form })
}

fn source(path: &Path, name: String, rows: usize, guess: &Guess) -> Source {
    let (of, problem) = match guess.cells() {
        Ok(Cells::Whole) if !guess.gaps => (Type::I64, None),
        Ok(Cells::Flag) if !guess.gaps => (Type::U8, None),
        Ok(_) => (Type::F64, None),
        Err(problem) => (Type::F64, Some(problem)),
    };
    let moment = guess.cells() == Ok(Cells::Moment);
    Source {
        path: path.to_owned(),
        name,
        dims: Some(vec![ROW.to_owned()]),
        shape: vec![rows],
        units: moment.then(|| "s".to_owned()),
        long_name: moment.then(|| SINCE.to_owned()),
        numbers: Numbers { of, big_endian: false },
        packing: Packing::default(),
        problem,
    }
}

impl Guess {
    fn new() -> Self {
        Self {
            could: vec![Cells::Whole, Cells::Number, Cells::Flag, Cells::Moment],
            gaps: false,
            other: None,
        }
    }

    fn see(&mut self, cell: &str, line: usize) {
        if cell.is_empty() {
            self.gaps = true;
        } else if self.other.is_none() {
            self.could.retain(|cells| cells.read(cell).is_some());
            if self.could.is_empty() {
                self.other = Some((cell.chars().take(40).collect(), line));
            }
        }
    }

    /// A column without anything in it is one of missing numbers.
    fn cells(&self) -> Result<Cells, String> {
        if self.gaps && self.could.len() == 4 {
            return Ok(Cells::Number);
        }
        self.could.first().copied().ok_or_else(|| match &self.other {
            Some((cell, line)) => {
                format!("with the text `{cell}` on line {line}, which a dataset cannot hold")
            }
            None => "of text, which a dataset cannot hold".to_owned(),
        })
    }
}

impl Cells {
    /// The value of a cell, if it is such a cell. Whole numbers beyond 2⁵³ are read by themselves.
    fn read(self, cell: &str) -> Option<f64> {
        match self {
            Self::Whole => csv::whole(cell).map(|n| n as f64),
            Self::Number => number(cell),
            Self::Flag => flag(cell).map(|flag| f64::from(u8::from(flag))),
            Self::Moment => moment::seconds(cell),
        }
    }
}

/// Numbers, and how programs write those that are not finite or not there.
fn number(cell: &str) -> Option<f64> {
    csv::number(cell).or(match cell {
        "nan" | "NaN" | "NA" | "N/A" | "null" => Some(f64::NAN),
        "inf" | "Inf" | "Infinity" | "+inf" => Some(f64::INFINITY),
        "-inf" | "-Inf" | "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    })
}

/// Flags, and how programs write those.
fn flag(cell: &str) -> Option<bool> {
    match cell {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// The separator that the first line has most of.
fn separator(path: &Path) -> Result<u8> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut line = Vec::new();
    let read = BufReader::new(file.take(1 << 20)).read_until(b'\n', &mut line);
    read.map_err(Error::io("read", path))?;
    let count = |separator: u8| line.iter().filter(|byte| **byte == separator).count();
    // Of several with as many, the last one.
    Ok([b';', b'\t', b','].into_iter().max_by_key(|separator| count(*separator)).unwrap_or(b','))
}

fn records(path: &Path, separator: u8) -> Result<Records<BufReader<File>>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    Ok(Records::new(BufReader::with_capacity(1 << 20, file), separator))
}

impl Form for Text {
    fn read(&mut self, at: usize, source: &Source, to: Sink<'_>) -> Result<()> {
        let mut columns: Vec<(usize, Values)> = vec![(at, Values::none(source.numbers.dtype()))];
        self.pass(&mut columns, &mut |_, values| to(values))
    }

    fn read_several(
        &mut self,
        wanted: &[usize],
        sources: &[Source],
        to: &mut dyn FnMut(usize, &mut Values) -> Result<()>,
    ) -> Result<()> {
        for part in wanted.chunks(AT_ONCE) {
            let none = |at: &usize| (*at, Values::none(sources[*at].numbers.dtype()));
            self.pass(&mut part.iter().map(none).collect::<Vec<_>>(), to)?;
        }
        Ok(())
    }
}

impl Text {
    /// Goes through the file once, for some of its columns.
    fn pass(
        &self,
        columns: &mut [(usize, Values)],
        to: &mut dyn FnMut(usize, &mut Values) -> Result<()>,
    ) -> Result<()> {
        let mut records = records(&self.path, self.separator)?;
        let mut record = Record::default();
        let wrong =
            |problem: String| Error::invalid(&self.path, format!("cannot be read as a table: {problem}"));
        if self.header {
            records.next(&mut record).map_err(wrong)?;
        }
        let mut held = 0;
        loop {
            let more = records.next(&mut record).map_err(wrong)?;
            if more {
                csv::check_len(&record, self.columns.len()).map_err(wrong)?;
                let cells: Vec<&str> = record.cells().collect();
                for (at, values) in columns.iter_mut() {
                    self.push(*at, cells[*at], values).ok_or_else(|| {
                        wrong(format!("line {} has changed while it was read", record.line))
                    })?;
                }
                held += 1;
            }
            if held == ROWS || (!more && held > 0) {
                for (at, values) in columns.iter_mut() {
                    to(*at, values)?;
                    values.clear();
                }
                held = 0;
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn push(&self, at: usize, cell: &str, values: &mut Values) -> Option<()> {
        let cells = self.columns[at]?;
        match values {
            Values::I64(values) => values.push(csv::whole(cell)?),
            Values::U8(values) => values.push(u8::from(flag(cell)?)),
            Values::F64(values) if cell.is_empty() => values.push(f64::NAN),
            Values::F64(values) => values.push(cells.read(cell)?),
            // Columns are of no other types.
            Values::I32(_) | Values::F32(_) => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Import;
    use super::*;
    use crate::DType;

    fn import(text: &str) -> (tempfile::TempDir, Result<Import>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        std::fs::write(&path, text).unwrap();
        let import = Import::open(path);
        (folder, import)
    }

    fn columns(text: &str) -> Vec<(String, Values)> {
        let (_folder, import) = import(text);
        let mut import = import.unwrap();
        let arrays = import.arrays();
        let mut found: Vec<(String, Values)> = arrays
            .iter()
            .map(|array| (array.variable.name.clone(), Values::none(array.variable.dtype)))
            .collect();
        let all: Vec<usize> = (0..found.len()).collect();
        import
            .read(&all, &mut |at, values| {
                found[at].1 = values.take();
                Ok(())
            })
            .unwrap();
        found
    }

    #[test]
    fn columns_have_the_type_of_all_their_cells() {
        let found = columns("id;x;ok;when;gap\n1;0.5;true;2000-01-01;\n2;nan;false;2000-01-02 12:00;3\n");
        assert_eq!(found[0], ("id".into(), Values::I64(vec![1, 2])));
        assert_eq!(found[2], ("ok".into(), Values::U8(vec![1, 0])));
        assert_eq!(found[3], ("when".into(), Values::F64(vec![946_684_800.0, 946_814_400.0])));
        let Values::F64(x) = &found[1].1 else { panic!("{found:?}") };
        assert!(x[0] == 0.5 && x[1].is_nan());
        let Values::F64(gap) = &found[4].1 else { panic!("{found:?}") };
        assert!(gap[0].is_nan() && gap[1] == 3.0);
    }

    #[test]
    fn tables_without_names_and_with_tabs() {
        let found = columns("1.5\t2\n2.5\t3\n");
        assert_eq!(found[0], ("column_1".into(), Values::F64(vec![1.5, 2.5])));
        assert_eq!(found[1], ("column_2".into(), Values::I64(vec![2, 3])));
    }

    #[test]
    fn a_column_of_text_is_there_but_not_read() {
        let (_folder, found) = import("name,x\na,1\nb,2\n");
        let mut found = found.unwrap();
        let problem = found.arrays()[0].problem.clone().unwrap();
        assert_eq!(problem, "with the text `a` on line 2, which a dataset cannot hold");
        assert_eq!(found.arrays()[1].problem, None);
        assert_eq!(found.arrays()[1].variable.dtype, DType::I64);
        let error = found.read(&[0], &mut |_, _| Ok(())).unwrap_err().to_string();
        assert!(error.contains("has an array `name` with the text `a` on line 2"), "{error}");
    }

    #[test]
    fn what_is_no_table_is_said_with_its_line() {
        let problem = |text: &str| import(text).1.map(|_| ()).unwrap_err().to_string();
        assert!(problem("a,b\n1,2\n3\n").contains("line 3 has 1 cell; columns: 2"));
        assert!(problem("a,a\n").contains("two columns are called `a`"));
        assert!(problem("a,b\n").contains("but no rows"));
        assert!(problem("a\n\"1").contains("line 2: a quote is not closed"));
    }
}
