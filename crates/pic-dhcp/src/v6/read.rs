//! Messages of clients, and of servers to us as a client.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use super::{duid, option};

/// Identity associations of one message that are looked at.
const MAX_IAS: usize = 16;
/// Addresses of one identity association that are looked at.
const MAX_ADDRESSES: usize = 16;

/// What an identity association is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IaKind {
    /// Addresses to keep (`IA_NA`).
    Addresses,
    /// Temporary addresses (`IA_TA`).
    Temporary,
    /// Prefixes (`IA_PD`).
    Prefixes,
}

/// An identity association as a client sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ia {
    /// What it is for.
    pub kind: IaKind,
    /// Its number, the client's own.
    pub id: [u8; 4],
    /// Addresses in it.
    pub addresses: Vec<Ipv6Addr>,
    /// Prefixes in it.
    pub prefixes: Vec<Ipv6Net>,
}

/// A client's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'p> {
    /// One of [`super::kind`].
    pub kind: u8,
    /// Transaction.
    pub xid: [u8; 3],
    /// The client's DUID.
    pub client: Option<&'p [u8]>,
    /// DUID of the server that is meant.
    pub server: Option<&'p [u8]>,
    /// What it wants.
    pub ias: Vec<Ia>,
    /// Whether two messages are enough for it.
    pub rapid: bool,
    /// Numbers of options it wants, two bytes each.
    pub wanted: Option<&'p [u8]>,
    /// What it calls itself, on the wire form of RFC 4704 with its flags.
    pub fqdn: Option<&'p [u8]>,
}

impl Message<'_> {
    /// Whether the client wants an option; one that says nothing wants everything.
    pub fn wants(&self, code: u16) -> bool {
        self.wanted.is_none_or(|all| all.chunks_exact(2).any(|pair| pair == code.to_be_bytes()))
    }
}

/// Reads a message; `None` where its bytes are no such thing. Of an option that may be there once, the first counts.
pub fn read(packet: &[u8]) -> Option<Message<'_>> {
    let ([kind, xid @ ..], rest) = packet.split_first_chunk::<4>()?;
    let mut message = Message {
        kind: *kind,
        xid: *xid,
        client: None,
        server: None,
        ias: Vec::new(),
        rapid: false,
        wanted: None,
        fqdn: None,
    };
    let mut options = Options::new(rest);
    for (code, value) in options.by_ref() {
        match code {
            option::CLIENT_ID if !duid::is_sound(value) => return None,
            option::CLIENT_ID => message.client = message.client.or(Some(value)),
            option::SERVER_ID => message.server = message.server.or(Some(value)),
            option::RAPID_COMMIT => message.rapid = true,
            option::ORO => message.wanted = message.wanted.or(Some(value)),
            option::FQDN => message.fqdn = message.fqdn.or(Some(value)),
            option::IA_NA | option::IA_TA | option::IA_PD if message.ias.len() < MAX_IAS => {
                message.ias.push(ia(code, value)?);
            }
            _ => {}
        }
    }
    options.is_done().then_some(message)
}

fn ia(code: u16, value: &[u8]) -> Option<Ia> {
    let (kind, fixed) = match code {
        option::IA_NA => (IaKind::Addresses, 12),
        option::IA_TA => (IaKind::Temporary, 4),
        _ => (IaKind::Prefixes, 12),
    };
    let id = *value.first_chunk::<4>()?;
    let (mut addresses, mut prefixes) = (Vec::new(), Vec::new());
    for (code, value) in Options::new(value.get(fixed..)?) {
        match (code, kind) {
            (option::IA_ADDRESS, IaKind::Addresses | IaKind::Temporary) => addresses.extend(address(value)),
            (option::IA_PREFIX, IaKind::Prefixes) => prefixes.extend(prefix(value)),
            _ => {}
        }
    }
    addresses.truncate(MAX_ADDRESSES);
    prefixes.truncate(MAX_ADDRESSES);
    Some(Ia { kind, id, addresses, prefixes })
}

/// RFC 8415 section 21.6: the address and two times.
fn address(value: &[u8]) -> Option<Ipv6Addr> {
    Some(Ipv6Addr::from(*value.get(..24)?.first_chunk::<16>()?))
}

/// RFC 8415 section 21.22: two times, a length and the prefix. One without bits is a wish for a length alone.
fn prefix(value: &[u8]) -> Option<Ipv6Net> {
    let (length, address) = value.get(8..25)?.split_first()?;
    let address = Ipv6Addr::from(*address.first_chunk::<16>()?);
    Ipv6Net::new(address, *length).ok().filter(|_| !address.is_unspecified()).map(|net| net.trunc())
}

/// Options one after the other; ends at the first that is not whole.
#[derive(Debug, Clone)]
pub struct Options<'p>(&'p [u8]);

impl<'p> Options<'p> {
    /// Over these bytes.
    pub fn new(bytes: &'p [u8]) -> Self {
        Self(bytes)
    }

    /// Whether no bytes are left over.
    pub fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// The first with this number.
    pub fn find(self, code: u16) -> Option<&'p [u8]> {
        let mut all = self;
        all.find_map(|(found, value)| (found == code).then_some(value))
    }
}

impl<'p> Iterator for Options<'p> {
    type Item = (u16, &'p [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([a, b, c, d], rest) = self.0.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*c, *d])))?;
        self.0 = rest;
        Some((u16::from_be_bytes([*a, *b]), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_messages_only() {
        let duid = [0, 3, 0, 1, 2, 0, 0, 0, 0, 9];
        let mut bytes = vec![1, 7, 8, 9, 0, 1, 0, 10];
        bytes.extend_from_slice(&duid);
        bytes.extend_from_slice(&[0, 3, 0, 12, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0]);
        let message = read(&bytes).unwrap();
        assert_eq!((message.kind, message.xid, message.client), (1, [7, 8, 9], Some(&duid[..])));
        assert_eq!(
            message.ias,
            [Ia { kind: IaKind::Addresses, id: [0, 0, 0, 5], addresses: vec![], prefixes: vec![] }]
        );
        assert!(message.rapid && message.wants(23));
        for length in 0..bytes.len() {
            let cut = read(&bytes[..length]);
            assert!(cut.is_none() || [4, 18, 34].contains(&length), "{length}");
        }
    }
}
