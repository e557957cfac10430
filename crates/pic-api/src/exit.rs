//! Exits: named ways to the internet beside the uplink.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An exit as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exit {
    /// Name.
    pub name: String,
    /// `wireguard` or `tor`.
    pub kind: String,
    /// Name of the provider's file in the folder of exits; empty for a kind without one.
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
    /// How far one that takes its time to come up has come, 0 to 100: Tor on its way into its network.
    pub percent: Option<u8>,
    /// Its interface on this host; for Tor, which has none, the name that its unit and files go by.
    pub interface: String,
    /// Where the provider is dialled, as the file says it; none for Tor.
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
    /// What the last test for leaks found; absent until there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaks: Option<LeakTest>,
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
    /// `wireguard`, which is also meant where it is absent, or `tor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The provider's file, as it came, for `wireguard`. It holds keys: kept in the secrets folder and never given out again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub config: String,
    /// `closed` or `open`; absent is closed, or what it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail: Option<String>,
}

impl std::fmt::Debug for NewExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewExit").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Body of `PUT /api/exits/{name}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchExit {
    /// Switch on or off.
    pub enabled: bool,
}

/// Whether an exit leaks, as it was found last (`POST /api/exits/{name}/test`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeakTest {
    /// The exit.
    pub exit: String,
    /// When, RFC 3339, UTC.
    pub at: String,
    /// `ok`, `leak`, or `unproven` where something could not be looked at.
    pub result: String,
    /// Who is sent by it at this moment.
    pub users: Vec<String>,
    /// What was looked at.
    pub checks: Vec<LeakCheck>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeakCheck {
    /// `control`, `simulation`, `routes`, `stop`, `firewall`, `names` or `traffic`.
    pub name: String,
    /// `ok`, `leak` or `unproven`.
    pub result: String,
    /// What was found.
    pub words: String,
}
