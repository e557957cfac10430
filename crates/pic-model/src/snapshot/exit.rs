//! Exits that are programs on this host: where they take in what is led to them, and what `pic-exit` says about one in its
//! `status.json`.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Version of the format; a reader refuses another one.
pub const VERSION: u32 = 1;

/// How an exit is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// [`VERSION`].
    pub version: u32,
    /// Milliseconds since the machine was started (`CLOCK_BOOTTIME`) at which this was so.
    pub at_ms: u64,
    /// Whether connections can be made, as far as that can be known: of Tor, that it has circuits and something comes back
    /// from its network.
    pub connected: bool,
    /// How far the program has come on its way to that, 0 to 100.
    pub percent: u8,
    /// What it is at, in its own words.
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
