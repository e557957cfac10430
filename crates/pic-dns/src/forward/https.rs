//! DNS over HTTPS (RFC 8484), by HTTP/2: one connection, kept open between questions, many questions at once on it.
//!
//! The certificate is always checked, as for DNS over TLS; there is no fallback to anything less.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::path::Path;
use super::tls;
use super::udp::{accept, judge};
use super::upstream::{Carrier, Question};
use crate::wire::answer::Answer;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const MEDIA: &str = "application/dns-message";
const ALPN: &[u8] = b"h2";

type Sender = SendRequest<Full<Bytes>>;

/// One DNS-over-HTTPS server.
#[derive(Debug)]
pub(super) struct HttpsUpstream {
    address: SocketAddr,
    name: String,
    uri: String,
    path: Path,
    connection: Mutex<Option<Sender>>,
}

impl HttpsUpstream {
    pub(super) fn new(address: SocketAddr, name: &str, resource: &str, path: Path) -> Self {
        // An IPv6 address as a host stands in brackets.
        let host = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
        let port = if address.port() == 443 { String::new() } else { format!(":{}", address.port()) };
        let uri = format!("https://{host}{port}{resource}");
        Self { address, name: name.to_owned(), uri, path, connection: Mutex::new(None) }
    }

    /// Asks over the open connection, or a new one.
    pub(super) async fn ask(&self, question: &Question) -> io::Result<Answer> {
        // The id is 0, so that caches on the way see equal questions as equal (RFC 8484 section 4.1).
        let message = question.message(0, Carrier::Encrypted)?;
        let reply = match self.exchange(&message, false).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
                self.exchange(&message, true).await?
            }
            result => result?,
        };
        accept(judge(&reply, &message, question))
    }

    async fn exchange(&self, message: &[u8], fresh: bool) -> io::Result<Bytes> {
        let mut sender = timeout(CONNECT_TIMEOUT, self.sender(fresh)).await??;
        timeout(ANSWER_TIMEOUT, post(&mut sender, &self.uri, message)).await?
    }

    async fn sender(&self, fresh: bool) -> io::Result<Sender> {
        let mut connection = self.connection.lock().await;
        if let Some(sender) = connection.as_ref().filter(|sender| !fresh && !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let stream = tls::connect(&self.path, self.address, &self.name, &[ALPN]).await?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(io::Error::other("the upstream speaks no HTTP/2"));
        }
        let shaken = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, driver) = shaken.map_err(io::Error::other)?;
        // It ends when the server closes or the last sender is dropped; either is seen at the next question.
        tokio::spawn(async move { drop(driver.await) });
        *connection = Some(sender.clone());
        Ok(sender)
    }
}

async fn post(sender: &mut Sender, uri: &str, message: &[u8]) -> io::Result<Bytes> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(ACCEPT, MEDIA)
        .header(CONTENT_TYPE, MEDIA)
        .header(CONTENT_LENGTH, message.len())
        .body(Full::new(Bytes::copy_from_slice(message)))
        .map_err(io::Error::other)?;
    let aborted = |error| io::Error::new(io::ErrorKind::ConnectionAborted, error);
    sender.ready().await.map_err(aborted)?;
    read(sender.send_request(request).await.map_err(aborted)?).await
}

/// The message inside a response, at most as long as a message can be.
async fn read<B>(response: Response<B>) -> io::Result<Bytes>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let bad = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    if response.status() != StatusCode::OK {
        return Err(bad(format!("the upstream says {}", response.status())));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.and_then(|kind| kind.split(';').next()).map(str::trim) != Some(MEDIA) {
        return Err(bad(format!("the upstream's answer is not of type {MEDIA}")));
    }
    let body = Limited::new(response.into_body(), usize::from(u16::MAX)).collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
