//! `GET /api/operations`: changes under way and past, a page at a time.

use pic_api::operation::{Operation, OperationEntry, OperationList, State};
use pic_engine::ledger::{Entry, State as LedgerState};

use super::history::word;
use super::operations::recorded;
use super::page::{self, Page};
use crate::http::call::Call;
use crate::http::caller::Caller;
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

/// Operations of a page of which no other size is asked for.
const LIMIT: usize = 50;

pub(crate) async fn list(call: Call) -> Outcome {
    let filter = Filter::read(&call)?;
    let (entries, state) = call.api.handle.history().await?;
    let mut found = Vec::new();
    for entry in entries {
        if filter.fits(&entry) && filter.fits_state(&call, &entry, &state).await? {
            found.push(entry);
        }
    }
    let Page { entries, total, next } = page::of(&call, found, LIMIT)?;
    let mut items = Vec::with_capacity(entries.len());
    for entry in entries {
        let operation = look(&call, &entry, &state).await?;
        items.push(line(entry, operation));
    }
    let reply = Reply::json(&OperationList { items, total, next: next.clone() })?;
    Ok(page::link(&call, "/api/operations", next.as_deref(), reply))
}

/// The operation of a generation: as this run saw it where it is at it or saw its end, else as the ledger tells it.
async fn look(call: &Call, entry: &Entry, state: &LedgerState) -> Outcome<Operation> {
    let report = call.api.handle.report();
    let in_work = report.operation.as_ref().is_some_and(|operation| operation.generation == entry.number);
    let known = call.api.operations.get(entry.number);
    match known.filter(|operation| in_work || operation.state.is_settled()) {
        Some(operation) => Ok(operation),
        None => recorded(&call.api, entry.number, state).await,
    }
}

fn line(entry: Entry, operation: Operation) -> OperationEntry {
    OperationEntry {
        id: operation.id,
        generation: entry.number,
        at: view::time(entry.at).unwrap_or_default(),
        author: entry.author,
        reason: entry.reason,
        state: operation.state,
        percent: operation.percent,
        words: operation.words,
        deadline_in: operation.deadline_in,
    }
}

/// What an operation must be like; all of it at once.
struct Filter {
    q: Option<String>,
    author: Option<String>,
    state: Option<State>,
}

impl Filter {
    fn read(call: &Call) -> Outcome<Self> {
        let state = call.query.get("filter[state]").map(|word| {
            let read = serde_json::from_value(serde_json::Value::String(word.clone()));
            read.map_err(|_| Failure::bad("filter[state] is a state, as kept, reverted or awaiting-confirm"))
        });
        Ok(Self {
            q: call.query.get("q").map(|q| q.to_lowercase()),
            author: call.query.get("filter[author]").cloned(),
            state: state.transpose()?,
        })
    }

    fn fits(&self, entry: &Entry) -> bool {
        self.author.as_ref().is_none_or(|user| Caller::is_meant(&entry.author, user))
            && self.q.as_ref().is_none_or(|q| entry.reason.to_lowercase().contains(q))
    }

    /// Most were kept, which the ledger's index tells; of the few others, each is looked at.
    async fn fits_state(&self, call: &Call, entry: &Entry, state: &LedgerState) -> Outcome<bool> {
        let Some(wanted) = self.state else { return Ok(true) };
        if word(state, entry.number) == "kept" {
            return Ok(wanted == State::Kept);
        }
        Ok(look(call, entry, state).await?.state == wanted)
    }
}
