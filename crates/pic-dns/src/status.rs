//! What the service says about itself, for `picctl status`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pic_model::snapshot::dns::DnsStatus;

/// Writes the status file when something changed.
#[derive(Debug)]
pub struct StatusFile {
    path: Option<PathBuf>,
    written: Option<DnsStatus>,
}

impl StatusFile {
    /// `None`: never writes.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, written: None }
    }

    /// Writes `status` unless the file says so already. Failing to is not worth more than a line in the log.
    pub fn update(&mut self, status: DnsStatus) {
        let Some(path) = self.path.as_deref().filter(|_| self.written.as_ref() != Some(&status)) else {
            return;
        };
        match replace(path, &status) {
            Ok(()) => self.written = Some(status),
            Err(error) => tracing::debug!(path = %path.display(), %error, "cannot write the status"),
        }
    }
}

/// Readers see the old or the new text. Not flushed to disk: after a power cut it would be meaningless anyway.
fn replace(path: &Path, status: &DnsStatus) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    // Whatever our umask: the agent is root without power over the files of others.
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    serde_json::to_writer(&mut file, status)?;
    file.write_all(b"\n")?;
    fs::rename(new, path)
}
