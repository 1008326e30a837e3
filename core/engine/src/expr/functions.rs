//! The functions that expressions may call. All pure; none depends on the machine.

use serde_json::Value;

use super::eval::{Num, describe, describe_kind};
use super::template::in_text;

/// Name, arguments and meaning of every function.
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("min", "min(a, b, …) or min(list)", "the smallest number"),
    ("max", "max(a, b, …) or max(list)", "the largest number"),
    ("abs", "abs(x)", "the absolute value"),
    ("round", "round(x) or round(x, digits)", "the nearest number, halves away from zero"),
    ("floor", "floor(x)", "the whole number below"),
    ("ceil", "ceil(x)", "the whole number above"),
    ("sqrt", "sqrt(x)", "the square root"),
    ("exp", "exp(x)", "e to the power x"),
    ("log", "log(x)", "the natural logarithm"),
    ("log10", "log10(x)", "the decimal logarithm"),
    ("len", "len(x)", "the number of items of a list or mapping, or of characters of a text"),
    ("sum", "sum(list)", "the sum of numbers"),
    ("range", "range(stop), range(start, stop) or range(start, stop, step)", "whole numbers, without stop"),
    ("join", "join(list, separator)", "the items as one text"),
    ("int", "int(x)", "a whole number from a number without fraction, or from a text"),
    ("float", "float(x)", "a floating-point number from a number or a text"),
    ("str", "str(x)", "the text of a number, boolean or text"),
    ("format", "format(x, spec)", "a number as text: spec is like 03, .2f or .3e"),
];

/// A list longer than this is refused: a matrix of it would not be meant.
const LONGEST_RANGE: i128 = 100_000;

type Result<T> = std::result::Result<T, String>;

pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value> {
    let Some((_, usage, _)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        return Err(format!("there is no function `{name}`"));
    };
    let wrong_count = || format!("`{name}` is called as `{usage}`");
    match (name, arguments) {
        ("min" | "max", [Value::Array(items)]) => extreme(name, items),
        ("min" | "max", [_, ..]) => extreme(name, arguments),
        ("abs", [x]) => finish(match number(name, x)? {
            Num::Int(int) => Num::Int(int.abs()),
            Num::Float(float) => Num::Float(float.abs()),
        }),
        ("round", [x]) => whole(name, x, f64::round),
        ("round", [x, digits]) => round(number(name, x)?.float(), digits),
        ("floor", [x]) => whole(name, x, f64::floor),
        ("ceil", [x]) => whole(name, x, f64::ceil),
        ("sqrt", [x]) => real(name, x, f64::sqrt),
        ("exp", [x]) => real(name, x, libm::exp),
        ("log", [x]) => real(name, x, libm::log),
        ("log10", [x]) => real(name, x, libm::log10),
        ("len", [Value::Array(items)]) => Ok(items.len().into()),
        ("len", [Value::Object(map)]) => Ok(map.len().into()),
        ("len", [Value::String(text)]) => Ok(text.chars().count().into()),
        ("len", [other]) => Err(format!("`len` does not take {}", describe_kind(other))),
        ("sum", [Value::Array(items)]) => sum(items),
        ("sum", [other]) => Err(format!("`sum` takes a list, not {}", describe_kind(other))),
        ("range", [stop]) => range(0, int(name, stop)?, 1),
        ("range", [start, stop]) => range(int(name, start)?, int(name, stop)?, 1),
        ("range", [start, stop, step]) => range(int(name, start)?, int(name, stop)?, int(name, step)?),
        ("join", [Value::Array(items), Value::String(separator)]) => {
            let items = items.iter().map(in_text).collect::<Result<Vec<_>>>()?;
            Ok(Value::String(items.join(separator)))
        }
        ("join", [_, _]) => Err("`join` takes a list and a text".to_owned()),
        ("int", [x]) => to_int(x),
        ("float", [Value::String(text)]) => {
            let parsed = text.trim().parse::<f64>().map_err(|_| format!("`{text}` is not a number"))?;
            finish(Num::Float(parsed))
        }
        ("float", [x]) => finish(Num::Float(number(name, x)?.float())),
        ("str", [x]) => in_text(x).map(Value::String),
        ("format", [x, Value::String(spec)]) => format(number(name, x)?, spec).map(Value::String),
        ("format", [_, other]) => Err(format!("`format` takes a text like `.2f`, not {}", describe(other))),
        _ => Err(wrong_count()),
    }
}

fn number(name: &str, value: &Value) -> Result<Num> {
    Num::of(value).ok_or_else(|| format!("`{name}` takes a number, not {}", describe(value)))
}

fn int(name: &str, value: &Value) -> Result<i128> {
    match number(name, value)? {
        Num::Int(int) => Ok(int),
        Num::Float(_) => Err(format!("`{name}` takes whole numbers, not {}", describe(value))),
    }
}

fn finish(number: Num) -> Result<Value> {
    number.into_value().map_err(str::to_owned)
}

fn real(name: &str, value: &Value, function: impl Fn(f64) -> f64) -> Result<Value> {
    let x = number(name, value)?.float();
    finish(Num::Float(function(x))).map_err(|_| format!("`{name}` has no finite value at `{x}`"))
}

fn whole(name: &str, value: &Value, function: impl Fn(f64) -> f64) -> Result<Value> {
    match number(name, value)? {
        Num::Int(int) => finish(Num::Int(int)),
        // Beyond 2^64 the conversion saturates at a value that `into_value` refuses.
        Num::Float(float) => finish(Num::Int(function(float) as i128)),
    }
}

fn round(x: f64, digits: &Value) -> Result<Value> {
    let digits = digits
        .as_u64()
        .and_then(|digits| usize::try_from(digits).ok())
        .filter(|digits| *digits <= 17)
        .ok_or_else(|| format!("`round` takes 0 to 17 digits, not {}", describe(digits)))?;
    // Through decimal text: the nearest number with so many digits, without the error of scaling.
    let text = format!("{x:.digits$}");
    finish(Num::Float(text.parse().map_err(|_| format!("`{x}` cannot be rounded"))?))
}

fn extreme(name: &str, items: &[Value]) -> Result<Value> {
    let mut best: Option<(Num, &Value)> = None;
    for item in items {
        let candidate = number(name, item)?;
        let wanted = if name == "min" { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
        if best.is_none_or(|(best, _)| candidate.compare(best) == Some(wanted)) {
            best = Some((candidate, item));
        }
    }
    best.map(|(_, item)| item.clone()).ok_or_else(|| format!("`{name}` of an empty list"))
}

fn sum(items: &[Value]) -> Result<Value> {
    let mut total = Num::Int(0);
    for item in items {
        total = match (total, number("sum", item)?) {
            (Num::Int(a), Num::Int(b)) => Num::Int(a.checked_add(b).ok_or("the result is too large")?),
            (a, b) => Num::Float(a.float() + b.float()),
        };
    }
    finish(total)
}

fn range(start: i128, stop: i128, step: i128) -> Result<Value> {
    if step == 0 {
        return Err("the step of a `range` cannot be 0".to_owned());
    }
    // The operands come from 64-bit numbers: no overflow in 128 bits.
    let count = ((stop - start + step - step.signum()) / step).max(0);
    if count > LONGEST_RANGE {
        return Err(format!("a `range` of {count} numbers is too long; the limit is {LONGEST_RANGE}"));
    }
    (0..count)
        .map(|index| finish(Num::Int(start + index * step)))
        .collect::<Result<Vec<_>>>()
        .map(Value::Array)
}

fn to_int(value: &Value) -> Result<Value> {
    let fail = || format!("{} is not a whole number", describe(value));
    match value {
        Value::String(text) => finish(Num::Int(text.trim().parse::<i64>().map_err(|_| fail())?.into())),
        _ => match number("int", value)? {
            Num::Float(float) if float.fract() != 0.0 => {
                Err(format!("{}; use `round`, `floor` or `ceil`", fail()))
            }
            Num::Float(float) => finish(Num::Int(float as i128)),
            int => finish(int),
        },
    }
}

/// `[0width][.digits][f|e]`.
fn format(number: Num, spec: &str) -> Result<String> {
    let fail = || format!("`{spec}` is not a number format; it is like `03`, `.2f` or `.3e`");
    let (body, style) = match spec.strip_suffix(['f', 'e']) {
        Some(body) => (body, &spec[body.len()..]),
        None => (spec, ""),
    };
    let (width, digits) = match body.split_once('.') {
        Some((width, digits)) => (width, Some(digits.parse::<usize>().map_err(|_| fail())?)),
        None => (body, None),
    };
    let zeros = width.starts_with('0');
    let width = if width.is_empty() { 0 } else { width.parse::<usize>().map_err(|_| fail())? };
    if width > 100 || digits.is_some_and(|digits| digits > 100) {
        return Err(fail());
    }
    let text = match (number, style, digits) {
        (Num::Int(int), "", None) => int.to_string(),
        (x, "", None) => in_text(&finish(x)?)?,
        (x, "e", digits) => format!("{:.1$e}", x.float(), digits.unwrap_or(6)),
        (x, _, digits) => format!("{:.1$}", x.float(), digits.unwrap_or(6)),
    };
    Ok(match text.strip_prefix('-') {
        Some(magnitude) if zeros => format!("-{magnitude:0>0$}", width.saturating_sub(1)),
        _ if zeros => format!("{text:0>width$}"),
        _ => format!("{text:>width$}"),
    })
}
