//! Small pieces of text.

use anstyle::{AnsiColor, Color, Reset, Style};

pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const GREEN: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green)));
pub(crate) const YELLOW: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Yellow)));
pub(crate) const RED: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red)));
pub(crate) const RESET: Reset = Reset;

/// Text without control characters, which could do things to a terminal.
pub(crate) fn clean(text: &str) -> String {
    let plain = |c: char| if c == '\t' || c == '\n' { ' ' } else { '\u{fffd}' };
    text.chars().map(|c| if c.is_control() { plain(c) } else { c }).collect()
}

/// A duration for people: `0.03 s`, `4.2 s`, `3 min 05 s`, `2 h 10 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        _ if seconds < 1.0 => format!("{seconds:.2} s"),
        _ if seconds < 59.95 => format!("{seconds:.1} s"),
        _ if whole < 3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// A number and a noun: `1 node`, `2 nodes`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let shown: Vec<_> = [0.034, 4.24, 59.96, 185.0, 7800.0].into_iter().map(duration).collect();
        assert_eq!(shown, ["0.03 s", "4.2 s", "1 min 00 s", "3 min 05 s", "2 h 10 min"]);
    }

    #[test]
    fn control_characters_are_taken_out() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{9b}"), "a\u{fffd}[31mb c\u{fffd}");
    }
}
