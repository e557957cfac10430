//! Messages on a stream: two bytes of length, then the message (RFC 1035 4.2.2).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// A message with its length in front, to be written at once (some servers want both in one segment).
pub fn frame(message: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes()[..], message].concat())
}

/// Reads one message.
pub async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
