//! Expressions: values, messages, and properties of the parser.
#![allow(clippy::unwrap_used, missing_docs)]

use flow_engine::expr::{Binary, Expr, FUNCTIONS, Scope, Template, Term, Unary, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

fn value(text: &str) -> Result<Value, String> {
    let params = json!({ "n": 3, "name": "fno", "list": [1, 2.5, 4], "net": { "width": 32 }, "on": true });
    let matrix = json!({ "model": "ufno" });
    let seed = json!(7);
    let scope = Scope::new()
        .with("params", &params)
        .with("matrix", &matrix)
        .with("seed", &seed)
        .without("resources", "not here");
    parse(text).and_then(|expr| expr.eval(&scope)).map_err(|problem| problem.message)
}

#[test]
fn values_are_computed_as_in_python() {
    for (text, expected) in [
        ("1 + 2 * 3", json!(7)),
        ("(1 + 2) * 3", json!(9)),
        ("7 / 2", json!(3.5)),
        ("6 / 2", json!(3.0)),
        ("-7 // 2", json!(-4)),
        ("-7 % 3", json!(2)),
        ("-2 ** 2", json!(-4)),
        ("2 ** -1", json!(0.5)),
        ("2 ** 3 ** 2", json!(512)),
        ("10 - 3 - 2", json!(5)),
        ("1_000 + 1e3", json!(2000.0)),
        ("params.n < 4 and not params.on == false", json!(true)),
        ("'a' if params.n > 5 else 'b' if params.n > 2 else 'c'", json!("b")),
        ("params.list[-1] + params.list[0]", json!(5)),
        ("params['net'].width", json!(32)),
        ("matrix.model + '-' + str(seed)", json!("ufno-7")),
        ("2.5 in params.list and 9 not in params.list", json!(true)),
        ("1 == 1.0", json!(true)),
        ("[1, 'a', true, null]", json!([1, "a", true, null])),
        ("[1] + [2]", json!([1, 2])),
        ("min(3, 1.5, 2)", json!(1.5)),
        ("max(params.list)", json!(4)),
        ("abs(-3)", json!(3)),
        ("round(2.5)", json!(3)),
        ("round(2.345, 2)", json!(2.35)),
        ("floor(-1.5) + ceil(1.2)", json!(0)),
        ("sqrt(2) ** 2 > 1.99", json!(true)),
        ("log10(1000)", json!(3.0)),
        ("len(params.list) + len('äö')", json!(5)),
        ("sum(range(5))", json!(10)),
        ("range(10, 0, -4)", json!([10, 6, 2])),
        ("range(3, 1)", json!([])),
        ("join(range(3), '-')", json!("0-1-2")),
        ("int('42') + int(2.0)", json!(44)),
        ("float(1)", json!(1.0)),
        ("format(7, '03') + format(3.14159, '.2f') + format(1234.5, '.1e')", json!("0073.141.2e3")),
        ("format(-5, '04')", json!("-005")),
        ("false and 1 / 0 == 1", json!(false)),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("'it\\'s'", json!("it's")),
    ] {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_computed_is_said() {
    for (text, message) in [
        ("1 / 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("9223372036854775807 * 9223372036854775807", "the result is too large"),
        ("10 ** 400", "the result is too large"),
        ("10.0 ** 400", "the result is not a finite number"),
        ("sqrt(-1)", "`sqrt` has no finite value at `-1`"),
        ("'a' + 1", "`+` does not take a text and a number"),
        ("1 < 'a'", "`<` does not take a number and a text"),
        ("not 3", "expected `true` or `false`, found `3`"),
        ("params.nn", "`params` has no `nn`"),
        ("n", "`n` is not known here"),
        ("resources.cpus", "`resources` has no value here: not here"),
        ("params.list[3]", "there is no item 3 in a list of 3"),
        ("params.n.x", "`params.n` is `3`, it has no `x`"),
        ("range(10 ** 9)", "a `range` of 1000000000 numbers is too long; the limit is 100000"),
        ("round(1)(2)", "expected the end of the expression, found `(`"),
        ("min()", "`min` is called as `min(a, b, …) or min(list)`"),
        ("1 +", "expected a value, found the end"),
        ("1 < 2 < 3", "comparisons cannot be chained"),
        ("a = 1", "`=` is not an operator"),
        ("a && b", "`&` is not an operator"),
        ("'open", "this text is not closed"),
        ("1.5km", "`1.5` is followed by a letter"),
        ("", "the expression is empty"),
    ] {
        assert_eq!(value(text), Err(message.to_owned()), "{text}");
    }
}

#[test]
fn depth_is_limited_however_it_comes_about() {
    for text in [
        "(".repeat(500) + "1" + &")".repeat(500),
        "-".repeat(500) + "1",
        "not ".repeat(500) + "true",
        "1".to_owned() + &" + 1".repeat(500),
        "2".to_owned() + &" ** 2".repeat(500),
        "a".to_owned() + &".b".repeat(500),
        "1 if true else ".repeat(500) + "1",
    ] {
        assert!(value(&text).unwrap_err().contains("nested deeper"), "{}…", &text[..20]);
    }
}

#[test]
fn a_whole_expression_keeps_its_type_and_text_is_formatted() {
    let params = json!({ "n": 3, "x": 0.1, "list": [1] });
    let scope = Scope::new().with("params", &params);
    let eval = |text: &str| {
        let template = Template::parse(text).unwrap().unwrap();
        template.eval(&scope).map_err(|(piece, problem)| (piece, problem.message))
    };
    assert_eq!(eval("${{ params.n }}"), Ok(json!(3)));
    assert_eq!(eval("n=${{ params.n }}, x=${{params.x}}"), Ok(json!("n=3, x=0.1")));
    assert_eq!(eval("${{ '}}' }}!"), Ok(json!("}}!")));
    assert_eq!(eval("$${{ not one }} but ${{ params.n }}"), Ok(json!("${{ not one }} but 3")));
    assert_eq!(eval("a ${{ params.list }}"), Err((1, "a list cannot stand inside a text".to_owned())));
    assert_eq!(Template::parse("no $expression {{ here }}").unwrap(), None);
}

#[test]
fn every_function_is_documented_and_answers_to_its_name() {
    for (name, usage, _) in FUNCTIONS {
        assert!(usage.starts_with(&format!("{name}(")), "{name}");
        let error = value(&format!("{name}()")).unwrap_err();
        assert!(error.contains(usage), "{name}: {error}");
    }
}

/// Any expression that can be written.
fn expressions() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(|n| Term::Literal(n.into())),
        (0.0..1e9_f64).prop_map(|x| Term::Literal(x.into())),
        "[a-z\\\\'\"\n é]{0,6}".prop_map(|text| Term::Literal(text.into())),
        Just(Term::Literal(Value::Null)),
        any::<bool>().prop_map(|flag| Term::Literal(flag.into())),
        "x[a-z]{0,3}".prop_map(Term::Name),
    ];
    let bare = |term| Expr { term, range: 0..0 };
    let operators = prop::sample::select(vec![
        Binary::Or,
        Binary::And,
        Binary::Equal,
        Binary::NotEqual,
        Binary::Less,
        Binary::LessEqual,
        Binary::Greater,
        Binary::GreaterEqual,
        Binary::In,
        Binary::NotIn,
        Binary::Add,
        Binary::Subtract,
        Binary::Multiply,
        Binary::Divide,
        Binary::FloorDivide,
        Binary::Remainder,
        Binary::Power,
    ]);
    leaf.prop_map(bare).prop_recursive(6, 40, 4, move |inner| {
        let some = || inner.clone().prop_map(Box::new);
        prop_oneof![
            (operators.clone(), some(), some()).prop_map(|(o, a, b)| Term::Binary(o, a, b)),
            some().prop_map(|a| Term::Unary(Unary::Not, a)),
            some().prop_map(|a| Term::Unary(Unary::Minus, a)),
            (some(), some(), some()).prop_map(|(a, b, c)| Term::Choice(a, b, c)),
            (some(), "x[a-z]{0,3}").prop_map(|(a, field)| Term::Field(a, field)),
            (some(), some()).prop_map(|(a, b)| Term::Index(a, b)),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Term::List),
            ("x[a-z]{0,3}", prop::collection::vec(inner.clone(), 0..3)).prop_map(|(f, a)| Term::Call(f, a)),
        ]
        .prop_map(bare)
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(expr in expressions()) {
        let text = expr.to_string();
        let parsed = parse(&text);
        prop_assert_eq!(parsed.as_ref().ok(), Some(&expr), "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_or_evaluation_panic(text in "[ -~é\n]{0,60}") {
        let _ = value(&text);
        let _ = Template::parse(&text);
        let _ = Template::parse(&format!("${{{{{text}}}}}"));
    }

    #[test]
    fn no_sound_expression_makes_evaluation_panic(expr in expressions()) {
        let _ = expr.eval(&Scope::new());
    }

    #[test]
    fn arithmetic_never_wraps(a in any::<i64>(), b in any::<i64>(), op in prop::sample::select(vec!["+", "-", "*", "//", "%", "**"])) {
        // The parser reads magnitudes; a sign is an operator.
        if let Ok(Value::Number(result)) = value(&format!("({a}) {op} ({b})"))
            && let Some(result) = result.as_i64()
        {
            let exact = match op {
                "+" => i128::from(a) + i128::from(b),
                "-" => i128::from(a) - i128::from(b),
                "*" => i128::from(a) * i128::from(b),
                "//" => i128::from(a).div_euclid(i128::from(b)) - i128::from(b < 0 && i128::from(a).rem_euclid(i128::from(b)) != 0),
                "%" => i128::from(a) - i128::from(b) * (i128::from(a).div_euclid(i128::from(b)) - i128::from(b < 0 && i128::from(a).rem_euclid(i128::from(b)) != 0)),
                _ => return Ok(()),
            };
            prop_assert_eq!(i128::from(result), exact);
        }
    }
}
