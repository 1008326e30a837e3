//! Reading graphs: the Gset (rudy) form, edge lists, Matrix Market.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Edge, Graph, GraphError};
use crate::text::{Line, TextError, at, lines, whole};

/// How a file describes a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Found out from the content.
    #[default]
    Auto,
    /// As in the Gset collection: `n m`, then a line `i j [w]` for each edge, vertices from 1.
    Gset,
    /// A line `i j [w]` for each edge; vertices from 0 if one is called 0, else from 1.
    EdgeList,
    /// A sparse Matrix Market matrix (`%%MatrixMarket matrix coordinate`), symmetric.
    MatrixMarket,
}

/// The most vertices a graph may have: a state of 28 qubits is the largest that is simulated, and the first line of a
/// file must not be able to ask for any memory it likes.
const MOST: usize = 1 << 28;

/// Reads a graph from a file, which may be compressed by gzip.
///
/// # Errors
/// When the file cannot be read, or does not describe a graph.
pub fn read(path: &Path, format: Format) -> Result<Graph, TextError> {
    parse(&crate::text::read(path)?, format)
}

/// Reads a graph from a text.
///
/// # Errors
/// When the text does not describe a graph; the message names the line.
pub fn parse(text: &str, format: Format) -> Result<Graph, TextError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let matrix_market = text.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("%%MatrixMarket"));
    if format == Format::MatrixMarket && !matrix_market {
        return at(1, "a Matrix Market file starts with `%%MatrixMarket matrix coordinate real symmetric`");
    }
    let lines = lines(text, &['%', '#']);
    let Some(first) = lines.first() else {
        return whole("the file is empty; a graph starts with `n m`, its numbers of vertices and edges");
    };
    if matrix_market && matches!(format, Format::Auto | Format::MatrixMarket) {
        return parse_matrix(text.lines().next().unwrap_or(""), &lines);
    }
    let header = match format {
        Format::Gset => true,
        Format::EdgeList => false,
        _ => has_header(first, &lines[1..])?,
    };
    if header { parse_gset(first, &lines[1..]) } else { parse_list(&lines) }
}

/// Whether the first line is `n m` rather than an edge: it has two words where the others have three, or it counts
/// the others rightly.
///
/// # Errors
/// When it could be either: a header with a wrong count, or an edge at the vertex with the largest number.
fn has_header(first: &Line<'_>, rest: &[Line<'_>]) -> Result<bool, TextError> {
    let &[n, m] = first.words.as_slice() else { return Ok(false) };
    match rest.first() {
        Some(second) if second.words.len() == 3 => return Ok(true),
        _ if m.parse() == Ok(rest.len()) => return Ok(true),
        _ => {}
    }
    let (Ok(n), Ok(m)) = (n.parse::<usize>(), m.parse::<usize>()) else { return Ok(false) };
    if m > n.saturating_mul(n.saturating_sub(1)) / 2 {
        return Ok(false);
    }
    let mut others = rest.iter().flat_map(|line| &line.words).map(|word| word.parse::<usize>());
    if !others.all(|word| word.is_ok_and(|vertex| (1..=n).contains(&vertex))) {
        return Ok(false);
    }
    let message = format!(
        "`{n} {m}` is a header that says {m} edges, where {} follow, or an edge of a list without header; say \
         `format: gset` or `format: edge_list`",
        rest.len()
    );
    at(first.number, message)
}

fn parse_gset(header: &Line<'_>, lines: &[Line<'_>]) -> Result<Graph, TextError> {
    let &[n, m] = header.words.as_slice() else {
        let message = "the first line must be `n m`, the numbers of vertices and edges";
        return at(header.number, message);
    };
    let n = count(header.number, n, "number of vertices")?;
    let m = count(header.number, m, "number of edges")?;
    check_vertices(header.number, n)?;
    if lines.len() != m {
        let message = format!("the header says {m} edges, and {} follow", lines.len());
        return at(header.number, message);
    }
    let mut edges = Vec::with_capacity(m);
    for line in lines {
        let (i, j, weight) = entry(line)?;
        edges.push(Edge::new(vertex(line.number, i, 1, n)?, vertex(line.number, j, 1, n)?, weight));
    }
    finish(n, edges, lines)
}

fn parse_list(lines: &[Line<'_>]) -> Result<Graph, TextError> {
    let entries = lines.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let base = usize::from(!entries.iter().any(|&(i, j, _)| i == "0" || j == "0"));
    let mut edges = Vec::with_capacity(entries.len());
    let mut n = 0;
    for (line, (i, j, weight)) in lines.iter().zip(entries) {
        let (a, b) = (vertex(line.number, i, base, MOST)?, vertex(line.number, j, base, MOST)?);
        n = n.max(a as usize + 1).max(b as usize + 1);
        edges.push(Edge::new(a, b, weight));
    }
    finish(n, edges, lines)
}

fn parse_matrix(banner: &str, lines: &[Line<'_>]) -> Result<Graph, TextError> {
    let words: Vec<String> = banner.split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let &[_, "matrix", "coordinate", field, symmetry] = words.as_slice() else {
        return at(1, "expected a sparse matrix: `%%MatrixMarket matrix coordinate FIELD SYMMETRY`");
    };
    if !["real", "integer", "pattern"].contains(&field) {
        return at(1, format!("entries are `{field}`; expected `real`, `integer` or `pattern`"));
    }
    if !["symmetric", "general"].contains(&symmetry) {
        return at(
            1,
            format!("the matrix is `{symmetry}`; expected `symmetric`, or `general` with equal halves"),
        );
    }
    let size = &lines[0];
    let &[rows, columns, entries] = size.words.as_slice() else {
        return at(size.number, "expected `rows columns entries`");
    };
    let n = count(size.number, rows, "number of rows")?;
    let m = count(size.number, entries, "number of entries")?;
    check_vertices(size.number, n)?;
    if count(size.number, columns, "number of columns")? != n {
        return at(size.number, format!("a graph's matrix is square, this one is {rows} × {columns}"));
    }
    let lines = &lines[1..];
    if lines.len() != m {
        return at(size.number, format!("the header says {m} entries, and {} follow", lines.len()));
    }
    let mut halves = std::collections::BTreeMap::new();
    let (mut edges, mut kept) = (Vec::new(), Vec::new());
    for line in lines {
        let (i, j, weight) = entry(line)?;
        let (a, b) = (vertex(line.number, i, 1, n)?, vertex(line.number, j, 1, n)?);
        if symmetry == "general" && a != b {
            if halves.insert((a, b), (line.number, weight)).is_some() {
                return at(line.number, format!("the entry {i} {j} is there twice"));
            }
            if b < a {
                continue;
            }
        }
        edges.push(Edge::new(a, b, weight));
        kept.push(Line { number: line.number, words: Vec::new() });
    }
    for (&(a, b), &(number, weight)) in &halves {
        if halves.get(&(b, a)).is_none_or(|other| other.1 != weight) {
            let message = format!("the matrix is not symmetric: entry {} {} has no equal", a + 1, b + 1);
            return at(number, message);
        }
    }
    finish(n, edges, &kept)
}

fn check_vertices(line: usize, n: usize) -> Result<(), TextError> {
    match n {
        0 => at(line, "a graph has at least one vertex"),
        n if n > MOST => at(line, format!("{n} vertices are too many; the most is {MOST}")),
        _ => Ok(()),
    }
}

/// The two ends and the weight that a line names.
fn entry<'a>(line: &Line<'a>) -> Result<(&'a str, &'a str, f64), TextError> {
    let (i, j, weight) = match *line.words.as_slice() {
        [i, j] => (i, j, 1.0),
        [i, j, w] => match w.parse::<f64>() {
            Ok(weight) if weight.is_finite() => (i, j, weight),
            _ => return at(line.number, format!("the weight `{w}` is not a finite number")),
        },
        _ => {
            let found = line.words.len();
            return at(line.number, format!("expected `i j` or `i j w`, found {found} words"));
        }
    };
    Ok((i, j, weight))
}

fn count(line: usize, word: &str, what: &str) -> Result<usize, TextError> {
    word.parse().or_else(|_| at(line, format!("the {what} `{word}` is not a whole number")))
}

fn vertex(line: usize, word: &str, base: usize, n: usize) -> Result<u32, TextError> {
    let Ok(number) = word.parse::<usize>() else {
        return at(line, format!("the vertex `{word}` is not a whole number"));
    };
    match number.checked_sub(base) {
        // Below `n`, so below 2³¹.
        Some(vertex) if vertex < n => Ok(vertex as u32),
        _ => at(line, format!("vertex {number} is out of range: vertices are {base} to {}", n - 1 + base)),
    }
}

/// The graph; what is wrong with an edge is told by its line.
fn finish(n: usize, edges: Vec<Edge>, lines: &[Line<'_>]) -> Result<Graph, TextError> {
    let number = |edge: usize| lines[edge - 1].number;
    Graph::new(n, edges).or_else(|error| match error {
        GraphError::Loop { edge, vertex } => {
            at(number(edge), format!("vertex {vertex} is joined to itself; leave such edges out"))
        }
        GraphError::Repeated { first, second, from, to } => at(
            number(second),
            format!(
                "the edge between {from} and {to} is there already, in line {}; add the weights and keep one",
                number(first)
            ),
        ),
        GraphError::Vertex { edge, .. } | GraphError::Weight { edge, .. } => {
            at(number(edge), error.to_string())
        }
    })
}
