//! LANs and their networks.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A LAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lan {
    /// Its name.
    pub name: String,
    /// The interface that carries it.
    pub interface: String,
    /// Its networks, the IPv4 one first.
    pub networks: Vec<LanNetwork>,
}

/// A network of a LAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LanNetwork {
    /// The cell's address in it, with the length of the network; of one behind a router the network.
    pub address: String,
    /// `written` in `cell.toml`, `own` of the cell, `routed` out of a prefix written in `uplink.prefix`, `delegated` by the
    /// uplink, or `given` to a router among the LAN's devices.
    pub source: String,
    /// The router that it was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub via: Option<Ipv6Addr>,
    /// RFC 3339 time from which on devices begin no new connections from it; absent: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_until: Option<String>,
    /// RFC 3339 time from which on it is not used at all; absent: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Whether devices begin connections from it.
    pub current: bool,
}

/// A prefix that the uplink delegated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DelegatedPrefix {
    /// The prefix.
    pub prefix: String,
    /// RFC 3339 time from which on devices begin no new connections from it.
    pub preferred_until: String,
    /// RFC 3339 time from which on it is not used at all.
    pub valid_until: String,
    /// Whether it is in use; one that is not goes in good order.
    pub current: bool,
}

/// Answer of `GET /api/lans`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LanList {
    /// LANs in order of their names.
    pub items: Vec<Lan>,
    /// How it is with the uplink's prefix, in words.
    pub uplink: String,
    /// What the uplink delegated.
    pub prefixes: Vec<DelegatedPrefix>,
}
