//! Failures of a request, which become problem documents at the gate.

use pic_api::problem::{Code, FieldError, Merged, Needs};
use pic_engine::{ChangeError, Stopped};
use pic_model::edit::EditError;
use pic_model::{Problem, ProblemCode, Problems};

/// Why a request has no other answer.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldError>,
    /// Seconds after which to try again.
    pub(crate) retry_after: Option<u32>,
    /// What the caller has to do first.
    pub(crate) needs: Option<Needs>,
    /// For a change of something that is no longer what was seen.
    pub(crate) stale: Option<Box<Stale>>,
}

/// What a caller who was late needs to go on.
#[derive(Debug, Clone)]
pub(crate) struct Stale {
    pub(crate) current: serde_json::Value,
    pub(crate) etag: String,
    pub(crate) merged: Option<Merged>,
}

impl Failure {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            needs: code.needs(),
            stale: None,
        }
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Code::Conflict, detail)
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(Code::Internal, detail)
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::new(Code::Unavailable, detail) }
    }

    /// There is no cell to ask about.
    pub(crate) fn no_cell() -> Self {
        ChangeError::NoCell.into()
    }
}

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Self {
        Self::unavailable("the agent is stopping; try again in a moment")
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        let code = match &error {
            ChangeError::Invalid(problems) => {
                let errors: Vec<FieldError> = problems.0.iter().map(FieldError::from).collect();
                let detail = match problems.0.as_slice() {
                    [one] => one.to_string(),
                    many => format!("{} problems; nothing was changed", many.len()),
                };
                return Self { errors, ..Self::new(Code::Invalid, detail) };
            }
            ChangeError::NotFound(_) => Code::NotFound,
            ChangeError::Conflict(_) | ChangeError::NothingWaits | ChangeError::SameConnection => {
                Code::Conflict
            }
            ChangeError::BadRequest(_) => Code::BadRequest,
            ChangeError::NoCell => Code::SetupRequired,
            ChangeError::Stale { .. } => Code::Stale,
            ChangeError::Awaiting { .. } => Code::AwaitingConfirmation,
            ChangeError::Reverted(_) => Code::Reverted,
            ChangeError::Failed(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// A problem of one field of a request, without a place in the file.
pub(crate) fn field(path: &str, code: ProblemCode, message: impl Into<String>, hint: &str) -> Problem {
    Problem {
        line: 0,
        column: 0,
        path: path.to_owned(),
        code,
        message: message.into(),
        hint: hint.to_owned(),
    }
}

/// Problems of a request's fields.
pub(crate) fn invalid(problems: Vec<Problem>) -> ChangeError {
    ChangeError::Invalid(Problems(problems))
}

/// An edit that could not be made.
pub(crate) fn from_edit(error: EditError) -> ChangeError {
    match &error {
        EditError::Syntax(_) => ChangeError::Failed(error.to_string()),
        EditError::InlinePeers => ChangeError::Conflict(error.to_string()),
        EditError::NoPeer(name) => ChangeError::NotFound(no_peer(name)),
        EditError::NoReservation(_) => {
            ChangeError::NotFound(format!("{error}; see `picctl dhcp reservations`"))
        }
        EditError::NoGroup(_) => ChangeError::NotFound(format!("{error}; see `picctl group list`")),
        EditError::NoGrant(..) => ChangeError::NotFound(error.to_string()),
        EditError::NoService(_) => ChangeError::NotFound(format!("{error}; see `picctl service list`")),
        EditError::NoForward(_) => ChangeError::NotFound(format!("{error}; see `picctl forward list`")),
        EditError::NoExit(_) => ChangeError::NotFound(format!("{error}; see `picctl exit list`")),
        EditError::NoRecord => {
            ChangeError::NotFound("there is no such record; see `picctl dns list`".to_owned())
        }
        EditError::BadPath(path) => {
            invalid(vec![field(path, ProblemCode::UnknownField, error.to_string(), "")])
        }
        EditError::BadValue(_) => invalid(vec![field("", ProblemCode::BadValue, error.to_string(), "")]),
    }
}

/// In words.
pub(crate) fn no_peer(name: &str) -> String {
    format!("there is no peer named \"{name}\"; see `picctl peer list`")
}
