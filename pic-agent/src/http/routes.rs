//! Every route, once: the router and the OpenAPI document are both made from this table.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use axum::routing::MethodFilter;
use pic_api::config::{ChangeOptions, Config, NewConfig, PatchConfig};
use pic_api::history::{Diff, History};
use pic_api::operation::{Confirm, Operation, Plan};
use pic_api::peer::{NewPeer, PatchPeer, Peer, PeerAdded, PeerConfig, PeerList};
use pic_api::status::{Check, Health, Status, WireguardStatus};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::call::Call;
use super::handlers::{config, confirm, doctor, export, history, operations, peers, plans, status};
use super::openapi;
use super::reply::Outcome;

/// Bodies of most routes.
const SMALL: usize = 4 << 20;
/// Bodies that hold a whole `cell.toml`: its escapes in JSON included.
const LARGE: usize = 64 << 20;

/// Does the work of a route.
pub(crate) type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One method on one path.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) verb: Verb,
    pub(crate) path: &'static str,
    /// Stable name.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    /// Parameters behind the question mark, with what they mean.
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) body: Option<Taken>,
    pub(crate) answer: Answer,
    /// It changes the desired state: takes `plan` and `wait`, answers 202 when not waited for.
    pub(crate) changes: bool,
    /// Largest body.
    pub(crate) limit: usize,
    /// Works before the engine has looked at the host.
    pub(crate) early: bool,
    pub(crate) handler: Handler,
}

/// A body that a route takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) shape: Shape,
    pub(crate) is_required: bool,
}

/// What a route answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// One value.
    One(u16, Shape),
    /// A list of values.
    Many(Shape),
    /// Server-sent events with a value each.
    Events(Shape),
    /// Some JSON object.
    Object,
}

/// A type of `pic-api`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: fn() -> Cow<'static, str>,
    pub(crate) schema: fn() -> RefOr<Schema>,
    pub(crate) parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

const fn of<T: ToSchema>() -> Shape {
    Shape { name: T::name, schema: <T as PartialSchema>::schema, parts: T::schemas }
}

/// HTTP methods of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// Parameters of every change.
pub(crate) const CHANGE_QUERY: [(&str, &str); 2] = [
    ("plan", "true: answer the plan and change nothing"),
    ("wait", "false: answer as soon as the change is under way"),
];

impl Route {
    const fn new(
        verb: Verb,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        answer: Answer,
        handler: Handler,
    ) -> Self {
        let (changes, early) = (false, false);
        Self {
            verb,
            path,
            id,
            summary,
            query: &[],
            body: None,
            answer,
            changes,
            limit: SMALL,
            early,
            handler,
        }
    }

    const fn query(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Self { query, ..self }
    }

    const fn takes_body(self, shape: Shape) -> Self {
        Self { body: Some(Taken { shape, is_required: true }), ..self }
    }

    const fn may_take_body(self, shape: Shape) -> Self {
        Self { body: Some(Taken { shape, is_required: false }), ..self }
    }

    const fn changes(self) -> Self {
        Self { changes: true, ..self }
    }

    const fn large(self) -> Self {
        Self { limit: LARGE, ..self }
    }

    const fn early(self) -> Self {
        Self { early: true, ..self }
    }

    /// Whether a parameter is known.
    pub(crate) fn takes(&self, name: &str) -> bool {
        let common = if self.changes { CHANGE_QUERY.as_slice() } else { &[] };
        self.query.iter().chain(common).any(|(known, _)| *known == name)
    }
}

/// A handler that answers from memory.
macro_rules! now {
    ($handler:path) => {
        |call| Box::pin(async move { $handler(&call) })
    };
}

/// A handler that waits for the engine.
macro_rules! later {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
}

const fn one<T: ToSchema>() -> Answer {
    Answer::One(200, of::<T>())
}

const TUNNEL: &[(&str, &str)] =
    &[("tunnel", "full: everything goes through the cell; split: only what is behind it")];
const PEERS: &[(&str, &str)] = &[
    ("q", "part of a name or address"),
    ("limit", "1 to 1000, else 100"),
    ("cursor", "`next` of the page before"),
    ("sort", "name, -name, last_handshake or -last_handshake"),
];
const HISTORY: &[(&str, &str)] = &[("limit", "how many, newest first; else all")];

use Verb::{Delete, Get, Patch, Post, Put};

/// The table.
pub(crate) static ROUTES: &[Route] = &[
    Route::new(Get, "/health", "health", "Whether the agent lives", one::<Health>(), now!(status::health))
        .early(),
    Route::new(Get, "/openapi.json", "openapi", "This document", Answer::Object, now!(openapi::answer))
        .early(),
    Route::new(Get, "/api/status", "status", "How the cell is", one::<Status>(), later!(status::status)),
    Route::new(
        Get,
        "/api/doctor",
        "doctor",
        "What could be better",
        Answer::Many(of::<Check>()),
        later!(doctor::doctor),
    ),
    Route::new(
        Get,
        "/api/config",
        "read-config",
        "The desired state as text",
        one::<Config>(),
        now!(config::read),
    ),
    Route::new(
        Put,
        "/api/config",
        "replace-config",
        "Replace the desired state",
        one::<Operation>(),
        later!(config::replace),
    )
    .takes_body(of::<NewConfig>())
    .changes()
    .large(),
    Route::new(
        Patch,
        "/api/config",
        "patch-config",
        "Set and unset settings by path",
        one::<Operation>(),
        later!(config::patch),
    )
    .takes_body(of::<PatchConfig>())
    .changes(),
    Route::new(
        Get,
        "/api/config/pending",
        "pending",
        "What applying the edited file would do",
        one::<Plan>(),
        later!(config::pending),
    ),
    Route::new(
        Post,
        "/api/config/apply",
        "apply-config",
        "Apply a text, or the edited file",
        one::<Operation>(),
        later!(config::apply),
    )
    .may_take_body(of::<NewConfig>())
    .changes()
    .large(),
    Route::new(
        Post,
        "/api/config/discard",
        "discard",
        "Undo edits of the file that were not applied",
        one::<Operation>(),
        later!(config::discard),
    )
    .changes(),
    Route::new(
        Post,
        "/api/plans",
        "make-plan",
        "What a text, or the edited file, would change",
        one::<Plan>(),
        later!(plans::make),
    )
    .may_take_body(of::<NewConfig>())
    .large(),
    Route::new(
        Post,
        "/api/plans/{id}/apply",
        "apply-plan",
        "Apply a plan exactly as it was shown",
        one::<Operation>(),
        later!(plans::apply),
    )
    .changes(),
    Route::new(
        Get,
        "/api/export",
        "export",
        "The whole desired state with its defaults",
        Answer::Object,
        now!(export::export),
    ),
    Route::new(Get, "/api/peers", "list-peers", "Devices", one::<PeerList>(), later!(peers::list))
        .query(PEERS),
    Route::new(
        Post,
        "/api/peers",
        "add-peer",
        "Add a device",
        Answer::One(201, of::<PeerAdded>()),
        later!(peers::add),
    )
    .takes_body(of::<NewPeer>())
    .changes(),
    Route::new(Get, "/api/peers/{name}", "read-peer", "One device", one::<Peer>(), later!(peers::read)),
    Route::new(
        Put,
        "/api/peers/{name}",
        "change-peer",
        "Change a device",
        one::<Operation>(),
        later!(peers::change),
    )
    .takes_body(of::<PatchPeer>())
    .changes(),
    Route::new(
        Delete,
        "/api/peers/{name}",
        "remove-peer",
        "Remove a device",
        one::<Operation>(),
        later!(peers::remove),
    )
    .changes(),
    Route::new(
        Get,
        "/api/peers/{name}/config",
        "peer-config",
        "A device's configuration",
        one::<PeerConfig>(),
        now!(peers::config),
    )
    .query(TUNNEL),
    Route::new(
        Get,
        "/api/wireguard/status",
        "wireguard",
        "WireGuard in short",
        one::<WireguardStatus>(),
        later!(status::wireguard),
    ),
    Route::new(
        Get,
        "/api/wireguard/peers",
        "list-wireguard-peers",
        "Devices",
        one::<PeerList>(),
        later!(peers::list),
    )
    .query(PEERS),
    Route::new(
        Post,
        "/api/wireguard/peers",
        "add-wireguard-peer",
        "Add a device",
        Answer::One(201, of::<PeerAdded>()),
        later!(peers::add),
    )
    .takes_body(of::<NewPeer>())
    .changes(),
    Route::new(
        Get,
        "/api/history",
        "history",
        "Generations, newest first",
        one::<History>(),
        later!(history::list),
    )
    .query(HISTORY),
    Route::new(
        Get,
        "/api/history/{n}",
        "read-generation",
        "The text of a generation",
        one::<Config>(),
        later!(history::read),
    ),
    Route::new(
        Post,
        "/api/history/{n}/rollback",
        "rollback",
        "Go back to a generation",
        one::<Operation>(),
        later!(history::rollback),
    )
    .may_take_body(of::<ChangeOptions>())
    .changes(),
    Route::new(
        Get,
        "/api/history/{a}/diff/{b}",
        "diff",
        "What changed; 0 is the edited file",
        one::<Diff>(),
        later!(history::diff),
    ),
    Route::new(
        Get,
        "/api/operations/{id}",
        "read-operation",
        "A change under way or past",
        one::<Operation>(),
        later!(operations::read),
    ),
    Route::new(
        Get,
        "/api/operations/{id}/events",
        "follow-operation",
        "Its states as they come",
        Answer::Events(of::<Operation>()),
        later!(operations::events),
    ),
    Route::new(
        Post,
        "/api/confirm",
        "confirm",
        "Keep the change that waits",
        one::<Operation>(),
        later!(confirm::confirm),
    )
    .may_take_body(of::<Confirm>()),
    Route::new(
        Post,
        "/api/revert",
        "revert",
        "Take the change that waits back",
        one::<Operation>(),
        later!(confirm::revert),
    ),
];
