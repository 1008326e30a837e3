//! Writing several variables at once.

use super::{DatasetWriter, Stream, Values, Variable};
use crate::{Error, Result};

/// Variables of a dataset that grow side by side.
pub struct Columns {
    writer: DatasetWriter,
    columns: Vec<(Variable, Option<Stream>, usize)>,
}

impl Columns {
    /// Variables that are to be written, in any order of their pieces.
    #[must_use]
    pub fn new(writer: DatasetWriter, variables: Vec<Variable>) -> Self {
        let columns = variables.into_iter().map(|variable| (variable, None, 0)).collect();
        Self { writer, columns }
    }

    /// Adds the next rows of a variable, by its number.
    ///
    /// # Errors
    /// When there is no such variable, the values are not of its type, or cannot be written.
    pub fn push(&mut self, at: usize, values: &Values) -> Result<()> {
        let (variable, stream, written) =
            self.columns.get_mut(at).ok_or_else(|| Error::request("no variable has this number"))?;
        *written += values.len();
        if variable.dims.is_empty() {
            return self.writer.write_values(variable, values);
        }
        if stream.is_none() {
            *stream = Some(self.writer.stream_values(variable)?);
        }
        match stream {
            Some(stream) => self.writer.append_values(stream, values),
            None => Ok(()),
        }
    }

    /// Completes the dataset.
    ///
    /// # Errors
    /// When a variable lacks values, or a file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        for (variable, _, written) in &self.columns {
            if variable.is_empty() {
                self.writer.write_values(variable, &Values::none(variable.dtype))?;
            } else if *written != variable.len() {
                let (name, length) = (&variable.name, variable.len());
                return Err(Error::request(format!(
                    "variable `{name}` has {length} values, but {written} came"
                )));
            }
        }
        self.writer.finish()
    }
}
