//! The data sets that flow between the operations: names, dimensions and units of their variables.

mod case;
mod coordinates;
mod reservoirs;
mod solutions;

pub use case::{Setting, case, perforated_rows};
pub use coordinates::Coordinates;
pub use reservoirs::{Reservoirs, ReservoirsWriter, Sample, Scalars};
pub use solutions::{Solutions, SolutionsWriter, Solved};

/// Nominal type of reservoirs.
pub const RESERVOIRS: &str = "ccs/reservoirs@1";

/// Nominal type of simulated reservoirs.
pub const SOLUTIONS: &str = "ccs/solutions@1";

/// Values as doubles.
pub(crate) fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// Values in the precision of the data sets.
pub(crate) fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}
