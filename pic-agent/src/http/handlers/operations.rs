//! `/api/operations`: changes by id, and their states as they come.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use pic_api::operation::{Operation, Plan, State};
use pic_engine::Report;
use pic_engine::ledger::State as LedgerState;
use tokio::sync::watch;

use super::history::word;
use crate::http::Api;
use crate::http::call::Call;
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};
use crate::http::streams::Place;
use crate::http::view;

/// A sign of life in a stream without news.
const QUIET: Duration = Duration::from_secs(15);

/// A whole one; with `Prefer: wait=20`, once it is settled or so many seconds later.
pub(crate) async fn read(call: Call) -> Outcome {
    let generation = generation(&call)?;
    let deadline = tokio::time::Instant::now() + call.wait()?;
    let mut reports = call.api.handle.watch();
    loop {
        let operation = find(&call.api, generation).await?;
        if operation.state.is_settled() || tokio::time::Instant::now() >= deadline {
            return Reply::json(&operation);
        }
        // Late or stopped: what there is, is answered above.
        let _ = tokio::time::timeout_at(deadline, reports.changed()).await;
        call.api.operations.see(&reports.borrow_and_update().clone());
    }
}

/// Only what waits for its confirmation can be taken back honestly: steps that run end in a moment, and what is kept is
/// undone by another change.
pub(crate) async fn cancel(call: Call) -> Outcome {
    let generation = generation(&call)?;
    let operation = find(&call.api, generation).await?;
    match operation.state {
        State::AwaitingConfirm => {
            let answer = call.api.handle.revert(call.author.clone(), Some(generation)).await?;
            Reply::operation(&call.api.operations.record(&answer?), true)
        }
        State::Planned | State::Applying | State::Verifying | State::Reverting => Err(Failure {
            retry_after: Some(1),
            ..Failure::conflict("its steps run and end in a moment; half of them would be neither state")
        }),
        State::Kept | State::Reverted | State::Failed => Err(Failure::conflict(format!(
            "{} is over: {}; see `picctl rollback`",
            operation.id,
            operation.state.as_str()
        ))),
    }
}

fn generation(call: &Call) -> Outcome<u64> {
    let id = call.parameter("id");
    let number = id.strip_prefix("op-").and_then(|number| number.parse().ok());
    number.ok_or_else(|| missing(id))
}

fn missing(id: &str) -> Failure {
    let id: String = id.chars().take(80).collect();
    Failure::not_found(format!("there is no operation {id}; see `picctl history`"))
}

/// The operation as this run saw it, else as the ledger tells it.
async fn find(api: &Api, generation: u64) -> Outcome<Operation> {
    let known = api.operations.get(generation);
    let in_work =
        api.handle.report().operation.as_ref().is_some_and(|operation| operation.generation == generation);
    if let Some(operation) = known.filter(|operation| in_work || operation.state.is_settled()) {
        return Ok(operation);
    }
    let (entries, state) = api.handle.history().await?;
    let entry = entries.iter().find(|entry| entry.number == generation);
    let entry = entry.ok_or_else(|| missing(&view::operation_id(generation)))?;
    recorded(api, entry.number, &state).await
}

/// The operation as the ledger tells it, with what this run knows of its plan.
pub(super) async fn recorded(api: &Api, generation: u64, state: &LedgerState) -> Outcome<Operation> {
    let known = api.operations.get(generation);
    let record = api.handle.record(generation).await?;
    let said = record.as_ref().map(|record| (view::state(record.state), record.words.as_str()));
    // The ledger decides; what was recorded before a crash may be older.
    let (state, words) = match (word(state, generation), said) {
        ("kept", Some((State::Kept, words))) => (State::Kept, words),
        ("reverted", Some((state @ (State::Reverted | State::Failed), words))) => (state, words),
        ("kept", _) => (State::Kept, "done"),
        ("reverted", _) => (State::Reverted, "taken back"),
        _ => (State::Applying, "under way"),
    };
    let (plan, log) = known.map_or_else(Default::default, |operation| (operation.plan, operation.log_tail));
    let risks = record.as_ref().map(|record| record.risks.clone());
    let risks = risks.filter(|_| plan.risks.is_empty()).unwrap_or_else(|| plan.risks.clone());
    Ok(Operation {
        id: view::operation_id(generation),
        generation,
        state,
        words: words.to_owned(),
        plan: Plan { risks, ..plan },
        done: 0,
        phase: None,
        percent: (state == State::Kept).then_some(100),
        deadline_in: None,
        log_tail: log,
        result: view::result(state, 0),
    })
}

pub(crate) async fn events(call: Call) -> Outcome {
    let generation = generation(&call)?;
    if call.is_head {
        return Ok(Reply::events(Body::empty()));
    }
    let place = call.api.streams.take(&call.user)?;
    let reports = call.api.handle.watch();
    let first = find(&call.api, generation).await?;
    let is_over = first.state.is_settled();
    let follow = Follow {
        api: call.api,
        generation,
        reports,
        ready: VecDeque::from([event(&first)?]),
        is_over,
        _place: place,
    };
    let body = Body::from_stream(stream::unfold(follow, |mut follow| async move {
        let next = follow.next().await?;
        Some((Ok::<_, std::convert::Infallible>(next), follow))
    }));
    Ok(Reply::events(body))
}

fn event(operation: &Operation) -> Outcome<Bytes> {
    let json = serde_json::to_string(operation).map_err(|error| Failure::internal(error.to_string()))?;
    Ok(format!("event: operation\ndata: {json}\n\n").into())
}

/// A stream of one operation's states that ends when it is settled.
struct Follow {
    api: Arc<Api>,
    generation: u64,
    reports: watch::Receiver<Arc<Report>>,
    ready: VecDeque<Bytes>,
    is_over: bool,
    _place: Place,
}

impl Follow {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        if self.is_over {
            return None;
        }
        match tokio::time::timeout(QUIET, self.reports.changed()).await {
            Err(_) => return Some(Bytes::from_static(b": still here\n\n")),
            Ok(Err(_)) => return None,
            Ok(Ok(())) => {}
        }
        let report = Arc::clone(&self.reports.borrow_and_update());
        self.api.operations.see(&report);
        let operation = find(&self.api, self.generation).await.ok()?;
        self.is_over = operation.state.is_settled();
        event(&operation).ok()
    }
}
