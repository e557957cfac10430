//! Changes under way: their plan, their state, their end.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One change, from plan to end. Kept for the last hundred changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Id, as `op-42`: the generation it makes.
    pub id: String,
    /// Generation it makes.
    pub generation: u64,
    /// Where it is.
    pub state: State,
    /// What it is doing or how it ended, in words.
    pub words: String,
    /// What it does.
    pub plan: Plan,
    /// Steps done so far.
    pub done: usize,
    /// Part of the host that the next step is about, while steps run.
    #[serde(default)]
    pub phase: Option<String>,
    /// How far it is, in hundredths; null where nobody knows.
    #[serde(default)]
    pub percent: Option<u8>,
    /// Seconds left to confirm, in state `awaiting-confirm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_in: Option<u64>,
    /// The last things that it did, with their times.
    #[serde(default)]
    pub log_tail: Vec<String>,
    /// What came of it; null while that is open.
    #[serde(default)]
    pub result: Option<OperationResult>,
}

/// What came of an [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationResult {
    /// Whether its generation is kept.
    pub kept: bool,
    /// Steps it made.
    pub steps: usize,
}

/// A line of the list of operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationEntry {
    /// Id, for `GET /api/operations/{id}`.
    pub id: String,
    /// Generation it makes.
    pub generation: u64,
    /// When it began, RFC 3339, UTC.
    pub at: String,
    /// Who wanted it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Where it is.
    pub state: State,
    /// How far it is, in hundredths; null where nobody knows.
    pub percent: Option<u8>,
    /// What it is doing or how it ended, in words.
    pub words: String,
    /// Seconds left to confirm, in state `awaiting-confirm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_in: Option<u64>,
}

/// Answer of `GET /api/operations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationList {
    /// Page of operations in order of `sort`.
    pub items: Vec<OperationEntry>,
    /// Number of operations that match.
    pub total: usize,
    /// Cursor of the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// State of an [`Operation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Computed, nothing touched.
    Planned,
    /// Steps are running.
    Applying,
    /// The world is read again.
    Verifying,
    /// Applied; reverts when nobody confirms.
    AwaitingConfirm,
    /// Done and kept.
    Kept,
    /// The previous state is being put back.
    Reverting,
    /// The previous state is back.
    Reverted,
    /// Neither state could be reached; the agent keeps trying.
    Failed,
}

impl State {
    /// The word for it, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Applying => "applying",
            Self::Verifying => "verifying",
            Self::AwaitingConfirm => "awaiting-confirm",
            Self::Kept => "kept",
            Self::Reverting => "reverting",
            Self::Reverted => "reverted",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more happens by itself soon: kept, waiting for a person, taken back, or failed.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Planned | Self::Applying | Self::Verifying | Self::Reverting => false,
            Self::AwaitingConfirm | Self::Kept | Self::Reverted | Self::Failed => true,
        }
    }
}

/// What a change would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// SHA-256 over the desired state and the steps; `POST /api/plans/{id}/apply` applies exactly this.
    pub id: String,
    /// Steps in order. At most 1,000 are listed; `total` counts all.
    pub steps: Vec<Step>,
    /// Number of steps.
    pub total: usize,
    /// Why it must be confirmed; empty when it need not.
    pub risks: Vec<String>,
    /// Who loses and gains which way, as `kid-tablet loses nas:tcp/445`; losses first, at most 50 lines.
    #[serde(default)]
    pub grants: Vec<String>,
    /// What else to know, as that all names change with the cell's.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Changed lines of `cell.toml`, as a unified diff.
    #[serde(default)]
    pub diff: String,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// Part of the host: `link`, `wireguard`, `route`, `rule`, `firewall`, `queue`, `sysctl`, `file`, `unit`.
    pub domain: String,
    /// What it does, in words.
    pub words: String,
    /// The setting that asked for it.
    pub why: String,
}

/// Body of `POST /api/confirm`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// Generation meant; absent is whichever waits.
    #[serde(default)]
    pub generation: Option<u64>,
    /// Whether it holds also over the connection that the change was made over, which proves nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub here: bool,
}
