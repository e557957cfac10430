//! One HTTP exchange: connect, ask, read the bounded answer, tell an answer from a problem.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, ETAG, HOST, HeaderValue, IF_MATCH};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::{Answer, Client, ClientError, Wait};
use crate::problem::ProblemDetails;

/// Largest answer read: a whole `cell.toml` as JSON text, where escapes may double it.
const MAX_BODY: usize = 2 * pic_model::config::MAX_BYTES;
/// A socket on this host answers at once or not at all.
const CONNECT: Duration = Duration::from_secs(5);
/// How much of an unreadable answer is repeated.
const QUOTE: usize = 200;

/// Makes a text fit for one segment of a path (RFC 3986 section 2.3).
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~')
            || (byte == b'.' && !text.starts_with('.'))
        {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A query string under construction.
#[derive(Debug, Default, Clone)]
pub(super) struct Query(String);

impl Query {
    /// Adds a parameter that has a value.
    pub(super) fn push(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            let mark = if self.0.is_empty() { '?' } else { '&' };
            self.0.push_str(&format!("{mark}{name}={}", segment(value)));
        }
    }

    /// The path with this query behind it.
    pub(super) fn behind(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Call {
    method: Method,
    path: String,
    query: Query,
    body: Option<Bytes>,
    tag: Option<String>,
    after: Option<String>,
}

impl Call {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Query::default(), body: None, tag: None, after: None }
    }

    pub(super) fn body(mut self, body: &impl Serialize) -> Result<Self, ClientError> {
        let bytes =
            serde_json::to_vec(body).map_err(|error| self.protocol(format!("the request: {error}")))?;
        self.body = Some(bytes.into());
        Ok(self)
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(name, Some(value));
        self
    }

    pub(super) fn wait(self, wait: Wait) -> Self {
        match wait {
            Wait::Settled => self,
            Wait::Accepted => self.query("wait", "false"),
        }
    }

    /// Strong tags are quoted on the wire (RFC 9110 section 8.8.3).
    pub(super) fn if_match(mut self, tag: Option<&str>) -> Self {
        self.tag = tag.map(|tag| if tag.starts_with('"') { tag.to_owned() } else { format!("\"{tag}\"") });
        self
    }

    /// Behind which event a stream goes on.
    pub(super) fn after(mut self, event: Option<&str>) -> Self {
        self.after = event.map(str::to_owned);
        self
    }

    fn words(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(super) fn protocol(&self, what: impl Into<String>) -> ClientError {
        ClientError::Protocol { call: self.words(), what: what.into() }
    }

    fn is_change(&self) -> bool {
        self.method != Method::GET
    }

    fn late(&self, limit: Duration) -> ClientError {
        ClientError::TimedOut { call: self.words(), seconds: limit.as_secs(), changes: self.is_change() }
    }

    /// Tells a connection that ended too early from an answer that is none.
    pub(super) fn failed(&self, error: &hyper::Error) -> ClientError {
        use std::io::ErrorKind::{InvalidData, InvalidInput};
        let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
        let is_nonsense = error.is_parse()
            || error.is_user()
            || cause.is_some_and(|cause| matches!(cause.kind(), InvalidData | InvalidInput));
        if is_nonsense {
            self.protocol(error.to_string())
        } else {
            ClientError::Broken { call: self.words(), changes: self.is_change() }
        }
    }

    fn request(&self, session: Option<&str>) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(&self.method)
            .uri(self.query.behind(&self.path))
            .header(HOST, "pic")
            .header("PIC-API", crate::API_VERSION)
            .header(ACCEPT, "application/json, application/problem+json, text/event-stream");
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(tag) = &self.tag {
            request = request.header(IF_MATCH, tag);
        }
        if let Some(session) = session.filter(|_| self.is_change()) {
            request = request.header(crate::session::HEADER, session);
        }
        if let Some(event) = &self.after {
            request = request.header("Last-Event-ID", event);
        }
        request
            .body(Full::new(self.body.clone().unwrap_or_default()))
            .map_err(|error| self.protocol(error.to_string()))
    }
}

impl Client {
    /// Asks and reads the whole answer.
    pub(super) async fn exchange<T: DeserializeOwned>(&self, call: Call) -> Result<Answer<T>, ClientError> {
        self.within(self.timeout, &call, async {
            let response = self.send(&call).await?;
            let etag = response.headers().get(ETAG).and_then(|tag| Some(tag.to_str().ok()?.to_owned()));
            let json = read(&call, response).await?;
            let value = serde_json::from_slice(&json).map_err(|error| call.protocol(error.to_string()))?;
            Ok(Answer { value, json, etag })
        })
        .await
    }

    /// Bounds a future by time.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        call: &Call,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        tokio::time::timeout(limit, work).await.map_err(|_| call.late(limit))?
    }

    /// Asks and returns the answer's head; its body is still to be read. A problem is already an error.
    pub(super) async fn send(&self, call: &Call) -> Result<Response<Incoming>, ClientError> {
        let away = |source| ClientError::NotReachable { socket: self.socket.clone(), source };
        let stream = tokio::time::timeout(CONNECT, UnixStream::connect(&self.socket))
            .await
            .map_err(|late| away(late.into()))?
            .map_err(away)?;
        let broken = |error: hyper::Error| call.failed(&error);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // The connection lives as long as its answer is read; how it ends shows in that read.
        tokio::spawn(connection);
        let response = sender.send_request(call.request(self.session.as_deref())?).await.map_err(broken)?;
        check_version(call, response.headers().get("PIC-API"))?;
        if response.status().is_success() { Ok(response) } else { Err(problem(call, response).await) }
    }
}

fn check_version(call: &Call, version: Option<&HeaderValue>) -> Result<(), ClientError> {
    match version {
        Some(version) if version != crate::API_VERSION => Err(call.protocol(format!(
            "it speaks version {} of the API and this program version {}; upgrade the older of the two",
            version.to_str().unwrap_or("?"),
            crate::API_VERSION
        ))),
        _ => Ok(()),
    }
}

async fn read(call: &Call, response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| match error.downcast_ref::<hyper::Error>() {
        Some(error) => call.failed(error),
        None => call.protocol(error.to_string()),
    })
}

async fn problem(call: &Call, response: Response<Incoming>) -> ClientError {
    let status = response.status();
    match read(call, response).await {
        Err(error) => error,
        Ok(body) => match serde_json::from_slice::<ProblemDetails>(&body) {
            Ok(details) => ClientError::Problem(Box::new(details)),
            Err(_) => {
                let text: String = String::from_utf8_lossy(&body).chars().take(QUOTE).collect();
                call.protocol(format!("status {status} with \"{}\"", text.escape_debug()))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_one_segment() {
        assert_eq!(segment("phone-2"), "phone-2");
        assert_eq!(segment("../x"), "%2E%2E%2Fx");
        assert_eq!(segment("a?b#c d\n"), "a%3Fb%23c%20d%0A");
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment("ü"), "%C3%BC");
    }

    #[test]
    fn queries_and_tags() {
        let call = Call::new(Method::PUT, "/api/config")
            .query("plan", "true")
            .wait(Wait::Accepted)
            .if_match(Some("3-ab"));
        assert_eq!(call.query.behind(&call.path), "/api/config?plan=true&wait=false");
        assert_eq!(call.tag.as_deref(), Some("\"3-ab\""));
        assert_eq!(call.if_match(Some("\"x\"")).tag.as_deref(), Some("\"x\""));
    }
}
