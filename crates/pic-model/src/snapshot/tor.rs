//! What `pic-exit tor` works from, `/var/lib/pic/tor/INTERFACE.json`, written whole by the agent; and what it says about
//! itself, `/run/pic-tor-INTERFACE/status.json`.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Version of both formats; a reader refuses another one.
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

/// How a Tor exit is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TorStatus {
    /// [`VERSION`].
    pub version: u32,
    /// Milliseconds since the machine was started (`CLOCK_BOOTTIME`) at which this was so.
    pub at_ms: u64,
    /// Whether connections can be made: tor has circuits, and something comes back from the network.
    pub connected: bool,
    /// How far tor has come on its way to that, 0 to 100.
    pub percent: u8,
    /// What it is at, in tor's words.
    pub doing: String,
    /// Why nothing works, in words.
    pub trouble: Option<String>,
}

/// Ports beside which an exit's own are, each after its number: below those that the kernel gives out by itself.
const TRANSPARENT: u16 = 27_000;
const NAMES: u16 = 27_300;

/// Port at which the exit of a number, 2 to 251, takes TCP in.
pub fn transparent_port(number: u32) -> u16 {
    TRANSPARENT.saturating_add(u16::try_from(number).unwrap_or_default())
}

/// Where the exit of a number is asked for names.
pub fn names_at(number: u32) -> SocketAddr {
    let port = NAMES.saturating_add(u16::try_from(number).unwrap_or_default());
    (Ipv4Addr::LOCALHOST, port).into()
}
