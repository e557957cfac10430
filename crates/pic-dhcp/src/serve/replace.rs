//! Files that are replaced whole: readers see the old or the new text.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How long a file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasts {
    /// It is made anew after a reboot: not flushed to the disk.
    UntilReboot,
    /// On the disk when this returns.
    Always,
}

/// Puts `content` in the place of whatever is at `path`.
pub(super) fn replace(path: &Path, content: &[u8], lasts: Lasts) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    if lasts == Lasts::Always {
        file.sync_all()?;
    }
    fs::rename(new, path)?;
    match path.parent().filter(|_| lasts == Lasts::Always) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
