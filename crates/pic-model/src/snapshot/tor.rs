//! What `pic-exit tor` works from, `/var/lib/pic/tor/INTERFACE.json`, written whole by the agent.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Version of the format; a reader refuses another one.
pub const VERSION: u32 = 1;

/// Everything one Tor exit needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TorSnapshot {
    /// [`VERSION`].
    pub version: u32,
    /// Where TCP that was sent elsewhere is taken in: addresses of the cell's own.
    pub transparent: Vec<SocketAddr>,
    /// Where names are asked.
    pub names: SocketAddr,
}
