//! What the readers of text files share: lines with their numbers, and errors that name them.

/// A text that is not what it should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct TextError {
    /// The line, from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong and what was expected.
    pub message: String,
}

/// The error of a line.
pub(crate) fn at<T>(line: usize, message: impl Into<String>) -> Result<T, TextError> {
    Err(TextError { line: Some(line), message: message.into() })
}

/// The error of the whole text.
pub(crate) fn whole<T>(message: impl Into<String>) -> Result<T, TextError> {
    Err(TextError { line: None, message: message.into() })
}

/// A line that says something: its number from 1 and its words, of which there is one at least.
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) words: Vec<&'a str>,
}

/// The lines that say something: not those that start with one of `comments`.
pub(crate) fn lines<'a>(text: &'a str, comments: &[char]) -> Vec<Line<'a>> {
    text.lines()
        .enumerate()
        .map(|(at, line)| Line { number: at + 1, words: line.split_whitespace().collect() })
        .filter(|line| line.words.first().is_some_and(|word| !word.starts_with(comments)))
        .collect()
}

/// The text of a file, which may be compressed by gzip.
///
/// # Errors
/// When the file cannot be read, or is not text.
pub(crate) fn read(path: &std::path::Path) -> Result<String, TextError> {
    use std::io::Read as _;
    let failed =
        |error: std::io::Error| TextError { line: None, message: format!("cannot be read: {error}") };
    let mut bytes = std::fs::read(path).map_err(failed)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).map_err(failed)?;
        bytes = unpacked;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            at(1 + valid.iter().filter(|&&b| b == b'\n').count(), "is not text (UTF-8)")
        }
    }
}
