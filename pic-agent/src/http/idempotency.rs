//! `Idempotency-Key`: the same request of the same user twice is done once and answered twice.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::{HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use pic_api::problem::Code;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::reply::{Content, Outcome, Reply};

/// How long an answer is kept.
const LIFE: Duration = Duration::from_secs(86_400);
/// At most as many.
const KEEP: usize = 512;
/// Longest answer that is kept.
const LARGE: usize = 1 << 20;

/// Whose key, and which.
type Key = (String, String);

/// Answers by key, of this run.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<BTreeMap<Key, Entry>>);

#[derive(Debug)]
struct Entry {
    /// What was asked.
    request: [u8; 32],
    at: Instant,
    /// `None` while it is worked on.
    answer: Option<Stored>,
}

#[derive(Debug, Clone)]
struct Stored {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// What to do with a request that has a key.
pub(crate) enum Turn {
    /// Do it, then tell the ticket how it went.
    First(Ticket),
    /// It was done.
    Again(Reply),
}

/// The right to answer for a key.
#[derive(Debug)]
pub(crate) struct Ticket(Key);

impl Kept {
    /// Looks a key up, and takes it if it is free.
    pub(crate) fn enter(&self, author: &str, key: &str, target: &str, body: &[u8]) -> Outcome<Turn> {
        if key.is_empty() || key.len() > 255 {
            return Err(Failure::bad("Idempotency-Key is 1 to 255 characters"));
        }
        let key = (author.to_owned(), key.to_owned());
        let request: [u8; 32] =
            Sha256::new().chain_update(target).chain_update([0]).chain_update(body).finalize().into();
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.at.elapsed() < LIFE);
        match entries.get(&key) {
            None => {}
            Some(entry) if entry.request != request => {
                return Err(Failure::new(Code::Invalid, "this Idempotency-Key was used for another request"));
            }
            Some(Entry { answer: None, .. }) => {
                return Err(Failure {
                    retry_after: Some(1),
                    ..Failure::conflict(
                        "the first request with this Idempotency-Key is still being worked on",
                    )
                });
            }
            Some(Entry { answer: Some(stored), .. }) => return Ok(Turn::Again(stored.reply())),
        }
        make_room(&mut entries);
        entries.insert(key.clone(), Entry { request, at: Instant::now(), answer: None });
        Ok(Turn::First(Ticket(key)))
    }

    /// Keeps a success. A failure is forgotten, so that the same request may succeed later.
    pub(crate) fn leave(&self, ticket: Ticket, outcome: &Outcome) {
        let stored = outcome.as_ref().ok().and_then(Stored::of);
        let mut entries = self.lock();
        match stored {
            Some(stored) => {
                if let Some(entry) = entries.get_mut(&ticket.0) {
                    entry.answer = Some(stored);
                }
            }
            None => drop(entries.remove(&ticket.0)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn make_room(entries: &mut BTreeMap<Key, Entry>) {
    if entries.len() >= KEEP {
        let done = entries.iter().filter(|(_, entry)| entry.answer.is_some());
        let oldest = done.min_by_key(|(_, entry)| entry.at).map(|(key, _)| key.clone());
        oldest.map(|key| entries.remove(&key));
    }
}

impl Stored {
    fn of(reply: &Reply) -> Option<Self> {
        let body = match (&reply.again, &reply.body) {
            (Some(again), _) => again.clone(),
            (None, Content::Json(body)) => body.clone(),
            (None, _) => return None,
        };
        (body.len() <= LARGE).then(|| Self { status: reply.status, headers: reply.headers.clone(), body })
    }

    fn reply(&self) -> Reply {
        Reply {
            status: self.status,
            headers: self.headers.clone(),
            body: Content::Json(self.body.clone()),
            again: None,
        }
        .header(HeaderName::from_static("idempotent-replayed"), "true")
    }
}
