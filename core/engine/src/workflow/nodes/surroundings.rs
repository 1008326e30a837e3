//! What counts for a program beside its command: files that it names, executables, its environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_plugin::Kind;

use super::Builder;
use crate::diagnostics::{Diagnostic, Span};
use crate::exec;
use crate::exec::environment::Environment;
use crate::graph::{Origin, Source};

impl Builder<'_> {
    /// A word of the command that names a file below the root is an input.
    pub(super) fn track(&mut self, word: &str, span: Span, inputs: &mut Vec<(String, Vec<Source>)>) {
        let path = self.place.base(span).join(word);
        if word.is_empty() || !self.known.is_file(&path) {
            return;
        }
        let Some(path) = plain(&path) else { return };
        let Some(root) = plain(&self.place.root) else { return };
        if !path.starts_with(&root) || path.starts_with(root.join(".flow")) {
            return;
        }
        self.external_file(format!("file:{word}"), &path, span, inputs);
    }

    pub(super) fn executable(
        &mut self,
        name: &str,
        bin: Option<&Path>,
        span: Span,
        inputs: &mut Vec<(String, Vec<Source>)>,
    ) {
        let found = exec::find_program(OsStr::new(name), self.place.base(span), bin);
        match found.and_then(|path| path.canonicalize().ok()) {
            Some(path) => self.external_file(format!("program:{name}"), &path, span, inputs),
            None => self.problems.push(
                Diagnostic::at(span, format!("there is no program `{name}`"))
                    .help("is it installed, and in one of the folders of PATH?"),
            ),
        }
    }

    fn external_file(
        &mut self,
        name: String,
        path: &Path,
        span: Span,
        inputs: &mut Vec<(String, Vec<Source>)>,
    ) {
        let from = Origin::External { path: path.to_owned(), kind: Kind::File };
        let known = inputs.iter().any(|(_, sources)| sources.iter().any(|source| source.from == from));
        if !known {
            self.externals.push((path.to_owned(), span));
            inputs.push((name, vec![Source { from, coordinates: Arc::default() }]));
        }
    }

    /// What an environment of Python consists of.
    pub(super) fn environment(&mut self, written: &str, folder: &Path, span: Span) -> Option<Environment> {
        let found = self.known.environment(folder);
        if let Err(problem) = &found {
            let message = match folder.exists() {
                true => format!("`{written}` {problem}"),
                false => format!("there is no environment `{written}`"),
            };
            let help = format!("make one with `python3 -m venv {written}`");
            self.problems.push(Diagnostic::at(span, message).help(help));
        }
        found.ok()
    }

    /// The value of an environment variable that counts.
    pub(super) fn variable(&mut self, name: &str, span: Span) -> Option<String> {
        let problem = if name.is_empty() || name.contains(['=', '\0']) {
            Some((
                format!("`{name}` cannot be the name of an environment variable"),
                "`env` is a list of names",
            ))
        } else {
            match std::env::var_os(name).map(std::ffi::OsString::into_string) {
                None => None,
                Some(Ok(value)) => return Some(value),
                Some(Err(_)) => {
                    Some((format!("the environment variable `{name}` is not UTF-8 text"), "set it anew"))
                }
            }
        };
        if let Some((message, help)) = problem {
            self.problems.push(Diagnostic::at(span, message).help(help));
        }
        None
    }
}

/// An absolute path without `.` and `..`.
pub(super) fn plain(path: &Path) -> Option<PathBuf> {
    use std::path::Component;
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain.is_absolute().then_some(plain)
}
