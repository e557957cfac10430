//! Networks that the host already has or routes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType};
use pic_plan::facts::HostNetwork;

use super::{Table, is_ours};

/// Networks of addresses and of routes in any table, without defaults, loopback, link-local and multicast ones.
pub(super) fn list(table: &Table) -> Vec<HostNetwork> {
    let routed =
        table.routes.iter().filter(|route| route.header.kind == RouteType::Unicast).flat_map(|route| {
            let network = destination(route);
            interfaces(route).into_iter().filter_map(move |index| Some((network?, index)))
        });
    let connected = table.addresses.iter().filter_map(|a| Some((address(a)?.trunc(), a.header.index)));
    let networks: BTreeSet<HostNetwork> = routed
        .chain(connected)
        .filter(|(network, _)| is_someones(network))
        .filter_map(|(network, index)| {
            let interface = table.foreign_name(index).filter(|name| *name != "lo")?;
            Some(HostNetwork { network, interface: interface.to_owned() })
        })
        .collect();
    networks.into_iter().collect()
}

/// Addresses of our own interfaces.
pub(super) fn own_addresses(table: &Table) -> Vec<IpAddr> {
    let ours = |a: &&AddressMessage| table.names.get(&a.header.index).is_some_and(|name| is_ours(name));
    table.addresses.iter().filter(ours).filter_map(|a| Some(address(a)?.addr())).collect()
}

/// Destination of a route.
pub(super) fn destination(route: &RouteMessage) -> Option<IpNet> {
    let ip = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        RouteAttribute::Destination(RouteAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    });
    let ip = ip.or(match route.header.address_family {
        AddressFamily::Inet => Some(IpAddr::from([0; 4])),
        AddressFamily::Inet6 => Some(IpAddr::from([0; 16])),
        _ => None,
    });
    IpNet::new(ip?, route.header.destination_prefix_length).ok()
}

/// Interfaces a route goes out by; several where it has several hops.
pub(super) fn interfaces(route: &RouteMessage) -> Vec<u32> {
    let mut found = Vec::new();
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(index) => found.push(*index),
            RouteAttribute::MultiPath(hops) => found.extend(hops.iter().map(|hop| hop.interface_index)),
            _ => {}
        }
    }
    found
}

/// Number of the table a route is in.
pub(super) fn table_of(route: &RouteMessage) -> u32 {
    let named = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(number) => Some(*number),
        _ => None,
    });
    named.unwrap_or(u32::from(route.header.table))
}

/// The main table.
pub(super) const MAIN: u32 = RouteHeader::RT_TABLE_MAIN as u32;

/// An address with its prefix.
pub(super) fn address(message: &AddressMessage) -> Option<IpNet> {
    let find = |local: bool| {
        message.attributes.iter().find_map(move |attribute| match attribute {
            AddressAttribute::Local(ip) if local => Some(*ip),
            AddressAttribute::Address(ip) if !local => Some(*ip),
            _ => None,
        })
    };
    IpNet::new(find(true).or_else(|| find(false))?, message.header.prefix_len).ok()
}

fn is_someones(network: &IpNet) -> bool {
    if network.prefix_len() == 0 {
        return false;
    }
    match network.addr() {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.is_broadcast()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unicast_link_local() || ip.is_multicast()),
    }
}
