//! `/api/confirm` and `/api/revert`.

use pic_api::operation::Confirm;
use pic_engine::{Answer, ChangeError};

use crate::http::call::Call;
use crate::http::reply::{Outcome, Reply};

pub(crate) async fn confirm(call: Call) -> Outcome {
    let wanted: Confirm = call.json_or_default()?;
    let generation = wanted.generation.or(seen(&call)?);
    let session = if wanted.here { None } else { call.session()? };
    let answer = call.api.handle.confirm(call.author.clone(), generation, session).await?;
    told(&call, answer)
}

/// The generation in force, if the caller names its tag: only that one is then confirmed, whatever waits by now.
fn seen(call: &Call) -> Outcome<Option<u64>> {
    let Some(tags) = call.if_match()? else { return Ok(None) };
    let report = call.api.handle.report();
    let (generation, etag) = (report.current.generation, &report.current.etag);
    if tags.include(|tag| tag == etag) {
        Ok(Some(generation))
    } else {
        Err(ChangeError::Stale { generation }.into())
    }
}

pub(crate) async fn revert(call: Call) -> Outcome {
    let answer = call.api.handle.revert(call.author.clone(), None).await?;
    told(&call, answer)
}

fn told(call: &Call, answer: Answer) -> Outcome {
    Reply::operation(&call.api.operations.record(&answer?), true)
}
