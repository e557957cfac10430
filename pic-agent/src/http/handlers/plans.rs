//! `/api/plans`: look first, then apply exactly that.

use pic_api::problem::Needs;

use super::config::{file_wish, new_config};
use crate::http::call::Call;
use crate::http::change::Wish;
use crate::http::failure::Failure;
use crate::http::late::Merging;
use crate::http::reply::Outcome;

pub(crate) async fn make(mut call: Call) -> Outcome {
    let new = new_config(&call)?;
    call.query.insert("plan".to_owned(), "true".to_owned());
    call.make(file_wish(&call.api.cell_toml, new)).await?.reply()
}

pub(crate) async fn apply(call: Call) -> Outcome {
    let id = call.parameter("id");
    let planned = call.api.plans.get(id).await;
    let planned = planned.ok_or_else(|| {
        let id: String = id.chars().take(80).collect();
        let words = format!("there is no plan {id} (any more): plans are kept for an hour; make it anew");
        Failure { needs: Some(Needs::Plan), ..Failure::not_found(words) }
    })?;
    let text = planned.text;
    let wish = Wish {
        options: planned.options,
        plan_id: Some(planned.id),
        takes_file: planned.takes_file,
        merging: Merging::From(planned.from),
        ..Wish::new("apply a plan", move |_| Ok(text))
    };
    call.make(wish).await?.reply()
}
