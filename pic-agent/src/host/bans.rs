//! The file of bans: written whole by the agent, read by the agent and at early boot.

use std::path::Path;

use pic_drivers::files;
use pic_model::ban::{Ban, Bans};

use pic_model::chain;

/// Room for the most bans there can be, with their reasons.
const MAX_BYTES: u64 = 16 << 20;

/// Why bans could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BanFileError {
    /// The disk.
    #[error(transparent)]
    File(#[from] files::Error),
    /// Not what we write.
    #[error("{path} {source}; remove it, which takes all bans back")]
    Content {
        /// The file.
        path: String,
        /// What is wrong.
        source: pic_model::ban::BansError,
    },
}

/// All bans; none where there is no file.
pub(crate) fn read(path: &Path) -> Result<Bans, BanFileError> {
    match files::read_bounded(path, MAX_BYTES)? {
        None => Ok(Bans::default()),
        Some(bytes) => Bans::parse(&bytes)
            .map_err(|source| BanFileError::Content { path: path.display().to_string(), source }),
    }
}

/// Writes all bans; the file is there whole or as it was.
pub(crate) fn write(path: &Path, bans: &Bans) -> Result<(), BanFileError> {
    // Plain data always serialises; an empty file would be refused when it is read.
    let bytes = serde_json::to_vec(bans).unwrap_or_default();
    Ok(files::write_atomic(path, &bytes, 0o600)?)
}

/// What counts as far as it can be read. What cannot is told, and no reason to stop a host's firewall.
pub(crate) fn known(path: &Path) -> Vec<Ban> {
    read(path)
        .map_err(|error| tracing::warn!("bans do not count: {}", chain(&error)))
        .unwrap_or_default()
        .bans
}
