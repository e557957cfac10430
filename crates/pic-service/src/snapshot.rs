//! Snapshots on disk: what the agent writes and a daemon serves from, and what daemons write for each other.
//!
//! Never half understood: a file of another version, of the wrong shape or too large is no snapshot.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::file;

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
    #[error("{path} has format {found}, this program knows {known}; restart {program} after the upgrade", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The one that this program knows.
        known: u32,
        /// This program.
        program: &'static str,
    },
}

/// One kind of snapshot and who reads it.
#[derive(Debug)]
pub struct Kind<T> {
    /// The program that reads it, by its unit's name.
    pub program: &'static str,
    /// The version that it knows.
    pub version: u32,
    /// The version of one that was read.
    pub version_of: fn(&T) -> u32,
    /// Bytes above which a file is a mistake.
    pub max: u64,
}

#[derive(Deserialize)]
struct Probe {
    version: u32,
}

impl<T: DeserializeOwned> Kind<T> {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// See [`SnapshotError`]; a file that is not there is one that cannot be read.
    pub fn load(&self, path: &Path) -> Result<T, SnapshotError> {
        let found = file::read(path, self.max).and_then(|found| found.ok_or(io::ErrorKind::NotFound.into()));
        let bytes = found.map_err(|source| SnapshotError::Read { path: path.to_owned(), source })?;
        self.parse(path, &bytes)
    }

    /// The snapshot in these bytes; `path` is where they are from, for the error.
    ///
    /// # Errors
    /// They are none, or one for another release.
    pub fn parse(&self, path: &Path, bytes: &[u8]) -> Result<T, SnapshotError> {
        let version = |found| SnapshotError::Version {
            path: path.to_owned(),
            found,
            known: self.version,
            program: self.program,
        };
        // Read once where all is well: a large zone takes its time.
        let source = match serde_json::from_slice::<T>(bytes) {
            Ok(snapshot) => {
                let found = (self.version_of)(&snapshot);
                return if found == self.version { Ok(snapshot) } else { Err(version(found)) };
            }
            Err(source) => source,
        };
        // Another version may well have other fields, and then says more than what is wrong with them.
        match serde_json::from_slice::<Probe>(bytes) {
            Ok(probe) if probe.version != self.version => Err(version(probe.version)),
            Ok(_) | Err(_) => Err(SnapshotError::Parse { path: path.to_owned(), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Some {
        version: u32,
        value: u8,
    }

    const KIND: Kind<Some> =
        Kind { program: "pic-some", version: 1, version_of: |some| some.version, max: 64 };

    #[test]
    fn what_is_not_understood_is_no_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.json");
        assert!(matches!(KIND.load(&path), Err(SnapshotError::Read { .. })));
        let put = |text: &str| file::replace(&path, text.as_bytes(), file::Lasts::UntilReboot).unwrap();
        put(r#"{"version":1,"#);
        assert!(matches!(KIND.load(&path), Err(SnapshotError::Parse { .. })));
        put(r#"{"version":1,"value":7,"other":1}"#);
        assert!(matches!(KIND.load(&path), Err(SnapshotError::Parse { .. })));
        put(r#"{"version":2,"value":7}"#);
        assert!(matches!(KIND.load(&path), Err(SnapshotError::Version { found: 2, .. })));
        put(r#"{"version":2,"new":true}"#);
        let words = crate::chain(&KIND.load(&path).unwrap_err());
        assert!(words.ends_with("restart pic-some after the upgrade"), "{words}");
        put(&format!(r#"{{"version":1,{}"value":7}}"#, " ".repeat(64)));
        assert!(matches!(KIND.load(&path), Err(SnapshotError::Read { .. })));
        put(r#"{"version":1,"value":7}"#);
        assert_eq!(KIND.load(&path).unwrap(), Some { version: 1, value: 7 });
    }
}
