//! Connections that the kernel tracks (`nf_conntrack_netlink`): read, and forgotten one by one.
//!
//! What is forgotten is a stranger to the rules from then on: its next packet, in whichever direction, is looked at as the
//! first one of a connection.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pic_model::desired::{Port, Protocol};
use pic_model::reach::Service;
use pic_plan::flows::Connection;

use super::abi;
use super::attributes::{attributes, find, messages, native32, request};
use super::error::Error;
use super::socket::Socket;

/// Subsystem of a message's kind (`NFNL_SUBSYS_CTNETLINK`), and what it asks (`IPCTNL_MSG_CT_*`).
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
/// Attributes (`linux/netfilter/nfnetlink_conntrack.h`): `CTA_*`, `CTA_TUPLE_*`, `CTA_IP_*`, `CTA_PROTO_*`.
const TUPLE: u16 = 1;
/// Of its answers.
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTO: u16 = 2;
const V4_SOURCE: u16 = 1;
const V4_DESTINATION: u16 = 2;
const V6_SOURCE: u16 = 3;
const V6_DESTINATION: u16 = 4;
const PROTO_NUMBER: u16 = 1;
const PROTO_SOURCE_PORT: u16 = 2;
const PROTO_DESTINATION_PORT: u16 = 3;
/// Flag of an attribute that holds others (`NLA_F_NESTED`).
const NESTED: u16 = 1 << 15;
/// Bytes before the attributes of an answer: family, version, resource.
const PREFIX: usize = 4;
/// Connections read at the most; the kernel tracks 262,144 unless told otherwise.
const MOST: usize = 1 << 20;

/// A connection and the words by which the kernel knows it.
#[derive(Debug, Clone)]
pub struct Tracked {
    /// Its first packet, as that came in.
    pub connection: Connection,
    family: u8,
    /// The kernel's own bytes about the first packet.
    tuple: Vec<u8>,
    id: [u8; 4],
}

/// The connections of one network namespace: that of the thread which opens it.
#[derive(Debug)]
pub struct Connections {
    socket: Socket,
    sequence: u32,
}

impl Connections {
    /// Connects.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { socket: Socket::open()?, sequence: 0 })
    }

    /// All connections of TCP and UDP, and pings. Ones of a zone are somebody else's.
    pub fn list(&mut self) -> Result<Vec<Tracked>, Error> {
        self.ask(GET, abi::NLM_F_REQUEST | abi::NLM_F_DUMP, 0, &[])?;
        let mut found = Vec::new();
        loop {
            let sequence = self.sequence;
            let datagram = self.socket.receive().map_err(Error::Receive)?;
            for message in messages(datagram).filter(|message| message.sequence == sequence) {
                match message.kind {
                    abi::NLMSG_DONE => return Ok(found),
                    abi::NLMSG_ERROR => {
                        return refusal(message.body, "to show connections").map_or(Ok(found), Err);
                    }
                    _ if found.len() < MOST => found.extend(read(message.body)),
                    _ => {}
                }
            }
        }
    }

    /// Forgets one. That it has ended by itself is no error.
    pub fn forget(&mut self, one: &Tracked) -> Result<(), Error> {
        let attributes = [(TUPLE | NESTED, one.tuple.as_slice()), (ID, one.id.as_slice())];
        self.ask(DELETE, abi::NLM_F_REQUEST | abi::NLM_F_ACK, one.family, &attributes)?;
        loop {
            let sequence = self.sequence;
            let datagram = self.socket.receive().map_err(Error::Receive)?;
            let answer = messages(datagram).find(|message| message.sequence == sequence);
            if let Some(answer) = answer {
                let refused = refusal(answer.body, "to forget a connection");
                return refused.filter(|error| !is_gone(error)).map_or(Ok(()), Err);
            }
        }
    }

    fn ask(&mut self, kind: u16, flags: u16, family: u8, content: &[(u16, &[u8])]) -> Result<(), Error> {
        self.sequence += 1;
        let object = "connections";
        let message = with(kind, flags, self.sequence, family, content).ok_or(Error::Malformed { object })?;
        let bytes = message.len();
        self.socket.send(&[IoSlice::new(&message)]).map_err(|source| Error::Send { bytes, source })
    }
}

/// A request with attributes of bytes; `None` if longer than a message can be.
fn with(kind: u16, flags: u16, sequence: u32, family: u8, content: &[(u16, &[u8])]) -> Option<Vec<u8>> {
    let mut message = request(kind, flags, sequence, family, &[])?;
    for (attribute, bytes) in content {
        message.extend(u16::try_from(4 + bytes.len()).ok()?.to_ne_bytes());
        message.extend(attribute.to_ne_bytes());
        message.extend(*bytes);
        message.resize(message.len().next_multiple_of(4), 0);
    }
    let length = u32::try_from(message.len()).ok()?.to_ne_bytes();
    message.get_mut(..4)?.copy_from_slice(&length);
    Some(message)
}

/// The error in an answer, if it is one.
fn refusal(body: &[u8], what: &str) -> Option<Error> {
    let errno = native32(body).map_or(libc::EBADMSG, |code| code.cast_signed().saturating_neg());
    let source = io::Error::from_raw_os_error(errno);
    (errno != 0).then(|| Error::Refused { object: what.to_owned(), note: String::new(), source })
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Refused { source, .. } if source.raw_os_error() == Some(libc::ENOENT))
}

/// One of a dump; `None` for what is not told here, or is cut short.
fn read(body: &[u8]) -> Option<Tracked> {
    let (family, content) = (*body.first()?, body.get(PREFIX..)?);
    if find(content, ZONE).is_some() {
        return None;
    }
    let tuple = find(content, TUPLE)?;
    let (source, destination) = addresses(find(tuple, TUPLE_IP)?)?;
    let service = service(find(tuple, TUPLE_PROTO)?, PROTO_DESTINATION_PORT)?;
    let answers = find(content, TUPLE_REPLY)?;
    let (whose, _) = addresses(find(answers, TUPLE_IP)?)?;
    let end = (whose, self::service(find(answers, TUPLE_PROTO)?, PROTO_SOURCE_PORT)?);
    let id = *find(content, ID)?.first_chunk()?;
    Some(Tracked {
        connection: Connection { source, destination, service, end },
        family,
        tuple: tuple.to_vec(),
        id,
    })
}

/// What a tuple is about, with the port of one of its sides.
fn service(proto: &[u8], side: u16) -> Option<Service> {
    let port = || {
        let bytes = attributes(proto).find(|(kind, _)| *kind == side)?.1;
        Some(u16::from_be_bytes(*bytes.first_chunk()?))
    };
    match i32::from(*find(proto, PROTO_NUMBER)?.first()?) {
        libc::IPPROTO_TCP => Some(Service::Port(Port { protocol: Protocol::Tcp, number: port()? })),
        libc::IPPROTO_UDP => Some(Service::Port(Port { protocol: Protocol::Udp, number: port()? })),
        libc::IPPROTO_ICMP | libc::IPPROTO_ICMPV6 => Some(Service::Ping),
        _ => None,
    }
}

fn addresses(ip: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let v4 = |kind| find(ip, kind)?.first_chunk::<4>().map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes)));
    let v6 = |kind| find(ip, kind)?.first_chunk::<16>().map(|bytes| IpAddr::V6(Ipv6Addr::from(*bytes)));
    v4(V4_SOURCE).zip(v4(V4_DESTINATION)).or_else(|| v6(V6_SOURCE).zip(v6(V6_DESTINATION)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nest(kind: u16, content: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(4 + content.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn one_of_a_dump_is_read_and_nothing_that_is_cut() {
        let tuple = |source: [u8; 4], from: u16, destination: [u8; 4], to: u16| {
            let ip = [nest(V4_SOURCE, &source), nest(V4_DESTINATION, &destination)].concat();
            let ports = [(PROTO_SOURCE_PORT, from), (PROTO_DESTINATION_PORT, to)];
            let ports = ports.map(|(side, port)| nest(side, &port.to_be_bytes())).concat();
            let proto = [nest(PROTO_NUMBER, &[17]), ports].concat();
            [nest(TUPLE_IP | NESTED, &ip), nest(TUPLE_PROTO | NESTED, &proto)].concat()
        };
        let (source, destination, led) = ([198, 51, 100, 9], [203, 0, 113, 9], [192, 168, 42, 77]);
        let (asks, answers) = (tuple(source, 4711, destination, 8080), tuple(led, 80, source, 4711));
        let content =
            [nest(TUPLE | NESTED, &asks), nest(TUPLE_REPLY | NESTED, &answers), nest(ID, &[1, 2, 3, 4])];
        let body = [vec![2, 0, 0, 0], content.concat()].concat();
        let found = read(&body).unwrap();
        let service = |number| Service::Port(Port { protocol: Protocol::Udp, number });
        let connection = Connection {
            source: source.into(),
            destination: destination.into(),
            service: service(8080),
            end: (led.into(), service(80)),
        };
        assert_eq!(found.connection, connection);
        assert_eq!((found.family, found.id, found.tuple), (2, [1, 2, 3, 4], asks));
        for end in 0..body.len() {
            assert!(read(&body[..end]).is_none(), "{end}");
        }
        assert!(read(&[body, nest(ZONE, &[0, 1])].concat()).is_none());
    }
}
