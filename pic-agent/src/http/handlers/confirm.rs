//! `/api/confirm` and `/api/revert`.

use pic_api::operation::Confirm;
use pic_engine::Answer;

use crate::http::call::Call;
use crate::http::reply::{Outcome, Reply};

pub(crate) async fn confirm(call: Call) -> Outcome {
    let wanted: Confirm = call.json_or_default()?;
    let answer = call.api.handle.confirm(call.author.clone(), wanted.generation).await?;
    told(&call, answer)
}

pub(crate) async fn revert(call: Call) -> Outcome {
    let answer = call.api.handle.revert(call.author.clone()).await?;
    told(&call, answer)
}

fn told(call: &Call, answer: Answer) -> Outcome {
    Reply::operation(&call.api.operations.record(&answer?), true)
}
