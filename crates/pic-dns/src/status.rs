//! What the service says about itself, for `picctl status`.

use std::path::PathBuf;

use pic_model::snapshot::dns::DnsStatus;
use pic_service::file::{Lasts, replace};

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
        // Plain data always serialises.
        let text = serde_json::to_vec(&status).unwrap_or_default();
        match replace(path, &text, Lasts::UntilReboot) {
            Ok(()) => self.written = Some(status),
            Err(error) => tracing::debug!(path = %path.display(), %error, "cannot write the status"),
        }
    }
}
