//! What each device and LAN has sent to the internet and received from it.
//!
//! The kernel counts, and begins at zero whenever the firewall is made anew or the machine starts. A [`Book`] adds up what it
//! counted: it remembers what was read last, and from which counters, so that nothing is added twice however the reader
//! ended. Pure: readings and the time come in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::name::PeerName;
use crate::quota::{Quota, Span};
use crate::schedule::Period;

/// The version of the file.
pub const VERSION: u32 = 1;
/// Days, and months, of which the bytes are kept: those that something was counted in last. More than one, so that a clock that
/// shows a wrong day for a while takes nothing away.
const KEPT: usize = 6;

/// Packets and bytes of their network headers and what is in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// To the internet or from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Sent by the subject.
    Sent,
    /// Received by it.
    Received,
}

/// What a counter of the kernel says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Of which way.
    pub way: Way,
    /// By what the kernel knows the subject: an address or an interface.
    pub key: String,
    /// The count.
    pub count: Traffic,
}

/// What one subject has used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Sent since it is known.
    pub sent: Traffic,
    /// Received since it is known.
    pub received: Traffic,
    /// Bytes in both ways by day.
    days: Vec<(u32, u64)>,
    /// Bytes in both ways by month.
    months: Vec<(u32, u64)>,
}

/// What was read of one counter last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    subject: String,
    count: Traffic,
}

/// All accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// [`VERSION`].
    version: u32,
    /// Which counters were read last: others begin at zero.
    epoch: String,
    /// By way and key.
    seen: BTreeMap<String, Seen>,
    /// By subject.
    accounts: BTreeMap<String, Account>,
    /// Names of peers whose quota is used up, as was found last.
    #[serde(default)]
    pub spent: BTreeSet<PeerName>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            version: VERSION,
            epoch: String::new(),
            seen: BTreeMap::new(),
            accounts: BTreeMap::new(),
            spent: BTreeSet::new(),
        }
    }
}

/// Not what this release writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no book of version {VERSION}")]
pub struct NoBook;

impl Traffic {
    fn add(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// What came on top of `before`; a counter that shows less has begun anew.
    fn since(self, before: Self) -> Self {
        if self.packets < before.packets || self.bytes < before.bytes {
            return self;
        }
        Self { packets: self.packets - before.packets, bytes: self.bytes - before.bytes }
    }
}

impl Account {
    /// Bytes that are left of a quota.
    pub fn left_of(&self, quota: Quota, period: Period) -> u64 {
        let used = match quota.per {
            Span::Day => self.in_day(period),
            Span::Month => self.in_month(period),
        };
        quota.bytes.saturating_sub(used)
    }

    /// Bytes in both ways in a day.
    pub fn in_day(&self, period: Period) -> u64 {
        of(&self.days, period.day)
    }

    /// Bytes in both ways in a month.
    pub fn in_month(&self, period: Period) -> u64 {
        of(&self.months, period.month)
    }

    fn add(&mut self, way: Way, more: Traffic, period: Period) {
        match way {
            Way::Sent => self.sent.add(more),
            Way::Received => self.received.add(more),
        }
        put(&mut self.days, period.day, more.bytes);
        put(&mut self.months, period.month, more.bytes);
    }
}

fn of(list: &[(u32, u64)], which: u32) -> u64 {
    list.iter().find(|(one, _)| *one == which).map_or(0, |(_, bytes)| *bytes)
}

/// Adds, and moves to the end what was added to last.
fn put(list: &mut Vec<(u32, u64)>, which: u32, more: u64) {
    let sum = of(list, which).saturating_add(more);
    list.retain(|(one, _)| *one != which);
    list.push((which, sum));
    if list.len() > KEPT {
        list.remove(0);
    }
}

impl Book {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoBook> {
        let read: Self = serde_json::from_slice(bytes).map_err(|_| NoBook)?;
        if read.version == VERSION { Ok(read) } else { Err(NoBook) }
    }

    /// What a subject has used.
    pub fn account(&self, subject: &str) -> Option<&Account> {
        self.accounts.get(subject)
    }

    /// Adds what was counted since the last reading. `epoch` names the counters: a table of the kernel, in one of its boots.
    /// `subjects` says whose a key is; one that is not in it is still whose it was. Whether anything was added.
    pub fn add(
        &mut self,
        epoch: &str,
        readings: Vec<Reading>,
        subjects: &BTreeMap<String, String>,
        period: Period,
    ) -> bool {
        let before = std::mem::take(&mut self.seen);
        let begins_anew = self.epoch != epoch;
        epoch.clone_into(&mut self.epoch);
        let mut changed = false;
        for Reading { way, key, count } in readings {
            let place = place(way, &key);
            let known = before.get(&place);
            let subject = subjects.get(&key).or(known.map(|seen| &seen.subject));
            let Some(subject) = subject.filter(|_| count != Traffic::default()) else { continue };
            let last = known.filter(|_| !begins_anew).map_or(Traffic::default(), |seen| seen.count);
            let more = count.since(last);
            if more != Traffic::default() {
                self.accounts.entry(subject.clone()).or_default().add(way, more, period);
                changed = true;
            }
            self.seen.insert(place, Seen { subject: subject.clone(), count });
        }
        changed
    }

    /// The kernel's counters of these keys go, and begin at zero should they come again.
    pub fn forget(&mut self, keys: impl Iterator<Item = (Way, String)>) {
        for (way, key) in keys {
            self.seen.remove(&place(way, &key));
        }
    }

    /// Closes the accounts of subjects that there are no more. Whether there were any.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) -> bool {
        let before = self.accounts.len();
        self.accounts.retain(|subject, _| is_there(subject));
        self.accounts.len() != before
    }
}

fn place(way: Way, key: &str) -> String {
    let way = match way {
        Way::Sent => "sent",
        Way::Received => "received",
    };
    format!("{way} {key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(bytes: u64) -> Vec<Reading> {
        vec![Reading {
            way: Way::Sent,
            key: "10.77.0.2".into(),
            count: Traffic { packets: bytes / 100, bytes },
        }]
    }

    fn sent(book: &Book) -> u64 {
        book.account("peer phone").map_or(0, |account| account.sent.bytes)
    }

    const DAY: Period = Period { day: 20_261_130, month: 202_611 };

    #[test]
    fn nothing_is_counted_twice_and_nothing_is_lost() {
        let subjects: BTreeMap<_, _> = [("10.77.0.2".to_owned(), "peer phone".to_owned())].into();
        let mut book = Book::default();
        assert!(book.add("a", reading(1000), &subjects, DAY));
        assert!(!book.add("a", reading(1000), &subjects, DAY));
        assert!(book.add("a", reading(1500), &subjects, DAY));
        assert_eq!(sent(&book), 1500);
        // Read back by another process, which does not know the subjects yet.
        let mut book = Book::parse(&serde_json::to_vec(&book).unwrap()).unwrap();
        book.add("a", reading(1700), &BTreeMap::new(), DAY);
        assert_eq!(sent(&book), 1700);
        // New counters, which have counted more than the old ones.
        book.add("b", reading(5000), &subjects, DAY);
        assert_eq!(sent(&book), 6700);
        // The same, after our own removal.
        book.forget([(Way::Sent, "10.77.0.2".to_owned())].into_iter());
        book.add("b", reading(9000), &subjects, DAY);
        assert_eq!(sent(&book), 15_700);
        // Somebody put an element back, and it counts from zero.
        book.add("b", reading(100), &subjects, DAY);
        assert_eq!(sent(&book), 15_800);
        assert!(book.keep(|_| false) && book.account("peer phone").is_none());
        assert_eq!(Book::parse(b"{}"), Err(NoBook));
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_while_takes_nothing_away() {
        let subjects: BTreeMap<_, _> = [("10.77.0.2".to_owned(), "peer phone".to_owned())].into();
        let mut book = Book::default();
        book.add("a", reading(1000), &subjects, DAY);
        let wrong = Period { day: 19_700_101, month: 197_001 };
        book.add("a", reading(1100), &subjects, wrong);
        book.add("a", reading(1200), &subjects, Period { day: 20_991_231, month: 209_912 });
        book.add("a", reading(1300), &subjects, DAY);
        let account = book.account("peer phone").unwrap();
        assert_eq!((account.in_day(DAY), account.in_month(DAY), account.in_day(wrong)), (1100, 1100, 100));
        for day in 0..50 {
            book.add("a", reading(2000 + u64::from(day)), &subjects, Period { day, month: day });
        }
        assert_eq!(book.account("peer phone").unwrap().days.len(), KEPT);
    }
}
