//! Neural operators: fused kernels, networks, training and prediction.

mod kernels;



use flow_plugin::Plugin;

/// The plugin `operators`.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new("operators", env!("CARGO_PKG_VERSION"), "Neural operators: training and prediction.")
}
