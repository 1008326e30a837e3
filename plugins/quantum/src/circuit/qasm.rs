//! OpenQASM 3: written in full, read for a subset of gates.

use std::fmt::Write as _;

use super::{Angle, Circuit, Gate, Operation};
use crate::graph::Graph;
use crate::htaac::walsh;

/// The circuit as OpenQASM 3. Free angles become inputs `theta_0`, `theta_1`, ...
#[must_use]
pub fn write(circuit: &Circuit) -> String {
    let mut text = String::from("OPENQASM 3.0;\ninclude \"stdgates.inc\";\n");
    for angle in 0..circuit.angles {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "input float[64] theta_{angle};");
    }
    let _ = writeln!(text, "qubit[{}] q;", circuit.qubits);
    for operation in &circuit.operations {
        let (prefix, name) = match (operation.controls.len(), operation.gate) {
            (0, gate) => (String::new(), gate.name()),
            (1, Gate::X) => (String::new(), "cx"),
            (1, Gate::Z) => (String::new(), "cz"),
            (count, gate) => (format!("ctrl({count}) @ "), gate.name()),
        };
        let angle = |angle: Angle| match angle {
            // Shortest digits that read back as the same number; always with a point or an exponent.
            Angle::Fixed(value) => format!("{value:?}"),
            Angle::Free(at) => format!("theta_{at}"),
        };
        let angles: Vec<String> = operation.gate.angles().into_iter().map(angle).collect();
        let angles = if angles.is_empty() { String::new() } else { format!("({})", angles.join(", ")) };
        let qubits: Vec<String> =
            operation.controls.iter().chain(&operation.qubits).map(|q| format!("q[{q}]")).collect();
        let _ = writeln!(text, "{prefix}{name}{angles} {};", qubits.join(", "));
    }
    text
}

/// The Hadamard test of `exp(iαW)` on a prepared register: the ancilla is the last qubit. W is taken as its sum of
/// Pauli strings, each controlled rotation in turn, `steps` times (first-order Trotter formula).
///
/// `⟨Z⟩` of the ancilla is `Im⟨ψ|U|ψ⟩`, with U the product of the rotations.
#[must_use]
pub fn hadamard_test(graph: &Graph, prepare: &Circuit, alpha: f64, steps: usize) -> Circuit {
    let n = prepare.qubits;
    let ancilla = n;
    let mut circuit = Circuit { qubits: n + 1, ..prepare.clone() }.with(Gate::H, &[ancilla]);
    let strings = strings(graph, n);
    for _ in 0..steps {
        for &(flip, phase, coefficient) in &strings {
            rotation(&mut circuit, n, (flip, phase), alpha * coefficient / steps as f64, ancilla);
        }
    }
    circuit.with(Gate::Sdg, &[ancilla]).with(Gate::H, &[ancilla])
}

/// W as a sum of Pauli strings: bits with X or Y, bits with Y or Z, coefficient.
fn strings(graph: &Graph, qubits: usize) -> Vec<(usize, usize, f64)> {
    let mut by_flip = std::collections::BTreeMap::<usize, Vec<f64>>::new();
    for edge in graph.edges() {
        let (a, b) = (edge.from as usize, edge.to as usize);
        let part = by_flip.entry(a ^ b).or_insert_with(|| vec![0.0; 1 << qubits]);
        part[a] += edge.weight;
        part[b] += edge.weight;
    }
    let scale = 1.0 / (1_usize << qubits) as f64;
    let mut strings = Vec::new();
    for (flip, mut part) in by_flip {
        walsh::transform(&mut part);
        for (phase, value) in part.into_iter().enumerate().filter(|(_, v)| v.abs() > 1e-12) {
            // Bits in both are Y = i X Z: an even number of them, since W is real and symmetric.
            let turns = (flip & phase).count_ones() / 2;
            strings.push((flip, phase, if turns % 2 == 0 { value * scale } else { -value * scale }));
        }
    }
    strings
}

/// A controlled `exp(i angle P)` for a Pauli string.
fn rotation(circuit: &mut Circuit, n: usize, (flip, phase): (usize, usize), angle: f64, ancilla: usize) {
    let bits = flip | phase;
    let qubits: Vec<usize> = (0..n).filter(|q| (bits >> (n - 1 - q)) & 1 == 1).collect();
    let has = |set: usize, qubit: usize| (set >> (n - 1 - qubit)) & 1 == 1;
    let mut push = |gate, qubits: &[usize], controls: &[usize]| {
        circuit.operations.push(Operation { gate, qubits: qubits.to_vec(), controls: controls.to_vec() });
    };
    let half = Angle::Fixed(std::f64::consts::FRAC_PI_2);
    let back = Angle::Fixed(-std::f64::consts::FRAC_PI_2);
    // Into the basis of Z: X by H, Y by a quarter turn about X.
    for &qubit in &qubits {
        match (has(flip, qubit), has(phase, qubit)) {
            (true, false) => push(Gate::H, &[qubit], &[]),
            (true, true) => push(Gate::Rx(half), &[qubit], &[]),
            _ => {}
        }
    }
    for pair in qubits.windows(2) {
        push(Gate::X, &[pair[1]], &[pair[0]]);
    }
    if let Some(&last) = qubits.last() {
        push(Gate::Rz(Angle::Fixed(-2.0 * angle)), &[last], &[ancilla]);
    }
    for pair in qubits.windows(2).rev() {
        push(Gate::X, &[pair[1]], &[pair[0]]);
    }
    for &qubit in &qubits {
        match (has(flip, qubit), has(phase, qubit)) {
            (true, false) => push(Gate::H, &[qubit], &[]),
            (true, true) => push(Gate::Rx(back), &[qubit], &[]),
            _ => {}
        }
    }
}

/// A text that is not a circuit that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct QasmError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Reads OpenQASM 3: `qubit` declarations, `input float` angles, the gates of [`Gate`] with `ctrl @` and the names
/// `cx`, `cy`, `cz`, `ch`, `crx`, `cry`, `crz`, `cp`, `cswap`, `ccx`, `U`, and angles made of numbers, `pi` and
/// `+ - * / ( )`. Barriers and measurements are left out. The line that names the version may be missing, as in the language.
///
/// # Errors
/// Anything else, with its line and column.
pub fn read(text: &str) -> Result<Circuit, QasmError> {
    let text = without_comments(text);
    let mut reader =
        Reader { text: &text, registers: Vec::new(), inputs: Vec::new(), operations: Vec::new() };
    if let Some(at) = text.find(['{', '}']) {
        return reader.fail(&text[at..], "blocks are not read; expand gates and loops first");
    }
    let mut statements = text.split(';');
    // There is one part at least: what follows the last semicolon.
    let rest = statements.next_back().unwrap_or_default().trim();
    for statement in statements {
        reader.statement(statement.trim())?;
    }
    if !rest.is_empty() {
        return reader.fail(rest, format!("`{}` does not end in a semicolon", shown(rest)));
    }
    let qubits = reader.registers.iter().map(|(_, _, size)| size).sum();
    if qubits == 0 {
        return reader.fail(&text[text.len()..], "no qubits are declared; expected `qubit[N] NAME;`");
    }
    let circuit =
        Circuit { qubits, angles: reader.inputs.len(), operations: std::mem::take(&mut reader.operations) };
    match circuit.check() {
        Ok(()) => Ok(circuit),
        Err(error) => reader.fail(&text[text.len()..], error.to_string()),
    }
}

/// The text with spaces for comments, so that everything else stays where it is.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('/') {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let length = if from.starts_with("//") {
            from.find('\n').unwrap_or(from.len())
        } else if from.starts_with("/*") {
            from.find("*/").map_or(from.len(), |end| end + 2)
        } else {
            out.push('/');
            rest = &from[1..];
            continue;
        };
        out.extend(from[..length].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = &from[length..];
    }
    out.push_str(rest);
    out
}

/// A part of the text on one line, and not all of a long one.
fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line,
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Names, first qubits, sizes.
    registers: Vec<(String, usize, usize)>,
    inputs: Vec<String>,
    operations: Vec<Operation>,
}

/// More would not fit into any memory.
const MOST_QUBITS: usize = 60;

impl Reader<'_> {
    /// The error of this part of the text.
    fn fail<T>(&self, at: &str, message: impl Into<String>) -> Result<T, QasmError> {
        let offset = (at.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let before = self.text.get(..offset).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Err(QasmError {
            line: 1 + before.matches('\n').count(),
            column: 1 + before[start..].chars().count(),
            message: message.into(),
        })
    }

    fn statement(&mut self, text: &str) -> Result<(), QasmError> {
        let (word, rest) =
            text.split_at(text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len()));
        let rest = rest.trim();
        match word {
            "" if rest.is_empty() => Ok(()),
            "OPENQASM" if rest.starts_with('3') => Ok(()),
            "OPENQASM" => self.fail(rest, format!("version {} is not read; expected 3.0", shown(rest))),
            "include" | "barrier" | "bit" | "measure" => Ok(()),
            _ if text.contains("measure") => Ok(()),
            "qubit" => self.register(rest),
            "input" => {
                let Some(name) = rest
                    .split_whitespace()
                    .last()
                    .filter(|_| rest.starts_with("float") || rest.starts_with("angle"))
                else {
                    return self.fail(text, "expected `input float[64] NAME`");
                };
                self.inputs.push(name.to_owned());
                Ok(())
            }
            _ => self.gate(text),
        }
    }

    fn register(&mut self, rest: &str) -> Result<(), QasmError> {
        let (size, name) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((size, name)) => (size.trim().parse().unwrap_or(0), name.trim()),
            None => (1, rest),
        };
        let start: usize = self.registers.iter().map(|(_, _, size)| size).sum();
        if size == 0 || name.is_empty() || start + size > MOST_QUBITS {
            return self.fail(rest, format!("expected `qubit[N] NAME` with N from 1 to {MOST_QUBITS}"));
        }
        self.registers.push((name.to_owned(), start, size));
        Ok(())
    }

    fn gate(&mut self, text: &str) -> Result<(), QasmError> {
        let (mut controls, mut text) = (0, text);
        while let Some(rest) = text.strip_prefix("ctrl") {
            let Some((count, gate)) = rest.split_once('@') else {
                return self.fail(text, "expected `ctrl @ GATE`");
            };
            let inner = match count.trim() {
                "" => Some("1"),
                count => count.strip_prefix('(').and_then(|c| c.strip_suffix(')')),
            };
            match inner.and_then(|count| count.trim().parse::<usize>().ok()) {
                Some(count) if count > 0 && count < MOST_QUBITS => controls += count,
                _ => {
                    return self.fail(
                        count,
                        format!(
                            "expected `ctrl @ GATE` or `ctrl(N) @ GATE` with N from 1 to {}",
                            MOST_QUBITS - 1
                        ),
                    );
                }
            }
            text = gate.trim();
        }
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let (angles, qubits) = match rest.trim().strip_prefix('(') {
            Some(rest) => {
                let Some(close) = closing(rest) else {
                    return self.fail(rest, "a parenthesis is not closed");
                };
                let list = split(&rest[..close]);
                let angles = list.into_iter().map(|word| self.angle(word));
                (angles.collect::<Result<Vec<_>, _>>()?, rest[close + 1..].trim())
            }
            None => (Vec::new(), rest.trim()),
        };
        let Some((gate, more)) = named(name, &angles) else {
            let given = angles.len();
            let takes = (0..=3).find(|&count| named(name, &[Angle::Fixed(0.0); 3][..count]).is_some());
            let message = match takes {
                Some(1) => format!("the gate `{name}` takes 1 angle; {given} are given"),
                Some(takes) => format!("the gate `{name}` takes {takes} angles; {given} are given"),
                None => format!(
                    "the gate `{name}` is not known; known are h x y z s sdg t tdg rx ry rz p u3 swap, with `ctrl @`, \
                     and cx cy cz ch crx cry crz cp cswap ccx"
                ),
            };
            return self.fail(text, message);
        };
        controls += more;
        if controls > 0 && matches!(gate, Gate::U3(..)) {
            let message =
                "a controlled `u3` depends on a phase that programs choose differently; write `p`, `ry`, `p`";
            return self.fail(text, message);
        }
        let words: Vec<&str> = qubits.split(',').map(str::trim).collect();
        let qubits = words.iter().map(|word| self.qubit(word)).collect::<Result<Vec<_>, _>>()?;
        if qubits.len() != controls + gate.qubits() {
            let takes = controls + gate.qubits();
            return self
                .fail(text, format!("`{}` names {} qubits; expected {takes}", shown(text), qubits.len()));
        }
        if let Some(at) = (1..qubits.len()).find(|&at| qubits[..at].contains(&qubits[at])) {
            return self.fail(words[at], format!("`{}` is named twice; qubits of a gate differ", words[at]));
        }
        let (controls, qubits) = qubits.split_at(controls);
        self.operations.push(Operation { gate, qubits: qubits.to_vec(), controls: controls.to_vec() });
        Ok(())
    }

    fn qubit(&self, word: &str) -> Result<usize, QasmError> {
        let (name, index) = match word.split_once('[') {
            Some((name, index)) => (name.trim(), index.trim_end_matches(']').trim().parse::<usize>().ok()),
            None => (word, Some(0)),
        };
        let known = self
            .registers
            .iter()
            .find(|(register, _, size)| register == name && (word.contains('[') || *size == 1));
        match (known, index) {
            (Some((_, start, size)), Some(index)) if index < *size => Ok(start + index),
            _ if word.contains(char::is_whitespace) => {
                self.fail(word, format!("`{}` is not a qubit; is a semicolon missing?", shown(word)))
            }
            (Some((_, _, size)), _) => self.fail(
                word,
                format!("`{word}` is not one of the {size} qubits of `{name}`, from 0 to {}", size - 1),
            ),
            _ => self.fail(word, format!("`{}` is not a qubit that was declared", shown(word))),
        }
    }

    fn angle(&self, word: &str) -> Result<Angle, QasmError> {
        if let Some(at) = self.inputs.iter().position(|name| name == word) {
            return Ok(Angle::Free(at));
        }
        let mut rest = word;
        match sum(&mut rest, 0) {
            Some(value) if rest.trim().is_empty() && value.is_finite() => Ok(Angle::Fixed(value)),
            _ => self
                .fail(word, format!("`{}` is not an angle: numbers, `pi` and + - * / ( ) are", shown(word))),
        }
    }
}

/// Where the parenthesis closes that is open at the start.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().find_map(|(at, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        (depth == 0).then_some(at)
    })
}

/// The parts between commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if c == ',' && depth == 0 {
            parts.push(text[start..at].trim());
            start = at + 1;
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// Parentheses nest at most so deep.
const DEPTH: usize = 50;

fn sum(text: &mut &str, depth: usize) -> Option<f64> {
    let mut value = product(text, depth)?;
    loop {
        *text = text.trim_start();
        let rest = *text;
        match rest.chars().next() {
            Some(c @ ('+' | '-')) => {
                *text = &rest[1..];
                let next = product(text, depth)?;
                value = if c == '+' { value + next } else { value - next };
            }
            _ => return Some(value),
        }
    }
}

fn product(text: &mut &str, depth: usize) -> Option<f64> {
    let mut value = factor(text, depth)?;
    loop {
        *text = text.trim_start();
        let rest = *text;
        match rest.chars().next() {
            Some(c @ ('*' | '/')) => {
                *text = &rest[1..];
                let next = factor(text, depth)?;
                value = if c == '*' { value * next } else { value / next };
            }
            _ => return Some(value),
        }
    }
}

fn factor(text: &mut &str, depth: usize) -> Option<f64> {
    *text = text.trim_start();
    if depth > DEPTH {
        return None;
    }
    if let Some(rest) = text.strip_prefix('-') {
        *text = rest;
        return factor(text, depth + 1).map(|value| -value);
    }
    if let Some(rest) = text.strip_prefix('(') {
        *text = rest;
        let value = sum(text, depth + 1)?;
        *text = text.trim_start().strip_prefix(')')?;
        return Some(value);
    }
    for name in ["pi", "π"] {
        if let Some(rest) = text.strip_prefix(name) {
            *text = rest;
            return Some(std::f64::consts::PI);
        }
    }
    let mut end = 0;
    let bytes = text.as_bytes();
    while end < bytes.len()
        && (bytes[end].is_ascii_digit()
            || matches!(bytes[end], b'.' | b'e' | b'E')
            || (matches!(bytes[end], b'+' | b'-') && end > 0 && matches!(bytes[end - 1], b'e' | b'E')))
    {
        end += 1;
    }
    let value = text[..end].parse().ok()?;
    *text = &text[end..];
    Some(value)
}

/// The gate of this name and how many controls the name implies.
fn named(name: &str, angles: &[Angle]) -> Option<(Gate, usize)> {
    Some(match (name, angles) {
        ("h", []) => (Gate::H, 0),
        ("x", []) => (Gate::X, 0),
        ("y", []) => (Gate::Y, 0),
        ("z", []) => (Gate::Z, 0),
        ("s", []) => (Gate::S, 0),
        ("sdg", []) => (Gate::Sdg, 0),
        ("t", []) => (Gate::T, 0),
        ("tdg", []) => (Gate::Tdg, 0),
        ("swap", []) => (Gate::Swap, 0),
        ("rx", &[a]) => (Gate::Rx(a), 0),
        ("ry", &[a]) => (Gate::Ry(a), 0),
        ("rz", &[a]) => (Gate::Rz(a), 0),
        ("p" | "phase", &[a]) => (Gate::Phase(a), 0),
        ("u3" | "U", &[a, b, c]) => (Gate::U3(a, b, c), 0),
        ("cx" | "CX", []) => (Gate::X, 1),
        ("cy", []) => (Gate::Y, 1),
        ("cz", []) => (Gate::Z, 1),
        ("ch", []) => (Gate::H, 1),
        ("cswap", []) => (Gate::Swap, 1),
        ("ccx", []) => (Gate::X, 2),
        ("crx", &[a]) => (Gate::Rx(a), 1),
        ("cry", &[a]) => (Gate::Ry(a), 1),
        ("crz", &[a]) => (Gate::Rz(a), 1),
        ("cp" | "cphase", &[a]) => (Gate::Phase(a), 1),
        _ => return None,
    })
}
