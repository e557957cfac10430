//! What devices and LANs have used of the internet: the kernel's counters, added up and kept on disk.
//!
//! ```text
//! counters in elements of sets ─ read ─> book ─ every minute, and before counters go ─> /var/lib/pic/usage.json
//! ```
//! The kernel counts without the agent. A change of the firewall that takes counters away is made under the lock under which
//! they are read, right behind a reading that is on disk; so a reload loses no more than what passes meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pic_drivers::{files, nft};
use pic_engine::{Clock, Handle, Report};
use pic_model::desired::Peer;
use pic_model::name::PeerName;
use pic_model::usage::{Account, Book, Reading, Traffic, Way};
use pic_model::{Desired, chain, schedule};
use pic_plan::compile::usage::{subjects, way_of};
use pic_plan::target::nft::{Counted, Elements, SetDelta};
use pic_plan::{Action, Facts};

use super::{BootClock, boot, now};

/// Between two readings where somebody has a quota, and how many of them there are to one where nobody has.
const LOOK: Duration = Duration::from_secs(2);
const SELDOM: u64 = 5;
/// What a crash of the machine may cost at the most.
const SAVE: Duration = Duration::from_secs(60);
/// A reading that is younger is fresh.
const FRESH: Duration = Duration::from_millis(500);
/// Room for the book of ten thousand devices.
const MAX_BYTES: u64 = 64 << 20;

/// What has been used, shared by who reads the kernel, who changes it and who tells it.
#[derive(Debug, Clone)]
pub struct Usage(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    path: PathBuf,
    book: Book,
    nft: nft::Connection,
    boot_id: String,
    /// What the subjects were made of.
    known: Option<(Arc<Desired>, Arc<Facts>)>,
    /// Whose each counter is.
    subjects: BTreeMap<String, String>,
    /// Boot time of the last reading.
    read: Option<Duration>,
    /// Boot time since which something is not on disk.
    unsaved: Option<Duration>,
}

/// The day and month of accounts, and when they end, in Unix seconds.
pub(crate) type Now = (schedule::Period, [i64; 2]);

impl Usage {
    /// Reads the file. One that cannot be read is told, and everything begins at zero.
    pub fn open(path: PathBuf) -> Self {
        let book = match files::read_bounded(&path, MAX_BYTES) {
            Ok(Some(bytes)) => Book::parse(&bytes).map_err(|error| format!("{} {error}", path.display())),
            Ok(None) => Ok(Book::default()),
            Err(error) => Err(chain(&error)),
        };
        let book = book.unwrap_or_else(|words| {
            tracing::error!("what was used so far is not known, and is counted anew: {words}");
            Book::default()
        });
        let (nft, boot_id) = (nft::Connection::new(), BootClock.boot_id());
        let (known, subjects) = (None, BTreeMap::new());
        Self(Arc::new(Mutex::new(State {
            path,
            book,
            nft,
            boot_id,
            known,
            subjects,
            read: None,
            unsaved: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves plain data behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change of the firewall; what it takes away of counters is read before.
    pub(crate) fn during<E>(&self, action: &Action, make: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if !takes_counters(action) {
            return make();
        }
        let mut state = self.lock();
        state.read();
        state.save();
        make()?;
        if let Action::NftElements(deltas) = action {
            state.book.forget(removed(deltas));
        }
        Ok(())
    }

    /// Reads what the kernel has counted, unless that was done a moment ago.
    pub(crate) fn refresh(&self, report: &Report) {
        let mut state = self.lock();
        state.know(report);
        if state.read.is_none_or(|read| boot().saturating_sub(read) >= FRESH) {
            state.read();
        }
    }

    /// What was used at the last reading: its boot time, and each subject's account in the order of names.
    pub(crate) fn accounts(&self) -> (Duration, Now, Vec<(String, Account)>) {
        let state = self.lock();
        let all: std::collections::BTreeSet<&String> = state.subjects.values().collect();
        let one =
            |subject: &String| (subject.clone(), state.book.account(subject).cloned().unwrap_or_default());
        (state.read.unwrap_or_default(), state.now(), all.into_iter().map(one).collect())
    }

    /// Peers whose quota is used up.
    pub(crate) fn spent(&self) -> BTreeSet<PeerName> {
        self.lock().book.spent.clone()
    }

    /// Reads and writes for the last time.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.read();
        state.save();
    }
}

impl State {
    /// Learns whose the counters are.
    fn know(&mut self, report: &Report) {
        let (Some(desired), Some(facts)) = (&report.current.desired, &report.facts) else { return };
        let is_same =
            |(known, of): &(Arc<Desired>, Arc<Facts>)| Arc::ptr_eq(known, desired) && Arc::ptr_eq(of, facts);
        if self.known.as_ref().is_some_and(is_same) {
            return;
        }
        let all = subjects(desired, facts).into_iter();
        self.subjects = all.map(|(counted, subject)| (key(counted), subject)).collect();
        self.known = Some((Arc::clone(desired), Arc::clone(facts)));
        // Not while a change waits that may be taken back.
        if *report.current.text == *report.kept {
            let there: std::collections::BTreeSet<&str> =
                self.subjects.values().map(String::as_str).collect();
            if self.book.keep(|subject| there.contains(subject)) {
                self.unsaved.get_or_insert_with(boot);
            }
        }
    }

    /// Finds out whose quota is used up; whether that has changed, which is on disk then.
    fn judge(&mut self) -> bool {
        let Some((desired, _)) = &self.known else { return false };
        let (period, _) = self.now();
        let is_spent = |name: &PeerName, peer: &Peer| {
            let quota = desired.quota_of(peer)?;
            let left = self.book.account(&format!("peer {name}"))?.left_of(quota, period);
            (left == 0).then(|| name.clone())
        };
        let spent: BTreeSet<_> =
            desired.peers.iter().filter_map(|(name, peer)| is_spent(name, peer)).collect();
        if spent == self.book.spent {
            return false;
        }
        self.book.spent = spent;
        self.unsaved.get_or_insert_with(boot);
        self.save();
        true
    }

    /// The clock of the wall, unless that is behind what the cell has seen, as after a start without a battery.
    fn now(&self) -> Now {
        let (zone, floor) = match &self.known {
            Some((desired, facts)) => (desired.cell.timezone.as_str(), facts.now),
            None => ("UTC", 0),
        };
        schedule::period(zone, now().max(floor))
    }

    fn read(&mut self) {
        let tallies = match self.nft.tallies() {
            Ok(Some(tallies)) => tallies,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!("cannot read what was used: {}", chain(&error));
                return;
            }
        };
        let of_set = |(set, counts): (String, Vec<_>)| {
            let way = way_of(&set);
            counts.into_iter().filter_map(move |(counted, count): (Counted, pic_plan::target::nft::Count)| {
                let count = Traffic { packets: count.packets, bytes: count.bytes };
                Some(Reading { way: way?, key: key(counted), count })
            })
        };
        let readings = tallies.counts.into_iter().flat_map(of_set).collect();
        let epoch = format!("{} {}", self.boot_id, tallies.table);
        let (period, _) = self.now();
        if self.book.add(&epoch, readings, &self.subjects, period) {
            self.unsaved.get_or_insert_with(boot);
        }
        self.read = Some(boot());
    }

    fn save(&mut self) {
        if self.unsaved.is_none() {
            return;
        }
        // Plain data always serialises; an empty file would be refused when it is read.
        let bytes = serde_json::to_vec(&self.book).unwrap_or_default();
        match files::write_atomic(&self.path, &bytes, 0o600) {
            Ok(()) => self.unsaved = None,
            Err(error) => tracing::error!("what was used is not on disk: {}", chain(&error)),
        }
    }
}

/// By what an account's file knows what something is counted by; no interface has a blank in its name.
fn key(counted: Counted) -> String {
    match counted {
        Counted::Address(address) => address.to_string(),
        Counted::Link(name) => format!("link {name}"),
    }
}

fn takes_counters(action: &Action) -> bool {
    match action {
        Action::NftReplace(_) | Action::NftDelete => true,
        Action::NftElements(deltas) => removed(deltas).next().is_some(),
        _ => false,
    }
}

/// Counters that go.
fn removed(deltas: &[SetDelta]) -> impl Iterator<Item = (Way, String)> {
    deltas.iter().flat_map(|delta| {
        let keys: Vec<Counted> = match &delta.remove {
            Elements::TallyLinks(set) => set.iter().cloned().map(Counted::Link).collect(),
            _ => Vec::new(),
        };
        let way = way_of(&delta.set);
        keys.into_iter().filter_map(move |counted| Some((way?, key(counted))))
    })
}

/// Reads for ever, and writes now and then.
pub(crate) async fn watch(handle: Handle, usage: Usage) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 0_u64.. {
        looks.tick().await;
        let (report, usage) = (handle.report(), usage.clone());
        let has_quota =
            |desired: &Arc<Desired>| desired.peers.values().any(|peer| desired.quota_of(peer).is_some());
        let is_due = report.current.desired.as_ref().is_some_and(has_quota) || !usage.spent().is_empty();
        if !is_due && !number.is_multiple_of(SELDOM) {
            continue;
        }
        let wake = handle.clone();
        let look = move || {
            usage.refresh(&report);
            let mut state = usage.lock();
            if state.judge() {
                wake.event();
            }
            if state.unsaved.is_some_and(|since| boot().saturating_sub(since) >= SAVE) {
                state.save();
            }
        };
        if tokio::task::spawn_blocking(look).await.is_err() {
            tracing::error!("reading what was used ended in a panic");
        }
    }
}
