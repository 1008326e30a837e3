//! What becomes known of a workflow only while it runs: the outputs that decide which nodes there are.

use std::collections::HashMap;

use serde_json::Value;

/// What is known by now of such outputs, by the names of the node and the port.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    known: HashMap<String, HashMap<String, Fact>>,
}

/// What an output holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// It is a folder with these entries, sorted by name.
    Entries(Vec<FolderEntry>),
    /// It is a file of JSON.
    Json(Value),
    /// It was to be JSON, and is not.
    Unreadable(String),
}

/// A file or folder in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder itself.
    pub folder: bool,
}

impl Facts {
    /// What is known of an output.
    pub(crate) fn get(&self, node: &str, port: &str) -> Option<&Fact> {
        self.known.get(node)?.get(port)
    }

    /// Adds what an output of a node holds.
    pub fn insert(&mut self, node: &str, port: &str, fact: Fact) {
        self.known.entry(node.to_owned()).or_default().insert(port.to_owned(), fact);
    }

    /// Whether anything is known of an output.
    #[must_use]
    pub fn has(&self, node: &str, port: &str) -> bool {
        self.get(node, port).is_some()
    }

    /// Takes it back.
    pub fn remove(&mut self, node: &str, port: &str) {
        if let Some(ports) = self.known.get_mut(node) {
            ports.remove(port);
        }
    }
}
