//! Reading interfaces and addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage};
use pic_plan::target::link::{Kind, Link};

use super::Error;
use crate::netlink::{self, Socket};

/// Interfaces named `prefix` and a number, as `pic0`, by name.
pub fn observe(prefix: &str) -> Result<BTreeMap<String, Link>, Error> {
    let mut socket = Socket::route().map_err(Error::List)?;
    let mut links = BTreeMap::new();
    for message in all(&mut socket).map_err(Error::List)? {
        let Some(name) = name_of(&message).filter(|name| is_numbered(name, prefix)) else { continue };
        let addresses = addresses_of(&mut socket, message.header.index)
            .map_err(|source| Error::Read { name: name.to_owned(), source })?;
        let link = Link {
            kind: kind_of(&message),
            mtu: mtu_of(&message),
            up: message.header.flags.contains(LinkFlags::Up),
            addresses,
        };
        links.insert(name.to_owned(), link);
    }
    Ok(links)
}

/// The kind of one interface; `None` where there is none of this name.
pub(crate) fn kind(name: &str) -> Result<Option<Kind>, Error> {
    one(name)
        .map(|found| found.map(|message| kind_of(&message)))
        .map_err(|source| Error::Read { name: name.to_owned(), source })
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
            _ => {}
        }
    }
    Kind::Foreign
}

fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

fn addresses_of(socket: &mut Socket, index: u32) -> Result<BTreeSet<IpNet>, netlink::Error> {
    let mut ask = AddressMessage::default();
    ask.header.index = index;
    let answers = socket.dump(RouteNetlinkMessage::GetAddress(ask))?;
    Ok(answers.iter().filter_map(|answer| address_of(answer, index)).collect())
}

/// The interface's own address; on a point-to-point link `IFA_ADDRESS` is the other end, so `IFA_LOCAL` goes first.
fn address_of(answer: &RouteNetlinkMessage, index: u32) -> Option<IpNet> {
    let RouteNetlinkMessage::NewAddress(message) = answer else { return None };
    if message.header.index != index {
        return None;
    }
    let (mut local, mut address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            _ => {}
        }
    }
    let ip = local.or(address).filter(|ip| !is_link_local(ip))?;
    IpNet::new(ip, message.header.prefix_len).ok()
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
