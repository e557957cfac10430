//! The ledger: every accepted state as a numbered generation, and which of them is in force.
//!
//! Files under one folder, each written whole or not at all:
//! - `NNNNNN.toml`: a generation; first line a comment with number, time, author, reason and checksum, then the exact
//!   `cell.toml`.
//! - `op-N.json`: how the change that made generation N went, in words; nothing depends on it.
//! - `state.json`: which generation is in force, and which change, if any, has not been kept yet.
//!
//! Order of writes makes every power cut land on the old or the new state: generation file, then `state.json` with
//! the change as pending, then the host, then `state.json` without it.

mod generation;
mod record;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use generation::Entry;
pub(crate) use generation::checksum;
pub use record::Record;
pub use state::{Pending, State, Window};

use crate::change::Author;
use crate::disk::Disk;
use crate::proposal::settle_addresses;

/// Generations always kept, whatever their size.
const KEEP_MIN: usize = 20;
/// Bytes that all generations may take together beyond that.
const KEEP_BYTES: u64 = 64 << 20;

/// What went wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The ledger with its index in memory.
pub struct Ledger {
    disk: Box<dyn Disk>,
    folder: PathBuf,
    entries: BTreeMap<u64, Entry>,
    state: State,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger. Damaged generations are passed over with a warning; a damaged or missing `state.json` means
    /// a generation that reads, so that a cell never starts with defaults over what its owner wrote: the one that
    /// `cell_toml` holds, as that file follows what is kept, or else the newest.
    pub fn open(disk: Box<dyn Disk>, folder: &Path, cell_toml: &Path) -> Result<Self, LedgerError> {
        let mut ledger =
            Self { disk, folder: folder.to_owned(), entries: BTreeMap::new(), state: State::default() };
        let names =
            ledger.disk.list(folder).map_err(|source| LedgerError::Io { path: folder.to_owned(), source })?;
        // Damaged ones count: their number was given, and their bytes may still help their owner.
        let mut seen = 0;
        for number in names.iter().filter_map(|name| generation::number_of(name)) {
            seen = seen.max(number);
            match ledger.read(number)? {
                Some((entry, _)) => drop(ledger.entries.insert(number, entry)),
                None => {
                    tracing::warn!(generation = number, "passing over a damaged generation in the ledger")
                }
            }
        }
        let state_path = ledger.path("state.json");
        let state = ledger.read_file(&state_path)?.and_then(|bytes| State::parse(&bytes));
        seen = seen.max(state.as_ref().map_or(0, |state| state.highest));
        ledger.state = match state {
            Some(state) if state.current == 0 || ledger.entries.contains_key(&state.current) => state,
            state => ledger.salvage(state.unwrap_or_default(), cell_toml),
        };
        ledger.state.highest = seen;
        Ok(ledger)
    }

    /// The state when the one on disk, or the generation it names, is lost: of the generations that are not known to be
    /// pending or taken back, the newest with the text of `cell.toml`, or else the newest.
    fn salvage(&self, lost: State, cell_toml: &Path) -> State {
        let pending = lost.pending.map(|pending| pending.generation);
        let good = |number: &&u64| Some(**number) != pending && !lost.reverted.contains(number);
        let file = self.disk.read(cell_toml).ok().flatten().map(|bytes| checksum(&bytes));
        let is_in_file =
            |number: &&u64| self.entries.get(*number).map(|entry| &entry.sha256) == file.as_ref();
        let mut newest = self.entries.keys().rev().filter(good);
        let current = newest.clone().find(is_in_file).or_else(|| newest.next()).copied().unwrap_or(0);
        if current > 0 {
            tracing::warn!(
                generation = current,
                "the ledger's state was lost; taking the generation that cell.toml holds, or the newest"
            );
        }
        State { current, reverted: lost.reverted, ..State::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read_file(&self, path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
        self.disk.read(path).map_err(|source| LedgerError::Io { path: path.to_owned(), source })
    }

    fn write_file(&self, path: &Path, content: &[u8]) -> Result<(), LedgerError> {
        self.disk
            .write(path, content, 0o600)
            .map_err(|source| LedgerError::Io { path: path.to_owned(), source })
    }

    fn read(&self, number: u64) -> Result<Option<(Entry, String)>, LedgerError> {
        let bytes = self.read_file(&self.path(&generation::file_name(number)))?;
        Ok(bytes.and_then(|bytes| generation::parse(number, &bytes)))
    }

    /// What is in force and what is pending.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// All generations, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.values()
    }

    /// Unix seconds of the newest generation: it was then, or later.
    pub fn latest(&self) -> i64 {
        self.entries.values().next_back().map_or(0, |entry| entry.at)
    }

    /// One generation's text, or `None` if there is no such generation.
    pub fn text(&self, number: u64) -> Result<Option<String>, LedgerError> {
        if !self.entries.contains_key(&number) {
            return Ok(None);
        }
        Ok(self.read(number)?.map(|(_, text)| text))
    }

    /// Whether this text is one that was tried and not kept: taken back, or still on its way when everything ended.
    pub fn was_taken_back(&self, text: &str) -> bool {
        let tried = self.state.reverted.iter().copied();
        let tried = tried.chain(self.state.pending.as_ref().map(|pending| pending.generation));
        let tried: BTreeSet<_> =
            tried.filter_map(|number| Some(&*self.entries.get(&number)?.sha256)).collect();
        let settled = || settle_addresses(text.to_owned(), None).map(|(text, _)| checksum(&text));
        tried.contains(&*checksum(text)) || settled().is_ok_and(|sum| tried.contains(&*sum))
    }

    /// Number of the next generation: one above every number ever seen.
    pub fn next(&self) -> u64 {
        self.entries.keys().next_back().copied().unwrap_or(0).max(self.state.current).max(self.state.highest)
            + 1
    }

    /// Writes a generation. It is not in force yet.
    pub fn append(&mut self, at: i64, author: &Author, reason: &str, text: &str) -> Result<u64, LedgerError> {
        let number = self.next();
        let (entry, content) = generation::render(number, at, author, reason, text);
        self.write_file(&self.path(&generation::file_name(number)), &content)?;
        self.entries.insert(number, entry);
        Ok(number)
    }

    /// Makes this the state of the ledger, durably.
    pub fn set_state(&mut self, mut state: State) -> Result<(), LedgerError> {
        state.highest = self.next() - 1;
        let content = state.render();
        self.write_file(&self.path("state.json"), &content)?;
        self.state = state;
        Ok(())
    }

    /// Writes how the change that made a generation went.
    pub fn keep_record(&mut self, number: u64, record: &Record) -> Result<(), LedgerError> {
        self.write_file(&self.path(&record::file_name(number)), &record.render())
    }

    /// How the change that made a generation went; `None` where that was not written or is damaged.
    pub fn record(&self, number: u64) -> Option<Record> {
        let bytes = self.read_file(&self.path(&record::file_name(number))).ok().flatten()?;
        Record::parse(&bytes)
    }

    /// Removes old generations beyond what is kept. Failing to is no failure of the change that asked.
    pub fn prune(&mut self) {
        let mut bytes = 0;
        let mut gone = Vec::new();
        for (index, (number, entry)) in self.entries.iter().rev().enumerate() {
            bytes += entry.bytes;
            if index >= KEEP_MIN && bytes > KEEP_BYTES && *number != self.state.current {
                gone.push(*number);
            }
        }
        for number in gone {
            // What is left of it harms nobody.
            let _ = self.disk.remove(&self.path(&record::file_name(number)));
            match self.disk.remove(&self.path(&generation::file_name(number))) {
                Ok(()) => drop(self.entries.remove(&number)),
                Err(error) => tracing::warn!(generation = number, %error, "cannot remove an old generation"),
            }
        }
    }
}
