//! The machine a run is on, and the names of runs.

use std::fs;
use std::thread;

use flow_store::Machine;

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
    let seconds = now as i64;
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let time = seconds.rem_euclid(86_400);
    let unique = blake3::hash(format!("{now} {}", std::process::id()).as_bytes()).to_hex();
    format!(
        "{year:04}{month:02}{day:02}-{:02}{:02}{:02}-{}",
        time / 3600,
        time / 60 % 60,
        time % 60,
        &unique[..4]
    )
}

/// Year, month and day of a number of days since 1970 (H. Hinnant, "chrono-compatible low-level date
/// algorithms", civil_from_days).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_454), (2026, 1, 1));
        assert!(run_name(1_000_000_000.0).starts_with("20010909-014640-"));
    }
}
