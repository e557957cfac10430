//! Orders of configuration callers, in the text protocol that `wg` speaks.
//!
//! The device library carries out most of them. Two things are done here instead, because it would
//! - forget the session of every peer that is mentioned again, so that repeating a configuration cuts all tunnels;
//! - lose its configuration task for good when peers come before the private key.

use std::io;

use gotatun::device::uapi::UapiClient;
use gotatun::device::uapi::command::{Request, Set};
use gotatun::device::{DefaultDeviceTransports, Device};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::change::{self, Plan};

/// Far above a million peers.
const MAX_REQUEST: u64 = 1 << 30;
/// Errno for requests that make no sense.
const EINVAL: &str = "errno=22\n\n";
/// Errno for a device on its way down.
const ENODEV: &str = "errno=19\n\n";

/// A request and the place for its answer. No `Debug`: both can hold keys.
pub(crate) struct Order {
    text: String,
    reply: oneshot::Sender<String>,
}

/// Takes the requests of one caller until it hangs up.
pub(crate) async fn converse(stream: UnixStream, orders: mpsc::Sender<Order>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(MAX_REQUEST));
    while let Some(text) = read_request(&mut reader).await? {
        reader.get_mut().set_limit(MAX_REQUEST);
        let (reply, answer) = oneshot::channel();
        orders.send(Order { text, reply }).await.map_err(io::Error::other)?;
        let answer = answer.await.map_err(io::Error::other)?;
        writer.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// Lines up to an empty one; `None` at the end.
async fn read_request(reader: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<String>> {
    // Bytes, because reading lines into a string would check all of it again for every line.
    let mut text = Vec::new();
    loop {
        let start = text.len();
        if reader.read_until(b'\n', &mut text).await? == 0 {
            // Without the empty line nobody knows whether that was all: nothing is done.
            return Ok(None);
        }
        if text.get(start..) == Some(b"\n") {
            if start > 0 {
                text.truncate(start);
                return String::from_utf8(text).map(Some).map_err(io::Error::other);
            }
            text.clear();
        }
    }
}

/// Does what was ordered and answers.
pub(crate) async fn carry_out(device: &Device<DefaultDeviceTransports>, client: &UapiClient, order: Order) {
    let answer = match order.text.parse::<Request>() {
        Ok(Request::Set(set)) => set_device(device, client, set).await,
        Ok(request) => ask(client, request).await,
        // The error may quote the line, and the line may be a key.
        Err(_) => EINVAL.to_owned(),
    };
    // A caller that hung up does not want it any more.
    let _ = order.reply.send(answer);
}

async fn ask(client: &UapiClient, request: impl Into<Request>) -> String {
    client.send(request).await.map_or_else(|_| ENODEV.to_owned(), |response| format!("{response}\n"))
}

async fn set_device(device: &Device<DefaultDeviceTransports>, client: &UapiClient, mut set: Set) -> String {
    let (has_key, known) = device
        .read(async |device| {
            // Whoever replaces all peers wants them new.
            let known =
                if set.replace_peers || set.peers.is_empty() { Vec::new() } else { device.peers().await };
            (device.private_key().is_some(), known)
        })
        .await;
    let adds = set.peers.iter().any(|peer| !peer.remove);
    if adds && !has_key && set.private_key.is_none() {
        tracing::warn!("peers cannot be added before the private key is set");
        return EINVAL.to_owned();
    }
    let known = known.into_iter().map(|known| known.peer).collect();
    let Some(Plan { changes, rest }) = change::plan(known, std::mem::take(&mut set.peers)) else {
        return EINVAL.to_owned();
    };
    let changed = device
        .write(async |device| {
            for change in &changes {
                device.modify_peer(change.public_key(), |peer| change.apply(peer)).await;
            }
        })
        .await;
    if changed.is_err() {
        return ENODEV.to_owned();
    }
    set.peers = rest;
    ask(client, set).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_end_with_an_empty_line() {
        let mut reader = BufReader::new(&b"\n\nget=1\n\nset=1\nlisten_port=5\n\nget=1\n"[..]);
        assert_eq!(read_request(&mut reader).await.unwrap().unwrap(), "get=1\n");
        assert_eq!(read_request(&mut reader).await.unwrap().unwrap(), "set=1\nlisten_port=5\n");
        assert!(read_request(&mut reader).await.unwrap().is_none(), "cut off");
    }
}
