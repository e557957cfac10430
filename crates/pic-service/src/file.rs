//! Small files that are read or replaced whole: readers see the old or the new text.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// How long a file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// It is made anew after a reboot: not flushed to the disk.
    UntilReboot,
    /// On the disk when this returns.
    Always,
}

/// Puts `content` in the place of whatever is at `path`, for everybody to read.
///
/// # Errors
/// The disk's; then what was there before is still there.
pub fn replace(path: &Path, content: &[u8], lasts: Lasts) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    // Whatever our umask: the agent is root without power over the files of others.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(content)?;
    if lasts == Lasts::Always {
        file.sync_all()?;
    }
    fs::rename(new, path)?;
    match path.parent().filter(|_| lasts == Lasts::Always) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The whole file, if there is one.
///
/// # Errors
/// The disk's; [`io::ErrorKind::FileTooLarge`] where it has more than `max` bytes.
pub fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    if size > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    // It may grow while it is read.
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(Some(bytes)) }
}

/// Tells one file from the next that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    /// Of the file that is there now.
    ///
    /// # Errors
    /// It cannot be looked at, or there is none.
    pub fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self { inode: meta.ino(), size: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_read_with_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status.json");
        assert!(read(&path, 10).unwrap().is_none());
        replace(&path, b"0123456789", Lasts::UntilReboot).unwrap();
        let before = Stamp::of(&path).unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"0123456789");
        assert_eq!(read(&path, 9).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        replace(&path, b"other", Lasts::Always).unwrap();
        assert_ne!(Stamp::of(&path).unwrap(), before);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
