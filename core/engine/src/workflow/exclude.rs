//! `exclude`: cells that a stage does without.

use serde_json::Value;

use super::axes::Row;
use super::file::{AxisBlock, StageDecl};
use super::tree::Data;
use crate::diagnostics::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::expr::Scope;

/// Removes the rows that `exclude` names. Where `more` may come, it need not name any.
pub(super) fn exclude(
    stage: &StageDecl,
    rows: &mut Vec<Row>,
    more: bool,
    scope: &Scope<'_>,
    origin: &dyn Fn(&str, &str) -> Option<Span>,
    problems: &mut Diagnostics,
) {
    for block in &stage.axes {
        let AxisBlock::Matrix { exclude: Some(tree), .. } = block else { continue };
        let Some(tree) = tree.eval(scope, origin, problems) else { continue };
        let Data::List(patterns) = &tree.data else {
            problems.push(
                Diagnostic::at(tree.span, "`exclude` must be a list of mappings from axes to values")
                    .label(format!("this is {}", tree.describe())),
            );
            continue;
        };
        let axes: Vec<String> = rows
            .first()
            .map(|row| row.cell.iter().map(|(axis, _)| axis.to_string()).collect())
            .unwrap_or_default();
        for pattern in patterns {
            if pattern.entries().is_empty() {
                problems.push(
                    Diagnostic::at(
                        pattern.span,
                        "an item of `exclude` must be a mapping from axes to values",
                    )
                    .label(format!("this is {}", pattern.describe())),
                );
                continue;
            }
            let unknown = pattern.entries().iter().find(|entry| !axes.contains(&entry.key));
            if let Some(entry) = unknown {
                let help = did_you_mean(&entry.key, axes.iter().map(String::as_str), "its axes are");
                problems.push(
                    Diagnostic::at(entry.key_span, format!("this stage has no axis `{}`", entry.key))
                        .maybe_help(help),
                );
                continue;
            }
            let wanted: Vec<(&str, Value, String)> = pattern
                .entries()
                .iter()
                .map(|entry| {
                    let value = entry.value.to_value();
                    let id = value.to_string();
                    (entry.key.as_str(), value, id)
                })
                .collect();
            let before = rows.len();
            rows.retain(|row| {
                let is_meant = |(axis, pattern, id): &(&str, Value, String)| {
                    row.cell.iter().any(|(own, value)| **own == **axis && value.is_meant(pattern, id))
                };
                !wanted.iter().all(is_meant)
            });
            if rows.len() == before && !more {
                problems.push(
                    Diagnostic::at(pattern.span, "this excludes nothing").help("no node has these values"),
                );
            }
        }
    }
}
