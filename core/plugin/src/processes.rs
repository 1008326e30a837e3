//! The processes below a worker: finding them, what they hold, and ending them.
//!
//! A worker adopts what its programs leave behind (it is their *subreaper*), so that everything a node has
//! started stays below its worker until it has ended, also what has a process group or a session of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often the processes are listed anew: while some are being ended, others may start new ones.
const ROUNDS: usize = 200;

/// Lets this process adopt what its children leave behind when they end.
pub fn adopt_orphans() {
    // Should the system refuse, orphans outside the process group are found no more; everything else holds.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

static STARTING: Mutex<()> = Mutex::new(());

/// Held while an operation starts a process: a worker that is being ended starts none that it would not find.
#[must_use = "it is held as long as this lives"]
pub fn starting() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The processes that live, each with its parent. Empty where the system does not tell.
fn living() -> Vec<(Pid, Pid)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let id: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name of the program stands in parentheses, and may hold anything.
            let mut fields = stat.rsplit_once(") ")?.1.split(' ');
            let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
            (!matches!(state, "Z" | "X")).then_some((Pid::from_raw(id), Pid::from_raw(parent)))
        })
        .collect()
}

/// The children of a process, those that have ended left out.
#[must_use]
pub fn children(of: Pid) -> Vec<Pid> {
    living().into_iter().filter(|(_, parent)| *parent == of).map(|(id, _)| id).collect()
}

/// The processes below this one, those that have ended left out.
#[must_use]
pub fn descendants(of: Pid) -> Vec<Pid> {
    let processes = living();
    let mut found = vec![of];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        next += 1;
    }
    found.split_off(1)
}

/// Kills the processes below this one, and those that they start meanwhile.
pub fn kill_descendants(of: Pid) {
    kill_found(|| descendants(of));
}

/// Kills the processes that are found, as long as some are.
pub fn kill_found(find: impl Fn() -> Vec<Pid>) {
    for _ in 0..ROUNDS {
        let found = find();
        if found.is_empty() {
            return;
        }
        for id in found {
            // An error means that it has ended by itself.
            let _ = kill(id, Signal::SIGKILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// What the system tells in a file of its own. Such files are made anew at each read, so one read must do.
pub(crate) fn told(path: &str) -> Option<String> {
    let mut buffer = vec![0; 8192];
    let length = std::io::Read::read(&mut std::fs::File::open(path).ok()?, &mut buffer).ok()?;
    buffer.truncate(length);
    String::from_utf8(buffer).ok()
}

/// Whether a process has a file at or below a path in its memory such that what it stores there gets into the file.
fn maps(id: Pid, path: &Path) -> bool {
    let Ok(mappings) = std::fs::read_to_string(format!("/proc/{id}/maps")) else { return false };
    mappings.lines().any(|line| {
        // Addresses, rights, offset, device, inode, and after any number of blanks the path.
        let mut fields = line.splitn(6, ' ');
        let shared = fields.nth(1).is_some_and(|rights| rights.contains('w') && rights.ends_with('s'));
        shared && fields.nth(3).is_some_and(|file| Path::new(file.trim_start()).starts_with(path))
    })
}

/// Whether a process, or one below it, has a file at or below a path open for writing, or in its memory. Not so where
/// the system does not tell.
#[must_use]
pub fn writes_to(of: Pid, path: &Path) -> bool {
    let writes = |id: Pid| {
        if maps(id, path) {
            return true;
        }
        let Ok(open) = std::fs::read_dir(format!("/proc/{id}/fd")) else { return false };
        open.flatten().any(|entry| {
            // The right to write shows in the permissions of the link.
            let writable = entry.metadata().is_ok_and(|link| link.permissions().mode() & 0o200 != 0);
            writable && std::fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(path))
        })
    };
    let mut waiting = vec![of];
    while let Some(id) = waiting.pop() {
        if writes(id) {
            return true;
        }
        // Asked of the process itself: looking through all that live would cost more than a small node.
        let Ok(threads) = std::fs::read_dir(format!("/proc/{id}/task")) else { continue };
        for thread in threads.flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            waiting.extend(children.split_whitespace().filter_map(|id| id.parse().ok()).map(Pid::from_raw));
        }
    }
    false
}

/// The memory that a process holds, in bytes; 0 where the system does not tell.
#[must_use]
pub fn resident(id: Pid) -> u64 {
    let statm = told(&format!("/proc/{id}/statm")).unwrap_or_default();
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096);
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    pages * page.unsigned_abs()
}
