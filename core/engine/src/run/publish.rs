//! Placing outputs where the user wants them.
//!
//! A published file is a copy, never a link into the store. What lies at the path already is replaced only if
//! flow made it; anything else, be it a file that was there before or a published one that someone edited, is
//! moved aside first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flow_plugin::artifact::digest;
use flow_store::{OutputRecord, Store};

/// Places one output at a path, by temporary name and rename. Gives a warning where something was moved aside.
pub(super) fn publish(store: &Store, output: &OutputRecord, to: &Path) -> Result<Option<String>, String> {
    let problem = |error: &dyn std::fmt::Display| format!("cannot publish {}: {error}", to.display());
    let mut warning = None;
    if fs::symlink_metadata(to).is_ok() {
        match digest::of(output.kind, to) {
            Ok(found) if found.digest == output.digest => return Ok(None),
            Ok(found) if store.producer(&found.digest).map_err(|error| problem(&error))?.is_some() => {}
            _ => {
                let aside = set_aside(to).map_err(|error| problem(&error))?;
                let (to, aside) = (to.display(), aside.display());
                warning = Some(format!("{to} was not as flow would have left it; it is now {aside}"));
            }
        }
    }
    let from = store.artifact_path(&output.digest).map_err(|error| problem(&error))?;
    place(&from, to).map_err(|error| problem(&error))?;
    Ok(warning)
}

fn place(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = with_suffix(to, &format!(".flow-{}", std::process::id()));
    copy(from, &temporary)?;
    if to.is_dir() {
        fs::remove_dir_all(to)?;
    }
    fs::rename(&temporary, to)
}

/// Copies a file or a folder; the copy can be written.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    // Not `fs::copy`, which would copy that the object is read only. Shares blocks where the system can.
    io::copy(&mut fs::File::open(from)?, &mut fs::File::create(to)?).map(drop)
}

/// Renames what lies there to `NAME.edited-N`, with the first N that is free.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let aside = with_suffix(path, &format!(".edited-{number}"));
        if fs::symlink_metadata(&aside).is_err() {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
        number += 1;
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}
