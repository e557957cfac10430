//! A file that tells others something (names of leases, prefixes of routers), replaced whole when that has changed, a few
//! times a second at the most.

use std::path::PathBuf;

use pic_service::file::{Lasts, replace};
use serde::Serialize;

/// Milliseconds between two files.
const PAUSE: u64 = 200;

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct Told {
    path: PathBuf,
    written: Vec<u8>,
    is_touched: bool,
    not_before: u64,
}

impl Told {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, written: Vec::new(), is_touched: true, not_before: 0 }
    }

    /// It may have changed.
    pub(super) fn touch(&mut self) {
        self.is_touched = true;
    }

    /// Milliseconds at which it is to be written.
    pub(super) fn due(&self) -> Option<u64> {
        self.is_touched.then_some(self.not_before)
    }

    /// Writes it unless it says so already. Failing to is tried again.
    pub(super) fn write_if_due<T: Serialize>(&mut self, now: u64, what: impl FnOnce() -> T) {
        if !self.is_touched || now < self.not_before {
            return;
        }
        self.not_before = now + PAUSE;
        // Plain data always serialises.
        let content = serde_json::to_vec(&what()).unwrap_or_default();
        self.is_touched = false;
        if content == self.written {
            return;
        }
        match replace(&self.path, &content, Lasts::UntilReboot) {
            Ok(()) => self.written = content,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "cannot tell of leases")
            }
        }
    }
}
