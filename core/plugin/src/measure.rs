//! What this process has used of the machine.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// CPU seconds of all threads of this process so far, user and system. Unlike wall seconds they do not count the
/// time in which the machine did something else.
#[must_use]
pub fn cpu_seconds() -> f64 {
    seconds_of(UsageWho::RUSAGE_SELF)
}

/// The same, with the programs that this process has started and that have ended.
pub(crate) fn cpu_seconds_with_programs() -> f64 {
    cpu_seconds() + seconds_of(UsageWho::RUSAGE_CHILDREN)
}

fn seconds_of(who: UsageWho) -> f64 {
    getrusage(who).map_or(0.0, |usage| {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        micros as f64 * 1e-6
    })
}

/// Lets [`peak_rss`] count from here: the process may have served a larger node before. Where the system cannot
/// do that, the peak is that of the whole process.
pub(crate) fn reset_peak_rss() {
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that the process has held, in bytes.
pub(crate) fn peak_rss() -> u64 {
    #[cfg(target_os = "linux")]
    if let Some(kib) = crate::processes::told("/proc/self/status").and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    }) {
        return kib << 10;
    }
    let peak = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    u64::try_from(peak).unwrap_or(0) * unit
}
