//! `when`: nodes that are there only under a condition.

use serde_json::{Map, Value};

use super::axes::{Cell, Row, values};
use super::params::Params;
use super::tree::{Data, Tree};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::expr::{Piece, Scope};

/// The rows for which the condition holds, and the cells of the others with the reason. `None` where it cannot
/// be computed, which is then reported.
#[allow(clippy::type_complexity, reason = "two lists, taken apart at once")]
pub(super) fn apply(
    when: &Tree,
    rows: Vec<Row>,
    params: &Params,
    problems: &mut Diagnostics,
) -> Option<(Vec<Row>, Vec<(Cell, String)>)> {
    let (mut on, mut off) = (Vec::with_capacity(rows.len()), Vec::new());
    let varies = varies(when);
    let mut fixed = None;
    for row in rows {
        let holds = match fixed {
            Some(holds) => holds,
            None => holds(when, &row.cell, params, problems)?,
        };
        if !varies {
            fixed = Some(holds);
        }
        match holds {
            true => on.push(row),
            false => off.push((row.cell, "`when` is false".to_owned())),
        }
    }
    // A stage that is off as a whole is one line to read.
    if on.is_empty() && !varies {
        off = vec![(Cell::new(), "`when` is false".to_owned())];
    }
    Some((on, off))
}

/// Whether the condition can differ from node to node.
fn varies(when: &Tree) -> bool {
    let mut varies = false;
    when.templates(&mut |template, _| {
        for piece in &template.pieces {
            if let Piece::Expression { expr, .. } = piece {
                expr.references(&mut |root, _| varies |= root != "params");
            }
        }
    });
    varies
}

fn holds(when: &Tree, cell: &Cell, params: &Params, problems: &mut Diagnostics) -> Option<bool> {
    let matrix: Map<String, Value> = values(cell);
    let seed = matrix.get("seed").cloned();
    let matrix = Value::Object(matrix);
    let scope = scope(params, &matrix, seed.as_ref(), cell.is_empty());
    truth("when", "params.n > 0", when, &scope, params, problems)
}

/// What names mean in a condition.
pub(super) fn scope<'s>(
    params: &'s Params,
    matrix: &'s Value,
    seed: Option<&'s Value>,
    single: bool,
) -> Scope<'s> {
    let scope = Scope::new()
        .with("params", &params.value)
        .without("resources", "what a node may use does not decide whether it is there");
    let scope = match single {
        true => scope.without("matrix", "this stage has no matrix, and inherits none"),
        false => scope.with("matrix", matrix),
    };
    match seed {
        Some(seed) => scope.with("seed", seed),
        None => scope.without("seed", "this stage has no `seeds`"),
    }
}

/// The value of a condition that stands under a key. `None` where it cannot be computed, which is then reported.
pub(super) fn truth(
    key: &str,
    example: &str,
    tree: &Tree,
    scope: &Scope<'_>,
    params: &Params,
    problems: &mut Diagnostics,
) -> Option<bool> {
    let value = tree.eval(scope, &|root, name| params.origin(root, name), problems)?;
    match value.data {
        Data::Bool(holds) => Some(holds),
        _ => {
            problems.push(
                Diagnostic::at(value.span, format!("`{key}` must be `true` or `false`"))
                    .label(format!("this is {}", value.describe()))
                    .topic(key)
                    .help(format!("write a comparison, such as `{key}: \"${{{{ {example} }}}}\"`")),
            );
            None
        }
    }
}
