//! What the sets of the table hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::desired::Protocol;

use super::Scope;
use crate::compile::is_active;
use crate::compile::policy::{Policy, Right};
use crate::facts::Facts;
use crate::target::nft::{Elements, Shape};

/// Name of the set of pairs, or of single ports, of one shape.
pub(super) fn flow_set(kind: &str, family: char, shape: Shape) -> String {
    format!("{kind}{family}_{}_{}", shape.source, shape.destination)
}

/// Rights that hosts have at the cell, and the sets of those that have them.
pub(super) const RIGHTS: [(Right, &str); 6] = [
    (Right::Internet, "internet"),
    (Right::Cell, "cell"),
    (Right::Dns, "dns"),
    (Right::Time, "time"),
    (Right::Ssh, "ssh_from"),
    (Right::Ping, "ping"),
];

/// Name of the sets of peers that are granted nothing.
pub(super) const NOTHING: &str = "nothing";

/// Addresses of peers that are let in and granted nothing.
fn granted_nothing<'s>(scope: &'s Scope<'_>) -> impl Iterator<Item = IpNet> + 's {
    let any = scope.policy.rights.get(&Right::Any);
    let active = scope.desired.peers.values().filter(|peer| is_active(peer, scope.facts.now));
    let addresses = active.flat_map(|peer| {
        let v6 = scope.network.peer6(peer).map(IpAddr::V6);
        std::iter::once(IpAddr::V4(peer.address)).chain(v6).map(IpNet::from)
    });
    addresses.filter(move |address| any.is_none_or(|any| !any.contains(address)))
}

pub(super) fn sets(scope: &Scope<'_>) -> BTreeMap<String, Elements> {
    let firewall = &scope.desired.firewall;
    let ports = |protocol| {
        let open = firewall.open.iter().filter(|port| port.protocol == protocol);
        Elements::Ports(open.map(|port| port.number).collect())
    };
    let (admin4, admin6) = split(firewall.admin.iter().map(|address| IpNet::from(*address)));
    let inside = || scope.inside_networks();
    let (inside4, inside6) = nets(inside());
    let (mut private4_nets, near6) = nets(inside());
    private4_nets.extend(private4());
    let (behind4, behind6) = nets(scope.own_networks());
    let (banned4, banned6) =
        nets(scope.facts.bans.iter().filter(|b| b.until > scope.facts.now).map(|b| b.network));
    let fixed = [
        ("behind4", Elements::Net4(Ipv4Net::aggregate(&behind4).into_iter().collect())),
        ("behind6", Elements::Net6(Ipv6Net::aggregate(&behind6).into_iter().collect())),
        ("banned4", Elements::Net4(Ipv4Net::aggregate(&banned4).into_iter().collect())),
        ("banned6", Elements::Net6(Ipv6Net::aggregate(&banned6).into_iter().collect())),
        ("forwards4", Elements::Forwards4(scope.policy.forwards4.clone())),
        ("forwards6", Elements::Forwards6(scope.policy.forwards6.clone())),
        ("private4", Elements::Net4(Ipv4Net::aggregate(&private4_nets).into_iter().collect())),
        ("private6", Elements::Net6(private6(scope.facts, scope, near6))),
        ("inside4", Elements::Net4(Ipv4Net::aggregate(&inside4).into_iter().collect())),
        ("inside6", Elements::Net6(Ipv6Net::aggregate(&inside6).into_iter().collect())),
        ("admin4", admin4),
        ("admin6", admin6),
        ("ssh", Elements::Ports(firewall.ssh.clone())),
        ("open_tcp", ports(Protocol::Tcp)),
        ("open_udp", ports(Protocol::Udp)),
    ];
    let mut all: BTreeMap<String, Elements> =
        fixed.into_iter().map(|(name, elements)| (name.to_owned(), elements)).collect();
    let none = BTreeSet::new();
    for (right, name) in RIGHTS {
        let sources = scope.policy.rights.get(&right).unwrap_or(&none);
        let is_host = |net: &&IpNet| net.prefix_len() == net.max_prefix_len();
        let (v4, v6) = split(sources.iter().filter(is_host).copied());
        all.extend([(format!("{name}4"), v4), (format!("{name}6"), v6)]);
        if right == Right::Internet {
            let (v4, v6) = nets(sources.iter().filter(|net| !is_host(net)).copied());
            let v4 = Elements::Net4(Ipv4Net::aggregate(&v4).into_iter().collect());
            let v6 = Elements::Net6(Ipv6Net::aggregate(&v6).into_iter().collect());
            all.extend([(format!("{name}_nets4"), v4), (format!("{name}_nets6"), v6)]);
        }
    }
    let (v4, v6) = split(granted_nothing(scope));
    all.extend([(format!("{NOTHING}4"), v4), (format!("{NOTHING}6"), v6)]);
    all.extend(flows(scope.policy));
    all
}

/// What is granted by source and destination: most of all there is.
fn flows(policy: &Policy) -> BTreeMap<String, Elements> {
    let mut all = BTreeMap::new();
    let mut put =
        |kind, family, shape: &Shape, elements| drop(all.insert(flow_set(kind, family, *shape), elements));
    for (shape, pairs) in &policy.pairs4 {
        put("pairs", '4', shape, Elements::Pairs4(pairs.clone()));
    }
    for (shape, pairs) in &policy.pairs6 {
        put("pairs", '6', shape, Elements::Pairs6(pairs.clone()));
    }
    for (shape, flows) in &policy.flows4 {
        put("flows", '4', shape, Elements::Flows4(flows.clone()));
    }
    for (shape, flows) in &policy.flows6 {
        put("flows", '6', shape, Elements::Flows6(flows.clone()));
    }
    for (shape, flows) in &policy.forwarded4 {
        put("forwarded", '4', shape, Elements::Flows4(flows.clone()));
    }
    for (shape, flows) in &policy.forwarded6 {
        put("forwarded", '6', shape, Elements::Flows6(flows.clone()));
    }
    all
}

/// Single addresses by family.
fn split(nets: impl Iterator<Item = IpNet>) -> (Elements, Elements) {
    let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
    for net in nets {
        match net.addr() {
            IpAddr::V4(address) => drop(v4.insert(address)),
            IpAddr::V6(address) => drop(v6.insert(address)),
        }
    }
    (Elements::V4(v4), Elements::V6(v6))
}

/// Networks by family.
fn nets(nets: impl Iterator<Item = IpNet>) -> (Vec<Ipv4Net>, Vec<Ipv6Net>) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for net in nets {
        match net {
            IpNet::V4(net) => v4.push(net.trunc()),
            IpNet::V6(net) => v6.push(net.trunc()),
        }
    }
    (v4, v6)
}

/// What is not the internet: RFC 6890 special purpose networks that a packet to the internet never goes to.
fn private4() -> impl Iterator<Item = Ipv4Net> {
    let nets: [([u8; 4], u8); 11] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 4),
    ];
    nets.into_iter().map(|(octets, length)| Ipv4Net::new_assert(octets.into(), length))
}

/// The same in v6, and what the host reaches without a router: on a home's uplink that is the home itself, whose
/// addresses are global. NAT64 (`64:ff9b::/96`, RFC 6052) is the internet.
fn private6(facts: &Facts, scope: &Scope<'_>, inside: Vec<Ipv6Net>) -> BTreeSet<Ipv6Net> {
    let nets: [([u16; 8], u8); 7] = [
        ([0, 0, 0, 0, 0, 0, 0, 0], 96),
        ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
        ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
        ([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
        ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 9),
        ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
    ];
    let fixed = nets.into_iter().map(|(segments, length)| Ipv6Net::new_assert(segments.into(), length));
    // What the host reaches by a LAN it does because of us: taken from where it does not change by being applied.
    let is_lan = |name: &str| scope.lans.iter().any(|lan| lan.device == name);
    let others = facts.host_networks.iter().filter(|near| !is_lan(&near.interface));
    let near = others.filter_map(|near| match near.network {
        IpNet::V6(net) if net.prefix_len() >= ON_LINK => Some(net.trunc()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    });
    // Elements of a set of intervals must not overlap.
    Ipv6Net::aggregate(&fixed.chain(near).chain(inside).collect()).into_iter().collect()
}

/// Shorter v6 prefixes are routes to elsewhere, not networks of one link.
const ON_LINK: u8 = 48;
