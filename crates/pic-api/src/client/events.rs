//! Following an operation to its end: server-sent events while they last, polling when they break.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use tokio::time::Instant;

use super::wire::{Call, segment};
use super::{Answer, Client, ClientError};
use crate::operation::Operation;

/// Between two looks when there is no stream.
const POLL: Duration = Duration::from_millis(200);
/// An agent that says nothing for so long is gone: it sends a sign of life four times as often.
const SILENCE: Duration = Duration::from_secs(60);
/// Largest single event.
const MAX_EVENT: usize = 4 << 20;

impl Client {
    /// Tells `seen` every state of an operation until it is settled, and returns the last one. An agent that is away
    /// for a moment (restart, upgrade) is waited for: the operation is in its ledger.
    pub async fn follow(
        &self,
        id: &str,
        limit: Duration,
        mut seen: impl FnMut(&Operation),
    ) -> Result<Answer<Operation>, ClientError> {
        let deadline = Instant::now() + limit;
        let call = Call::new(Method::GET, format!("/api/operations/{}/events", segment(id)));
        // However the stream ends, the operation itself has the last word.
        let _ = self.within(limit, &call, self.stream(&call, &mut seen)).await;
        loop {
            match self.operation(id).await {
                Ok(answer) => {
                    seen(&answer.value);
                    if answer.value.state.is_settled() || Instant::now() >= deadline {
                        return Ok(answer);
                    }
                }
                Err(ClientError::NotReachable { .. } | ClientError::Broken { .. })
                    if Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Tells `seen` the id and the JSON of everything that happens, from behind the event `last` where the agent still
    /// knows it, until `seen` wants no more or the stream ends. No limit of time: an agent that lives sends something.
    pub async fn events(
        &self,
        last: Option<&str>,
        mut seen: impl FnMut(&str, &[u8]) -> bool,
    ) -> Result<(), ClientError> {
        let call = Call::new(Method::GET, "/api/events").after(last);
        let mut body = self.within(self.timeout, &call, self.send(&call)).await?.into_body();
        let mut events = Events::default();
        loop {
            let Some(frame) = self.within(SILENCE, &call, async { Ok(body.frame().await) }).await? else {
                return Ok(());
            };
            let Ok(data) = frame.map_err(|error| call.failed(&error))?.into_data() else { continue };
            for event in events.push(&data).ok_or_else(|| call.protocol("an event is too large"))? {
                if !seen(&event.id, &event.data) {
                    return Ok(());
                }
            }
        }
    }

    async fn stream(&self, call: &Call, seen: &mut impl FnMut(&Operation)) -> Result<(), ClientError> {
        let mut body = self.send(call).await?.into_body();
        let mut events = Events::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| call.failed(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            for event in events.push(&data).ok_or_else(|| call.protocol("an event is too large"))? {
                let operation: Operation =
                    serde_json::from_slice(&event.data).map_err(|error| call.protocol(error.to_string()))?;
                seen(&operation);
                if operation.state.is_settled() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// One event: the id that was told last, and its data.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    id: String,
    data: Bytes,
}

/// Splits a stream into its events.
#[derive(Debug, Default)]
struct Events {
    line: Vec<u8>,
    id: String,
    data: Vec<u8>,
}

impl Events {
    /// Takes the next bytes and returns the events they complete; `None` when one grows beyond all bounds.
    fn push(&mut self, bytes: &[u8]) -> Option<Vec<Event>> {
        let mut out = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => out.extend(self.end_line()),
                b'\r' => {}
                _ => self.line.push(*byte),
            }
            if self.line.len() + self.data.len() + self.id.len() > MAX_EVENT {
                return None;
            }
        }
        Some(out)
    }

    /// An empty line ends an event; a `data` line adds to it; everything else is of no interest here.
    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let is_event = !self.data.is_empty();
            return is_event
                .then(|| Event { id: self.id.clone(), data: std::mem::take(&mut self.data).into() });
        }
        if let Some(id) = line.strip_prefix(b"id:") {
            self.id = String::from_utf8_lossy(id).trim().to_owned();
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_in_any_cut() {
        let text = b": hello\nevent: x\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n\nid: x-2\ndata:2\n\n";
        for cut in 0..text.len() {
            let mut events = Events::default();
            let mut got = events.push(&text[..cut]).unwrap();
            got.extend(events.push(&text[cut..]).unwrap());
            let event =
                |id: &str, data: &'static [u8]| Event { id: id.into(), data: Bytes::from_static(data) };
            assert_eq!(got, [event("", b"{\"a\":\n1}"), event("x-2", b"2")], "cut at {cut}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        assert_eq!(Events::default().push(&vec![b'x'; MAX_EVENT + 1]), None);
    }
}
