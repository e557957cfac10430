//! Networks on the host's own interfaces: addresses and VLANs there. Of an interface that is not ours, only the
//! addresses that we added are ever touched.

pub(super) mod dhcp;
pub(super) mod firewall;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::desired::{Allow, Ipv6Choice};
use pic_model::lan::Lan;
use pic_model::{Desired, address};

use crate::facts::Facts;
use crate::target::link::{Kind, Link};

/// Bytes per packet on a VLAN.
const MTU: u32 = 1500;

/// A LAN with what its file leaves to the cell.
#[derive(Debug, Clone)]
pub struct Resolved<'d> {
    /// Its name.
    pub name: &'d str,
    /// As written.
    pub lan: &'d Lan,
    /// The interface that carries it.
    pub device: String,
    /// Its v6 network, unless v6 is off.
    pub net6: Option<Ipv6Net>,
}

impl Resolved<'_> {
    /// All LANs.
    pub fn all<'d>(desired: &'d Desired, facts: &Facts) -> Vec<Resolved<'d>> {
        let key = facts.private_key.public();
        let one = |(name, lan): (&'d pic_model::name::LanName, &'d Lan)| Resolved {
            name: name.as_str(),
            lan,
            device: lan.device(),
            net6: match lan.ipv6 {
                Ipv6Choice::Off => None,
                Ipv6Choice::Net(net) => Some(net),
                Ipv6Choice::Auto => Some(address::ula_lan(&key, name.as_str())),
            },
        };
        desired.lans.iter().map(one).collect()
    }

    /// Its v4 network.
    pub fn net4(&self) -> Ipv4Net {
        self.lan.ipv4.trunc()
    }

    /// Both networks.
    pub fn networks(&self) -> impl Iterator<Item = IpNet> {
        std::iter::once(IpNet::V4(self.net4())).chain(self.net6.map(IpNet::V6))
    }

    /// The cell's addresses in it with the length of their network.
    pub fn cell_addresses(&self) -> impl Iterator<Item = IpNet> {
        let v6 = self.net6.map(|net| IpNet::V6(Ipv6Net::new_assert(address::cell_v6(net), net.prefix_len())));
        std::iter::once(IpNet::V4(self.lan.ipv4)).chain(v6)
    }

    /// Whether its hosts may reach this.
    pub fn allows(&self, what: Allow) -> bool {
        self.lan.allow.contains(&what)
    }

    fn translates6(&self) -> Option<Ipv6Net> {
        self.net6.filter(|net| net.addr().octets()[0] & 0xfe == 0xfc)
    }
}

/// VLAN interfaces, which are ours. Only where their parent is.
pub(super) fn vlans(lans: &[Resolved<'_>], facts: &Facts) -> BTreeMap<String, Link> {
    let there = lans.iter().filter(|lan| facts.interfaces.contains(lan.lan.interface.as_str()));
    let one = |lan: &Resolved<'_>| {
        let link = Link {
            kind: Kind::Vlan(lan.lan.vlan?),
            mtu: MTU,
            up: true,
            addresses: lan.cell_addresses().collect(),
            parent: Some(lan.lan.interface.to_string()),
        };
        Some((lan.device.clone(), link))
    };
    there.filter_map(one).collect()
}

/// Addresses of ours on the host's own interfaces. One that is not there (a dongle that was pulled) gets them when it
/// comes back.
pub(super) fn host_links(lans: &[Resolved<'_>], facts: &Facts) -> BTreeMap<String, BTreeSet<IpNet>> {
    let mut links: BTreeMap<String, BTreeSet<IpNet>> = BTreeMap::new();
    for lan in lans.iter().filter(|lan| facts.interfaces.contains(lan.lan.interface.as_str())) {
        let addresses = links.entry(lan.lan.interface.to_string()).or_default();
        if lan.lan.vlan.is_none() {
            addresses.extend(lan.cell_addresses());
        }
    }
    links
}
