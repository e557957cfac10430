//! What `pic-exit openvpn` works from, `/var/lib/pic/openvpn/INTERFACE.json`, written whole by the agent; and what it says
//! about itself, `/run/pic-openvpn-INTERFACE/status.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::exit::openvpn::{Block, Credentials, Directive, Hidden};

/// Version of both formats; a reader refuses another one.
pub const VERSION: u32 = 1;

/// Everything one exit by OpenVPN needs. It holds keys: for its user alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenvpnSnapshot {
    /// [`VERSION`].
    pub version: u32,
    /// Name of the interface.
    pub interface: String,
    /// Name of the provider's file that this was made from.
    pub file: String,
    /// Where the provider is, in order.
    pub remotes: Vec<OpenvpnRemote>,
    /// What is handed on of the file.
    pub options: Vec<Directive>,
    /// Keys and certificates.
    pub blocks: BTreeMap<Block, Hidden>,
    /// User name and password, where these are asked for.
    pub credentials: Option<Credentials>,
}

/// One place of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenvpnRemote {
    /// Its name, where the file has one.
    pub name: Option<String>,
    /// Where that is.
    pub at: SocketAddr,
    /// By TCP, and not by UDP.
    pub tcp: bool,
}

/// How an exit by OpenVPN is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenvpnStatus {
    /// [`VERSION`].
    pub version: u32,
    /// Milliseconds since the machine was started (`CLOCK_BOOTTIME`) at which this was so.
    pub at_ms: u64,
    /// Whether the tunnel stands, as openvpn says.
    pub connected: bool,
    /// How far openvpn has come on its way to that, 0 to 100.
    pub percent: u8,
    /// What it is at, in words.
    pub doing: String,
    /// Why nothing works, in words.
    pub trouble: Option<String>,
    /// What the server gave last; kept while the tunnel is away.
    pub given: Option<OpenvpnGiven>,
    /// Bytes received by the tunnel.
    pub rx_bytes: u64,
    /// Bytes sent by it.
    pub tx_bytes: u64,
}

/// What a server gives its customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenvpnGiven {
    /// Name of the provider's file whose server gave it.
    pub file: String,
    /// Addresses in its network, one of a family at the most.
    pub addresses: BTreeSet<IpAddr>,
    /// Resolvers, in order.
    pub dns: Vec<IpAddr>,
}
