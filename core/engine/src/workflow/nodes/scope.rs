//! What names mean in the expressions of a node, and which of them an expression uses.

use std::cell::Cell as Flag;

use serde_json::{Map, Value};

use super::super::expand::Outlook;
use super::super::params::Params;
use super::super::tree::Tree;
use crate::expr::{Expr, Piece, Problem, Scope, Shape};

/// What names mean in the expressions of one node.
pub(super) fn scope<'s>(
    params: &'s Params,
    matrix: &'s Value,
    seed: Option<&'s Value>,
    resources: &'s Value,
) -> Scope<'s> {
    let mut scope = Scope::new().with("params", &params.value);
    scope = match matrix.as_object().is_some_and(Map::is_empty) {
        true => scope.without("matrix", "this stage has no matrix, and inherits none"),
        false => scope.with("matrix", matrix),
    };
    scope = match seed {
        Some(seed) => scope.with("seed", seed),
        None => scope.without("seed", "this stage has no `seeds`"),
    };
    scope
        .with("resources", resources)
        .without("attempt", "results do not depend on it; `resources` and `timeout` may")
}

/// Checks the names in an expression whose value comes later, against the axes that its stage will have.
pub(super) fn later(
    expr: &Expr,
    scope: &Scope<'_>,
    outlook: Option<&Outlook>,
    params: &Params,
) -> Result<(), Problem> {
    let Some(axes) = outlook.filter(|_| params.whole) else { return Ok(()) };
    let (matrix, any) = (Shape::Members(axes.clone()), Shape::Any);
    let (mut scope, mut known) = (scope.clone(), Vec::new());
    if !axes.is_empty() {
        // For suggestions.
        scope = scope.with("matrix", &Value::Null);
        known.push(("matrix", &matrix));
    }
    if axes.iter().any(|(axis, _)| axis == "seed") {
        known.push(("seed", &any));
    }
    expr.check_names(&scope, &known)
}

/// Whether any expression of a tree uses a root for which the test holds.
pub(super) fn uses(tree: &Tree, test: impl Fn(&str) -> bool) -> bool {
    let found = Flag::new(false);
    tree.templates(&mut |template, _| {
        for piece in &template.pieces {
            if let Piece::Expression { expr, .. } = piece {
                expr.references(&mut |root, _| found.set(found.get() || test(root)));
            }
        }
    });
    found.get()
}
