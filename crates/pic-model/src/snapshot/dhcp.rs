//! The snapshot `pic-dhcp` serves from: `/var/lib/pic/dhcp/lans.json`, written whole by the agent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lan::{ClientId, Mac, bytes_from_hex};
use crate::name::HostName;

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
    /// Network of the clients where that is another one: behind a router on `interface` that relays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Ipv4Net>,
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
    /// Files for some of those that boot from the network; the first that fits counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boot: Vec<BootFile>,
    /// Serve even though another server answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside_another: bool,
}

/// What some clients that boot from the network fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootFile {
    /// Numbers of client architectures (option 93, RFC 4578); empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<u16>,
    /// What the client must call its class (option 77).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_class: Option<String>,
    /// The file.
    pub file: String,
    /// `siaddr`, where it is another than the network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_server: Option<Ipv4Addr>,
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

impl LeaseNames {
    /// The label that each lease has in the zone, in their order: what the device calls itself unless that is taken, else
    /// the same with the end of its hardware address. `taken` are the names that are written down.
    pub fn settle<'n>(&'n self, mut taken: BTreeSet<&'n str>) -> Vec<Option<&'n str>> {
        let mut one = |lease: &'n LeaseName| {
            let free = |name: &&str| name.parse::<HostName>().is_ok() && !taken.contains(name);
            let name = [lease.name.as_str(), lease.otherwise.as_str()].into_iter().find(free)?;
            taken.insert(name);
            Some(name)
        };
        self.names.iter().map(&mut one).collect()
    }
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
    /// Why leases cannot be written at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
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
    /// Another DHCP server that was heard there lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<Ipv4Addr>,
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
    /// Client identifier, where the client sends one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// Where a relay says that the client is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<Relay>,
    /// The name of its reservation.
    pub hostname: Option<String>,
    /// What the client calls itself, made a label, and what it is called where that is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<(String, String)>,
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

/// What a relay says about a client (RFC 3046).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// The relay (`giaddr`).
    pub address: Ipv4Addr,
    /// Port that the client is at, in the relay's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_id: Option<Wire>,
    /// Who the client or the relay is, in the relay's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<Wire>,
}
