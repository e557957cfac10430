//! Replies of a server.

use std::net::Ipv4Addr;

use super::{Kind, Message, code};

/// BOOTP's least size, which some relays still insist on.
const MIN: usize = 300;
/// What every client takes: 576 bytes with IP and UDP headers (RFC 2131 section 2).
const DEFAULT_MAX: usize = 576 - 28;
/// What fits an Ethernet frame.
const MAX: usize = 1500 - 28;

/// Room for type, server, times and mask.
const LEAST: usize = 64;

/// Where a reply goes (RFC 2131 section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// The relay's port 67.
    Relay(Ipv4Addr),
    /// A client that has an address.
    Client(Ipv4Addr),
    /// A client that has none yet: to its hardware address.
    Hardware([u8; 6], Ipv4Addr),
    /// Everyone on the network.
    Everyone,
}

/// A packet to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Where to.
    pub to: To,
    /// The message.
    pub bytes: Vec<u8>,
}

/// A reply under construction.
#[derive(Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    to: To,
    room: usize,
    tail: Vec<u8>,
}

impl Builder {
    /// A reply of this kind to a message, giving `yiaddr` (unspecified: none).
    pub fn new(asked: &Message<'_>, kind: Kind, server: Ipv4Addr, yiaddr: Ipv4Addr) -> Self {
        let mut bytes = Vec::with_capacity(400);
        bytes.extend_from_slice(asked.fixed());
        bytes[0] = 2;
        // hops, secs
        bytes[3] = 0;
        bytes[8..10].fill(0);
        bytes[16..20].copy_from_slice(&yiaddr.octets());
        // siaddr, then sname and file
        bytes[20..24].fill(0);
        bytes[44..236].fill(0);
        // RFC 2131 table 3: only an acknowledgement has it.
        let ciaddr = if kind == Kind::Ack { asked.ciaddr() } else { Ipv4Addr::UNSPECIFIED };
        bytes[12..16].copy_from_slice(&ciaddr.octets());
        let to = match asked.giaddr() {
            Ipv4Addr::UNSPECIFIED if kind == Kind::Nak => To::Everyone,
            Ipv4Addr::UNSPECIFIED => match (ciaddr, asked.mac()) {
                (Ipv4Addr::UNSPECIFIED, Some(mac)) if !asked.broadcast() => To::Hardware(mac, yiaddr),
                (Ipv4Addr::UNSPECIFIED, _) => To::Everyone,
                (ciaddr, _) => To::Client(ciaddr),
            },
            relay => {
                if kind == Kind::Nak {
                    // RFC 2131 section 4.3.2: the relay shall broadcast it, the client may be on another network.
                    bytes[10] |= 0x80;
                }
                To::Relay(relay)
            }
        };
        let max = asked.max_size.map_or(DEFAULT_MAX, |max| usize::from(max).saturating_sub(28));
        // What must be in it comes last and is counted first: the client's identifier (RFC 6842), the relay's option.
        let mut tail = Vec::new();
        for (code, value) in [(code::CLIENT, asked.client), (code::RELAY, asked.relay)] {
            if let Some((value, length)) = value.and_then(|v| Some((v, u8::try_from(v.len()).ok()?))) {
                tail.extend_from_slice(&[code, length]);
                tail.extend_from_slice(value);
            }
        }
        // A relay that adds much takes much; what an address is of no use without always fits.
        let least = bytes.len() + LEAST + tail.len() + 1;
        let room = max.clamp(DEFAULT_MAX, MAX).max(least).saturating_sub(tail.len() + 1);
        let mut builder = Self { bytes, to, room, tail };
        builder.option(code::TYPE, &[kind as u8]);
        builder.option(code::SERVER, &server.octets());
        builder
    }

    /// Where a client that boots from the network goes on.
    pub fn boot(&mut self, next_server: Option<Ipv4Addr>, server_name: Option<&[u8]>, file: Option<&[u8]>) {
        if let Some(server) = next_server {
            self.bytes[20..24].copy_from_slice(&server.octets());
        }
        for (value, field) in [(server_name, 44..107), (file, 108..235)] {
            if let Some(value) = value.filter(|value| value.len() <= field.len()) {
                self.bytes[field.start..field.start + value.len()].copy_from_slice(value);
            }
        }
    }

    /// Adds an option if it fits; a long one in parts (RFC 3396).
    pub fn option(&mut self, code: u8, value: &[u8]) {
        let parts = value.chunks(255);
        if self.bytes.len() + value.len() + 2 * parts.len().max(1) > self.room {
            return;
        }
        if value.is_empty() {
            self.bytes.extend_from_slice(&[code, 0]);
        }
        for part in parts {
            self.bytes.push(code);
            self.bytes.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
            self.bytes.extend_from_slice(part);
        }
    }

    /// The finished packet.
    pub fn finish(mut self) -> Reply {
        self.bytes.extend_from_slice(&self.tail);
        self.bytes.push(255);
        if self.bytes.len() < MIN {
            self.bytes.resize(MIN, 0);
        }
        Reply { to: self.to, bytes: self.bytes }
    }
}
