//! Questions to `pic-dns` on its control socket: one line each way, bounded in bytes and time.

use std::io;
use std::path::Path;
use std::time::Duration;

use pic_model::snapshot::dns::{DnsRefused, DnsRequest};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::failure::Failure;
use super::reply::Outcome;

/// A name that nobody upstream answers for takes almost five seconds.
const PATIENCE: Duration = Duration::from_secs(8);
const MAX_ANSWER: u64 = 1 << 20;

/// Asks and reads the answer.
pub(crate) async fn ask<T: DeserializeOwned>(socket: &Path, request: &DnsRequest) -> Outcome<T> {
    let away = |error: io::Error| {
        Failure::unavailable(format!("the name server does not answer at {}: {error}", socket.display()))
    };
    let line = timeout(PATIENCE, exchange(socket, request)).await;
    let line = line.map_err(|_| away(io::ErrorKind::TimedOut.into()))?.map_err(away)?;
    if let Ok(refused) = serde_json::from_slice::<DnsRefused>(&line) {
        return Err(Failure::bad(refused.error));
    }
    serde_json::from_slice(&line)
        .map_err(|error| Failure::internal(format!("the name server's answer is not understood: {error}")))
}

async fn exchange(socket: &Path, request: &DnsRequest) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(answer)
}
