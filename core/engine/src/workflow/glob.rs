//! Patterns of paths: `*`, `?`, `[a-z]` within a name, `**` for folders of any depth.

use std::fs;
use std::io;
use std::path::Path;

/// So many names are looked at: more are met where a pattern starts at the wrong folder.
const MAX_NAMES: usize = 500_000;

/// Whether a path is a pattern.
pub(super) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The paths that match, relative to `base` (absolute if the pattern is), sorted by name. Names that start with
/// a point match only patterns that do.
///
/// # Errors
/// When a folder cannot be read; one that is not there holds nothing. When there are too many names to look at.
pub(super) fn find(base: &Path, pattern: &str) -> io::Result<Vec<String>> {
    let (start, rest) = match pattern.strip_prefix('/') {
        Some(rest) => ("/".to_owned(), rest),
        None => (String::new(), pattern),
    };
    let mut parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.last() == Some(&"**") {
        parts.push("*");
    }
    // Two in a row mean no more than one, and would be walked for every way to share the folders.
    parts.dedup_by(|a, b| a == b && *a == "**");
    let mut walk = Walk { base, found: Vec::new(), looked_at: 0 };
    walk.below(&start, &parts)?;
    let mut found = walk.found;
    found.sort();
    found.dedup();
    Ok(found)
}

struct Walk<'a> {
    base: &'a Path,
    found: Vec<String>,
    looked_at: usize,
}

impl Walk<'_> {
    fn below(&mut self, at: &str, parts: &[&str]) -> io::Result<()> {
        let Some((part, rest)) = parts.split_first() else {
            self.found.push(at.to_owned());
            return Ok(());
        };
        let base = self.base;
        let inside = |name: &str| match at {
            "" => name.to_owned(),
            "/" => format!("/{name}"),
            _ => format!("{at}/{name}"),
        };
        if !is_pattern(part) {
            let next = inside(part);
            return if base.join(&next).exists() { self.below(&next, rest) } else { Ok(()) };
        }
        let deep = *part == "**";
        if deep {
            self.below(at, rest)?;
        }
        let folder = base.join(at);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            self.looked_at += 1;
            if self.looked_at > MAX_NAMES {
                let message =
                    format!("there are more than {MAX_NAMES} names below the folder that it starts from");
                return Err(io::Error::other(message));
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(io::Error::other(format!("a name in {} is not UTF-8", folder.display())));
            };
            if name.starts_with('.') && !part.starts_with('.') {
                continue;
            }
            if deep {
                // Links are not followed: they may lead in a circle.
                if entry.file_type()?.is_dir() {
                    self.below(&inside(name), parts)?;
                }
            } else if matches(part, name) && (rest.is_empty() || entry.path().is_dir()) {
                self.below(&inside(name), rest)?;
            }
        }
        Ok(())
    }
}

/// Whether a name matches a pattern without `/`. Takes time in proportion to the product of their lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern = tokens(pattern);
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last `*` does not match: it then takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(Token::Any) => {
                star = Some((p, n));
                p += 1;
            }
            Some(token) if token.takes(name[n]) => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((after, taken)) => {
                    *taken += 1;
                    (p, n) = (*after + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|token| matches!(token, Token::Any))
}

/// A piece of a pattern.
enum Token {
    /// `*`.
    Any,
    /// `?`.
    One,
    /// A character.
    Is(char),
    /// `[a-z_]`, or `[!a-z_]`: ranges, and whether they are what must not be.
    In(Vec<(char, char)>, bool),
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Is(other) => c == *other,
            Self::In(ranges, not) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *not,
        }
    }
}

fn tokens(pattern: &str) -> Vec<Token> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut tokens = Vec::with_capacity(chars.len());
    let mut at = 0;
    while at < chars.len() {
        let (token, length) = match chars[at] {
            '*' => (Token::Any, 1),
            '?' => (Token::One, 1),
            '[' => class(&chars[at..]).unwrap_or((Token::Is('['), 1)),
            c => (Token::Is(c), 1),
        };
        tokens.push(token);
        at += length;
    }
    tokens
}

/// A bracket and its length; `None` if it is not closed, and stands for itself.
fn class(chars: &[char]) -> Option<(Token, usize)> {
    let not = matches!(chars.get(1), Some('!' | '^'));
    let first = if not { 2 } else { 1 };
    // A bracket that comes first is one of the characters.
    let end = first + 1 + chars.get(first + 1..)?.iter().position(|c| *c == ']')?;
    let inner = &chars[first..end];
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < inner.len() {
        match inner[at..] {
            [from, '-', to, ..] => {
                ranges.push((from, to));
                at += 3;
            }
            _ => {
                ranges.push((inner[at], inner[at]));
                at += 1;
            }
        }
    }
    Some((Token::In(ranges, not), end + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_match_as_a_shell_would_say() {
        for (pattern, yes, no) in [
            ("*.csv", ["a.csv", "b.c.csv"], ["a.csv2", "csv"]),
            ("a?c", ["abc", "aéc"], ["ac", "abbc"]),
            ("s[0-9][!a]", ["s1b", "s0_"], ["s1a", "sxb"]),
            ("[]x]", ["]", "x"], ["[", ""]),
            ("a*b*c", ["abc", "aXbYbZc"], ["abcd", "acb"]),
            ("[a", ["[a", "[a"], ["a", "["]),
        ] {
            assert!(yes.iter().all(|name| matches(pattern, name)), "{pattern} {yes:?}");
            assert!(!no.iter().any(|name| matches(pattern, name)), "{pattern} {no:?}");
        }
    }

    #[test]
    fn files_are_found_in_order_and_hidden_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["data/b.csv", "data/a.csv", "data/.c.csv", "data/x/y/d.csv", "data/x/e.txt", "f.csv"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let find = |pattern: &str| find(folder.path(), pattern).unwrap();
        assert_eq!(find("data/*.csv"), ["data/a.csv", "data/b.csv"]);
        assert_eq!(find("data/.*"), ["data/.c.csv"]);
        assert_eq!(find("**/*.csv"), ["data/a.csv", "data/b.csv", "data/x/y/d.csv", "f.csv"]);
        assert_eq!(find("./data/*/*.txt"), ["data/x/e.txt"]);
        assert_eq!(find("data/x/**"), ["data/x/e.txt", "data/x/y", "data/x/y/d.csv"]);
        assert_eq!(find("data/x"), ["data/x"]);
        assert_eq!(find("nowhere/*"), [""; 0]);
        let absolute = format!("{}/data/a.*", folder.path().display());
        assert_eq!(find(&absolute), [format!("{}/data/a.csv", folder.path().display())]);
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_and_what_is_made_looser(name in "[a-z.é]{1,8}", at in 0usize..8, len in 0usize..4) {
            prop_assert!(matches(&name, &name));
            let chars: Vec<char> = name.chars().collect();
            let at = at.min(chars.len());
            let end = (at + len).min(chars.len());
            let text = |chars: &[char]| chars.iter().collect::<String>();
            let looser = format!("{}*{}", text(&chars[..at]), text(&chars[end..]));
            prop_assert!(matches(&looser, &name), "{looser} {name}");
            let marks = format!("{}{}{}", text(&chars[..at]), "?".repeat(end - at), text(&chars[end..]));
            prop_assert!(matches(&marks, &name), "{marks} {name}");
        }

        #[test]
        fn no_pattern_takes_long_or_panics(pattern in "[*?a\\[\\]!-]{0,30}", name in "a{0,60}") {
            let _ = matches(&pattern, &name);
        }
    }
}
