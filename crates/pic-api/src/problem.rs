//! Errors: problem details for HTTP APIs, RFC 9457.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every code the API answers, with its HTTP status and title; the one table that CLI, API and docs share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The request is not what the route takes.
    BadRequest,
    /// No such route, peer, generation or operation.
    NotFound,
    /// The route does not know this method.
    MethodNotAllowed,
    /// The request contradicts the current state.
    Conflict,
    /// The state has changed since it was read.
    Stale,
    /// The body is larger than the route takes.
    TooLarge,
    /// None of the forms that `Accept` names is one this answer has.
    NotAcceptable,
    /// A body is JSON.
    UnsupportedMediaType,
    /// Who changes this says what was seen before: `If-Match` is missing.
    IfMatchRequired,
    /// There is no cell yet.
    SetupRequired,
    /// More at once than one caller gets.
    TooMany,
    /// The desired state is refused; `errors` says each reason.
    Invalid,
    /// The caller may not do this.
    Forbidden,
    /// An earlier change waits for its confirmation.
    AwaitingConfirmation,
    /// The plan was applied and did not hold; the previous state is back.
    Reverted,
    /// Something failed inside.
    Internal,
    /// The agent is starting or stopping.
    Unavailable,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::BadRequest,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::Conflict,
        Self::AwaitingConfirmation,
        Self::Stale,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::IfMatchRequired,
        Self::SetupRequired,
        Self::TooMany,
        Self::Reverted,
        Self::Internal,
        Self::Unavailable,
    ];

    /// HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::Conflict | Self::AwaitingConfirmation => 409,
            Self::Stale => 412,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::IfMatchRequired | Self::SetupRequired => 428,
            Self::TooMany => 429,
            Self::Reverted | Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    /// Short words for a person.
    pub fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be understood",
            Self::Forbidden => "You may not do this",
            Self::NotFound => "There is no such thing",
            Self::MethodNotAllowed => "This cannot be done here",
            Self::Conflict => "This contradicts the current state",
            Self::AwaitingConfirmation => "An earlier change waits for its confirmation",
            Self::Stale => "The state has changed since you read it",
            Self::TooLarge => "The request is too large",
            Self::NotAcceptable => "There is no such form of the answer",
            Self::UnsupportedMediaType => "The request is in a form that is not known here",
            Self::IfMatchRequired => "Say which state you saw",
            Self::SetupRequired => "There is no cell yet",
            Self::TooMany => "Too much at once",
            Self::Invalid => "The desired state is refused",
            Self::Reverted => "The change did not hold and was taken back",
            Self::Internal => "Something failed inside the agent",
            Self::Unavailable => "The agent is not ready",
        }
    }

    /// What has to be done first, as far as the code alone tells.
    pub fn needs(self) -> Option<Needs> {
        match self {
            Self::AwaitingConfirmation => Some(Needs::Confirm),
            Self::SetupRequired => Some(Needs::Setup),
            Self::IfMatchRequired => Some(Needs::IfMatch),
            Self::BadRequest
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::NotAcceptable
            | Self::Conflict
            | Self::Stale
            | Self::TooLarge
            | Self::UnsupportedMediaType
            | Self::Invalid
            | Self::TooMany
            | Self::Reverted
            | Self::Internal
            | Self::Unavailable => None,
        }
    }

    /// The code as it stands in `type` and in the docs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::AwaitingConfirmation => "awaiting-confirmation",
            Self::Stale => "stale",
            Self::TooLarge => "too-large",
            Self::NotAcceptable => "not-acceptable",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::IfMatchRequired => "if-match-required",
            Self::SetupRequired => "setup-required",
            Self::TooMany => "too-many",
            Self::Invalid => "invalid",
            Self::Reverted => "reverted",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What the caller has to do before the same request can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// Make the cell: write `/etc/pic/cell.toml` and apply it.
    Setup,
    /// Confirm the change that waits, or take it back.
    Confirm,
    /// Make the plan anew: it is gone, or no longer true.
    Plan,
    /// Read what is to be changed, and send its tag in `If-Match`.
    IfMatch,
}

/// A change as it would be on top of the state in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Merged {
    /// The whole `cell.toml` with both changes in it; for `PUT /api/config` with `If-Match: <current_etag>`.
    pub toml: String,
    /// What that would change of the state in force, as a unified diff.
    pub diff: String,
}

/// A problem document, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails {
    /// Page that explains the code: `/usr/share/doc/pic/errors.md#<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code itself.
    pub code: Code,
    /// Short words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong here and what to do.
    pub detail: String,
    /// Path of the request; empty where there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// Id of this request, also in the agent's log.
    pub request_id: String,
    /// For [`Code::Invalid`]: each reason with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What has to be done first, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Needs>,
    /// For [`Code::Stale`]: what is in force now, as its own GET answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub current: Option<serde_json::Value>,
    /// For [`Code::Stale`]: the tag of `current`, for `If-Match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_etag: Option<String>,
    /// For [`Code::Stale`]: the refused change on top of what is in force, where the two do not contradict each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Merged>,
}

/// One reason for a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the desired state, as `/peer/2/name`.
    pub pointer: String,
    /// Line in `cell.toml`, from 1; 0 where there is none.
    pub line: usize,
    /// Column, from 1; 0 where there is none.
    pub column: usize,
    /// Stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl ProblemDetails {
    /// A problem document for a code.
    pub fn new(code: Code, detail: impl Into<String>, request_id: impl Into<String>) -> Self {
        Self {
            kind: format!("/usr/share/doc/pic/errors.md#{}", code.as_str()),
            code,
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            instance: String::new(),
            request_id: request_id.into(),
            errors: Vec::new(),
            needs: code.needs(),
            current: None,
            current_etag: None,
            merged: None,
        }
    }
}

impl From<&pic_model::Problem> for FieldError {
    fn from(problem: &pic_model::Problem) -> Self {
        let pointer: String = problem
            .path
            .split(['.', '['])
            .filter(|part| !part.is_empty())
            .map(|part| format!("/{}", part.trim_end_matches(']')))
            .collect();
        Self {
            pointer,
            line: problem.line,
            column: problem.column,
            code: problem.code.as_str().to_owned(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}
