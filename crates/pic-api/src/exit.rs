//! Exits: named ways to the internet beside the uplink.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An exit as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exit {
    /// Name.
    pub name: String,
    /// `wireguard`, `openvpn`, `tor`, `socks5`, `http` or `cell`.
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
    /// How far one that takes its time to come up has come, 0 to 100: Tor on its way into its network, OpenVPN on its way to
    /// its server.
    pub percent: Option<u8>,
    /// Its interface on this host; for Tor and proxies, which have none, the name that its unit and files go by.
    pub interface: String,
    /// Where the provider, the proxy or the other cell is dialled, as the file says it, the first place where it says several; none for
    /// Tor, and for a cell that dials us.
    pub endpoint: Option<String>,
    /// UDP port at which another cell dials this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<u16>,
    /// Addresses in the provider's network.
    pub addresses: Vec<String>,
    /// The provider's resolvers; of a proxy, who is asked through it.
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
    /// Exits by destination, in the order in which they count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressLine>,
}

/// An exit by destination: a line of `[[egress]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EgressLine {
    /// Its number in the file, from 1.
    pub number: usize,
    /// Whom it is for; empty is all peers and LANs.
    pub from: Vec<String>,
    /// Names and networks.
    pub to: Vec<String>,
    /// Exits in order of preference.
    pub exit: Vec<String>,
    /// The one of them that is taken now, or `direct`.
    pub by: String,
    /// Addresses of its names that are known at this moment.
    pub known: usize,
}

/// Body of `POST /api/exits`. The exit of this name gets the new file if there is one already.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExit {
    /// Name: one label.
    pub name: String,
    /// `wireguard`, which is also meant where it is absent, `openvpn`, `tor`, `socks5`, `http` or `cell`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The provider's file, as it came, for `wireguard` and `openvpn`, or that of the other cell for `cell`. It holds keys: kept in the secrets folder and never given out again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub config: String,
    /// Where the proxy is, as `proxy.example.org:1080`, for `socks5` and `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// User and password at the proxy, or for an OpenVPN file that asks for them, a line each. Kept in the secrets folder and
    /// never given out again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub credentials: String,
    /// Who is asked for names through the proxy, as one of `dns.upstreams`; absent is the first of these on the internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<String>,
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
