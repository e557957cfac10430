//! The way to the internet: the interface of the best default route.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use pic_model::name::InterfaceName;
use pic_plan::facts::UplinkFacts;
use pic_plan::marks::INSIDE;

use super::Table;
use super::network::{MAIN, address, interfaces, table_of};

/// The uplink: of the IPv4 default route, or of the IPv6 one where there is only that.
pub(super) fn find(table: &Table) -> Option<UplinkFacts> {
    let (index, interface) =
        best(table, AddressFamily::Inet).or_else(|| best(table, AddressFamily::Inet6))?;
    let routes6 = best(table, AddressFamily::Inet6).is_some_and(|(other, _)| other == index);
    Some(UplinkFacts { ipv4: ipv4(table, index), ipv6: ipv6(table, index), routes6, interface })
}

/// Interfaces that take router advertisements and are not inside the host.
pub(super) fn advertised(table: &Table) -> BTreeSet<InterfaceName> {
    let takes = |name: &InterfaceName| {
        let value = std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{name}/accept_ra"));
        value.is_ok_and(|value| matches!(value.trim(), "1" | "2"))
    };
    let outside = |name: &&str| *name != "lo" && !INSIDE.iter().any(|start| name.starts_with(start));
    let names = table.names.keys().filter_map(|index| table.foreign_name(*index)).filter(outside);
    names.filter_map(|name| name.parse().ok()).filter(takes).collect()
}

fn best(table: &Table, family: AddressFamily) -> Option<(u32, InterfaceName)> {
    let is_default = |route: &&RouteMessage| {
        route.header.address_family == family
            && route.header.destination_prefix_length == 0
            && route.header.kind == RouteType::Unicast
            && table_of(route) == MAIN
    };
    let named = |route: &RouteMessage| {
        let of_first = |index: u32| Some((metric(route), index, table.foreign_name(index)?.parse().ok()?));
        interfaces(route).into_iter().find_map(of_first)
    };
    let candidates = table.routes.iter().filter(is_default).filter_map(named);
    candidates.min_by_key(|(metric, _, _)| *metric).map(|(_, index, name)| (index, name))
}

fn metric(route: &RouteMessage) -> u32 {
    let named = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Priority(metric) => Some(*metric),
        _ => None,
    });
    named.unwrap_or(0)
}

fn ipv4(table: &Table, index: u32) -> Option<Ipv4Addr> {
    usable(table, index).find_map(|ip| match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    })
}

/// An address of the internet goes before one of the site (`fc00::/7`), which is better than none.
fn ipv6(table: &Table, index: u32) -> Option<Ipv6Addr> {
    let all = usable(table, index).filter_map(|ip| match ip {
        IpAddr::V6(ip) => Some(ip),
        IpAddr::V4(_) => None,
    });
    all.min_by_key(Ipv6Addr::is_unique_local)
}

fn usable(table: &Table, index: u32) -> impl Iterator<Item = IpAddr> {
    let fit = move |a: &&AddressMessage| {
        a.header.index == index && a.header.scope == AddressScope::Universe && !is_passing(a)
    };
    table.addresses.iter().filter(fit).filter_map(|a| Some(address(a)?.addr()))
}

/// Whether an address is not there to stay: a temporary, deprecated, unverified or refused one. On IPv4 the same bit
/// as "temporary" only means that it is not the first of its network.
fn is_passing(message: &AddressMessage) -> bool {
    let attribute = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    });
    let flags = attribute.unwrap_or(AddressFlags::from_bits_retain(u32::from(message.header.flags.bits())));
    let bad = AddressFlags::Deprecated | AddressFlags::Tentative | AddressFlags::Dadfailed;
    let temporary = message.header.family == AddressFamily::Inet6 && flags.contains(AddressFlags::Secondary);
    flags.intersects(bad) || temporary
}
