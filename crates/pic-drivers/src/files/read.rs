//! Reading files back, never more of them than is said.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use pic_plan::target::file;

use super::{Error, Verb};

/// More than any file of ours has; of a longer one only this much is read, which differs from what we want already.
const OBSERVED: u64 = 64 << 20;

/// Content of a file of at most this many bytes; `None` if there is none.
pub fn read_bounded(path: &Path, max: u64) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = open(path, 0)? else { return Ok(None) };
    if !file.metadata().map_err(Verb::Read.on(path))?.is_file() {
        return Err(Error::NotPlain { path: path.to_owned() });
    }
    let mut content = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut content).map_err(Verb::Read.on(path))?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= max) {
        Ok(Some(content))
    } else {
        Err(Error::TooLarge { path: path.to_owned(), max })
    }
}

/// Those of these files that are there. Anything at such a path but a plain file, as a symbolic link, is shown as empty
/// with mode 0: it is there, and it is not what it should be.
pub fn observe<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<String, file::File>, Error> {
    let mut files = BTreeMap::new();
    for path in paths {
        if let Some(file) = observe_one(Path::new(path))? {
            files.insert(path.to_owned(), file);
        }
    }
    Ok(files)
}

fn observe_one(path: &Path) -> Result<Option<file::File>, Error> {
    let strange = || file::File { content: Vec::new(), mode: 0 };
    let file = match open(path, libc::O_NOFOLLOW) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(Error::Step { source, .. }) if is_no_file(&source) => return Ok(Some(strange())),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata().map_err(Verb::Read.on(path))?;
    if !metadata.is_file() {
        return Ok(Some(strange()));
    }
    let mut content = Vec::new();
    file.take(OBSERVED).read_to_end(&mut content).map_err(Verb::Read.on(path))?;
    Ok(Some(file::File { content, mode: metadata.permissions().mode() & 0o7777 }))
}

/// A link where none may be, or a socket.
fn is_no_file(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO))
}

/// Does not block on a pipe that somebody put there.
fn open(path: &Path, flags: i32) -> Result<Option<File>, Error> {
    match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | flags).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Verb::Read.on(path)(error)),
    }
}
