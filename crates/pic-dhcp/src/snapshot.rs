//! The snapshot on disk: reading it, and noticing that another has taken its place.

use std::path::{Path, PathBuf};

use pic_model::snapshot::dhcp::{DhcpSnapshot, VERSION};
use pic_service::file::Stamp;
use pic_service::snapshot::{Kind, SnapshotError};

/// Networks and all.
pub const KIND: Kind<DhcpSnapshot> = Kind {
    program: "pic-dhcp",
    version: VERSION,
    version_of: |snapshot| snapshot.version,
    // A thousand LANs with a thousand reservations each are below this.
    max: 256 << 20,
};

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
        let stamp = Stamp::of(&self.path).ok()?;
        if self.seen.replace(stamp) == Some(stamp) {
            return None;
        }
        Some(KIND.load(&self.path))
    }
}
