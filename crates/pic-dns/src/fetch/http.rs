//! One request: HTTP/1.1 over TLS, redirects followed, the body into a file.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HOST, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION, USER_AGENT,
};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use pic_model::https_url::{HttpsUrl, UrlHost};
use tokio::time::timeout;

use super::store::Tags;
use crate::forward;
use crate::server::Server;

/// A million names are about a third of this.
const MAX_BYTES: u64 = 64 << 20;
const MAX_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(10);
/// Until the next piece of an answer.
const PIECE: Duration = Duration::from_secs(30);
/// Until all of it is there.
const WHOLE: Duration = Duration::from_secs(600);
/// Tags of servers are short; a longer one is not kept.
const MAX_TAG: usize = 1_024;

/// What a request came to.
#[derive(Debug)]
pub(super) enum Got {
    /// What the tags stand for is still right.
    Same,
    /// It is in the file, and these are its tags.
    New(Tags),
}

/// Fetches into `file`, unless the server has nothing newer than `tags`.
pub(super) async fn get(
    server: &Arc<Server>,
    url: &HttpsUrl,
    tags: &Tags,
    mut file: File,
) -> io::Result<Got> {
    let whole = async {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = ask(server, &at, tags).await?;
            match response.status() {
                StatusCode::OK => return read(response, &mut file).await.map(Got::New),
                StatusCode::NOT_MODIFIED => return Ok(Got::Same),
                status if status.is_redirection() => at = next(&at, &response)?,
                status => return Err(bad(format!("the server says {status}"))),
            }
        }
        Err(bad(format!("there are more than {MAX_REDIRECTS} redirects")))
    };
    timeout(WHOLE, whole).await.map_err(|_| late("the whole list", WHOLE))?
}

fn bad(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn late(what: &str, limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} did not come within {} s", limit.as_secs()))
}

/// Where a redirect leads. Never to a bare address: that could be a device in the house.
fn next(at: &HttpsUrl, response: &Response<Incoming>) -> io::Result<HttpsUrl> {
    let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
    let to = at
        .joined(to)
        .map_err(|error| bad(format!("the server sends elsewhere, where nothing can be fetched: {error}")))?;
    match to.host() {
        UrlHost::Address(_) if to.host() != at.host() => {
            Err(bad("the server sends to a bare address".to_owned()))
        }
        UrlHost::Address(_) | UrlHost::Name(_) => Ok(to),
    }
}

async fn ask(server: &Arc<Server>, url: &HttpsUrl, tags: &Tags) -> io::Result<Response<Incoming>> {
    let stream = connect(server, url).await?;
    let (mut sender, driver) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with the connection, which ends with the answer.
    tokio::spawn(async move { drop(driver.await) });
    let mut request = Request::builder()
        .uri(url.path())
        .header(HOST, url.authority())
        .header(USER_AGENT, "pic-dns")
        .header(ACCEPT_ENCODING, "identity");
    for (name, tag) in [(IF_NONE_MATCH, &tags.etag), (IF_MODIFIED_SINCE, &tags.modified)] {
        if let Some(tag) = tag {
            request = request.header(name, tag);
        }
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
    let response =
        timeout(PIECE, sender.send_request(request)).await.map_err(|_| late("an answer", PIECE))?;
    response.map_err(io::Error::other)
}

async fn connect(server: &Arc<Server>, url: &HttpsUrl) -> io::Result<forward::TlsConnection> {
    let addresses = match url.host() {
        UrlHost::Address(address) => vec![*address],
        UrlHost::Name(name) => server.addresses(name.as_str()).await,
    };
    let mut last = bad(format!("{} has no address, or nobody tells it", url.name()));
    let name = url.name();
    for address in addresses {
        let connecting = forward::connect_tls(SocketAddr::new(address, url.port()), &name);
        match timeout(CONNECT, connecting).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = io::Error::new(error.kind(), format!("{address}: {error}")),
            Err(_) => last = late(&format!("a connection to {address}"), CONNECT),
        }
    }
    Err(last)
}

async fn read(response: Response<Incoming>, file: &mut File) -> io::Result<Tags> {
    if let Some(encoding) = response.headers().get(CONTENT_ENCODING).filter(|value| *value != "identity") {
        return Err(bad(format!("it comes as {encoding:?}, which was not asked for")));
    }
    let tag = |name: HeaderName| {
        let text = response.headers().get(name)?.to_str().ok()?;
        (text.len() <= MAX_TAG).then(|| text.to_owned())
    };
    let tags = Tags { etag: tag(ETAG), modified: tag(LAST_MODIFIED) };
    let mut body = response.into_body();
    let mut bytes = 0_u64;
    loop {
        let frame = timeout(PIECE, body.frame()).await.map_err(|_| late("the next piece", PIECE))?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else { continue };
        bytes += data.len() as u64;
        if bytes > MAX_BYTES {
            return Err(bad(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
        }
        file.write_all(&data)?;
    }
    Ok(tags)
}
