//! From an outcome to a response: common headers, and failures as problem documents (RFC 9457).

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use pic_api::problem::{Code, ProblemDetails};

use super::failure::Failure;
use super::reply::Outcome;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest path repeated in an answer.
const PATH_MAX: usize = 1024;

/// The response of a request with this id to this path.
pub(super) fn respond(id: &str, path: &str, outcome: Outcome) -> Response {
    let mut response = match outcome {
        Ok(reply) => reply.into_response(),
        Err(failure) => problem(id, path, failure),
    };
    let headers = response.headers_mut();
    headers.insert("pic-api", HeaderValue::from_static(pic_api::API_VERSION));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(HeaderValue::from_str(id).ok().map(|id| (REQUEST_ID, id)));
    response
}

fn problem(id: &str, path: &str, failure: Failure) -> Response {
    let Failure { code, detail, errors, retry_after, needs, stale } = failure;
    if matches!(code, Code::Internal | Code::Reverted) {
        tracing::error!(request = id, code = code.as_str(), "{detail}");
    }
    let mut details = ProblemDetails::new(code, detail, id);
    details.instance = path.chars().take(PATH_MAX).collect();
    details.errors = errors;
    details.needs = needs;
    if let Some(stale) = stale {
        details.current = Some(stale.current);
        details.current_etag = Some(stale.etag);
        details.merged = stale.merged;
    }
    // Plain data with string keys always serialises.
    let body = serde_json::to_vec(&details).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Unique on this host until the clock is set back: when the agent began, and a count.
pub(super) fn request_id() -> String {
    static BEGIN: std::sync::OnceLock<u128> = std::sync::OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let begin = BEGIN.get_or_init(|| crate::host::boot().as_millis());
    format!("{begin:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
