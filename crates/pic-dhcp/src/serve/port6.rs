//! The v6 sockets of one network: solicitations and advertisements, and questions for the rest.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use pic_model::snapshot::dhcp::Ipv6Lan;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::port::Interface;
use crate::{ra, v6};

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// Packets looked at in one go.
const MANY: usize = 64;

/// Open sockets.
#[derive(Debug)]
pub(super) struct Port6 {
    icmp: Socket,
    dhcp: UdpSocket,
    index: u32,
    mac: [u8; 6],
    /// Milliseconds at which the next advertisement is due.
    next: u64,
}

impl Port6 {
    pub(super) fn open(name: &str, interface: &Interface) -> io::Result<Self> {
        let icmp = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        icmp.bind_device(Some(name.as_bytes()))?;
        // RFC 4861 section 4.2: one that was routed here says another number and is not believed.
        icmp.set_multicast_hops_v6(255)?;
        icmp.set_unicast_hops_v6(255)?;
        icmp.set_multicast_if_v6(interface.index)?;
        icmp.join_multicast_v6(&ALL_ROUTERS, interface.index)?;
        icmp.set_nonblocking(true)?;
        let dhcp = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        dhcp.set_only_v6(true)?;
        dhcp.set_reuse_address(true)?;
        dhcp.bind_device(Some(name.as_bytes()))?;
        dhcp.bind(&SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, v6::SERVER_PORT))))?;
        dhcp.join_multicast_v6(&ALL_SERVERS, interface.index)?;
        dhcp.set_nonblocking(true)?;
        Ok(Self { icmp, dhcp: dhcp.into(), index: interface.index, mac: interface.mac, next: 0 })
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.icmp.as_fd(), self.dhcp.as_fd()].into_iter()
    }

    /// Milliseconds at which something is due.
    pub(super) fn due(&self) -> u64 {
        self.next
    }

    /// Advertises when it is time, and answers who asks.
    pub(super) fn work(&mut self, lan: &Ipv6Lan, now: u64) {
        if now >= self.next {
            // A link-local address may still be checked for duplicates: then soon again.
            let sent = self.advertise(lan, ALL_NODES, false);
            self.next = now + if sent { ra::INTERVAL * 1000 } else { 500 };
        }
        let mut buffer = [0; 1500];
        for _ in 0..MANY {
            let Some((length, from)) = receive(&self.icmp, &mut buffer) else { break };
            let is_solicitation = length >= 8 && buffer[0] == ra::SOLICITATION;
            if is_solicitation && from.ip().is_unicast_link_local() {
                self.advertise(lan, *from.ip(), false);
            } else if is_solicitation && from.ip().is_unspecified() {
                self.advertise(lan, ALL_NODES, false);
            }
        }
        for _ in 0..MANY {
            let Ok((length, from)) = self.dhcp.recv_from(&mut buffer) else { break };
            let answer = buffer.get(..length).and_then(|packet| v6::answer(lan, self.mac, packet));
            if let Some(answer) = answer {
                let _ = self.dhcp.send_to(&answer, from);
            }
        }
    }

    /// Advertises as soon as possible.
    pub(super) fn soon(&mut self) {
        self.next = 0;
    }

    /// Takes back what was advertised.
    pub(super) fn farewell(&self, lan: &Ipv6Lan) {
        self.advertise(lan, ALL_NODES, true);
    }

    fn advertise(&self, lan: &Ipv6Lan, to: Ipv6Addr, farewell: bool) -> bool {
        let to = SocketAddr::V6(SocketAddrV6::new(to, 0, 0, self.index));
        let bytes = ra::advertisement(lan, self.mac, farewell);
        self.icmp.send_to(&bytes, &SockAddr::from(to)).is_ok()
    }
}

fn receive(socket: &Socket, buffer: &mut [u8]) -> Option<(usize, SocketAddrV6)> {
    use nix::sys::socket::{MsgFlags, SockaddrIn6, recvmsg};
    let mut parts = [io::IoSliceMut::new(buffer)];
    let got = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, None, MsgFlags::MSG_DONTWAIT).ok()?;
    Some((got.bytes, got.address.map(SocketAddrV6::from)?))
}
