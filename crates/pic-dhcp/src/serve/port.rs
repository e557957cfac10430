//! The sockets of one network. Frames are sent and ARP is heard by a packet socket; messages come by UDP, behind the
//! host's firewall.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::LinkAddr;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::look::Look;
use super::port6::Port6;
use crate::wire::frame::{self, EVERYONE, End};
use crate::wire::{CLIENT_PORT, Reply, SERVER_PORT, To};

/// Room for a burst while the disk is flushed.
pub(super) const BUFFER: usize = 4 << 20;

/// An interface by number and hardware address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interface {
    pub(super) index: u32,
    pub(super) mac: [u8; 6],
    pub(super) link: LinkAddr,
}

impl Interface {
    pub(super) fn find(name: &str) -> io::Result<Self> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no interface {name}"));
        let index = if_nametoindex(name).map_err(|_| missing())?;
        let link = getifaddrs()?
            .filter(|found| found.interface_name == name)
            .find_map(|found| found.address?.as_link_addr().copied());
        let link = link.ok_or_else(missing)?;
        let no_ethernet = || io::Error::new(io::ErrorKind::Unsupported, format!("{name} is no Ethernet"));
        Ok(Self { index, mac: link.addr().ok_or_else(no_ethernet)?, link })
    }

    /// A packet socket for one kind of frames.
    pub(super) fn packets(&self, ether_type: u16) -> io::Result<Socket> {
        let protocol = Protocol::from(i32::from(ether_type.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        nix::sys::socket::bind(socket.as_raw_fd(), &self.link)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// An open network.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) interface: Interface,
    pub(super) udp: UdpSocket,
    pub(super) arp: Socket,
    pub(super) look: Look,
    pub(super) v6: Option<Port6>,
}

impl Port {
    /// Opens the sockets of an interface.
    pub(super) fn open(name: &str, look: Look, with_v6: bool) -> io::Result<Self> {
        let interface = Interface::find(name)?;
        let udp = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        udp.set_reuse_address(true)?;
        udp.bind_device(Some(name.as_bytes()))?;
        udp.set_broadcast(true)?;
        // Capped by the system without error.
        let _ = udp.set_recv_buffer_size(BUFFER);
        udp.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, SERVER_PORT))))?;
        udp.set_nonblocking(true)?;
        let v6 = if with_v6 { Some(Port6::open(name, &interface)?) } else { None };
        let arp = interface.packets(frame::ETHER_ARP)?;
        Ok(Self { name: name.to_owned(), interface, udp: udp.into(), arp, look, v6 })
    }

    /// Whether the interface is another one now, or gone.
    pub(super) fn is_stale(&self) -> bool {
        if_nametoindex(self.name.as_str()).ok() != Some(self.interface.index)
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let v6 = self.v6.iter().flat_map(Port6::sockets);
        [self.udp.as_fd(), self.arp.as_fd()].into_iter().chain(self.look.socket()).chain(v6)
    }

    /// Sends a reply. One that cannot be sent is as good as lost on the way: the client asks again.
    pub(super) fn send(&self, server: Ipv4Addr, reply: &Reply) {
        let frame = |mac, ip| {
            let from = End { mac: self.interface.mac, ip: server, port: SERVER_PORT };
            let bytes = frame::udp(from, End { mac, ip, port: CLIENT_PORT }, &reply.bytes);
            self.arp.send(&bytes)
        };
        let sent = match reply.to {
            To::Relay(relay) => self.udp.send_to(&reply.bytes, (relay, SERVER_PORT)),
            To::Client(client) => self.udp.send_to(&reply.bytes, (client, CLIENT_PORT)),
            To::Hardware(mac, ip) => frame(mac, ip),
            To::Everyone => frame(EVERYONE, Ipv4Addr::BROADCAST),
        };
        if let Err(error) = sent {
            tracing::debug!(interface = self.name, %error, "a reply was not sent");
        }
    }

    /// Asks on the link who has an address.
    pub(super) fn ask(&self, address: Ipv4Addr) {
        if let Err(error) = self.arp.send(&frame::arp_probe(self.interface.mac, address)) {
            tracing::debug!(interface = self.name, %error, "a probe was not sent");
        }
    }
}
