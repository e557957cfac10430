//! Where a packet goes next, by our policy rules and routes and what is known of the host's own.

use std::net::IpAddr;

use ipnet::IpNet;

use super::packet::Packet;
use crate::facts::Facts;
use crate::marks::{MARK_DIRECT, MARK_MASK};
use crate::target::Targets;
use crate::target::route::RouteKind;
use crate::target::rule::Rule;

const TABLE_MAIN: u32 = 254;

/// The next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The host itself.
    Local,
    /// Out of this interface.
    Out(String),
    /// Nowhere.
    Nowhere,
}

/// Whether an address is the host's own, as far as is known: ours, and those of the uplink.
pub(super) fn is_local(targets: &Targets, facts: &Facts, address: IpAddr) -> bool {
    let ours = targets.links.values().flat_map(|link| &link.addresses);
    let ours = ours.chain(targets.host_links.values().flatten());
    let uplink = facts.uplink.iter();
    let uplink = uplink.flat_map(|up| [up.ipv4.map(IpAddr::from), up.ipv6.map(IpAddr::from)]).flatten();
    address.is_loopback() || ours.map(IpNet::addr).chain(uplink).any(|own| own == address)
}

/// The next hop, and what decided, in words.
pub(super) fn next(targets: &Targets, facts: &Facts, packet: &Packet, mark: u32) -> (Next, String) {
    if is_local(targets, facts, packet.destination) {
        return (Next::Local, format!("{} is the cell itself", packet.destination));
    }
    let family = packet.family();
    let fits = |rule: &&Rule| {
        rule.family == family
            && rule.oif.is_none()
            && rule.from.is_none_or(|from| packet.source == from)
            && rule.iif.as_ref().is_none_or(|iif| packet.iif.as_ref() == Some(iif))
            && rule.fwmark.is_none_or(|(value, mask)| mark & MARK_MASK & mask == value)
    };
    let mut rules: Vec<&Rule> = targets.rules.iter().filter(fits).collect();
    rules.sort_by_key(|rule| rule.preference);
    for rule in rules {
        let found = look_up(targets, facts, rule.table, packet.destination);
        if let Some((net, next)) = found.filter(|(net, _)| !rule.no_default || net.prefix_len() > 0) {
            let table = if rule.table == TABLE_MAIN { "main".to_owned() } else { rule.table.to_string() };
            let by = format!("rule {}, table {table}, {net}", rule.preference);
            let words = match &next {
                Next::Out(interface) => match targets.exits.get(interface) {
                    Some(exit) => format!("by exit {exit}, {interface} ({by})"),
                    None => format!("by {interface} ({by})"),
                },
                Next::Local | Next::Nowhere => format!("{} ({by})", nowhere(facts, packet, mark)),
            };
            return (next, words);
        }
    }
    (Next::Nowhere, format!("this host has no route to {}", packet.destination))
}

/// Why what came to the end of all tables has no way.
fn nowhere(facts: &Facts, packet: &Packet, mark: u32) -> &'static str {
    let has_v6 = facts.uplink.as_ref().is_some_and(|uplink| uplink.routes6);
    match mark & MARK_MASK {
        0 => "no way for what was not granted one",
        MARK_DIRECT if packet.destination.is_ipv6() && !has_v6 => "this host has no IPv6 to the internet",
        _ => "granted, and this host has no way there",
    }
}

/// The longest match of a table, of equal ones that with the lowest metric.
fn look_up(targets: &Targets, facts: &Facts, table: u32, destination: IpAddr) -> Option<(IpNet, Next)> {
    let ours = targets.routes.iter().filter(|route| route.table == table).map(|route| {
        let next = match &route.kind {
            RouteKind::Unreachable => Next::Nowhere,
            RouteKind::Device(name) | RouteKind::Gateway { device: name, .. } => Next::Out(name.clone()),
        };
        (route.destination, route.metric, next)
    });
    let host = connected(targets, facts).filter(|_| table == TABLE_MAIN);
    let host = host.map(|(net, interface)| (net, 0, Next::Out(interface.to_owned())));
    let all = ours.chain(host).filter(|(net, ..)| net.contains(&destination));
    let best = all.min_by_key(|(net, metric, _)| (std::cmp::Reverse(net.prefix_len()), *metric))?;
    Some((best.0, best.2))
}

/// What the main table has beside our routes: networks of interfaces, and the default route.
fn connected<'a>(targets: &'a Targets, facts: &'a Facts) -> impl Iterator<Item = (IpNet, &'a str)> {
    let named = |(name, link): (&'a String, &'a crate::target::link::Link)| {
        link.addresses.iter().map(move |net| (net.trunc(), name.as_str()))
    };
    let links = targets.links.iter().flat_map(named);
    let lans = targets.host_links.iter();
    let lans = lans.flat_map(|(name, nets)| nets.iter().map(move |net| (net.trunc(), name.as_str())));
    let others = facts.host_networks.iter().map(|near| (near.network, near.interface.as_str()));
    links.chain(lans).chain(others).chain(defaults(facts))
}

fn defaults(facts: &Facts) -> impl Iterator<Item = (IpNet, &str)> {
    facts.uplink.iter().flat_map(|up| {
        let v4 = up.ipv4.map(|_| IpNet::V4(ipnet::Ipv4Net::default()));
        let v6 = up.routes6.then(|| IpNet::V6(ipnet::Ipv6Net::default()));
        [v4, v6].into_iter().flatten().map(|net| (net, up.interface.as_str()))
    })
}
