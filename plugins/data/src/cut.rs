//! Parts of datasets: some places of some dimensions.

use std::collections::BTreeMap;
use std::ops::Range;

use flow_plugin::artifact::dataset::Columns;
use flow_plugin::artifact::{Dataset, DatasetWriter, Values, Variable};

use crate::pieces::{Progress, walk};
use crate::{Error, Result};

/// Places to keep, by dimension, in rising order. Of dimensions that are not named all stay.
#[derive(Clone, Debug, Default)]
pub struct Places(pub BTreeMap<String, Vec<usize>>);

impl Places {
    /// What becomes of a variable.
    #[must_use]
    pub fn shape(&self, variable: &Variable) -> Variable {
        let mut cut = variable.clone();
        for (dim, length) in cut.dims.iter().zip(&mut cut.shape) {
            if let Some(kept) = self.0.get(dim) {
                *length = kept.len();
            }
        }
        cut
    }

    /// Those of some rows of a variable that are kept.
    fn of(&self, variable: &Variable, rows: &Range<usize>, values: &Values) -> Values {
        let mut axes: Vec<Vec<usize>> = Vec::with_capacity(variable.dims.len());
        for (axis, (dim, &length)) in variable.dims.iter().zip(&variable.shape).enumerate() {
            let held = if axis == 0 { rows.clone() } else { 0..length };
            axes.push(match self.0.get(dim) {
                Some(kept) => {
                    let start = kept.partition_point(|place| *place < held.start);
                    let end = kept.partition_point(|place| *place < held.end);
                    kept[start..end].iter().map(|place| place - held.start).collect()
                }
                None => (0..held.len()).collect(),
            });
        }
        // The trailing axes of which all stays are runs without gaps.
        let whole =
            axes.iter().zip(&variable.shape).skip(1).rev().take_while(|(kept, n)| kept.len() == **n).count();
        let run: usize = variable.shape[variable.shape.len() - whole..].iter().product();
        axes.truncate(axes.len() - whole);
        let mut starts = vec![0];
        for (axis, kept) in axes.iter().enumerate() {
            let length = if axis == 0 { rows.len() } else { variable.shape[axis] };
            starts = starts.iter().flat_map(|start| kept.iter().map(move |at| start * length + at)).collect();
        }
        values.pick(starts.into_iter().flat_map(|start| start * run..(start + 1) * run))
    }

    fn touches(&self, variable: &Variable) -> bool {
        variable.dims.iter().any(|dim| self.0.contains_key(dim))
    }
}

/// A part that is to be written.
pub struct Part<'a> {
    /// What it consists of.
    pub places: Places,
    /// Where to write it: nothing is there yet.
    pub to: &'a std::path::Path,
}

/// Writes parts of a dataset, all in one pass over it.
///
/// # Errors
/// When something cannot be read or written, and those of `progress`.
pub fn cut(data: &Dataset, variables: &[Variable], parts: &[Part<'_>], progress: Progress<'_>) -> Result<()> {
    let mut writers = Vec::with_capacity(parts.len());
    for part in parts {
        let mut writer = DatasetWriter::create(part.to)?;
        for (name, value) in data.attributes() {
            writer.attribute(name, value.clone());
        }
        writers.push(Columns::new(writer, variables.iter().map(|v| part.places.shape(v)).collect()));
    }
    for (at, variable) in variables.iter().enumerate() {
        walk(data, variable, progress, |rows, values| {
            for (part, writer) in parts.iter().zip(&mut writers) {
                if !part.places.touches(variable) {
                    writer.push(at, &values)?;
                    continue;
                }
                let kept = part.places.of(variable, &rows, &values);
                if !kept.is_empty() {
                    writer.push(at, &kept)?;
                }
            }
            Ok(())
        })?;
    }
    for writer in writers {
        writer.finish()?;
    }
    Ok(())
}

/// The length of a dimension.
///
/// # Errors
/// When no variable has it; the error lists those there are.
pub fn length(data: &Dataset, dim: &str) -> Result<usize> {
    data.dim(dim).ok_or_else(|| {
        let mut dims: Vec<&String> = data.variables().iter().flat_map(|variable| &variable.dims).collect();
        dims.sort_unstable();
        dims.dedup();
        Error::data(format!("no variable has the dimension `{dim}`; there are {}", crate::error::list(dims)))
    })
}
