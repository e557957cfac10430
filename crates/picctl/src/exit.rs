//! How a command ends: its exit code, and the words of a failure.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pic_api::client::ClientError;
use pic_api::problem::{Code, FieldError, ProblemDetails};
use pic_model::chain;

use crate::out::{Out, text};

/// The file that makes a host a cell.
const CELL_TOML: &str = "/etc/pic/cell.toml";

/// Exit codes; part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Refused as invalid; nothing was touched.
    Invalid = 3,
    /// Applied, and taken back unless it is confirmed.
    Awaiting = 4,
    /// The agent cannot be reached.
    NotReachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The agent is away, or said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The agent went away while it added a peer whose key is in the answer that was lost.
    #[error(transparent)]
    PeerLost(ClientError),
    /// The options contradict each other or the situation.
    #[error("{0}")]
    Usage(String),
    /// A desired state is refused.
    #[error("{what} is refused")]
    Invalid {
        /// File or value.
        what: String,
        /// Each reason.
        errors: Vec<FieldError>,
        /// What to do next.
        next: String,
    },
    /// A local file could not be read or written.
    #[error("cannot {verb} {}", path.display())]
    File {
        /// As "read".
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Output could not be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// Anything else, in words for the user.
    #[error("{0}")]
    Words(String),
    /// The state has changed since a plan of it was shown.
    #[error("{}: {}", .0.title, .0.detail)]
    TooLate(Box<ProblemDetails>),
    /// The person said no.
    #[error("nothing was changed")]
    Declined,
}

impl Failure {
    /// A desired state that the agent refuses; the places told are in the user's own file, if it came from one.
    pub(crate) fn in_file(file: Option<&Path>) -> impl FnOnce(ClientError) -> Self {
        move |error| match (error, file) {
            (ClientError::Problem(problem), Some(file)) if problem.code == Code::Invalid => Self::Invalid {
                what: if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() },
                errors: problem.errors,
                next: "nothing was changed".to_owned(),
            },
            (error, _) => Self::Client(error),
        }
    }

    /// A local file that could not be used.
    pub(crate) fn file(verb: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { verb, path: path.into(), source }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::PeerLost(_)
            | Self::Client(
                ClientError::NotReachable { .. } | ClientError::TimedOut { .. } | ClientError::Broken { .. },
            ) => Exit::NotReachable,
            Self::Client(ClientError::Problem(problem)) => match problem.code {
                Code::Invalid
                | Code::BadRequest
                | Code::TooLarge
                | Code::NotAcceptable
                | Code::UnsupportedMediaType => Exit::Invalid,
                Code::Unavailable => Exit::NotReachable,
                Code::NotFound
                | Code::MethodNotAllowed
                | Code::Conflict
                | Code::Stale
                | Code::IfMatchRequired
                | Code::SetupRequired
                | Code::TooMany
                | Code::Forbidden
                | Code::AwaitingConfirmation
                | Code::Reverted
                | Code::Internal => Exit::Failed,
            },
            Self::Usage(_) => Exit::Usage,
            Self::Invalid { .. } => Exit::Invalid,
            // The reader went away, as in `picctl history | head`: nobody is left to tell.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Client(ClientError::Protocol { .. })
            | Self::File { .. }
            | Self::Output(_)
            | Self::Words(_)
            | Self::TooLate(_)
            | Self::Declined => Exit::Failed,
        }
    }

    /// Tells the person (or the program) and returns the exit code.
    pub(crate) fn report(&self, out: &Out) -> Exit {
        let exit = self.exit();
        if exit != Exit::Done {
            if out.json {
                out.problem(&self.document());
            } else {
                self.tell(out);
            }
        }
        exit
    }

    /// The problem document: the agent's own, or one in its shape.
    fn document(&self) -> ProblemDetails {
        let (code, errors) = match self {
            Self::Client(ClientError::Problem(problem)) | Self::TooLate(problem) => {
                return (**problem).clone();
            }
            Self::PeerLost(_)
            | Self::Client(
                ClientError::NotReachable { .. } | ClientError::TimedOut { .. } | ClientError::Broken { .. },
            ) => (Code::Unavailable, Vec::new()),
            Self::Usage(_) => (Code::BadRequest, Vec::new()),
            Self::Invalid { errors, .. } => (Code::Invalid, errors.clone()),
            Self::Client(ClientError::Protocol { .. })
            | Self::File { .. }
            | Self::Output(_)
            | Self::Words(_) => (Code::Internal, Vec::new()),
            Self::Declined => (Code::Conflict, Vec::new()),
        };
        let mut document = ProblemDetails::new(code, chain(self), "");
        document.errors = errors;
        if let Some(next) = self.next() {
            document.detail = format!("{}; {next}", document.detail);
        }
        document
    }

    fn tell(&self, out: &Out) {
        match self {
            Self::Client(ClientError::Problem(problem)) => {
                // Each reason has a line of its own.
                let detail = if problem.errors.is_empty() { &problem.detail } else { "nothing was changed" };
                out.error(&format!("{}: {detail}", problem.title));
                self.tell_errors(out, "", &problem.errors);
                if !problem.request_id.is_empty() && problem.code == Code::Internal {
                    out.note(&format!("  request {} in `picctl logs --unit agent`", problem.request_id));
                }
            }
            Self::Invalid { what, errors, .. } => {
                out.error(&chain(self));
                self.tell_errors(out, what, errors);
            }
            _ => out.error(&chain(self)),
        }
        if let Some(next) = self.next() {
            out.note(&next);
        }
    }

    fn tell_errors(&self, out: &Out, file: &str, errors: &[FieldError]) {
        for error in errors {
            out.note(&place(file, error));
        }
    }

    /// What to do about it.
    fn next(&self) -> Option<String> {
        match self {
            Self::Client(ClientError::NotReachable { source, socket }) => Some(match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "run it with sudo, or join the group `pic` (`sudo adduser \
                    $USER pic`, then log in again)"
                        .to_owned()
                }
                io::ErrorKind::NotFound if !socket.starts_with("/run/pic") => {
                    "is this the right socket? (--socket, PIC_SOCKET)".to_owned()
                }
                io::ErrorKind::NotFound if socket == Path::new(pic_api::SOCKET) && !Path::new(CELL_TOML).exists() => {
                    "there is no cell on this host yet: make one with `sudo pic-installer`".to_owned()
                }
                _ => "see `systemctl status pic-agent` and `picctl logs --unit agent`".to_owned(),
            }),
            Self::Client(ClientError::Problem(problem)) => match problem.code {
                Code::AwaitingConfirmation => {
                    Some("run `picctl confirm` or `picctl revert` first".to_owned())
                }
                Code::Stale => Some("look at it again, and repeat the command".to_owned()),
                Code::BadRequest
                | Code::NotFound
                | Code::MethodNotAllowed
                | Code::Conflict
                | Code::TooLarge
                | Code::NotAcceptable
                | Code::UnsupportedMediaType
                | Code::IfMatchRequired
                | Code::SetupRequired
                | Code::TooMany
                | Code::Invalid
                | Code::Forbidden
                | Code::Reverted
                | Code::Internal
                | Code::Unavailable => None,
            },
            Self::Client(
                ClientError::TimedOut { changes: true, .. } | ClientError::Broken { changes: true, .. },
            ) => Some("it is not known whether the change was made: see `picctl history`".to_owned()),
            Self::Client(ClientError::Broken { changes: false, .. }) => Some("try again in a moment".to_owned()),
            Self::PeerLost(_) => Some(
                "it is not known whether the device was added: see `picctl peer list`; if it is there, remove it and \
                 add it again, as its key was in the lost answer"
                    .to_owned(),
            ),
            Self::Invalid { next, .. } if !next.is_empty() => Some(next.clone()),
            _ => None,
        }
    }
}

/// `file:line:column: /peer/2/name: message; hint`, as editors understand it.
pub(crate) fn place(file: &str, error: &FieldError) -> String {
    let place = match (file, error.line) {
        // A value of the request, which no file has.
        ("", 0) => String::new(),
        ("", line) => format!("cell.toml:{line}:{}: ", error.column),
        (file, 0) => format!("{file}: "),
        (file, line) => format!("{file}:{line}:{}: ", error.column),
    };
    let path = text::dotted(&error.pointer);
    let path = if path.is_empty() { path } else { format!("{path}: ") };
    let hint = if error.hint.is_empty() { String::new() } else { format!("; {}", error.hint) };
    text::lines(&format!("{place}{path}{}{hint}", error.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exit code and document say the same of an agent that does not answer.
    #[test]
    fn silence_is_not_reachable() {
        for changes in [false, true] {
            let call = "PUT /x".to_owned();
            let failure = Failure::from(ClientError::TimedOut { call, seconds: 120, changes });
            assert_eq!((failure.exit(), failure.document().code), (Exit::NotReachable, Code::Unavailable));
            assert_eq!(failure.next().is_some(), changes);
        }
    }
}
