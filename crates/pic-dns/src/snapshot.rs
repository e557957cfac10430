//! The snapshot on disk: reading it, and noticing a new one.
//!
//! The agent renames a new file into place, which inotify reports at once. A look at the file every few seconds covers
//! what inotify cannot see (the folder itself replaced). Never writes, never serves a file it does not fully understand.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{io, os::fd::AsFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use pic_model::snapshot::dns::{DnsSnapshot, VERSION};
use tokio::sync::mpsc;

/// Far above a million records; a larger file is a mistake and not worth the memory.
const MAX_BYTES: u64 = 512 << 20;
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The same where there is no folder to watch.
const LOOK_OFTEN: Duration = Duration::from_millis(300);

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
    #[error("{path} has format {found}, this program knows {VERSION}; restart pic-dns after the upgrade", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A zone makes no sense.
    #[error("{path} has a bad zone", path = path.display())]
    Zone {
        /// The file.
        path: PathBuf,
        /// Reason.
        source: crate::zone::ZoneError,
    },
}

/// Reads and checks the snapshot at `path`.
pub fn load(path: &Path) -> Result<DnsSnapshot, SnapshotError> {
    let read = |source| SnapshotError::Read { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(read)?.len();
    if size > MAX_BYTES {
        return Err(read(io::Error::new(io::ErrorKind::FileTooLarge, format!("{size} bytes"))));
    }
    parse(path, &fs::read(path).map_err(read)?)
}

/// The snapshot in these bytes; `path` is where they are from, for the error.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<DnsSnapshot, SnapshotError> {
    let parse = |source| SnapshotError::Parse { path: path.to_owned(), source };
    // Read once where all is well: a large zone takes its time.
    let error = match serde_json::from_slice::<DnsSnapshot>(bytes) {
        Ok(snapshot) if snapshot.version == VERSION => return Ok(snapshot),
        Ok(snapshot) => {
            return Err(SnapshotError::Version { path: path.to_owned(), found: snapshot.version });
        }
        Err(error) => error,
    };
    // Another version may well have other fields, and then says more than what is wrong with them.
    match serde_json::from_slice::<Probe>(bytes) {
        Ok(probe) if probe.version != VERSION => {
            Err(SnapshotError::Version { path: path.to_owned(), found: probe.version })
        }
        Ok(_) | Err(_) => Err(parse(error)),
    }
}

#[derive(serde::Deserialize)]
struct Probe {
    version: u32,
}

/// Tells one file from the next that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: SystemTime,
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    Some(Stamp { inode: meta.ino(), size: meta.len(), modified: meta.modified().ok()? })
}

/// Sends the result of loading `path` now and after every change. Blocks; ends when nobody listens any more.
pub fn watch<T>(
    path: &Path,
    load: fn(&Path) -> Result<T, SnapshotError>,
    found: &mpsc::Sender<Result<T, SnapshotError>>,
) {
    let mut seen = None;
    let mut waiter = Waiter::new(path);
    while !found.is_closed() {
        let now = stamp(path);
        if now.is_some() && now != seen {
            seen = now;
            if found.blocking_send(load(path)).is_err() {
                return;
            }
            // It may have been replaced while we were reading.
            continue;
        }
        waiter.wait();
    }
}

/// Waits for something to happen in a folder.
struct Waiter {
    folder: PathBuf,
    inotify: Option<Inotify>,
}

impl Waiter {
    fn new(path: &Path) -> Self {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let inotify = start(&folder).inspect_err(|error| {
            tracing::info!(folder = %folder.display(), %error, "cannot watch the folder yet, looking often instead");
        });
        Self { folder, inotify: inotify.ok() }
    }

    fn wait(&mut self) {
        // Watching anew on every pause costs nothing and follows a folder that was replaced.
        match &self.inotify {
            Some(inotify) => drop(add_watch(inotify, &self.folder)),
            // The folder of a service that was not wanted before may have come meanwhile.
            None => {
                self.inotify = start(&self.folder).ok();
                // With a file that nobody was told of.
                if self.inotify.is_some() {
                    return;
                }
            }
        }
        let pause = if self.inotify.is_some() { LOOK_AGAIN } else { LOOK_OFTEN };
        let timeout = PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX);
        let Some(inotify) = &self.inotify else {
            let _ = poll(&mut [], timeout);
            return;
        };
        let _ = poll(&mut [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)], timeout);
        // Which event it was does not matter: the stamp decides.
        while inotify.read_events().is_ok() {}
    }
}

fn start(folder: &Path) -> nix::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    add_watch(&inotify, folder)?;
    Ok(inotify)
}

fn add_watch(inotify: &Inotify, folder: &Path) -> nix::Result<()> {
    let events = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE;
    inotify.add_watch(folder, events).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_does_not_understand() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zone.json");
        assert!(matches!(load(&path), Err(SnapshotError::Read { .. })));
        let put = |text: &str| {
            let new = dir.path().join("new");
            io::Write::write_all(&mut fs::File::create(&new).unwrap(), text.as_bytes()).unwrap();
            fs::rename(new, &path).unwrap();
        };
        put("{\"version\":1,");
        assert!(matches!(load(&path), Err(SnapshotError::Parse { .. })));
        put("{\"version\":2,\"new\":true}");
        assert!(matches!(load(&path), Err(SnapshotError::Version { found: 2, .. })));
        put(
            r#"{"version":1,"generation":3,"listen":[],"clients":[],"zones":[],"reverse":[],"upstreams":[]}"#,
        );
        assert_eq!(load(&path).unwrap().generation, 3);
    }
}
