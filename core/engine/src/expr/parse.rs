//! From text to [`Expr`]: recursive descent, one function a level of precedence.

use std::ops::Range;

use serde_json::Value;

use super::lex::{Token, tokens};
use super::{Binary, Expr, Problem, Term, Unary};

/// Deeper nesting is refused: evaluating and dropping an expression recurse as deep as it is.
const MAX_DEPTH: usize = 100;

/// Parses one expression, without the `${{ }}` around it.
///
/// # Errors
/// The first thing that is wrong, with its place in the text.
pub fn parse(text: &str) -> Result<Expr, Problem> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, nesting: 0 };
    if parser.peek() == &Token::End {
        return Err(Problem::new(0..text.len(), "the expression is empty"));
    }
    let (expr, _) = parser.choice()?;
    match parser.peek() {
        Token::End => Ok(expr),
        token => {
            let message = format!("expected the end of the expression, found {}", describe(token));
            Err(Problem::new(parser.range(), message))
        }
    }
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    nesting: usize,
}

/// An expression and the depth of its tree.
type Deep = (Expr, usize);

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn range(&self) -> Range<usize> {
        self.tokens[self.at].1.clone()
    }

    fn next(&mut self) -> (Token, Range<usize>) {
        let token = self.tokens[self.at].clone();
        // The last token is `End`, which is never passed.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(found) if *found == symbol);
        if found {
            self.next();
        }
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Name(found) if found == word);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<usize, Problem> {
        let range = self.range();
        if self.symbol(symbol) {
            return Ok(range.end);
        }
        Err(Problem::new(range, format!("expected `{symbol}`, found {}", describe(self.peek()))))
    }

    fn choice(&mut self) -> Result<Deep, Problem> {
        self.nesting += 1;
        if self.nesting > MAX_DEPTH {
            return Err(too_deep(self.range()));
        }
        let then = self.or()?;
        let result = if self.word("if") {
            let condition = self.or()?;
            if !self.word("else") {
                let message = format!("expected `else`, found {}", describe(self.peek()));
                return Err(Problem::new(self.range(), message));
            }
            let otherwise = self.choice()?;
            let depth = then.1.max(condition.1).max(otherwise.1);
            let range = then.0.range.start..otherwise.0.range.end;
            build(Term::Choice(Box::new(condition.0), Box::new(then.0), Box::new(otherwise.0)), range, depth)
        } else {
            Ok(then)
        };
        self.nesting -= 1;
        result
    }

    fn or(&mut self) -> Result<Deep, Problem> {
        let mut left = self.and()?;
        while self.word("or") {
            left = binary(Binary::Or, left, self.and()?)?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Deep, Problem> {
        let mut left = self.not()?;
        while self.word("and") {
            left = binary(Binary::And, left, self.not()?)?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Deep, Problem> {
        let start = self.range().start;
        let mut count = 0;
        while self.word("not") {
            count += 1;
        }
        let mut inner = self.comparison()?;
        for _ in 0..count {
            let range = start..inner.0.range.end;
            inner = build(Term::Unary(Unary::Not, Box::new(inner.0)), range, inner.1)?;
        }
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<Deep, Problem> {
        let left = self.sum()?;
        let Some(operator) = self.comparator()? else { return Ok(left) };
        let right = self.sum()?;
        let range = self.range();
        if self.comparator()?.is_some() {
            return Err(Problem::new(range, "comparisons cannot be chained")
                .hint(Some("write `a < b and b < c`".into())));
        }
        binary(operator, left, right)
    }

    fn comparator(&mut self) -> Result<Option<Binary>, Problem> {
        let operator = match self.peek() {
            Token::Symbol("==") => Binary::Equal,
            Token::Symbol("!=") => Binary::NotEqual,
            Token::Symbol("<") => Binary::Less,
            Token::Symbol("<=") => Binary::LessEqual,
            Token::Symbol(">") => Binary::Greater,
            Token::Symbol(">=") => Binary::GreaterEqual,
            Token::Name(word) if word == "in" => Binary::In,
            Token::Name(word) if word == "not" => {
                self.next();
                if !matches!(self.peek(), Token::Name(word) if word == "in") {
                    let message = format!("expected `in` after `not`, found {}", describe(self.peek()));
                    return Err(Problem::new(self.range(), message));
                }
                Binary::NotIn
            }
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(operator))
    }

    fn sum(&mut self) -> Result<Deep, Problem> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Token::Symbol("+") => Binary::Add,
                Token::Symbol("-") => Binary::Subtract,
                _ => return Ok(left),
            };
            self.next();
            left = binary(operator, left, self.product()?)?;
        }
    }

    fn product(&mut self) -> Result<Deep, Problem> {
        let mut left = self.unary()?;
        loop {
            let operator = match self.peek() {
                Token::Symbol("*") => Binary::Multiply,
                Token::Symbol("/") => Binary::Divide,
                Token::Symbol("//") => Binary::FloorDivide,
                Token::Symbol("%") => Binary::Remainder,
                _ => return Ok(left),
            };
            self.next();
            left = binary(operator, left, self.unary()?)?;
        }
    }

    fn unary(&mut self) -> Result<Deep, Problem> {
        let start = self.range().start;
        if self.symbol("-") {
            self.nesting += 1;
            if self.nesting > MAX_DEPTH {
                return Err(too_deep(self.range()));
            }
            let inner = self.unary()?;
            self.nesting -= 1;
            let range = start..inner.0.range.end;
            return build(Term::Unary(Unary::Minus, Box::new(inner.0)), range, inner.1);
        }
        let base = self.postfix()?;
        if self.symbol("**") {
            // Binds tighter than a minus before it, looser than one after it, and to the right: as in Python.
            self.nesting += 1;
            if self.nesting > MAX_DEPTH {
                return Err(too_deep(self.range()));
            }
            let exponent = self.unary()?;
            self.nesting -= 1;
            return binary(Binary::Power, base, exponent);
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Result<Deep, Problem> {
        let (mut expr, mut depth) = self.primary()?;
        loop {
            let start = expr.range.start;
            if self.symbol(".") {
                let (token, range) = self.next();
                let Token::Name(field) = token else {
                    return Err(Problem::new(
                        range,
                        format!("expected a name after `.`, found {}", describe(&token)),
                    ));
                };
                (expr, depth) = build(Term::Field(Box::new(expr), field), start..range.end, depth)?;
            } else if self.symbol("[") {
                let (index, inner) = self.choice()?;
                let end = self.expect("]")?;
                let term = Term::Index(Box::new(expr), Box::new(index));
                (expr, depth) = build(term, start..end, depth.max(inner))?;
            } else {
                return Ok((expr, depth));
            }
        }
    }

    fn primary(&mut self) -> Result<Deep, Problem> {
        let (token, range) = self.next();
        match token {
            Token::Literal(value) => build(Term::Literal(value), range, 0),
            Token::Name(word) if matches!(word.as_str(), "and" | "or" | "not" | "in" | "if" | "else") => {
                Err(Problem::new(range, format!("expected a value, found `{word}`")))
            }
            Token::Name(name) => {
                if self.symbol("(") {
                    let (arguments, depth, end) = self.items(")")?;
                    return build(Term::Call(name, arguments), range.start..end, depth);
                }
                build(Term::Name(name), range, 0)
            }
            Token::Symbol("(") => {
                let (mut expr, depth) = self.choice()?;
                let end = self.expect(")")?;
                expr.range = range.start..end;
                Ok((expr, depth))
            }
            Token::Symbol("[") => {
                let (items, depth, end) = self.items("]")?;
                build(Term::List(items), range.start..end, depth)
            }
            token => Err(Problem::new(range, format!("expected a value, found {}", describe(&token)))),
        }
    }

    /// Items separated by commas up to a closing bracket: the items, their depth, where the bracket ends.
    fn items(&mut self, close: &str) -> Result<(Vec<Expr>, usize, usize), Problem> {
        let (mut items, mut depth) = (Vec::new(), 0);
        loop {
            let range = self.range();
            if self.symbol(close) {
                return Ok((items, depth, range.end));
            }
            let (item, inner) = self.choice()?;
            depth = depth.max(inner);
            items.push(item);
            let range = self.range();
            if self.symbol(close) {
                return Ok((items, depth, range.end));
            }
            if !self.symbol(",") {
                let message = format!("expected `,` or `{close}`, found {}", describe(self.peek()));
                return Err(Problem::new(range, message));
            }
        }
    }
}

fn binary(operator: Binary, left: Deep, right: Deep) -> Result<Deep, Problem> {
    let range = left.0.range.start..right.0.range.end;
    build(Term::Binary(operator, Box::new(left.0), Box::new(right.0)), range, left.1.max(right.1))
}

fn build(term: Term, range: Range<usize>, depth: usize) -> Result<Deep, Problem> {
    if depth >= MAX_DEPTH {
        return Err(too_deep(range));
    }
    Ok((Expr { term, range }, depth + 1))
}

fn too_deep(range: Range<usize>) -> Problem {
    Problem::new(range, format!("the expression is nested deeper than {MAX_DEPTH} levels"))
}

fn describe(token: &Token) -> String {
    match token {
        Token::Literal(Value::String(text)) => format!("the text `{text}`"),
        Token::Literal(value) => format!("`{value}`"),
        Token::Name(name) => format!("`{name}`"),
        Token::Symbol(symbol) => format!("`{symbol}`"),
        Token::End => "the end".to_owned(),
    }
}
