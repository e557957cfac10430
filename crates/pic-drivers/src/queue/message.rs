//! Messages about queues and classes as they are on the wire (rtnetlink(7), `struct tcmsg` and attributes). Our own, since the
//! library's decoder stops at the options of kinds that it does not know.

use netlink_packet_core::{DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};

pub(super) const NEW_QUEUE: u16 = libc::RTM_NEWQDISC;
pub(super) const DELETE_QUEUE: u16 = libc::RTM_DELQDISC;
pub(super) const GET_QUEUE: u16 = libc::RTM_GETQDISC;
pub(super) const NEW_CLASS: u16 = libc::RTM_NEWTCLASS;
pub(super) const GET_CLASS: u16 = libc::RTM_GETTCLASS;
/// `TC_H_ROOT`
pub(super) const ROOT: u32 = u32::MAX;

const KIND: u16 = 1;
const OPTIONS: u16 = 2;
/// Bytes of `struct tcmsg`.
const HEADER: usize = 20;
/// What of an attribute's type is not its type (`NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`).
const FLAGS: u16 = 0xc000;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tc {
    pub(super) message_type: u16,
    pub(super) index: u32,
    pub(super) handle: u32,
    pub(super) parent: u32,
    pub(super) attributes: Vec<u8>,
}

impl Tc {
    /// One without attributes.
    pub(super) fn bare(message_type: u16, index: u32, handle: u32, parent: u32) -> Self {
        Self { message_type, index, handle, parent, attributes: Vec::new() }
    }

    /// One that makes something of a kind.
    pub(super) fn of(mut self, kind: &str, options: &[u8]) -> Self {
        put(&mut self.attributes, KIND, &[kind.as_bytes(), &[0]].concat());
        put(&mut self.attributes, OPTIONS, options);
        self
    }

    pub(super) fn kind(&self) -> &str {
        let bytes = find(&self.attributes, KIND).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default().trim_end_matches('\0')
    }

    pub(super) fn options(&self) -> &[u8] {
        find(&self.attributes, OPTIONS).unwrap_or_default()
    }
}

/// Adds an attribute.
pub(super) fn put(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    to.extend(length.to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}

/// The value of an attribute, if it is there.
pub(super) fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some(([a, b, c, d], _)) = attributes.split_first_chunk() {
        let length = usize::from(u16::from_ne_bytes([*a, *b]));
        if u16::from_ne_bytes([*c, *d]) & !FLAGS == wanted {
            return attributes.get(4..length);
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
    None
}

/// The number at a place.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl NetlinkSerializable for Tc {
    fn message_type(&self) -> u16 {
        self.message_type
    }

    fn buffer_len(&self) -> usize {
        HEADER + self.attributes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let words = [0, self.index, self.handle, self.parent, 0].map(u32::to_ne_bytes);
        let bytes = words.as_flattened().iter().chain(&self.attributes);
        buffer.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    }
}

impl NetlinkDeserializable for Tc {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let short = || DecodeError::buffer_too_small(payload.len(), HEADER);
        let at = |place| word(payload, place).ok_or_else(short);
        Ok(Self {
            message_type: header.message_type,
            index: at(4)?,
            handle: at(8)?,
            parent: at(12)?,
            attributes: payload.get(HEADER..).ok_or_else(short)?.to_vec(),
        })
    }
}
