//! Checking the names in an expression before the values are there.

use serde_json::Value;

use super::{Binary, Expr, Problem, Scope, Term, functions};
use crate::diagnostics::did_you_mean;

/// What is known of a value before it is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// The names of its members.
    Members(Vec<(String, Shape)>),
    /// Nothing.
    Any,
}

impl Shape {
    /// A value with these members, of which nothing more is known.
    #[must_use]
    pub fn with(members: &[&str]) -> Self {
        Self::Members(members.iter().map(|name| ((*name).to_owned(), Self::Any)).collect())
    }
}

/// What is known of a part of an expression.
enum Part<'a> {
    Value(&'a Value),
    Shape(&'a Shape),
}

type Result<'a> = std::result::Result<Part<'a>, Problem>;

const ANY: Part<'static> = Part::Shape(&Shape::Any);

impl Expr {
    /// Looks at the names of an expression some values of which are not there yet: members that a value does not
    /// have, functions that there are not. `known` gives the shapes of those values.
    ///
    /// # Errors
    /// The first name that means nothing.
    pub fn check_names(
        &self,
        scope: &Scope<'_>,
        known: &[(&str, &Shape)],
    ) -> std::result::Result<(), Problem> {
        let names = Names { scope, known, asks: self.asks_for_members() };
        names.part(self, false).map(drop)
    }

    /// Whether it asks anywhere if something is in something: then what is not there may be guarded by that.
    fn asks_for_members(&self) -> bool {
        let asks = Self::asks_for_members;
        match &self.term {
            Term::Literal(_) | Term::Name(_) => false,
            Term::Binary(Binary::In | Binary::NotIn, ..) => true,
            Term::Field(of, _) | Term::Unary(_, of) => asks(of),
            Term::Index(a, b) | Term::Binary(_, a, b) => asks(a) || asks(b),
            Term::List(items) | Term::Call(_, items) => items.iter().any(asks),
            Term::Choice(a, b, c) => asks(a) || asks(b) || asks(c),
        }
    }
}

struct Names<'a> {
    scope: &'a Scope<'a>,
    known: &'a [(&'a str, &'a Shape)],
    asks: bool,
}

impl<'a> Names<'a> {
    /// Looks at a part; `perhaps` says that it may not be computed at all.
    fn part(&self, expr: &Expr, perhaps: bool) -> Result<'a> {
        let inner = |expr: &Expr| self.part(expr, perhaps).map(drop);
        match &expr.term {
            Term::Literal(_) => Ok(ANY),
            Term::Name(name) => match self.known.iter().find(|(known, _)| known == name) {
                Some((_, shape)) => Ok(Part::Shape(shape)),
                None => self.scope.value_of(name, expr).map(Part::Value),
            },
            Term::Field(of, field) => self.member(self.part(of, perhaps)?, expr, of, field, perhaps),
            Term::Index(of, index) => {
                let value = self.part(of, perhaps)?;
                match &index.term {
                    Term::Literal(Value::String(field)) => self.member(value, expr, of, field, perhaps),
                    _ => inner(index).map(|()| ANY),
                }
            }
            Term::List(items) => items.iter().try_for_each(inner).map(|()| ANY),
            Term::Call(name, arguments) => {
                let known = functions::FUNCTIONS.iter().map(|function| function.0);
                if !known.clone().any(|known| known == name) {
                    let hint = did_you_mean(name, known, "there are");
                    let message = format!("there is no function `{name}`");
                    return Err(Problem::new(expr.range.clone(), message).hint(hint));
                }
                arguments.iter().try_for_each(inner).map(|()| ANY)
            }
            Term::Unary(_, of) => inner(of).map(|()| ANY),
            Term::Binary(operator, a, b) => {
                inner(a)?;
                let second = perhaps || matches!(operator, Binary::And | Binary::Or);
                self.part(b, second).map(|_| ANY)
            }
            Term::Choice(condition, then, otherwise) => {
                inner(condition)?;
                self.part(then, true)?;
                self.part(otherwise, true).map(|_| ANY)
            }
        }
    }

    fn member(&self, value: Part<'a>, expr: &Expr, of: &Expr, field: &str, perhaps: bool) -> Result<'a> {
        let (found, names): (Option<Part<'a>>, Vec<&str>) = match value {
            Part::Value(Value::Object(map)) => {
                (map.get(field).map(Part::Value), map.keys().map(String::as_str).collect())
            }
            Part::Shape(Shape::Members(members)) => {
                let found = members.iter().find(|(name, _)| name == field);
                (
                    found.map(|(_, shape)| Part::Shape(shape)),
                    members.iter().map(|(name, _)| name.as_str()).collect(),
                )
            }
            // What is no mapping is found out when it is computed.
            Part::Value(_) | Part::Shape(Shape::Any) => return Ok(ANY),
        };
        match found {
            Some(found) => Ok(found),
            None if perhaps && self.asks => Ok(ANY),
            None => {
                let hint = did_you_mean(field, names, "it has");
                Err(Problem::new(expr.range.clone(), format!("`{of}` has no `{field}`")).hint(hint))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::expr::parse;

    fn problem(text: &str) -> Option<String> {
        let matrix = Shape::Members(vec![
            ("part".to_owned(), Shape::with(&["name", "stem"])),
            ("case".to_owned(), Shape::Any),
        ]);
        let params = json!({ "rate": 1, "grid": { "cells": 8 } });
        let scope = Scope::new().with("params", &params).with("matrix", &Value::Null);
        let scope = scope.without("seed", "this stage has no `seeds`");
        let checked = parse(text).unwrap().check_names(&scope, &[("matrix", &matrix)]);
        checked.err().map(|problem| match problem.hint {
            Some(hint) => format!("{}; {hint}", problem.message),
            None => problem.message,
        })
    }

    #[test]
    fn names_that_mean_nothing_are_found() {
        for (text, expected) in [
            ("matrix.prat", "`matrix` has no `prat`; did you mean `part`?"),
            ("matrix['prat']", "`matrix` has no `prat`; did you mean `part`?"),
            ("matrix.part.nmae + '.txt'", "`matrix.part` has no `nmae`; did you mean `name`?"),
            ("max(matrix.case.rate, params.raet)", "`params` has no `raet`; did you mean `rate`?"),
            ("[1, matrx.part][0]", "`matrx` is not known here; did you mean `matrix`?"),
            ("maxx(matrix.case)", "there is no function `maxx`; did you mean `max`?"),
            ("matrix.case + seed", "`seed` has no value here: this stage has no `seeds`"),
            ("matrix.x if matrix.case > 1 else 0", "`matrix` has no `x`; it has: `part`, `case`"),
        ] {
            assert_eq!(problem(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_may_mean_something_is_let_through() {
        for text in [
            "matrix.case.anything['at all'][3]",
            "matrix[params.rate]",
            "params.grid.cells // matrix.case",
            "matrix.part.stem",
            "params.more if 'more' in params and matrix.case else 0",
            "'x' in matrix and matrix.x > 0",
        ] {
            assert_eq!(problem(text), None, "{text}");
        }
    }
}
