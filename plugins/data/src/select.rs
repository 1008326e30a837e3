//! Choosing variables, and places along dimensions.

use flow_plugin::artifact::{Dataset, Variable};

use crate::cut::{Places, length};
use crate::error::list;
use crate::pieces::along;
use crate::{Error, Result};

/// Which places of a dimension are kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Keep {
    /// These, counted from zero, in rising order.
    Places(Vec<usize>),
    /// From the first to before the second (or the end), every so many-th.
    Steps(usize, Option<usize>, usize),
    /// Those whose coordinate, the variable called like the dimension, is within these bounds.
    Within(f64, f64),
}

/// The variables to keep.
///
/// # Errors
/// When one is named that is not there.
pub fn variables(data: &Dataset, only: Option<&[String]>, without: &[String]) -> Result<Vec<Variable>> {
    for name in only.into_iter().flatten().chain(without) {
        data.variable(name)?;
    }
    let kept = |variable: &&Variable| {
        only.is_none_or(|only| only.contains(&variable.name)) && !without.contains(&variable.name)
    };
    Ok(data.variables().iter().filter(kept).cloned().collect())
}

/// The places to keep, of all dimensions that are named.
///
/// # Errors
/// When there is no such dimension or place, or none is left.
pub fn places<'a>(data: &Dataset, keep: impl IntoIterator<Item = (&'a String, &'a Keep)>) -> Result<Places> {
    let mut places = Places::default();
    for (dim, keep) in keep {
        let n = length(data, dim)?;
        let kept: Vec<usize> = match keep {
            Keep::Places(kept) => {
                if let Some(beyond) = kept.iter().find(|place| **place >= n) {
                    return Err(Error::data(format!(
                        "dimension `{dim}` has no place {beyond}: it has {n}, counted from 0"
                    )));
                }
                kept.clone()
            }
            Keep::Steps(start, end, step) => {
                (*start..end.unwrap_or(n).min(n)).step_by((*step).max(1)).collect()
            }
            Keep::Within(low, high) => {
                if data.variable(dim).is_err() {
                    let others = data.variables().iter().filter(|v| v.dims == [dim.as_str()]);
                    return Err(Error::data(format!(
                        "dimension `{dim}` has no coordinate: a variable called `{dim}` along it alone; variables \
                         along it alone are {}",
                        list(others.map(|v| &v.name))
                    )));
                }
                let at = along(data, dim, dim)?;
                (0..n).filter(|place| (*low..=*high).contains(&at[*place])).collect()
            }
        };
        if kept.is_empty() {
            return Err(Error::data(format!("nothing of the {n} places of dimension `{dim}` is kept")));
        }
        places.0.insert(dim.clone(), kept);
    }
    Ok(places)
}
