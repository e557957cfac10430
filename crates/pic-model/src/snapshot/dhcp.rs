//! The snapshot `pic-dhcp` serves from: `/var/lib/pic/dhcp/lans.json`, written whole by the agent.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lan::{ClientId, Mac, bytes_from_hex};

/// Version of this format; a service refuses another one and keeps serving what it has.
pub const VERSION: u32 = 1;

/// Everything `pic-dhcp` needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DhcpSnapshot {
    /// [`VERSION`].
    pub version: u32,
    /// Networks in order of their names.
    pub lans: Vec<LanSnapshot>,
}

/// One network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanSnapshot {
    /// Name in `cell.toml`.
    pub name: String,
    /// Interface; it need not exist yet.
    pub interface: String,
    /// The cell's address with the length of the network: the server's identifier.
    pub address: Ipv4Net,
    /// Absent: no v4 addresses are handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<DhcpLan>,
    /// Addresses kept for devices, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reservations: Vec<ReservationSnapshot>,
    /// Absent: no router advertisements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Lan>,
}

/// What is handed out on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DhcpLan {
    /// First and last address of each range, in order, not overlapping.
    pub pools: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Seconds.
    pub lease: u32,
    /// Options by number, as they go onto the wire.
    pub options: BTreeMap<u8, Wire>,
    /// `siaddr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_server: Option<Ipv4Addr>,
    /// Serve even though another server answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside_another: bool,
}

/// An address kept for a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationSnapshot {
    /// Its hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Its client identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What is advertised on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ipv6Lan {
    /// On-link prefix from which hosts make their addresses.
    pub prefix: Ipv6Net,
    /// Whether hosts may send everything else to the cell.
    pub router: bool,
    /// Resolvers.
    pub dns: Vec<Ipv6Addr>,
    /// Domains to complete short names with, without the trailing dot.
    pub search: Vec<String>,
}

/// Bytes, written as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire(pub Vec<u8>);

impl Serialize for Wire {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        bytes_from_hex(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not hexadecimal digits"))
    }
}

/// Names that leases brought along: `/run/pic-dhcp/names.json`, replaced whole by `pic-dhcp`, read by `pic-dns`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseNames {
    /// [`VERSION`].
    pub version: u32,
    /// In order of who was there first.
    pub names: Vec<LeaseName>,
}

/// The name of one lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseName {
    /// What the device calls itself, made a label.
    pub name: String,
    /// What it is called where that name is taken: the same with the end of its hardware address.
    pub otherwise: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// What the agent asks `pic-dhcp` over its socket, one line of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DhcpRequest {
    /// How the networks and their leases are.
    Leases,
    /// End a lease, then the same.
    Release {
        /// Its address.
        address: IpAddr,
    },
}

/// The answer to a [`DhcpRequest`], one line of JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DhcpState {
    /// [`VERSION`].
    pub version: u32,
    /// Whether the address to release was one that is known.
    pub done: bool,
    /// Networks that are served, or should be.
    pub lans: Vec<DhcpLanState>,
    /// Leases in order of their addresses, also past ones that are remembered.
    pub leases: Vec<LeaseState>,
}

/// How a network is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DhcpLanState {
    /// Its name.
    pub name: String,
    /// Whether addresses are handed out.
    pub serving: bool,
    /// Why not, in words.
    pub why_not: Option<String>,
    /// Addresses in its pools.
    pub size: u32,
}

/// One lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseState {
    /// Network.
    pub lan: String,
    /// Address.
    pub address: IpAddr,
    /// Hardware address, where the client has one.
    pub mac: Option<Mac>,
    /// What the client calls itself, made a label; for a reservation its name.
    pub hostname: Option<String>,
    /// `offered`, `bound`, `expired`, `released` or `declined`.
    pub state: String,
    /// Unix seconds.
    pub expires: i64,
    /// Unix seconds.
    pub first_seen: i64,
    /// Unix seconds.
    pub last_seen: i64,
    /// Whether the address is kept for a device.
    pub reserved: bool,
}
