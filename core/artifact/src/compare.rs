//! How two artifacts of one kind differ: in numbers, where they hold numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde_json::{Map, Value};

use crate::metrics::{number, read_metrics};
use crate::model::{Tensor, read_model};
use crate::table::{Column, Table};
use crate::{DType, Dataset, Element, Error, Kind, Result, Variable, digest, json};

/// One difference between two artifacts.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where: a variable, a tensor, a column, a metric, a file. Empty for the whole.
    pub at: String,
    /// What is different there.
    pub change: Change,
}

/// What is different.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Some of many numbers.
    Values {
        /// How many differ in any bit.
        differing: usize,
        /// How many there are.
        total: usize,
        /// The largest difference; infinite where one is a number and the other is not.
        max: f64,
        /// The largest magnitude of the older ones.
        scale: f64,
    },
    /// Some of many things that are no numbers.
    Items {
        /// How many differ.
        differing: usize,
        /// How many there are.
        total: usize,
    },
    /// One number.
    Number(f64, f64),
    /// A text, a shape, a type, a size.
    Text(String, String),
    /// Only the newer one has it.
    Appeared,
    /// Only the older one has it.
    Gone,
}

impl Difference {
    /// Whether the difference is no more than `tolerance` times the largest magnitude.
    #[must_use]
    pub fn is_within(&self, tolerance: f64) -> bool {
        match self.change {
            Change::Values { max, scale, .. } => max <= tolerance * scale,
            Change::Number(old, new) => (old - new).abs() <= tolerance * old.abs().max(new.abs()),
            _ => false,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        match &self.change {
            Change::Values { differing, total, max, .. } => {
                let (differing, total) = (grouped(*differing), grouped(*total));
                write!(f, "{differing} of {total} values differ, max {}", digits(*max))
            }
            Change::Items { differing, total } => {
                write!(f, "{} of {} values differ", grouped(*differing), grouped(*total))
            }
            Change::Number(old, new) => write!(f, "{old} → {new}"),
            Change::Text(old, new) => write!(f, "{} → {}", short(old), short(new)),
            Change::Appeared => f.write_str("is new"),
            Change::Gone => f.write_str("is gone"),
        }
    }
}

/// A whole number with a comma at every thousand.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size of a difference: two digits are enough.
fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if (-4.0..6.0).contains(&magnitude) {
        let places = (1.0 - magnitude).max(0.0) as usize;
        let text = format!("{value:.places$}");
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    } else {
        format!("{value:.1e}")
    }
}

fn short(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Finds every difference between two artifacts of this kind, the older one first. Arrays are read piece by
/// piece, so that size does not matter.
///
/// # Errors
/// When one of them cannot be read, or is not of this kind.
pub fn compare(kind: Kind, old: &Path, new: &Path) -> Result<Vec<Difference>> {
    let mut found = Vec::new();
    match kind {
        Kind::File => found.extend(files(String::new(), old, new)?),
        Kind::Folder | Kind::Figure => folders(kind, old, new, &mut found)?,
        Kind::Dataset => datasets(&Dataset::open(old)?, &Dataset::open(new)?, &mut found)?,
        Kind::Model => {
            let (old, new) = (read_model(old)?, read_model(new)?);
            tensors(&old.tensors, &new.tensors, &mut found)?;
            members("config", &old.config, &new.config, &mut found);
        }
        Kind::Metrics => {
            let (old, new) = (read_metrics(old)?, read_metrics(new)?);
            members("", &Value::Object(old), &Value::Object(new), &mut found);
        }
        Kind::Table => tables(&Table::read(old)?, &Table::read(new)?, &mut found),
    }
    Ok(found)
}

/// Goes through what two sorted collections have in common, and notes what only one has.
fn join<'a, T>(
    old: impl Iterator<Item = (&'a str, T)>,
    new: impl Iterator<Item = (&'a str, T)>,
    found: &mut Vec<Difference>,
    mut both: impl FnMut(&'a str, T, T, &mut Vec<Difference>) -> Result<()>,
) -> Result<()> {
    let mut all: BTreeMap<&str, (Option<T>, Option<T>)> = BTreeMap::new();
    old.for_each(|(name, item)| all.entry(name).or_insert((None, None)).0 = Some(item));
    new.for_each(|(name, item)| all.entry(name).or_insert((None, None)).1 = Some(item));
    for (name, pair) in all {
        let change = match pair {
            (Some(old), Some(new)) => {
                both(name, old, new, found)?;
                continue;
            }
            (Some(_), None) => Change::Gone,
            _ => Change::Appeared,
        };
        found.push(Difference { at: name.to_owned(), change });
    }
    Ok(())
}

/// What is counted while arrays are compared.
#[derive(Default)]
struct Count {
    differing: usize,
    total: usize,
    max: f64,
    scale: f64,
}

impl Count {
    fn add<T: Element>(&mut self, old: &[T], new: &[T]) {
        self.total += old.len();
        for (old, new) in old.iter().zip(new) {
            let (a, b) = (old.as_f64(), new.as_f64());
            if a.is_finite() {
                self.scale = self.scale.max(a.abs());
            }
            if bytemuck::bytes_of(old) != bytemuck::bytes_of(new) {
                self.differing += 1;
                let both_no_number = a.is_nan() && b.is_nan();
                let difference = if a == b || both_no_number { 0.0 } else { (a - b).abs() };
                self.max = self.max.max(if difference.is_nan() { f64::INFINITY } else { difference });
            }
        }
    }

    fn end(self, at: &str, found: &mut Vec<Difference>) {
        let Self { differing, total, max, scale } = self;
        if differing > 0 {
            let change = Change::Values { differing, total, max, scale };
            found.push(Difference { at: at.to_owned(), change });
        }
    }
}

fn datasets(old: &Dataset, new: &Dataset, found: &mut Vec<Difference>) -> Result<()> {
    let named =
        |dataset| Dataset::variables(dataset).iter().map(|variable| (variable.name.as_str(), variable));
    join(named(old), named(new), found, |name, a, b, found| {
        let form = |v: &Variable| format!("{} ({}) {:?} {}", v.dtype, v.dims.join(", "), v.shape, v.units);
        if form(a) != form(b) {
            let change = Change::Text(form(a), form(b));
            found.push(Difference { at: name.to_owned(), change });
            return Ok(());
        }
        let mut count = Count::default();
        match a.dtype {
            DType::U8 => values::<u8>(old, new, a, &mut count),
            DType::I32 => values::<i32>(old, new, a, &mut count),
            DType::I64 => values::<i64>(old, new, a, &mut count),
            DType::F32 => values::<f32>(old, new, a, &mut count),
            DType::F64 => values::<f64>(old, new, a, &mut count),
        }?;
        count.end(name, found);
        Ok(())
    })?;
    let attributes = |dataset: &Dataset| Value::Object(dataset.attributes().clone());
    members("attributes", &attributes(old), &attributes(new), found);
    Ok(())
}

fn values<T: Element>(old: &Dataset, new: &Dataset, variable: &Variable, count: &mut Count) -> Result<()> {
    /// Rows are read in pieces of about so many values.
    const PIECE: usize = 1 << 20;
    let (rows, step) = (variable.rows(), (PIECE / variable.row_len().max(1)).max(1));
    for start in (0..rows).step_by(step) {
        let piece = start..(start + step).min(rows);
        let name = &variable.name;
        count.add(&old.read_rows::<T>(name, piece.clone())?, &new.read_rows::<T>(name, piece)?);
    }
    Ok(())
}

fn tensors(old: &[Tensor], new: &[Tensor], found: &mut Vec<Difference>) -> Result<()> {
    join(
        old.iter().map(|tensor| (tensor.name.as_str(), tensor)),
        new.iter().map(|tensor| (tensor.name.as_str(), tensor)),
        found,
        |name, a, b, found| {
            if (a.dtype, &a.shape) != (b.dtype, &b.shape) {
                let form = |t: &Tensor| format!("{} {:?}", t.dtype, t.shape);
                found.push(Difference { at: name.to_owned(), change: Change::Text(form(a), form(b)) });
                return Ok(());
            }
            let mut count = Count::default();
            match a.dtype {
                DType::U8 => count.add(&a.values::<u8>()?, &b.values::<u8>()?),
                DType::I32 => count.add(&a.values::<i32>()?, &b.values::<i32>()?),
                DType::I64 => count.add(&a.values::<i64>()?, &b.values::<i64>()?),
                DType::F32 => count.add(&a.values::<f32>()?, &b.values::<f32>()?),
                DType::F64 => count.add(&a.values::<f64>()?, &b.values::<f64>()?),
            }
            count.end(name, found);
            Ok(())
        },
    )
}

/// Compares JSON values: numbers one by one, other values as texts.
fn members(at: &str, old: &Value, new: &Value, found: &mut Vec<Difference>) {
    if let (Value::Object(old), Value::Object(new)) = (old, new) {
        let names: BTreeMap<&String, ()> = old.keys().chain(new.keys()).map(|name| (name, ())).collect();
        for name in names.into_keys() {
            let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) => members(&at, old, new, found),
                (Some(_), None) => found.push(Difference { at, change: Change::Gone }),
                _ => found.push(Difference { at, change: Change::Appeared }),
            }
        }
        return;
    }
    let change = match (number(old), number(new)) {
        (Some(a), Some(b)) if a == b || (a.is_nan() && b.is_nan()) => return,
        (Some(a), Some(b)) => Change::Number(a, b),
        _ if json::canonical(old.clone()) == json::canonical(new.clone()) => return,
        _ => Change::Text(old.to_string(), new.to_string()),
    };
    found.push(Difference { at: at.to_owned(), change });
}

fn tables(old: &Table, new: &Table, found: &mut Vec<Difference>) {
    let rows = |table: &Table| format!("{} rows", grouped(table.rows()));
    if old.rows() != new.rows() {
        found.push(Difference { at: String::new(), change: Change::Text(rows(old), rows(new)) });
    }
    let same_rows = old.rows() == new.rows();
    let named = |table: &'_ Table| -> Map<String, Value> {
        table.columns().iter().map(|(name, column)| (name.clone(), column.type_name().into())).collect()
    };
    members("", &Value::Object(named(old)), &Value::Object(named(new)), found);
    for (name, column) in old.columns().iter().filter(|_| same_rows) {
        match (column, new.column(name)) {
            (Column::Int(a), Some(Column::Int(b))) => count(name, a, b, found),
            (Column::Float(a), Some(Column::Float(b))) => count(name, a, b, found),
            (a, Some(b)) if a.type_name() == b.type_name() => {
                let differing = (0..a.len()).filter(|row| a.text(*row) != b.text(*row)).count();
                if differing > 0 {
                    let change = Change::Items { differing, total: a.len() };
                    found.push(Difference { at: name.clone(), change });
                }
            }
            _ => {}
        }
    }
}

fn count<T: Element>(name: &str, old: &[T], new: &[T], found: &mut Vec<Difference>) {
    let mut count = Count::default();
    count.add(old, new);
    count.end(name, found);
}

fn folders(kind: Kind, old: &Path, new: &Path, found: &mut Vec<Difference>) -> Result<()> {
    let (a, b) = (digest::of(kind, old)?.files, digest::of(kind, new)?.files);
    join(
        a.iter().map(|file| (file.path.as_str(), file)),
        b.iter().map(|file| (file.path.as_str(), file)),
        found,
        |name, a, b, found| {
            if a.hash != b.hash {
                found.extend(files(name.to_owned(), &old.join(name), &new.join(name))?);
            }
            Ok(())
        },
    )
}

/// The first place where two files differ: a line where both are text.
fn files(at: String, old: &Path, new: &Path) -> Result<Option<Difference>> {
    /// Text is compared line by line up to this size.
    const TEXT: u64 = 16 << 20;
    let size =
        |path: &Path| std::fs::metadata(path).map(|found| found.len()).map_err(Error::io("read", path));
    let sizes = (size(old)?, size(new)?);
    if sizes.0.max(sizes.1) <= TEXT {
        let read = |path: &Path| std::fs::read(path).map_err(Error::io("read", path));
        let (a, b) = (read(old)?, read(new)?);
        if a == b {
            return Ok(None);
        }
        if let (Ok(a), Ok(b)) = (std::str::from_utf8(&a), std::str::from_utf8(&b)) {
            return Ok(Some(Difference { change: lines(a, b), at }));
        }
    }
    let same = same_bytes(old, new)?;
    if same == sizes.0 && same == sizes.1 {
        return Ok(None);
    }
    let text = |size| format!("{} bytes", grouped(usize::try_from(size).unwrap_or(usize::MAX)));
    let change = if sizes.0 == sizes.1 {
        let from = format!("the same size, other bytes from byte {} on", same + 1);
        Change::Text(text(sizes.0), from)
    } else {
        Change::Text(text(sizes.0), text(sizes.1))
    };
    Ok(Some(Difference { at, change }))
}

/// The first line that differs, where two texts have as many; else how many they have.
fn lines(old: &str, new: &str) -> Change {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    if old.len() == new.len() {
        let mut different = old.iter().zip(&new).enumerate().filter(|(_, (a, b))| a != b);
        if let Some((at, (a, b))) = different.next() {
            let more = match different.count() {
                0 => String::new(),
                n => format!(" (and {n} more lines)"),
            };
            let quoted = |text: &str| format!("`{}`", short(text));
            return Change::Text(format!("line {} {}", at + 1, quoted(a)), format!("{}{more}", quoted(b)));
        }
    }
    let count = |n: usize| format!("{} lines", grouped(n));
    Change::Text(count(old.len()), count(new.len()))
}

/// How many bytes at the start of two files are equal.
fn same_bytes(old: &Path, new: &Path) -> Result<u64> {
    let open = |path: &Path| File::open(path).map(|file| BufReader::with_capacity(1 << 20, file));
    let mut a = open(old).map_err(Error::io("read", old))?.bytes();
    let mut b = open(new).map_err(Error::io("read", new))?.bytes();
    let mut same = 0;
    loop {
        let (a, b) = (a.next().transpose(), b.next().transpose());
        match (a.map_err(Error::io("read", old))?, b.map_err(Error::io("read", new))?) {
            (Some(a), Some(b)) if a == b => same += 1,
            _ => return Ok(same),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::DatasetWriter;
    use crate::metrics::write_metrics;
    use crate::model::write_model;

    fn shown(kind: Kind, old: &Path, new: &Path) -> Vec<String> {
        compare(kind, old, new).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn values_of_a_dataset_are_counted_and_the_largest_difference_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, change: &dyn Fn(&mut Vec<f32>), units: &str| {
            let path = folder.path().join(name);
            let mut values = vec![1.0; 4096];
            change(&mut values);
            let mut writer = DatasetWriter::create(&path).unwrap();
            let variable = Variable::new::<f32>("perm", &["z", "x"], &[64, 64], units, "Permeability");
            writer.write(&variable, &values).unwrap();
            writer.finish().unwrap();
            path
        };
        let same = write("same", &|_| {}, "m2");
        let three = write("three", &|v| (v[0], v[99], v[4095]) = (1.2, 0.9, 1.05), "m2");
        assert_eq!(shown(Kind::Dataset, &same, &same), [""; 0]);
        assert_eq!(shown(Kind::Dataset, &same, &three), ["perm: 3 of 4,096 values differ, max 0.2"]);
        let found = compare(Kind::Dataset, &same, &three).unwrap();
        assert!(found[0].is_within(0.21) && !found[0].is_within(0.19));
        let lost = write("lost", &|v| v[7] = f32::NAN, "m2");
        assert_eq!(shown(Kind::Dataset, &same, &lost), ["perm: 1 of 4,096 values differ, max inf"]);
        assert!(!compare(Kind::Dataset, &same, &lost).unwrap()[0].is_within(1.0));
        let other = write("other", &|_| {}, "mD");
        assert_eq!(
            shown(Kind::Dataset, &same, &other),
            ["perm: f32 (z, x) [64, 64] m2 → f32 (z, x) [64, 64] mD"]
        );
    }

    #[test]
    fn metrics_models_tables_and_texts_are_compared_by_what_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write_metrics(at("a"), &json!({ "loss": 0.5, "n": { "x": 1, "y": 2 } })).unwrap();
        write_metrics(at("b"), &json!({ "n": { "x": 1.0, "z": 2 }, "loss": 0.25 })).unwrap();
        assert_eq!(
            shown(Kind::Metrics, &at("a"), &at("b")),
            ["loss: 0.5 → 0.25", "n.y: is gone", "n.z: is new"]
        );

        let tensor = |values: &[f32]| [Tensor::new("w", &[values.len()], values).unwrap()];
        write_model(at("m"), &tensor(&[1.0, 2.0]), &json!({ "modes": 8 })).unwrap();
        write_model(at("n"), &tensor(&[1.0, 2.5]), &json!({ "modes": 9 })).unwrap();
        assert_eq!(
            shown(Kind::Model, &at("m"), &at("n")),
            ["w: 1 of 2 values differ, max 0.5", "config.modes: 8 → 9"]
        );

        Table::new().with("k", vec!["a", "b"]).with("v", vec![1.0, 2.0]).write(at("t")).unwrap();
        Table::new().with("k", vec!["a", "c"]).with("v", vec![1.0, 2.0]).write(at("u")).unwrap();
        assert_eq!(shown(Kind::Table, &at("t"), &at("u")), ["k: 1 of 2 values differ"]);

        std::fs::write(at("x"), "one\ntwo\nthree\n").unwrap();
        std::fs::write(at("y"), "one\n2\nthree\n").unwrap();
        std::fs::write(at("z"), "one\n").unwrap();
        assert_eq!(shown(Kind::File, &at("x"), &at("y")), ["line 2 `two` → `2`"]);
        assert_eq!(shown(Kind::File, &at("x"), &at("z")), ["3 lines → 1 lines"]);
        std::fs::write(at("p"), [0xff, 1, 2]).unwrap();
        std::fs::write(at("q"), [0xff, 1, 3]).unwrap();
        assert_eq!(
            shown(Kind::File, &at("p"), &at("q")),
            ["3 bytes → the same size, other bytes from byte 3 on"]
        );
    }

    #[test]
    fn sizes_of_differences_are_short() {
        let shown: Vec<_> =
            [0.0, 0.2, 0.123_45, 12.4, 1234.0, 3.2e-9, 5e12].into_iter().map(digits).collect();
        assert_eq!(shown, ["0", "0.2", "0.12", "12", "1234", "3.2e-9", "5.0e12"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
