//! The files that a pattern of paths means, and what they are called.

use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;

use super::external::near;
use super::glob;
use super::tree::{Data, Tree};
use crate::diagnostics::{Diagnostic, Span};
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

/// The files that match, sorted by path; or what to say where there are none.
pub(super) type Found = Result<Rc<[Match]>, Nothing>;

/// Why no file matches.
#[derive(Clone)]
pub(super) struct Nothing {
    message: String,
    note: Option<String>,
    help: Option<String>,
}

impl Nothing {
    /// As it is said of a pattern at this place.
    pub(super) fn at(&self, span: Span) -> Diagnostic {
        let diagnostic = Diagnostic::at(span, self.message.clone()).maybe_help(self.help.clone());
        match &self.note {
            Some(note) => diagnostic.note(note),
            None => diagnostic,
        }
    }
}

/// Looks for the files that match.
pub(super) fn find(pattern: &str, base: &Path, current: &Path) -> Found {
    let found = glob::find(base, pattern).map_err(|error| Nothing {
        message: format!("`{pattern}` cannot be looked for: {error}"),
        note: None,
        help: None,
    })?;
    if found.is_empty() {
        let shown = base.strip_prefix(current).unwrap_or(base);
        let from = if shown.as_os_str().is_empty() { Path::new(".") } else { shown };
        return Err(Nothing {
            message: format!("no file matches `{pattern}`"),
            note: Some(format!("looked for in `{}`", from.display())),
            help: suggestion(pattern, base),
        });
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
    Ok(matches.collect())
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
