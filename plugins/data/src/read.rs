//! Reading files of other programs, and checking them against what they should be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use flow_plugin::artifact::dataset::Columns;
use flow_plugin::artifact::import::{Found, Import};
use flow_plugin::artifact::units::Unit;
use flow_plugin::artifact::{DType, DatasetWriter, Values, Variable};

use crate::error::list;
use crate::pieces::{position, size};
use crate::{Error, Result};

/// What is wanted of a variable, and what must be true of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Its name in the file.
    pub from: String,
    /// Its dimensions, in order.
    pub dims: Option<Vec<String>>,
    /// Its units in the file: they are set where the file gives none, and must be those that it gives.
    pub units: Option<String>,
    /// The units to convert it to.
    pub convert: Option<String>,
    /// The type to store it as.
    pub dtype: Option<DType>,
    /// What it is.
    pub long_name: Option<String>,
    /// Where its values, converted, must lie. Values that are missing are no concern of it.
    pub range: Option<(f64, f64)>,
    /// Whether every value must be finite.
    pub finite: bool,
}

/// How a variable is read.
struct Plan {
    variable: Variable,
    wanted: Wanted,
    /// From the file's units to those asked for.
    conversion: Option<(Unit, Unit)>,
}

/// Reads a file, or a folder, as a dataset. Without `wanted` all its arrays are read; `dims` are other names for its
/// dimensions.
///
/// # Errors
/// When the file cannot be read, or is not what is wanted: the error names the variable, and what was found.
pub fn read(
    from: &Path,
    wanted: Option<&BTreeMap<String, Wanted>>,
    dims: &BTreeMap<String, String>,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<Vec<Variable>> {
    let mut import = Import::open(from)?;
    let arrays = import.arrays();
    let all: BTreeMap<String, Wanted> = match wanted {
        Some(wanted) => wanted.clone(),
        None => everything(&arrays)?,
    };
    check_dims(&arrays, dims)?;
    let (mut places, mut plans) = (Vec::new(), Vec::new());
    for (name, wanted) in all {
        let at = arrays.iter().position(|found| found.variable.name == wanted.from).ok_or_else(|| {
            let mut names: Vec<&String> = arrays.iter().map(|found| &found.variable.name).collect();
            names.sort_unstable();
            Error::data(format!("there is no variable `{}`; the file has {}", wanted.from, list(names)))
        })?;
        places.push(at);
        plans.push(plan(&name, wanted, &arrays[at], dims)?);
    }
    let mut writer = DatasetWriter::create(to)?;
    for (name, value) in import.attributes() {
        writer.attribute(name, value.clone());
    }
    let variables: Vec<Variable> = plans.iter().map(|plan| plan.variable.clone()).collect();
    // An array that is read under several names is handed over once.
    let mut once = places.clone();
    once.sort_unstable();
    once.dedup();
    let total = size(once.iter().map(|at| &arrays[*at].variable));
    let mut columns = Columns::new(writer, variables.clone());
    let mut done = vec![0; plans.len()];
    let mut failed = None;
    let mut bytes = 0;
    let read = import.read(&once, &mut |at, values| {
        bytes += (values.len() * values.dtype().size()) as u64;
        for (number, plan) in plans.iter().enumerate().filter(|(number, _)| places[*number] == at) {
            let step = plan.convert(values, done[number]).and_then(|values| {
                done[number] += values.len();
                columns.push(number, &values)?;
                progress(bytes, total)
            });
            if let Err(error) = step {
                failed = Some(error);
                return Err(flow_plugin::artifact::Error::Request("stopped".to_owned()));
            }
        }
        Ok(())
    });
    if let Some(error) = failed {
        return Err(error);
    }
    read?;
    columns.finish()?;
    Ok(variables)
}

/// All arrays, under names that a dataset can have.
fn everything(arrays: &[Found]) -> Result<BTreeMap<String, Wanted>> {
    let mut all = BTreeMap::<String, Wanted>::new();
    for found in arrays {
        let from = found.variable.name.clone();
        let name = fitting(&from);
        if let Some(other) = all.get(&name) {
            return Err(Error::data(format!(
                "variables `{}` and `{from}` would both be called `{name}`; choose names with `variables`",
                other.from
            )));
        }
        all.insert(name, Wanted { from, ..Wanted::default() });
    }
    Ok(all)
}

/// The name itself, or one like it of letters, digits, `_` and `-`: `T2 (noon)` becomes `T2_noon`.
fn fitting(name: &str) -> String {
    if is_fitting(name) {
        return name.to_owned();
    }
    let words = name.split(|c: char| !allowed(c) || c == '_').filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("_");
    if joined.is_empty() { "unnamed".to_owned() } else { joined }
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn is_fitting(name: &str) -> bool {
    !name.is_empty() && !name.starts_with("__") && name.chars().all(allowed)
}

/// Says so when a dimension is to be renamed that no array has.
fn check_dims(arrays: &[Found], dims: &BTreeMap<String, String>) -> Result<()> {
    for dim in dims.keys() {
        if !arrays.iter().any(|found| found.variable.dims.contains(dim)) {
            let mut known: Vec<&String> = arrays.iter().flat_map(|found| &found.variable.dims).collect();
            known.sort_unstable();
            known.dedup();
            return Err(Error::data(format!("there is no dimension `{dim}`; the file has {}", list(known))));
        }
    }
    Ok(())
}

fn plan(name: &str, wanted: Wanted, found: &Found, dims: &BTreeMap<String, String>) -> Result<Plan> {
    let from = &found.variable.name;
    if !is_fitting(name) {
        return Err(Error::data(format!(
            "`{name}` cannot be the name of a variable, which consists of letters, digits, `_` and `-`; say where it \
             comes from, `{}: {{ from: \"{}\" }}`",
            fitting(name),
            wanted.from
        )));
    }
    if let Some(problem) = &found.problem {
        return Err(Error::data(format!(
            "variable `{from}` is an array {problem}; choose others with `variables`"
        )));
    }
    let mut variable = found.variable.clone();
    name.clone_into(&mut variable.name);
    for dim in &mut variable.dims {
        if let Some(new) = dims.get(dim) {
            new.clone_into(dim);
        }
    }
    if let Some(declared) = &wanted.dims {
        let lengths = found.variable.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
        if declared.len() != variable.dims.len() {
            return Err(Error::data(format!(
                "variable `{from}` has {} dimensions ({lengths}), not the {} of ({})",
                variable.dims.len(),
                declared.len(),
                declared.join(", ")
            )));
        }
        // Names that the file does not give are given here; those that it gives must be these, in this order.
        let renamed = found.variable.dims.iter().any(|dim| dims.contains_key(dim));
        if (found.named_dims || renamed) && *declared != variable.dims {
            return Err(Error::data(format!(
                "variable `{from}` has the dimensions ({}), not ({}); `dims: {{ {}: {} }}` would rename",
                variable.dims.join(", "),
                declared.join(", "),
                variable.dims.iter().find(|dim| !declared.contains(dim)).unwrap_or(&variable.dims[0]),
                declared.iter().find(|dim| !variable.dims.contains(dim)).unwrap_or(&declared[0]),
            )));
        }
        variable.dims.clone_from(declared);
    }
    let conversion = units(from, &mut variable, &wanted, found)?;
    if let Some(long_name) = &wanted.long_name {
        variable.long_name.clone_from(long_name);
    }
    if conversion.is_some() && !matches!(variable.dtype, DType::F32 | DType::F64) {
        variable.dtype = DType::F64;
    }
    if let Some(dtype) = wanted.dtype {
        variable.dtype = dtype;
    }
    Ok(Plan { variable, wanted, conversion })
}

/// Sets the units of the variable; the conversion that it takes.
fn units(
    from: &str,
    variable: &mut Variable,
    wanted: &Wanted,
    found: &Found,
) -> Result<Option<(Unit, Unit)>> {
    let parse =
        |text: &str| Unit::parse(text).map_err(|error| Error::data(format!("variable `{from}`: {error}")));
    if let Some(units) = &wanted.units {
        let declared = parse(units)?;
        // What is not understood, such as `degrees_north`, may be replaced by what is.
        let differs = Unit::parse(&variable.units).is_ok_and(|given| !given.equivalent(&declared));
        if found.with_units && differs {
            return Err(Error::data(format!(
                "variable `{from}` is in `{}`, not in `{units}`; `convert: {units}` would convert it",
                variable.units
            )));
        }
        variable.units.clone_from(units);
    }
    let Some(target) = &wanted.convert else { return Ok(None) };
    let (given, to) = (parse(&variable.units)?, parse(target)?);
    if !given.same_dimension(&to) {
        return Err(Error::data(format!(
            "variable `{from}` is in `{}`, which cannot be converted to `{target}`",
            variable.units
        )));
    }
    variable.units.clone_from(target);
    Ok((!given.equivalent(&to)).then_some((given, to)))
}

impl Plan {
    /// Some values of the file as those of the dataset: themselves, if they are the same. `before` are so many values.
    fn convert<'a>(&self, values: &'a Values, before: usize) -> Result<Cow<'a, Values>> {
        let values = match (&self.conversion, values) {
            (None, values) => Cow::Borrowed(values),
            (Some((from, to)), Values::F32(v)) => {
                Cow::Owned(Values::F32(v.iter().map(|v| from.convert(f64::from(*v), to) as f32).collect()))
            }
            (Some((from, to)), other) => {
                Cow::Owned(Values::F64(other.doubles().into_iter().map(|v| from.convert(v, to)).collect()))
            }
        };
        self.check(&values, before)?;
        let (name, dtype) = (&self.wanted.from, self.variable.dtype);
        if values.dtype() == dtype {
            return Ok(values);
        }
        let cast = values.into_owned().cast(dtype).map_err(|value| {
            Error::data(format!("variable `{name}` has the value {value}, which {dtype} does not hold"))
        })?;
        Ok(Cow::Owned(cast))
    }

    fn check(&self, values: &Values, before: usize) -> Result<()> {
        if self.wanted.range.is_none() && !self.wanted.finite {
            return Ok(());
        }
        let (low, high) = self.wanted.range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let wrong = |v: &f64| {
            if v.is_nan() {
                self.wanted.finite
            } else {
                *v < low || *v > high || (self.wanted.finite && v.is_infinite())
            }
        };
        let doubles = values.doubles();
        let Some(at) = doubles.iter().position(wrong) else { return Ok(()) };
        let expected = match self.wanted.range {
            Some((low, high)) => format!("expected are values from {low} to {high}"),
            None => "expected are finite values".to_owned(),
        };
        Err(Error::data(format!(
            "variable `{}` has the value {} at {}; {expected}",
            self.wanted.from,
            doubles[at],
            position(&self.variable, before + at)
        )))
    }
}
