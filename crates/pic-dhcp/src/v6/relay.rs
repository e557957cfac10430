//! Relays' envelopes (RFC 8415 section 19), one in the other.

use std::net::Ipv6Addr;

use super::{Options, Out, kind, option};

/// Envelopes around a message that are opened: `HOP_COUNT_LIMIT`.
pub const MAX_HOPS: usize = 8;
/// Type, hop count and two addresses.
const HEADER: usize = 34;

/// One envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop<'p> {
    header: &'p [u8; HEADER],
    interface_id: Option<&'p [u8]>,
    /// Hardware address of the client, where this relay says it.
    pub mac: Option<[u8; 6]>,
    /// Whether answers go to the port that the relay sent from.
    pub own_port: bool,
}

impl Hop<'_> {
    fn address(&self, at: usize) -> Ipv6Addr {
        let octets = self.header.get(at..).and_then(|rest| rest.first_chunk::<16>());
        octets.map_or(Ipv6Addr::UNSPECIFIED, |octets| Ipv6Addr::from(*octets))
    }

    /// An address of the link that the message came in by; unspecified where the relay does not say.
    pub fn link(&self) -> Ipv6Addr {
        self.address(2)
    }

    /// Who sent to this relay.
    pub fn peer(&self) -> Ipv6Addr {
        self.address(18)
    }
}

/// A client's message and the envelopes around it, the outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<'p> {
    /// Envelopes.
    pub hops: Vec<Hop<'p>>,
    /// What is in them.
    pub inner: &'p [u8],
}

/// Opens all envelopes; `None` where one is broken, or there are too many.
pub fn open(packet: &[u8]) -> Option<Opened<'_>> {
    let (mut hops, mut inner) = (Vec::new(), packet);
    while *inner.first()? == kind::RELAY_FORW {
        if hops.len() == MAX_HOPS {
            return None;
        }
        let (header, rest) = inner.split_first_chunk::<HEADER>()?;
        let mut hop = Hop { header, interface_id: None, mac: None, own_port: false };
        let mut message = None;
        let mut options = Options::new(rest);
        for (code, value) in options.by_ref() {
            match code {
                option::RELAY_MESSAGE => message = message.or(Some(value)),
                option::INTERFACE_ID => hop.interface_id = hop.interface_id.or(Some(value)),
                option::LINK_LAYER => {
                    hop.mac = value.strip_prefix(&[0, 1]).and_then(|mac| mac.try_into().ok())
                }
                option::RELAY_PORT => hop.own_port = true,
                _ => {}
            }
        }
        inner = message.filter(|_| options.is_done())?;
        hops.push(hop);
    }
    Some(Opened { hops, inner })
}

impl Opened<'_> {
    /// An address of the client's link, by the relay that is nearest to it and says one.
    pub fn link(&self) -> Option<Ipv6Addr> {
        self.hops.iter().rev().map(Hop::link).find(|link| !link.is_unspecified())
    }

    /// The client's hardware address, where the relay nearest to it says it.
    pub fn mac(&self) -> Option<[u8; 6]> {
        self.hops.last().and_then(|hop| hop.mac)
    }

    /// Puts an answer into the envelopes that lead it back.
    pub fn close(&self, answer: Vec<u8>) -> Vec<u8> {
        self.hops.iter().rev().fold(answer, |inner, hop| {
            let mut out = Out::fixed(&[&[kind::RELAY_REPL], &hop.header[1..]].concat());
            if let Some(id) = hop.interface_id {
                out.option(option::INTERFACE_ID, id);
            }
            if hop.own_port {
                out.option(option::RELAY_PORT, &[0, 0]);
            }
            out.option(option::RELAY_MESSAGE, &inner);
            out.finish()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(times: usize) -> Vec<u8> {
        (0..times).fold(vec![1, 2, 3, 4], |inner, hop| {
            let mut header = [0; HEADER];
            header[0] = kind::RELAY_FORW;
            header[1] = u8::try_from(hop).unwrap();
            header[17] = u8::from(hop == 0);
            let mut out = Out::fixed(&header);
            out.option(option::INTERFACE_ID, &[7]).option(option::RELAY_MESSAGE, &inner);
            out.finish()
        })
    }

    #[test]
    fn envelopes_are_opened_and_closed() {
        for times in 0..=MAX_HOPS {
            let packet = wrapped(times);
            let opened = open(&packet).unwrap();
            assert_eq!((opened.hops.len(), opened.inner), (times, &[1, 2, 3, 4][..]));
            assert_eq!(opened.link(), (times > 0).then(|| "::1".parse().unwrap()));
            let back = opened.close(vec![7, 2, 3, 4]);
            assert_eq!(back.len(), packet.len());
            for length in 0..packet.len().min(200) {
                let _ = open(&packet[..length]);
            }
        }
        assert_eq!(open(&wrapped(MAX_HOPS + 1)), None);
    }
}
