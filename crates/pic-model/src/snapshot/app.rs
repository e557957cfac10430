//! What `pic-app` works from, `/var/lib/pic/apps/NAME.json`, written whole by the agent.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Version of the format; a reader refuses another one.
pub const VERSION: u32 = 1;

/// The namespace of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSnapshot {
    /// [`VERSION`].
    pub version: u32,
    /// The cell's end of the cable, in the host's own namespace.
    pub outer: String,
    /// Bytes per packet.
    pub mtu: u32,
    /// The app's addresses, with the lengths of their networks.
    pub addresses: Vec<IpNet>,
    /// The cell in these networks: the way to everywhere, for each family.
    pub gateways: Vec<IpAddr>,
}
