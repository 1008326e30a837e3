//! What makes objects durable, in one place, so that tests can put a disk here that loses power.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The steps between written files and objects that survive a loss of power.
pub(crate) trait Disk: Send {
    /// Makes the bytes of a file durable.
    fn sync_file(&self, file: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes everything on the file system durable that holds this folder.
    fn sync_all(&self, folder: &Path) -> io::Result<()>;
    /// Moves a file or folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
}

/// The file system.
pub(crate) struct System;

impl Disk for System {
    fn sync_file(&self, file: &Path) -> io::Result<()> {
        File::open(file)?.sync_all()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        match File::open(folder)?.sync_all() {
            // Some network file systems have nothing to sync in a folder.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }

    #[cfg(target_os = "linux")]
    fn sync_all(&self, folder: &Path) -> io::Result<()> {
        Ok(nix::unistd::syncfs(File::open(folder)?)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_all(&self, _: &Path) -> io::Result<()> {
        nix::unistd::sync();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
}
