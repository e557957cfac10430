//! DHCPv4 on the wire (RFC 2131, 2132): reading what clients send without copying, writing replies, and the Ethernet
//! frames around them. Bounded: no input makes it loop, allocate or index outside. Compared with another
//! implementation in `tests/wire.rs` and by the fuzz target `dhcp4`.

pub mod frame;
mod reply;

use std::net::Ipv4Addr;

pub use reply::{Builder, Reply, To};

/// Port that servers and relays listen on.
pub const SERVER_PORT: u16 = 67;
/// Port that clients listen on.
pub const CLIENT_PORT: u16 = 68;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Header and cookie.
const FIXED: usize = 240;

/// Numbers of the options that the server itself reads or decides.
pub mod code {
    /// Host name.
    pub const HOST_NAME: u8 = 12;
    /// Address that a client asks for.
    pub const REQUESTED: u8 = 50;
    /// Seconds of a lease.
    pub const LEASE: u8 = 51;
    /// Message type.
    pub const TYPE: u8 = 53;
    /// Which server is meant.
    pub const SERVER: u8 = 54;
    /// Options that a client asks for.
    pub const WANTED: u8 = 55;
    /// Words of a refusal.
    pub const MESSAGE: u8 = 56;
    /// Largest message that a client takes.
    pub const MAX_SIZE: u8 = 57;
    /// T1 of RFC 2131 section 4.4.5.
    pub const RENEW: u8 = 58;
    /// T2.
    pub const REBIND: u8 = 59;
    /// Client identifier.
    pub const CLIENT: u8 = 61;
    /// Fully qualified name (RFC 4702).
    pub const FQDN: u8 = 81;
    /// What kind of user or program it is (RFC 3004).
    pub const USER_CLASS: u8 = 77;
    /// What a relay adds (RFC 3046).
    pub const RELAY: u8 = 82;
    /// Architecture of a client that boots from the network (RFC 4578).
    pub const ARCHITECTURE: u8 = 93;
}

/// Message types (RFC 2132 section 9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Who is there?
    Discover = 1,
    /// This address is for you.
    Offer = 2,
    /// I take it, or: I keep it.
    Request = 3,
    /// Somebody else has it.
    Decline = 4,
    /// It is yours.
    Ack = 5,
    /// It is not yours.
    Nak = 6,
    /// I no longer need it.
    Release = 7,
    /// I have one; tell me the rest.
    Inform = 8,
}

impl Kind {
    fn read(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            _ => return None,
        })
    }
}

/// A message, borrowed from the packet.
#[derive(Debug, Clone, Copy)]
pub struct Message<'p> {
    /// Header and cookie.
    fixed: &'p [u8; FIXED],
    /// From a client (1) or from a server (2).
    pub is_request: bool,
    /// What it is.
    pub kind: Kind,
    /// Address asked for.
    pub requested: Option<Ipv4Addr>,
    /// Server meant.
    pub server: Option<Ipv4Addr>,
    /// Client identifier, at least two bytes.
    pub client: Option<&'p [u8]>,
    /// Options asked for, in order.
    pub wanted: Option<&'p [u8]>,
    /// Host name, any bytes.
    pub host_name: Option<&'p [u8]>,
    /// Fully qualified name, any bytes.
    pub fqdn: Option<&'p [u8]>,
    /// Seconds asked for.
    pub lease: Option<u32>,
    /// Largest message that the client takes.
    pub max_size: Option<u16>,
    /// What the relay added.
    pub relay: Option<&'p [u8]>,
    /// Architecture, where it boots from the network.
    pub architecture: Option<u16>,
    /// User class, any bytes.
    pub user_class: Option<&'p [u8]>,
}

/// Reads a message; `None` for what is none, also BOOTP without a message type.
pub fn read(packet: &[u8]) -> Option<Message<'_>> {
    let (fixed, options) = packet.split_first_chunk::<FIXED>()?;
    let is_request = match fixed[0] {
        1 => true,
        2 => false,
        _ => return None,
    };
    if fixed[2] > 16 || fixed[236..240] != COOKIE {
        return None;
    }
    let mut message = Message {
        fixed,
        is_request,
        kind: Kind::Discover,
        requested: None,
        server: None,
        client: None,
        wanted: None,
        host_name: None,
        fqdn: None,
        lease: None,
        max_size: None,
        relay: None,
        architecture: None,
        user_class: None,
    };
    let mut kind = None;
    for (code, value) in Options(options) {
        match code {
            code::TYPE => kind = kind.or(value.first().copied()),
            code::REQUESTED => message.requested = message.requested.or(address(value)),
            code::SERVER => message.server = message.server.or(address(value)),
            code::CLIENT if value.len() >= 2 => message.client = message.client.or(Some(value)),
            code::WANTED => message.wanted = message.wanted.or(Some(value)),
            code::HOST_NAME => message.host_name = message.host_name.or(Some(value)),
            code::FQDN => message.fqdn = message.fqdn.or(value.get(3..)),
            code::LEASE => message.lease = value.first_chunk().map(|b| u32::from_be_bytes(*b)),
            code::MAX_SIZE => message.max_size = value.first_chunk().map(|b| u16::from_be_bytes(*b)),
            code::RELAY => message.relay = message.relay.or(Some(value)),
            code::ARCHITECTURE => message.architecture = value.first_chunk().map(|b| u16::from_be_bytes(*b)),
            code::USER_CLASS => message.user_class = message.user_class.or(Some(value)),
            _ => {}
        }
    }
    message.kind = Kind::read(kind?)?;
    Some(message)
}

fn address(value: &[u8]) -> Option<Ipv4Addr> {
    value.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets))
}

impl<'p> Message<'p> {
    fn at(&self, offset: usize) -> Ipv4Addr {
        let octets = self.fixed.get(offset..).and_then(|rest| rest.first_chunk::<4>());
        octets.map_or(Ipv4Addr::UNSPECIFIED, |octets| Ipv4Addr::from(*octets))
    }

    /// Transaction.
    pub fn xid(&self) -> [u8; 4] {
        [self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]]
    }

    /// Whether the client can only hear broadcasts.
    pub fn broadcast(&self) -> bool {
        self.fixed[10] & 0x80 != 0
    }

    /// Address that the client has and can be reached at.
    pub fn ciaddr(&self) -> Ipv4Addr {
        self.at(12)
    }

    /// Address that a server gives.
    pub fn yiaddr(&self) -> Ipv4Addr {
        self.at(16)
    }

    /// Relay that passed it on.
    pub fn giaddr(&self) -> Ipv4Addr {
        self.at(24)
    }

    /// Address that says on which network the client is: the relay's, or another that the relay names (RFC 3527).
    /// Unspecified where no relay passed it on.
    pub fn link(&self) -> Ipv4Addr {
        let named = self.relay_part(5).and_then(address);
        named.filter(|_| !self.giaddr().is_unspecified()).unwrap_or_else(|| self.giaddr())
    }

    /// One part of what the relay added.
    pub fn relay_part(&self, code: u8) -> Option<&'p [u8]> {
        relay_part(self.relay?, code)
    }

    /// Hardware address as it stands there, at most 16 bytes.
    pub fn hardware(&self) -> &'p [u8] {
        let length = usize::from(self.fixed[2]).min(16);
        self.fixed.get(28..28 + length).unwrap_or_default()
    }

    /// The Ethernet address, if it is one.
    pub fn mac(&self) -> Option<[u8; 6]> {
        self.hardware().try_into().ok().filter(|_| self.fixed[1] == 1)
    }

    /// What tells this client from others: its identifier, else its hardware address (RFC 2131 section 4.2).
    pub fn identity(&self) -> Box<[u8]> {
        match self.client {
            Some(id) => [&[1], id].concat().into(),
            None => [&[0, self.fixed[1]], self.hardware()].concat().into(),
        }
    }

    /// Header for the reply to copy from.
    pub(crate) fn fixed(&self) -> &'p [u8; FIXED] {
        self.fixed
    }
}

/// One part of a relay's option (RFC 3046 section 2.0). Such parts are numbered like options, but have no padding and no
/// end.
pub fn relay_part(relay: &[u8], code: u8) -> Option<&[u8]> {
    let mut rest = relay;
    while let [found, length, after @ ..] = rest {
        let (value, after) = after.split_at_checked(usize::from(*length))?;
        if *found == code {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// Options one by one; ends at the end marker or at the first that does not fit.
struct Options<'p>(&'p [u8]);

impl<'p> Iterator for Options<'p> {
    type Item = (u8, &'p [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&code, rest) = self.0.split_first()?;
            match code {
                0 => self.0 = rest,
                255 => return None,
                _ => {
                    let (&length, rest) = rest.split_first()?;
                    let (value, rest) = rest.split_at_checked(usize::from(length))?;
                    self.0 = rest;
                    return Some((code, value));
                }
            }
        }
    }
}
