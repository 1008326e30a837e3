//! `plugins`: where the workflow's own operations come from.

use std::time::Duration;

use super::super::limits;
use super::super::tree::{Data, Entry, Tree};
use super::{Reader, Word, bad_name, is_name};
use crate::diagnostics::Diagnostic;

/// One plugin of a workflow.
pub(in super::super) struct PluginDecl {
    pub(in super::super) name: Word,
    /// Nothing where that makes no sense, which has been reported.
    pub(in super::super) at: Option<PluginAt>,
    /// How long it may take to start.
    pub(in super::super) timeout: Option<Duration>,
}

/// Where its code is.
pub(in super::super) enum PluginAt {
    /// A file, a folder or an installed module, and its environment.
    Python { target: Word, environment: Option<Word> },
    /// An executable and its arguments.
    Command(Vec<Word>),
}

const WRITTEN: &str = "a plugin is written `{ python: FILE.py }` or `{ command: [./PROGRAM] }`";

const KEYS: [&str; 4] = ["python", "env", "command", "timeout"];

impl Reader<'_> {
    pub(super) fn plugins(&mut self, tree: &Tree) -> Vec<PluginDecl> {
        let what = "`plugins` must be a mapping of names to where plugins are";
        self.mapping(tree, what).iter().filter_map(|entry| self.plugin(entry)).collect()
    }

    fn plugin(&mut self, entry: &Entry) -> Option<PluginDecl> {
        let name = Word { text: entry.key.clone(), span: entry.key_span };
        if !is_name(&name.text) {
            self.problems.push(bad_name(&name, "plugin"));
            return None;
        }
        let entries = self.mapping(&entry.value, WRITTEN);
        let meant = self.known_keys(entries, &KEYS, "a plugin");
        let at = self.at(&name, &entry.value, meant.is_empty());
        let timeout = entry.value.get("timeout");
        let timeout = timeout.and_then(|entry| limits::timeout(&entry.value, self.problems));
        Some(PluginDecl { name, at, timeout })
    }

    fn at(&mut self, name: &Word, body: &Tree, complete: bool) -> Option<PluginAt> {
        match (body.get("python"), body.get("command")) {
            (Some(python), None) => {
                let target = self.word(&python.value, "`python`")?;
                let environment = match body.get("env") {
                    Some(env) => Some(self.word(&env.value, "`env`")?),
                    None => None,
                };
                Some(PluginAt::Python { target, environment })
            }
            (None, Some(command)) => {
                if let Some(env) = body.get("env") {
                    let problem = Diagnostic::at(env.key_span, "only plugins in Python have an environment");
                    self.problems.push(problem.help("remove `env`"));
                }
                self.command(&command.value).map(PluginAt::Command)
            }
            (Some(_), Some(command)) => {
                let problem = Diagnostic::at(command.key_span, format!("`{}` is in two places", name.text));
                self.problems.push(problem.help("write `python` or `command`"));
                None
            }
            (None, None) => {
                if matches!(body.data, Data::Map(_) | Data::Null) && complete {
                    let message = format!("the plugin `{}` does not say where it is", name.text);
                    self.problems.push(Diagnostic::at(name.span, message).help(WRITTEN));
                }
                None
            }
        }
    }

    /// A program and its arguments: texts, also where they look like numbers.
    fn command(&mut self, tree: &Tree) -> Option<Vec<Word>> {
        if let Data::Text(text) = &tree.data {
            return Some(vec![Word { text: text.clone(), span: tree.span }]);
        }
        let items = self.list(tree, "`command` must be a list: a program and its arguments");
        let words: Option<Vec<Word>> =
            items.iter().map(|item| self.word(item, "a word of `command`")).collect();
        words.filter(|words| !words.is_empty())
    }
}
