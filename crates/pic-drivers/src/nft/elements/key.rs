//! One element: the bytes that the kernel finds it by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pic_plan::target::nft::{Counted, L4};

use super::kind::SetType;

/// Longest key: two v6 addresses, transport, port.
pub(super) const KEY: usize = 40;
/// Longest value: a v6 address and a port.
const DATA: usize = 20;

/// One element: key and value left-aligned, and whether it ends an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::nft) struct Key {
    pub(in crate::nft) bytes: [u8; KEY],
    /// `false` sorts before `true`: at one key, the end of a network comes before the start of the next.
    pub(in crate::nft) is_start: bool,
    /// Value in a map, or the bytes in a second of an element with a rate.
    pub(in crate::nft) data: [u8; DATA],
}

impl Key {
    /// From the bytes of a key; `None` if longer than any of ours.
    pub(in crate::nft) fn read(content: &[u8], is_start: bool) -> Option<Self> {
        let mut bytes = [0; KEY];
        bytes.get_mut(..content.len())?.copy_from_slice(content);
        Some(Self { bytes, is_start, data: [0; DATA] })
    }

    /// With the bytes of a value; `None` if longer than any of ours.
    pub(in crate::nft) fn with(mut self, data: &[u8]) -> Option<Self> {
        self.data.get_mut(..data.len())?.copy_from_slice(data);
        Some(self)
    }

    pub(super) fn start(content: &[u8]) -> Self {
        Self::read(content, true).unwrap_or(Self { bytes: [0; KEY], is_start: true, data: [0; DATA] })
    }

    pub(super) fn v4(self) -> Ipv4Addr {
        v4(&self.bytes, 0)
    }

    pub(super) fn v6(self) -> Ipv6Addr {
        v6(&self.bytes, 0)
    }

    /// An interface's name, which the kernel pads with zeros.
    pub(super) fn link(self) -> Option<String> {
        let name = self.bytes.split(|byte| *byte == 0).next()?;
        String::from_utf8(name.to_vec()).ok()
    }

    /// The address, of a set of those that come while the host runs.
    pub(in crate::nft) fn learned(self, kind: SetType) -> Option<IpAddr> {
        match kind {
            SetType::LEARNED4 => Some(self.v4().into()),
            SetType::LEARNED6 => Some(self.v6().into()),
            _ => None,
        }
    }

    /// What something of this type is counted by.
    pub(in crate::nft) fn counted(self, kind: SetType) -> Option<Counted> {
        match kind {
            SetType::TALLY4 => Some(Counted::Address(self.v4().into())),
            SetType::TALLY6 => Some(Counted::Address(self.v6().into())),
            SetType::TALLY_LINKS => self.link().map(Counted::Link),
            _ => None,
        }
    }

    /// Bytes in a second of an element with a rate.
    pub(in crate::nft) fn rate(self) -> u64 {
        u64::from_be_bytes(part(&self.data, 0))
    }

    pub(super) fn port(self) -> u16 {
        port(&self.bytes, 0)
    }

    /// As a number that goes up with the address, of 32 or 128 bits.
    pub(super) fn position(self, bits: u32) -> u128 {
        u128::from(self.v6()) >> (128 - bits)
    }
}

/// The `N` bytes at a place; zeros beyond the end.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

pub(super) fn v4(bytes: &[u8], at: usize) -> Ipv4Addr {
    part(bytes, at).into()
}

pub(super) fn v6(bytes: &[u8], at: usize) -> Ipv6Addr {
    part(bytes, at).into()
}

pub(super) fn port(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(part(bytes, at))
}

/// Transport and port, each in a word of its own.
pub(super) fn service(bytes: &[u8], at: usize) -> Option<(L4, u16)> {
    let [number] = part(bytes, at);
    let transport = [L4::Tcp, L4::Udp, L4::Icmp, L4::Icmp6].into_iter().find(|l4| l4.number() == number)?;
    Some((transport, port(bytes, at + WORD)))
}

/// Fields of a key or value begin at multiples of this.
pub(super) const WORD: usize = 4;
