//! Networks on the host's own interfaces, and of apps: addresses and VLANs there. Of an interface that is not ours, only the
//! addresses that we added are ever touched.

pub(super) mod app;
pub(super) mod delegated;
pub(super) mod dhcp;
pub(super) mod firewall;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::desired::Ipv6Choice;
use pic_model::lan::{Lan, Subnet};
use pic_model::snapshot::dhcp::RoutedPrefix;
use pic_model::{Desired, address};

use super::routing::TABLE_MAIN;
use crate::facts::Facts;
use crate::target::link::{Kind, Link};
use crate::target::route::{Route, RouteKind};

/// Bytes per packet on a VLAN.
const MTU: u32 = 1500;
/// Priority of routes to subnets: behind what the owner of the host sets without one.
const METRIC: u32 = 77;

/// A LAN with what its file leaves to the cell.
#[derive(Debug, Clone)]
pub struct Resolved<'d> {
    /// Its name.
    pub name: &'d str,
    /// As written.
    pub lan: &'d Lan,
    /// The interface that carries it.
    pub device: String,
    /// Its own v6 network, unless v6 is off.
    pub net6: Option<Ipv6Net>,
    /// Networks behind routers in it, with their names.
    pub subnets: Vec<(&'d str, &'d Subnet)>,
    /// Networks out of prefixes of the uplink.
    pub more6: Vec<Borrowed>,
    /// Parts of the same prefixes that routers among its hosts are given networks of.
    pub pools6: Vec<Pool>,
}

/// A v6 network out of a prefix of the uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Borrowed {
    /// The network.
    pub net: Ipv6Net,
    /// Whether hosts begin connections from it.
    pub current: bool,
    /// Written down, and so not to change by itself.
    pub lasting: bool,
}

/// A part of a prefix of the uplink that routers are given networks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// The part.
    pub net: Ipv6Net,
    /// Length of what one router is given.
    pub length: u8,
    /// Written down, and so not to change by itself.
    pub lasting: bool,
}

impl Resolved<'_> {
    /// All LANs.
    pub fn all<'d>(desired: &'d Desired, facts: &Facts) -> Vec<Resolved<'d>> {
        let key = facts.private_key.public();
        let (mut more, mut pools) = delegated::split(desired, facts);
        let mut one = |(name, lan): (&'d pic_model::name::LanName, &'d Lan)| Resolved {
            name: name.as_str(),
            lan,
            device: lan.device(),
            net6: match lan.ipv6 {
                Ipv6Choice::Off => None,
                Ipv6Choice::Net(net) => Some(net),
                Ipv6Choice::Auto => Some(address::ula_lan(&key, name.as_str())),
            },
            subnets: desired
                .subnets
                .iter()
                .filter(|(_, subnet)| subnet.lan == *name)
                .map(|(name, subnet)| (name.as_str(), subnet))
                .collect(),
            more6: more.remove(name.as_str()).unwrap_or_default(),
            pools6: pools.remove(name.as_str()).unwrap_or_default(),
        };
        desired.lans.iter().map(&mut one).collect()
    }

    /// Its v4 network.
    pub fn net4(&self) -> Ipv4Net {
        self.lan.ipv4.trunc()
    }

    /// Networks of both families, and those behind routers.
    pub fn reached(&self) -> impl Iterator<Item = IpNet> {
        self.with_routed().chain(self.subnets.iter().map(|(_, subnet)| IpNet::V4(subnet.ipv4)))
    }

    /// Networks of both families, and those of routers that have what the LAN has: what is granted to it is granted to them.
    pub fn with_routed(&self) -> impl Iterator<Item = IpNet> {
        self.networks().chain(self.pools6.iter().map(|pool| IpNet::V6(pool.net)))
    }

    /// Prefixes of routers among its hosts that can be true.
    pub fn routed<'f>(&self, facts: &'f Facts) -> impl Iterator<Item = &'f RoutedPrefix> {
        let mut seen: Vec<Ipv6Net> = Vec::new();
        let is_ours = move |routed: &RoutedPrefix| {
            let net = routed.prefix;
            routed.interface == self.device
                && routed.via.is_unicast_link_local()
                && self.pools6.iter().any(|pool| pool.net.contains(&net))
        };
        let mut is_apart = move |net: Ipv6Net| {
            let is_apart = !seen.iter().any(|other| other.contains(&net) || net.contains(other));
            seen.push(net);
            is_apart
        };
        facts.routed.iter().filter(move |routed| is_ours(routed) && is_apart(routed.prefix))
    }

    /// Its v6 networks that hosts begin connections from.
    pub fn preferred6(&self) -> impl Iterator<Item = Ipv6Net> {
        self.net6.into_iter().chain(self.more6.iter().filter(|more| more.current).map(|more| more.net))
    }

    /// All its v6 networks.
    pub fn nets6(&self) -> impl Iterator<Item = Ipv6Net> {
        self.net6.into_iter().chain(self.more6.iter().map(|more| more.net))
    }

    /// Networks of both families.
    pub fn networks(&self) -> impl Iterator<Item = IpNet> {
        std::iter::once(IpNet::V4(self.net4())).chain(self.nets6().map(IpNet::V6))
    }

    /// The cell's addresses in all of them.
    fn link_addresses(&self) -> impl Iterator<Item = IpNet> {
        let more = self.more6.iter().map(|more| cell_in(more.net));
        self.cell_addresses().chain(more)
    }

    /// The cell's addresses in its own networks, which stay, with the length of their network.
    pub fn cell_addresses(&self) -> impl Iterator<Item = IpNet> {
        let v6 = self.net6.map(cell_in);
        std::iter::once(IpNet::V4(self.lan.ipv4)).chain(v6)
    }

    fn translates6(&self) -> Option<Ipv6Net> {
        self.net6.filter(|net| net.addr().octets()[0] & 0xfe == 0xfc)
    }
}

fn cell_in(net: Ipv6Net) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(address::cell_v6(net), net.prefix_len()))
}

/// VLAN interfaces, which are ours. Only where their parent is.
pub(super) fn vlans(lans: &[Resolved<'_>], facts: &Facts) -> BTreeMap<String, Link> {
    let there = lans.iter().filter(|lan| facts.interfaces.contains(lan.lan.interface.as_str()));
    let one = |lan: &Resolved<'_>| {
        let link = Link {
            kind: Kind::Vlan(lan.lan.vlan?),
            mtu: MTU,
            up: true,
            addresses: lan.link_addresses().collect(),
            parent: Some(lan.lan.interface.to_string()),
        };
        Some((lan.device.clone(), link))
    };
    there.filter_map(one).collect()
}

/// Whether its interface is one of the host's own.
fn is_host_link(lan: &Resolved<'_>, facts: &Facts) -> bool {
    lan.lan.app.is_none() && facts.interfaces.contains(lan.lan.interface.as_str())
}

/// Addresses of ours on the host's own interfaces. One that is not there (a dongle that was pulled) gets them when it
/// comes back.
pub(super) fn host_links(lans: &[Resolved<'_>], facts: &Facts) -> BTreeMap<String, BTreeSet<IpNet>> {
    let mut links: BTreeMap<String, BTreeSet<IpNet>> = BTreeMap::new();
    for lan in lans.iter().filter(|lan| is_host_link(lan, facts)) {
        let addresses = links.entry(lan.lan.interface.to_string()).or_default();
        if lan.lan.vlan.is_none() {
            addresses.extend(lan.link_addresses());
        }
    }
    links
}

/// Routes to networks behind routers. Only where their LAN's interface is.
pub(super) fn routes(lans: &[Resolved<'_>], facts: &Facts) -> BTreeSet<Route> {
    let there = lans.iter().filter(|lan| facts.interfaces.contains(lan.lan.interface.as_str()));
    let behind = there.clone().flat_map(|lan| lan.subnets.iter().map(move |(_, subnet)| (lan, subnet)));
    let route = |lan: &Resolved<'_>, destination, via| Route {
        table: TABLE_MAIN,
        destination,
        metric: METRIC,
        kind: RouteKind::Gateway { device: lan.device.clone(), via },
    };
    let behind = behind.map(|(lan, subnet)| route(lan, IpNet::V4(subnet.ipv4), IpAddr::V4(subnet.via)));
    let one = |lan: &Resolved<'_>| {
        let all = lan.routed(facts).map(|found| route(lan, IpNet::V6(found.prefix), IpAddr::V6(found.via)));
        all.collect::<Vec<_>>()
    };
    behind.chain(there.flat_map(one)).collect()
}
