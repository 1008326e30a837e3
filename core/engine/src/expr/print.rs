//! From [`Expr`] back to text, with as few brackets as its meaning needs.

use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::{Binary, Expr, Term, Unary};

/// How tightly a term binds: higher is tighter.
fn strength(term: &Term) -> u8 {
    match term {
        Term::Choice(..) => 0,
        Term::Binary(Binary::Or, ..) => 1,
        Term::Binary(Binary::And, ..) => 2,
        Term::Unary(Unary::Not, _) => 3,
        Term::Binary(operator, ..) => binary(*operator),
        Term::Unary(Unary::Minus, _) => 7,
        _ => 9,
    }
}

fn binary(operator: Binary) -> u8 {
    match operator {
        Binary::Or => 1,
        Binary::And => 2,
        Binary::Add | Binary::Subtract => 5,
        Binary::Multiply | Binary::Divide | Binary::FloorDivide | Binary::Remainder => 6,
        Binary::Power => 8,
        _ => 4,
    }
}

/// A term in a place that takes terms of at least some strength.
struct Within<'e>(&'e Expr, u8);

impl Display for Within<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if strength(&self.0.term) < self.1 { write!(f, "({})", self.0) } else { self.0.fmt(f) }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.term {
            Term::Literal(Value::String(text)) => quoted(f, text),
            Term::Literal(value) => write!(f, "{value}"),
            Term::List(items) => {
                f.write_str("[")?;
                separated(f, items)?;
                f.write_str("]")
            }
            Term::Name(name) => f.write_str(name),
            Term::Field(of, field) => write!(f, "{}.{field}", Within(of, 9)),
            Term::Index(of, index) => write!(f, "{}[{index}]", Within(of, 9)),
            Term::Call(name, arguments) => {
                write!(f, "{name}(")?;
                separated(f, arguments)?;
                f.write_str(")")
            }
            Term::Unary(Unary::Minus, of) => write!(f, "-{}", Within(of, 7)),
            Term::Unary(Unary::Not, of) => write!(f, "not {}", Within(of, 3)),
            Term::Binary(operator, a, b) => {
                let own = binary(*operator);
                let (left, right) = match own {
                    // To the right: `a ** -b` needs no brackets, `(-a) ** b` does.
                    8 => (9, 7),
                    // Comparisons do not chain.
                    4 => (5, 5),
                    own => (own, own + 1),
                };
                write!(f, "{} {} {}", Within(a, left), operator.symbol(), Within(b, right))
            }
            Term::Choice(condition, then, otherwise) => {
                write!(f, "{} if {} else {otherwise}", Within(then, 1), Within(condition, 1))
            }
        }
    }
}

fn separated(f: &mut Formatter<'_>, items: &[Expr]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("'")?;
    for c in text.chars() {
        match c {
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\\' | '\'' => write!(f, "\\{c}")?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("'")
}
