//! Reading interfaces and addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoData, InfoVlan};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage};
use pic_plan::marks::ROUTE_PROTOCOL;
use pic_plan::target::link::{HostLink, Kind, Link};

use super::Error;
use crate::netlink::{self, Socket};

/// Interfaces named `prefix` and a number, as `pic0`, by name.
pub fn observe(prefix: &str) -> Result<BTreeMap<String, Link>, Error> {
    let mut socket = Socket::route().map_err(Error::List)?;
    let mut links = BTreeMap::new();
    let all = all(&mut socket).map_err(Error::List)?;
    for message in &all {
        let Some(name) = name_of(message).filter(|name| is_numbered(name, prefix)) else { continue };
        let addresses = addresses_of(&mut socket, message.header.index)
            .map_err(|source| Error::Read { name: name.to_owned(), source })?;
        let link = Link {
            kind: kind_of(message),
            mtu: mtu_of(message),
            up: message.header.flags.contains(LinkFlags::Up),
            addresses: addresses.into_iter().map(|(address, _)| address).collect(),
            parent: parent_of(message, &all),
        };
        links.insert(name.to_owned(), link);
    }
    Ok(links)
}

/// All other interfaces but loopback, by name.
pub fn observe_host(prefix: &str) -> Result<BTreeMap<String, HostLink>, Error> {
    let mut socket = Socket::route().map_err(Error::List)?;
    let mut links = BTreeMap::new();
    for message in all(&mut socket).map_err(Error::List)? {
        let other = |name: &&str| !is_numbered(name, prefix) && *name != "lo";
        let Some(name) = name_of(&message).filter(other) else { continue };
        let addresses = addresses_of(&mut socket, message.header.index)
            .map_err(|source| Error::Read { name: name.to_owned(), source })?;
        let mut link = HostLink { up: message.header.flags.contains(LinkFlags::Up), ..HostLink::default() };
        for (address, is_ours) in addresses {
            if is_ours {
                link.ours.insert(address)
            } else {
                link.others.insert(address)
            };
        }
        links.insert(name.to_owned(), link);
    }
    Ok(links)
}

/// Name of the interface that carries a VLAN. Other kinds have such a number too (a bridge's port), which means nothing
/// to us.
fn parent_of(message: &LinkMessage, all: &[LinkMessage]) -> Option<String> {
    if !matches!(kind_of(message), Kind::Vlan(_)) {
        return None;
    }
    let number = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Link(number) => Some(*number),
        _ => None,
    })?;
    all.iter().find(|other| other.header.index == number).and_then(name_of).map(str::to_owned)
}

/// The kind of one interface; `None` where there is none of this name.
pub(crate) fn kind(name: &str) -> Result<Option<Kind>, Error> {
    one(name)
        .map(|found| found.map(|message| kind_of(&message)))
        .map_err(|source| Error::Read { name: name.to_owned(), source })
}

/// Whether an interface is up and its cable, or what stands for one, leads somewhere (`IFF_LOWER_UP`); `None` where there is
/// none of this name. Routes through an interface may well stay when its cable is out.
pub fn has_carrier(name: &str) -> Result<Option<bool>, Error> {
    let found = one(name).map_err(|source| Error::Read { name: name.to_owned(), source })?;
    Ok(found.map(|message| message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp)))
}

/// The kernel's number of an interface.
pub(crate) fn index(name: &str) -> Result<Option<u32>, netlink::Error> {
    Ok(one(name)?.map(|message| message.header.index))
}

/// Names of all interfaces by number.
pub(crate) fn names() -> Result<BTreeMap<u32, String>, netlink::Error> {
    let messages = all(&mut Socket::route()?)?;
    Ok(messages.iter().filter_map(|m| Some((m.header.index, name_of(m)?.to_owned()))).collect())
}

fn all(socket: &mut Socket) -> Result<Vec<LinkMessage>, netlink::Error> {
    let mut ask = LinkMessage::default();
    ask.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    Ok(socket.dump(RouteNetlinkMessage::GetLink(ask))?.into_iter().filter_map(as_link).collect())
}

fn one(name: &str) -> Result<Option<LinkMessage>, netlink::Error> {
    let mut ask = LinkMessage::default();
    ask.attributes.push(LinkAttribute::IfName(name.to_owned()));
    match Socket::route()?.get(RouteNetlinkMessage::GetLink(ask)) {
        Ok(answers) => Ok(answers.into_iter().find_map(as_link)),
        Err(error) if error.is(&[libc::ENODEV]) => Ok(None),
        Err(error) => Err(error),
    }
}

fn as_link(message: RouteNetlinkMessage) -> Option<LinkMessage> {
    match message {
        RouteNetlinkMessage::NewLink(link) => Some(link),
        _ => None,
    }
}

fn name_of(message: &LinkMessage) -> Option<&str> {
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

fn mtu_of(message: &LinkMessage) -> u32 {
    let mtu = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Mtu(mtu) => Some(*mtu),
        _ => None,
    });
    mtu.unwrap_or_default()
}

fn kind_of(message: &LinkMessage) -> Kind {
    let infos = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    for info in infos.into_iter().flatten() {
        match info {
            LinkInfo::Kind(InfoKind::Wireguard) => return Kind::Wireguard,
            LinkInfo::Kind(InfoKind::Tun) => return Kind::Tun,
            LinkInfo::Kind(InfoKind::Veth) => return Kind::Veth,
            LinkInfo::Data(InfoData::Vlan(data)) => {
                let number = data.iter().find_map(|datum| match datum {
                    InfoVlan::Id(number) => Some(*number),
                    _ => None,
                });
                return number.map_or(Kind::Foreign, Kind::Vlan);
            }
            _ => {}
        }
    }
    Kind::Foreign
}

fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Addresses of one interface.
pub(crate) fn addresses(index: u32) -> Result<BTreeSet<IpNet>, netlink::Error> {
    let found = addresses_of(&mut Socket::route()?, index)?;
    Ok(found.into_iter().map(|(address, _)| address).collect())
}

/// Addresses, and whether each carries our protocol number (`IFA_PROTO`, kernel 5.18).
fn addresses_of(socket: &mut Socket, index: u32) -> Result<BTreeSet<(IpNet, bool)>, netlink::Error> {
    let mut ask = AddressMessage::default();
    ask.header.index = index;
    let answers = socket.dump(RouteNetlinkMessage::GetAddress(ask))?;
    Ok(answers.iter().filter_map(|answer| address_of(answer, index)).collect())
}

/// The interface's own address; on a point-to-point link `IFA_ADDRESS` is the other end, so `IFA_LOCAL` goes first.
fn address_of(answer: &RouteNetlinkMessage, index: u32) -> Option<(IpNet, bool)> {
    let RouteNetlinkMessage::NewAddress(message) = answer else { return None };
    if message.header.index != index {
        return None;
    }
    let (mut local, mut address, mut is_ours) = (None, None, false);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            AddressAttribute::Protocol(whose) => is_ours = u8::from(*whose) == ROUTE_PROTOCOL,
            _ => {}
        }
    }
    let ip = local.or(address).filter(|ip| !is_link_local(ip))?;
    Some((IpNet::new(ip, message.header.prefix_len).ok()?, is_ours))
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbered_names_are_ours() {
        for ours in ["pic0", "pic12"] {
            assert!(is_numbered(ours, "pic"), "{ours}");
        }
        for other in ["pic", "pic-probe", "picture0", "pic0a", "opic0"] {
            assert!(!is_numbered(other, "pic"), "{other}");
        }
    }
}
