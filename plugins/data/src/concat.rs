//! Joining datasets end to end.

use std::path::Path;

use flow_plugin::artifact::dataset::Columns;
use flow_plugin::artifact::{DType, Dataset, DatasetWriter, Variable};

use crate::error::list;
use crate::pieces::{Progress, pieces, walk};
use crate::{Error, Result};

/// How variables of several datasets become one.
enum Join {
    /// Rows after rows.
    Append,
    /// Each dataset becomes a row of a new first dimension.
    Stack,
    /// It is the same in all.
    Same,
}

/// Joins datasets along a dimension: where they have it, their rows follow each other; where none has it, each
/// becomes one place along it. Variables without the dimension that are equal in all datasets stay as they are.
/// `names` are what messages call the datasets.
///
/// # Errors
/// When the datasets have other variables, types, units or lengths, or a variable has the dimension elsewhere than
/// first.
pub fn concat(all: &[Dataset], names: &[String], dim: &str, to: &Path, progress: Progress<'_>) -> Result<()> {
    let Some(first) = all.first() else {
        return Err(Error::data("there are no datasets to join"));
    };
    let stacks = all.iter().all(|data| data.dim(dim).is_none());
    for (data, name) in all.iter().zip(names).skip(1) {
        same_names(first, data, &names[0], name)?;
    }
    let (mut joined, mut how) = (Vec::new(), Vec::new());
    for variable in first.variables() {
        let join = join(variable, dim, stacks)?;
        for (data, name) in all.iter().zip(names).skip(1) {
            let other = data.variable(&variable.name)?;
            alike(variable, other, &join, &names[0], name)?;
            if matches!(join, Join::Same) && !equal(first, data, variable)? {
                return Err(Error::data(format!(
                    "variable `{}` has no dimension `{dim}` and other values in {} than in {name}",
                    variable.name, names[0]
                )));
            }
        }
        let mut variable = variable.clone();
        match join {
            Join::Append => {
                variable.shape[0] =
                    all.iter().map(|data| data.variable(&variable.name).map_or(0, Variable::rows)).sum();
            }
            Join::Stack => {
                variable.dims.insert(0, dim.to_owned());
                variable.shape.insert(0, all.len());
            }
            Join::Same => {}
        }
        joined.push(variable);
        how.push(join);
    }
    let mut writer = DatasetWriter::create(to)?;
    for (name, value) in first.attributes() {
        if all.iter().all(|data| data.attributes().get(name) == Some(value)) {
            writer.attribute(name, value.clone());
        }
    }
    let mut columns = Columns::new(writer, joined);
    for (at, (variable, join)) in first.variables().iter().zip(&how).enumerate() {
        let sources = if matches!(join, Join::Same) { &all[..1] } else { all };
        for data in sources {
            let own = data.variable(&variable.name)?.clone();
            // A row of the stack may be larger than a piece, so its rows must be handed over as one.
            if matches!(join, Join::Stack) {
                let rows = own.rows();
                columns.push(at, &data.read_values(&own.name, 0..rows)?)?;
                progress((own.len() * own.dtype.size()) as u64)?;
            } else {
                walk(data, &own, progress, |_, values| Ok(columns.push(at, &values)?))?;
            }
        }
    }
    Ok(columns.finish()?)
}

fn join(variable: &Variable, dim: &str, stacks: bool) -> Result<Join> {
    // The coordinate of a dimension stays that of the dimension.
    let coordinate = variable.dims == [variable.name.as_str()];
    match variable.dims.iter().position(|own| own == dim) {
        Some(0) => Ok(Join::Append),
        Some(_) => Err(Error::data(format!(
            "variable `{}` has dimensions ({}): it can be joined along the first one only",
            variable.name,
            variable.dims.join(", ")
        ))),
        None if stacks && !coordinate => Ok(Join::Stack),
        None => Ok(Join::Same),
    }
}

fn same_names(first: &Dataset, other: &Dataset, first_name: &str, name: &str) -> Result<()> {
    let names = |data: &Dataset| data.variables().iter().map(|v| v.name.clone()).collect::<Vec<_>>();
    let (one, two) = (names(first), names(other));
    let lacks = |a: &[String], b: &[String]| list(a.iter().filter(|name| !b.contains(name)));
    if one == two {
        return Ok(());
    }
    let mut problem = format!("{first_name} and {name} have other variables");
    if one.iter().any(|n| !two.contains(n)) {
        problem += &format!("; {name} lacks {}", lacks(&one, &two));
    }
    if two.iter().any(|n| !one.contains(n)) {
        problem += &format!("; {first_name} lacks {}", lacks(&two, &one));
    }
    Err(Error::data(problem))
}

fn alike(one: &Variable, two: &Variable, join: &Join, first_name: &str, name: &str) -> Result<()> {
    let skip = usize::from(matches!(join, Join::Append));
    let describe = |v: &Variable| {
        let dims = v.dims.iter().zip(&v.shape).map(|(dim, n)| format!("{dim}: {n}"));
        format!("{} ({}) in {}", v.dtype, dims.collect::<Vec<_>>().join(", "), v.units)
    };
    let same = one.dtype == two.dtype
        && one.units == two.units
        && one.dims == two.dims
        && one.shape.iter().skip(skip).eq(two.shape.iter().skip(skip));
    if same {
        return Ok(());
    }
    Err(Error::data(format!(
        "variable `{}` is {} in {first_name}, but {} in {name}",
        one.name,
        describe(one),
        describe(two)
    )))
}

/// Whether a variable has the same values in both, NaN being equal to itself.
fn equal(one: &Dataset, two: &Dataset, variable: &Variable) -> Result<bool> {
    for rows in pieces(variable) {
        let (a, b) = (one.read_values(&variable.name, rows.clone())?, two.read_values(&variable.name, rows)?);
        let same = match variable.dtype {
            DType::F32 | DType::F64 => {
                a.doubles().iter().map(|v| v.to_bits()).eq(b.doubles().iter().map(|v| v.to_bits()))
            }
            DType::U8 | DType::I32 | DType::I64 => a == b,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}
