//! The cell's own networks and addresses, resolved.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::desired::{Ipv6Choice, Peer};
use pic_model::{Desired, address};

use crate::facts::Facts;

/// Networks of the tunnel and the cell's addresses in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// v4 network.
    pub net4: Ipv4Net,
    /// The cell in it.
    pub cell4: Ipv4Addr,
    /// v6 network, unless v6 is off.
    pub net6: Option<Ipv6Net>,
}

impl Network {
    /// Resolves what the file leaves to the cell.
    pub fn new(desired: &Desired, facts: &Facts) -> Self {
        let net4 = desired.wireguard.ipv4;
        let net6 = match desired.wireguard.ipv6 {
            Ipv6Choice::Off => None,
            Ipv6Choice::Net(net) => Some(net),
            Ipv6Choice::Auto => Some(address::ula_v6(&facts.private_key.public())),
        };
        Self { net4, cell4: address::cell_v4(net4), net6 }
    }

    /// The cell's v6 address.
    pub fn cell6(&self) -> Option<Ipv6Addr> {
        self.net6.map(address::cell_v6)
    }

    /// A peer's v6 address.
    pub fn peer6(&self, peer: &Peer) -> Option<Ipv6Addr> {
        let net6 = self.net6?;
        Some(peer.address6.unwrap_or_else(|| address::twin_v6(self.net4, peer.address, net6)))
    }

    /// Both networks.
    pub fn networks(&self) -> impl Iterator<Item = IpNet> {
        std::iter::once(IpNet::V4(self.net4)).chain(self.net6.map(IpNet::V6))
    }

    /// The cell's addresses with the length of their network.
    pub fn cell_addresses(&self) -> impl Iterator<Item = IpNet> {
        let v4 = IpNet::from(Ipv4Net::new_assert(self.cell4, self.net4.prefix_len()));
        let v6 =
            self.net6.map(|net| IpNet::from(Ipv6Net::new_assert(address::cell_v6(net), net.prefix_len())));
        std::iter::once(v4).chain(v6)
    }

    /// Whether the v6 network needs translation to reach the internet: unique local addresses (RFC 4193) do.
    pub fn translates6(&self) -> bool {
        self.net6.is_some_and(|net| net.addr().octets()[0] & 0xfe == 0xfc)
    }
}
