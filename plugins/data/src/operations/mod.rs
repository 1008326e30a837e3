//! The operations of the plugin: thin layers over the library.

mod concat;
mod describe;
mod normalize;
mod read;
mod select;
mod split;
mod write;

pub(crate) use concat::Concat;
pub(crate) use describe::Describe;
pub(crate) use normalize::Normalize;
pub(crate) use read::Read;
pub(crate) use select::Select;
pub(crate) use split::Split;
pub(crate) use write::Write;

use flow_plugin::Context;
use flow_plugin::artifact::Dataset;

use crate::{Error, Result};

/// Reports bytes as megabytes, and stops when the engine asks.
fn progress(context: &Context, total: u64) -> impl FnMut(u64) -> Result<()> + '_ {
    let mut done = 0;
    move |more| {
        done += more;
        report(context, done, total)
    }
}

fn report(context: &Context, done: u64, total: u64) -> Result<()> {
    context.progress(done / 1_000_000, total / 1_000_000, "MB", "");
    if context.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

/// What the engine makes of an error.
fn told(error: Error) -> flow_plugin::Error {
    match error {
        Error::Data(message) => flow_plugin::Error::bad_input(message),
        Error::Cancelled => flow_plugin::Error::cancelled(),
        Error::Artifact(error) => error.into(),
    }
}

fn open(context: &Context, port: &str) -> flow_plugin::Result<Dataset> {
    Ok(Dataset::open(&context.input(port)?.path)?)
}

#[cfg(test)]
mod tests;
