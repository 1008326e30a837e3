//! Memory limits by control groups (version 2), where the system delegates them to this process: the kernel keeps
//! them exactly, for a worker and all it starts.
//!
//! A process may make groups below its own if it may write there, the memory controller reaches that far, and no
//! other process lives in its group: a group has either processes or groups with limits. So the coordinator moves
//! into a leaf of its own first. `systemd-run --user --scope -p Delegate=yes flow run …` gives such a group.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The delegated group of this process.
pub(super) struct Groups {
    base: PathBuf,
}

/// The group of one worker. Removed when this is dropped, if all that was in it has ended.
pub(super) struct Group {
    folder: PathBuf,
    /// How often something in it had been ended for its memory before the present node.
    kills: u64,
}

/// Asked for once: moving into the leaf is a step of the process, not of a run.
static GROUPS: OnceLock<Option<Groups>> = OnceLock::new();

/// The delegated group of this process, if it has one.
pub(super) fn delegated() -> Option<&'static Groups> {
    GROUPS.get_or_init(|| Groups::at(&own()?, std::process::id()).ok()).as_ref()
}

/// How memory limits are kept in this process.
pub(crate) fn how() -> &'static str {
    match GROUPS.get() {
        Some(Some(_)) => "by control groups",
        _ => "by watching the processes",
    }
}

/// The folder of the group that this process is in.
fn own() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().map(|line| line.split(' ')).find_map(|mut fields| {
        let (folder, kind) = (fields.nth(1)?, fields.next()?);
        (kind == "cgroup2").then(|| folder.to_owned())
    })?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(&mount).join(path))
}

impl Groups {
    /// Prepares the group in this folder for groups below it.
    fn at(base: &Path, process: u32) -> io::Result<Self> {
        let controllers = fs::read_to_string(base.join("cgroup.controllers"))?;
        if !controllers.split_whitespace().any(|name| name == "memory") {
            return Err(io::Error::other("the memory controller is not delegated"));
        }
        let leaf = base.join(format!("flow-{process}"));
        fs::create_dir(&leaf)?;
        let prepared = fs::write(leaf.join("cgroup.procs"), process.to_string())
            .and_then(|()| fs::write(base.join("cgroup.subtree_control"), "+memory"));
        if let Err(error) = prepared {
            // Other processes live there. Back to where we were, as if nothing had been.
            let _ = fs::write(base.join("cgroup.procs"), process.to_string());
            let _ = fs::remove_dir(&leaf);
            return Err(error);
        }
        Ok(Self { base: base.to_owned() })
    }

    /// Puts a worker, which has started nothing yet, into a group of its own.
    pub(super) fn group(&self, process: u32) -> io::Result<Group> {
        let folder = self.base.join(format!("flow-{}-worker-{process}", std::process::id()));
        fs::create_dir(&folder)?;
        let group = Group { folder, kills: 0 };
        // All of a node or nothing: half of it would wait for the rest for ever.
        group.write("memory.oom.group", "1")?;
        group.write("cgroup.procs", &process.to_string())?;
        Ok(group)
    }
}

impl Group {
    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.folder.join(file), value)
    }

    fn number(&self, file: &str) -> Option<u64> {
        fs::read_to_string(self.folder.join(file)).ok()?.trim().parse().ok()
    }

    /// Sets the limit for the next node: bytes, or none.
    pub(super) fn limit(&mut self, memory: Option<u64>) -> io::Result<()> {
        let limit = memory.map_or_else(|| "max".to_owned(), |bytes| bytes.to_string());
        self.write("memory.max", &limit)?;
        // Without this a node would move into swap space instead of ending. Kernels without swap do not have it.
        let _ = self.write("memory.swap.max", if memory.is_some() { "0" } else { "max" });
        // The peak counts from here, where the kernel lets it be set back.
        let _ = self.write("memory.peak", "0");
        self.kills = self.kills_so_far();
        Ok(())
    }

    /// The most memory that the node has held, if it was ended for it.
    pub(super) fn ended_for(&self) -> Option<u64> {
        (self.kills_so_far() > self.kills).then(|| self.number("memory.peak").unwrap_or(0))
    }

    fn kills_so_far(&self) -> u64 {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.and_then(|kills| kills.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // One that is not empty yet stays; the system removes it with the group that it is in.
        let _ = fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A folder that looks like a group. Unlike the kernel's, its files take anything.
    fn pretended(controllers: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.controllers"), controllers).unwrap();
        folder
    }

    #[test]
    fn a_worker_has_a_group_with_the_limit_of_its_node() {
        let folder = pretended("cpu memory pids\n");
        let base = folder.path();
        let read = |path: &str| fs::read_to_string(base.join(path)).unwrap();
        let groups = Groups::at(base, 7).unwrap();
        assert_eq!(
            (read("flow-7/cgroup.procs"), read("cgroup.subtree_control")),
            ("7".into(), "+memory".into())
        );
        let mut group = groups.group(9).unwrap();
        let name = format!("flow-{}-worker-9", std::process::id());
        assert_eq!(read(&format!("{name}/cgroup.procs")), "9");
        fs::write(base.join(&name).join("memory.events"), "oom 1\noom_kill 1\n").unwrap();
        group.limit(Some(1 << 20)).unwrap();
        assert_eq!(read(&format!("{name}/memory.max")), "1048576");
        assert_eq!(group.ended_for(), None, "that was the node before");
        fs::write(base.join(&name).join("memory.events"), "oom 2\noom_kill 3\n").unwrap();
        fs::write(base.join(&name).join("memory.peak"), "1048576\n").unwrap();
        assert_eq!(group.ended_for(), Some(1 << 20));
        group.limit(None).unwrap();
        assert_eq!((read(&format!("{name}/memory.max")), group.ended_for()), ("max".into(), None));
    }

    #[test]
    fn without_the_memory_controller_nothing_is_changed() {
        let folder = pretended("cpu pids\n");
        assert!(Groups::at(folder.path(), 7).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// The real thing, where the machine lets this process have it.
    #[test]
    fn the_kernel_ends_what_takes_more_than_its_limit() {
        let Some(groups) = delegated() else {
            eprintln!("skipped: no control group with the memory controller is delegated to this process");
            return;
        };
        // The shell waits until it is in its group; then a grandchild takes 64 MiB.
        let mut child = std::process::Command::new("sh")
            .args(["-c", "read go; (head -c 100000000 /dev/zero | tail -c 64000000 | wc -c); echo out"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut group = groups.group(child.id()).unwrap();
        group.limit(Some(16 << 20)).unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"go\n").unwrap();
        assert!(!child.wait().unwrap().success());
        let peak = group.ended_for().unwrap();
        assert!((1 << 20..=16 << 20).contains(&peak), "{peak}");
    }
}
