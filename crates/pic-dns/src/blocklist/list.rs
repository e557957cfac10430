//! One file of names, followed: a new file takes the place of the old one while both are there, so nothing pauses. A file
//! that cannot be read leaves the list as it was.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::Download;
use super::parse::{Parsed, read};
use super::table::{Hashes, Table};
use crate::fetch;

/// What a list says.
#[derive(Debug)]
struct Names {
    blocked: Table,
    /// Exceptions of the list itself.
    allowed: Table,
    entries: usize,
}

/// One list.
#[derive(Debug)]
pub(super) struct List {
    source: String,
    path: PathBuf,
    /// For one that is fetched.
    download: Option<Download>,
    names: ArcSwapOption<Names>,
    /// File that was read last, and why it was not taken.
    seen: ArcSwapOption<(Stamp, Option<String>)>,
}

/// Tells one file from the next that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, u64, i64, i64);

fn stamp(path: &Path) -> io::Result<Stamp> {
    let meta = fs::metadata(path)?;
    Ok(Stamp(meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

impl List {
    /// Not read yet.
    pub(super) fn new(source: &str, folder: &Path) -> Self {
        let download = source.parse().ok().map(Download::new);
        let path = download.as_ref().map_or_else(|| source.into(), |one| fetch::path(folder, &one.url));
        let (names, seen) = (ArcSwapOption::empty(), ArcSwapOption::empty());
        Self { source: source.to_owned(), path, download, names, seen }
    }

    pub(super) fn is_of(&self, source: &str) -> bool {
        self.source == source
    }

    pub(super) fn download(&self) -> Option<&Download> {
        self.download.as_ref()
    }

    /// Whether it has one of these names.
    pub(super) fn has(&self, hashes: &Hashes) -> bool {
        let names = self.names.load();
        names.as_ref().is_some_and(|names| names.blocked.has_any(hashes) && !names.allowed.has_any(hashes))
    }

    /// Names on it.
    pub(super) fn entries(&self) -> usize {
        self.names.load().as_ref().map_or(0, |names| names.entries)
    }

    /// Why the newest file is not used.
    pub(super) fn error(&self) -> Option<String> {
        let unfetched = self.download.as_ref().filter(|_| self.names.load().is_none());
        let failed = self.download.as_ref().and_then(Download::error);
        let unread = || self.seen.load().as_ref().and_then(|seen| seen.1.clone());
        failed.or_else(|| match unfetched {
            Some(_) => Some("it was not fetched yet".to_owned()),
            None => unread(),
        })
    }

    /// Reads the file if it is another one than last time; whether names changed.
    pub(super) fn follow(&self) -> bool {
        let now = stamp(&self.path);
        let key = *now.as_ref().unwrap_or(&Stamp(0, 0, 0, 0));
        if self.seen.load().as_ref().is_some_and(|seen| seen.0 == key) {
            return false;
        }
        if now.is_err() && self.download.is_some() {
            return false;
        }
        let result = now.and_then(|_| File::open(&self.path)).and_then(|file| read(BufReader::new(file)));
        let path = self.path.display();
        let error = match result {
            Ok(parsed) => {
                tracing::info!(%path, names = parsed.blocked.len(), skipped = parsed.skipped, "blocklist read");
                self.names.store(Some(Arc::new(Names::from(parsed))));
                None
            }
            Err(error) => {
                tracing::error!(%path, %error, "blocklist not read, it stays as it was");
                Some(format!("{path}: {error}"))
            }
        };
        let is_new = error.is_none();
        self.seen.store(Some(Arc::new((key, error))));
        is_new
    }
}

impl From<Parsed> for Names {
    fn from(parsed: Parsed) -> Self {
        let entries = parsed.blocked.len();
        Self { blocked: Table::new(&parsed.blocked), allowed: Table::new(&parsed.allowed), entries }
    }
}
