//! What is not known yet of a stage.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use super::super::axes::{Cell, key_on, node_name};

/// Cells that further ones will lie at, by what must end before they are known.
#[derive(Clone, Default)]
pub(in crate::workflow) struct Unknown {
    /// By their text.
    cells: BTreeMap<String, (String, Cell)>,
}

impl Unknown {
    /// Further cells will lie at this one, once a stage or a loop has ended there.
    pub(super) fn add(&mut self, name: &str, cell: Cell) {
        self.cells.insert(node_name(name, &cell), (name.to_owned(), cell));
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.cells.extend(other.cells.iter().map(|(text, cell)| (text.clone(), cell.clone())));
    }

    pub(in crate::workflow) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// What further cells will lie at, as seen from cells with these axes. There may be many of both.
    pub(super) fn seen_from(&self, axes: &[Rc<str>]) -> Open {
        let mut open = Open::default();
        for (_, cell) in self.cells.values() {
            let shared: Vec<Rc<str>> =
                axes.iter().filter(|axis| cell.iter().any(|(own, _)| own == *axis)).cloned().collect();
            let key = key_on(cell, &shared);
            match open.keys.iter_mut().find(|(known, _)| *known == shared) {
                Some((_, keys)) => drop(keys.insert(key)),
                None => open.keys.push((shared, HashSet::from([key]))),
            }
        }
        open
    }

    /// The same without one axis.
    pub(super) fn without(&self, axis: &str) -> Self {
        let mut all = Self::default();
        for (name, cell) in self.cells.values() {
            all.add(name, cell.iter().filter(|(own, _)| **own != *axis).cloned().collect());
        }
        all
    }

    /// Nothing is known, wherever it lies.
    pub(super) fn everywhere(&self) -> Self {
        let mut all = Self::default();
        self.cells.values().for_each(|(name, _)| all.add(name, Cell::new()));
        all
    }

    /// What must end, each once.
    pub(in crate::workflow) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.cells.values().map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// See [`Unknown::seen_from`].
#[derive(Default)]
pub(super) struct Open {
    /// By the axes that are shared: the values there.
    keys: Vec<(Vec<Rc<str>>, HashSet<String>)>,
}

impl Open {
    /// Whether further cells may have the values of this one on the axes that they share with it.
    pub(super) fn touches(&self, cell: &Cell) -> bool {
        self.keys.iter().any(|(shared, keys)| keys.contains(&key_on(cell, shared)))
    }
}
