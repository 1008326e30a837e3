//! The files that a pattern of paths means, and what they are called.

use std::collections::HashSet;
use std::path::Path;

use super::external::{Known, near};
use super::glob;
use super::nodes::Place;
use super::tree::{Data, Tree};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::expr::Piece;

/// Whether a path is written as a pattern. What comes out of an expression makes it none: how many inputs there are
/// must not depend on a value.
pub(super) fn is_pattern(path: &Tree) -> bool {
    match &path.data {
        Data::Text(text) => glob::is_pattern(text),
        Data::Template(template) => {
            template.pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if glob::is_pattern(text)))
        }
        _ => false,
    }
}

/// A file that matches.
pub(super) struct Match {
    /// As the pattern is written: relative where that is.
    pub(super) path: String,
    /// Its name without the extension.
    pub(super) stem: String,
    /// What tells it from the others: its stem, or its path where stems repeat.
    pub(super) name: String,
}

/// The files that match, sorted by path. None if there are none, which is said.
pub(super) fn find(
    pattern: &str,
    base: &Path,
    span: Span,
    place: &Place,
    problems: &mut Diagnostics,
) -> Option<Vec<Match>> {
    let found = match glob::find(base, pattern) {
        Ok(found) => found,
        Err(error) => {
            problems.push(Diagnostic::at(span, format!("`{pattern}` cannot be looked for: {error}")));
            return None;
        }
    };
    if found.is_empty() && !glob::is_pattern(pattern) {
        Known::default().check(&base.join(pattern), span, &place.current, problems);
        return None;
    }
    if found.is_empty() {
        let shown = base.strip_prefix(&place.current).unwrap_or(base);
        let from = if shown.as_os_str().is_empty() { Path::new(".") } else { shown };
        problems.push(
            Diagnostic::at(span, format!("no file matches `{pattern}`"))
                .note(format!("looked for in `{}`", from.display()))
                .maybe_help(suggestion(pattern, base)),
        );
        return None;
    }
    let stem = |path: &str| {
        Path::new(path)
            .file_stem()
            .map_or_else(|| path.to_owned(), |stem| stem.to_string_lossy().into_owned())
    };
    let stems: HashSet<String> = found.iter().map(|path| stem(path)).collect();
    let unique = stems.len() == found.len();
    let matches = found.into_iter().map(|path| {
        let stem = stem(&path);
        let name = if unique { stem.clone() } else { path.clone() };
        Match { path, stem, name }
    });
    Some(matches.collect())
}

/// The folder in front of the pattern that is not there; or what its files end in instead.
fn suggestion(pattern: &str, base: &Path) -> Option<String> {
    let fixed: Vec<&str> = pattern.split('/').take_while(|part| !glob::is_pattern(part)).collect();
    let folder = base.join(fixed.join("/"));
    if !folder.is_dir() {
        return near(&folder).or_else(|| Some(format!("there is no folder `{}`", fixed.join("/"))));
    }
    let mut endings: Vec<String> = std::fs::read_dir(&folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter_map(|path| Some(format!("`.{}`", path.extension()?.to_str()?)))
        .collect();
    endings.sort_unstable();
    endings.dedup();
    endings.truncate(4);
    match endings.as_slice() {
        [] => None,
        [one] => Some(format!("the files there end in {one}")),
        [others @ .., last] => Some(format!("the files there end in {} and {last}", others.join(", "))),
    }
}
