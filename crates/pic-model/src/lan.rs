//! Networks that the cell serves on its own interfaces, and what stays where on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use crate::desired::{Allow, Ipv6Choice};
use crate::exit::WayOut;
use crate::name::{GroupName, HostName, InterfaceName, LanName};
use crate::snapshot::dhcp::BootFile;
use crate::time::TimeHost;

/// `[[lan]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lan {
    /// The host's own interface, or the parent of the VLAN.
    pub interface: InterfaceName,
    /// IEEE 802.1Q identifier, 1 to 4094.
    pub vlan: Option<u16>,
    /// The cell's address in it, with the length of the network.
    pub ipv4: Ipv4Net,
    /// Its v6 /64.
    pub ipv6: Ipv6Choice,
    /// What its hosts may reach.
    pub allow: BTreeSet<Allow>,
    /// Ways to the internet for its hosts and its subnets, the first that works counts; empty is the uplink.
    pub exit: Vec<WayOut>,
    /// Absent: the cell hands out no v4 addresses there.
    pub dhcp: Option<Dhcp>,
    /// Absent: hosts make their own v6 addresses.
    pub dhcp6: Option<Dhcp6>,
    /// The network that the host itself is in, with another router: the cell serves addresses and names there, and
    /// leaves everything else as it is.
    pub uplink: bool,
    /// It is the network of an app: the cell at one end of a cable, the app's network namespace at the other.
    pub app: Option<App>,
}

/// `[[app]]`, beside what makes it a network of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct App {
    /// Its own address, the other host of the network.
    pub address: Ipv4Addr,
    /// One that is switched off keeps its address and has no namespace.
    pub enabled: bool,
}

/// What follows the prefix in the v6 address of an app.
pub const APP_HOST6: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 2);

/// `[[subnet]]`: a network behind a router on a LAN, which relays its hosts' questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// LAN that the router is on.
    pub lan: LanName,
    /// The router's address there.
    pub via: Ipv4Addr,
    /// The network.
    pub ipv4: Ipv4Net,
    /// What its hosts may reach.
    pub allow: BTreeSet<Allow>,
    /// Absent: the cell hands out no addresses there.
    pub dhcp: Option<Dhcp>,
}

impl Subnet {
    /// Whether a host may have this address.
    pub fn is_host(&self, address: Ipv4Addr) -> bool {
        let net = self.ipv4;
        net.contains(&address) && address != net.network() && address != net.broadcast()
    }
}

impl Lan {
    /// The interface that carries it: for a VLAN one of ours, named after its number.
    pub fn device(&self) -> String {
        self.vlan.map_or_else(|| self.interface.to_string(), |id| format!("pic{id}"))
    }

    /// What it is called in words.
    pub fn word(&self) -> &'static str {
        if self.app.is_some() { "app" } else { "LAN" }
    }

    /// Whether a host may have this address: inside, and none of network, broadcast and the cell itself.
    pub fn is_host(&self, address: Ipv4Addr) -> bool {
        let net = self.ipv4;
        net.contains(&address)
            && address != net.network()
            && address != net.broadcast()
            && address != net.addr()
    }

    /// Its v4 network, and its v6 one if that is written out.
    pub fn written_networks(&self) -> impl Iterator<Item = IpNet> {
        let v6 = match self.ipv6 {
            Ipv6Choice::Net(net) => Some(IpNet::V6(net)),
            Ipv6Choice::Auto | Ipv6Choice::Off => None,
        };
        std::iter::once(IpNet::V4(self.ipv4.trunc())).chain(v6)
    }
}

/// `lan.dhcp`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dhcp {
    /// First and last address of each range, in order, not overlapping.
    pub pools: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Seconds a client may keep its address without asking again.
    pub lease: u32,
    /// Options as they go onto the wire, by number; an empty one is not sent at all.
    pub options: BTreeMap<u8, Vec<u8>>,
    /// `siaddr`: where a client that boots from the network finds its file.
    pub next_server: Option<Ipv4Addr>,
    /// Files for some of those that boot from the network; the first that fits counts.
    pub boot: Vec<BootFile>,
    /// Serve even though another server answers there.
    pub beside_another: bool,
}

/// `lan.dhcp6`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dhcp6 {
    /// First and last of each range of what follows the prefix (`::1000`), in order, not overlapping.
    pub pools: Vec<(Ipv6Addr, Ipv6Addr)>,
    /// Seconds a client may keep its address without asking again.
    pub lease: u32,
    /// Whether hosts may make their own addresses, too.
    pub slaac: bool,
    /// Where several servers answer, the highest goes first.
    pub preference: u8,
    /// Time servers: IPv6 addresses and names. Absent: the cell, where it serves the time.
    pub ntp: Option<Vec<TimeHost>>,
    /// Length of the prefix that a router among the hosts is given, where the uplink's has one to spare; 0 gives none.
    pub delegate: u8,
}

/// `[[reservation]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// LAN or subnet it is for.
    pub lan: LanName,
    /// Hardware address of the device.
    pub mac: Option<Mac>,
    /// What the device calls itself (option 61), for one whose hardware address changes.
    pub client_id: Option<ClientId>,
    /// What the device calls itself in DHCPv6.
    pub duid: Option<Duid>,
    /// Its address, always.
    pub address: Ipv4Addr,
    /// What follows the prefix in its v6 addresses, as `::10`.
    pub address6: Option<Ipv6Addr>,
    /// Its name, in DNS from the moment it is written here.
    pub name: Option<HostName>,
    /// Groups that it is in.
    pub groups: BTreeSet<GroupName>,
}

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

/// A DHCP client identifier (option 61 of RFC 2132) with its type byte; 2 to 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientId(Vec<u8>);

/// A DHCP unique identifier (RFC 8415 section 11), 3 to 130 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duid(Vec<u8>);

impl Duid {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Duid {
    type Err = IdentityError;
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let bytes = bytes_from_hex(text).filter(|bytes| (3..=130).contains(&bytes.len()));
        bytes.map(Self).ok_or(IdentityError::Duid)
    }
}

/// Why a text is no such identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not six bytes, or one that stands for many.
    #[error("a hardware address is six bytes as \"00:11:22:33:44:55\", of one device and not of a group")]
    Mac,
    /// Not bytes.
    #[error("a client identifier is 2 to 64 bytes as \"ff:00:01:a2\"")]
    ClientId,
    /// Not bytes.
    #[error("a DUID is 3 to 130 bytes as \"00:03:00:01:02:00:00:00:00:01\"")]
    Duid,
}

/// Bytes written as two hexadecimal digits each, with colons or hyphens between or with nothing.
pub fn bytes_from_hex(text: &str) -> Option<Vec<u8>> {
    let plain: String = text.chars().filter(|c| *c != ':' && *c != '-').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let digits = plain.bytes().all(|b| b.is_ascii_hexdigit()) && plain.len().is_multiple_of(2);
    digits.then(|| plain.as_bytes().chunks(2).map(byte).collect()).flatten()
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        write!(f, "{}{byte:02x}", if index > 0 { ":" } else { "" })?;
    }
    Ok(())
}

impl ClientId {
    /// From the bytes of the option.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (2..=64).contains(&bytes.len()).then(|| Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Mac {
    type Err = IdentityError;
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let bytes = bytes_from_hex(text).filter(|_| text.len() <= 17).ok_or(IdentityError::Mac)?;
        let mac: [u8; 6] = bytes.try_into().map_err(|_| IdentityError::Mac)?;
        if mac[0] & 1 == 1 || mac == [0; 6] { Err(IdentityError::Mac) } else { Ok(Self(mac)) }
    }
}

impl FromStr for ClientId {
    type Err = IdentityError;
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let bytes = bytes_from_hex(text).filter(|bytes| (2..=64).contains(&bytes.len()));
        bytes.map(Self).ok_or(IdentityError::ClientId)
    }
}

macro_rules! as_text {
    ($($type:ident),*) => {
        $(impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(f, &self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(f, &self.0)
            }
        }
        impl TryFrom<String> for $type {
            type Error = IdentityError;
            fn try_from(text: String) -> Result<Self, IdentityError> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        })*
    };
}
as_text!(Mac, ClientId, Duid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities() {
        assert_eq!("00-11-22-33-44-5A".parse::<Mac>().unwrap().to_string(), "00:11:22:33:44:5a");
        for bad in ["", "00:11:22:33:44", "01:00:5e:00:00:01", "00:00:00:00:00:00", "00:11:22:33:44:zz"] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
        assert_eq!("ff:00:01".parse::<ClientId>().unwrap().as_bytes(), [0xff, 0, 1]);
        assert!("ff".parse::<ClientId>().is_err() && "ff:0".parse::<ClientId>().is_err());
    }
}
