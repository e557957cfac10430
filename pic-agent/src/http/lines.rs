//! A list as a whole, one value a line (`application/x-ndjson`): page after page as the reader takes them, so that
//! ten thousand values need the memory of one page.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;

use super::call::Call;
use super::failure::Failure;
use super::gate::run;
use super::reply::{Content, Outcome, Reply};
use super::route::Route;

/// Values asked for at once.
const PAGE: &str = "1000";

/// A list as its route answers it.
#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    #[serde(default)]
    next: Option<String>,
}

/// Answers the whole list, or as many values as `limit` says.
pub(super) async fn export(call: Call, route: &'static Route) -> Outcome {
    let mut call = call;
    // A limit is of the whole answer; without one, the rest follows.
    let is_whole = !call.query.contains_key("limit");
    if is_whole && route.takes("limit") {
        call.query.insert("limit".to_owned(), PAGE.to_owned());
    }
    let first = page(call.clone(), route).await?;
    let rest = first.next.clone().filter(|_| is_whole);
    let begin = bytes(&first.items)?;
    let state = (call, rest);
    let more = stream::unfold(state, move |(call, next)| async move {
        let next = next?;
        let mut call = call;
        call.query.insert("cursor".to_owned(), next.clone());
        // Too late for a problem: the stream breaks off, which its reader sees.
        let read = page(call.clone(), route).await.and_then(|page| Ok((bytes(&page.items)?, page.next)));
        Some(match read {
            Ok((lines, after)) => (Ok(lines), (call, after.filter(|after| *after != next))),
            Err(failure) => (Err(std::io::Error::other(failure.detail)), (call, None)),
        })
    });
    let body = futures_util::StreamExt::chain(stream::iter([Ok(begin)]), more);
    Ok(Reply::lines(Body::from_stream(body)))
}

async fn page(call: Call, route: &'static Route) -> Outcome<Page> {
    let reply = run(call, route).await?;
    let Content::Json(body) = reply.body else { return Err(Failure::internal("this list has no pages")) };
    serde_json::from_slice(&body).map_err(|error| Failure::internal(error.to_string()))
}

fn bytes(items: &[Value]) -> Outcome<Bytes> {
    let mut out = Vec::new();
    for item in items {
        serde_json::to_writer(&mut out, item).map_err(|error| Failure::internal(error.to_string()))?;
        out.push(b'\n');
    }
    Ok(out.into())
}
