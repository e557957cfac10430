//! Questions on a stream, by TCP or TLS: many on one connection, answered as they become ready (RFC 7766, RFC 7858).
//!
//! One task per connection reads, answers at once what it can, and writes; answers that were there together leave together.
//! Bounded: bytes of a question, questions on their way, idle time, and the time a client may take to accept its answers.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use crate::forward::Task;
use crate::server::{Outcome, Server, Transport};

const MAX_IN_FLIGHT: usize = 64;
/// Bytes of answers after which they are sent before more are made.
const MAX_BATCH: usize = 16 << 10;
/// Longest question: far above what fits into a datagram, which every real one does.
const MAX_QUESTION: usize = 8 << 10;
/// Bytes read at once.
const READ: usize = 4 << 10;
/// Clients that ask are told (RFC 7828), in `wire::reply`.
const IDLE: Duration = Duration::from_secs(10);

/// Answers one client until it ends, or is silent for too long.
pub async fn converse<S>(stream: S, client: IpAddr, server: Arc<Server>, transport: Transport)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sender, answers) = mpsc::channel(MAX_IN_FLIGHT);
    let inbox = Inbox::default();
    let talk = Talk { stream, client, server, transport, inbox, outbox: Vec::new(), sender, in_flight: 0 };
    // The client's errors are its own business.
    let _ = talk.run(answers).await;
}

struct Talk<S> {
    stream: S,
    client: IpAddr,
    server: Arc<Server>,
    transport: Transport,
    inbox: Inbox,
    outbox: Vec<u8>,
    /// For answers that come later.
    sender: mpsc::Sender<Vec<u8>>,
    in_flight: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    async fn run(mut self, mut answers: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
        let mut out = Vec::new();
        let (mut has_ended, mut heard) = (false, Instant::now());
        loop {
            let answered = self.answer(&mut out)?;
            while let Ok(answer) = answers.try_recv() {
                self.arrived(&answer)?;
            }
            if answered || !self.outbox.is_empty() {
                heard = Instant::now();
            }
            if !self.outbox.is_empty() {
                timeout(IDLE, self.flush()).await??;
                continue;
            }
            if has_ended && self.in_flight == 0 {
                return self.stream.shutdown().await;
            }
            let may_read = !has_ended && self.in_flight < MAX_IN_FLIGHT;
            tokio::select! {
                // The clock is looked at only when nothing else is there.
                biased;
                Some(answer) = answers.recv(), if self.in_flight > 0 => self.arrived(&answer)?,
                read = self.stream.read_buf(self.inbox.room()), if may_read => has_ended = read? == 0,
                () = sleep_until((heard + IDLE).into()) => return self.stream.shutdown().await,
            }
        }
    }

    /// Answers what is there whole, as far as there is room for it; whether anything was.
    fn answer(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut any = false;
        while self.in_flight < MAX_IN_FLIGHT && self.outbox.len() < MAX_BATCH {
            let Some(packet) = self.inbox.next()? else { break };
            any = true;
            match self.server.handle(packet, self.client, self.transport, Instant::now(), out) {
                // Nothing good comes from somebody who sends this over a stream.
                Outcome::Drop => return Err(io::ErrorKind::InvalidData.into()),
                Outcome::Reply => push(&mut self.outbox, out)?,
                Outcome::Renew(task) => {
                    push(&mut self.outbox, out)?;
                    tokio::spawn(async move { drop(task.run().await) });
                }
                Outcome::Forward(task) => {
                    self.in_flight += 1;
                    let sender = self.sender.clone();
                    tokio::spawn(forward(
                        Arc::clone(&self.server),
                        self.transport,
                        packet.into(),
                        task,
                        sender,
                    ));
                }
            }
        }
        Ok(any)
    }

    fn arrived(&mut self, answer: &[u8]) -> io::Result<()> {
        self.in_flight -= 1;
        // An empty one says that there is none.
        if answer.is_empty() { Ok(()) } else { push(&mut self.outbox, answer) }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.outbox).await?;
        self.outbox.clear();
        self.stream.flush().await
    }
}

async fn forward(
    server: Arc<Server>,
    transport: Transport,
    packet: Box<[u8]>,
    task: Task,
    sender: mpsc::Sender<Vec<u8>>,
) {
    let served = task.run().await;
    let mut out = Vec::new();
    if !matches!(server.complete(&packet, transport, &task, &served, &mut out), Outcome::Reply) {
        out.clear();
    }
    // Nobody waits any more if the client hung up.
    let _ = sender.send(out).await;
}

/// Adds a message with its length in front.
fn push(outbox: &mut Vec<u8>, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    outbox.extend_from_slice(&length.to_be_bytes());
    outbox.extend_from_slice(message);
    Ok(())
}

/// Bytes that came and were not answered yet.
#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    /// Up to here they were.
    at: usize,
}

impl Inbox {
    /// The next message, if it is there whole.
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some((length, behind)) = rest.split_first_chunk() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*length));
        if length > MAX_QUESTION {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if behind.len() < length {
            return Ok(None);
        }
        let begin = self.at + 2;
        self.at = begin + length;
        Ok(self.bytes.get(begin..begin + length))
    }

    /// Where more is put; never more than a question and what is read at once.
    fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.reserve(READ);
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_pieces() {
        let mut inbox = Inbox::default();
        let stream = b"\x00\x02ab\x00\x00\x00\x03cde\x00";
        let mut found: Vec<Vec<u8>> = Vec::new();
        for byte in stream {
            inbox.room().push(*byte);
            while let Some(message) = inbox.next().unwrap() {
                found.push(message.into());
            }
        }
        assert_eq!(found, [&b"ab"[..], b"", b"cde"]);
        let mut inbox = Inbox::default();
        inbox.room().extend_from_slice(stream);
        assert_eq!(inbox.next().unwrap(), Some(&b"ab"[..]));
        assert_eq!(inbox.next().unwrap(), Some(&b""[..]));
        assert_eq!(inbox.next().unwrap(), Some(&b"cde"[..]));
        assert_eq!(inbox.next().unwrap(), None);
        inbox.room().push(0);
        assert_eq!(inbox.next().unwrap(), Some(&b""[..]));
        inbox.room().extend_from_slice(&[0xFF, 0xFF]);
        assert!(inbox.next().is_err(), "no question is that long");
    }
}
