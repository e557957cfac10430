//! Questions about other people's names.
//!
//! Owns: the cache, and that equal questions in flight are asked once (which also denies an attacker many simultaneous
//! chances to forge the answer); `race` owns whom to ask.
//! Never: interprets the answer beyond checking that it is one and that it may come from where it came; it is relayed
//! byte for byte, whatever types it holds.
//! Every question ends within [`DEADLINE`] with an answer, an expired answer, or a SERVFAIL that says why.

mod https;
mod path;
mod race;
pub mod stream;
mod task;
mod tls;
mod udp;
mod upstream;
mod validated;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pic_model::snapshot::dns::{DnsUpstreamStatus, Upstream as UpstreamConfig};
use tokio::sync::oneshot;

use crate::cache::{Cache, Entry, Key, KeyBuf, Proof};
use crate::dnssec::Validator;
use crate::wire::answer::Answer;
use crate::wire::reply::Ede;
use crate::wire::{name, rcode};
pub use path::Path;
pub use task::{Served, Task};
pub(crate) use tls::Stream as TlsConnection;
pub(crate) use tls::connect_plain as connect_tls;
use upstream::{Question, Upstream};

/// A client gets its answer within this time. Most give up after five seconds.
const DEADLINE: Duration = Duration::from_millis(4_500);
/// Questions in flight; more are failed at once, so that a flood cannot take all memory.
const MAX_IN_FLIGHT: usize = 4_096;
/// Life of a failure (RFC 9520 asks for at least a second, so that retries do not multiply the load).
const FAILURE_LIFE: u32 = 1;
/// The same where an expired answer stands in for it (RFC 8767 section 5).
const FAILURE_LIFE_STALE: u32 = 30;
/// Life of an answer that was taken for an attack.
const REBINDING_LIFE: u32 = 60;

const NOT_CONFIGURED: Ede = Ede { code: 0, text: "there is no upstream resolver for this name" };
const UNREACHABLE: Ede = Ede { code: 22, text: "no upstream resolver answered in time" };
const OVERLOADED: Ede = Ede { code: 0, text: "too many questions in flight" };
const REBINDING: Ede = Ede { code: 15, text: "a private address from outside; see dns.private" };

type Waiters = Vec<oneshot::Sender<Arc<Entry>>>;

/// What answers may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Guard {
    /// Anything: the upstreams were named for this very zone.
    #[default]
    Trusted,
    /// No private addresses, but for names beneath these, in lower-case wire form. A page from the internet could
    /// otherwise make a browser here talk to devices here (DNS rebinding).
    Outside(Vec<Box<[u8]>>),
}

impl Guard {
    fn refuses(&self, asked: &[u8], answer: &Answer) -> bool {
        *self != Self::Trusted && answer.private && !self.excepts(asked)
    }

    /// Whether a name is beneath one of those that may have private addresses.
    fn excepts(&self, asked: &[u8]) -> bool {
        match self {
            Self::Trusted => false,
            Self::Outside(private) => private.iter().any(|apex| name::is_within(asked, apex)),
        }
    }
}

/// The upstreams of a snapshot and what they said.
#[derive(Debug)]
pub struct Forwarder {
    path: Path,
    config: Vec<UpstreamConfig>,
    upstreams: Vec<Arc<Upstream>>,
    guard: Guard,
    /// Absent where answers are taken as they are.
    validator: Option<Arc<Validator>>,
    cache: Cache,
    in_flight: Mutex<BTreeMap<Key, Waiters>>,
}

/// An answer from the cache.
#[derive(Debug)]
pub struct Cached {
    /// What to give, and how old it is.
    pub served: Served,
    /// It should be fetched anew meanwhile.
    pub wants_renewal: bool,
}

impl Forwarder {
    /// A forwarder with an empty cache of so many bytes.
    pub fn new(
        config: Vec<UpstreamConfig>,
        cache: usize,
        guard: Guard,
        validator: Option<Arc<Validator>>,
    ) -> Self {
        Self::by(Path::default(), config, cache, guard, validator)
    }

    /// One whose questions leave by this way.
    pub fn by(
        path: Path,
        config: Vec<UpstreamConfig>,
        cache: usize,
        guard: Guard,
        validator: Option<Arc<Validator>>,
    ) -> Self {
        let upstreams = config.iter().map(|one| Arc::new(Upstream::new(one, path.clone()))).collect();
        let cache = Cache::new(cache);
        Self { path, config, upstreams, guard, validator, cache, in_flight: Mutex::default() }
    }

    /// The way of its questions.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was made from these.
    pub fn is_made_from(
        &self,
        upstreams: &[UpstreamConfig],
        guard: &Guard,
        validator: Option<&Arc<Validator>>,
    ) -> bool {
        let same = match (&self.validator, validator) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same && self.config == upstreams && self.guard == *guard
    }

    /// Whether answers about this name are validated. Names that the owner has asked elsewhere, and those beneath
    /// `dns.private`, are not in the public tree: only a trust anchor of their own says that they are signed.
    fn validates(&self, asked: &[u8]) -> bool {
        let is_own = || self.guard == Guard::Trusted || self.guard.excepts(asked);
        self.validator.as_ref().is_some_and(|validator| !is_own() || validator.is_for(asked))
    }

    /// What it was made from.
    pub fn upstreams(&self) -> &[UpstreamConfig] {
        &self.config
    }

    /// State of every upstream.
    pub fn status(&self, now: Instant) -> Vec<DnsUpstreamStatus> {
        let one = |u: &Arc<Upstream>| DnsUpstreamStatus {
            address: u.address(),
            healthy: u.is_healthy(now),
            unsigned: u.is_unsigned(now),
        };
        self.upstreams.iter().map(one).collect()
    }

    /// Whether each of the upstreams was found to give no signatures, and none has given any since.
    pub fn lacks_signatures(&self) -> bool {
        !self.upstreams.is_empty() && self.upstreams.iter().all(|upstream| upstream.lacks_signatures())
    }

    /// Entries in the cache.
    pub fn cache_entries(&self) -> usize {
        self.cache.len()
    }

    /// Forgets what was learnt about a name and all beneath it; how many answers.
    pub fn flush(&self, apex: &[u8]) -> usize {
        self.cache.flush(apex)
    }

    /// What can be answered at once: a fresh answer, or an expired one while a fresh one was just not to be had.
    pub fn cached(&self, key: &KeyBuf, now: Instant) -> Option<Cached> {
        let entry = self.cache.get(key, now)?;
        if entry.is_fresh(now) {
            let wants_renewal = entry.wants_renewal(now);
            return Some(Cached { served: Served::new(entry, false), wants_renewal });
        }
        let failed = self.cache.get(&key.of_failure(), now).is_some();
        failed.then_some(Cached { served: Served::new(entry, true), wants_renewal: false })
    }

    /// What is kept for `key` if it is fresh.
    fn fresh(&self, key: &Key) -> Option<Arc<Entry>> {
        let now = Instant::now();
        self.cache.get_kept(key, now).filter(|entry| entry.is_fresh(now))
    }

    /// Waits with others for the answer to `key`; the first to come does the asking.
    async fn resolve(self: Arc<Self>, key: Key, question: Question) -> Arc<Entry> {
        let (sender, receiver) = oneshot::channel();
        match self.join(&key, sender) {
            Joined::Full => return failure(OVERLOADED),
            Joined::Waiting => {}
            Joined::First => {
                let (this, question) = (Arc::clone(&self), question.clone());
                // Its own task: the asking must end properly even if this client hangs up.
                tokio::spawn(async move { this.ask_for_all(key, question).await });
            }
        }
        receiver.await.unwrap_or_else(|_| failure(UNREACHABLE))
    }

    async fn ask_for_all(self: &Arc<Self>, key: Key, question: Question) {
        let entry = match self.validator.as_ref().filter(|_| question.is_validated()) {
            Some(validator) => validated::ask(self, validator, &question).await,
            None => race::ask(&self.upstreams, &self.guard, &question, None).await.entry,
        };
        self.keep(&key, &entry);
        for waiter in self.lock().remove(&key).unwrap_or_default() {
            // Nobody waits any more if the client hung up.
            let _ = waiter.send(Arc::clone(&entry));
        }
    }

    /// Keeps an answer; a failure does not push an expired answer out.
    fn keep(&self, key: &Key, entry: &Arc<Entry>) {
        // One that is wrong, unlike one that is late, does push it out.
        if entry.is_failure() && entry.proof != Proof::Bogus && self.usable(key).is_some() {
            let answer = Answer { life: FAILURE_LIFE_STALE, ..entry.answer.clone() };
            self.cache.put(&key.of_failure(), self::entry(answer, entry.ede, Proof::Unchecked));
        } else {
            self.cache.put(key, Arc::clone(entry));
        }
    }

    /// An answer that could stand in for a failure.
    fn usable(&self, key: &Key) -> Option<Arc<Entry>> {
        self.cache.get_kept(key, Instant::now()).filter(|entry| !entry.is_failure())
    }

    fn join(&self, key: &Key, sender: oneshot::Sender<Arc<Entry>>) -> Joined {
        let mut in_flight = self.lock();
        if let Some(waiters) = in_flight.get_mut(key) {
            if waiters.len() >= MAX_IN_FLIGHT {
                return Joined::Full;
            }
            waiters.push(sender);
            return Joined::Waiting;
        }
        if in_flight.len() >= MAX_IN_FLIGHT {
            return Joined::Full;
        }
        in_flight.insert(key.clone(), vec![sender]);
        Joined::First
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Waiters>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Joined {
    First,
    Waiting,
    Full,
}

fn entry(answer: Answer, ede: Option<Ede>, proof: Proof) -> Arc<Entry> {
    let (renewing, clean) = (AtomicBool::new(false), AtomicU64::new(0));
    Arc::new(Entry { answer, ede, detail: None, proof, stored: Instant::now(), renewing, clean })
}

/// An answer of our own. It has no message: it is composed for each client.
fn own(rcode: u16, life: u32, ede: Ede) -> Arc<Entry> {
    entry(empty(rcode, life), Some(ede), Proof::Unchecked)
}

fn empty(rcode: u16, life: u32) -> Answer {
    Answer {
        wire: Box::default(),
        ttls: Box::default(),
        life,
        rcode,
        private: false,
        targets: Box::default(),
    }
}

/// A SERVFAIL of our own.
fn failure(ede: Ede) -> Arc<Entry> {
    own(rcode::SERVFAIL, FAILURE_LIFE, ede)
}

#[cfg(test)]
mod tests;
