//! `flow worker`: the process that runs nodes.

use std::process::ExitCode;

use super::Failure;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    flow_plugin::serve(crate::plugins::builtin()).map(|()| ExitCode::SUCCESS).map_err(|error| {
        Failure::request(format_args!("the conversation with the engine broke off: {error}"))
    })
}
