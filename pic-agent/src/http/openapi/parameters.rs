//! What a route takes: path, query, headers.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Required, Schema};

use crate::http::route::{CHANGE_QUERY, Condition, Route, Verb};

const PREFER: &str = "return=plan: as plan=true; respond-async: as wait=false; wait=20: wait this many seconds at the \
                      most (RFC 7240)";
const IF_MATCH: &str =
    "tags of the desired state as GET /api/config gives them, or *: only if it is that one still";
const IF_MATCH_MUST: &str = "obligatory, unless only the plan is asked for: tags of the desired state as GET /api/config \
                             gives them, or *";
const IDEMPOTENCY_KEY: &str =
    "the same key and body again within a day: the first answer again, also after a restart of the agent";

/// All parameters of a route.
pub(super) fn of(route: &Route) -> Vec<Parameter> {
    let path = path_parameters(route.path).map(|name| parameter(name, ParameterIn::Path, None));
    let common = if route.changes { CHANGE_QUERY.as_slice() } else { &[] };
    let query = route.query.iter().chain(common);
    let query = query.map(|(name, meaning)| parameter(name, ParameterIn::Query, Some(meaning)));
    let headers = headers(route).into_iter();
    let headers = headers.map(|(name, meaning)| parameter(name, ParameterIn::Header, Some(meaning)));
    path.chain(query).chain(headers).collect()
}

fn headers(route: &Route) -> Vec<(&'static str, &'static str)> {
    let mut all = Vec::new();
    if route.verb == Verb::Post {
        all.push(("Idempotency-Key", IDEMPOTENCY_KEY));
    }
    if route.changes {
        all.push(("Prefer", PREFER));
        all.push(("PIC-Session", SESSION));
    }
    if route.id == "read-operation" {
        all.push(("Prefer", "wait=20: answer when it is settled, or so many seconds later (RFC 7240)"));
    }
    if route.id == "events" {
        all.push(("Last-Event-ID", "go on behind this event, while the agent still knows it"));
    }
    let tags = match route.if_match {
        Condition::None => None,
        Condition::May if route.path == PEER => {
            Some("tags of the device, or *: change it only if its owner has not changed it since")
        }
        Condition::May => Some(IF_MATCH),
        Condition::Must => Some(IF_MATCH_MUST),
    };
    all.extend(tags.map(|words| ("If-Match", words)));
    if route.is_tagged() {
        all.push(("If-None-Match", "tags of answers that are known: 304 if this is one of them"));
    }
    all
}

const SESSION: &str = "how you are logged in to this host, as SSH_CONNECTION has it (address and port that you come from, \
                       address and port that you came to): a change that closes this way waits for its confirmation";

/// The one path whose tags are its own and not the whole state's.
const PEER: &str = "/api/peers/{name}";

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str, place: ParameterIn, meaning: Option<&str>) -> Parameter {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    let text: Schema = ObjectBuilder::new().schema_type(Type::String).build().into();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(meaning)
        .schema(Some(text))
        .build()
}
