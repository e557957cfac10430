//! The cell as a whole: how it is, its text, its changes.

use pic_api::config::{ChangeOptions, Config, NewConfig, PatchConfig};
use pic_api::event::Event;
use pic_api::history::{Diff, History};
use pic_api::operation::{Confirm, Operation, OperationList, Plan};
use pic_api::status::{ActiveServices, Check, Health, HealthHistory, Services, Status};
use pic_api::usage::UsageList;

use super::one;
use crate::http::handlers::{
    config, confirm, doctor, events, export, history, operation_list, operations, plans, services, status,
    usage,
};
use crate::http::openapi;
use crate::http::route::Verb::{Get, Patch, Post, Put};
use crate::http::route::{Answer, Route, of};

const HISTORY: &[(&str, &str)] = &[
    ("limit", "how many; else all"),
    ("cursor", "`next` of the page before"),
    ("sort", "-number, newest first, as without it; or number"),
];
const USAGE: &[(&str, &str)] =
    &[("q", "part of a name"), ("limit", "1 to 20000, else 100"), ("cursor", "`next` of the page before")];
const OPERATIONS: &[(&str, &str)] = &[
    ("q", "part of the reason"),
    ("limit", "how many, else 50"),
    ("cursor", "`next` of the page before"),
    ("sort", "-number, newest first, as without it; or number"),
    ("filter[state]", "applying, verifying, awaiting-confirm, kept, reverting, reverted or failed"),
    ("filter[author]", "name of a user, as which it was made or who had logged in"),
];

pub(super) static ROUTES: &[Route] = &[
    Route::new(Get, "/health", "health", "Whether the agent lives", one::<Health>(), now!(status::health))
        .early(),
    Route::new(Get, "/openapi.json", "openapi", "This document", Answer::Object, now!(openapi::answer))
        .early(),
    Route::new(Get, "/api/status", "status", "How the cell is", one::<Status>(), later!(status::status)),
    Route::new(
        Get,
        "/api/usage",
        "usage",
        "What devices and LANs have used of the internet",
        one::<UsageList>(),
        later!(usage::list),
    )
    .query(USAGE),
    Route::new(
        Get,
        "/api/health/history",
        "health-history",
        "When the cell became better or worse",
        one::<HealthHistory>(),
        now!(status::history),
    ),
    Route::new(
        Get,
        "/api/services/status",
        "services",
        "The services of the cell",
        one::<Services>(),
        later!(services::status),
    ),
    Route::new(
        Get,
        "/api/services/active",
        "active-services",
        "Names of the services that run",
        one::<ActiveServices>(),
        later!(services::active),
    ),
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
    Route::new(Get, "/api/history", "history", "Generations", one::<History>(), later!(history::list))
        .query(HISTORY)
        .list(),
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
    .changes()
    .guarded(),
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
        "/api/operations",
        "list-operations",
        "Changes under way and past",
        one::<OperationList>(),
        later!(operation_list::list),
    )
    .query(OPERATIONS)
    .list(),
    Route::new(
        Post,
        "/api/operations/{id}/cancel",
        "cancel-operation",
        "Take a change back that waits for its confirmation",
        one::<Operation>(),
        later!(operations::cancel),
    ),
    Route::new(
        Get,
        "/api/events",
        "events",
        "What happens, as it happens; Last-Event-ID goes on from there",
        Answer::Events(of::<Event>()),
        later!(events::follow),
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
    .may_take_body(of::<Confirm>())
    .matched(),
    Route::new(
        Post,
        "/api/revert",
        "revert",
        "Take the change that waits back",
        one::<Operation>(),
        later!(confirm::revert),
    ),
];
