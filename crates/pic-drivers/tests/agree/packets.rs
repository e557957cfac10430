//! First packets of connections, told apart by their source port or, of a ping, by its number; and who hears them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect, recv, sendto,
    setsockopt, socket, sockopt,
};
use pic_model::desired::Protocol;
use pic_model::reach::Service;
use pic_plan::reach::{Packet, Trace};

/// One packet to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    /// Host that sends it.
    pub(crate) from: usize,
    pub(crate) packet: Packet,
    pub(crate) id: u16,
    /// What walking says.
    pub(crate) allowed: bool,
    pub(crate) trace: Trace,
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn at(address: IpAddr, port: u16) -> SockaddrStorage {
    SocketAddr::new(address, port).into()
}

impl Probe {
    /// That the kernel refuses it is an answer, too.
    pub(crate) fn send(&self) {
        let Packet { source, destination, service, .. } = self.packet;
        match service {
            Service::Ping => self.ping(),
            Service::Port(port) if port.protocol == Protocol::Udp => {
                let socket = UdpSocket::bind((source, self.id)).unwrap();
                let _ = socket.send_to(b"probe", (destination, port.number));
            }
            Service::Port(port) => {
                let socket = socket(family(source), SockType::Stream, SockFlag::SOCK_NONBLOCK, None).unwrap();
                bind(socket.as_raw_fd(), &at(source, self.id)).unwrap();
                let _ = connect(socket.as_raw_fd(), &at(destination, port.number));
            }
        }
    }

    fn ping(&self) {
        let Packet { source, destination, .. } = self.packet;
        let (kind, protocol) =
            if source.is_ipv4() { (8, SockProtocol::Icmp) } else { (128, SockProtocol::IcmpV6) };
        let [high, low] = self.id.to_be_bytes();
        let mut echo = [kind, 0, 0, 0, high, low, 0, 1];
        if source.is_ipv4() {
            // Over four words, of which three are not zero (RFC 792).
            let sum = 0x0800 + u32::from(self.id) + 1;
            let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
            echo[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let socket = socket(family(source), SockType::Raw, SockFlag::empty(), protocol).unwrap();
        bind(socket.as_raw_fd(), &at(source, 0)).unwrap();
        let _ = sendto(socket.as_raw_fd(), &echo, &at(destination, 0), MsgFlags::empty());
    }
}

/// Room for all packets of a case, and for what is said against them.
const BUFFER: usize = 8 << 20;

/// Hears every first packet that a host takes in.
pub(crate) struct Ears(Vec<(OwnedFd, AddressFamily, SockProtocol)>);

impl Ears {
    pub(crate) fn open() -> Self {
        let kinds = [
            (AddressFamily::Inet, SockProtocol::Udp),
            (AddressFamily::Inet, SockProtocol::Tcp),
            (AddressFamily::Inet, SockProtocol::Icmp),
            (AddressFamily::Inet6, SockProtocol::Udp),
            (AddressFamily::Inet6, SockProtocol::Tcp),
            (AddressFamily::Inet6, SockProtocol::IcmpV6),
        ];
        let open = |(family, protocol)| {
            let socket = socket(family, SockType::Raw, SockFlag::SOCK_NONBLOCK, protocol).unwrap();
            setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).unwrap();
            (socket, family, protocol)
        };
        Self(kinds.map(open).into())
    }

    /// Takes what has come in.
    pub(crate) fn hear(&self, arrived: &mut BTreeSet<u16>) {
        let mut buffer = [0; 2048];
        for (socket, family, protocol) in &self.0 {
            while let Ok(length) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                // A v4 packet comes with its header.
                let header = if *family == AddressFamily::Inet { usize::from(buffer[0] & 15) * 4 } else { 0 };
                let transport = buffer.get(header..length).unwrap_or_default();
                arrived.extend(number(transport, *protocol));
            }
        }
    }
}

/// The number of a packet that begins something.
fn number(transport: &[u8], protocol: SockProtocol) -> Option<u16> {
    let word = |at: usize| Some(u16::from_be_bytes(*transport.get(at..)?.first_chunk()?));
    match protocol {
        SockProtocol::Udp => word(0),
        // SYN alone; the host's refusal of one has RST.
        SockProtocol::Tcp => word(0).filter(|_| transport.get(13).is_some_and(|flags| flags & 0x16 == 2)),
        SockProtocol::Icmp => word(4).filter(|_| transport.first() == Some(&8)),
        _ => word(4).filter(|_| transport.first() == Some(&128)),
    }
}
