//! The one way in: every request passes here, and every answer gets its common headers here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::MethodRouter;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pic_api::problem::{Code, ProblemDetails};
use pic_engine::Author;

use super::Api;
use super::call::Call;
use super::failure::Failure;
use super::idempotency::Turn;
use super::reply::{Outcome, Reply};
use super::route::{Route, Verb};
use super::routes::ROUTES;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// A body that takes longer comes from nobody who wants an answer.
const BODY: Duration = Duration::from_secs(30);

/// All routes of the table.
pub(super) fn router(api: &Arc<Api>) -> Router {
    let mut paths: BTreeMap<&str, Vec<&'static Route>> = BTreeMap::new();
    for route in ROUTES {
        paths.entry(route.path).or_default().push(route);
    }
    let mut router = Router::new();
    for (path, routes) in paths {
        let mut methods = MethodRouter::new();
        let mut allow = Vec::new();
        for route in routes {
            allow.push(route.verb.as_str());
            let api = Arc::clone(api);
            methods = methods
                .on(route.verb.filter(), move |parameters, request| pass(api, route, parameters, request));
        }
        let allow = allow.join(", ");
        router =
            router.route(path, methods.fallback(async move |request: Request| no_method(&request, &allow)));
    }
    router.fallback(async |request: Request| no_route(&request))
}

fn no_route(request: &Request) -> Response {
    let failure =
        Failure::not_found(format!("there is no route {}; see GET /openapi.json", request.uri().path()));
    respond(&request_id(), Err(failure))
}

fn no_method(request: &Request, allow: &str) -> Response {
    let detail =
        format!("{} is not possible on {}; it takes {allow}", request.method(), request.uri().path());
    let mut response = respond(&request_id(), Err(Failure::new(Code::MethodNotAllowed, detail)));
    response.headers_mut().extend(HeaderValue::from_str(allow).ok().map(|allow| (ALLOW, allow)));
    response
}

async fn pass(
    api: Arc<Api>,
    route: &'static Route,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response {
    let id = request_id();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let author = request.extensions().get::<Author>().map_or_else(String::new, |author| author.0.clone());
    let outcome = work(api, route, parameters, request).await;
    let response = respond(&id, outcome);
    let status = response.status().as_u16();
    if route.verb == Verb::Get {
        tracing::debug!(%method, path, status, author, request = id, "request");
    } else {
        tracing::info!(%method, path, status, author, request = id, "request");
    }
    response
}

async fn work(
    api: Arc<Api>,
    route: &'static Route,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Outcome {
    if !route.early && !api.is_started() {
        return Err(Failure::unavailable("the agent is starting; try again in a moment"));
    }
    let parameters = parameters.map_err(|_| Failure::bad("the path is not UTF-8"))?;
    let parameters = parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let query = read_query(route, request.uri().query().unwrap_or_default())?;
    // Without it nobody could be named in the history; the server always sets it.
    let author =
        request.extensions().get::<Author>().cloned().ok_or_else(|| Failure::internal("nobody asks"))?;
    let target = format!("{} {}", route.verb.as_str(), request.uri());
    let (head, body) = request.into_parts();
    let body =
        if route.verb == Verb::Get { Bytes::new() } else { read_body(route, &head.headers, body).await? };
    let call = Call { api, author, parameters, query, headers: head.headers, body };
    call.check_version()?;
    call.check_conditions(route)?;
    match call.header(IDEMPOTENCY_KEY).map(str::to_owned) {
        Some(key) if route.verb == Verb::Post => once(call, route, &key, &target).await,
        _ => finish(call, route).await,
    }
}

/// Runs the handler; a reader who has its answer already gets no body.
async fn finish(call: Call, route: &'static Route) -> Outcome {
    let seen = call.if_none_match()?;
    let reply = run(call, route).await?;
    if route.verb != Verb::Get {
        return Ok(reply);
    }
    let reply = reply.tagged();
    match (seen, reply.tag()) {
        (Some(seen), Some(tag)) if seen.resemble(tag) => Ok(Reply::not_modified(tag)),
        _ => Ok(reply),
    }
}

/// Runs the handler to its end even if the caller goes away meanwhile, and survives its panic.
async fn run(call: Call, route: &'static Route) -> Outcome {
    let done = tokio::spawn((route.handler)(call)).await;
    done.unwrap_or_else(|_| Err(Failure::internal("the request could not be worked on; see the agent's log")))
}

async fn once(call: Call, route: &'static Route, key: &str, target: &str) -> Outcome {
    let api = Arc::clone(&call.api);
    let ticket = match api.kept.enter(&call.author.0, key, target, &call.body)? {
        Turn::Again(reply) => return Ok(reply),
        Turn::First(ticket) => ticket,
    };
    // As a task, so that the answer is kept even if nobody waits for it.
    let task = tokio::spawn(async move {
        let outcome = finish(call, route).await;
        api.kept.leave(ticket, &outcome);
        outcome
    });
    task.await
        .unwrap_or_else(|_| Err(Failure::internal("the request could not be worked on; see the agent's log")))
}

fn read_query(route: &Route, query: &str) -> Outcome<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if !route.takes(&name) {
            return Err(Failure::bad(format!("the parameter \"{}\" is not known here", name.escape_debug())));
        }
        if found.insert(name.to_string(), value.into_owned()).is_some() {
            return Err(Failure::bad(format!("the parameter \"{name}\" is given twice")));
        }
    }
    Ok(found)
}

async fn read_body(route: &Route, headers: &axum::http::HeaderMap, body: Body) -> Outcome<Bytes> {
    let large = || Failure::new(Code::TooLarge, format!("the body is larger than {} bytes", route.limit));
    let read = tokio::time::timeout(BODY, Limited::new(body, route.limit).collect()).await;
    let body = match read.map_err(|_| Failure::bad("the body did not come in time"))? {
        Ok(body) => body.to_bytes(),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => return Err(large()),
        Err(error) => return Err(Failure::bad(format!("the body cannot be read: {error}"))),
    };
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    let is_json =
        kind.is_none_or(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json"));
    if !body.is_empty() && !is_json {
        return Err(Failure::bad("a body is sent as Content-Type: application/json"));
    }
    Ok(body)
}

fn respond(id: &str, outcome: Outcome) -> Response {
    let mut response = match outcome {
        Ok(reply) => reply.into_response(),
        Err(failure) => problem(id, &failure),
    };
    let headers = response.headers_mut();
    headers.insert("pic-api", HeaderValue::from_static(pic_api::API_VERSION));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(HeaderValue::from_str(id).ok().map(|id| (REQUEST_ID, id)));
    response
}

fn problem(id: &str, failure: &Failure) -> Response {
    if matches!(failure.code, Code::Internal | Code::Reverted) {
        tracing::error!(request = id, code = failure.code.as_str(), "{}", failure.detail);
    }
    let mut details = ProblemDetails::new(failure.code, failure.detail.clone(), id);
    details.errors = failure.errors.clone();
    // Plain data with string keys always serialises.
    let body = serde_json::to_vec(&details).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(failure.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = failure.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Unique on this host until the clock is set back: when the agent began, and a count.
fn request_id() -> String {
    static BEGIN: std::sync::OnceLock<u128> = std::sync::OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let begin = BEGIN.get_or_init(|| crate::host::boot().as_millis());
    format!("{begin:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
