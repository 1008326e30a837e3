//! `flow worker`: the process that runs nodes.

use std::process::ExitCode;

use super::Failure;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    end_with_coordinator();
    flow_plugin::serve(crate::plugins::builtin()).map(|()| ExitCode::SUCCESS).map_err(|error| {
        Failure::request(format_args!("the conversation with the engine broke off: {error}"))
    })
}

/// Lets the system kill this process when the one that started it dies, whatever it is doing then.
#[cfg(target_os = "linux")]
fn end_with_coordinator() {
    let coordinator = std::env::var("FLOW_COORDINATOR").ok().and_then(|id| id.parse::<i32>().ok());
    let Some(coordinator) = coordinator else { return };
    // Should the request be refused, the end of standard input still ends an idle worker.
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
    if nix::unistd::getppid().as_raw() != coordinator {
        // It died before the request was made.
        std::process::exit(1);
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_coordinator() {}
