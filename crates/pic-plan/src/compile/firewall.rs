//! The nftables table. What grows stands in sets; the chains are the same for ten peers and for ten thousand.
//!
//! A peer's packet passes by its source address being in a set, in both directions of a flow's first half: a grant
//! taken away ends running flows too, because only the answers ride on connection state.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::Desired;
use pic_model::desired::{Allow, Inbound, Peer, Protocol};

use super::{Network, ResolvedLan, dns, is_active, lan, time};
use crate::facts::Facts;
use crate::marks::{INSIDE, MARK_DIRECT, WIREGUARD_INTERFACE};
use crate::target::nft::{
    Base, CT_ESTABLISHED, CT_INVALID, CT_NEW, CT_RELATED, Chain, ChainKind, Elements, Expr, Hook, Is, L4,
    Rule, Table,
};
use crate::target::rule::Family;

pub(super) fn table(
    desired: &Desired,
    facts: &Facts,
    network: &Network,
    lans: &[ResolvedLan<'_>],
    outside: &[ResolvedLan<'_>],
) -> Table {
    let uplink = desired.uplink.interface.as_ref().or(facts.uplink.as_ref().map(|uplink| &uplink.interface));
    let uplink = uplink.map(|name| name.as_str());
    let with_time = time::is_served(desired, facts);
    let mut chains = vec![
        prerouting(network, lans),
        input_peers(desired, network, with_time),
        input_outside(desired, outside),
    ];
    if !lans.is_empty() {
        chains.push(lan::firewall::input(lans, desired, with_time));
    }
    chains.extend([
        input(desired, uplink, lans),
        forward(uplink, facts, lans),
        postrouting(uplink, network, lans),
    ]);
    Table { sets: sets(desired, facts, network, lans), chains }
}

fn sets(
    desired: &Desired,
    facts: &Facts,
    network: &Network,
    lans: &[ResolvedLan<'_>],
) -> BTreeMap<String, Elements> {
    let peers = || desired.peers.values().filter(|peer| is_active(peer, facts.now));
    let v4 =
        |wanted: fn(&Peer) -> bool| Elements::V4(peers().filter(|p| wanted(p)).map(|p| p.address).collect());
    let v6 = |wanted: fn(&Peer) -> bool| {
        Elements::V6(peers().filter(|p| wanted(p)).filter_map(|p| network.peer6(p)).collect())
    };
    let any: fn(&Peer) -> bool = |peer| !peer.allow.is_empty();
    let cell: fn(&Peer) -> bool = |peer| peer.allow.contains(&Allow::Cell);
    let internet: fn(&Peer) -> bool = |peer| peer.allow.contains(&Allow::Internet);
    let ports = |protocol| {
        let open = desired.firewall.open.iter().filter(|port| port.protocol == protocol);
        Elements::Ports(open.map(|port| port.number).collect())
    };
    let admin = &desired.firewall.admin;
    let admin4 = admin.iter().filter_map(|a| if let IpAddr::V4(a) = a { Some(*a) } else { None }).collect();
    let admin6 = admin.iter().filter_map(|a| if let IpAddr::V6(a) = a { Some(*a) } else { None }).collect();
    let named = [
        ("any4", v4(any)),
        ("any6", v6(any)),
        ("cell4", v4(cell)),
        ("cell6", v6(cell)),
        ("internet4", v4(internet)),
        ("internet6", v6(internet)),
        ("private4", Elements::Net4(private4())),
        ("private6", Elements::Net6(private6(facts, lans))),
        ("admin4", Elements::V4(admin4)),
        ("admin6", Elements::V6(admin6)),
        ("ssh", Elements::Ports(desired.firewall.ssh.clone())),
        ("open_tcp", ports(Protocol::Tcp)),
        ("open_udp", ports(Protocol::Udp)),
    ];
    named.into_iter().map(|(name, elements)| (name.to_owned(), elements)).collect()
}

/// What is not the internet: RFC 6890 special purpose networks that a packet to the internet never goes to.
fn private4() -> BTreeSet<Ipv4Net> {
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
    nets.into_iter().map(|(octets, length)| Ipv4Net::new_assert(octets.into(), length)).collect()
}

/// The same in v6, and what the host reaches without a router: on a home's uplink that is the home itself, whose
/// addresses are global. NAT64 (`64:ff9b::/96`, RFC 6052) is the internet.
fn private6(facts: &Facts, lans: &[ResolvedLan<'_>]) -> BTreeSet<Ipv6Net> {
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
    let is_lan = |name: &str| lans.iter().any(|lan| lan.device == name);
    let others = facts.host_networks.iter().filter(|near| !is_lan(&near.interface));
    let near = others.filter_map(|near| match near.network {
        IpNet::V6(net) if net.prefix_len() >= ON_LINK => Some(net.trunc()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    });
    // Elements of a set of intervals must not overlap.
    Ipv6Net::aggregate(&fixed.chain(near).chain(lans.iter().flat_map(|lan| lan.nets6())).collect())
        .into_iter()
        .collect()
}

/// Shorter v6 prefixes are routes to elsewhere, not networks of one link.
const ON_LINK: u8 = 48;

pub(super) fn rule(why: &'static str, exprs: impl IntoIterator<Item = Expr>) -> Rule {
    Rule { exprs: exprs.into_iter().collect(), why }
}

fn from_peers() -> Expr {
    Expr::Iif(Is::In, WIREGUARD_INTERFACE.to_owned())
}

fn to_peers() -> Expr {
    Expr::Oif(Is::In, WIREGUARD_INTERFACE.to_owned())
}

/// Source in the v4 or the v6 set of one name.
fn source_in(family: Family, name: &str) -> [Expr; 2] {
    let suffix = match family {
        Family::V4 => '4',
        Family::V6 => '6',
    };
    [Expr::Family(family), Expr::SourceIn(Is::In, format!("{name}{suffix}"))]
}

pub(super) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

fn chain(name: &str, kind: ChainKind, hook: Hook, priority: i32, rules: Vec<Rule>) -> Chain {
    Chain { name: name.to_owned(), base: Some(Base { kind, hook, priority, accept: true }), rules }
}

/// Anti-spoofing, and the mark that opens the way out.
fn prerouting(network: &Network, lans: &[ResolvedLan<'_>]) -> Chain {
    // LANs have a stricter rule of their own, and may ask the cell by any of its addresses.
    let inside = [WIREGUARD_INTERFACE, "lo"].into_iter().chain(lans.iter().map(|lan| lan.device.as_str()));
    let not_inside: Vec<_> = inside.map(|name| Expr::Iif(Is::NotIn, name.to_owned())).collect();
    let mut rules = Vec::new();
    let mut guard = |why, family, last: &[Expr]| {
        let matches = not_inside.iter().cloned().chain([Expr::Family(family)]).chain(last.iter().cloned());
        rules.push(rule(why, matches.chain([Expr::Counter, Expr::Drop])));
    };
    let spoofed = "a peer's address from outside";
    let hidden = "tunnel addresses are not reachable from outside";
    guard(spoofed, Family::V4, &[Expr::Source4(Is::In, network.net4)]);
    guard(hidden, Family::V4, &[Expr::Destination4(Is::In, network.net4)]);
    if let Some(net6) = network.net6 {
        guard(spoofed, Family::V6, &[Expr::Source6(Is::In, net6)]);
        // Peers with global addresses get their answers under them; only the cell's own stay hidden then.
        let own = (!network.translates6()).then_some(Expr::DestinationLocal(Is::In));
        let last: Vec<_> = [Expr::Destination6(Is::In, net6)].into_iter().chain(own).collect();
        guard(hidden, Family::V6, &last);
    }
    // Nobody else's mark of ours is believed.
    rules.push(rule("our mark is set by us alone", [from_peers(), Expr::SetMark(0)]));
    for family in FAMILIES {
        let private = if family == Family::V4 { "private4" } else { "private6" };
        let mut exprs = vec![from_peers()];
        exprs.extend(source_in(family, "internet"));
        exprs.push(Expr::DestinationIn(Is::NotIn, private.to_owned()));
        exprs.push(Expr::SetMark(MARK_DIRECT));
        rules.push(rule("granted: internet", exprs));
    }
    rules.extend(lan::firewall::prerouting(lans));
    chain("prerouting", ChainKind::Filter, Hook::Prerouting, -150, rules)
}

/// From peers to the cell itself.
fn input_peers(desired: &Desired, network: &Network, with_time: bool) -> Chain {
    let established = Expr::CtState(CT_ESTABLISHED | CT_RELATED);
    let mut rules = Vec::new();
    for family in FAMILIES {
        // Names at the cell's own addresses only: other resolvers of the host are not meant.
        let cell = match family {
            Family::V4 => Some(Expr::Destination4(Is::In, network.cell4.into())),
            Family::V6 => network.cell6().map(|cell6| Expr::Destination6(Is::In, cell6.into())),
        };
        if let Some(cell) = cell.clone().filter(|_| with_time) {
            rules.push(time::accept(source_in(family, "any"), cell));
        }
        for ((transport, port), cell) in
            dns::ports(desired).into_iter().filter_map(|at| Some((at, cell.clone()?)))
        {
            let mut exprs = Vec::from(source_in(family, "any"));
            exprs.push(cell);
            exprs.extend([Expr::L4(transport), Expr::DestinationPort(port), Expr::Accept]);
            rules.push(rule("granted: names", exprs));
        }
        let echo = if family == Family::V4 { (L4::Icmp, 8) } else { (L4::Icmp6, 128) };
        let mut exprs = Vec::from(source_in(family, "cell"));
        exprs.extend([Expr::L4(echo.0), Expr::IcmpType(echo.1), Expr::Accept]);
        rules.push(rule("granted: cell", exprs));
        let mut exprs = Vec::from(source_in(family, "cell"));
        exprs.extend([Expr::L4(L4::Tcp), Expr::DestinationPortIn("ssh".to_owned()), Expr::Accept]);
        rules.push(rule("granted: cell", exprs));
        let mut exprs = Vec::from(source_in(family, "any"));
        exprs.extend([established.clone(), Expr::CtReply, Expr::Accept]);
        rules.push(rule("answers to the cell", exprs));
    }
    rules.push(rule("everything else from peers", [Expr::Counter, Expr::Reject]));
    Chain { name: "input_peers".to_owned(), base: None, rules }
}

/// From outside to the host, in the closed stance.
fn input_outside(desired: &Desired, outside: &[ResolvedLan<'_>]) -> Chain {
    let mut rules = Vec::new();
    for family in FAMILIES {
        let mut exprs = Vec::from(source_in(family, "admin"));
        exprs.extend([Expr::L4(L4::Tcp), Expr::DestinationPortIn("ssh".to_owned()), Expr::Accept]);
        rules.push(rule("admin's ssh", exprs));
    }
    rules.push(rule("known connections", [Expr::CtState(CT_ESTABLISHED | CT_RELATED), Expr::Accept]));
    rules.extend(neighbours());
    rules.push(rule("no connection", [Expr::CtState(CT_INVALID), Expr::Counter, Expr::Drop]));
    rules.extend(address_clients());
    rules.extend(lan::firewall::served(outside, desired));
    rules.push(rule("ssh", [Expr::L4(L4::Tcp), Expr::DestinationPortIn("ssh".to_owned()), Expr::Accept]));
    let port = Expr::DestinationPort(desired.wireguard.port);
    rules.push(rule("WireGuard", [Expr::L4(L4::Udp), port, Expr::Accept]));
    rules.push(rule(
        "open",
        [Expr::L4(L4::Tcp), Expr::DestinationPortIn("open_tcp".to_owned()), Expr::Accept],
    ));
    rules.push(rule(
        "open",
        [Expr::L4(L4::Udp), Expr::DestinationPortIn("open_udp".to_owned()), Expr::Accept],
    ));
    for (transport, echo) in [(L4::Icmp, 8), (L4::Icmp6, 128)] {
        rules.push(rule(
            "ping",
            [Expr::L4(transport), Expr::IcmpType(echo), Expr::Limit(20, 20), Expr::Accept],
        ));
    }
    rules.push(rule("closed", [Expr::Counter, Expr::Drop]));
    Chain { name: "input_outside".to_owned(), base: None, rules }
}

/// Neighbour and multicast listener discovery (RFC 4861, 3810): without them there is no v6 at all.
pub(super) fn neighbours() -> Vec<Rule> {
    let discovery = (133..=137).map(|kind| (kind, 255)).chain([130, 131, 132, 143].map(|kind| (kind, 1)));
    discovery
        .map(|(kind, hops)| {
            let exprs = [Expr::L4(L4::Icmp6), Expr::IcmpType(kind), Expr::HopLimit6(hops), Expr::Accept];
            rule("v6 neighbours", exprs)
        })
        .collect()
}

/// Answers to the host's own DHCP clients, which may come from an address it did not ask (RFC 2131, 8415).
fn address_clients() -> [Rule; 2] {
    [
        rule(
            "DHCP to the host",
            [
                Expr::Family(Family::V4),
                Expr::L4(L4::Udp),
                Expr::SourcePort(67),
                Expr::DestinationPort(68),
                Expr::Accept,
            ],
        ),
        rule(
            "DHCPv6 to the host",
            [
                Expr::Family(Family::V6),
                Expr::Source6(Is::In, Ipv6Net::new_assert([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 10)),
                Expr::L4(L4::Udp),
                Expr::DestinationPort(546),
                Expr::Accept,
            ],
        ),
    ]
}

/// Came in from a container or virtual machine of the host itself.
fn inside() -> impl Iterator<Item = Expr> {
    INSIDE.into_iter().map(|name| Expr::Iif(Is::In, format!("{name}*")))
}

fn input(desired: &Desired, uplink: Option<&str>, lans: &[ResolvedLan<'_>]) -> Chain {
    let mut rules = vec![
        rule("the host to itself", [Expr::Iif(Is::In, "lo".to_owned()), Expr::Accept]),
        rule("peers", [from_peers(), Expr::Jump("input_peers".to_owned())]),
    ];
    for lan in lans {
        let from = Expr::Iif(Is::In, lan.device.clone());
        rules.push(rule("LANs", [from, Expr::Jump("input_lans".to_owned())]));
    }
    if desired.firewall.inbound == Inbound::Closed {
        // An uplink may be a bridge and have such a name itself; while it is not known, no name is trusted.
        if let Some(uplink) = uplink {
            let out = Expr::Iif(Is::In, uplink.to_owned());
            rules.push(rule("outside", [out, Expr::Jump("input_outside".to_owned())]));
            rules.extend(inside().map(|iif| rule("inside the host", [iif, Expr::Accept])));
        }
        rules.push(rule("outside", [Expr::Jump("input_outside".to_owned())]));
    }
    chain("input", ChainKind::Filter, Hook::Input, 0, rules)
}

/// Through the host. On a host that was a router before, packets that neither come from nor go to peers are not ours
/// to judge; on another one they are not forwarded because of us.
fn forward(uplink: Option<&str>, facts: &Facts, lans: &[ResolvedLan<'_>]) -> Chain {
    let mut rules = vec![
        rule("packets fit the tunnel", [from_peers(), Expr::L4(L4::Tcp), Expr::ClampMss]),
        rule("packets fit the tunnel", [to_peers(), Expr::L4(L4::Tcp), Expr::ClampMss]),
        rule("peers are apart", [from_peers(), to_peers(), Expr::Counter, Expr::Reject]),
    ];
    if let Some(uplink) = uplink {
        let out = Expr::Oif(Is::In, uplink.to_owned());
        let exprs = [from_peers(), out, Expr::Mark(Is::In, MARK_DIRECT), Expr::Counter, Expr::Accept];
        rules.push(rule("granted: internet", exprs));
    }
    rules.push(rule("everything else from peers", [from_peers(), Expr::Counter, Expr::Reject]));
    let answers = Expr::CtState(CT_ESTABLISHED | CT_RELATED);
    rules.push(rule("answers to peers", [to_peers(), answers, Expr::CtReply, Expr::Counter, Expr::Accept]));
    rules.push(rule("nothing begins toward peers", [to_peers(), Expr::Counter, Expr::Drop]));
    rules.extend(lan::firewall::forward(lans, uplink));
    if !facts.routed_before {
        rules.extend(inside().map(|iif| rule("inside the host", [iif, Expr::Return])));
        rules.push(rule("forwarded on purpose", [Expr::CtDnat, Expr::Return]));
        let begins = [Expr::CtState(CT_NEW), Expr::Counter, Expr::Drop];
        rules.push(rule("the host was no router before", begins));
    }
    chain("forward", ChainKind::Filter, Hook::Forward, 0, rules)
}

fn postrouting(uplink: Option<&str>, network: &Network, lans: &[ResolvedLan<'_>]) -> Chain {
    let mut rules = Vec::new();
    if let Some(uplink) = uplink {
        let out = Expr::Oif(Is::In, uplink.to_owned());
        rules.extend(lan::firewall::postrouting(lans, uplink));
        let exprs =
            [out.clone(), Expr::Family(Family::V4), Expr::Source4(Is::In, network.net4), Expr::Masquerade];
        rules.push(rule("peers leave by the cell's address", exprs));
        if let Some(net6) = network.net6.filter(|_| network.translates6()) {
            let exprs = [out, Expr::Family(Family::V6), Expr::Source6(Is::In, net6), Expr::Masquerade];
            rules.push(rule("peers leave by the cell's address", exprs));
        }
    }
    chain("postrouting", ChainKind::Nat, Hook::Postrouting, 100, rules)
}
