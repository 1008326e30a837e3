//! Passing over datasets piece by piece.

use std::ops::Range;

use flow_plugin::artifact::{Dataset, Values, Variable};

use crate::{Error, Result};

/// So many bytes of a variable are held at once; a single row that is larger is a piece by itself.
const PIECE: usize = 8 << 20;

/// Is told how many more bytes are done, and may stop the work with an error.
pub type Progress<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

/// The rows of a variable in pieces.
pub fn pieces(variable: &Variable) -> impl Iterator<Item = Range<usize>> + use<> {
    let row = variable.row_len().max(1) * variable.dtype.size();
    let (rows, step) = (variable.rows(), (PIECE / row).max(1));
    let empty = variable.is_empty();
    (0..rows).step_by(step).filter(move |_| !empty).map(move |start| start..(start + step).min(rows))
}

/// Hands over the values of a variable, with the rows that they are.
///
/// # Errors
/// When they cannot be read, and those of `to` and `progress`.
pub fn walk(
    data: &Dataset,
    variable: &Variable,
    progress: Progress<'_>,
    mut to: impl FnMut(Range<usize>, Values) -> Result<()>,
) -> Result<()> {
    for rows in pieces(variable) {
        let values = data.read_values(&variable.name, rows.clone())?;
        let bytes = values.len() * variable.dtype.size();
        to(rows, values)?;
        progress(bytes as u64)?;
    }
    Ok(())
}

/// Bytes of all values of some variables.
pub fn size<'a>(variables: impl IntoIterator<Item = &'a Variable>) -> u64 {
    variables.into_iter().map(|variable| (variable.len() * variable.dtype.size()) as u64).sum()
}

/// The position of a value of a piece in its variable, for messages: `[3, 0]`.
#[must_use]
pub fn position(variable: &Variable, flat: usize) -> String {
    let mut rest = flat;
    let mut at: Vec<String> = variable
        .shape
        .iter()
        .rev()
        .map(|n| {
            let own = rest % n.max(&1);
            rest /= n.max(&1);
            own.to_string()
        })
        .collect();
    at.reverse();
    format!("[{}]", at.join(", "))
}

/// The values of a variable along one dimension only, of that length.
///
/// # Errors
/// When there is no such variable, or it has other dimensions.
pub fn along(data: &Dataset, name: &str, dim: &str) -> Result<Vec<f64>> {
    let variable = data.variable(name)?;
    if variable.dims != [dim] {
        let dims = variable.dims.join(", ");
        return Err(Error::data(format!(
            "variable `{name}` has dimensions ({dims}); one along `{dim}` alone is needed"
        )));
    }
    Ok(data.read_wide(name)?)
}
