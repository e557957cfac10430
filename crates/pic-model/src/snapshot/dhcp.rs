//! The snapshot `pic-dhcp` serves from: `/var/lib/pic/dhcp/lans.json`, written whole by the agent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lan::{ClientId, Mac, bytes_from_hex};
use crate::name::HostName;
use crate::time::TimeHost;

/// Version of this format; a service refuses another one and keeps serving what it has.
pub const VERSION: u32 = 1;

/// Everything `pic-dhcp` needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DhcpSnapshot {
    /// [`VERSION`].
    pub version: u32,
    /// What the cell calls itself in DHCPv6 (RFC 8415 section 11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duid: Option<Wire>,
    /// Absent: no prefix is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<UplinkSnapshot>,
    /// Networks in order of their names.
    pub lans: Vec<LanSnapshot>,
}

/// Where a prefix is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UplinkSnapshot {
    /// Interface.
    pub interface: String,
    /// Also where another DHCPv6 client of the host is at work.
    pub beside_another: bool,
}

/// What the uplink delegates: `/run/pic-dhcp/uplink.json`, replaced whole by `pic-dhcp`, read by the agent. Without times:
/// it changes only when a prefix does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UplinkPrefixes {
    /// [`VERSION`].
    pub version: u32,
    /// Prefixes, at most 8, in the order in which they were first given.
    pub prefixes: Vec<UplinkPrefixState>,
}

/// One prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UplinkPrefixState {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Whether it is in use; one that is not is over soon.
    pub current: bool,
}

/// How it is with the uplink's prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UplinkState {
    /// Interface; empty where none is asked for.
    pub interface: String,
    /// In words.
    pub words: String,
    /// Whether that is a fault.
    pub is_bad: bool,
    /// Prefixes with their times.
    pub prefixes: Vec<HeldPrefix>,
}

/// A prefix that was delegated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldPrefix {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Unix seconds; from then on no new connections.
    pub preferred_until: u64,
    /// Unix seconds; from then on nothing.
    pub valid_until: u64,
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
    /// What it calls itself in DHCPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duid: Option<Wire>,
    /// Its address.
    pub address: Ipv4Addr,
    /// What follows the prefix in its v6 addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address6: Option<Ipv6Addr>,
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
    /// Further prefixes that stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routed: Vec<Ipv6Net>,
    /// Further prefixes out of what the uplink delegates; how long they last is the service's own to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegated: Vec<Ipv6Net>,
    /// What the cell leads to also where it is no router for everything else (RFC 4191).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Ipv6Net>,
    /// Bytes per packet, where hosts are to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Time servers: IPv6 addresses and names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ntp: Vec<TimeHost>,
    /// URI of the API of a captive portal (RFC 8910).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captive_portal: Option<String>,
    /// Absent: hosts make their own addresses, and are told the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp6: Option<Dhcp6Lan>,
}

/// v6 addresses that are handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dhcp6Lan {
    /// First and last of each range of what follows the prefix, in order, not overlapping.
    pub pools: Vec<(Ipv6Addr, Ipv6Addr)>,
    /// Seconds.
    pub lease: u32,
    /// Whether hosts may make their own addresses, too.
    pub slaac: bool,
    /// Where several servers answer, the highest goes first.
    pub preference: u8,
    /// Prefixes that routers among the hosts are given parts of: each router the same part of all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegate: Vec<PrefixPool>,
}

/// A prefix that routers are given parts of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrefixPool {
    /// The whole.
    pub pool: Ipv6Net,
    /// Length of a part; at least that of the whole, at most 64.
    pub length: u8,
    /// Whether it stays; else it lasts as long as the uplink's prefix that it lies in.
    pub lasting: bool,
}

impl PrefixPool {
    /// A part by its number, if there are so many.
    pub fn part(&self, number: u64) -> Option<Ipv6Net> {
        let bits = self.length.checked_sub(self.pool.prefix_len()).filter(|_| self.length <= 64)?;
        let fits = number.checked_shr(u32::from(bits)).unwrap_or(0) == 0;
        let place = u128::from(number) << (128 - u32::from(self.length));
        let address = Ipv6Addr::from_bits(self.pool.network().to_bits() | place);
        fits.then(|| Ipv6Net::new(address, self.length).ok()).flatten()
    }
}

/// Networks behind routers that were given a prefix: `/run/pic-dhcp/routers.json`, replaced whole by `pic-dhcp`, read by the
/// agent. Without times: it changes only when a router comes or goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutedPrefixes {
    /// [`VERSION`].
    pub version: u32,
    /// In order of their networks.
    pub routes: Vec<RoutedPrefix>,
}

/// A prefix and the router that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutedPrefix {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Link-local address of the router.
    pub via: Ipv6Addr,
    /// Interface that it is on.
    pub interface: String,
}

impl ReservationSnapshot {
    /// What the device calls itself in DHCPv6: written, or in a client identifier of RFC 4361 (type 255, four bytes, DUID).
    pub fn duid(&self) -> Option<Vec<u8>> {
        let written = self.duid.as_ref().map(|duid| duid.0.clone());
        let in_id = || match self.client_id.as_ref()?.as_bytes() {
            [255, _, _, _, _, duid @ ..] if duid.len() > 2 => Some(duid.to_vec()),
            _ => None,
        };
        written.or_else(in_id)
    }
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
        /// Its address, or that of a router's prefix.
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
    /// How it is with the uplink's prefix.
    #[serde(default)]
    pub uplink: UplinkState,
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
    /// Other routers that were heard there lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<OtherRouter>,
}

/// A router that is not the cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherRouter {
    /// Its link-local address.
    pub address: Ipv6Addr,
    /// Whether it wants to be the way to everything else.
    pub default: bool,
    /// Prefixes that it has hosts make addresses of.
    pub prefixes: Vec<Ipv6Net>,
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
    /// What the client calls itself in DHCPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duid: Option<Wire>,
    /// Further addresses of the same lease, in other prefixes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Ipv6Addr>,
    /// Prefixes that a router has for the networks behind it: then the address is the first one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<Ipv6Net>,
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
