//! CO₂ storage: geology, two-phase simulation, encoding, evaluation.

pub mod case_file;
pub mod curves;
pub mod data;
pub mod encode;
pub mod evaluate;
pub mod fluid;
pub mod geology;
pub mod grid;
pub mod ledger;
mod operations;
pub mod simulate;
pub mod stored;
pub mod units;

use flow_plugin::Plugin;

/// The plugin `ccs`.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "ccs",
        env!("CARGO_PKG_VERSION"),
        "CO₂ storage: geology, two-phase simulation, encoding, evaluation.",
    )
    .with(operations::Case)
    .with(operations::Compare)
    .with(operations::Encode)
    .with(operations::Evaluate)
    .with(operations::Geology)
    .with(operations::Ledger)
    .with(operations::Simulate)
}
