//! What may be published where.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::nodes::{Built, Place};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};

/// Checks all published paths against each other, the root and the external inputs.
pub(super) fn check(built: &Built, place: &Place, problems: &mut Diagnostics) {
    let mut seen: HashMap<PathBuf, Span> = HashMap::new();
    for (path, span) in &built.published {
        let Some(inside) = normal(path) else {
            problems.push(
                Diagnostic::at(*span, format!("`{}` is outside the root folder", path.display()))
                    .topic("outside")
                    .help("paths under `publish` are relative to the root, without `..`"),
            );
            continue;
        };
        if inside.starts_with(".flow") {
            problems.push(
                Diagnostic::at(*span, format!("`{}` lies in the store", path.display()))
                    .topic("store")
                    .help("publish to another folder, such as `results/`"),
            );
            continue;
        }
        let target = place.root.join(&inside);
        if let Some((_, reader)) = built.externals.iter().find(|(external, _)| external.starts_with(&target))
        {
            problems.push(
                Diagnostic::at(*reader, format!("`{}` is published by this workflow", inside.display()))
                    .topic("published")
                    .also(*span, "here")
                    .help("connect the output itself: `stage.port`"),
            );
        }
        if let Some(first) = seen.insert(inside.clone(), *span) {
            let mut problem = Diagnostic::at(*span, format!("two nodes publish to `{}`", inside.display()))
                .topic("twice")
                .help("put what tells them apart into the path, such as `${{ matrix.model }}`");
            if first != *span {
                problem = problem.also(first, "the other one");
            }
            problems.push(problem);
        }
    }
    let mut nested: Vec<_> = seen
        .iter()
        .filter_map(|(path, span)| {
            let (outer, around) = path.ancestors().skip(1).find_map(|folder| seen.get_key_value(folder))?;
            Some((*span, path, outer, *around))
        })
        .collect();
    nested.sort_unstable();
    for (span, inner, outer, around) in nested {
        let (inner, outer) = (inner.display(), outer.display());
        problems.push(
            Diagnostic::at(span, format!("`{inner}` lies in `{outer}`, which is an output itself"))
                .topic("nested")
                .also(around, "here")
                .help("publish to a path beside it"),
        );
    }
}

/// A relative path without `.`; `None` if it leaves the folder it starts in.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => normal.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (normal.components().next().is_some()).then_some(normal)
}
