//! What the kernel itself would do with a packet: its rules and tables asked, no packet sent (`ip route get`).

use std::net::IpAddr;

use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::netlink::{self, Socket, route_dump};

/// A packet that nobody sends.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// From.
    pub source: Option<IpAddr>,
    /// To.
    pub destination: IpAddr,
    /// Interface that it comes in by; `None`: this host sends it.
    pub iif: Option<&'a str>,
    /// Interface that its socket is bound to.
    pub oif: Option<&'a str>,
    /// Its mark.
    pub mark: u32,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Out of this interface.
    Out(String),
    /// To this host itself.
    Local,
    /// Nowhere, in words.
    Nowhere(String),
}

/// Asks the kernel.
pub fn look_up(ask: &Ask<'_>) -> Result<Answer, netlink::Error> {
    let mut message = RouteMessage::default();
    let length = if ask.destination.is_ipv4() { 32 } else { 128 };
    message.header.address_family =
        if ask.destination.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.destination_prefix_length = length;
    message.attributes.push(RouteAttribute::Destination(ask.destination.into()));
    if let Some(source) = ask.source {
        message.header.source_prefix_length = length;
        message.attributes.push(RouteAttribute::Source(source.into()));
    }
    for (name, make) in
        [(ask.iif, RouteAttribute::Iif as fn(u32) -> RouteAttribute), (ask.oif, RouteAttribute::Oif)]
    {
        if let Some(name) = name {
            let Some(index) = crate::link::index(name)? else {
                return Ok(Answer::Nowhere(format!("there is no interface {name}")));
            };
            message.attributes.push(make(index));
        }
    }
    if ask.mark != 0 {
        message.attributes.push(RouteAttribute::Mark(ask.mark));
    }
    match Socket::route()?.get(RouteNetlinkMessage::GetRoute(message)) {
        Ok(answers) => read(&answers),
        // EINVAL and EXDEV: a packet that the check of its way back stops (fib_validate_source).
        Err(error)
            if error.is(&[
                libc::EHOSTUNREACH,
                libc::ENETUNREACH,
                libc::EACCES,
                libc::EINVAL,
                libc::EXDEV,
            ]) =>
        {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            Ok(Answer::Nowhere(source.unwrap_or_else(|| error.to_string())))
        }
        Err(error) => Err(error),
    }
}

fn read(answers: &[RouteNetlinkMessage]) -> Result<Answer, netlink::Error> {
    let route = answers.iter().find_map(|answer| match answer {
        RouteNetlinkMessage::NewRoute(route) => Some(route),
        _ => None,
    });
    let route =
        route.ok_or_else(|| netlink::Error::Malformed("a route was asked for and none came".to_owned()))?;
    match route.header.kind {
        RouteType::Local => return Ok(Answer::Local),
        RouteType::Unicast => {}
        kind => return Ok(Answer::Nowhere(format!("a route of the kind {kind:?}"))),
    }
    let index = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    });
    let names = crate::link::names()?;
    let name = index.and_then(|index| names.get(&index)).cloned();
    name.map(Answer::Out).ok_or_else(|| netlink::Error::Malformed("a route without an interface".to_owned()))
}

/// What would be left of a table if the routes out of an interface were gone: `Err` says in words what still leads somewhere,
/// or that nothing stops there. Whoever made the routes.
pub fn stops(table: u32, interface: &str) -> Result<Result<(), String>, netlink::Error> {
    let names = crate::link::names()?;
    for (family, words) in [(AddressFamily::Inet, "IPv4"), (AddressFamily::Inet6, "IPv6")] {
        let mut ask = RouteMessage::default();
        ask.header.address_family = family;
        ask.attributes.push(RouteAttribute::Table(table));
        let answers = route_dump(RouteNetlinkMessage::GetRoute(ask))?;
        let mut is_stopped = false;
        for answer in &answers {
            let RouteNetlinkMessage::NewRoute(route) = answer else { continue };
            let (mut number, mut out) = (u32::from(route.header.table), None);
            for attribute in &route.attributes {
                match attribute {
                    RouteAttribute::Table(table) => number = *table,
                    RouteAttribute::Oif(index) => out = names.get(index),
                    _ => {}
                }
            }
            // An old kernel answers with every table.
            if number != table {
                continue;
            }
            let is_default = route.header.destination_prefix_length == 0;
            match route.header.kind {
                RouteType::Unreachable | RouteType::BlackHole | RouteType::Prohibit => {
                    is_stopped |= is_default
                }
                _ if out.is_some_and(|name| name == interface) => {}
                _ => {
                    let out = out.map_or("another way", String::as_str);
                    return Ok(Err(format!("{words} has a route by {out}")));
                }
            }
        }
        if !is_stopped {
            return Ok(Err(format!("nothing stops {words} behind the tunnel")));
        }
    }
    Ok(Ok(()))
}
