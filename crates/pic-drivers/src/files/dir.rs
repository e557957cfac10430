//! Directories and their entries.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::{Error, Verb};

/// The directory that holds the entry.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => Path::new("/"),
    }
}

fn sync(directory: &Path) -> Result<(), Error> {
    File::open(directory).and_then(|file| file.sync_all()).map_err(Verb::Sync.on(directory))
}

/// Removes a file for good. One that is not there is removed already.
pub fn remove_durable(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Ok(()) => sync(parent(path)),
        // Somebody may have removed it a moment ago without making that durable.
        Err(error) if error.kind() == io::ErrorKind::NotFound => match sync(parent(path)) {
            Err(Error::Step { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        },
        Err(error) => Err(Verb::Remove.on(path)(error)),
    }
}

/// Creates a directory and those above it that are missing, all with these permission bits. One that exists is left as
/// it is.
pub fn create_dir_durable(path: &Path, mode: u32) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    let above = parent(path);
    if above != path {
        create_dir_durable(above, mode)?;
    }
    // The process's mask may take bits away; they are put back.
    match DirBuilder::new().mode(mode & 0o777).create(path) {
        Ok(()) => {
            fs::set_permissions(path, Permissions::from_mode(mode & 0o777)).map_err(Verb::Create.on(path))?
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) => return Err(Verb::Create.on(path)(error)),
    }
    sync(above)
}
