//! Typed inputs and outputs.

use serde::{Deserialize, Serialize};

use crate::Kind;

/// One input or output of an operation.
///
/// ```
/// use flow_plugin::{Kind, Port};
/// let port = Port::new("solutions", Kind::Dataset, "Gas saturation and pressure build-up.")
///     .of_type("ccs/solutions@1")
///     .variable("saturation", "f32", ["sample", "time", "z", "r"], "1");
/// assert_eq!(port.kind, Kind::Dataset);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The port's name: what workflows write after the stage's name.
    pub name: String,
    /// The storage form.
    pub kind: Kind,
    /// What it is, in one sentence.
    pub doc: String,
    /// The nominal type, such as `quantum/graph@1`. An input with one accepts only outputs with the same.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "type")]
    pub nominal: Option<String>,
    /// For inputs: one artifact or a collection of them.
    #[serde(default, skip_serializing_if = "Multiplicity::is_one")]
    pub multiplicity: Multiplicity,
    /// For inputs: may be left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// For datasets: variables that it has at least.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<VariableType>,
}

/// How many artifacts an input takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Multiplicity {
    /// Exactly one.
    #[default]
    One,
    /// A collection, in matrix order, each with its coordinates.
    Many,
}

impl Multiplicity {
    fn is_one(&self) -> bool {
        *self == Self::One
    }
}

/// A variable that a dataset has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableType {
    /// Its name.
    pub name: String,
    /// Its element type: `u8`, `i32`, `i64`, `f32` or `f64`.
    pub dtype: String,
    /// The names of its dimensions, slowest first.
    pub dims: Vec<String>,
    /// Its units, in the documented subset of UCUM; `1` for a dimensionless number.
    pub units: String,
    /// Every value is a number: neither NaN nor infinite.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finite: bool,
}

impl Port {
    /// A port that takes or gives one artifact.
    pub fn new(name: &str, kind: Kind, doc: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            doc: doc.to_owned(),
            nominal: None,
            multiplicity: Multiplicity::One,
            optional: false,
            variables: Vec::new(),
        }
    }

    /// Sets the nominal type, such as `quantum/graph@1`.
    #[must_use]
    pub fn of_type(mut self, nominal: &str) -> Self {
        self.nominal = Some(nominal.to_owned());
        self
    }

    /// Makes the input take a collection.
    #[must_use]
    pub fn many(mut self) -> Self {
        self.multiplicity = Multiplicity::Many;
        self
    }

    /// Lets the input be left out.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Declares a variable of a dataset.
    #[must_use]
    pub fn variable<const N: usize>(mut self, name: &str, dtype: &str, dims: [&str; N], units: &str) -> Self {
        self.variables.push(VariableType {
            name: name.to_owned(),
            dtype: dtype.to_owned(),
            dims: dims.map(str::to_owned).to_vec(),
            units: units.to_owned(),
            finite: false,
        });
        self
    }
}
