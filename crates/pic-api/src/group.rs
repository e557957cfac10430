//! Groups of devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A group and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Peers in it.
    pub peers: Vec<String>,
    /// Devices of the LANs in it: the names of their reservations, or the addresses where these have none.
    pub devices: Vec<String>,
    /// Blocklists for it.
    pub blocklists: Vec<String>,
    /// Records for it, by their names.
    pub records: Vec<String>,
}

/// Answer of `GET /api/groups`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupList {
    /// All groups by name.
    pub items: Vec<Group>,
}

/// Body of `POST /api/groups`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Name: one label, unlike that of every peer and LAN.
    pub name: String,
}
