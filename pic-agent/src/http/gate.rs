//! The one way in: every request passes here, and every answer gets its common headers here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::http::header::ALLOW;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::MethodRouter;
use pic_api::problem::Code;

use super::Api;
use super::accept::{Form, choose};
use super::body::Read;
use super::call::Call;
use super::caller::Caller;
use super::failure::Failure;
use super::idempotency::Turn;
use super::lines::export;
use super::problem::{request_id, respond};
use super::reply::{Outcome, Reply};
use super::route::{Route, Verb};
use super::routes;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// All routes of the table.
pub(super) fn router(api: &Arc<Api>) -> Router {
    let mut paths: BTreeMap<&str, Vec<&'static Route>> = BTreeMap::new();
    for route in routes::all() {
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
        if allow.contains(&"GET") {
            allow.push("HEAD");
        }
        allow.push("OPTIONS");
        let allow = allow.join(", ");
        router = router.route(path, methods.fallback(async move |request: Request| other(&request, &allow)));
    }
    router.fallback(async |request: Request| no_route(&request))
}

fn no_route(request: &Request) -> Response {
    let failure =
        Failure::not_found(format!("there is no route {}; see GET /openapi.json", request.uri().path()));
    respond(&request_id(), request.uri().path(), Err(failure))
}

/// A method that has no handler: the question which ones have, or one that has none.
fn other(request: &Request, allow: &str) -> Response {
    let path = request.uri().path();
    let outcome = if request.method() == Method::OPTIONS {
        Ok(Reply::nothing(StatusCode::NO_CONTENT))
    } else {
        let detail = format!("{} is not possible on {path}; it takes {allow}", request.method());
        Err(Failure::new(Code::MethodNotAllowed, detail))
    };
    let mut response = respond(&request_id(), path, outcome);
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
    let author =
        request.extensions().get::<Caller>().map_or_else(String::new, |caller| caller.author.0.clone());
    let outcome = work(api, route, parameters, request).await;
    let response = respond(&id, &path, outcome);
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
    let caller = request.extensions().get::<Caller>().cloned();
    let Caller { user, author } = caller.ok_or_else(|| Failure::internal("nobody asks"))?;
    let target = format!("{} {}", route.verb.as_str(), request.uri());
    let (head, body) = request.into_parts();
    let form = choose(route, &head.headers)?;
    let body = match route.verb {
        Verb::Get => Read::default(),
        _ => api.room.read(route, &head.headers, body).await?,
    };
    let Read { bytes: body, room } = body;
    let room = Arc::new(room);
    let is_head = head.method == Method::HEAD;
    let call = Call { api, user, author, parameters, query, headers: head.headers, body, is_head, room };
    call.check_version()?;
    call.check_conditions(route)?;
    if form == Form::Lines {
        return export(call, route).await;
    }
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
pub(super) async fn run(call: Call, route: &'static Route) -> Outcome {
    let done = tokio::spawn((route.handler)(call)).await;
    done.unwrap_or_else(|_| Err(Failure::internal("the request could not be worked on; see the agent's log")))
}

async fn once(call: Call, route: &'static Route, key: &str, target: &str) -> Outcome {
    let api = Arc::clone(&call.api);
    let ticket = match api.kept.enter(&call.user, key, target, &call.body).await? {
        Turn::Again(reply) => return Ok(reply),
        Turn::First(ticket) => ticket,
    };
    // As a task, so that the answer is kept even if nobody waits for it.
    let task = tokio::spawn(async move {
        let outcome = finish(call, route).await;
        api.kept.leave(ticket, &outcome).await;
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
