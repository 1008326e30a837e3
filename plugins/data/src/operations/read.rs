//! `data/read`.

use std::collections::BTreeMap;

use flow_plugin::artifact::DType;
use flow_plugin::artifact::units::Unit;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Port, Result, Spec, VariableType};

use super::{report, told};
use crate::read::{Wanted, read};

/// Reads files of other programs.
pub(crate) struct Read;

/// Parameters of `data/read`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct ReadParams {
    /// The variables to read, by the name they get, with what must be true of them. Without it, all of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variables: Option<BTreeMap<String, Declared>>,
    /// Other names for dimensions: `{ height_0: time }`.
    #[serde(default)]
    dims: BTreeMap<String, String>,
}

/// What is declared of a variable. Everything may be left out; what is there is checked.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct Declared {
    /// Its name in the file, if that is another: `from: "temp (K)"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Its dimensions in order, after renaming. They are given to arrays of formats that have no names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dims: Option<Vec<String>>,
    /// Its units in the file. They are set where the file has none; where it has some, they must be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    units: Option<String>,
    /// The units to convert it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    convert: Option<String>,
    /// The type to store it as. Every value must fit; only rounding to f32 is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dtype: Option<Dtype>,
    /// What it is, for axis labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    long_name: Option<String>,
    /// The smallest and the largest value that may occur, in the units after conversion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<(f64, f64)>,
    /// Whether missing and infinite values are an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    finite: bool,
}

/// An element type.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "lowercase")]
pub(crate) enum Dtype {
    /// Unsigned 8-bit integers: masks and flags.
    U8,
    /// Signed 32-bit integers.
    I32,
    /// Signed 64-bit integers.
    I64,
    /// Single-precision floating point.
    F32,
    /// Double-precision floating point.
    F64,
}

impl From<Dtype> for DType {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::U8 => Self::U8,
            Dtype::I32 => Self::I32,
            Dtype::I64 => Self::I64,
            Dtype::F32 => Self::F32,
            Dtype::F64 => Self::F64,
        }
    }
}

const DOC: &str = "\
Connect a file, or a folder for Zarr; the form is found by content, not by name:

    inputs: { file: { path: data/observations.nc } }
    with:
      variables:
        temperature: { from: T2, dims: [time, lat, lon], units: degC, convert: K, range: [200, 330] }

| form | what is read |
| --- | --- |
| NetCDF | 3 (classic) and 4; fill values become NaN, packed values are unpacked |
| HDF5 | arrays of numbers; `from` one in a group is `group/name` |
| Zarr | folders, version 2 and 3; uncompressed, Blosc, zstd, gzip, zlib or LZ4 |
| `.npz`, `.npy` | arrays of numbers and booleans; nothing is unpickled |
| `.mat` | of MATLAB 5 to 7.3: full arrays of real numbers; vectors get one dimension, scalars none |
| Parquet | columns of numbers, flags and moments; uncompressed, Snappy, gzip or zstd |
| CSV | separated by comma, semicolon or tab; columns of numbers, flags and moments (ISO 8601) |

Without `variables` all arrays are read; what cannot stand in a name becomes `_`. Booleans become `u8`, small integers `i32`, larger ones `i64`; moments of tables become seconds since 1970. Columns \
and arrays of text are not read: they are an error when they are asked for. Columns of tables have the dimension \
`row`; arrays whose dimensions have no names get `NAME_0`, `NAME_1`. Larger files than fit into memory are fine.

| of a variable | meaning |
| --- | --- |
| `from` | its name in the file, if that is another |
| `dims` | its dimensions in order: given where the file names none, checked where it does |
| `units` | its units in the file: given where the file has none, checked where it does |
| `convert` | the units to convert it to |
| `dtype` | `u8`, `i32`, `i64`, `f32` or `f64`: every value must fit; only rounding to f32 is allowed |
| `range` | `[smallest, largest]` value that may occur, after conversion |
| `finite` | `true`: missing and infinite values are an error |
| `long_name` | what it is, for axis labels |";

impl Operation for Read {
    type Params = ReadParams;

    fn spec(&self) -> Spec {
        Spec::new(
            "read",
            2,
            "Reads NetCDF, HDF5, Zarr, NumPy, MATLAB, Parquet and CSV files, and checks them.",
        )
        .doc(DOC)
        .input(Port::new("file", Kind::File, "The file to read.").optional())
        .input(Port::new("folder", Kind::Folder, "The Zarr folder to read, instead of a file.").optional())
        .output(Port::new("data", Kind::Dataset, "The variables that were read."))
    }

    fn check(&self, params: &ReadParams) -> Vec<ParamProblem> {
        let mut problems = Vec::new();
        let mut problem = |name: &str, key: &str, message: String| {
            problems.push(ParamProblem { at: format!("variables.{name}.{key}"), message, hint: None });
        };
        for (name, declared) in params.variables.iter().flatten() {
            for (key, units) in [("units", &declared.units), ("convert", &declared.convert)] {
                if let Some(Err(error)) = units.as_deref().map(Unit::parse) {
                    problem(name, key, error.to_string());
                }
            }
            if let Some((low, high)) = declared.range.filter(|(low, high)| low > high) {
                problem(name, "range", format!("{low} is larger than {high}"));
            }
        }
        problems
    }

    fn outputs(&self, params: &ReadParams, _: &[Port]) -> Vec<Port> {
        let mut outputs = self.spec().outputs;
        for (name, declared) in params.variables.iter().flatten() {
            let units = declared.convert.as_ref().or(declared.units.as_ref());
            // What is not declared is only known when the file has been read.
            if let (Some(dtype), Some(dims), Some(units)) = (declared.dtype, &declared.dims, units) {
                outputs[0].variables.push(VariableType {
                    name: name.clone(),
                    dtype: DType::from(dtype).name().to_owned(),
                    dims: dims.clone(),
                    units: units.clone(),
                    finite: declared.finite,
                });
            }
        }
        outputs
    }

    fn run(&self, params: ReadParams, context: &Context) -> Result<()> {
        let from = match (context.optional_input("file"), context.optional_input("folder")) {
            (Some(input), None) | (None, Some(input)) => &input.path,
            (None, None) => {
                return Err(Error::bad_input("neither `file` nor `folder` is connected")
                    .hint("inputs: { file: { path: data/observations.nc } }"));
            }
            (Some(_), Some(_)) => return Err(Error::bad_input("both `file` and `folder` are connected")),
        };
        let wanted = params.variables.map(|variables| {
            variables.into_iter().map(|(name, declared)| (name.clone(), declared.wanted(name))).collect()
        });
        let mut progress = |done, total| report(context, done, total);
        let read = read(from, wanted.as_ref(), &params.dims, context.output("data")?, &mut progress);
        for variable in read.map_err(told)? {
            let dims = variable.dims.iter().zip(&variable.shape).map(|(dim, n)| format!("{dim}: {n}"));
            let dims = dims.collect::<Vec<_>>().join(", ");
            context.info(format!("{}: {} ({dims}) in {}", variable.name, variable.dtype, variable.units));
        }
        Ok(())
    }
}

impl Declared {
    fn wanted(self, name: String) -> Wanted {
        Wanted {
            from: self.from.unwrap_or(name),
            dims: self.dims,
            units: self.units,
            convert: self.convert,
            dtype: self.dtype.map(Into::into),
            long_name: self.long_name,
            range: self.range,
            finite: self.finite,
        }
    }
}
