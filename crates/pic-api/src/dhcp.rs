//! Leases and reservations.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An address and who has or had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lease {
    /// Network.
    pub lan: String,
    /// Address; of a router that was given a prefix for the networks behind it, the prefix's.
    #[schema(value_type = String)]
    pub ip: IpAddr,
    /// Prefixes of such a router.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Hardware address.
    pub mac: Option<String>,
    /// Maker of the device by its hardware address, where the host has a list of them (package `ieee-data` or
    /// `systemd-hwdb`) and the address is not one that the device made up.
    pub vendor: Option<String>,
    /// Client identifier, where the device sends one.
    pub client_id: Option<String>,
    /// What the device calls itself in DHCPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duid: Option<String>,
    /// Further addresses of the same lease, in other prefixes of the network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub others: Vec<Ipv6Addr>,
    /// The device's name in DNS: of its reservation, else what it calls itself, made a label and, where that was taken,
    /// with the end of its hardware address.
    pub hostname: Option<String>,
    /// What it calls itself, where that is not its name.
    pub says: Option<String>,
    /// Where a relay says that it is.
    pub relay: Option<Relay>,
    /// `bound`, `offered`, `expired`, `released` or `declined` (another device was found to use the address).
    pub state: String,
    /// RFC 3339 time at which it ends.
    pub expires: String,
    /// RFC 3339 time at which the device first had this address.
    pub first_seen: String,
    /// RFC 3339 time at which the device was last heard.
    pub last_seen: String,
    /// Whether the address is kept for a device.
    pub reserved: bool,
}

/// What a relay says about a device (option 82).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Relay {
    /// The relay.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// Port that the device is at: the relay's text, or bytes as `00:04:…`.
    pub circuit_id: Option<String>,
    /// Who the device or the relay is, written the same way.
    pub remote_id: Option<String>,
}

/// How a network is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LanStatus {
    /// Its name.
    pub name: String,
    /// Whether addresses are handed out.
    pub serving: bool,
    /// Why not, in words.
    pub why_not: Option<String>,
    /// Another DHCP server that answers there beside the cell.
    pub rival: Option<String>,
    /// Addresses in its pools.
    pub size: u32,
    /// Other routers that advertise themselves there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<OtherRouter>,
}

/// A router that is not the cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OtherRouter {
    /// Its link-local address.
    #[schema(value_type = String)]
    pub address: Ipv6Addr,
    /// Whether devices send it what goes to the internet.
    pub default: bool,
    /// Prefixes that it has devices make addresses of.
    pub prefixes: Vec<String>,
}

/// Answer of `GET /api/dhcp/leases`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseList {
    /// Leases in order of their addresses.
    pub items: Vec<Lease>,
    /// Leases that fit, on all pages.
    pub total: usize,
    /// Where the next page begins; absent on the last.
    pub next: Option<String>,
    /// Networks.
    pub lans: Vec<LanStatus>,
}

/// An address kept for a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// Network.
    pub lan: String,
    /// Hardware address.
    pub mac: Option<String>,
    /// Client identifier.
    pub client_id: Option<String>,
    /// What the device calls itself in DHCPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duid: Option<String>,
    /// Address.
    #[schema(value_type = String)]
    pub ip: Ipv4Addr,
    /// What follows the prefix in its IPv6 addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ip6: Option<Ipv6Addr>,
    /// Name.
    pub hostname: Option<String>,
    /// Groups that the device is in.
    pub groups: Vec<String>,
}

/// Answer of `GET /api/dhcp/reservations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReservationList {
    /// In the order of `cell.toml`.
    pub items: Vec<Reservation>,
}

/// Body of `POST /api/dhcp/reservations`. The device is said by `mac` or `client_id`. Of device and `ip` one may be absent:
/// the lease that has the other says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReservation {
    /// Hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Client identifier, as `ff:00:01:a2`: for a device whose hardware address changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Address; the network is the one that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ip: Option<Ipv4Addr>,
    /// What the device calls itself in DHCPv6; where it is absent the hardware address tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duid: Option<String>,
    /// What follows the prefix in its IPv6 addresses, as `::10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ip6: Option<Ipv6Addr>,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Groups that the device is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}
