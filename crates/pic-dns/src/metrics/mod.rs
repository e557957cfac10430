//! Numbers for programs: the text format of Prometheus over HTTP/1.0, on a unix socket of its own.
//!
//! Told are counts by view and by result, and how the service is; never a name that was asked for, never a client. Answered are
//! root, our own user and members of the group that may talk to the agent: it is the one who connects that counts, as on the
//! control socket, because this user owns no group that it could give the socket to.

mod text;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User, geteuid};
use pic_model::snapshot::dns::DnsStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::server::Server;

/// Its members may ask.
const GROUP: &str = "pic";
const MAX_CONNECTIONS: usize = 8;
const MAX_REQUEST: usize = 8 << 10;
const PATIENCE: Duration = Duration::from_secs(5);
const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves until aborted.
pub async fn serve(listener: UnixListener, server: Arc<Server>, status: watch::Receiver<Option<DnsStatus>>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (server, status) = (Arc::clone(&server), status.clone());
                tokio::spawn(async move {
                    // What goes wrong with one connection is its own business.
                    let _ = timeout(PATIENCE, converse(stream, &server, &status)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept on the socket for metrics");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(
    mut stream: UnixStream,
    server: &Server,
    status: &watch::Receiver<Option<DnsStatus>>,
) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    let (user, group) = (Uid::from_raw(peer.uid()), Gid::from_raw(peer.gid()));
    // Names of users and groups may come from a service that takes its time.
    let may_ask =
        tokio::task::spawn_blocking(move || may_ask(user, group)).await.map_err(io::Error::other)?;
    let request = read(&mut stream).await?;
    let told = || {
        let status = status.borrow();
        status.as_ref().map(|status| text::of(status, server))
    };
    let (code, body) = match judge(&request) {
        _ if !may_ask => ("403 Forbidden", format!("only root and members of the group {GROUP} are told\n")),
        Ok(()) => match told() {
            Some(text) => ("200 OK", text),
            None => ("503 Service Unavailable", "the service is starting\n".to_owned()),
        },
        Err(code) => (code, "GET /metrics is what there is\n".to_owned()),
    };
    let kind = if code.starts_with("200") { KIND } else { "text/plain; charset=utf-8" };
    let head = format!(
        "HTTP/1.0 {code}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The head of a request. What follows it is not read.
async fn read(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while !ends(&request) {
        if request.len() >= MAX_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    Ok(request)
}

fn ends(request: &[u8]) -> bool {
    request.windows(4).any(|four| four == b"\r\n\r\n") || request.windows(2).any(|two| two == b"\n\n")
}

/// What is wrong with a request, if anything is.
fn judge(request: &[u8]) -> Result<(), &'static str> {
    let line = request.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| "400 Bad Request")?;
    let mut words = line.split_ascii_whitespace();
    let (method, target, version) = (words.next(), words.next(), words.next());
    if !version.is_none_or(|version| version.starts_with("HTTP/1.")) || words.next().is_some() {
        return Err("400 Bad Request");
    }
    match (method, target.map(|target| target.split('?').next().unwrap_or_default())) {
        (Some("GET"), Some("/" | "/metrics")) => Ok(()),
        (Some("GET"), Some(_)) => Err("404 Not Found"),
        (Some(_), Some(_)) => Err("405 Method Not Allowed"),
        _ => Err("400 Bad Request"),
    }
}

fn may_ask(user: Uid, group: Gid) -> bool {
    if user.is_root() || user == geteuid() {
        return true;
    }
    let Ok(Some(allowed)) = Group::from_name(GROUP) else { return false };
    group == allowed.gid
        || User::from_uid(user)
            .ok()
            .flatten()
            .is_some_and(|user| user.gid == allowed.gid || allowed.mem.contains(&user.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_judged() {
        for good in
            ["GET / HTTP/1.0\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "GET /metrics?a=b\n\n"]
        {
            assert!(ends(good.as_bytes()));
            assert_eq!(judge(good.as_bytes()), Ok(()), "{good}");
        }
        for (bad, code) in [
            ("", "400"),
            ("\r\n\r\n", "400"),
            ("GET\r\n\r\n", "400"),
            ("GET / HTTP/2\r\n\r\n", "400"),
            ("GET / HTTP/1.0 more\r\n\r\n", "400"),
            ("GET /secrets HTTP/1.0\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.0\r\n\r\n", "405"),
        ] {
            assert!(judge(bad.as_bytes()).unwrap_err().starts_with(code), "{bad:?}");
        }
        assert!(judge(b"\xff / HTTP/1.0\r\n\r\n").is_err());
    }

    #[test]
    fn not_everyone_is_told() {
        assert!(may_ask(Uid::from_raw(0), Gid::from_raw(0)));
        assert!(may_ask(geteuid(), Gid::from_raw(65_534)));
        assert!(!may_ask(Uid::from_raw(4_000_000), Gid::from_raw(4_000_000)));
    }
}
