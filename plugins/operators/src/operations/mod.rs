//! The operations of the plugin.

mod data;
mod model;
mod predict;
#[cfg(test)]
mod tests;
mod time;
mod train;

pub(crate) use predict::Predict;
pub(crate) use time::Time;
pub(crate) use train::Train;

/// The nominal type of data to train on.
const SAMPLES: &str = "operators/samples@1";
/// The nominal type of a trained network.
const MODEL: &str = "operators/fno@1";

/// A failure of the library as one of an operation.
fn failed(error: crate::Error) -> flow_plugin::Error {
    match error {
        crate::Error::Cancelled => flow_plugin::Error::cancelled(),
        crate::Error::Config(message) | crate::Error::Data(message) => flow_plugin::Error::bad_input(message),
        other => flow_plugin::Error::failed(other.to_string()),
    }
}
