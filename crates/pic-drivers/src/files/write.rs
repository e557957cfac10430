//! Writing a file whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::dir::parent;
use super::{Error, TEMPORARY, Verb};

/// Tries to find a free name; names are taken only by what killed processes left.
const ATTEMPTS: u32 = 100;

/// Puts content and permission bits at a path, in place of what was there. The directory must exist.
///
/// The order is: new file beside it, content, mode, content to disk, rename, directory to disk. See the module for what
/// that gives.
pub fn write_atomic(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    if path.file_name().is_none() {
        return Err(Error::NoName { path: path.to_owned() });
    }
    let parent = parent(path);
    // Opened first: an error here must come before the rename and not after it.
    let directory = File::open(parent).map_err(Verb::Sync.on(parent))?;
    let temporary = Temporary::fill(parent, content, mode).map_err(Verb::Write.on(path))?;
    temporary.rename(path).map_err(Verb::Replace.on(path))?;
    directory.sync_all().map_err(Verb::Sync.on(parent))
}

/// A temporary file, removed when dropped unless it was renamed.
struct Temporary {
    path: PathBuf,
    /// Locked for as long as it is open, which tells [`super::sweep()`] that somebody is writing.
    file: File,
    is_renamed: bool,
}

impl Temporary {
    fn fill(directory: &Path, content: &[u8], mode: u32) -> io::Result<Self> {
        let mut temporary = Self::create(directory)?;
        temporary.file.write_all(content)?;
        temporary.file.set_permissions(Permissions::from_mode(mode & 0o777))?;
        temporary.file.sync_all()?;
        Ok(temporary)
    }

    fn create(directory: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            match Self::create_named(directory.join(next_name())) {
                Ok(Some(temporary)) => return Ok(temporary),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// `None` if a sweep took the file between its creation and its lock.
    fn create_named(path: PathBuf) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)?;
        let temporary = Self { path, file, is_renamed: false };
        temporary.file.lock()?;
        let is_there = temporary.file.metadata()?.nlink() > 0;
        Ok(is_there.then_some(temporary))
    }

    fn rename(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            // Already on the way out with an error; what cannot be removed now is swept later.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A name that no other living process and no other call in this one uses.
fn next_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    format!("{TEMPORARY}{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}
