//! Counts of what was done with questions, never of what was asked.

use std::sync::atomic::{AtomicU64, Ordering};

use pic_model::snapshot::dns::DnsCounters;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Answered from our zones.
    pub zone: Counter,
    /// Answered from the cache.
    pub cached: Counter,
    /// Sent upstream.
    pub forwarded: Counter,
    /// Of those, without success.
    pub failed: Counter,
    /// Of those, authentic.
    pub authentic: Counter,
    /// Of those, forged or broken.
    pub bogus: Counter,
    /// Blocked by a list.
    pub blocked: Counter,
    /// Refused.
    pub refused: Counter,
    /// Not readable.
    pub malformed: Counter,
    /// Dropped without an answer.
    pub dropped: Counter,
    /// Somebody outside asked too often.
    pub limited: Counter,
}

impl Counters {
    /// The present state.
    pub fn snapshot(&self) -> DnsCounters {
        DnsCounters {
            zone: self.zone.get(),
            cached: self.cached.get(),
            forwarded: self.forwarded.get(),
            failed: self.failed.get(),
            authentic: self.authentic.get(),
            bogus: self.bogus.get(),
            blocked: self.blocked.get(),
            refused: self.refused.get(),
            malformed: self.malformed.get(),
            dropped: self.dropped.get(),
            limited: self.limited.get(),
        }
    }
}
