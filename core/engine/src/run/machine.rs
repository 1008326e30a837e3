//! The machine a run is on, and the names of runs.

use std::fs;
use std::thread;

use flow_store::Machine;

use crate::human::Moment;

/// How many cores this process may use.
#[must_use]
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

pub(super) fn this(cores: usize) -> Machine {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let cpu = model.map_or(std::env::consts::ARCH, |(_, name)| name.trim()).to_owned();
    Machine { host, cpu, cores }
}

/// The memory that is free for work, in bytes; without limit where the system does not tell.
pub(super) fn memory() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = available.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib << 10)
}

/// A name for a run that starts now: its date and time (UTC), and a few digits that tell apart runs of one
/// second.
pub(super) fn run_name(now: f64) -> String {
    let Moment { year, month, day, hour, minute, second } = Moment::of(now);
    let unique = blake3::hash(format!("{now} {}", std::process::id()).as_bytes()).to_hex();
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{}", &unique[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_by_date_and_time() {
        assert!(run_name(1_000_000_000.0).starts_with("20010909-014640-"));
    }
}
