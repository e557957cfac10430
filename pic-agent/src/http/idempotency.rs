//! `Idempotency-Key`: the same request of the same user twice is done once and answered twice, also where the agent was
//! restarted in between.
//!
//! That a request is begun is on disk before it is worked on, and its answer before it is given. So a key whose request was cut
//! off is known: nobody can say how far that one came, and it is not done again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use pic_api::problem::Code;
use pic_drivers::files;
use pic_model::chain;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::reply::{Content, Outcome, Reply};
use super::shelf::{Limits, Shelf};

const LIMITS: Limits = Limits { life: Duration::from_secs(86_400), count: 512, bytes: 16 << 20 };
/// Longest answer that is kept.
const LARGE: usize = 1 << 20;

/// Answers by key.
#[derive(Debug)]
pub(crate) struct Kept {
    shelf: Shelf,
    /// Keys whose requests are worked on, and what was asked.
    working: Mutex<BTreeMap<String, [u8; 32]>>,
}

/// A key on disk.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Digest of what was asked.
    request: [u8; 32],
    /// `None` from when it is begun until it has an answer.
    answer: Option<Stored>,
}

/// An answer, which is JSON and holds no secret.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
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
pub(crate) struct Ticket {
    name: String,
    request: [u8; 32],
}

impl Kept {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { shelf: Shelf::new(folder, LIMITS), working: Mutex::default() }
    }

    /// Looks a key up, and takes it if it is free.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        author: &str,
        key: &str,
        target: &str,
        body: &[u8],
    ) -> Outcome<Turn> {
        if key.is_empty() || key.len() > 255 {
            return Err(Failure::bad("Idempotency-Key is 1 to 255 characters"));
        }
        let request =
            Sha256::new().chain_update(target).chain_update([0]).chain_update(body).finalize().into();
        // No header holds a zero.
        let ticket = Ticket { name: format!("{author}\0{key}"), request };
        let kept = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || kept.take(ticket));
        work.await.unwrap_or_else(|_| Err(Failure::internal("the key could not be looked up")))
    }

    /// Keeps a success. A failure is forgotten, so that the same request may succeed later.
    pub(crate) fn leave(
        self: &Arc<Self>,
        ticket: Ticket,
        outcome: &Outcome,
    ) -> impl Future<Output = ()> + use<> {
        let answer = outcome.as_ref().ok().and_then(Stored::of);
        let kept = Arc::clone(self);
        let work = move || {
            let Ticket { name, request } = ticket;
            match answer {
                Some(answer) => {
                    // The key stays taken on disk: the request is not done twice.
                    if let Err(error) = kept.shelf.put(&name, &Record { request, answer: Some(answer) }) {
                        tracing::warn!("an answer is not kept for its Idempotency-Key: {}", chain(&error));
                    }
                }
                None => kept.shelf.remove(&name),
            }
            kept.lock().remove(&name);
        };
        // It does not panic; if it did, the key would be taken until the agent restarts.
        async { drop(tokio::task::spawn_blocking(work).await) }
    }

    fn take(&self, ticket: Ticket) -> Outcome<Turn> {
        let other = || Failure::new(Code::Invalid, "this Idempotency-Key was used for another request");
        {
            let mut working = self.lock();
            match working.get(&ticket.name) {
                Some(request) if *request != ticket.request => return Err(other()),
                Some(_) => {
                    let words = "the first request with this Idempotency-Key is still being worked on";
                    return Err(Failure { retry_after: Some(1), ..Failure::conflict(words) });
                }
                None => drop(working.insert(ticket.name.clone(), ticket.request)),
            }
        }
        let turn = match self.shelf.get::<Record>(&ticket.name) {
            Some(record) if record.request != ticket.request => Err(other()),
            Some(Record { answer: Some(stored), .. }) => Ok(Turn::Again(stored.reply())),
            Some(Record { answer: None, .. }) => Err(Failure::conflict(
                "the agent was stopped while it worked on the first request with this Idempotency-Key, and how far it came \
                 is not known: look whether it was done, and if it was not, send it with a new key",
            )),
            None => match self.shelf.put(&ticket.name, &Record { request: ticket.request, answer: None }) {
                Ok(()) => return Ok(Turn::First(ticket)),
                Err(error) => Err(no_room(&error)),
            },
        };
        self.lock().remove(&ticket.name);
        turn
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, [u8; 32]>> {
        self.working.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Without the key on disk nobody could promise that the request is done once.
fn no_room(error: &files::Error) -> Failure {
    Failure::internal(format!(
        "the Idempotency-Key cannot be kept, so nothing was done: {}; make room, or send the request without the key",
        chain(error)
    ))
}

impl Stored {
    fn of(reply: &Reply) -> Option<Self> {
        let body = match (&reply.again, &reply.body) {
            (Some(again), _) => again,
            (None, Content::Json(body)) => body,
            (None, _) => return None,
        };
        let text = |(name, value): &(HeaderName, HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        (body.len() <= LARGE).then(|| Self {
            status: reply.status.as_u16(),
            headers: reply.headers.iter().filter_map(text).collect(),
            body: String::from_utf8_lossy(body).into_owned(),
        })
    }

    fn reply(self) -> Reply {
        let reply = Reply {
            status: StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK),
            headers: Vec::new(),
            body: Content::Json(Bytes::from(self.body)),
            again: None,
        };
        let named = |(name, value): (String, String)| Some((name.parse::<HeaderName>().ok()?, value));
        let headers = self.headers.into_iter().filter_map(named);
        headers
            .fold(reply, |reply, (name, value)| reply.header(name, &value))
            .header(HeaderName::from_static("idempotent-replayed"), "true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn enter(kept: &Arc<Kept>, body: &[u8]) -> Outcome<Turn> {
        kept.enter("alice", "k", "POST /api/x", body).await
    }

    fn words(turn: Outcome<Turn>) -> String {
        turn.err().map(|failure| failure.detail).unwrap_or_default()
    }

    #[tokio::test]
    async fn a_request_that_was_cut_off_is_not_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let kept = || Arc::new(Kept::new(folder.path().join("answers")));
        let first = kept();
        let Ok(Turn::First(ticket)) = enter(&first, b"1").await else { panic!("the key is free") };
        assert!(words(enter(&first, b"1").await).contains("still being worked on"));
        let second = kept();
        assert!(words(enter(&second, b"1").await).contains("was stopped while"));
        assert!(words(enter(&second, b"2").await).contains("another request"));
        // Had it come to its end, and the agent stopped then:
        let reply = Reply::json(&"done").unwrap().with_status(StatusCode::CREATED).location("/api/x/1");
        first.leave(ticket, &Ok(reply)).await;
        let Ok(Turn::Again(again)) = enter(&second, b"1").await else { panic!("it was done") };
        assert_eq!((again.status, again.headers[0].1.to_str().unwrap()), (StatusCode::CREATED, "/api/x/1"));
        assert!(matches!(again.body, Content::Json(body) if body == "\"done\""));
    }

    #[tokio::test]
    async fn a_failure_frees_the_key_and_a_full_disk_does_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Arc::new(Kept::new(folder.path().join("answers")));
        let Ok(Turn::First(ticket)) = enter(&kept, b"1").await else { panic!("the key is free") };
        kept.leave(ticket, &Err(Failure::bad("no"))).await;
        assert!(matches!(enter(&kept, b"2").await, Ok(Turn::First(_))));
        files::write_atomic(&folder.path().join("file"), b"", 0o600).unwrap();
        let nowhere = Arc::new(Kept::new(folder.path().join("file/answers")));
        for _ in 0..2 {
            assert!(words(enter(&nowhere, b"1").await).contains("nothing was done"), "nor is the key taken");
        }
    }
}
