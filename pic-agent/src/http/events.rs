//! What happened lately, for streams of events: told once by the engine's reports, kept in one ring that all readers
//! share. A slow reader holds nobody up; what it is too late for, it is told that it missed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pic_api::event::Event;
use pic_engine::{Health, OperationState, Report};
use pic_model::name::ExitName;
use pic_plan::plan::Domain;
use tokio::sync::watch;

use super::handlers::status::health3;
use super::healths::words;
use super::view;
use crate::host::exits::LeakReport;

/// Events kept.
const KEEP: usize = 512;

/// The last events.
#[derive(Debug)]
pub(crate) struct Events {
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
    /// Tells ids of this run from those of another.
    run: String,
}

#[derive(Debug, Default)]
struct Ring {
    all: VecDeque<(u64, Bytes)>,
    newest: u64,
    seen: Option<Seen>,
}

/// What the last report said.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    generation: u64,
    operation: Option<(u64, OperationState, Option<u8>)>,
    repairs: BTreeMap<Domain, u64>,
    health: Health,
    words: String,
}

impl Default for Events {
    fn default() -> Self {
        let run = format!("{:x}", crate::host::boot().as_millis());
        Self { ring: Mutex::default(), newest: watch::channel(0).0, run }
    }
}

impl Events {
    /// Takes what is new in a report.
    pub(crate) fn see(&self, report: &Report) {
        let now = seen(report);
        let mut ring = self.lock();
        let before = ring.seen.replace(now.clone());
        // The first report is how things are, and nothing that happened.
        let Some(before) = before.filter(|before| *before != now) else { return };
        let newest = self.put(&mut ring, news(&before, &now, report));
        drop(ring);
        self.newest.send_replace(newest);
    }

    /// Tells something that is in no report of the engine.
    pub(crate) fn tell(&self, event: Event) {
        let newest = self.put(&mut self.lock(), vec![event]);
        self.newest.send_replace(newest);
    }

    /// Puts events into the ring; the number of the newest.
    fn put(&self, ring: &mut Ring, events: Vec<Event>) -> u64 {
        for event in events {
            ring.newest += 1;
            let id = ring.newest;
            ring.all.push_back((id, self.text(id, &event)));
        }
        while ring.all.len() > KEEP {
            ring.all.pop_front();
        }
        ring.newest
    }

    /// Where a reader goes on that saw this id last; `None` where it cannot.
    pub(crate) fn place(&self, last: &str) -> Option<u64> {
        let number = last.strip_prefix(&self.run)?.strip_prefix('-')?.parse().ok()?;
        let ring = self.lock();
        let oldest = ring.all.front().map_or(ring.newest + 1, |(id, _)| *id);
        (oldest..=ring.newest + 1).contains(&(number + 1)).then_some(number)
    }

    /// Events after one, and whether some are lost that stood between.
    pub(crate) fn after(&self, last: u64) -> (Vec<(u64, Bytes)>, bool) {
        let ring = self.lock();
        let new: Vec<_> = ring.all.iter().filter(|(id, _)| *id > last).cloned().collect();
        let is_gap = new.first().is_some_and(|(id, _)| *id > last + 1);
        (new, is_gap)
    }

    pub(crate) fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// Numbers of the newest event as they come.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// An event as it is sent.
    pub(crate) fn text(&self, id: u64, event: &Event) -> Bytes {
        // Plain data with string keys always serialises.
        let data = serde_json::to_string(event).unwrap_or_default();
        let name = match event {
            Event::Generation { .. } => "generation",
            Event::Operation { .. } => "operation",
            Event::Repair { .. } => "repair",
            Event::Status { .. } => "status",
            Event::Leaks { .. } => "leaks",
            Event::Reset { .. } => "reset",
        };
        format!("id: {}-{id}\nevent: {name}\ndata: {data}\n\n", self.run).into()
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seen(report: &Report) -> Seen {
    let operation = report.operation.as_ref();
    let repairs = report.domains.iter().map(|(domain, report)| (*domain, report.repairs));
    Seen {
        generation: report.current.generation,
        operation: operation.map(|one| (one.generation, one.state, view::percent(one))),
        repairs: repairs.collect(),
        health: report.health(),
        words: words(report),
    }
}

fn news(before: &Seen, now: &Seen, report: &Report) -> Vec<Event> {
    let at = at();
    let mut all = Vec::new();
    if now.operation != before.operation
        && let Some(operation) = &report.operation
    {
        all.push(Event::Operation {
            at: at.clone(),
            id: view::operation_id(operation.generation),
            state: view::state(operation.state),
            percent: view::percent(operation),
            words: operation.words.clone(),
        });
    }
    if now.generation != before.generation {
        let etag = report.current.etag.clone();
        all.push(Event::Generation { at: at.clone(), generation: now.generation, etag });
    }
    for (domain, repairs) in &now.repairs {
        if before.repairs.get(domain).is_some_and(|old| old < repairs) {
            let domain = domain.as_str().to_owned();
            all.push(Event::Repair { at: at.clone(), domain, repairs: *repairs });
        }
    }
    if (now.health, &now.words) != (before.health, &before.words) {
        all.push(status(report));
    }
    all
}

/// How an exit came out of a test for leaks.
pub(super) fn leaks(exit: &ExitName, found: &LeakReport) -> Event {
    let words = found.words();
    Event::Leaks { at: at(), exit: exit.to_string(), result: found.came().as_str().to_owned(), words }
}

/// How the cell is.
pub(crate) fn status(report: &Report) -> Event {
    Event::Status {
        at: at(),
        state: health3(report.health()),
        words: words(report),
        generation: report.current.generation,
    }
}

/// The time, as events tell it.
pub(crate) fn at() -> String {
    view::time(crate::host::now()).unwrap_or_default()
}
