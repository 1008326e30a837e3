//! Expressions and templates.

use flow_engine::expr::{Expr, FUNCTIONS, Piece, Problem, Scope, Shape, Template, parse};
use serde_json::{Value, json};

use super::Target;
use crate::random::Random;
use crate::text;

const WORDS: &[&str] = &[
    "params",
    "matrix",
    "seed",
    "resources",
    "params.n",
    "params.text",
    "params.list",
    "params.map",
    "matrix.model",
    "seed + 1",
    "resources.cpus",
    "true",
    "false",
    "null",
    " and ",
    " or ",
    "not ",
    " in ",
    " not in ",
    " if ",
    " else ",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    "\"",
    "'",
    "\\n",
    "\"é\"",
    "0.5",
    "1e9",
    "-1",
    "${{ ",
    " }}",
    "$${{",
    "[0]",
    "[-1]",
    "[\"n\"]",
    ".x",
    "=",
    "&",
    "|",
];

const WRAPS: &[(&str, &str)] = &[
    ("(", ")"),
    ("[", "]"),
    ("-", ""),
    ("not ", ""),
    ("(", ") + 1"),
    ("", " if seed > 1 else 0"),
    ("", " * 2"),
    ("2 ** ", ""),
    ("params.list[", "]"),
    ("params.", ""),
    ("", "[0]"),
    ("", ".x"),
    ("", " in params.list"),
    ("", " // 3"),
    ("", " == null"),
    ("\"a\" + ", ""),
    ("", " and true"),
    ("false or ", ""),
    ("", " % 7"),
];

/// The longest value that a short expression may come to, written out.
const LONGEST: usize = 64 << 20;

pub(super) struct Expression {
    params: Value,
    matrix: Value,
    seed: Value,
    resources: Value,
    /// What is known of `matrix` before its values are there.
    shape: Shape,
    wraps: Vec<(String, String)>,
}

impl Expression {
    pub(super) fn new() -> Self {
        let wraps = WRAPS.iter().map(|(before, after)| ((*before).to_owned(), (*after).to_owned()));
        let calls = FUNCTIONS.iter().flat_map(|(name, ..)| {
            [("", ")"), ("", ", 2)"), ("1, ", ")"), ("", ", \"03\")"), ("0, ", ", 2)"), ("[", "])")]
                .map(|(before, after)| (format!("{name}({before}"), after.to_owned()))
        });
        Self {
            params: json!({
                "n": 5, "x": 0.25, "text": "a b", "flag": true, "none": null, "list": [1, 2.5, -3], "big": u64::MAX,
                "words": ["a", "b"], "map": { "n": 1, "of": { "x": "é" } }, "tiny": 5e-324, "least": i64::MIN,
            }),
            matrix: json!({ "model": "fno", "width": 16 }),
            seed: json!(3),
            resources: json!({ "cpus": 2, "memory": 1_u64 << 32 }),
            shape: Shape::Members(vec![
                ("model".to_owned(), Shape::Any),
                ("part".to_owned(), Shape::with(&["name", "stem"])),
            ]),
            wraps: wraps.chain(calls).collect(),
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope::new()
            .with("params", &self.params)
            .with("matrix", &self.matrix)
            .with("seed", &self.seed)
            .with("resources", &self.resources)
            .without("inputs", "only programs have paths")
    }

    /// Names are looked at before values are there.
    fn names(&self, expr: &Expr, text: &str, printed: &str) {
        let scope = self.scope();
        if let Err(problem) = expr.check_names(&scope, &[("matrix", &self.shape)]) {
            points_into(&problem, text);
        }
        if let Err(problem) = expr.check_names(&scope, &[]) {
            points_into(&problem, text);
            // What is not computed may have names that mean nothing, and they are said.
            let skips = [" if ", " and ", " or "].iter().any(|word| printed.contains(word));
            assert!(skips || expr.eval(&scope).is_err(), "`{text}` has a value, but: {problem}");
        }
    }
}

/// In an included file the parameters have other names.
fn moved(expr: &Expr, text: &str) {
    let mut moved = expr.clone();
    for whole in moved.put_under("params", "geo") {
        assert!(text.get(whole).is_some());
    }
    moved.references(&mut |root, field| {
        assert!(root != "params" || field.is_none_or(|field| field.starts_with("geo.")), "`{text}`");
    });
}

impl Target for Expression {
    fn name(&self) -> &'static str {
        "expression"
    }

    fn mutate(&self, random: &mut Random, text: &mut String, other: &str) {
        if random.one_in(2) {
            let wraps: Vec<(&str, &str)> = self.wraps.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            text::groups(random, text, other, &wraps);
        } else {
            text::words(random, text, other, WORDS);
        }
    }

    fn check(&mut self, text: &str) {
        let scope = self.scope();
        match parse(text) {
            Ok(expr) => {
                let printed = expr.to_string();
                let again =
                    parse(&printed).unwrap_or_else(|problem| panic!("`{printed}` does not parse: {problem}"));
                assert_eq!(expr, again, "what `{text}` is printed as means something else: `{printed}`");
                let mut names = 0;
                expr.references(&mut |_, _| names += 1);
                assert!(names <= text.len());
                match (expr.eval(&scope), again.eval(&scope)) {
                    (Ok(value), Ok(second)) => {
                        assert_eq!(value, second);
                        assert!(value.to_string().len() < LONGEST, "a value without measure");
                    }
                    (Err(problem), Err(_)) => points_into(&problem, text),
                    (one, other) => panic!("{one:?} and {other:?} from the same expression"),
                }
                self.names(&expr, text, &printed);
                moved(&expr, text);
            }
            Err(problem) => points_into(&problem, text),
        }
        match Template::parse(text) {
            Ok(None) => assert!(!text.contains("${{")),
            Ok(Some(template)) => {
                for piece in &template.pieces {
                    if let Piece::Expression { written, range, .. } = piece {
                        assert_eq!(&text[range.clone()], written);
                    }
                }
                if let Err((piece, problem)) = template.eval(&scope) {
                    match template.pieces.get(piece) {
                        Some(Piece::Expression { written, .. }) => points_into(&problem, written),
                        other => panic!("{problem} in {other:?}"),
                    }
                }
            }
            Err(problem) => points_into(&problem, text),
        }
    }
}

/// A message shows the text that it is about.
fn points_into(problem: &Problem, text: &str) {
    assert!(
        text.get(problem.range.clone()).is_some(),
        "{:?} is no part of `{text}`: {problem}",
        problem.range
    );
    assert!(!problem.message.is_empty());
}
