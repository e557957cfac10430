//! Questions about other people's names.
//!
//! Owns: the cache, the order in which upstreams are tried, and that equal questions in flight are asked once (which
//! also denies an attacker many simultaneous chances to forge the answer).
//! Never: interprets the answer beyond checking that it is one; it is relayed byte for byte, whatever types it holds.
//! Every question ends within [`DEADLINE`] with an answer or a SERVFAIL that says why.

pub mod stream;
mod tls;
mod udp;
mod upstream;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pic_model::snapshot::dns::{DnsUpstreamStatus, Upstream as UpstreamConfig};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::cache::{Cache, Entry, Key, KeyBuf};
use crate::wire::answer::Answer;
use crate::wire::query::Query;
use crate::wire::rcode;
use crate::wire::reply::Ede;
use upstream::{Question, Upstream};

/// A client gets its answer within this time. Most give up after five seconds.
const DEADLINE: Duration = Duration::from_millis(4_500);
/// How often the whole list of upstreams is gone through.
const ROUNDS: usize = 3;
/// Questions in flight; more are failed at once, so that a flood cannot take all memory.
const MAX_IN_FLIGHT: usize = 4_096;
const CACHE_BYTES: usize = 16 << 20;
/// Life of a failure (RFC 9520 asks for at least a second, so that retries do not multiply the load).
const FAILURE_LIFE: u32 = 1;

const NOT_CONFIGURED: Ede = Ede { code: 0, text: "the cell has no upstream resolver" };
const UNREACHABLE: Ede = Ede { code: 22, text: "no upstream resolver answered in time" };
const OVERLOADED: Ede = Ede { code: 0, text: "too many questions in flight" };

type Waiters = Vec<oneshot::Sender<Arc<Entry>>>;

/// The upstreams of a snapshot and what they said.
#[derive(Debug)]
pub struct Forwarder {
    config: Vec<UpstreamConfig>,
    upstreams: Vec<Upstream>,
    cache: Cache,
    in_flight: Mutex<BTreeMap<Key, Waiters>>,
}

impl Forwarder {
    /// A forwarder with an empty cache.
    pub fn new(config: Vec<UpstreamConfig>) -> Self {
        let upstreams = config.iter().map(Upstream::new).collect();
        Self { config, upstreams, cache: Cache::new(CACHE_BYTES), in_flight: Mutex::default() }
    }

    /// What it was made from.
    pub fn upstreams(&self) -> &[UpstreamConfig] {
        &self.config
    }

    /// State of every upstream.
    pub fn status(&self, now: Instant) -> Vec<DnsUpstreamStatus> {
        let one = |u: &Upstream| DnsUpstreamStatus { address: u.address(), healthy: u.is_healthy(now) };
        self.upstreams.iter().map(one).collect()
    }

    /// Entries in the cache.
    pub fn cache_entries(&self) -> usize {
        self.cache.len()
    }

    /// A fresh answer from the cache.
    pub fn cached(&self, key: &KeyBuf, now: Instant) -> Option<Arc<Entry>> {
        self.cache.get(key, now)
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

    async fn ask_for_all(&self, key: Key, question: Question) {
        let entry = self.ask(&question).await;
        self.cache.put(&key, Arc::clone(&entry));
        for waiter in self.lock().remove(&key).unwrap_or_default() {
            // Nobody waits any more if the client hung up.
            let _ = waiter.send(Arc::clone(&entry));
        }
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

    /// Tries upstreams, healthy ones first, until one answers.
    async fn ask(&self, question: &Question) -> Arc<Entry> {
        if self.upstreams.is_empty() {
            return failure(NOT_CONFIGURED);
        }
        let deadline = tokio::time::Instant::now() + DEADLINE;
        let mut order: Vec<&Upstream> = self.upstreams.iter().collect();
        let now = Instant::now();
        order.sort_by_key(|upstream| !upstream.is_healthy(now));
        let mut complaint = None;
        for upstream in order.iter().cycle().take(order.len() * ROUNDS) {
            match timeout_at(deadline, upstream.ask(question)).await {
                Ok(Ok(answer)) if is_complaint(&answer) => complaint = Some(answer),
                Ok(Ok(answer)) => return entry(answer, None),
                Ok(Err(error)) => tracing::debug!(upstream = %upstream.address(), %error, "no answer"),
                Err(_) => break,
            }
            // Everybody reachable has said that it cannot be resolved; asking again would not help.
            if complaint.is_some() && order.len() == 1 {
                break;
            }
        }
        match complaint {
            Some(answer) => entry(Answer { life: FAILURE_LIFE, ..answer }, None),
            None => failure(UNREACHABLE),
        }
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

/// Codes that say "not me" rather than something about the name: another upstream may know better.
fn is_complaint(answer: &Answer) -> bool {
    !matches!(answer.rcode, rcode::NOERROR | rcode::NXDOMAIN)
}

fn entry(answer: Answer, ede: Option<Ede>) -> Arc<Entry> {
    Arc::new(Entry { answer, ede, stored: Instant::now() })
}

/// A SERVFAIL of our own. It has no message: it is composed for each client.
fn failure(ede: Ede) -> Arc<Entry> {
    let answer =
        Answer { wire: Box::default(), ttls: Box::default(), life: FAILURE_LIFE, rcode: rcode::SERVFAIL };
    entry(answer, Some(ede))
}

/// A question on its way to the upstreams.
#[derive(Debug)]
pub struct Task {
    forwarder: Arc<Forwarder>,
    key: Key,
    question: Question,
}

impl Task {
    pub(crate) fn new(forwarder: Arc<Forwarder>, key: &KeyBuf, query: &Query<'_>) -> Self {
        Self { forwarder, key: key.to_key(), question: Question::new(key.name(), query) }
    }

    /// The answer or failure, within [`DEADLINE`].
    pub async fn run(self) -> Arc<Entry> {
        self.forwarder.resolve(self.key, self.question).await
    }
}

#[cfg(test)]
mod tests;
