//! Whether a store lies on a network file system: there its index keeps a rollback journal, because a write-ahead
//! log needs memory that all processes share, and runs go one at a time.

use std::path::Path;

/// Says what the system does not: `network` or `local`.
const VARIABLE: &str = "FLOW_FILE_SYSTEM";

/// What lies on other machines, or may, by the number that the system gives it.
#[cfg(target_os = "linux")]
const KINDS: [(i64, &str); 17] = [
    (0x6969, "NFS"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x00C3_6400, "Ceph"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x517B, "SMB"),
    // Also file systems of this machine: which, it does not say.
    (0x6573_5546, "FUSE"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x0102_1997, "9P"),
    (0xAAD7_AAEA, "PanFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x2003_0528, "OrangeFS"),
    (0x7375_7245, "Coda"),
];

/// The kind of network file system that holds this folder, if it is one.
pub(crate) fn kind(folder: &Path) -> Option<&'static str> {
    match std::env::var(VARIABLE).as_deref() {
        Ok("network") => Some("network, as FLOW_FILE_SYSTEM says"),
        Ok("local") => None,
        _ => told(folder),
    }
}

#[cfg(target_os = "linux")]
fn told(folder: &Path) -> Option<&'static str> {
    let number = nix::sys::statfs::statfs(folder).ok()?.filesystem_type().0;
    named(number)
}

#[cfg(target_os = "linux")]
fn named(number: i64) -> Option<&'static str> {
    // Some systems give the number as one of 32 bits with a sign.
    let number = number & 0xFFFF_FFFF;
    KINDS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(not(target_os = "linux"))]
fn told(_: &Path) -> Option<&'static str> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_other_machines_are_known_by_number() {
        assert_eq!(named(0x6969), Some("NFS"));
        assert_eq!(named(i64::from(0xFF53_4D42_u32.cast_signed())), Some("CIFS"));
        // ext4, tmpfs, overlayfs.
        for local in [0xEF53, 0x0102_1994, 0x794C_7630] {
            assert_eq!(named(local), None);
        }
    }
}
