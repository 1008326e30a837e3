//! External inputs: files and folders that flow did not make.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flow_plugin::Kind;
use flow_plugin::artifact::Dataset;
use flow_plugin::artifact::import::Import;
use serde_json::Value;

use super::glob;
use super::globs::{self, Found, Match};
use crate::diagnostics::{Diagnostic, Diagnostics, Span, closest};
use crate::exec::environment::{self, Environment};

/// Paths that have been looked at: a matrix names the same file many times.
#[derive(Default)]
pub(super) struct Known {
    /// What may have been meant, where nothing is there.
    there: HashMap<PathBuf, Result<(), Option<String>>>,
    patterns: HashMap<(PathBuf, String), Found>,
    files: HashMap<PathBuf, bool>,
    kinds: HashMap<PathBuf, Kind>,
    environments: HashMap<PathBuf, Result<Environment, String>>,
    unreadable: HashMap<PathBuf, Option<String>>,
}

impl Known {
    /// Whether there is a file at this path.
    pub(super) fn is_file(&mut self, path: &Path) -> bool {
        *self.files.entry(path.to_owned()).or_insert_with(|| path.is_file())
    }

    /// The storage form of what lies at a path.
    pub(super) fn kind(&mut self, path: &Path) -> Kind {
        *self.kinds.entry(path.to_owned()).or_insert_with(|| kind_of(path))
    }

    /// Why no arrays can be read from what lies at this path; none if they can, or if nothing is there.
    pub(super) fn unreadable(&mut self, path: &Path) -> Option<String> {
        let known = self.unreadable.entry(path.to_owned());
        let look =
            || path.exists().then(|| Import::open(path).err()).flatten().map(|error| error.to_string());
        known.or_insert_with(look).clone()
    }

    /// What an environment of Python consists of, or what is wrong with it.
    pub(super) fn environment(&mut self, folder: &Path) -> Result<Environment, String> {
        let known = self.environments.entry(folder.to_owned());
        known.or_insert_with(|| environment::read(folder)).clone()
    }

    /// Says so if there is no such file or folder.
    pub(super) fn check(&mut self, path: &Path, span: Span, current: &Path, problems: &mut Diagnostics) {
        let look = || if path.exists() { Ok(()) } else { Err(near(path)) };
        let Err(meant) = self.there.entry(path.to_owned()).or_insert_with(look) else { return };
        let shown = path.strip_prefix(current).unwrap_or(path);
        problems.push(
            Diagnostic::at(span, format!("there is no file or folder `{}`", shown.display()))
                .topic("missing file")
                .maybe_help(meant.clone()),
        );
    }

    /// The files that match a pattern. That there are none is said.
    pub(super) fn matching(
        &mut self,
        pattern: &str,
        base: &Path,
        span: Span,
        current: &Path,
        problems: &mut Diagnostics,
    ) -> Option<Rc<[Match]>> {
        if !glob::is_pattern(pattern) && !base.join(pattern).exists() {
            self.check(&base.join(pattern), span, current, problems);
            return None;
        }
        let known = self.patterns.entry((base.to_owned(), pattern.to_owned()));
        match known.or_insert_with(|| globs::find(pattern, base, current)) {
            Ok(found) => Some(found.clone()),
            Err(nothing) => {
                problems.push(nothing.at(span));
                None
            }
        }
    }
}

/// What was probably meant: a neighbour of a similar name, or the folder that is missing.
pub(super) fn near(path: &Path) -> Option<String> {
    let folder = path.parent()?;
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Some(format!("there is no folder `{}` either", folder.display()));
    };
    let name = path.file_name()?.to_string_lossy().into_owned();
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    closest(&name, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
}

fn kind_of(path: &Path) -> Kind {
    // A Zarr group of another make is a folder of files.
    if path.join("zarr.json").is_file() && Dataset::open(path).is_ok() {
        Kind::Dataset
    } else if path.join("model.safetensors").is_file() {
        Kind::Model
    } else if path.is_dir() {
        Kind::Folder
    } else {
        Kind::File
    }
}

/// Replaces the path at a dotted place by `null`: it is no part of a key. Its content is, as an input.
pub(super) fn forget(params: &mut Value, at: &str) {
    let mut place = params;
    for part in at.split('.') {
        let next = match place {
            Value::Object(map) => map.get_mut(part),
            Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            _ => None,
        };
        match next {
            Some(next) => place = next,
            None => return,
        }
    }
    *place = Value::Null;
}
