//! What devices and LANs have used of the internet.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer of `GET /api/usage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageList {
    /// Milliseconds since the host was started at which this was read: two answers make a rate.
    pub read_at: u64,
    /// When the day of `today` ends, RFC 3339, UTC.
    pub day_ends: String,
    /// When the month of `month` ends.
    pub month_ends: String,
    /// Page of apps, LANs and peers, in this order and by name.
    pub items: Vec<Usage>,
    /// Number of those that match.
    pub total: usize,
    /// Cursor of the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What one of them has used: what went through the cell to the internet and came from it, in both IP families.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// `peer`, `lan` or `app`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Sent by it since it is known.
    pub sent: Traffic,
    /// Received by it since it is known.
    pub received: Traffic,
    /// Bytes in both ways today, on the clock of `cell.timezone`.
    pub today: u64,
    /// Bytes in both ways in this month.
    pub month: u64,
    /// What it may use, by its own quota or that of its group, as `50GB/month`.
    pub quota: Option<String>,
    /// Bytes that are left of it.
    pub left: Option<u64>,
    /// Whether it is used up and the internet is taken away.
    pub spent: bool,
    /// How fast it may be, as `20mbit`.
    pub rate: Option<String>,
}

/// Packets and the bytes of their network headers and what is in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}
