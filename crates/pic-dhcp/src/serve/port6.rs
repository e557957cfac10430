//! The v6 sockets of one network: solicitations and advertisements, and DHCPv6.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use ipnet::Ipv6Net;
use pic_model::snapshot::dhcp::Ipv6Lan;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::port::{BUFFER, Interface};
use crate::prefixes::{Life, Prefix};
use crate::ra::{self, Heard};
use crate::v6;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// Packets looked at in one go.
const MANY: usize = 64;
/// Milliseconds that hosts may have addresses of a prefix that is no longer there.
const GOING: u64 = 7_200_000;
/// Milliseconds after which another router that is silent has gone.
const SILENT: u64 = 1_800_000;
/// Other routers that are remembered; hosts that wait for an answer.
const MOST: usize = 16;

/// Open sockets.
#[derive(Debug)]
pub(super) struct Port6 {
    icmp: Socket,
    dhcp: UdpSocket,
    index: u32,
    mac: [u8; 6],
    /// Milliseconds at which the next advertisement to everyone is due, and the last was sent.
    next: u64,
    last: u64,
    /// Advertisements that come in short order.
    first: u8,
    /// Hosts that asked, with the milliseconds at which they are answered.
    asked: BTreeMap<Ipv6Addr, u64>,
    /// Prefixes that are no longer there, and until when hosts are told.
    former: BTreeMap<Ipv6Net, u64>,
    /// Other routers, and when they were last heard.
    heard: BTreeMap<Ipv6Addr, (Heard, u64)>,
}

impl Port6 {
    pub(super) fn open(name: &str, interface: &Interface) -> io::Result<Self> {
        let icmp = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        icmp.bind_device(Some(name.as_bytes()))?;
        // RFC 4861 section 4.2: one that was routed here says another number and is not believed.
        icmp.set_multicast_hops_v6(255)?;
        icmp.set_unicast_hops_v6(255)?;
        icmp.set_multicast_if_v6(interface.index)?;
        icmp.set_multicast_loop_v6(false)?;
        icmp.join_multicast_v6(&ALL_ROUTERS, interface.index)?;
        icmp.set_nonblocking(true)?;
        let dhcp = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        dhcp.set_only_v6(true)?;
        dhcp.set_reuse_address(true)?;
        dhcp.bind_device(Some(name.as_bytes()))?;
        // Capped by the system without error.
        let _ = dhcp.set_recv_buffer_size(BUFFER);
        dhcp.bind(&SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, v6::SERVER_PORT))))?;
        dhcp.join_multicast_v6(&ALL_SERVERS, interface.index)?;
        dhcp.set_nonblocking(true)?;
        Ok(Self {
            icmp,
            dhcp: dhcp.into(),
            index: interface.index,
            mac: interface.mac,
            next: 0,
            last: 0,
            first: ra::FIRST,
            asked: BTreeMap::new(),
            former: BTreeMap::new(),
            heard: BTreeMap::new(),
        })
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.icmp.as_fd(), self.dhcp.as_fd()].into_iter()
    }

    /// Milliseconds at which something is due.
    pub(super) fn due(&self) -> u64 {
        self.asked.values().copied().min().map_or(self.next, |asked| asked.min(self.next))
    }

    /// Advertises when it is time, and hears who asks and who else advertises.
    pub(super) fn work(&mut self, lan: &Ipv6Lan, prefixes: &[Prefix], now: u64) {
        self.hear(now);
        self.former.retain(|net, until| *until > now && !prefixes.iter().any(|prefix| prefix.net == *net));
        let former = self.former.keys().map(|net| Prefix { net: *net, life: Life::OVER });
        let prefixes: Vec<_> = prefixes.iter().copied().chain(former).collect();
        if now >= self.next {
            // A link-local address may still be checked for duplicates: then soon again.
            let sent = self.advertise(lan, &prefixes, ALL_NODES, false);
            let pause = if self.first > 0 { ra::FIRST_INTERVAL } else { ra::INTERVAL };
            self.next = now + if sent { pause * 1000 } else { 500 };
            if sent {
                (self.last, self.first) = (now, self.first.saturating_sub(1));
            }
        }
        for host in self.asked.extract_if(.., |_, due| now >= *due).map(|(host, _)| host).collect::<Vec<_>>()
        {
            self.advertise(lan, &prefixes, host, false);
        }
    }

    fn hear(&mut self, now: u64) {
        let mut buffer = [0; 1500];
        for _ in 0..MANY {
            let Some((length, from)) = receive(&self.icmp, &mut buffer) else { break };
            let packet = buffer.get(..length).unwrap_or_default();
            let from = *from.ip();
            match packet.first() {
                Some(&ra::SOLICITATION) if length >= 8 => self.asked_by(from, now),
                Some(&ra::ADVERTISEMENT) if from.is_unicast_link_local() => {
                    let is_known = self.heard.contains_key(&from) || self.heard.len() < MOST;
                    if let Some(heard) = ra::read(packet).filter(|_| is_known) {
                        self.heard.insert(from, (heard, now));
                    }
                }
                _ => {}
            }
        }
    }

    /// Who asks hears within a random time (RFC 4861 section 6.2.6), and everyone at most now and then.
    fn asked_by(&mut self, host: Ipv6Addr, now: u64) {
        let soon = now + now.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(self.mac[5])) % ra::DELAY;
        if host.is_unicast_link_local() && self.asked.len() < MOST {
            self.asked.entry(host).or_insert(soon);
        } else {
            self.next = self.next.min(soon.max(self.last + ra::PAUSE));
        }
    }

    /// A DHCPv6 packet, if one has come.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddrV6)> {
        match self.dhcp.recv_from(buffer).ok()? {
            (length, SocketAddr::V6(from)) => Some((length, from)),
            (_, SocketAddr::V4(_)) => None,
        }
    }

    /// Sends a DHCPv6 answer. One that cannot be sent is as good as lost on the way: the client asks again.
    pub(super) fn send(&self, to: SocketAddrV6, bytes: &[u8]) {
        if let Err(error) = self.dhcp.send_to(bytes, to) {
            tracing::debug!(%to, %error, "an answer was not sent");
        }
    }

    /// Advertises as soon as possible, a few times; prefixes that are no longer there are said to be over.
    pub(super) fn soon(&mut self, gone: impl IntoIterator<Item = Ipv6Net>, now: u64) {
        self.former.extend(gone.into_iter().map(|net| (net, now + GOING)));
        (self.next, self.first) = (0, ra::FIRST);
    }

    /// Takes back what was advertised.
    pub(super) fn farewell(&self, lan: &Ipv6Lan, prefixes: &[Prefix]) {
        self.advertise(lan, prefixes, ALL_NODES, true);
    }

    /// Other routers that were heard lately.
    pub(super) fn others(&self, now: u64) -> impl Iterator<Item = (Ipv6Addr, &Heard)> {
        let lately = self.heard.iter().filter(move |(_, (_, at))| at + SILENT > now);
        lately.map(|(address, (heard, _))| (*address, heard))
    }

    fn advertise(&self, lan: &Ipv6Lan, prefixes: &[Prefix], to: Ipv6Addr, farewell: bool) -> bool {
        let to = SocketAddr::V6(SocketAddrV6::new(to, 0, 0, self.index));
        let bytes = ra::advertisement(lan, prefixes, self.mac, farewell);
        self.icmp.send_to(&bytes, &SockAddr::from(to)).is_ok()
    }
}

fn receive(socket: &Socket, buffer: &mut [u8]) -> Option<(usize, SocketAddrV6)> {
    use nix::sys::socket::{MsgFlags, SockaddrIn6, recvmsg};
    let mut parts = [io::IoSliceMut::new(buffer)];
    let got = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, None, MsgFlags::MSG_DONTWAIT).ok()?;
    Some((got.bytes, got.address.map(SocketAddrV6::from)?))
}
