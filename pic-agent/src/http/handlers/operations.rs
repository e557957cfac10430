//! `/api/operations`: changes by id, and their states as they come.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use pic_api::operation::{Operation, Plan, State};
use pic_engine::Report;
use tokio::sync::watch;

use super::history::word;
use crate::http::Api;
use crate::http::call::Call;
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

/// A sign of life in a stream without news.
const QUIET: Duration = Duration::from_secs(15);

pub(crate) async fn read(call: Call) -> Outcome {
    Reply::json(&find(&call.api, generation(&call)?).await?)
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
    if let Some(operation) = known.clone().filter(|operation| in_work || operation.state.is_settled()) {
        return Ok(operation);
    }
    let (entries, state) = api.handle.history().await?;
    let entry = entries.iter().find(|entry| entry.number == generation);
    let entry = entry.ok_or_else(|| missing(&view::operation_id(generation)))?;
    let record = api.handle.record(generation).await?;
    let said = record.as_ref().map(|record| (view::state(record.state), record.words.as_str()));
    // The ledger decides; what was recorded before a crash may be older.
    let (state, words) = match (word(&state, generation), said) {
        ("kept", Some((State::Kept, words))) => (State::Kept, words),
        ("reverted", Some((state @ (State::Reverted | State::Failed), words))) => (state, words),
        ("kept", _) => (State::Kept, "done"),
        ("reverted", _) => (State::Reverted, "taken back"),
        _ => (State::Applying, "under way"),
    };
    let plan = known.map_or_else(Plan::default, |operation| operation.plan);
    let risks = record.as_ref().map(|record| record.risks.clone());
    let risks = risks.filter(|_| plan.risks.is_empty()).unwrap_or_else(|| plan.risks.clone());
    Ok(Operation {
        id: view::operation_id(entry.number),
        generation,
        state,
        words: words.to_owned(),
        plan: Plan { risks, ..plan },
        done: 0,
        confirm_in: None,
    })
}

pub(crate) async fn events(call: Call) -> Outcome {
    let generation = generation(&call)?;
    if call.is_head {
        return Ok(Reply::events(Body::empty()));
    }
    let reports = call.api.handle.watch();
    let first = find(&call.api, generation).await?;
    let is_over = first.state.is_settled();
    let follow =
        Follow { api: call.api, generation, reports, ready: VecDeque::from([event(&first)?]), is_over };
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
