//! The network namespace of an app, from within: the cable to the cell, and addresses and ways at this end of it.
//!
//! The cable is made here and its other end put into the host's namespace, so that nobody needs more power than over
//! networks (CAP_NET_ADMIN): entering a namespace takes far more. Never touches anything of the host's namespace but that end,
//! which goes with this one. What is as it should be is not touched, so that looking again costs no notice.
//! Tested in network namespaces (`tests/kernel/namespace.rs`).
#![forbid(unsafe_code)]

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use ipnet::IpNet;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sched::{CloneFlags, unshare};
use pic_model::snapshot::app::AppSnapshot;

use crate::link;
use crate::netlink::{self, NLM_F_CREATE, NLM_F_EXCL, already, route_change};

/// What programs in the namespace see.
pub const INNER: &str = "eth0";
const LOOPBACK: &str = "lo";

/// Why the namespace is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No namespace of our own.
    #[error("cannot enter a network namespace of its own")]
    Enter(#[source] std::io::Error),
    /// There is an interface of that name in the host's namespace.
    #[error("cannot lay the cable: {outer} is there already and is not ours to take; remove or rename it")]
    Taken {
        /// The cell's end.
        outer: String,
    },
    /// A change failed.
    #[error("cannot {verb} {what}")]
    Change {
        /// What was tried.
        verb: &'static str,
        /// With what.
        what: String,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
    /// An interface could not be set up.
    #[error("the cable is not up")]
    Link(#[source] link::Error),
}

/// Where the host's own namespace is.
#[derive(Debug)]
pub enum Host {
    /// That of process 1, as seen by a unit with PrivateNetwork=.
    Init,
    /// This one, where there is no service manager.
    Left(File),
}

impl Host {
    /// Leaves the present namespace, which is the host's, for a new one. For a program with one thread.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn leave() -> Result<Self, Error> {
        let left = File::open("/proc/thread-self/ns/net").map_err(Error::Enter)?;
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| Error::Enter(errno.into()))?;
        Ok(Self::Left(left))
    }

    fn attribute(&self) -> LinkAttribute {
        match self {
            Self::Init => LinkAttribute::NetNsPid(1),
            Self::Left(file) => LinkAttribute::NetNsFd(file.as_raw_fd()),
        }
    }
}

fn failed(verb: &'static str, what: impl ToString) -> impl FnOnce(netlink::Error) -> Error {
    move |source| Error::Change { verb, what: what.to_string(), source }
}

/// Whether there is a cable.
///
/// # Errors
/// The kernel does not tell.
pub fn has_cable() -> Result<bool, Error> {
    link::index(INNER).map(|index| index.is_some()).map_err(failed("find", INNER))
}

/// Whether there is a cable with these addresses at this end, as the one before left it.
///
/// # Errors
/// The kernel does not tell.
pub fn holds(wanted: &AppSnapshot) -> Result<bool, Error> {
    let fail = || failed("find the addresses of", INNER);
    let Some(index) = link::index(INNER).map_err(fail())? else { return Ok(false) };
    let present = link::addresses(index).map_err(fail())?;
    Ok(wanted.addresses.iter().all(|address| present.contains(address)))
}

/// Makes the namespace what it should be, as far as it is not.
///
/// # Errors
/// See [`Error`].
pub fn ensure(wanted: &AppSnapshot, host: &Host) -> Result<(), Error> {
    link::up(LOOPBACK).map_err(Error::Link)?;
    if !has_cable()? {
        lay(wanted, host)?;
    }
    let Some(index) = link::index(INNER).map_err(failed("find", INNER))? else { return Ok(()) };
    link::up(INNER).map_err(Error::Link)?;
    for address in &wanted.addresses {
        let change = RouteNetlinkMessage::NewAddress(own(index, *address));
        already(route_change(change, NLM_F_CREATE | NLM_F_EXCL), &[libc::EEXIST])
            .map_err(failed("add address", address))?;
    }
    for gateway in &wanted.gateways {
        let change = RouteNetlinkMessage::NewRoute(everywhere(index, *gateway));
        already(route_change(change, NLM_F_CREATE | NLM_F_EXCL), &[libc::EEXIST])
            .map_err(failed("add the way by", gateway))?;
    }
    Ok(())
}

/// Takes the cable away, at both ends.
///
/// # Errors
/// The kernel refuses.
pub fn cut() -> Result<(), Error> {
    let change = RouteNetlinkMessage::DelLink(named(INNER));
    already(route_change(change, 0), &[libc::ENODEV]).map_err(failed("remove", INNER))
}

fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

/// Both ends in one step: there is never one without the other.
fn lay(wanted: &AppSnapshot, host: &Host) -> Result<(), Error> {
    let mut outer = named(&wanted.outer);
    outer.attributes.push(LinkAttribute::Mtu(wanted.mtu));
    outer.attributes.push(host.attribute());
    let mut inner = named(INNER);
    inner.attributes.push(LinkAttribute::Mtu(wanted.mtu));
    inner.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(outer))),
    ]));
    match route_change(RouteNetlinkMessage::NewLink(inner), NLM_F_CREATE | NLM_F_EXCL) {
        Err(error) if error.is(&[libc::EEXIST]) => Err(Error::Taken { outer: wanted.outer.clone() }),
        change => change.map_err(failed("lay the cable to", &wanted.outer)),
    }
}

/// There is one neighbour, the cell, so that looking for another one with the address would only make it late.
fn own(index: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = address.prefix_len();
    message.header.family = family(address.addr());
    if address.addr().is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes.push(AddressAttribute::Local(address.addr()));
    message.attributes.push(AddressAttribute::Address(address.addr()));
    message
}

fn everywhere(index: u32, gateway: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(gateway);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Gateway(gateway.into()));
    message.attributes.push(RouteAttribute::Oif(index));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}
