//! Expressions: `${{ … }}` in workflow files.
//!
//! A small pure language over JSON values. It cannot read files, clocks or the environment, it always ends,
//! and its results do not depend on the machine. [`parse`] gives an [`Expr`], [`Template`] finds expressions
//! in text, [`eval`](Expr::eval) computes one in a [`Scope`], and `Display` prints it again.

mod eval;
mod functions;
mod lex;
mod parse;
mod print;
mod shape;
mod template;

use std::fmt;
use std::ops::Range;

use serde_json::Value;

pub use eval::Scope;
pub(crate) use eval::{describe, equal};
pub use functions::FUNCTIONS;
pub use parse::parse;
pub use shape::Shape;
pub(crate) use template::in_text;
pub use template::{Piece, Template};

/// A parsed expression, with its place in the text that it was parsed from.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub term: Term,
    /// Bytes of the text.
    pub range: Range<usize>,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum Term {
    /// A number, text, `true`, `false` or `null`.
    Literal(Value),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// A name: `params`, `matrix`, `seed`, `resources`.
    Name(String),
    /// `a.b`.
    Field(Box<Expr>, String),
    /// `a[b]`.
    Index(Box<Expr>, Box<Expr>),
    /// `f(a, b)`.
    Call(String, Vec<Expr>),
    /// `-a` or `not a`.
    Unary(Unary, Box<Expr>),
    /// `a + b` and the like.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `a if c else b`: condition, then, otherwise.
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `-a`.
    Minus,
    /// `not a`.
    Not,
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

impl Binary {
    /// How it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }
}

/// What is wrong with an expression, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { range, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Expr {
    /// Calls `visit` with every reference into a root: `params.a` as `("params", Some("a"))`, the bare name
    /// `seed` as `("seed", None)`.
    pub fn references<'e>(&'e self, visit: &mut dyn FnMut(&'e str, Option<&'e str>)) {
        match &self.term {
            Term::Literal(_) => {}
            Term::Name(root) => visit(root, None),
            Term::Field(of, field) => match &of.term {
                Term::Name(root) => visit(root, Some(field)),
                _ => of.references(visit),
            },
            Term::Index(of, index) => {
                match (&of.term, &index.term) {
                    (Term::Name(root), Term::Literal(Value::String(field))) => {
                        visit(root, Some(field));
                    }
                    _ => of.references(visit),
                }
                index.references(visit);
            }
            Term::List(items) | Term::Call(_, items) => items.iter().for_each(|item| item.references(visit)),
            Term::Unary(_, of) => of.references(visit),
            Term::Binary(_, a, b) => {
                a.references(visit);
                b.references(visit);
            }
            Term::Choice(condition, then, otherwise) => {
                condition.references(visit);
                then.references(visit);
                otherwise.references(visit);
            }
        }
    }
}

impl Expr {
    /// Puts a prefix in front of the name of every field of a root: with `geo`, `params.n` becomes the field
    /// `geo.n` of `params`. Gives the places where the root is used as a whole, which stay as they are.
    pub fn put_under(&mut self, root: &str, prefix: &str) -> Vec<Range<usize>> {
        let mut whole = Vec::new();
        self.prefix(root, prefix, &mut whole);
        whole
    }

    fn prefix(&mut self, root: &str, prefix: &str, whole: &mut Vec<Range<usize>>) {
        let is_root = |of: &Self| matches!(&of.term, Term::Name(name) if name == root);
        match &mut self.term {
            Term::Literal(_) => {}
            Term::Name(name) if name == root => whole.push(self.range.clone()),
            Term::Name(_) => {}
            Term::Field(of, field) if is_root(of) => *field = format!("{prefix}.{field}"),
            Term::Index(of, index) if is_root(of) => match &mut index.term {
                Term::Literal(Value::String(field)) => *field = format!("{prefix}.{field}"),
                _ => {
                    whole.push(of.range.clone());
                    index.prefix(root, prefix, whole);
                }
            },
            Term::Field(of, _) | Term::Unary(_, of) => of.prefix(root, prefix, whole),
            Term::Index(a, b) | Term::Binary(_, a, b) => {
                a.prefix(root, prefix, whole);
                b.prefix(root, prefix, whole);
            }
            Term::List(items) | Term::Call(_, items) => {
                items.iter_mut().for_each(|item| item.prefix(root, prefix, whole));
            }
            Term::Choice(condition, then, otherwise) => {
                for part in [condition, then, otherwise] {
                    part.prefix(root, prefix, whole);
                }
            }
        }
    }
}

/// Equality of meaning: places do not count.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        match (&self.term, &other.term) {
            (Term::Literal(a), Term::Literal(b)) => a == b,
            (Term::List(a), Term::List(b)) => a == b,
            (Term::Name(a), Term::Name(b)) => a == b,
            (Term::Field(a, x), Term::Field(b, y)) => a == b && x == y,
            (Term::Index(a, x), Term::Index(b, y)) => a == b && x == y,
            (Term::Call(a, x), Term::Call(b, y)) => a == b && x == y,
            (Term::Unary(a, x), Term::Unary(b, y)) => a == b && x == y,
            (Term::Binary(a, x, y), Term::Binary(b, u, v)) => a == b && x == u && y == v,
            (Term::Choice(a, b, c), Term::Choice(x, y, z)) => a == x && b == y && c == z,
            _ => false,
        }
    }
}
