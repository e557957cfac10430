//! Policy rules and routes: the second of two layers that stop what the firewall has not granted.
//!
//! The firewall marks granted packets; a rule sends marked ones to the main table, and the next rule sends whatever
//! else came in from peers to a table of nothing but unreachable defaults. Flush either layer and the other stops
//! the packet.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Network, ResolvedLan};
use crate::marks::{
    MARK_ANSWER, MARK_DIRECT, MARK_INSIDE, MARK_MASK, METRIC_LAST, RULE_FIRST, TABLE_BLOCKED,
    WIREGUARD_INTERFACE,
};
use crate::target::route::{Route, RouteKind};
use crate::target::rule::{Family, Owner, Rule};

pub(super) const TABLE_MAIN: u32 = 254;
const TABLE_DEFAULT: u32 = 253;

pub(super) fn rules(lans: &[ResolvedLan<'_>]) -> BTreeSet<Rule> {
    let ours = |iif: &str, family, preference, fwmark, table| Rule {
        family,
        preference,
        iif: Some(iif.to_owned()),
        from: None,
        oif: None,
        fwmark,
        table,
        no_default: false,
        owner: Owner::Cell,
    };
    let kernel = |family, preference, table| Rule {
        family,
        preference,
        iif: None,
        from: None,
        oif: None,
        fwmark: None,
        table,
        no_default: false,
        owner: Owner::Kernel,
    };
    let mut rules = BTreeSet::new();
    for family in [Family::V4, Family::V6] {
        for iif in std::iter::once(WIREGUARD_INTERFACE).chain(lans.iter().map(|lan| lan.device.as_str())) {
            let marked =
                |more, mark| ours(iif, family, RULE_FIRST + more, Some((mark, MARK_MASK)), TABLE_MAIN);
            rules.insert(marked(0, MARK_DIRECT));
            rules.insert(marked(1, MARK_ANSWER));
            // Where its network is away, nothing for a host of the cell leaves by the way to the internet.
            rules.insert(Rule { no_default: true, ..marked(2, MARK_INSIDE) });
            rules.insert(ours(iif, family, RULE_FIRST + 10, None, TABLE_BLOCKED));
        }
        rules.insert(kernel(family, 32766, TABLE_MAIN));
    }
    rules.insert(kernel(Family::V4, 32767, TABLE_DEFAULT));
    rules
}

/// Routes; `prefixes` are the uplink's: packets to networks of them that no LAN has must not go back there
/// (RFC 7084, WPD-5).
pub(super) fn routes(network: &Network, prefixes: impl Iterator<Item = Ipv6Net>) -> BTreeSet<Route> {
    let unreachable =
        |table, destination| Route { table, destination, metric: METRIC_LAST, kind: RouteKind::Unreachable };
    let everything = [
        IpNet::from(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
        IpNet::from(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
    ];
    let blocked = everything.into_iter().map(|net| unreachable(TABLE_BLOCKED, net));
    // Packets to peers never leave by the uplink while the interface is away.
    let prefixes = prefixes.map(|net| unreachable(TABLE_MAIN, IpNet::V6(net)));
    blocked.chain(network.networks().map(|net| unreachable(TABLE_MAIN, net))).chain(prefixes).collect()
}
