//! One client's question on its way to the upstreams.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Forwarder;
use super::upstream::Question;
use crate::cache::{Entry, Key, KeyBuf, Proof};
use crate::egress::Meant;
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
    /// Longest life to tell the client, in seconds.
    pub most: Option<u32>,
    /// It must not be given: the agent does not know the addresses.
    pub held: bool,
}

impl Served {
    /// One that may be given.
    pub fn new(entry: Arc<Entry>, is_stale: bool) -> Self {
        Self { entry, is_stale, most: None, held: false }
    }

    /// How old it is.
    pub fn age(&self, now: Instant) -> Age {
        match self.most {
            _ if self.is_stale => Age::Stale,
            None => Age::Seconds(self.entry.age(now)),
            Some(most) => Age::AtMost(self.entry.age(now), most),
        }
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
    /// Names with a way out of their own that count for the client, if there are any.
    pub(crate) meant: Option<Meant>,
    /// The answer, where it is there already and the agent alone is to be asked.
    pub(crate) kept: Option<Served>,
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
        Self { forwarder, key: key.to_key(), question, links, blocks, meant: None, kept: None, receipt: None }
    }

    /// Whether the client may be given private addresses from outside. It must be of a view of its own: answers are
    /// kept by view.
    pub(crate) fn with_private(mut self, private: bool) -> Self {
        self.question.private = private;
        self
    }

    /// With names that have a way out of their own for the client.
    pub(crate) fn of_meaning(mut self, meant: Option<Meant>) -> Self {
        self.meant = meant;
        self
    }

    /// With the answer, which nobody upstream need be asked for.
    pub(crate) fn with(mut self, kept: Served) -> Self {
        self.kept = Some(kept);
        self
    }

    /// The answer or failure, within [`super::DEADLINE`] and what the agent takes.
    pub async fn run(&self) -> Served {
        let served = match &self.kept {
            Some(kept) => kept.clone(),
            None => self.ask().await,
        };
        let Some(meant) = &self.meant else { return served };
        let asked = self.key.name();
        let held = !meant.tell(asked, &served.entry).await;
        Served { most: meant.most(asked, &served.entry), held, ..served }
    }

    async fn ask(&self) -> Served {
        let before = self.forwarder.usable(&self.key);
        let asking = Arc::clone(&self.forwarder).resolve(self.key.clone(), self.question.clone());
        let Some(before) = before else {
            return Served::new(asking.await, false);
        };
        match timeout(PATIENCE, asking).await {
            Ok(entry) if !entry.is_failure() || entry.proof == Proof::Bogus => Served::new(entry, false),
            // The asking goes on for those who come later.
            Ok(_) | Err(_) => {
                let is_stale = !before.is_fresh(Instant::now());
                Served::new(before, is_stale)
            }
        }
    }
}
