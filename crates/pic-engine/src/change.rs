//! What can be asked of the engine.

use std::fmt;

use pic_model::Problems;
use pic_plan::way_in::Session;

use crate::report::Current;

/// Who asks: a user of the host, by SO_PEERCRED.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Author(pub String);

/// From the current text to a new one. Runs inside the engine, so that nothing changes in between.
pub type Edit = Box<dyn FnOnce(&Current) -> Result<String, ChangeError> + Send>;

/// A change of the desired state.
pub struct Change {
    /// Makes the new text.
    pub edit: Edit,
    /// Who.
    pub author: Author,
    /// Why, for the history.
    pub reason: String,
    /// How its maker is logged in, where that is known: a change that takes this away is a risky one.
    pub session: Option<Session>,
    /// Seconds to wait for a confirmation; 0 is none, `None` lets the risks decide.
    pub confirm_seconds: Option<u64>,
    /// Only compute the plan.
    pub dry_run: bool,
    /// The plan the caller saw; another one refuses the change.
    pub plan_id: Option<String>,
    /// Whether edits of `cell.toml` that were not applied may be overwritten: they are what is being applied.
    pub takes_file: bool,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("author", &self.author)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The desired state is refused, each reason with its place.
    #[error("the desired state is refused")]
    Invalid(Problems),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It contradicts the current state.
    #[error("{0}")]
    Conflict(String),
    /// There is no cell to change.
    #[error("there is no cell yet: write /etc/pic/cell.toml and run `picctl apply`")]
    NoCell,
    /// The request itself is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// The state is not the one the caller saw.
    #[error("the state has changed since it was read: it is now generation {generation}")]
    Stale {
        /// Generation in force.
        generation: u64,
    },
    /// An earlier change waits.
    #[error(
        "generation {generation} waits for its confirmation: run `picctl confirm` to keep it or `picctl revert` to take it back"
    )]
    Awaiting {
        /// The generation that waits.
        generation: u64,
    },
    /// What is to be confirmed was changed over the same connection.
    #[error(
        "this connection is older than the change and may live on where no new one gets in: log in once more and run `picctl confirm` there, or say `picctl confirm --here`"
    )]
    SameConnection,
    /// Nothing waits for a confirmation.
    #[error(
        "no change waits for a confirmation: the last one is kept, or was taken back already (`picctl history` tells); `picctl rollback N` goes back to an earlier one"
    )]
    NothingWaits,
    /// It was applied, did not hold, and the previous state is back.
    #[error("{0}")]
    Reverted(String),
    /// The disk or the host failed before anything was touched.
    #[error("{0}")]
    Failed(String),
}
