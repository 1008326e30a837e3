//! Archives that carry no times, so that equal contents give equal bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::digest::list;
use crate::{Error, Result};

/// Writes what is in a folder into a new archive, not compressed.
///
/// # Errors
/// When something cannot be read or written.
pub fn write_zip(folder: &Path, path: &Path) -> Result<()> {
    let file = File::create(path).map_err(Error::io("create", path))?;
    let failed = |error: zip::result::ZipError| Error::io("write", path)(error.into());
    let mut archive = ZipWriter::new(BufWriter::new(file));
    for name in list(folder)? {
        let from = folder.join(&name);
        let mut source = File::open(&from).map_err(Error::io("read", &from))?;
        let size = source.metadata().map_err(Error::io("read", &from))?.len();
        archive.start_file(name.replace('\\', "/"), options(size)).map_err(failed)?;
        io::copy(&mut source, &mut archive).map_err(Error::io("write", path))?;
    }
    let mut file = archive.finish().map_err(failed)?;
    file.flush().map_err(Error::io("write", path))
}

/// How a file of so many bytes is put into an archive.
pub(super) fn options(size: u64) -> SimpleFileOptions {
    const SMALL: u64 = 4_000_000_000;
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .large_file(size >= SMALL)
}
