//! Generations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One accepted state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Generation {
    /// Number.
    pub number: u64,
    /// When, RFC 3339, UTC.
    pub at: String,
    /// Who: user name on the host.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Whether it is in force.
    pub current: bool,
    /// `kept`, `reverted` or `pending`.
    pub state: String,
}

/// Answer of `GET /api/history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// Page of generations in order of `sort`.
    pub items: Vec<Generation>,
    /// Number of generations in the ledger.
    pub total: usize,
    /// Cursor of the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Answer of `GET /api/history/{from}/diff/{to}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    /// Older generation.
    pub from: u64,
    /// Newer generation, or 0 for the edited file.
    pub to: u64,
    /// Unified diff of the two texts.
    pub diff: String,
}
