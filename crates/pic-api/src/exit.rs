//! Exits: named ways to the internet beside the uplink.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An exit as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exit {
    /// Name.
    pub name: String,
    /// `wireguard`.
    pub kind: String,
    /// Name of the provider's file in the folder of exits.
    pub file: String,
    /// `closed`, or `open`: what becomes of packets where this is the last of a list of which none works.
    pub fail: String,
    /// Switched on.
    pub enabled: bool,
    /// `up`, `down`, or `unknown` until there was a sign of life, or none.
    pub state: String,
    /// Since when, RFC 3339, UTC.
    pub since: Option<String>,
    /// What is wrong, in words; empty while nothing is.
    pub words: String,
    /// Its interface on this host.
    pub interface: String,
    /// Where the provider is dialled, as the file says it.
    pub endpoint: Option<String>,
    /// Addresses in the provider's network.
    pub addresses: Vec<String>,
    /// The provider's resolvers.
    pub dns: Vec<String>,
    /// What of the provider's file the cell leaves out.
    pub notes: Vec<String>,
    /// Last handshake, RFC 3339, UTC.
    pub last_handshake: Option<String>,
    /// Bytes received by it.
    pub rx_bytes: u64,
    /// Bytes sent by it.
    pub tx_bytes: u64,
    /// Who may be sent by it, as `peer tv`, `group kids`, `LAN guests`.
    pub users: Vec<String>,
}

/// Answer of `GET /api/exits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExitList {
    /// All exits by name.
    pub items: Vec<Exit>,
}

/// Body of `POST /api/exits`. The exit of this name gets the new file if there is one already.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExit {
    /// Name: one label.
    pub name: String,
    /// The provider's file, as it came. It holds keys: kept in the secrets folder and never given out again.
    pub config: String,
    /// `closed` or `open`; absent is closed, or what it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<String>,
}

impl std::fmt::Debug for NewExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewExit").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Body of `PUT /api/exits/{name}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchExit {
    /// Switch on or off.
    pub enabled: bool,
}
