//! Lists of names that some clients are not answered, always or on schedules.
//!
//! Owns: which lists count at this minute, and their names ([`list::List`]). Two entries of one file share its names.
//! Never: fetches anything (`crate::fetch` does), reads a clock.

mod download;
mod list;
mod parse;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pic_model::schedule::Schedule;
use pic_model::snapshot::dns::{DnsBlocklistStatus, DnsSnapshot};

use crate::clock;
use crate::wire::name;
pub use download::Download;
use list::List;
pub use parse::{MAX_ENTRIES, Parsed, read};

/// Lists that one snapshot may have: as many as bits in [`crate::policy::Client::blocks`].
pub const MAX_LISTS: usize = 64;

/// A list, and when it counts.
#[derive(Debug)]
pub struct Rule {
    /// What the owner calls it.
    pub name: String,
    /// When it counts; `None`: always.
    pub when: Option<Schedule>,
    list: Arc<List>,
}

/// The lists of a snapshot.
#[derive(Debug)]
pub struct Blocklists {
    rules: Vec<Rule>,
    /// Names that are never blocked, with all beneath them; lower-case wire form.
    allowed: Vec<Box<[u8]>>,
    zone: TimeZone,
    /// Where copies of fetched lists are.
    folder: PathBuf,
    /// Rules that count now, a bit each.
    active: AtomicU64,
    /// What was found on no list stays so until this is another number.
    epoch: AtomicU64,
}

/// A number that no epoch had before, nor what was never looked at.
fn next_epoch() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Default for Blocklists {
    fn default() -> Self {
        Self::in_folder("/var/lib/pic/dns/lists".into())
    }
}

impl Blocklists {
    /// None, but whose successors keep copies of what they fetch in this folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self {
            rules: Vec::new(),
            allowed: Vec::new(),
            zone: TimeZone::UTC,
            folder,
            active: AtomicU64::new(0),
            epoch: AtomicU64::new(next_epoch()),
        }
    }

    /// The lists of a snapshot as they count at `now`, those that `before` has in common as they were. Not read yet: see
    /// [`Self::follow`].
    pub fn new(snapshot: &DnsSnapshot, before: &Self, now: Timestamp) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        for one in snapshot.blocklists.iter().take(MAX_LISTS) {
            let known = before.rules.iter().chain(&rules).map(|rule| &rule.list);
            let known = known.into_iter().find(|list| list.is_of(&one.source)).map(Arc::clone);
            let list = known.unwrap_or_else(|| Arc::new(List::new(&one.source, &before.folder)));
            rules.push(Rule { name: one.name.clone(), when: one.when.clone(), list });
        }
        let allowed = snapshot.allow.iter().filter_map(|text| name::from_text(text)).map(Box::from).collect();
        let zone =
            clock::zone(snapshot.timezone.as_deref().filter(|_| rules.iter().any(|r| r.when.is_some())));
        let (folder, active, epoch) =
            (before.folder.clone(), AtomicU64::new(0), AtomicU64::new(next_epoch()));
        let lists = Self { rules, allowed, zone, folder, active, epoch };
        lists.keep_time(now);
        lists
    }

    /// Looks which lists count at `now`. To be called at least once a minute.
    pub fn keep_time(&self, now: Timestamp) {
        let counts = |rule: &Rule| rule.when.as_ref().is_none_or(|when| when.holds(&self.zone, now));
        let bits =
            (0..).zip(&self.rules).filter(|(_, rule)| counts(rule)).fold(0, |bits, (at, _)| bits | 1 << at);
        if self.active.swap(bits, Ordering::Relaxed) != bits {
            self.epoch.store(next_epoch(), Ordering::Release);
            tracing::info!(active = bits.count_ones(), lists = self.rules.len(), "blocklists by schedule");
        }
    }

    /// Which of the lists in `wanted`, a bit each, count now.
    pub fn active(&self, wanted: u64) -> u64 {
        wanted & self.active.load(Ordering::Relaxed)
    }

    /// Reads the files that are new. Takes a while for a million names; everything is answered meanwhile.
    pub fn follow(&self) {
        for rule in &self.rules {
            if rule.list.follow() {
                self.epoch.store(next_epoch(), Ordering::Release);
            }
        }
    }

    /// Changes whenever something could be on a list that was on none before. To be read before the lists are.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Lists that are to be fetched, each once.
    pub fn downloads(&self) -> Vec<Download> {
        let mut all: Vec<Download> = Vec::new();
        for download in self.rules.iter().filter_map(|rule| rule.list.download()) {
            if all.iter().all(|known| known.url != download.url) {
                all.push(download.clone());
            }
        }
        all
    }

    /// Where copies of fetched lists are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The first of the lists in `wanted`, a bit each, that has the name.
    pub fn block(&self, wanted: u64, asked: &[u8]) -> Option<&Rule> {
        let on = |(at, _): &(usize, &Rule)| wanted >> at & 1 == 1;
        let hashes = table::Hashes::of(asked);
        let (_, rule) = self.rules.iter().enumerate().filter(on).find(|(_, rule)| rule.list.has(&hashes))?;
        let is_allowed = self.allowed.iter().any(|apex| name::is_within(asked, apex));
        (!is_allowed).then_some(rule)
    }

    /// When a rule begins or ends to count, if ever.
    pub fn changes(&self, rule: &Rule, now: Timestamp) -> Option<Timestamp> {
        rule.when.as_ref()?.next_change_after(&self.zone, now)
    }

    /// That moment as the clock on the wall will show it.
    pub fn shown(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%A %H:%M").to_string()
    }

    /// State of every list.
    pub fn status(&self, now: Timestamp) -> Vec<DnsBlocklistStatus> {
        let active = self.active(u64::MAX);
        let one = |(at, rule): (usize, &Rule)| DnsBlocklistStatus {
            name: rule.name.clone(),
            entries: rule.list.entries(),
            error: rule.list.error(),
            fetched: rule.list.download().and_then(Download::fetched).map(|at| at.to_string()),
            active: active >> at & 1 == 1,
            when: rule.when.as_ref().map(Schedule::words),
            changes: self.changes(rule, now).map(|at| at.to_string()),
        };
        self.rules.iter().enumerate().map(one).collect()
    }
}

#[cfg(test)]
mod tests;
