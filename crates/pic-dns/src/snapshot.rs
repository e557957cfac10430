//! The snapshot on disk: reading it, and noticing a new one.
//!
//! The agent renames a new file into place, which inotify reports at once. A look at the file every few seconds covers
//! what inotify cannot see (the folder itself replaced). Never writes, never serves a file it does not fully understand.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use pic_model::snapshot::dns::{DnsSnapshot, VERSION};
use pic_service::file::Stamp;
use pic_service::snapshot::{Kind, SnapshotError};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The same where there is no folder to watch.
const LOOK_OFTEN: Duration = Duration::from_millis(300);

/// Zones and all.
pub const KIND: Kind<DnsSnapshot> = Kind {
    program: "pic-dns",
    version: VERSION,
    version_of: |snapshot| snapshot.version,
    // Far above a million records; a larger file is a mistake and not worth the memory.
    max: 512 << 20,
};

/// Sends the result of loading `path` now and after every change. Blocks; ends when nobody listens any more.
pub fn watch<T: DeserializeOwned>(
    path: &Path,
    kind: &Kind<T>,
    found: &mpsc::Sender<Result<T, SnapshotError>>,
) {
    let mut seen = None;
    let mut waiter = Waiter::new(path);
    while !found.is_closed() {
        let now = Stamp::of(path).ok();
        if now.is_some() && now != seen {
            seen = now;
            if found.blocking_send(kind.load(path)).is_err() {
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
