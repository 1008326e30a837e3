//! The value of an expression.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{Binary, Expr, Problem, Term, Unary, functions};
use crate::diagnostics::did_you_mean;

/// What names mean.
#[derive(Clone, Debug, Default)]
pub struct Scope<'a> {
    roots: Vec<(&'a str, &'a Value)>,
    absent: Vec<(&'static str, &'static str)>,
}

impl<'a> Scope<'a> {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a name a value.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &'a Value) -> Self {
        self.roots.push((name, value));
        self
    }

    /// Says why a name has no value here.
    #[must_use]
    pub fn without(mut self, name: &'static str, reason: &'static str) -> Self {
        self.absent.push((name, reason));
        self
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.roots.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// What a name means that stands in an expression.
    pub(super) fn value_of(&self, name: &str, at: &Expr) -> Result<&'a Value> {
        if let Some(value) = self.get(name) {
            return Ok(value);
        }
        let problem = |message: String| Problem::new(at.range.clone(), message);
        if let Some((_, reason)) = self.absent.iter().find(|(absent, _)| *absent == name) {
            return Err(problem(format!("`{name}` has no value here: {reason}")));
        }
        if let Some(Value::Object(params)) = self.get("params")
            && params.contains_key(name)
        {
            return Err(problem(format!("`{name}` is not known here"))
                .hint(Some(format!("parameters are written `params.{name}`"))));
        }
        let known = self.roots.iter().map(|(name, _)| *name);
        Err(problem(format!("`{name}` is not known here")).hint(did_you_mean(name, known, "there are")))
    }
}

type Result<T> = std::result::Result<T, Problem>;

/// The largest value, in bytes as it would be written, more or less.
const LARGEST: usize = 16 << 20;

/// Whether a value takes no more than this room, and what is left of it.
fn fits(value: &Value, room: &mut usize) -> bool {
    let own = match value {
        Value::String(text) => text.len() + 8,
        _ => 8,
    };
    let Some(left) = room.checked_sub(own) else { return false };
    *room = left;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, room)),
        Value::Object(map) => map.values().all(|member| fits(member, room)),
        _ => true,
    }
}

impl Expr {
    /// Computes the value.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place in the expression's text.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value> {
        self.value(scope).map(Cow::into_owned).and_then(|value| self.bounded(value))
    }

    /// A value that is not too large: parameters can be made of parameters, and double at each step.
    fn bounded(&self, value: Value) -> Result<Value> {
        let mut room = LARGEST;
        match fits(&value, &mut room) {
            true => Ok(value),
            false => {
                let message = format!("the value is larger than {} MiB", LARGEST >> 20);
                Err(Problem::new(self.range.clone(), message))
            }
        }
    }

    fn value<'a>(&self, scope: &Scope<'a>) -> Result<Cow<'a, Value>> {
        match &self.term {
            Term::Literal(value) => Ok(Cow::Owned(value.clone())),
            Term::List(items) => {
                let items = items.iter().map(|item| item.eval(scope)).collect::<Result<Vec<_>>>()?;
                Ok(Cow::Owned(Value::Array(items)))
            }
            Term::Name(name) => scope.value_of(name, self).map(Cow::Borrowed),
            Term::Field(of, field) => self.field(of.value(scope)?, of, field),
            Term::Index(of, index) => {
                let (value, index_value) = (of.value(scope)?, index.value(scope)?);
                self.index(value, of, index, &index_value)
            }
            Term::Call(name, arguments) => {
                let values = arguments.iter().map(|a| a.eval(scope)).collect::<Result<Vec<_>>>()?;
                functions::call(name, &values).map(Cow::Owned).map_err(|message| {
                    let known = functions::FUNCTIONS.iter().map(|f| f.0);
                    let hint = (!known.clone().any(|known| known == name))
                        .then(|| did_you_mean(name, known, "there are"))
                        .flatten();
                    Problem::new(self.range.clone(), message).hint(hint)
                })
            }
            Term::Unary(Unary::Minus, of) => {
                let value = of.value(scope)?;
                let message = || format!("`-` takes a number, not {}", describe(&value));
                let Some(number) = Num::of(&value) else {
                    return Err(Problem::new(self.range.clone(), message()));
                };
                self.finish(number.negate()).map(Cow::Owned)
            }
            Term::Unary(Unary::Not, of) => Ok(Cow::Owned(Value::Bool(!of.truth(scope)?))),
            Term::Binary(Binary::And, a, b) => {
                Ok(Cow::Owned(Value::Bool(a.truth(scope)? && b.truth(scope)?)))
            }
            Term::Binary(Binary::Or, a, b) => Ok(Cow::Owned(Value::Bool(a.truth(scope)? || b.truth(scope)?))),
            Term::Binary(operator, a, b) => {
                let (a, b) = (a.value(scope)?, b.value(scope)?);
                self.binary(*operator, &a, &b).map(Cow::Owned)
            }
            Term::Choice(condition, then, otherwise) => {
                if condition.truth(scope)? {
                    then.value(scope)
                } else {
                    otherwise.value(scope)
                }
            }
        }
    }

    fn field<'a>(&self, value: Cow<'a, Value>, of: &Expr, field: &str) -> Result<Cow<'a, Value>> {
        let fail = |value: &Value| {
            let message = match value {
                Value::Object(_) => format!("`{of}` has no `{field}`"),
                other => format!("`{of}` is {}, it has no `{field}`", describe(other)),
            };
            let hint = value
                .as_object()
                .and_then(|map| did_you_mean(field, map.keys().map(String::as_str), "it has"));
            Problem::new(self.range.clone(), message).hint(hint)
        };
        match value {
            Cow::Borrowed(Value::Object(map)) if map.contains_key(field) => Ok(Cow::Borrowed(&map[field])),
            Cow::Owned(Value::Object(mut map)) if map.contains_key(field) => {
                Ok(Cow::Owned(map.remove(field).unwrap_or_default()))
            }
            value => Err(fail(&value)),
        }
    }

    fn index<'a>(
        &self,
        value: Cow<'a, Value>,
        of: &Expr,
        index: &Expr,
        at: &Value,
    ) -> Result<Cow<'a, Value>> {
        if let Value::String(field) = at {
            return self.field(value, of, field);
        }
        let Value::Array(items) = value.as_ref() else {
            let message = format!("`{of}` is {}, it cannot be indexed by a number", describe(&value));
            return Err(Problem::new(self.range.clone(), message));
        };
        let length = items.len();
        let place = at.as_i64().and_then(|at| match at {
            0.. => usize::try_from(at).ok(),
            // From the end: -1 is the last.
            _ => length.checked_sub(usize::try_from(at.unsigned_abs()).ok()?),
        });
        match place.filter(|place| *place < length) {
            Some(place) => Ok(match value {
                Cow::Borrowed(Value::Array(items)) => Cow::Borrowed(&items[place]),
                other => Cow::Owned(other[place].clone()),
            }),
            None => {
                let message = match at {
                    Value::Number(number) => format!("there is no item {number} in a list of {length}"),
                    other => format!("a list is indexed by a whole number, not by {}", describe(other)),
                };
                Err(Problem::new(index.range.clone(), message))
            }
        }
    }

    fn truth(&self, scope: &Scope<'_>) -> Result<bool> {
        match self.value(scope)?.as_ref() {
            Value::Bool(flag) => Ok(*flag),
            other => Err(Problem::new(
                self.range.clone(),
                format!("expected `true` or `false`, found {}", describe(other)),
            )
            .hint(Some("compare it with something, as in `n > 0`".to_owned()))),
        }
    }

    fn binary(&self, operator: Binary, a: &Value, b: &Value) -> Result<Value> {
        let mismatch = || {
            let message = format!(
                "`{}` does not take {} and {}",
                operator.symbol(),
                describe_kind(a),
                describe_kind(b)
            );
            Problem::new(self.range.clone(), message)
        };
        match operator {
            Binary::Equal => return Ok(Value::Bool(equal(a, b))),
            Binary::NotEqual => return Ok(Value::Bool(!equal(a, b))),
            Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual => {
                let order = match (a, b) {
                    (Value::String(a), Value::String(b)) => a.cmp(b),
                    _ => Num::of(a).zip(Num::of(b)).and_then(|(a, b)| a.compare(b)).ok_or_else(mismatch)?,
                };
                return Ok(Value::Bool(match operator {
                    Binary::Less => order == Ordering::Less,
                    Binary::LessEqual => order != Ordering::Greater,
                    Binary::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }));
            }
            Binary::In | Binary::NotIn => {
                let found = match (a, b) {
                    (a, Value::Array(items)) => items.iter().any(|item| equal(a, item)),
                    (Value::String(key), Value::Object(map)) => map.contains_key(key),
                    (Value::String(part), Value::String(text)) => text.contains(part.as_str()),
                    _ => return Err(mismatch()),
                };
                return Ok(Value::Bool(found == (operator == Binary::In)));
            }
            Binary::Add => match (a, b) {
                (Value::String(a), Value::String(b)) => {
                    return self.bounded(Value::String(format!("{a}{b}")));
                }
                (Value::Array(a), Value::Array(b)) => {
                    return self.bounded(Value::Array(a.iter().chain(b).cloned().collect()));
                }
                _ => {}
            },
            _ => {}
        }
        let (a, b) = Num::of(a).zip(Num::of(b)).ok_or_else(mismatch)?;
        self.finish(a.combine(operator, b))
    }

    fn finish(&self, number: std::result::Result<Num, &'static str>) -> Result<Value> {
        number.and_then(Num::into_value).map_err(|message| Problem::new(self.range.clone(), message))
    }
}

/// A number: whole numbers stay exact.
#[derive(Clone, Copy, Debug)]
pub(super) enum Num {
    /// Wide enough that one operation on two 64-bit numbers is noticed when it leaves their range.
    Int(i128),
    Float(f64),
}

impl Num {
    pub(super) fn of(value: &Value) -> Option<Self> {
        let Value::Number(number) = value else { return None };
        match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Some(Self::Int(int.into())),
            (_, Some(int)) => Some(Self::Int(int.into())),
            _ => number.as_f64().map(Self::Float),
        }
    }

    pub(super) fn float(self) -> f64 {
        match self {
            // Rounds to nearest: exact below 2^53.
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.float().partial_cmp(&b.float()),
        }
    }

    fn negate(self) -> std::result::Result<Self, &'static str> {
        Ok(match self {
            Self::Int(int) => Self::Int(-int),
            Self::Float(float) => Self::Float(-float),
        })
    }

    fn combine(self, operator: Binary, other: Self) -> std::result::Result<Self, &'static str> {
        const ZERO: &str = "division by zero";
        const LARGE: &str = "the result is too large";
        if let (Self::Int(a), Self::Int(b)) = (self, other) {
            let exact = match operator {
                Binary::Add => a.checked_add(b),
                Binary::Subtract => a.checked_sub(b),
                Binary::Multiply => a.checked_mul(b),
                Binary::FloorDivide | Binary::Remainder if b == 0 => return Err(ZERO),
                // Towards minus infinity, and the remainder has the divisor's sign: as in Python.
                Binary::FloorDivide => {
                    let (quotient, rest) = (a / b, a % b);
                    Some(quotient - i128::from(rest != 0 && (rest < 0) != (b < 0)))
                }
                Binary::Remainder => {
                    let rest = a % b;
                    Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
                }
                Binary::Power if b >= 0 => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
                _ => return float(operator, a as f64, b as f64).ok_or(ZERO),
            };
            return exact.map(Self::Int).ok_or(LARGE);
        }
        float(operator, self.float(), other.float()).ok_or(ZERO)
    }

    pub(super) fn into_value(self) -> std::result::Result<Value, &'static str> {
        match self {
            Self::Int(int) => i64::try_from(int)
                .map(Number::from)
                .or_else(|_| u64::try_from(int).map(Number::from))
                .map(Value::Number)
                .map_err(|_| "the result is too large"),
            Self::Float(float) => {
                Number::from_f64(float).map(Value::Number).ok_or("the result is not a finite number")
            }
        }
    }
}

fn float(operator: Binary, a: f64, b: f64) -> Option<Num> {
    let divides = matches!(operator, Binary::Divide | Binary::FloorDivide | Binary::Remainder);
    if divides && b == 0.0 {
        return None;
    }
    Some(Num::Float(match operator {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::FloorDivide => (a / b).floor(),
        Binary::Remainder => a - b * (a / b).floor(),
        Binary::Power => libm::pow(a, b),
        _ => f64::NAN,
    }))
}

/// Equality by value: `1 == 1.0`.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => {
            Num::of(a).zip(Num::of(b)).and_then(|(a, b)| a.compare(b)) == Some(Ordering::Equal)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        (a, b) => a == b,
    }
}

/// A value for a message.
pub(crate) fn describe(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Null => "`null`".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::String(text) if text.chars().count() <= LONGEST => format!("the text `{text}`"),
        other => describe_kind(other).to_owned(),
    }
}

/// The sort of a value for a message.
pub(crate) fn describe_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "`null`",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
