//! CO₂ storage: geology, two-phase simulation, encoding, evaluation.

pub mod geology;

use flow_plugin::Plugin;

/// The plugin `ccs`.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "ccs",
        env!("CARGO_PKG_VERSION"),
        "CO₂ storage: geology, two-phase simulation, encoding, evaluation.",
    )
}
