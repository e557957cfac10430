//! Plain DNS: UDP first, TCP when the answer is cut or looks tampered with.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::path::Path;
use super::stream::read_frame;
use super::upstream::{Carrier, Question};
use crate::wire::HEADER;
use crate::wire::answer::{self, Answer, Verdict};

/// After this the next upstream, or the same one again, is asked.
const UDP_TIMEOUT: Duration = Duration::from_millis(1_200);
const TCP_TIMEOUT: Duration = Duration::from_secs(3);

/// Asks once, from a new socket, so that port and id are both unknown to a forger.
pub(super) async fn ask(path: &Path, upstream: SocketAddr, question: &Question) -> io::Result<Answer> {
    let message = question.message(random_id()?, Carrier::Datagram)?;
    match timeout(UDP_TIMEOUT, by_udp(path, upstream, &message, question)).await? {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => timeout(TCP_TIMEOUT, by_tcp(path, upstream, question)).await?,
        Err(error) => Err(error),
    }
}

pub(super) fn random_id() -> io::Result<u16> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(u16::from_be_bytes(id))
}

/// `None`: come again by TCP.
async fn by_udp(
    path: &Path,
    upstream: SocketAddr,
    message: &[u8],
    question: &Question,
) -> io::Result<Option<Answer>> {
    let socket = path.udp(upstream).await?;
    socket.send(message).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match judge(buffer.get(..length).unwrap_or_default(), message, question) {
            Verdict::Good(answer) => return Ok(Some(answer)),
            Verdict::Truncated | Verdict::WrongCase => return Ok(None),
            // Possibly a forgery; the true answer may still come.
            Verdict::Foreign => {}
        }
    }
}

async fn by_tcp(path: &Path, upstream: SocketAddr, question: &Question) -> io::Result<Answer> {
    let message = question.message(random_id()?, Carrier::Stream)?;
    let mut stream = path.tcp(upstream).await?;
    stream.write_all(&super::stream::frame(&message)?).await?;
    let reply = read_frame(&mut stream).await?;
    accept(judge(&reply, &message, question))
}

pub(super) fn judge(reply: &[u8], message: &[u8], question: &Question) -> Verdict {
    let id = u16::from_be_bytes([message[0], message[1]]);
    let asked = message.get(HEADER..HEADER + question.len()).unwrap_or_default();
    answer::judge(reply, id, asked)
}

/// Over a stream there is no second chance.
pub(super) fn accept(verdict: Verdict) -> io::Result<Answer> {
    match verdict {
        Verdict::Good(answer) => Ok(answer),
        Verdict::WrongCase | Verdict::Truncated | Verdict::Foreign => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the upstream's answer is not one to our question",
        )),
    }
}
