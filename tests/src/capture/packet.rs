//! One captured packet: enough decoding to say who talked to whom.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::marker::Marker;

/// What the bytes of a packet begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    /// Bare IP, as on a WireGuard or TUN interface.
    Raw,
    Unknown,
}

impl Link {
    pub(super) fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Ethernet,
            12 | 101 | 228 | 229 => Self::Raw,
            _ => Self::Unknown,
        }
    }
}

/// A packet as it passed the interface.
#[derive(Debug, Clone)]
pub struct Packet {
    /// When, since 1970.
    pub time: Duration,
    /// All its bytes, from the link layer on.
    pub data: Vec<u8>,
    pub(super) link: Link,
}

/// IP protocol numbers that tests ask for.
pub mod protocol {
    /// TCP
    pub const TCP: u8 = 6;
    /// UDP
    pub const UDP: u8 = 17;
}

impl Packet {
    /// Whether the marker is in it, in clear.
    pub fn carries(&self, marker: &Marker) -> bool {
        marker.is_in(&self.data)
    }

    /// The bytes from the IP header on; `None` for ARP and the like.
    fn ip(&self) -> Option<&[u8]> {
        match self.link {
            Link::Raw => Some(&self.data),
            Link::Ethernet => match self.data.get(12..14)? {
                [0x08, 0x00] | [0x86, 0xdd] => self.data.get(14..),
                _ => None,
            },
            Link::Unknown => None,
        }
    }

    /// Source and destination address.
    pub fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        let ip = self.ip()?;
        let v4 = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(ip.get(at..at + 4)?).ok()?));
        let v6 = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?));
        match ip.first()? >> 4 {
            4 => Some((v4(12)?.into(), v4(16)?.into())),
            6 => Some((v6(8)?.into(), v6(24)?.into())),
            _ => None,
        }
    }

    /// The number of the protocol in IP (v6 extension headers are not skipped), and its bytes.
    fn transport(&self) -> Option<(u8, &[u8])> {
        let ip = self.ip()?;
        match ip.first()? >> 4 {
            4 => Some((*ip.get(9)?, ip.get(usize::from(ip[0] & 15) * 4..)?)),
            6 => Some((*ip.get(6)?, ip.get(40..)?)),
            _ => None,
        }
    }

    /// The number of the protocol in IP: see [`protocol`].
    pub fn protocol(&self) -> Option<u8> {
        self.transport().map(|(number, _)| number)
    }

    /// Source and destination socket of a TCP or UDP packet.
    pub fn sockets(&self) -> Option<(SocketAddr, SocketAddr)> {
        let (from, to) = self.addresses()?;
        let (number, bytes) = self.transport()?;
        if !matches!(number, protocol::TCP | protocol::UDP) {
            return None;
        }
        let port = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        Some((SocketAddr::new(from, port(0)?), SocketAddr::new(to, port(2)?)))
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} {} bytes", self.time.as_secs_f64(), self.data.len())?;
        if let Some((from, to)) = self.sockets() {
            write!(f, " {from} > {to}")?;
        } else if let Some((from, to)) = self.addresses() {
            write!(f, " {from} > {to}")?;
        }
        match self.protocol() {
            Some(number) => write!(f, " protocol {number}"),
            None => write!(f, " not IP"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(link: Link, data: &[u8]) -> Packet {
        Packet { time: Duration::ZERO, data: data.to_vec(), link }
    }

    #[test]
    fn decodes_udp_over_v4() {
        let ip =
            [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0, 53, 4, 210, 0, 8, 0, 0];
        let frame = [&[0; 12][..], &[8, 0], &ip].concat();
        for packet in [packet(Link::Raw, &ip), packet(Link::Ethernet, &frame)] {
            let (from, to) = packet.sockets().unwrap();
            assert_eq!((from.to_string(), to.to_string()), ("192.0.2.1:53".into(), "192.0.2.2:1234".into()));
        }
    }

    #[test]
    fn survives_short_and_foreign_bytes() {
        for length in 0..40 {
            assert_eq!(packet(Link::Ethernet, &vec![0x45; length]).sockets(), None);
            assert_eq!(packet(Link::Raw, &vec![0x65; length]).addresses().is_some(), length == 40);
        }
    }
}
