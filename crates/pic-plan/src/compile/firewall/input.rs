//! To the host itself.

use ipnet::Ipv6Net;
use pic_model::desired::Inbound;

use super::limits;
use super::sets::NOTHING;
use super::strangers::{self, Knock};
use super::{FAMILIES, Scope, chain, from_peers, rule, set_of, source_in};
use crate::compile::{dns, lan, time};
use crate::marks::INSIDE;
use crate::target::nft::{
    CT_ESTABLISHED, CT_INVALID, CT_RELATED, Chain, ChainKind, Expr, Hook, Is, L4, Rule,
};
use crate::target::rule::Family;

/// What hosts have rights to at the cell, whichever of its networks they are in: ping, ssh, single ports.
pub(in crate::compile) fn granted(scope: &Scope<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for family in FAMILIES {
        let echo = if family == Family::V4 { (L4::Icmp, 8) } else { (L4::Icmp6, 128) };
        for sources in ["cell", "ping"] {
            let mut exprs = Vec::from(source_in(family, sources));
            exprs.extend([Expr::L4(echo.0), Expr::IcmpType(echo.1), Expr::Accept]);
            rules.push(rule("granted: ping", exprs));
        }
        for sources in ["cell", "ssh_from"] {
            let mut exprs = Vec::from(source_in(family, sources));
            exprs.extend([Expr::L4(L4::Tcp), Expr::DestinationPortIn("ssh".to_owned()), Expr::Accept]);
            rules.push(rule("granted: ssh", exprs));
        }
        let whole = if family == Family::V4 { 32 } else { 128 };
        // A port of a whole network is not one of the cell in it.
        for (shape, [_, flows]) in scope.shapes(family).into_iter().filter(|(s, _)| s.destination == whole) {
            let exprs = [Expr::Family(family), Expr::FlowIn(shape, flows), Expr::Accept];
            rules.push(rule("granted", exprs));
        }
    }
    rules
}

/// A peer that is granted anything at all, whose address is one of the tunnel's. Few are granted nothing, so these are listed.
fn has_something(scope: &Scope<'_>, family: Family) -> Vec<Expr> {
    let net = match family {
        Family::V4 => Some(Expr::Source4(Is::In, scope.network.net4)),
        Family::V6 => scope.network.net6.map(|net| Expr::Source6(Is::In, net)),
    };
    let listed = Expr::SourceIn(Is::NotIn, set_of(NOTHING, family));
    std::iter::once(Expr::Family(family)).chain(net).chain([listed]).collect()
}

/// From peers to the cell itself.
pub(super) fn peers(scope: &Scope<'_>) -> Chain {
    let network = scope.network;
    let mut rules = Vec::new();
    for family in FAMILIES {
        // Names at the cell's own addresses only: other resolvers of the host are not meant.
        let cell = match family {
            Family::V4 => Some(Expr::Destination4(Is::In, network.cell4.into())),
            Family::V6 => network.cell6().map(|cell6| Expr::Destination6(Is::In, cell6.into())),
        };
        let Some(cell) = cell else { continue };
        let who = |sources| [has_something(scope, family), Vec::from(source_in(family, sources))];
        for sources in who("time").into_iter().filter(|_| scope.with_time()) {
            rules.push(time::accept(sources, cell.clone()));
        }
        let ports = || dns::ports(scope.desired).into_iter();
        let asked = who("dns").into_iter().flat_map(|sources| ports().map(move |at| (sources.clone(), at)));
        for (mut exprs, (transport, port)) in asked {
            exprs.push(cell.clone());
            exprs.extend([Expr::L4(transport), Expr::DestinationPort(port), Expr::Accept]);
            rules.push(rule("granted: names", exprs));
        }
    }
    rules.extend(granted(scope));
    for family in FAMILIES {
        let mut exprs = has_something(scope, family);
        exprs.extend([Expr::CtState(CT_ESTABLISHED | CT_RELATED), Expr::CtReply, Expr::Accept]);
        rules.push(rule("answers to the cell", exprs));
    }
    rules.push(rule("everything else from peers", [Expr::Counter, Expr::Reject]));
    Chain { name: "input_peers".to_owned(), base: None, rules }
}

/// From outside to the host, in the closed stance.
pub(super) fn outside(scope: &Scope<'_>) -> Chain {
    let desired = scope.desired;
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
    rules.extend(lan::firewall::served(scope.outside, desired));
    rules.extend(dns::outside::accept(desired, scope.facts));
    let port = Expr::DestinationPort(desired.wireguard.port);
    let open = |set: &str| Expr::DestinationPortIn(set.to_owned());
    let dialled = desired.exits.values().filter(|exit| exit.enabled).filter_map(|exit| exit.kind.listen());
    let dialled =
        dialled.map(|port| ("another cell", Knock::Other, [Expr::L4(L4::Udp), Expr::DestinationPort(port)]));
    let fixed = [
        ("ssh", Knock::Ssh, [Expr::L4(L4::Tcp), open("ssh")]),
        ("WireGuard", Knock::Other, [Expr::L4(L4::Udp), port]),
        ("open", Knock::Other, [Expr::L4(L4::Tcp), open("open_tcp")]),
        ("open", Knock::Other, [Expr::L4(L4::Udp), open("open_udp")]),
    ];
    for (why, knock, at) in fixed.into_iter().chain(dialled) {
        rules.extend(strangers::drops(scope, knock, &at));
        rules.push(rule(why, at.into_iter().chain([Expr::Accept])));
    }
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
pub(in crate::compile) fn neighbours() -> Vec<Rule> {
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
pub(super) fn inside() -> impl Iterator<Item = Expr> {
    INSIDE.into_iter().map(|name| Expr::Iif(Is::In, format!("{name}*")))
}

pub(super) fn input(scope: &Scope<'_>) -> Chain {
    let (desired, uplink) = (scope.desired, scope.uplink());
    let mut rules = vec![rule("the host to itself", [Expr::Iif(Is::In, "lo".to_owned()), Expr::Accept])];
    rules.extend(limits::input(scope));
    rules.extend(scope.exits.let_in());
    rules.push(rule("peers", [from_peers(), Expr::Jump("input_peers".to_owned())]));
    rules.extend(scope.exits.input());
    for lan in scope.lans {
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
