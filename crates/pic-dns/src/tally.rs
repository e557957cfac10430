//! Questions counted by who asked: exactly, in bounded memory, without a lock on the way of a question.
//!
//! Clients stand in a table of fixed size that is only ever added to. When it is nearly full, those that asked last move to a
//! new table, and what the others asked is added to one sum. A client keeps its counters over that, so nothing is lost that
//! a thread counts meanwhile.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use pic_model::snapshot::dns::{DnsTally, DnsTreated};

use crate::counters::Counter;

/// Places of the table.
const PLACES: usize = 4_096;
/// Places in use from which on the table is made anew.
const FULL: usize = PLACES / 4 * 3;
/// Clients that stay then.
const KEPT: usize = PLACES / 2;
/// Places looked at for one client. With three quarters in use, one in a hundred clients finds none.
const PROBES: usize = 16;

/// Counts by how questions were treated.
#[derive(Debug, Default)]
pub struct Tally {
    local: Counter,
    cached: Counter,
    forwarded: Counter,
    blocked: Counter,
    failed: Counter,
    refused: Counter,
}

impl Tally {
    /// One more.
    pub fn add(&self, treated: DnsTreated) {
        match treated {
            DnsTreated::Local => self.local.add(),
            DnsTreated::Cached => self.cached.add(),
            DnsTreated::Forwarded => self.forwarded.add(),
            DnsTreated::Blocked => self.blocked.add(),
            DnsTreated::Failed => self.failed.add(),
            DnsTreated::Refused => self.refused.add(),
        }
    }

    /// The present state.
    pub fn snapshot(&self) -> DnsTally {
        DnsTally {
            local: self.local.get(),
            cached: self.cached.get(),
            forwarded: self.forwarded.get(),
            blocked: self.blocked.get(),
            failed: self.failed.get(),
            refused: self.refused.get(),
        }
    }
}

fn sum(a: DnsTally, b: DnsTally) -> DnsTally {
    DnsTally {
        local: a.local + b.local,
        cached: a.cached + b.cached,
        forwarded: a.forwarded + b.forwarded,
        blocked: a.blocked + b.blocked,
        failed: a.failed + b.failed,
        refused: a.refused + b.refused,
    }
}

/// One client that is told apart.
#[derive(Debug)]
struct Client {
    address: IpAddr,
    tally: Tally,
    /// Seconds from the begin to its last question.
    last: AtomicU64,
}

#[derive(Debug)]
struct Table {
    places: Box<[OnceLock<Arc<Client>>]>,
    used: AtomicUsize,
    /// Of the kind whose low bits are good alone: they choose the place.
    hasher: foldhash::quality::RandomState,
}

impl Table {
    fn new() -> Self {
        let places = (0..PLACES).map(|_| OnceLock::new()).collect();
        Self { places, used: AtomicUsize::new(0), hasher: foldhash::quality::RandomState::default() }
    }

    /// The place of an address, taken with what `make` gives if it is free; `None` where the table has no room for it.
    fn place(&self, address: IpAddr, make: impl Fn() -> Arc<Client>) -> Option<&Arc<Client>> {
        self.probe(address).find_map(|place| {
            let client = place.get_or_init(|| {
                self.used.fetch_add(1, Ordering::Relaxed);
                make()
            });
            (client.address == address).then_some(client)
        })
    }

    fn find(&self, address: IpAddr) -> Option<&Arc<Client>> {
        self.probe(address).map_while(OnceLock::get).find(|client| client.address == address)
    }

    fn probe(&self, address: IpAddr) -> impl Iterator<Item = &OnceLock<Arc<Client>>> {
        let first = usize::try_from(self.hasher.hash_one(address) % PLACES as u64).unwrap_or(0);
        (first..first + PROBES).map(|at| &self.places[at % PLACES])
    }

    fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.places.iter().filter_map(OnceLock::get)
    }
}

/// Clients whose place was given to others.
#[derive(Debug, Default)]
struct Gone {
    /// The table before, while a thread may still count in it.
    table: Option<Arc<Table>>,
    sum: DnsTally,
}

impl Gone {
    /// What is counted in the table before alone.
    fn leaving<'t>(&'t self, now: &'t Table) -> impl Iterator<Item = &'t Arc<Client>> {
        let stays =
            |client: &Arc<Client>| now.find(client.address).is_some_and(|kept| Arc::ptr_eq(kept, client));
        self.table.iter().flat_map(|table| table.clients()).filter(move |client| !stays(client))
    }
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    table: ArcSwap<Table>,
    /// Questions of those that found no place.
    crowd: Tally,
    gone: Mutex<Gone>,
    begin: Instant,
}

/// One client's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Its address.
    pub address: IpAddr,
    /// Seconds since its last question.
    pub idle: u64,
    /// Its questions.
    pub tally: DnsTally,
}

impl Default for Clients {
    fn default() -> Self {
        let table = ArcSwap::from_pointee(Table::new());
        Self { table, crowd: Tally::default(), gone: Mutex::default(), begin: Instant::now() }
    }
}

impl Clients {
    /// Counts a question.
    pub fn add(&self, address: IpAddr, treated: DnsTreated, now: Instant) {
        let address = address.to_canonical();
        let last = || AtomicU64::new(0);
        let table = self.table.load();
        let client =
            table.place(address, || Arc::new(Client { address, tally: Tally::default(), last: last() }));
        match client {
            Some(client) => {
                client.tally.add(treated);
                client.last.store(self.seconds(now), Ordering::Relaxed);
            }
            None => self.crowd.add(treated),
        }
    }

    fn seconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begin).as_secs()
    }

    /// Makes room for new clients where there is little left. To be called now and then.
    pub fn tidy(&self) {
        let mut gone = self.gone();
        let table = self.table.load_full();
        if let Some(before) = &gone.table {
            // Storing the new table made every hold on this one count.
            if Arc::strong_count(before) > 1 {
                return;
            }
            let left = gone.leaving(&table).fold(gone.sum, |all, client| sum(all, client.tally.snapshot()));
            *gone = Gone { table: None, sum: left };
        }
        if table.used.load(Ordering::Relaxed) < FULL {
            return;
        }
        let mut all: Vec<&Arc<Client>> = table.clients().collect();
        all.sort_by_key(|client| std::cmp::Reverse(client.last.load(Ordering::Relaxed)));
        let new = Table::new();
        for client in all.into_iter().take(KEPT) {
            let _ = new.place(client.address, || Arc::clone(client));
        }
        self.table.store(Arc::new(new));
        gone.table = Some(table);
    }

    /// What each client asked, those that asked most first, and what all others asked.
    pub fn snapshot(&self, now: Instant) -> (Vec<Counted>, DnsTally) {
        let gone = self.gone();
        let table = self.table.load();
        let counted = |client: &Arc<Client>| Counted {
            address: client.address,
            idle: self.seconds(now).saturating_sub(client.last.load(Ordering::Relaxed)),
            tally: client.tally.snapshot(),
        };
        let mut all: Vec<Counted> = table.clients().map(counted).collect();
        all.sort_by_key(|client| (std::cmp::Reverse(client.tally.total()), client.address));
        let leaving = gone.leaving(&table).map(|client| client.tally.snapshot());
        (all, leaving.chain([gone.sum, self.crowd.snapshot()]).fold(DnsTally::default(), sum))
    }

    fn gone(&self) -> MutexGuard<'_, Gone> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0A00_0000 + number).into()
    }

    #[test]
    fn clients_are_told_apart() {
        let (clients, now) = (Clients::default(), Instant::now());
        clients.add(address(1), DnsTreated::Local, now);
        clients.add("::ffff:10.0.0.1".parse().unwrap(), DnsTreated::Blocked, now);
        clients.add(address(2), DnsTreated::Failed, now + std::time::Duration::from_secs(7));
        let (all, others) = clients.snapshot(now + std::time::Duration::from_secs(9));
        let first = DnsTally { local: 1, blocked: 1, ..DnsTally::default() };
        assert_eq!(all[0], Counted { address: address(1), idle: all[0].idle, tally: first });
        assert_eq!((all[1].address, all[1].tally.failed, all[1].idle), (address(2), 1, 2));
        assert_eq!((all.len(), others.total()), (2, 0));
    }

    #[test]
    fn nothing_is_lost_while_clients_come_and_go() {
        const EACH: u32 = 60_000;
        let clients = Clients::default();
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (clients, done) = (&clients, &done);
                scope.spawn(move || {
                    for n in 0..EACH {
                        clients.add(address(n / 3 + thread), DnsTreated::Cached, Instant::now());
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
            while done.load(Ordering::Relaxed) < 3 {
                clients.tidy();
                let (all, _) = clients.snapshot(Instant::now());
                assert!(all.len() <= PLACES);
            }
        });
        for _ in 0..3 {
            let (all, others) = clients.snapshot(Instant::now());
            let sum: u64 = all.iter().map(|client| client.tally.total()).sum();
            assert_eq!(sum + others.total(), u64::from(3 * EACH), "{} told apart", all.len());
            clients.tidy();
        }
    }

    #[test]
    fn those_who_asked_last_stay() {
        let (clients, begin) = (Clients::default(), Instant::now());
        for n in 0..2 * u32::try_from(PLACES).unwrap() {
            clients.add(address(n), DnsTreated::Local, begin + std::time::Duration::from_secs(n.into()));
            clients.tidy();
        }
        let (all, others) = clients.snapshot(begin);
        assert!(all.len() >= KEPT && all.len() <= PLACES, "{}", all.len());
        let told =
            |from: u32| (from..from + 1_000).filter(|n| all.iter().any(|c| c.address == address(*n))).count();
        // Some find no place in a table that is nearly full.
        assert!(told(7_192) > 900, "{} of the last", told(7_192));
        assert_eq!(told(0), 0, "of the first");
        assert_eq!(u64::try_from(all.len()).unwrap() + others.total(), 8_192);
    }
}
