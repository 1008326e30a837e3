//! Changes to text: of bytes, words, blocks of lines and bracketed groups.

use crate::random::Random;

/// Numbers at which something changes.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "2",
    "7",
    "1.5",
    "-0.0",
    "1e-3",
    "1e308",
    "1e999",
    "0.1",
    "100001",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1_000",
    "007",
    "NaN",
    ".inf",
];

/// A change that knows nothing of the language but its words.
pub(crate) fn words(random: &mut Random, text: &mut String, other: &str, dictionary: &[&str]) {
    let (from, to) = span(random, text);
    match random.below(8) {
        0 => insert(random, text, dictionary),
        1 => text.replace_range(from..to, random.pick(dictionary).copied().unwrap_or_default()),
        2 => text.replace_range(from..to, ""),
        3 => {
            let piece = text[from..to].to_owned();
            text.insert_str(to, &piece);
        }
        4 => {
            let (start, end) = span(random, other);
            text.replace_range(from..to, &other[start..end]);
        }
        5 => {
            let numbers = runs(text, |c| c.is_ascii_digit() || c == '.');
            if let (Some((from, to)), Some(number)) = (random.pick(&numbers), random.pick(NUMBERS)) {
                text.replace_range(*from..*to, number);
            }
        }
        6 => {
            // A word of the text in another place of it.
            let words = runs(text, |c| c.is_alphanumeric() || c == '_');
            if let (Some((a, b)), Some((c, d))) = (random.pick(&words), random.pick(&words)) {
                let word = text[*c..*d].to_owned();
                text.replace_range(*a..*b, &word);
            }
        }
        _ => {
            let at = boundary(text, random.below(text.len() + 1));
            let odd = [
                '\0', '\u{1b}', '\t', '\r', '\n', ' ', '"', '\'', '\\', '{', '}', '[', ']', '$', 'é',
                '\u{feff}', '𝛑',
            ];
            if let Some(c) = random.pick(&odd) {
                text.insert(at, *c);
            }
        }
    }
}

/// A change of blocks of lines: a line and those below it that are indented deeper, as in YAML.
pub(crate) fn blocks(random: &mut Random, text: &mut String, other: &str) {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let theirs: Vec<&str> = other.split_inclusive('\n').collect();
    if lines.is_empty() || theirs.is_empty() {
        return;
    }
    let at = random.below(lines.len());
    let end = block_end(&lines, at);
    let start = random.below(theirs.len());
    let from = if random.one_in(2) {
        (start, block_end(&theirs, start))
    } else {
        // A block of the same indentation goes well in its place.
        let level = indentation(&lines[at]);
        let same: Vec<usize> = (0..theirs.len()).filter(|line| indentation(theirs[*line]) == level).collect();
        let start = random.pick(&same).copied().unwrap_or(start);
        (start, block_end(&theirs, start))
    };
    let shift = indentation(&lines[at]) as isize - indentation(theirs[from.0]) as isize;
    let block: Vec<String> = theirs[from.0..from.1].iter().map(|line| indented(line, shift)).collect();
    match random.below(5) {
        0 => drop(lines.drain(at..end)),
        1 => {
            let copy: Vec<String> = lines[at..end].to_vec();
            lines.splice(end..end, copy);
        }
        2 => drop(lines.splice(at..end, block)),
        3 => drop(lines.splice(end..end, block)),
        // The value behind one key behind another.
        _ => {
            let value = |line: &str| line.find(": ").map(|colon| line[colon + 2..].to_owned());
            if let (Some(colon), Some(value)) = (lines[at].find(": "), value(theirs[start])) {
                lines[at].replace_range(colon + 2.., &value);
            }
        }
    }
    *text = lines.concat();
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn block_end(lines: &[impl AsRef<str>], at: usize) -> usize {
    let level = indentation(lines[at].as_ref());
    let deeper = lines[at + 1..].iter().take_while(|line| indentation(line.as_ref()) > level).count();
    at + 1 + deeper
}

fn indented(line: &str, shift: isize) -> String {
    let level = (indentation(line) as isize + shift).max(0);
    " ".repeat(usize::try_from(level).unwrap_or(0)) + line.trim_start_matches(' ')
}

/// A change of a tree that is written with brackets: a part of it is replaced by a part of another, or wrapped.
pub(crate) fn groups(random: &mut Random, text: &mut String, other: &str, wraps: &[(&str, &str)]) {
    let (ours, theirs) = (parts(text), parts(other));
    let Some(&(from, to)) = random.pick(&ours) else { return };
    let piece = random.pick(&theirs).map(|(from, to)| &other[*from..*to]).unwrap_or_default();
    match random.below(3) {
        0 => text.replace_range(from..to, piece),
        1 => {
            if let Some((before, after)) = random.pick(wraps) {
                text.insert_str(to, after);
                text.insert_str(from, before);
            }
        }
        _ => {
            if let Some((before, after)) = random.pick(wraps) {
                text.replace_range(from..to, &format!("{before}{piece}{after}"));
            }
        }
    }
}

/// Words, and groups with their brackets.
fn parts(text: &str) -> Vec<(usize, usize)> {
    let mut found = runs(text, |c| c.is_alphanumeric() || c == '_' || c == '.');
    let mut open = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => open.push(at),
            ')' | ']' => found.extend(open.pop().map(|from| (from, at + 1))),
            _ => {}
        }
    }
    found
}

/// Puts a word of the dictionary somewhere.
fn insert(random: &mut Random, text: &mut String, dictionary: &[&str]) {
    let at = boundary(text, random.below(text.len() + 1));
    text.insert_str(at, random.pick(dictionary).copied().unwrap_or_default());
}

/// A piece of a text, mostly a short one.
fn span(random: &mut Random, text: &str) -> (usize, usize) {
    let from = random.below(text.len() + 1);
    let longest = if random.one_in(8) { text.len() } else { 12 };
    let to = (from + random.below(longest + 1)).min(text.len());
    (boundary(text, from), boundary(text, to))
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The pieces of a text that consist of such characters.
fn runs(text: &str, is: impl Fn(char) -> bool) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| is(*c)) {
        match found.last_mut() {
            Some((_, end)) if *end == at => *end += c.len_utf8(),
            _ => found.push((at, at + c.len_utf8())),
        }
    }
    found
}
