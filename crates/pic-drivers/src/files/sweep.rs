//! Removing what killed writers left behind.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{Error, TEMPORARY, Verb};

/// Removes temporary files of ours that nobody is writing; gives how many. A missing directory has none.
///
/// A writer holds a lock on its temporary file, and the kernel drops it with the writer; so a file without a lock has
/// no writer any more.
pub fn sweep(directory: &Path) -> Result<usize, Error> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(Verb::List.on(directory))?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(Verb::List.on(directory))?;
        if entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
            removed += usize::from(remove_stale(&entry.path())?);
        }
    }
    Ok(removed)
}

fn remove_stale(path: &Path) -> Result<bool, Error> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // Renamed meanwhile by its writer.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Verb::Remove.on(path)(error)),
    };
    let is_plain = file.metadata().map_err(Verb::Remove.on(path))?.is_file();
    if !is_plain || file.try_lock().is_err() {
        return Ok(false);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true).map_err(Verb::Remove.on(path)),
    }
}
