//! Small pieces of text.

use anstyle::{AnsiColor, Color, Reset, Style};

pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const GREEN: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green)));
pub(crate) const YELLOW: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Yellow)));
pub(crate) const CYAN: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Cyan)));
pub(crate) const RED: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red)));
pub(crate) const RESET: Reset = Reset;

/// Text without control characters, which could do things to a terminal.
pub(crate) fn clean(text: &str) -> String {
    let plain = |c: char| if c == '\t' || c == '\n' { ' ' } else { '\u{fffd}' };
    text.chars().map(|c| if c.is_control() { plain(c) } else { c }).collect()
}

/// A number and a noun: `1 node`, `2 nodes`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_taken_out() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{9b}"), "a\u{fffd}[31mb c\u{fffd}");
    }
}
