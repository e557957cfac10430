//! Reading a request's body: bounded in size, in time, and in what all of them take together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pic_api::problem::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;
use super::reply::Outcome;
use super::route::Route;

/// A body that takes longer comes from nobody who wants an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of all bodies that are being read or worked on.
const ALL: usize = 160 << 20;
/// The room is given out in pieces of so many bytes.
const PIECE: usize = 64 << 10;

/// The room that bodies share.
#[derive(Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL / PIECE)))
    }
}

/// A body with its room, which it takes until it is worked on.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) bytes: Bytes,
    pub(crate) room: Vec<OwnedSemaphorePermit>,
}

impl Room {
    /// Reads a body for a route.
    pub(crate) async fn read(&self, route: &Route, headers: &HeaderMap, body: Body) -> Outcome<Read> {
        let read = tokio::time::timeout(PATIENCE, self.collect(route, body)).await;
        let read = read.map_err(|_| Failure::bad("the body did not come in time"))??;
        check(route, headers, &read.bytes)?;
        Ok(read)
    }

    async fn collect(&self, route: &Route, body: Body) -> Outcome<Read> {
        let mut body = Limited::new(body, route.limit);
        let (mut all, mut room) = (Vec::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
                Some(_) => {
                    Failure::new(Code::TooLarge, format!("the body is larger than {} bytes", route.limit))
                }
                None => Failure::bad(format!("the body cannot be read: {error}")),
            })?;
            let Ok(data) = frame.into_data() else { continue };
            while all.len() + data.len() > room.len() * PIECE {
                room.push(Arc::clone(&self.0).try_acquire_owned().map_err(|_| full())?);
            }
            all.extend_from_slice(&data);
        }
        Ok(Read { bytes: all.into(), room })
    }
}

fn full() -> Failure {
    Failure {
        retry_after: Some(1),
        ..Failure::new(Code::TooMany, "too many large requests at once; try again")
    }
}

/// A body is JSON, and only where one is taken. An empty object says nothing and harms nobody.
fn check(route: &Route, headers: &HeaderMap, body: &[u8]) -> Outcome<()> {
    if body.is_empty() {
        return Ok(());
    }
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if essence.is_some_and(|kind| !kind.eq_ignore_ascii_case("application/json")) {
        let words = "a body is sent as Content-Type: application/json";
        return Err(Failure::new(Code::UnsupportedMediaType, words));
    }
    if route.body.is_none() && body.trim_ascii() != b"{}" {
        return Err(Failure::bad("this route takes no body"));
    }
    Ok(())
}
