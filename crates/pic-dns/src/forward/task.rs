//! One client's question on its way to the upstreams.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Forwarder;
use super::upstream::Question;
use crate::cache::{Entry, Key, KeyBuf, Proof};
use crate::server::Receipt;
use crate::wire::query::Query;
use crate::wire::reply::{Age, Link};

/// With an expired answer at hand a client waits no longer than this (RFC 8767 section 5 suggests 1.8 s).
const PATIENCE: Duration = Duration::from_millis(1_800);

/// An answer to give.
#[derive(Debug, Clone)]
pub struct Served {
    /// What it says.
    pub entry: Arc<Entry>,
    /// It is past its life.
    pub is_stale: bool,
}

impl Served {
    /// How old it is.
    pub fn age(&self, now: Instant) -> Age {
        if self.is_stale { Age::Stale } else { Age::Seconds(self.entry.age(now)) }
    }
}

/// A question on its way to the upstreams.
#[derive(Debug)]
pub struct Task {
    forwarder: Arc<Forwarder>,
    key: Key,
    question: Question,
    /// How the name that was asked for leads to the one that is asked now.
    pub(crate) links: Vec<Link>,
    /// Blocklists that count for the client, for what the answer turns out to be an alias of.
    pub(crate) blocks: u64,
    /// Whom the answer is counted for; absent: for nobody.
    pub(crate) receipt: Option<Box<Receipt>>,
}

impl Task {
    pub(crate) fn new(
        forwarder: Arc<Forwarder>,
        key: &KeyBuf,
        query: &Query<'_>,
        links: Vec<Link>,
        blocks: u64,
    ) -> Self {
        let mut question = Question::new(key.name(), query);
        if !query.checking_disabled && forwarder.validates(key.name()) {
            question = question.validated();
        }
        Self { forwarder, key: key.to_key(), question, links, blocks, receipt: None }
    }

    /// Whether the client may be given private addresses from outside. It must be of a view of its own: answers are
    /// kept by view.
    pub(crate) fn with_private(mut self, private: bool) -> Self {
        self.question.private = private;
        self
    }

    /// The answer or failure, within [`super::DEADLINE`].
    pub async fn run(&self) -> Served {
        let before = self.forwarder.usable(&self.key);
        let asking = Arc::clone(&self.forwarder).resolve(self.key.clone(), self.question.clone());
        let Some(before) = before else {
            return Served { entry: asking.await, is_stale: false };
        };
        match timeout(PATIENCE, asking).await {
            Ok(entry) if !entry.is_failure() || entry.proof == Proof::Bogus => {
                Served { entry, is_stale: false }
            }
            // The asking goes on for those who come later.
            Ok(_) | Err(_) => Served { is_stale: !before.is_fresh(Instant::now()), entry: before },
        }
    }
}
