//! The snapshot on disk: reading it, and noticing that another has taken its place.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pic_model::snapshot::dhcp::{DhcpSnapshot, VERSION};

/// A thousand LANs with a thousand reservations each are below this.
const MAX_BYTES: u64 = 256 << 20;

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// The file is not a snapshot.
    #[error("{path} is not a snapshot", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Reason.
        source: serde_json::Error,
    },
    /// Made for another release.
    #[error("{path} has format {found}, this program knows {VERSION}; restart pic-dhcp after the upgrade", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

#[derive(serde::Deserialize)]
struct Probe {
    version: u32,
}

/// The snapshot in these bytes; `path` is where they are from, for the error.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<DhcpSnapshot, SnapshotError> {
    let parse = |source| SnapshotError::Parse { path: path.to_owned(), source };
    // The version first: another version may well have other fields.
    let probe: Probe = serde_json::from_slice(bytes).map_err(parse)?;
    if probe.version != VERSION {
        return Err(SnapshotError::Version { path: path.to_owned(), found: probe.version });
    }
    serde_json::from_slice(bytes).map_err(parse)
}

/// Inode, size and change time in nanoseconds: tells one file from the next.
type Stamp = (u64, u64, i64, i64);

/// A file that is looked at again and again.
#[derive(Debug)]
pub struct Followed {
    path: PathBuf,
    seen: Option<Stamp>,
}

impl Followed {
    /// Nothing seen yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// The folder it is in.
    pub fn folder(&self) -> &Path {
        self.path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Its content, if it is another than at the last look.
    pub fn look(&mut self) -> Option<Result<DhcpSnapshot, SnapshotError>> {
        let meta = fs::metadata(&self.path).ok()?;
        let stamp = (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
        if self.seen == Some(stamp) {
            return None;
        }
        self.seen = Some(stamp);
        let read = |source| SnapshotError::Read { path: self.path.clone(), source };
        if meta.len() > MAX_BYTES {
            return Some(Err(read(io::ErrorKind::FileTooLarge.into())));
        }
        Some(fs::read(&self.path).map_err(read).and_then(|bytes| parse(&self.path, &bytes)))
    }
}
