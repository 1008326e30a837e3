//! Problems as text for people: file, line and column, the line itself, the offending piece underlined.

use std::fmt::{self, Formatter};

use anstyle::{AnsiColor, Color, Reset, Style};

use super::{Diagnostic, Diagnostics, Label, Source};

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const RESET: Reset = Reset;
const RED: Style = BOLD.fg_color(Some(Color::Ansi(AnsiColor::Red)));
const BLUE: Style = BOLD.fg_color(Some(Color::Ansi(AnsiColor::Blue)));
const CYAN: Style = BOLD.fg_color(Some(Color::Ansi(AnsiColor::Cyan)));

/// Lines longer than this are cropped around what is underlined.
const WIDTH: usize = 110;

pub(super) fn diagnostic(f: &mut Formatter<'_>, all: &Diagnostics, problem: &Diagnostic) -> fmt::Result {
    writeln!(f, "{RED}error{RESET}{BOLD}: {}{RESET}", printable(&problem.message))?;
    let labels: Vec<(&Label, bool)> = problem
        .primary
        .iter()
        .map(|label| (label, true))
        .chain(problem.secondary.iter().map(|label| (label, false)))
        .collect();
    let places: Vec<(Place<'_>, &Label, bool)> = labels
        .into_iter()
        .filter_map(|(label, main)| {
            let source = all.sources.get(label.span.source as usize)?;
            Some((Place::of(source, label), label, main))
        })
        .collect();
    let gutter = places.iter().map(|(place, ..)| place.line.to_string().len()).max().unwrap_or(1);
    let mut shown: Option<u32> = None;
    for source in sources_in_order(&places) {
        let first = places.iter().find(|(_, label, _)| label.span.source == source);
        if let Some((place, ..)) = first {
            let arrow = if shown.is_none() { "-->" } else { ":::" };
            let Place { name, line, column, .. } = place;
            writeln!(f, "{:gutter$}{BLUE}{arrow}{RESET} {}:{line}:{column}", "", printable(name))?;
            writeln!(f, "{:gutter$} {BLUE}|{RESET}", "")?;
        }
        lines(f, gutter, places.iter().filter(|(_, label, _)| label.span.source == source))?;
        shown = Some(source);
    }
    let mut blank = !places.is_empty();
    let repeats = all.repeats_of(problem);
    let more = (repeats > 0).then(|| match repeats {
        1 => "the same holds for one more node".to_owned(),
        n => format!("the same holds for {n} more nodes"),
    });
    for note in problem.notes.iter().chain(&more) {
        separator(f, gutter, &mut blank)?;
        writeln!(f, "{CYAN}note{RESET}: {}", printable(note))?;
    }
    for help in &problem.help {
        separator(f, gutter, &mut blank)?;
        writeln!(f, "{CYAN}help{RESET}: {}", printable(help))?;
    }
    Ok(())
}

/// `study.yaml:7:3`.
pub(super) fn place(all: &Diagnostics, label: &Label) -> Option<String> {
    let Place { name, line, column, .. } = Place::of(all.sources.get(label.span.source as usize)?, label);
    Some(format!("{}:{line}:{column}", printable(name)))
}

fn separator(f: &mut Formatter<'_>, gutter: usize, due: &mut bool) -> fmt::Result {
    if std::mem::take(due) { writeln!(f, "{:gutter$} {BLUE}|{RESET}", "") } else { Ok(()) }
}

fn sources_in_order(places: &[(Place<'_>, &Label, bool)]) -> Vec<u32> {
    let mut sources = Vec::new();
    for (_, label, _) in places {
        if !sources.contains(&label.span.source) {
            sources.push(label.span.source);
        }
    }
    sources
}

/// The lines of one source, in order, each with its labels below it.
fn lines<'p>(
    f: &mut Formatter<'_>,
    gutter: usize,
    places: impl Iterator<Item = &'p (Place<'p>, &'p Label, bool)>,
) -> fmt::Result {
    let mut places: Vec<_> = places.collect();
    places.sort_by_key(|(place, _, main)| (place.line, !main, place.column));
    let mut last: Option<usize> = None;
    for (place, label, main) in places {
        if last != Some(place.line) {
            if last.is_some_and(|last| place.line > last + 1) {
                writeln!(f, "{:gutter$}{BLUE}...{RESET}", "")?;
            }
            writeln!(f, "{BLUE}{:>gutter$} |{RESET} {}", place.line, place.text)?;
            last = Some(place.line);
        }
        let (style, mark) = if *main { (RED, "^") } else { (BLUE, "-") };
        let underline = mark.repeat(place.width);
        let remark = printable(&label.text);
        let space = if remark.is_empty() { "" } else { " " };
        writeln!(
            f,
            "{:gutter$} {BLUE}|{RESET} {:indent$}{style}{underline}{space}{remark}{RESET}",
            "",
            "",
            indent = place.indent
        )?;
    }
    Ok(())
}

/// A label's line, ready to print.
struct Place<'s> {
    name: &'s str,
    /// From 1.
    line: usize,
    /// From 1, in characters.
    column: usize,
    /// The line, cropped, without control characters.
    text: String,
    /// Where the underline starts in `text`, in characters.
    indent: usize,
    /// How long it is.
    width: usize,
}

impl<'s> Place<'s> {
    fn of(source: &'s Source, label: &Label) -> Self {
        let text = source.text.as_str();
        let start = floor_boundary(text, label.span.start as usize);
        let end = floor_boundary(text, label.span.end as usize).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let line = text[..line_start].matches('\n').count() + 1;
        let chars: Vec<char> = printable(text[line_start..line_end].trim_end_matches('\r')).chars().collect();
        let before = text[line_start..start].chars().count();
        let length = text[start..end.min(line_end)].trim_end().chars().count().max(1);
        let (from, to) = window(chars.len(), before, length);
        let mut shown: String = chars[from..to].iter().collect();
        if from > 0 {
            shown.replace_range(..shown.chars().next().map_or(0, char::len_utf8), "…");
        }
        if to < chars.len() {
            shown.push('…');
        }
        Self {
            name: &source.name,
            line,
            column: before + 1,
            text: shown,
            indent: before - from.min(before),
            width: length.min(to.saturating_sub(before).max(1)),
        }
    }
}

/// Which characters of a line to show.
fn window(length: usize, at: usize, marked: usize) -> (usize, usize) {
    if length <= WIDTH {
        return (0, length);
    }
    let centre = at + marked.min(WIDTH) / 2;
    let from = centre.saturating_sub(WIDTH / 2).min(length - WIDTH).min(at);
    (from, (from + WIDTH).min(length))
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// The text without control characters, which must not reach a terminal. One character stays one character.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            '\n' => c,
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}
