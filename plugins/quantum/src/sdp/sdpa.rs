//! Reading semidefinite programs in the sparse form of SDPA, which SDPLIB and most solvers share.

use super::Program;
use crate::text::{Line, TextError, at, lines, whole};

/// A program as a file states it: `⟨F_0, X⟩` as large, or as small, as can be, with `⟨F_k, X⟩ = c_k` and `X ⪰ 0`.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// Entries of F_0 as the objective, and the constraints. Blocks lie along the diagonal of one matrix.
    pub program: Program,
    /// Sizes of the blocks.
    pub blocks: Vec<usize>,
}

/// The most rows and constraints: numbers beyond are mistakes, and would only fill memory.
const MOST: usize = 1_000_000;

/// Reads a program from a text: the number of constraints, the number of blocks, their sizes (negative for diagonal
/// ones), the numbers c, and then a line `k block i j value` for each entry of the upper triangle of F_k.
///
/// # Errors
/// When the text is not a program; the message names the line.
pub fn parse(text: &str) -> Result<Stated, TextError> {
    let mut lines = lines(text, &['"', '*']).into_iter().peekable();
    let constraints = first_number(lines.next(), "the number of constraints")?;
    let count = first_number(lines.next(), "the number of blocks")?;
    let sizes = numbers(&mut lines, count, "sizes of blocks")?;
    let mut blocks = Vec::with_capacity(sizes.len());
    for &(line, size) in &sizes {
        if size == 0.0 || size.fract() != 0.0 || size.abs() > MOST as f64 {
            return at(
                line,
                format!("a block has a size of 1 to {MOST}, negative if it is diagonal, not {size}"),
            );
        }
        blocks.push(Block { size: size.abs() as usize, diagonal: size < 0.0 });
    }
    let right = numbers(&mut lines, constraints, "numbers on the right-hand sides")?;
    let mut first = 0;
    let starts: Vec<usize> = blocks
        .iter()
        .map(|block| {
            first += block.size;
            first - block.size
        })
        .collect();
    let mut program = Program {
        size: first,
        objective: Vec::new(),
        constraints: right.into_iter().map(|(_, c)| (Vec::new(), c)).collect(),
    };
    let mut seen = std::collections::BTreeMap::new();
    for line in lines {
        let (matrix, block, i, j, value) = entry(&line, constraints, &blocks)?;
        let (row, column) = (starts[block] + i.max(j), starts[block] + i.min(j));
        if let Some(before) = seen.insert((matrix, row, column), line.number) {
            let message = format!("this entry is there already, in line {before}; give one triangle only");
            return at(line.number, message);
        }
        let entries =
            if matrix == 0 { &mut program.objective } else { &mut program.constraints[matrix - 1].0 };
        entries.push((row, column, value));
    }
    if let Some(empty) = program.constraints.iter().position(|(entries, _)| entries.is_empty()) {
        return whole(format!("constraint {} has no entries", empty + 1));
    }
    Ok(Stated { program, blocks: blocks.into_iter().map(|block| block.size).collect() })
}

struct Block {
    size: usize,
    diagonal: bool,
}

/// A word without what some writers put around numbers.
fn bare(word: &str) -> &str {
    word.trim_matches(['(', ')', '{', '}', ','])
}

/// The number that a line starts with; what follows it is a comment.
fn first_number(line: Option<Line<'_>>, what: &str) -> Result<usize, TextError> {
    let Some(line) = line else { return whole(format!("the file ends before {what}")) };
    match line.words[0].parse() {
        Ok(number) if (1..=MOST).contains(&number) => Ok(number),
        _ => at(line.number, format!("expected {what}, 1 to {MOST}, found `{}`", line.words[0])),
    }
}

/// So many numbers from one or several lines, each with its line.
fn numbers<'a>(
    lines: &mut impl Iterator<Item = Line<'a>>,
    count: usize,
    what: &str,
) -> Result<Vec<(usize, f64)>, TextError> {
    let mut found = Vec::new();
    while found.len() < count {
        let Some(line) = lines.next() else {
            return whole(format!("the file ends after {} of {count} {what}", found.len()));
        };
        for word in line.words.iter().flat_map(|word| word.split(',')).map(bare).filter(|w| !w.is_empty()) {
            if found.len() == count {
                // What follows is a comment.
                break;
            }
            found.push((line.number, number(&line, word)?));
        }
    }
    Ok(found)
}

fn number(line: &Line<'_>, word: &str) -> Result<f64, TextError> {
    match word.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => at(line.number, format!("`{word}` is not a finite number")),
    }
}

/// Which matrix (0 for the objective), which block from 0, row and column from 0, and the value.
fn entry(
    line: &Line<'_>,
    constraints: usize,
    blocks: &[Block],
) -> Result<(usize, usize, usize, usize, f64), TextError> {
    let words: Vec<&str> = line.words.iter().map(|word| bare(word)).collect();
    let &[matrix, block, i, j, value] = words.as_slice() else {
        let message = format!("expected `matrix block i j value`, found {} words", words.len());
        return at(line.number, message);
    };
    let index = |word: &str, low: usize, high: usize, what: &str| match word.parse::<usize>() {
        Ok(index) if (low..=high).contains(&index) => Ok(index),
        _ => at(line.number, format!("{what} `{word}` is out of range: {low} to {high}")),
    };
    let matrix = index(matrix, 0, constraints, "the matrix")?;
    let block = index(block, 1, blocks.len(), "the block")? - 1;
    let size = blocks[block].size;
    let (i, j) = (index(i, 1, size, "the row")? - 1, index(j, 1, size, "the column")? - 1);
    if blocks[block].diagonal && i != j {
        return at(
            line.number,
            format!("block {} is diagonal, and ({}, {}) is not on it", block + 1, i + 1, j + 1),
        );
    }
    Ok((matrix, block, i, j, number(line, value)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::ops::ControlFlow;

    /// The example of SDPA's manual: three constraints on a block of two rows; the largest value is -41.9.
    const EXAMPLE: &str = "\
\"Example 1: mDim = 3, nBLOCK = 1, {2}\"
   3  =  mDIM
   1  =  nBLOCK
   (2)  = bLOCKsTRUCT
{48, -8, 20}
0 1 1 1 -11
0 1 2 2 23
1 1 1 1 10
1 1 1 2 4
2 1 2 2 -8
3 1 1 2 -8
3 1 2 2 -2
";

    #[test]
    fn the_example_of_the_manual() {
        let stated = parse(EXAMPLE).unwrap();
        assert_eq!((stated.program.size, stated.blocks), (2, vec![2]));
        let mut program = stated.program;
        program.objective.iter_mut().for_each(|entry| entry.2 = -entry.2);
        let solution = program.solve(1e-9, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!((solution.primal - 41.9).abs() < 1e-5, "{}", solution.primal);
    }

    /// A linear program in a diagonal block beside a matrix: `max x + 2y` with `x + y = 1` is 2, and the largest
    /// eigenvalue of ((0, 1), (1, 0)) is 1.
    #[test]
    fn blocks_lie_along_the_diagonal() {
        let text =
            "2\n2\n-2 2\n1 1\n0 1 1 1 1\n0 1 2 2 2\n0 2 1 2 1\n1 1 1 1 1\n1 1 2 2 1\n2 2 1 1 1\n2 2 2 2 1\n";
        let stated = parse(text).unwrap();
        assert_eq!((stated.program.size, stated.blocks), (4, vec![2, 2]));
        let mut program = stated.program;
        assert_eq!(program.objective[2], (3, 2, 1.0));
        program.objective.iter_mut().for_each(|entry| entry.2 = -entry.2);
        let solution = program.solve(1e-9, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!((solution.primal + 3.0).abs() < 1e-6, "{}", solution.primal);
    }

    #[test]
    fn bad_programs_are_told_by_their_line() {
        let message = |from: &str, to: &str| {
            assert!(EXAMPLE.contains(from), "{from}");
            parse(&EXAMPLE.replacen(from, to, 1)).unwrap_err().to_string()
        };
        assert_eq!(
            message("   3  =", "   x  ="),
            "line 2: expected the number of constraints, 1 to 1000000, found `x`"
        );
        assert_eq!(
            message("   1  =", "   0  ="),
            "line 3: expected the number of blocks, 1 to 1000000, found `0`"
        );
        assert_eq!(
            message("(2)", "(0)"),
            "line 4: a block has a size of 1 to 1000000, negative if it is diagonal, not 0"
        );
        assert_eq!(message("20}", "nan}"), "line 5: `nan` is not a finite number");
        assert_eq!(message("0 1 1 1 -11", "4 1 1 1 -11"), "line 6: the matrix `4` is out of range: 0 to 3");
        assert_eq!(message("0 1 1 1 -11", "0 2 1 1 -11"), "line 6: the block `2` is out of range: 1 to 1");
        assert_eq!(message("0 1 1 1 -11", "0 1 3 1 -11"), "line 6: the row `3` is out of range: 1 to 2");
        assert_eq!(message("0 1 1 1 -11", "0 1 1 0 -11"), "line 6: the column `0` is out of range: 1 to 2");
        assert_eq!(
            message("0 1 1 1 -11", "0 1 1 -11"),
            "line 6: expected `matrix block i j value`, found 4 words"
        );
        assert_eq!(
            message("3 1 2 2 -2", "3 1 2 1 -2"),
            "line 12: this entry is there already, in line 11; give one triangle only"
        );
        assert_eq!(message("(2)", "(-2)"), "line 9: block 1 is diagonal, and (1, 2) is not on it");
        assert_eq!(message("2 1 2 2 -8\n", ""), "constraint 2 has no entries");
        assert_eq!(parse("").unwrap_err().to_string(), "the file ends before the number of constraints");
        assert_eq!(
            parse("2\n1\n2\n1\n").unwrap_err().to_string(),
            "the file ends after 1 of 2 numbers on the right-hand sides"
        );
    }
}
