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
    /// HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict | Self::AwaitingConfirmation => 409,
            Self::Stale => 412,
            Self::TooLarge => 413,
            Self::Invalid => 422,
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
            Self::Invalid => "The desired state is refused",
            Self::Reverted => "The change did not hold and was taken back",
            Self::Internal => "Something failed inside the agent",
            Self::Unavailable => "The agent is not ready",
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
            Self::Invalid => "invalid",
            Self::Reverted => "reverted",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }
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
    /// Id of this request, also in the agent's log.
    pub request_id: String,
    /// For [`Code::Invalid`]: each reason with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
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
            request_id: request_id.into(),
            errors: Vec::new(),
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
