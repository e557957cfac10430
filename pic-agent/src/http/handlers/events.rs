//! `/api/events`: what happens, as it happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderName;
use bytes::Bytes;
use futures_util::stream;
use pic_api::event::Event;
use tokio::sync::watch;

use crate::http::Api;
use crate::http::call::Call;
use crate::http::events::{at, status};
use crate::http::reply::{Outcome, Reply};
use crate::http::streams::Place;

/// A sign of life in a stream without news.
const QUIET: Duration = Duration::from_secs(15);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(crate) async fn follow(call: Call) -> Outcome {
    if call.is_head {
        return Ok(Reply::events(Body::empty()));
    }
    let place = call.api.streams.take(&call.user)?;
    let events = &call.api.events;
    // From before the first look, so that nothing falls between.
    let changes = events.watch();
    let newest = events.newest();
    // Whoever reads on after a break is to try again in a second.
    let mut ready = VecDeque::from([Bytes::from_static(b"retry: 1000\n\n")]);
    let last = match call.header(LAST_EVENT_ID).map(|id| events.place(id)) {
        Some(Some(last)) => last,
        begin => {
            if begin.is_some() {
                let words = "the agent was restarted, or too much happened since".to_owned();
                ready.push_back(events.text(newest, &Event::Reset { at: at(), words }));
            }
            ready.push_back(events.text(newest, &status(&call.api.handle.report())));
            newest
        }
    };
    let reader = Reader { api: call.api, last, changes, ready, _place: place };
    let body = Body::from_stream(stream::unfold(reader, |mut reader| async move {
        let next = reader.next().await?;
        Some((Ok::<_, Infallible>(next), reader))
    }));
    Ok(Reply::events(body))
}

struct Reader {
    api: Arc<Api>,
    /// The last event that was sent.
    last: u64,
    changes: watch::Receiver<u64>,
    ready: VecDeque<Bytes>,
    _place: Place,
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let (new, is_gap) = self.api.events.after(self.last);
            if is_gap {
                let words = "this reader was too slow for all that happened".to_owned();
                self.ready.push_back(self.api.events.text(self.last, &Event::Reset { at: at(), words }));
            }
            if let Some((last, _)) = new.last() {
                self.last = *last;
                self.ready.extend(new.into_iter().map(|(_, text)| text));
                continue;
            }
            match tokio::time::timeout(QUIET, self.changes.changed()).await {
                Err(_) => return Some(Bytes::from_static(b": still here\n\n")),
                Ok(Err(_)) => return None,
                Ok(Ok(())) => {}
            }
        }
    }
}
