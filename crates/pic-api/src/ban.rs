//! Bans: addresses that reach nothing here for a while.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A ban that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ban {
    /// Address or network.
    pub address: String,
    /// When it began, RFC 3339, UTC.
    pub since: String,
    /// When it ends, RFC 3339, UTC.
    pub until: String,
    /// Why.
    pub reason: String,
}

/// Answer of `GET /api/bans`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BanList {
    /// Page of bans, by address.
    pub items: Vec<Ban>,
    /// Number of bans that match.
    pub total: usize,
    /// Cursor of the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /api/bans`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBan {
    /// Address or network.
    pub address: String,
    /// Seconds that it lasts, at most a year.
    pub seconds: u64,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Where the one who asks comes from himself, as an address, so that he does not ban himself.
    #[serde(default)]
    pub own: Option<String>,
    /// Ban it even though it is the admin's, the cell's or one's own.
    #[serde(default)]
    pub force: bool,
}
