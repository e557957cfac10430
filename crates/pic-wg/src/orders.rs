//! Orders of configuration callers, in the text protocol that `wg` speaks.
//!
//! The device library carries out most of them. Two things are done here instead, because it would
//! - forget the session of every peer that is mentioned again, so that repeating a configuration cuts all tunnels;
//! - lose its configuration task for good when peers come before the private key.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use gotatun::device::uapi::UapiClient;
use gotatun::device::uapi::command::{Request, Set, SetPeer};
use gotatun::device::{DefaultDeviceTransports, Device};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::answer::{Known, State};
use crate::change::{self, Change, Plan};
use crate::mirror::{KeyBytes, Mirror};

/// Far above a million peers.
const MAX_REQUEST: u64 = 1 << 30;
/// Answer to a change that was made.
const DONE: &str = "errno=0\n\n";
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

/// Carries orders out, one after the other.
pub(crate) struct Clerk {
    client: UapiClient,
    /// `None`: not known for sure, to be read from the device when next needed.
    mirror: Option<Mirror>,
}

impl Clerk {
    /// For a device that nobody else configures.
    pub(crate) fn new(client: UapiClient) -> Self {
        Self { client, mirror: None }
    }

    /// Does what was ordered and answers.
    pub(crate) async fn carry_out(&mut self, device: &Device<DefaultDeviceTransports>, order: Order) {
        let answer = match order.text.parse::<Request>() {
            Ok(Request::Set(set)) => self.set(device, set).await,
            Ok(Request::Get(_)) => state(device).await.text(since_1970()),
            // The error may quote the line, and the line may be a key.
            Err(_) => EINVAL.to_owned(),
        };
        // A caller that hung up does not want it any more.
        let _ = order.reply.send(answer);
    }

    async fn ask(&self, request: impl Into<Request>) -> String {
        self.client.send(request).await.map_or_else(|_| ENODEV.to_owned(), |response| format!("{response}\n"))
    }

    async fn set(&mut self, device: &Device<DefaultDeviceTransports>, mut set: Set) -> String {
        let has_key = device.read(async |device| device.private_key().is_some()).await;
        let adds = set.peers.iter().any(|peer| !peer.remove);
        if adds && !has_key && set.private_key.is_none() {
            tracing::warn!("peers cannot be added before the private key is set");
            return EINVAL.to_owned();
        }
        // Until the device has done all of it, nobody knows what it has: this must not outlive an early return.
        let mut mirror = match self.mirror.take() {
            // Whoever replaces all peers wants them new.
            _ if set.replace_peers => Mirror::default(),
            Some(mirror) => mirror,
            None => Mirror::new(device.peers().await.into_iter().map(|known| known.peer)),
        };
        let Some(touched) = mirror.after(&set.peers) else {
            // Nothing was done, so what was known before still holds.
            self.mirror = Some(mirror).filter(|_| !set.replace_peers);
            return EINVAL.to_owned();
        };
        let endpoints = endpoints(device, &mirror, &set).await;
        let Plan { changes, rest } =
            change::plan(&mirror, &touched, std::mem::take(&mut set.peers), &endpoints);
        if !changes.is_empty() && make(device, &changes).await.is_err() {
            return ENODEV.to_owned();
        }
        set.peers = rest;
        let answer = self.ask(set).await;
        if answer == DONE {
            mirror.take(touched);
            self.mirror = Some(mirror);
        }
        answer
    }
}

async fn state(device: &Device<DefaultDeviceTransports>) -> State {
    device
        .read(async |device| State {
            private_key: device.private_key().cloned(),
            listen_port: device.listen_port(),
            fwmark: device.fwmark(),
            peers: device
                .peers()
                .await
                .into_iter()
                .map(|known| Known {
                    peer: known.peer,
                    handshake: known.stats.last_handshake,
                    rx: known.stats.rx_bytes,
                    tx: known.stats.tx_bytes,
                })
                .collect(),
        })
        .await
}

/// By the wall clock.
fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

async fn make(
    device: &Device<DefaultDeviceTransports>,
    changes: &[Change],
) -> Result<(), gotatun::device::Error> {
    device
        .write(async |device| {
            for change in changes {
                device.modify_peer(&change.public_key(), |peer| change.apply(peer)).await;
            }
        })
        .await
}

/// Where peers are, if the request says it of one the device has. Peers move by themselves, so only the device knows.
async fn endpoints(
    device: &Device<DefaultDeviceTransports>,
    mirror: &Mirror,
    set: &Set,
) -> BTreeMap<KeyBytes, SocketAddr> {
    let known =
        |peer: &SetPeer| peer.peer.endpoint.is_some() && mirror.get(&peer.peer.public_key.0).is_some();
    if !set.peers.iter().any(known) {
        return BTreeMap::new();
    }
    let peers = device.peers().await.into_iter();
    peers.filter_map(|known| Some((known.peer.public_key.to_bytes(), known.peer.endpoint?))).collect()
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
