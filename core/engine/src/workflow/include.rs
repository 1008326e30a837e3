//! `include`: the stages and parameters of other workflow files, under a prefix.
//!
//! An included file becomes part of the tree before anything is read from it: its stage `train` is the stage
//! `geo.train`, its parameter `n` the parameter `geo.n`, and whatever refers to them follows. So all that comes
//! later knows nothing of files, and messages point into the file that a text stands in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::external::Known;
use super::file::{self, Word};
use super::settings::{self, entry_mut};
use super::tree::{Data, Entry, Tree, within};
use super::{references, repeat, yaml};
use crate::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::expr::Piece;

/// Replaces `include` by what it names. Gives the folders of the files, by number of their source; `None` if one
/// is missing, without which nothing else can be judged.
pub(super) fn flatten(
    root: &mut Tree,
    path: &Path,
    current: &Path,
    problems: &mut Diagnostics,
) -> Option<HashMap<u32, PathBuf>> {
    let mut includer = Includer { current, problems, folders: HashMap::new(), open: Vec::new(), whole: true };
    includer.file(root, path);
    includer.whole.then_some(includer.folders)
}

struct Includer<'a> {
    current: &'a Path,
    problems: &'a mut Diagnostics,
    folders: HashMap<u32, PathBuf>,
    /// The files that include each other down to the one at hand.
    open: Vec<PathBuf>,
    /// Every file that is named is there.
    whole: bool,
}

/// What is written about one included file.
struct Wanted {
    path: Word,
    profile: Option<Word>,
    params: Option<Tree>,
}

/// What an included file brings along.
struct Included {
    stages: Vec<Entry>,
    params: Vec<Entry>,
    plugins: Vec<Entry>,
}

impl Includer<'_> {
    fn file(&mut self, root: &mut Tree, path: &Path) {
        let Data::Map(entries) = &mut root.data else { return };
        let Some(at) = entries.iter().position(|entry| entry.key == "include") else { return };
        let include = entries.remove(at);
        if !matches!(include.value.data, Data::Map(_) | Data::Null) {
            self.problems.push(
                Diagnostic::at(
                    include.value.span,
                    "`include` must be a mapping of prefixes to workflow files",
                )
                .label(format!("this is {}", include.value.describe()))
                .help("write `include: { PREFIX: FILE.yaml }`"),
            );
            return;
        }
        self.open.push(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        let mut stages = Vec::new();
        for item in include.value.entries() {
            match self.one(root, item, path) {
                Some(mut found) => {
                    stages.append(&mut found.stages);
                    extend(root, "params", include.key_span, found.params, false);
                    for plugin in found.plugins {
                        self.plugin(root, include.key_span, plugin);
                    }
                }
                None => self.whole = false,
            }
        }
        extend(root, "stages", include.key_span, stages, true);
        self.open.pop();
    }

    /// Takes over a plugin of an included file, which keeps its name: several files may name one plugin.
    fn plugin(&mut self, root: &mut Tree, span: Span, plugin: Entry) {
        let known = root.get("plugins").and_then(|section| section.value.get(&plugin.key));
        let Some(known) = known else {
            extend(root, "plugins", span, vec![plugin], false);
            return;
        };
        let same = known.value.to_value() == plugin.value.to_value();
        if !same || self.folder(known.key_span) != self.folder(plugin.key_span) {
            self.problems.push(
                Diagnostic::at(plugin.key_span, format!("two plugins are called `{}`", plugin.key))
                    .also(known.key_span, "the other one")
                    .help("call one of them otherwise"),
            );
        }
    }

    /// The folder of the file that a text stands in.
    fn folder(&self, span: Span) -> Option<PathBuf> {
        let first = self.open.first().and_then(|path| path.parent());
        let folder = self.folders.get(&span.source).map(PathBuf::as_path).or(first)?;
        Some(folder.canonicalize().unwrap_or_else(|_| folder.to_owned()))
    }

    /// What one included file brings along, under its new names.
    fn one(&mut self, root: &Tree, item: &Entry, includer: &Path) -> Option<Included> {
        let prefix = Word { text: item.key.clone(), span: item.key_span };
        if !file::is_name(&prefix.text) {
            self.problems.push(file::bad_name(&prefix, "prefix"));
            return None;
        }
        for (section, what) in [("params", "parameter"), ("stages", "stage")] {
            if let Some(taken) = root.get(section).and_then(|section| section.value.get(&prefix.text)) {
                self.problems.push(
                    Diagnostic::at(prefix.span, format!("there is a {what} `{}` already", prefix.text))
                        .also(taken.key_span, "here")
                        .help("include the file under another prefix"),
                );
                return None;
            }
        }
        let wanted = self.wanted(&item.value)?;
        let folder = includer.parent().unwrap_or(Path::new(""));
        let path = folder.join(&wanted.path.text);
        let mut tree = self.read(&path, wanted.path.span)?;
        if !file::is_workflow(&tree, self.problems) {
            return None;
        }
        repeat::flatten(&mut tree, self.problems);
        self.file(&mut tree, &path);
        file::check_head(&tree, self.problems);
        settings::profile(&mut tree, wanted.profile.as_ref(), self.problems);
        let mut bare = Vec::new();
        put_expressions_under(&mut tree, &prefix.text, self.problems, &mut bare);
        for span in bare {
            self.problems.push(
                Diagnostic::at(span, "an included workflow names its parameters one by one")
                    .help("write `params.NAME`"),
            );
        }
        let mut stages = self.section(&mut tree, "stages");
        for stage in &mut stages {
            let under = |text: &str| Some(format!("{}.{text}", prefix.text));
            references::rename(&mut stage.value, &under);
            stage.key = format!("{}.{}", prefix.text, stage.key);
        }
        let mut params = self.section(&mut tree, "params");
        if let Some(given) = wanted.params {
            self.set(&mut params, given, &wanted.path.text);
        }
        for param in &mut params {
            param.key = format!("{}.{}", prefix.text, param.key);
        }
        let plugins = self.section(&mut tree, "plugins");
        Some(Included { stages, params, plugins })
    }

    fn wanted(&mut self, tree: &Tree) -> Option<Wanted> {
        const KEYS: [&str; 3] = ["path", "params", "profile"];
        const HELP: &str = "write a file's path, or `{ path: FILE, params: { … }, profile: NAME }`";
        match &tree.data {
            Data::Text(_) => Some(Wanted { path: self.word(tree)?, profile: None, params: None }),
            Data::Map(entries) => {
                for entry in entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
                    let help = did_you_mean(&entry.key, KEYS, "its keys are");
                    self.problems.push(
                        Diagnostic::at(
                            entry.key_span,
                            format!("an included file has no key `{}`", entry.key),
                        )
                        .label("unknown key")
                        .maybe_help(help),
                    );
                }
                let Some(path) = tree.get("path") else {
                    self.problems.push(
                        Diagnostic::at(tree.span, "this does not say which file to include").help(HELP),
                    );
                    return None;
                };
                let profile = match tree.get("profile") {
                    Some(profile) => Some(self.word(&profile.value)?),
                    None => None,
                };
                let params = tree.get("params").map(|params| params.value.clone());
                if let Some(params) = params.as_ref().filter(|p| !matches!(p.data, Data::Map(_) | Data::Null))
                {
                    self.problems.push(
                        Diagnostic::at(params.span, "`params` must be a mapping of names to values")
                            .label(format!("this is {}", params.describe())),
                    );
                    return None;
                }
                Some(Wanted { path: self.word(&path.value)?, profile, params })
            }
            _ => {
                self.problems.push(
                    Diagnostic::at(tree.span, format!("{} does not name a workflow file", tree.describe()))
                        .help(HELP),
                );
                None
            }
        }
    }

    fn word(&mut self, tree: &Tree) -> Option<Word> {
        if let Data::Text(text) = &tree.data {
            return Some(Word { text: text.clone(), span: tree.span });
        }
        self.problems.push(
            Diagnostic::at(tree.span, "what to include is fixed text")
                .label(format!("this is {}", tree.describe())),
        );
        None
    }

    fn read(&mut self, path: &Path, span: Span) -> Option<Tree> {
        let before = self.problems.len();
        Known::default().check(path, span, self.current, self.problems);
        if self.problems.len() > before {
            return None;
        }
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(first) = self.open.iter().position(|open| *open == canonical) {
            let names: Vec<String> =
                self.open[first..].iter().chain([&canonical]).map(|p| self.shown(p)).collect();
            self.problems.push(
                Diagnostic::at(span, "workflow files include each other in a circle").note(names.join(" → ")),
            );
            return None;
        }
        let shown = self.shown(path);
        // A device or a pipe may never end.
        let special = path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        let text = match special {
            true => Err("it is not a file".to_owned()),
            false => std::fs::read(path).map_err(|error| super::reason(&error)),
        };
        let text =
            text.and_then(|text| String::from_utf8(text).map_err(|_| "it is not UTF-8 text".to_owned()));
        match text {
            Ok(text) => {
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
                let source = self.problems.add_source(shown, text);
                let folder = path.parent().unwrap_or(Path::new("")).to_owned();
                self.folders.insert(source, folder);
                yaml::read(source, 0, self.problems)
            }
            Err(error) => {
                self.problems.push(Diagnostic::at(span, format!("`{shown}` cannot be read: {error}")));
                None
            }
        }
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.current).unwrap_or(path).display().to_string()
    }

    /// The entries of `stages` or `params` of an included file.
    fn section(&mut self, tree: &mut Tree, key: &str) -> Vec<Entry> {
        let Some(section) = entry_mut(tree, key) else { return Vec::new() };
        match std::mem::replace(&mut section.value.data, Data::Null) {
            Data::Map(entries) => entries,
            Data::Null => Vec::new(),
            other => {
                let found = Tree::new(section.value.span, other);
                self.problems.push(
                    Diagnostic::at(found.span, format!("`{key}` must be a mapping of names"))
                        .label(format!("this is {}", found.describe())),
                );
                Vec::new()
            }
        }
    }

    /// Lays the parameters that the includer gives over those of the file.
    fn set(&mut self, params: &mut [Entry], given: Tree, file: &str) {
        let Data::Map(given) = given.data else { return };
        let names: Vec<String> = params.iter().map(|param| param.key.clone()).collect();
        for entry in given {
            match params.iter_mut().find(|param| param.key == entry.key) {
                Some(param) => param.value.merge(entry.value),
                None => {
                    let known = names.iter().map(String::as_str);
                    let help = if names.is_empty() {
                        Some("it declares no parameters".to_owned())
                    } else {
                        did_you_mean(&entry.key, known, "its parameters are")
                    };
                    self.problems.push(
                        Diagnostic::at(entry.key_span, format!("`{file}` has no parameter `{}`", entry.key))
                            .label("unknown parameter")
                            .maybe_help(help),
                    );
                }
            }
        }
    }
}

/// Adds entries to a section of the file, which comes into being where there is none.
fn extend(root: &mut Tree, key: &str, span: Span, mut more: Vec<Entry>, first: bool) {
    if more.is_empty() {
        return;
    }
    if let Data::Map(entries) = &mut root.data
        && !entries.iter().any(|entry| entry.key == key)
    {
        let value = Tree::new(span, Data::Map(Vec::new()));
        entries.push(Entry { key: key.to_owned(), key_span: span, value });
    }
    let Some(section) = entry_mut(root, key) else { return };
    if matches!(section.value.data, Data::Null) {
        section.value.data = Data::Map(Vec::new());
    }
    // What is neither is reported when it is read.
    if let Data::Map(entries) = &mut section.value.data {
        if first {
            more.append(entries);
            *entries = more;
        } else {
            entries.append(&mut more);
        }
    }
}

/// Lets all expressions of a tree use the parameters under the prefix.
fn put_expressions_under(tree: &mut Tree, prefix: &str, problems: &Diagnostics, bare: &mut Vec<Span>) {
    let span = tree.span;
    match &mut tree.data {
        Data::Template(template) => {
            for piece in &mut template.pieces {
                if let Piece::Expression { expr, written, range } = piece {
                    let whole = expr.put_under("params", prefix);
                    bare.extend(whole.into_iter().map(|at| within(problems, span, written, range.start, at)));
                }
            }
        }
        Data::List(items) => {
            items.iter_mut().for_each(|item| put_expressions_under(item, prefix, problems, bare));
        }
        Data::Map(entries) => {
            entries
                .iter_mut()
                .for_each(|entry| put_expressions_under(&mut entry.value, prefix, problems, bare));
        }
        _ => {}
    }
}
