//! What a stage says about other stages, while it is still a tree: files and loops put their stages under a prefix,
//! and all that refers to them follows.

use super::file::MATRIX;
use super::settings::entry_mut;
use super::tree::{Data, Tree};

/// Gives a reference its new text, or leaves it as it is.
type Rename<'r> = dyn Fn(&str) -> Option<String> + 'r;

/// Renames everything that a stage refers to.
pub(super) fn rename(stage: &mut Tree, rename: &Rename<'_>) {
    if let Some(inputs) = entry_mut(stage, "inputs")
        && let Data::Map(entries) = &mut inputs.value.data
    {
        entries.iter_mut().for_each(|entry| connection(&mut entry.value, rename));
    }
    if let Some(matrix) = entry_mut(stage, MATRIX)
        && let Data::Map(axes) = &mut matrix.value.data
    {
        for axis in axes {
            if let Some(from) = entry_mut(&mut axis.value, "from") {
                reference(&mut from.value, rename);
            }
        }
    }
    if let Some(needs) = entry_mut(stage, "needs") {
        reference(&mut needs.value, rename);
    }
    let carry = entry_mut(stage, "repeat").and_then(|repeat| entry_mut(&mut repeat.value, "carry"));
    if let Some(carry) = carry
        && let Data::Map(entries) = &mut carry.value.data
    {
        for entry in entries {
            for key in ["first", "then"] {
                if let Some(entry) = entry_mut(&mut entry.value, key) {
                    connection(&mut entry.value, rename);
                }
            }
        }
    }
}

fn connection(tree: &mut Tree, rename: &Rename<'_>) {
    match &mut tree.data {
        Data::List(items) => items.iter_mut().for_each(|item| connection(item, rename)),
        Data::Map(_) => {
            if let Some(entry) = entry_mut(tree, "collect") {
                reference(&mut entry.value, rename);
            }
            if let Some(entry) = entry_mut(tree, "from") {
                connection(&mut entry.value, rename);
            }
        }
        _ => reference(tree, rename),
    }
}

/// A reference, or a list of them.
pub(super) fn reference(tree: &mut Tree, rename: &Rename<'_>) {
    match &mut tree.data {
        // An axis of the stage itself.
        Data::Text(text) if text.split_once('.').is_some_and(|(root, _)| root == MATRIX) => {}
        Data::Text(text) => {
            if let Some(renamed) = rename(text) {
                *text = renamed;
            }
        }
        Data::List(items) => items.iter_mut().for_each(|item| reference(item, rename)),
        _ => {}
    }
}
