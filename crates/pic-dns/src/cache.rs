//! Answers of upstreams, kept until they expire.
//!
//! Bounded by bytes: each shard has two halves; what is asked for again moves to the young half, and when that is
//! full the old half is dropped as a whole. That forgets roughly the least recently used without a list to maintain.
//! Time is an argument; nothing here reads a clock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::map::KeyedMap;
use crate::policy::View;
use crate::wire::answer::Answer;
use crate::wire::reply::Ede;
use crate::wire::{name, query::Query, rcode};

const SHARDS: usize = 8;
/// What an entry costs beside its bytes: map slot, `Arc`, key, allocator.
const OVERHEAD: usize = 192;

/// What makes two questions the same: view, flags that change the answer, type, name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Box<[u8]>);

/// A [`Key`] on the stack, to look up without allocating.
#[derive(Debug)]
pub struct KeyBuf {
    bytes: [u8; name::MAX + PREFIX],
    len: usize,
}

const PREFIX: usize = 5;
/// Where the flags are, and the one that marks failures kept beside an expired answer.
const FLAGS: usize = 2;
const FLAG_FAILURE: u8 = 0x80;
const FLAG_DNSSEC_OK: u8 = 1;
const FLAG_CHECKING_DISABLED: u8 = 2;
/// How long an expired answer may still be given while nobody upstream answers (RFC 8767 suggests one to three days).
const STALE: Duration = Duration::from_secs(86_400);

impl Key {
    /// Where a failure is kept while an expired answer is still good for something.
    pub fn of_failure(&self) -> Self {
        let mut bytes = self.0.clone();
        if let Some(flags) = bytes.get_mut(FLAGS) {
            *flags |= FLAG_FAILURE;
        }
        Self(bytes)
    }

    /// The name in lower case.
    pub fn name(&self) -> &[u8] {
        self.0.get(PREFIX..).unwrap_or_default()
    }
}

impl KeyBuf {
    /// Key of a question.
    pub fn new(view: View, query: &Query<'_>) -> Self {
        Self::of(view, query, query.name)
    }

    /// Key of the same question about another name.
    pub fn of(view: View, query: &Query<'_>, asked: &[u8]) -> Self {
        let mut bytes = [0; name::MAX + PREFIX];
        let [v0, v1] = view.0.to_be_bytes();
        let [t0, t1] = query.qtype.to_be_bytes();
        let (wants, unchecked) = (query.dnssec_ok(), query.checking_disabled);
        let flags =
            if wants { FLAG_DNSSEC_OK } else { 0 } | if unchecked { FLAG_CHECKING_DISABLED } else { 0 };
        bytes[..PREFIX].copy_from_slice(&[v0, v1, flags, t0, t1]);
        let len = PREFIX + asked.len().min(name::MAX);
        bytes[PREFIX..len].copy_from_slice(&asked[..len - PREFIX]);
        bytes[PREFIX..len].make_ascii_lowercase();
        Self { bytes, len }
    }

    /// The name in lower case.
    pub fn name(&self) -> &[u8] {
        &self.bytes[PREFIX..self.len]
    }

    /// The same for [`Key::of_failure`].
    pub fn of_failure(&self) -> Self {
        let mut bytes = self.bytes;
        bytes[FLAGS] |= FLAG_FAILURE;
        Self { bytes, len: self.len }
    }

    /// Key of a question for what proves another answer: with signatures, not validated, for nobody in particular.
    pub fn of_proof(asked: &[u8], qtype: u16) -> Self {
        let mut bytes = [0; name::MAX + PREFIX];
        let [v0, v1] = View::NONE.0.to_be_bytes();
        let [t0, t1] = qtype.to_be_bytes();
        bytes[..PREFIX].copy_from_slice(&[v0, v1, FLAG_DNSSEC_OK | FLAG_CHECKING_DISABLED, t0, t1]);
        let len = PREFIX + asked.len().min(name::MAX);
        bytes[PREFIX..len].copy_from_slice(&asked[..len - PREFIX]);
        Self { bytes, len }
    }

    /// A copy that can be kept.
    pub fn to_key(&self) -> Key {
        Key(self.bytes[..self.len].into())
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What DNSSEC validation made of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Proof {
    /// It was not looked at.
    #[default]
    Unchecked,
    /// Its zone is proven not to be signed.
    Insecure,
    /// It is authentic.
    Secure,
    /// It is not, and was replaced by a failure.
    Bogus,
}

/// An answer and since when we have it.
#[derive(Debug)]
pub struct Entry {
    /// The message.
    pub answer: Answer,
    /// Why it is a failure of ours, if it is one.
    pub ede: Option<Ede>,
    /// The same in words that were found for this answer, in place of those of `ede`.
    pub detail: Option<Box<str>>,
    /// Whether it follows from a trust anchor.
    pub proof: Proof,
    /// When it came.
    pub stored: Instant,
    /// Somebody is fetching it anew already.
    pub renewing: AtomicBool,
    /// Epoch of the blocklists in which it was found on none of those that count for its view; 0: not looked at.
    pub clean: AtomicU64,
}

impl Entry {
    /// Whole seconds since it came.
    pub fn age(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.stored).as_secs()).unwrap_or(u32::MAX)
    }

    /// Whether its life has not passed.
    pub fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.stored) < self.life()
    }

    /// Whether it may still stand in for an answer that cannot be had.
    pub fn is_usable(&self, now: Instant) -> bool {
        let limit = if self.is_failure() { self.life() } else { self.life() + STALE };
        now.saturating_duration_since(self.stored) < limit
    }

    /// Whether it says that there is no answer.
    pub fn is_failure(&self) -> bool {
        !matches!(self.answer.rcode, rcode::NOERROR | rcode::NXDOMAIN)
    }

    /// Whether it is asked for so near its end that it should be fetched anew; says so once.
    pub fn wants_renewal(&self, now: Instant) -> bool {
        let life = self.life();
        let age = now.saturating_duration_since(self.stored);
        // A tenth before the end; what lives shorter than this is not worth it.
        self.ede.is_none()
            && life >= Duration::from_secs(10)
            && age > life * 9 / 10
            && !self.renewing.swap(true, Ordering::Relaxed)
    }

    fn life(&self) -> Duration {
        Duration::from_secs(u64::from(self.answer.life))
    }

    fn cost(&self) -> usize {
        OVERHEAD
            + self.answer.wire.len()
            + self.detail.as_ref().map_or(0, |text| text.len())
            + 2 * self.answer.ttls.len()
            + name::MAX / 2
    }
}

#[derive(Debug, Default)]
struct Shard {
    young: KeyedMap<Box<[u8]>, Arc<Entry>>,
    old: KeyedMap<Box<[u8]>, Arc<Entry>>,
    young_bytes: usize,
}

/// The cache.
#[derive(Debug)]
pub struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    half: usize,
}

impl Cache {
    /// A cache that holds about `bytes`.
    pub fn new(bytes: usize) -> Self {
        Self { shards: Default::default(), half: bytes / SHARDS / 2 }
    }

    /// An answer, fresh or at least usable.
    pub fn get(&self, key: &KeyBuf, now: Instant) -> Option<Arc<Entry>> {
        self.find(key.as_bytes(), now)
    }

    /// The same by a kept key.
    pub fn get_kept(&self, key: &Key, now: Instant) -> Option<Arc<Entry>> {
        self.find(&key.0, now)
    }

    fn find(&self, key: &[u8], now: Instant) -> Option<Arc<Entry>> {
        let mut shard = self.shard(key);
        if let Some(entry) = shard.young.get(key) {
            return entry.is_usable(now).then(|| Arc::clone(entry));
        }
        let (owned, entry) = shard.old.remove_entry(key)?;
        if !entry.is_usable(now) {
            return None;
        }
        shard.insert(owned, Arc::clone(&entry), self.half);
        Some(entry)
    }

    /// Forgets what was learnt about a name, given in lower-case wire form, and all names beneath it. How many entries
    /// that were.
    pub fn flush(&self, apex: &[u8]) -> usize {
        let before = self.len();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let keep = |key: &[u8]| !name::is_within(Key(key.into()).name(), apex);
            shard.young.retain(|key, _| keep(key));
            shard.old.retain(|key, _| keep(key));
        }
        before - self.len()
    }

    /// Forgets one answer.
    pub fn remove(&self, key: &Key) {
        let mut shard = self.shard(&key.0);
        shard.old.remove(&key.0);
        if let Some(entry) = shard.young.remove(&key.0) {
            shard.young_bytes = shard.young_bytes.saturating_sub(entry.cost());
        }
    }

    /// Keeps an answer for its life.
    pub fn put(&self, key: &Key, entry: Arc<Entry>) {
        if entry.answer.life == 0 || entry.cost() > self.half {
            return;
        }
        let mut shard = self.shard(&key.0);
        shard.old.remove(&key.0);
        shard.insert(key.0.clone(), entry, self.half);
    }

    /// Entries held, fresh or not.
    pub fn len(&self) -> usize {
        let count = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(count).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        // FNV over the whole key: even names that share a long end are spread.
        let hash = key.iter().fold(0x811C_9DC5_u32, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193));
        let index = (hash >> 16) as usize % SHARDS;
        // A panic while holding the lock cannot leave a shard half-changed in a way that matters to a cache.
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn insert(&mut self, key: Box<[u8]>, entry: Arc<Entry>, half: usize) {
        if self.young_bytes + entry.cost() > half {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += entry.cost();
        if let Some(replaced) = self.young.insert(key, entry) {
            self.young_bytes = self.young_bytes.saturating_sub(replaced.cost());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> KeyBuf {
        let label = format!("{n:08}");
        let mut packet = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8];
        packet.extend(label.as_bytes());
        packet.extend([0, 0, 1, 0, 1]);
        KeyBuf::new(View(0), &Query::parse(&packet).unwrap())
    }

    fn entry(life: u32, stored: Instant) -> Arc<Entry> {
        let answer = Answer {
            wire: vec![0; 100].into(),
            ttls: Box::default(),
            life,
            rcode: 0,
            private: false,
            targets: Box::default(),
        };
        Arc::new(Entry {
            answer,
            ede: None,
            detail: None,
            proof: Proof::Unchecked,
            stored,
            renewing: AtomicBool::new(false),
            clean: AtomicU64::new(0),
        })
    }

    #[test]
    fn forgets_in_time() {
        let (cache, now) = (Cache::new(1 << 20), Instant::now());
        cache.put(&key(1).to_key(), entry(10, now));
        cache.put(&key(2).to_key(), entry(0, now));
        assert_eq!(
            cache.get(&key(1), now + Duration::from_secs(9)).unwrap().age(now + Duration::from_secs(9)),
            9
        );
        let later = now + Duration::from_secs(10);
        assert!(cache.get(&key(1), later).is_some_and(|entry| !entry.is_fresh(later)), "expired but usable");
        assert!(cache.get(&key(1), now + Duration::from_secs(90_000)).is_none());
        assert!(cache.get(&key(2), now).is_none());
    }

    #[test]
    fn stays_bounded_and_keeps_what_is_used() {
        let (cache, now) = (Cache::new(200_000), Instant::now());
        for n in 0..50_000 {
            cache.put(&key(n).to_key(), entry(1_000, now));
            assert!(cache.get(&key(0), now).is_some(), "asked for all the time, after {n}");
        }
        assert!(cache.len() < 200_000 / 400, "{} entries", cache.len());
    }
}
