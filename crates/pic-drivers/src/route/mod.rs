//! Routes that carry our protocol number, in any table.
//!
//! Never touches a route of another protocol. A metric of 0 reads back as 1024 for IPv6, so plans must name one.
//! Tested in network namespaces against `ip -j route` (`tests/route.rs`).
#![forbid(unsafe_code)]

mod lookup;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use pic_plan::marks::ROUTE_PROTOCOL;
use pic_plan::plan::Action;
use pic_plan::target::route::{Route, RouteKind};

use crate::netlink::{self, NLM_F_CREATE, NLM_F_REPLACE, already, route_change, route_dump};

pub use lookup::{Answer, Ask, look_up, stops};

/// Why routes could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading.
    #[error("cannot list the routes")]
    List(#[source] netlink::Error),
    /// The route's interface is not there.
    #[error("cannot add the route to {destination} in table {table}: there is no interface {interface}")]
    NoInterface {
        /// Destination.
        destination: IpNet,
        /// Table.
        table: u32,
        /// Interface.
        interface: String,
    },
    /// A change failed.
    #[error("cannot {verb} the route to {destination} in table {table}")]
    Change {
        /// What was tried.
        verb: &'static str,
        /// Destination.
        destination: IpNet,
        /// Table.
        table: u32,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
    /// The action belongs to another module.
    #[error("not a route action")]
    Misrouted,
}

/// All routes with our protocol number. One of a shape that we never make (of several hops, to a router of the
/// other family) is
/// listed under a device name that no interface can have, so that it is unequal to every wanted one.
pub fn observe() -> Result<BTreeSet<Route>, Error> {
    let names = crate::link::names().map_err(Error::List)?;
    let mut routes = BTreeSet::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut ask = RouteMessage::default();
        ask.header.address_family = family;
        // The kernel sends only these, which matters on a host with a full routing table.
        ask.header.protocol = RouteProtocol::from(ROUTE_PROTOCOL);
        let answers = route_dump(RouteNetlinkMessage::GetRoute(ask)).map_err(Error::List)?;
        routes.extend(answers.iter().filter_map(|answer| ours(answer, &names)));
    }
    Ok(routes)
}

/// Our routes in one datagram of a dump with the number 0. Apart from the socket, so that fuzzing can reach it.
pub fn read_datagram(datagram: &[u8], names: &BTreeMap<u32, String>) -> Result<BTreeSet<Route>, Error> {
    let mut answers = Vec::new();
    netlink::take(datagram, 0, &mut answers, &mut false).map_err(Error::List)?;
    Ok(answers.iter().filter_map(|answer| ours(answer, names)).collect())
}

/// Does one action on a route.
pub fn apply(action: &Action) -> Result<(), Error> {
    match action {
        Action::RouteAdd(route) => add(route),
        Action::RouteRemove(route) => remove(route),
        _ => Err(Error::Misrouted),
    }
}

fn add(route: &Route) -> Result<(), Error> {
    let fail = |source| failed("add", route, source);
    let mut message = message(route);
    message.header.protocol = RouteProtocol::from(ROUTE_PROTOCOL);
    if let RouteKind::Device(name) | RouteKind::Gateway { device: name, .. } = &route.kind {
        let Some(index) = crate::link::index(name).map_err(fail)? else {
            return Err(Error::NoInterface {
                destination: route.destination,
                table: route.table,
                interface: name.clone(),
            });
        };
        message.attributes.push(RouteAttribute::Oif(index));
    }
    route_change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE).map_err(fail)
}

fn remove(route: &Route) -> Result<(), Error> {
    let fail = |source| failed("remove", route, source);
    let mut message = message(route);
    message.header.protocol = RouteProtocol::from(ROUTE_PROTOCOL);
    message.header.scope = RouteScope::NoWhere;
    if let RouteKind::Device(name) | RouteKind::Gateway { device: name, .. } = &route.kind
        && !name.contains(' ')
    {
        // With its interface the route went as well.
        let Some(index) = crate::link::index(name).map_err(fail)? else { return Ok(()) };
        message.attributes.push(RouteAttribute::Oif(index));
    }
    let change = route_change(RouteNetlinkMessage::DelRoute(message), 0);
    already(change, &[libc::ESRCH, libc::ENODEV, libc::ENOENT]).map_err(fail)
}

fn failed(verb: &'static str, route: &Route, source: netlink::Error) -> Error {
    Error::Change { verb, destination: route.destination, table: route.table, source }
}

fn message(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.destination_prefix_length = route.destination.prefix_len();
    message.header.address_family = match route.destination {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    (message.header.kind, message.header.scope) = match route.kind {
        RouteKind::Unreachable => (RouteType::Unreachable, RouteScope::Universe),
        RouteKind::Device(_) => (RouteType::Unicast, RouteScope::Link),
        RouteKind::Gateway { .. } => (RouteType::Unicast, RouteScope::Universe),
    };
    if let RouteKind::Gateway { via, .. } = &route.kind {
        message.attributes.push(RouteAttribute::Gateway((*via).into()));
    }
    message.attributes.push(RouteAttribute::Table(route.table));
    message.attributes.push(RouteAttribute::Priority(route.metric));
    if route.destination.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(route.destination.network().into()));
    }
    message
}

fn ours(answer: &RouteNetlinkMessage, names: &BTreeMap<u32, String>) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = answer else { return None };
    if u8::from(message.header.protocol) != ROUTE_PROTOCOL {
        return None;
    }
    let mut ip = match message.header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let mut table = u32::from(message.header.table);
    let (mut metric, mut device, mut indirect, mut gateway) = (0, None, false, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(to)) => ip = IpAddr::V4(*to),
            RouteAttribute::Destination(RouteAddress::Inet6(to)) => ip = IpAddr::V6(*to),
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Priority(number) => metric = *number,
            RouteAttribute::Oif(index) => device = names.get(index),
            RouteAttribute::Gateway(RouteAddress::Inet(via)) => gateway = Some(IpAddr::V4(*via)),
            RouteAttribute::Gateway(RouteAddress::Inet6(via)) => gateway = Some(IpAddr::V6(*via)),
            RouteAttribute::Gateway(_) | RouteAttribute::Via(_) | RouteAttribute::MultiPath(_) => {
                indirect = true
            }
            _ => {}
        }
    }
    let device = device.map_or("?", String::as_str);
    let kind = match message.header.kind {
        // IPv6 shows these on `lo`, which means nothing.
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::Unicast if !indirect => match gateway {
            Some(via) => RouteKind::Gateway { device: device.to_owned(), via },
            None => RouteKind::Device(device.to_owned()),
        },
        _ => RouteKind::Device(format!("{device} (not direct)")),
    };
    let destination = IpNet::new(ip, message.header.destination_prefix_length).ok()?;
    Some(Route { table, destination, metric, kind })
}
