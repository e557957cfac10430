//! Files that other programs replace and that tell whom the host asks for names (inotify(7)).

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;

use super::Event;

/// The folder is watched and not the file: whoever replaces the file gives it another inode. The second one is
/// systemd-resolved's, where there is one.
const FOLDERS: [&str; 2] = ["/etc", "/run/systemd/resolve"];
const NAME: &str = "resolv.conf";

/// An inotify instance.
#[derive(Debug)]
pub(super) struct FolderWatcher(Option<AsyncFd<Folders>>);

#[derive(Debug)]
struct Folders(Inotify);

impl AsRawFd for Folders {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl FolderWatcher {
    /// Without inotify (a user may have only so many) the host is looked at regularly all the same.
    pub(super) fn start() -> Self {
        let watching = Self::watch(&FOLDERS.map(Path::new));
        Self(watching.map_err(|error| tracing::warn!(%error, "cannot watch resolv.conf")).ok())
    }

    fn watch(folders: &[&Path]) -> io::Result<AsyncFd<Folders>> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let changes = AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM;
        for folder in folders {
            match inotify.add_watch(*folder, changes) {
                Ok(_) | Err(Errno::ENOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        #[expect(
            deprecated,
            reason = "its successor is unsafe; our instance owns its descriptor until it is dropped"
        )]
        AsyncFd::new(Folders(inotify))
    }

    /// Waits until the file was changed. Cancel-safe.
    pub(super) async fn read(&mut self) -> io::Result<Vec<Event>> {
        let Some(inotify) = &self.0 else { return std::future::pending().await };
        let mut ready = inotify.readable().await?;
        let events = match ready.try_io(|inotify| Ok(inotify.get_ref().0.read_events()?)) {
            Err(_would_block) => return Ok(Vec::new()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => return Ok(Vec::new()),
            Ok(events) => events?,
        };
        // An event without a name is about the folder, or says that some were lost.
        let counts = events.iter().any(|event| event.name.as_ref().is_none_or(|name| name == NAME));
        Ok(if counts { vec![Event::Resolver] } else { Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_that_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let inotify = FolderWatcher::watch(&[folder.path(), Path::new("/nowhere")]).unwrap();
        let mut watcher = FolderWatcher(Some(inotify));
        crate::files::write_atomic(&folder.path().join("passwd"), b"x", 0o600).unwrap();
        assert_eq!(watcher.read().await.unwrap(), []);
        crate::files::write_atomic(&folder.path().join(NAME), b"x", 0o600).unwrap();
        assert_eq!(watcher.read().await.unwrap(), [Event::Resolver]);
    }
}
