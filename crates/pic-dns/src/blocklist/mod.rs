//! Lists of names that some clients are not answered.
//!
//! Owns: reading the files of the snapshot and following them; a new file takes the place of the old one while both are
//! there, so nothing pauses. A file that cannot be read leaves the list as it was. Never: fetches anything.

mod parse;
mod table;

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use pic_model::snapshot::dns::{DnsBlocklistStatus, DnsSnapshot};

use crate::wire::name;
pub use parse::{MAX_ENTRIES, Parsed, read};
use table::Table;

/// Lists that one snapshot may have: as many as bits in [`crate::policy::Client::blocks`].
pub const MAX_LISTS: usize = 64;

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
struct List {
    name: String,
    path: PathBuf,
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

/// The lists of a snapshot.
#[derive(Debug, Default)]
pub struct Blocklists {
    lists: Vec<Arc<List>>,
    /// Names that are never blocked, with all beneath them; lower-case wire form.
    allowed: Vec<Box<[u8]>>,
}

impl Blocklists {
    /// The lists of a snapshot, those that `before` has in common as they were. Not read yet: see [`Self::follow`].
    pub fn new(snapshot: &DnsSnapshot, before: &Self) -> Self {
        let list = |name: &str, path: &str| {
            let same = before.lists.iter().find(|list| list.name == name && list.path == Path::new(path));
            let new = || {
                let (names, seen) = (ArcSwapOption::empty(), ArcSwapOption::empty());
                Arc::new(List { name: name.to_owned(), path: path.into(), names, seen })
            };
            same.map_or_else(new, Arc::clone)
        };
        let lists =
            snapshot.blocklists.iter().take(MAX_LISTS).map(|one| list(&one.name, &one.path)).collect();
        let allowed = snapshot.allow.iter().filter_map(|text| name::from_text(text)).map(Box::from).collect();
        Self { lists, allowed }
    }

    /// Reads the files that are new. Takes a while for a million names; everything is answered meanwhile.
    pub fn follow(&self) {
        for list in &self.lists {
            list.follow();
        }
    }

    /// The first of the lists in `wanted`, a bit each, that has the name.
    pub fn block(&self, wanted: u64, asked: &[u8]) -> Option<&str> {
        let on = |(at, _): &(usize, &Arc<List>)| wanted >> at & 1 == 1;
        let hashes = table::Hashes::of(asked);
        let has = |list: &Arc<List>| {
            let names = list.names.load();
            names
                .as_ref()
                .is_some_and(|names| names.blocked.has_any(&hashes) && !names.allowed.has_any(&hashes))
        };
        let (_, list) = self.lists.iter().enumerate().filter(on).find(|(_, list)| has(list))?;
        let is_allowed = self.allowed.iter().any(|apex| name::is_within(asked, apex));
        (!is_allowed).then_some(list.name.as_str())
    }

    /// State of every list.
    pub fn status(&self) -> Vec<DnsBlocklistStatus> {
        let one = |list: &Arc<List>| DnsBlocklistStatus {
            name: list.name.clone(),
            entries: list.names.load().as_ref().map_or(0, |names| names.entries),
            error: list.seen.load().as_ref().and_then(|seen| seen.1.clone()),
        };
        self.lists.iter().map(one).collect()
    }
}

impl List {
    fn follow(&self) {
        let now = stamp(&self.path);
        let key = *now.as_ref().unwrap_or(&Stamp(0, 0, 0, 0));
        if self.seen.load().as_ref().is_some_and(|seen| seen.0 == key) {
            return;
        }
        let result = now.and_then(|_| File::open(&self.path)).and_then(|file| read(BufReader::new(file)));
        let error = match result {
            Ok(parsed) => {
                tracing::info!(
                    list = self.name,
                    names = parsed.blocked.len(),
                    skipped = parsed.skipped,
                    "blocklist read"
                );
                self.names.store(Some(Arc::new(Names::from(parsed))));
                None
            }
            Err(error) => {
                let text = format!("{}: {error}", self.path.display());
                tracing::error!(list = self.name, error = text, "blocklist not read, it stays as it was");
                Some(text)
            }
        };
        self.seen.store(Some(Arc::new((key, error))));
    }
}

impl From<Parsed> for Names {
    fn from(parsed: Parsed) -> Self {
        let entries = parsed.blocked.len();
        Self { blocked: Table::new(&parsed.blocked), allowed: Table::new(&parsed.allowed), entries }
    }
}

#[cfg(test)]
mod tests;
