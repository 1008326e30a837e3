//! The machine a run is on, and the names of runs.

use std::fs;
use std::thread;

use flow_store::{Machine, RunLock, Store};

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

/// Names a run that starts now, and locks it: `prefix`, its date and time (UTC), and a few digits that tell apart runs of
/// one second.
pub(super) fn name_and_lock(
    store: &Store,
    prefix: &str,
    now: f64,
) -> Result<(String, RunLock), flow_store::Error> {
    let mut attempt = 0;
    loop {
        let name = format!("{prefix}{}", name(now, attempt));
        if let Some(lock) = store.lock_run(&name)? {
            return Ok((name, lock));
        }
        // So few digits are the same now and then.
        attempt += 1;
    }
}

fn name(now: f64, attempt: usize) -> String {
    let Moment { year, month, day, hour, minute, second } = Moment::of(now);
    let unique = blake3::hash(format!("{now} {} {attempt}", std::process::id()).as_bytes()).to_hex();
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{}", &unique[..4])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn runs_are_named_by_date_and_time() {
        assert!(name(1_000_000_000.0, 0).starts_with("20010909-014640-"));
    }

    #[test]
    fn names_that_are_taken_are_not_given_again() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(&root.path().join("store")).unwrap();
        let taken: Vec<_> = (0..50).map(|_| name_and_lock(&store, "", 1_000_000_000.0).unwrap()).collect();
        let names: std::collections::BTreeSet<_> = taken.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), taken.len());
    }
}
