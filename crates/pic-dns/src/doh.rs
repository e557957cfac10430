//! DNS over HTTPS for clients (RFC 8484), by HTTP/2 or HTTP/1.1: GET and POST of `/dns-query`.
//!
//! Each client is answered by its address, as on every other way. Bounded: bytes of a request, requests at a time, idle time.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::server::{Outcome, Server, Transport};
use crate::wire::answer::{Verdict, judge};
use crate::wire::{HEADER, name, u16_at};

const PATH: &str = "/dns-query";
const MEDIA: &str = "application/dns-message";
/// Longest question: far above what fits into a datagram, which every real one does.
const MAX_QUESTION: usize = 8 << 10;
/// Bytes of a body after which its client is not heard out.
const MAX_THROWN_AWAY: usize = 64 << 10;
/// Bytes of a request's head: a question in base64 and what browsers say about themselves.
const MAX_HEAD: u32 = 16 << 10;
const MAX_HEADERS: usize = 64;
/// Questions at a time on one connection.
const MAX_STREAMS: u32 = 64;
/// A request is there whole, and answered, within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Browsers ask seldom, and a new connection costs them a while.
const IDLE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(5);

/// The protocols, in the order of preference.
pub const PROTOCOLS: &[&[u8]] = &[H2, b"http/1.1"];
const H2: &[u8] = b"h2";

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Version {
    /// As agreed upon in the TLS handshake.
    pub fn agreed(protocol: Option<&[u8]>) -> Self {
        if protocol == Some(H2) { Self::Http2 } else { Self::Http1 }
    }
}

/// Answers one client until it ends, or is silent for too long.
pub async fn converse<S>(stream: S, version: Version, client: IpAddr, server: Arc<Server>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let desk = Arc::new(Desk {
        client,
        server,
        begin: Instant::now(),
        open: AtomicUsize::new(0),
        last: AtomicU64::new(0),
    });
    let service = service_fn(|request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let stream = TokioIo::new(stream);
    // The client's errors are its own business. Both kinds of connection end in the same way, but have no trait in common.
    match version {
        Version::Http1 => {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(IDLE).max_headers(MAX_HEADERS);
            http.max_buf_size(MAX_HEAD as usize);
            let mut connection = pin!(http.serve_connection(stream, service));
            tokio::select! {
                _ = connection.as_mut() => return,
                () = desk.idle() => connection.as_mut().graceful_shutdown(),
            }
            let _ = timeout(LOOK, connection).await;
        }
        Version::Http2 => {
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEAD);
            http.max_send_buf_size(MAX_HEAD as usize).initial_stream_window_size(MAX_HEAD);
            http.initial_connection_window_size(4 * MAX_HEAD);
            let mut connection = pin!(http.serve_connection(stream, service));
            tokio::select! {
                _ = connection.as_mut() => return,
                () = desk.idle() => connection.as_mut().graceful_shutdown(),
            }
            let _ = timeout(LOOK, connection).await;
        }
    }
}

/// One client's connection.
struct Desk {
    client: IpAddr,
    server: Arc<Server>,
    begin: Instant,
    /// Requests that are being answered.
    open: AtomicUsize,
    /// Seconds from the begin to the end of the last one.
    last: AtomicU64,
}

impl Desk {
    /// Ends when nothing was asked for a while.
    async fn idle(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let silent = self.begin.elapsed().as_secs().saturating_sub(self.last.load(Ordering::Relaxed));
            if self.open.load(Ordering::Relaxed) == 0 && silent >= IDLE.as_secs() {
                return;
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let _open = Open::new(&self);
        let answered = timeout(PATIENCE, async {
            let question = question(request).await?;
            self.ask(&question).await.map(message).ok_or_else(|| Refused::new(StatusCode::BAD_REQUEST))
        });
        let refused = match answered.await {
            Ok(Ok(response)) => return response,
            Ok(Err(refused)) => refused,
            Err(_) => Refused::new(StatusCode::REQUEST_TIMEOUT),
        };
        let mut response = Response::new(Full::new(Bytes::from_static(refused.words().as_bytes())));
        *response.status_mut() = refused.0;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if refused.0 == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        response
    }

    /// The answer to a message; `None` where it deserves none.
    async fn ask(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match self.server.handle(packet, self.client, Transport::Https, Instant::now(), &mut out) {
            Outcome::Drop => None,
            Outcome::Reply => Some(out),
            Outcome::Renew(task) => {
                tokio::spawn(async move { drop(task.run().await) });
                Some(out)
            }
            Outcome::Forward(task) => {
                let served = task.run().await;
                let outcome = self.server.complete(packet, Transport::Https, &task, &served, &mut out);
                matches!(outcome, Outcome::Reply).then_some(out)
            }
        }
    }
}

/// Counts a request while it is answered, also one whose client goes away.
struct Open<'d>(&'d Desk);

impl<'d> Open<'d> {
    fn new(desk: &'d Desk) -> Self {
        desk.open.fetch_add(1, Ordering::Relaxed);
        Self(desk)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.last.store(self.0.begin.elapsed().as_secs(), Ordering::Relaxed);
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refused(StatusCode);

impl Refused {
    fn new(code: StatusCode) -> Self {
        Self(code)
    }

    fn words(self) -> &'static str {
        match self.0 {
            StatusCode::NOT_FOUND => "names are asked for at /dns-query\n",
            StatusCode::METHOD_NOT_ALLOWED => "GET with ?dns=, or POST\n",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "the body must be application/dns-message\n",
            StatusCode::PAYLOAD_TOO_LARGE => "no question is that long\n",
            StatusCode::REQUEST_TIMEOUT => "the question did not come in time\n",
            _ => "this is no question\n",
        }
    }
}

/// The message in a request. Its body is read in any case: some clients of HTTP/2 miss a refusal that comes before they are done.
async fn question(request: Request<Incoming>) -> Result<Bytes, Refused> {
    let (head, body) = request.into_parts();
    let body = read(body).await;
    if head.uri.path() != PATH {
        return Err(Refused::new(StatusCode::NOT_FOUND));
    }
    match head.method {
        Method::GET => of_query(head.uri.query().unwrap_or_default()),
        Method::POST => {
            let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
            if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case(MEDIA)) {
                return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE));
            }
            body
        }
        _ => Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

/// A body. Of one that is too long, some more is read and thrown away.
async fn read(mut body: Incoming) -> Result<Bytes, Refused> {
    let (mut message, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refused::new(StatusCode::BAD_REQUEST))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= MAX_QUESTION {
            message.extend_from_slice(&data);
        } else if length > MAX_THROWN_AWAY {
            break;
        }
    }
    if length > MAX_QUESTION { Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE)) } else { Ok(message.into()) }
}

/// The message in `dns=…`, in base64 for addresses (RFC 4648 section 5) without padding.
fn of_query(query: &str) -> Result<Bytes, Refused> {
    let text = query.split('&').find_map(|pair| pair.strip_prefix("dns="));
    let text = text.ok_or(Refused::new(StatusCode::BAD_REQUEST))?;
    if text.len() > MAX_QUESTION / 3 * 4 {
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let message = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    message.map(Bytes::from).map_err(|_| Refused::new(StatusCode::BAD_REQUEST))
}

/// A response with a message, which may be kept as long as what it says (RFC 8484 section 5.1).
fn message(out: Vec<u8>) -> Response<Full<Bytes>> {
    let life = life(&out).unwrap_or(0);
    let mut response = Response::new(Full::new(Bytes::from(out)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA));
    if let Ok(value) = HeaderValue::try_from(format!("max-age={life}")) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}

fn life(out: &[u8]) -> Option<u32> {
    let body = out.get(HEADER..)?;
    let question = body.get(..name::plain_len(body)? + 4)?;
    match judge(out, u16_at(out, 0)?, question) {
        Verdict::Good(answer) => Some(answer.life),
        Verdict::Truncated | Verdict::WrongCase | Verdict::Foreign => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_in_addresses() {
        // The example of RFC 8484 section 4.1.1.
        let text = "dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
        let message = of_query(text).unwrap();
        assert!(message.ends_with(b"\x03www\x07example\x03com\0\0\x01\0\x01"));
        assert_eq!(of_query(&format!("x=1&{text}&y=2")).unwrap(), message);
        for wrong in ["", "dns", "x=dns=AAAA", "dns=AA/A", "dns=+", "DNS=AAAA"] {
            assert_eq!(of_query(wrong), Err(Refused::new(StatusCode::BAD_REQUEST)), "{wrong}");
        }
        let long = format!("dns={}", "A".repeat(MAX_QUESTION * 2));
        assert_eq!(of_query(&long), Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE)));
    }
}
