//! The socket of the uplink: DHCPv6 as a client, beside whatever client the host has.

use std::io::{self, Read};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::{MsgFlags, SockaddrIn6, recvmsg};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::v6::{CLIENT_PORT, SERVER_PORT};
use crate::wire::frame::checksum;

const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;

/// Whether another program has the port that DHCPv6 clients listen on, on this interface or on all.
pub(super) fn is_port_taken(interface: &str) -> bool {
    let bind = || {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_only_v6(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        // Given back at once; without permission to share it, so that any other owner is found.
        socket.bind(&SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, CLIENT_PORT))))
    };
    matches!(bind(), Err(error) if error.kind() == io::ErrorKind::AddrInUse)
}

/// An open uplink.
#[derive(Debug)]
pub(super) struct UplinkPort {
    name: String,
    socket: Socket,
    index: u32,
    own: Ipv6Addr,
    was_running: bool,
}

impl UplinkPort {
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let index = if_nametoindex(name)?;
        let missing = || io::Error::new(io::ErrorKind::AddrNotAvailable, "no link-local address");
        let (own, was_running) = link_local(name).ok_or_else(missing)?;
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::UDP))?;
        socket.bind_device(Some(name.as_bytes()))?;
        socket.set_multicast_if_v6(index)?;
        socket.set_multicast_loop_v6(false)?;
        socket.set_nonblocking(true)?;
        // Nothing but what is sent to this address comes by it.
        socket.bind(&SockAddr::from(SocketAddrV6::new(own, 0, 0, index)))?;
        Ok(Self { name: name.to_owned(), socket, index, own, was_running })
    }

    /// Whether the interface is another one, has another address, or was unplugged and is back: then it may be another
    /// network.
    pub(super) fn is_stale(&mut self) -> bool {
        let Some((own, is_running)) = link_local(&self.name) else { return true };
        let is_back = is_running && !self.was_running;
        self.was_running = is_running;
        is_back || own != self.own || if_nametoindex(self.name.as_str()).ok() != Some(self.index)
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// A number that others do not know.
    pub(super) fn seed(&self) -> u64 {
        let mut bytes = [0; 8];
        let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
        // Without it transactions could be guessed by neighbours on the uplink's link, who can read them anyway.
        read.map_or_else(|_| u64::from(std::process::id()), |()| u64::from_ne_bytes(bytes))
    }

    /// Sends to all servers and relays of the link. What is lost is sent again.
    pub(super) fn send(&self, payload: &[u8]) {
        let length = u16::try_from(payload.len() + UDP_HEADER).unwrap_or(u16::MAX);
        let mut packet = Vec::with_capacity(payload.len() + UDP_HEADER);
        packet.extend_from_slice(&CLIENT_PORT.to_be_bytes());
        packet.extend_from_slice(&SERVER_PORT.to_be_bytes());
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(&[0, 0]);
        packet.extend_from_slice(payload);
        let pseudo = [0, 0, length.to_be_bytes()[0], length.to_be_bytes()[1], 0, 0, 0, UDP];
        let sum = match checksum(&[&self.own.octets(), &ALL_SERVERS.octets(), &pseudo, &packet]) {
            0 => u16::MAX,
            sum => sum,
        };
        packet[6..8].copy_from_slice(&sum.to_be_bytes());
        let to = SockAddr::from(SocketAddrV6::new(ALL_SERVERS, 0, 0, self.index));
        if let Err(error) = self.socket.send_to(&packet, &to) {
            tracing::debug!(interface = self.name, %error, "a question for a prefix was not sent");
        }
    }

    /// Where in the buffer the payload of a datagram to a DHCPv6 client lies, if one has come.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<Range<usize>> {
        for _ in 0..64 {
            let mut parts = [io::IoSliceMut::new(buffer)];
            let got =
                recvmsg::<SockaddrIn6>(self.socket.as_raw_fd(), &mut parts, None, MsgFlags::MSG_DONTWAIT);
            let length = got.ok()?.bytes;
            if length >= UDP_HEADER && buffer[2..4] == CLIENT_PORT.to_be_bytes() {
                return Some(UDP_HEADER..length);
            }
        }
        None
    }
}

/// The link-local address of an interface, and whether it has a carrier.
fn link_local(name: &str) -> Option<(Ipv6Addr, bool)> {
    let all = getifaddrs().ok()?.filter(|found| found.interface_name == name);
    let found = all.filter_map(|found| {
        let address = found.address?.as_sockaddr_in6()?.ip();
        Some((address, found.flags.contains(InterfaceFlags::IFF_RUNNING)))
    });
    found.into_iter().find(|(address, _)| address.is_unicast_link_local())
}
