//! Changing interfaces and addresses, each so that doing it twice is the same as once.

use ipnet::IpNet;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressProtocol};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use pic_plan::marks::{ROUTE_PROTOCOL, WIREGUARD_INTERFACE, is_app, is_exit};
use pic_plan::plan::Action;
use pic_plan::target::link::Kind;

use super::{Error, observe};
use crate::netlink::{NLM_F_CREATE, NLM_F_EXCL, already, route_change};

/// Interface made and removed to find out what the kernel can do; never matches our numbered names.
const PROBE: &str = "pic-probe";

/// Does one action on an interface.
pub fn apply(action: &Action) -> Result<(), Error> {
    match action {
        Action::LinkCreate { name, kind: Kind::Wireguard, mtu, .. } => create(name, *mtu),
        Action::LinkCreate { name, kind: Kind::Vlan(id), mtu, parent: Some(parent) } => {
            create_vlan(name, *id, *mtu, parent)
        }
        Action::LinkUp { name } => up(name),
        Action::LinkCreate { name, .. } => Err(Error::NotOurs { name: name.clone() }),
        Action::LinkDelete { name } => delete(name),
        Action::LinkSet { name, mtu, up } => set(name, *mtu, *up),
        Action::AddressAdd { link, address } => add_address(link, *address),
        Action::AddressRemove { link, address } => remove_address(link, *address),
        _ => Err(Error::Misrouted),
    }
}

/// Whether the kernel makes WireGuard devices, found out by making one.
pub fn probe_kernel_wireguard() -> Result<bool, Error> {
    match create(PROBE, 1420) {
        Ok(()) => delete(PROBE).map(|()| true),
        Err(Error::NoKernelWireguard { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn create(name: &str, mtu: u32) -> Result<(), Error> {
    let mut message = named(name);
    message.attributes.push(LinkAttribute::Mtu(mtu));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Wireguard)]));
    match route_change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL) {
        Ok(()) => Ok(()),
        Err(error) if error.is(&[libc::EOPNOTSUPP]) => {
            Err(Error::NoKernelWireguard { name: name.to_owned() })
        }
        Err(error) if error.is(&[libc::EEXIST]) => match observe::kind(name)? {
            Some(Kind::Wireguard) => Ok(()),
            _ => Err(Error::Taken { name: name.to_owned() }),
        },
        Err(source) => Err(Error::Change { verb: "create", name: name.to_owned(), source }),
    }
}

/// IEEE 802.1Q, on an interface that must be there.
fn create_vlan(name: &str, id: u16, mtu: u32, parent: &str) -> Result<(), Error> {
    let fail = |source| Error::Change { verb: "create", name: name.to_owned(), source };
    let Some(carrier) = observe::index(parent).map_err(fail)? else {
        return Err(Error::NoParent { name: name.to_owned(), parent: parent.to_owned() });
    };
    let mut message = named(name);
    message.attributes.push(LinkAttribute::Mtu(mtu));
    message.attributes.push(LinkAttribute::Link(carrier));
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Vlan),
        LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(id)])),
    ]));
    match route_change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL) {
        Err(error) if error.is(&[libc::EEXIST]) && observe::kind(name)? != Some(Kind::Vlan(id)) => {
            Err(Error::Taken { name: name.to_owned() })
        }
        Err(error) if error.is(&[libc::EOPNOTSUPP]) => Err(Error::NoVlans { name: name.to_owned() }),
        change => already(change, &[libc::EEXIST]).map_err(fail),
    }
}

pub(crate) fn up(name: &str) -> Result<(), Error> {
    let mut message = named(name);
    message.header.change_mask = LinkFlags::Up;
    message.header.flags = LinkFlags::Up;
    route_change(RouteNetlinkMessage::SetLink(message), 0).map_err(|source| Error::Change {
        verb: "set up",
        name: name.to_owned(),
        source,
    })
}

fn delete(name: &str) -> Result<(), Error> {
    if observe::kind(name)? == Some(Kind::Wireguard) {
        // The kernel waits for each peer of a device it deletes, minutes for ten thousand; not so for an emptied one.
        let emptied = crate::wireguard::empty_kernel_device(name);
        already(emptied, &[libc::ENODEV]).map_err(|source| Error::Empty { name: name.to_owned(), source })?;
    }
    already(route_change(RouteNetlinkMessage::DelLink(named(name)), 0), &[libc::ENODEV])
        .map_err(|source| Error::Change { verb: "delete", name: name.to_owned(), source })
}

fn set(name: &str, mtu: u32, up: bool) -> Result<(), Error> {
    let mut message = named(name);
    message.attributes.push(LinkAttribute::Mtu(mtu));
    message.header.change_mask = LinkFlags::Up;
    if up {
        message.header.flags = LinkFlags::Up;
    }
    route_change(RouteNetlinkMessage::SetLink(message), 0).map_err(|source| Error::Change {
        verb: "set up",
        name: name.to_owned(),
        source,
    })
}

fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

fn add_address(name: &str, address: IpNet) -> Result<(), Error> {
    let fail = |source| Error::Address { verb: "add", name: name.to_owned(), address, source };
    let Some(index) = observe::index(name).map_err(fail)? else {
        return Err(fail(crate::netlink::Error::Refused(std::io::Error::from_raw_os_error(libc::ENODEV))));
    };
    let mut message = addressed(index, address);
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(ROUTE_PROTOCOL)));
    if matches!(address, IpNet::V6(_)) && (name == WIREGUARD_INTERFACE || is_exit(name) || is_app(name)) {
        // There is no neighbour on a tunnel to ask, and at the end of an app's cable only one; the check would only make
        // the address late.
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    // No IFA_F_NOPREFIXROUTE: the prefix route is what leads to the peers' network.
    let change = route_change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL);
    already(change, &[libc::EEXIST]).map_err(fail)
}

fn remove_address(name: &str, address: IpNet) -> Result<(), Error> {
    let fail = |source| Error::Address { verb: "remove", name: name.to_owned(), address, source };
    let Some(index) = observe::index(name).map_err(fail)? else { return Ok(()) };
    let change = route_change(RouteNetlinkMessage::DelAddress(addressed(index, address)), 0);
    already(change, &[libc::EADDRNOTAVAIL, libc::ENODEV]).map_err(fail)
}

fn addressed(index: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = address.prefix_len();
    message.header.family = match address {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.attributes.push(AddressAttribute::Local(address.addr()));
    message.attributes.push(AddressAttribute::Address(address.addr()));
    message
}
