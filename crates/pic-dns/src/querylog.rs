//! The last questions, where the owner wants them kept: in memory, bounded, never on disk.
//!
//! A ring of places with a lock each. Who writes takes a number and with it a place; nobody else wants that place before the ring
//! has gone round, but a reader for a moment. So no question waits for another one.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hickory_proto::rr::RecordType;
use jiff::Timestamp;
use pic_model::snapshot::dns::{DnsLog, DnsLogEntry, DnsTreated};
use smallvec::SmallVec;

use crate::policy::ViewTally;
use crate::server::Transport;
use crate::wire::{name, rcode};

/// One question and what became of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it was answered.
    pub at: SystemTime,
    /// Who asked.
    pub client: IpAddr,
    /// View of the client.
    pub view: Arc<ViewTally>,
    /// Name in wire form, as it was spelt.
    pub name: SmallVec<[u8; 40]>,
    /// Type.
    pub qtype: u16,
    /// How it was treated.
    pub treated: DnsTreated,
    /// Low bits of the response code.
    pub rcode: u8,
    /// How it came.
    pub transport: Transport,
    /// Time until the answer was ready.
    pub microseconds: u64,
}

impl Entry {
    fn told(&self, number: u64) -> DnsLogEntry {
        let at = Timestamp::try_from(self.at).unwrap_or_default();
        DnsLogEntry {
            number,
            // Milliseconds tell questions apart well enough.
            at: format!("{at:.3}"),
            client: self.client,
            view: self.view.name.clone(),
            name: name::to_text(&self.name).to_ascii_lowercase(),
            rtype: RecordType::from(self.qtype).to_string(),
            treated: self.treated,
            rcode: rcode::text(self.rcode).to_owned(),
            transport: self.transport.as_str().to_owned(),
            microseconds: self.microseconds,
        }
    }
}

/// A question and its number, if there was one yet.
type Place = Mutex<Option<(u64, Entry)>>;

/// The ring.
#[derive(Debug)]
pub struct QueryLog {
    places: Box<[Place]>,
    /// Number of the last question.
    last: AtomicU64,
    /// Up to this number, questions are from another ring, or lost.
    copied: u64,
}

impl QueryLog {
    /// One for so many questions, with what `before` has; `None` for no questions.
    pub fn new(size: u32, before: Option<&Arc<Self>>) -> Option<Arc<Self>> {
        let size = usize::try_from(size).ok().filter(|size| *size > 0)?;
        if let Some(same) = before.filter(|log| log.places.len() == size) {
            return Some(Arc::clone(same));
        }
        let copied = before.map_or(0, |before| before.last.load(Ordering::Relaxed));
        let places = (0..size).map(|_| Mutex::new(None)).collect();
        let log = Self { places, last: AtomicU64::new(copied), copied };
        if let Some(before) = before {
            for (number, entry) in before.places.iter().filter_map(|place| lock(place).clone()) {
                // What comes there now is lost with it.
                if number <= copied {
                    log.put(number, entry);
                }
            }
        }
        Some(Arc::new(log))
    }

    /// Keeps a question.
    pub fn push(&self, entry: Entry) {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.put(number, entry);
    }

    fn put(&self, number: u64, entry: Entry) {
        let Some(place) = self.place(number) else { return };
        let mut place = lock(place);
        // The ring may have gone round while this thread was not running.
        if place.as_ref().is_none_or(|(other, _)| *other < number) {
            *place = Some((number, entry));
        }
    }

    fn place(&self, number: u64) -> Option<&Place> {
        let size = u64::try_from(self.places.len()).ok()?;
        self.places.get(usize::try_from(number.checked_rem(size)?).ok()?)
    }

    /// Questions of these clients, or of all where there are none: those behind a number, the oldest first, or the newest.
    pub fn read(&self, clients: &[IpAddr], after: Option<u64>, limit: usize) -> DnsLog {
        let last = self.last.load(Ordering::Relaxed);
        let size = u64::try_from(self.places.len()).unwrap_or(u64::MAX);
        let oldest = (last + 1).saturating_sub(size).max(1);
        let is_wanted = |entry: &Entry| clients.is_empty() || clients.contains(&entry.client);
        // A number from another life of this service is behind none.
        let after = after.map(|after| if after > last { 0 } else { after });
        let (mut entries, mut next) = (Vec::new(), last);
        match after {
            Some(after) => {
                next = after;
                for number in oldest.max(after + 1)..=last {
                    match self.find(number) {
                        // One that is not written yet is read the next time.
                        Found::Coming => break,
                        Found::Lost => {}
                        Found::Here(entry) if is_wanted(&entry) => entries.push(entry.told(number)),
                        Found::Here(_) => {}
                    }
                    next = number;
                    if entries.len() >= limit {
                        break;
                    }
                }
            }
            None => {
                for number in (oldest..=last).rev().take_while(|_| limit > 0) {
                    match self.find(number) {
                        Found::Here(entry) if is_wanted(&entry) => entries.push(entry.told(number)),
                        Found::Here(_) | Found::Lost => {}
                        Found::Coming => next = number - 1,
                    }
                    if entries.len() >= limit {
                        break;
                    }
                }
                entries.retain(|entry: &DnsLogEntry| entry.number <= next);
                entries.reverse();
            }
        }
        DnsLog { size: u32::try_from(self.places.len()).unwrap_or(u32::MAX), next, entries }
    }

    fn find(&self, number: u64) -> Found {
        let place = self.place(number).map(|place| lock(place).clone());
        match place.flatten() {
            Some((here, entry)) if here == number => Found::Here(entry),
            Some((here, _)) if here > number => Found::Lost,
            _ if number <= self.copied => Found::Lost,
            Some(_) | None => Found::Coming,
        }
    }
}

enum Found {
    Here(Entry),
    /// A later one has its place.
    Lost,
    /// Its number is taken, but it is not written yet.
    Coming,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // An entry is replaced whole, so a panic leaves the old or the new one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(client: u8) -> Entry {
        Entry {
            at: SystemTime::UNIX_EPOCH,
            client: [10, 0, 0, client].into(),
            view: Arc::default(),
            name: b"\x01A\x07Example\0".as_slice().into(),
            qtype: 1,
            treated: DnsTreated::Local,
            rcode: 3,
            transport: Transport::Udp,
            microseconds: 5,
        }
    }

    fn numbers(log: &DnsLog) -> Vec<u64> {
        log.entries.iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn keeps_the_last_ones() {
        assert!(QueryLog::new(0, None).is_none());
        let log = QueryLog::new(4, None).unwrap();
        (0..10).for_each(|n| log.push(entry(n)));
        let read = log.read(&[], None, 100);
        assert_eq!((numbers(&read), read.next, read.size), (vec![7, 8, 9, 10], 10, 4));
        let one = &read.entries[0];
        assert_eq!(
            (one.name.as_str(), one.rtype.as_str(), one.rcode.as_str()),
            ("a.example", "A", "NXDOMAIN")
        );
        assert_eq!(one.at, "1970-01-01T00:00:00.000Z");
        assert_eq!(numbers(&log.read(&[], None, 2)), [9, 10], "the newest");
        let page = log.read(&[], Some(2), 2);
        assert_eq!((numbers(&page), page.next), (vec![7, 8], 8), "what is lost is left out");
        assert_eq!(numbers(&log.read(&[], Some(page.next), 2)), [9, 10]);
        assert_eq!(numbers(&log.read(&[], Some(10), 2)), [0; 0]);
        assert_eq!(numbers(&log.read(&[], Some(99), 9)), [7, 8, 9, 10], "of another life");
        let whose = log.read(&["10.0.0.8".parse().unwrap()], Some(0), 9);
        assert_eq!((numbers(&whose), whose.next), (vec![9], 10));
    }

    #[test]
    fn another_size_keeps_what_fits() {
        let log = QueryLog::new(4, None).unwrap();
        (0..10).for_each(|n| log.push(entry(n)));
        let wider = QueryLog::new(6, Some(&log)).unwrap();
        wider.push(entry(1));
        assert_eq!(numbers(&wider.read(&[], None, 9)), [7, 8, 9, 10, 11]);
        let narrower = QueryLog::new(2, Some(&wider)).unwrap();
        assert_eq!(numbers(&narrower.read(&[], None, 9)), [10, 11]);
        assert!(Arc::ptr_eq(&narrower, &QueryLog::new(2, Some(&narrower)).unwrap()));
    }

    #[test]
    fn what_is_on_the_way_is_read_later() {
        let log = QueryLog::new(4, None).unwrap();
        (0..3).for_each(|n| log.push(entry(n)));
        // A thread has taken number 4, and number 5 is written already.
        log.last.fetch_add(1, Ordering::Relaxed);
        log.push(entry(9));
        for after in [None, Some(1)] {
            let read = log.read(&[], after, 9);
            assert_eq!((numbers(&read).last(), read.next), (Some(&3), 3), "{after:?}");
        }
        log.put(4, entry(4));
        assert_eq!(numbers(&log.read(&[], Some(3), 9)), [4, 5]);
    }
}
