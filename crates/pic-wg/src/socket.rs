//! The configuration socket: who may connect, and that no stale file is left or trusted.
//!
//! The file is connectable by everyone and the caller's identity is checked instead. A file mode would have to name
//! either our user or root, and an agent that is root without `CAP_DAC_OVERRIDE` could not open ours.
//! Only root and our own user are served, because an answer contains the private key.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::unistd::Uid;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::orders::{self, Order};

/// Where `wg` looks for userspace devices.
const SOCKET_DIR: &str = "/run/wireguard";

/// The path at which `wg show INTERFACE` finds us.
pub(crate) fn default_path(interface: &str) -> PathBuf {
    Path::new(SOCKET_DIR).join(format!("{interface}.sock"))
}

/// Why the socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("another process answers there; stop it first")]
    InUse,
    #[error("something that is not a socket is in the way; move it aside")]
    NotASocket,
    #[error("cannot remove the file an earlier run left")]
    Stale(#[source] io::Error),
    #[error("cannot create it; the folder must exist and be writable by this user")]
    Bind(#[source] io::Error),
}

/// A bound socket; its file disappears when this is dropped.
#[derive(Debug)]
pub(crate) struct ConfigSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ConfigSocket {
    /// Binds `path`, replacing a file that nobody answers on.
    pub(crate) fn bind(path: &Path) -> Result<Self, SocketError> {
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(SocketError::Bind)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).map_err(SocketError::Bind)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves callers until cancelled.
    pub(crate) async fn serve(self, orders: mpsc::Sender<Order>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Err(error) = admit(stream, orders.clone()) {
                        tracing::warn!(%error, "configuration caller turned away");
                    }
                }
                Err(error) => {
                    // Out of descriptors, most likely: give others time to close theirs instead of spinning.
                    tracing::warn!(%error, "cannot accept a configuration caller");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for ConfigSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn remove_stale(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SocketError::Stale(error)),
        Ok(meta) if !meta.file_type().is_socket() => return Err(SocketError::NotASocket),
        Ok(_) => {}
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(SocketError::InUse);
    }
    fs::remove_file(path).map_err(SocketError::Stale)
}

fn admit(stream: UnixStream, orders: mpsc::Sender<Order>) -> io::Result<()> {
    let caller = stream.peer_cred()?.uid();
    if caller != 0 && caller != Uid::current().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("user {caller} is neither root nor us"),
        ));
    }
    tokio::spawn(async move {
        // A caller that hangs up half-way has told us nothing.
        if let Err(error) = orders::converse(stream, orders).await {
            tracing::debug!(%error, "configuration caller left");
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn replaces_a_dead_socket_and_cleans_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pic0.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a killed process leaves its file");
        let socket = ConfigSocket::bind(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn refuses_a_living_socket_and_foreign_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pic0.sock");
        let first = ConfigSocket::bind(&path).unwrap();
        assert!(matches!(ConfigSocket::bind(&path), Err(SocketError::InUse)));
        drop(first);
        fs::create_dir(&path).unwrap();
        assert!(matches!(ConfigSocket::bind(&path), Err(SocketError::NotASocket)));
    }
}
