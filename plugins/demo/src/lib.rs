//! Small operations to learn flow with, and to test it: each shows one thing an operation can do.

mod dataset;
mod text;
mod work;

use flow_plugin::Plugin;

/// The plugin `demo`.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new("demo", env!("CARGO_PKG_VERSION"), "Small operations to learn flow with, and to test it.")
        .with(text::Text)
        .with(text::Join)
        .with(text::Grep)
        .with(dataset::Wave)
        .with(dataset::Mean)
        .with(work::Cost)
        .with(work::Count)
        .with(work::Fail)
}
