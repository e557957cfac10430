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

    async fn stream(&self, call: &Call, seen: &mut impl FnMut(&Operation)) -> Result<(), ClientError> {
        let mut body = self.send(call).await?.into_body();
        let mut events = Events::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| call.failed(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            for event in events.push(&data).ok_or_else(|| call.protocol("an event is too large"))? {
                let operation: Operation =
                    serde_json::from_slice(&event).map_err(|error| call.protocol(error.to_string()))?;
                seen(&operation);
                if operation.state.is_settled() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Splits a stream into the data of its events.
#[derive(Debug, Default)]
struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
}

impl Events {
    /// Takes the next bytes and returns the events they complete; `None` when one grows beyond all bounds.
    fn push(&mut self, bytes: &[u8]) -> Option<Vec<Bytes>> {
        let mut out = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => out.extend(self.end_line()),
                b'\r' => {}
                _ => self.line.push(*byte),
            }
            if self.line.len() + self.data.len() > MAX_EVENT {
                return None;
            }
        }
        Some(out)
    }

    /// An empty line ends an event; a `data` line adds to it; everything else is of no interest here.
    fn end_line(&mut self) -> Option<Bytes> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return (!self.data.is_empty()).then(|| std::mem::take(&mut self.data).into());
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
        let text = b": hello\nevent: x\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n\ndata:2\n\n";
        for cut in 0..text.len() {
            let mut events = Events::default();
            let mut got = events.push(&text[..cut]).unwrap();
            got.extend(events.push(&text[cut..]).unwrap());
            assert_eq!(got, [Bytes::from_static(b"{\"a\":\n1}"), Bytes::from_static(b"2")], "cut at {cut}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        assert_eq!(Events::default().push(&vec![b'x'; MAX_EVENT + 1]), None);
    }
}
