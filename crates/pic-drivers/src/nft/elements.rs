//! Elements of sets between typed values and the keys that the kernel keeps.
//!
//! A set of networks is an interval set: each network is a start key and an end key one past its last address. A
//! network that reaches the end of the address space has no end key.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use pic_plan::target::nft::Elements;

use super::abi;

/// Type of a set in the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SetType {
    pub(super) key_type: u32,
    pub(super) key_length: u32,
    pub(super) flags: u32,
}

/// One element: key left-aligned, and whether it ends an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) bytes: [u8; 16],
    /// `false` sorts before `true`: at one key, the end of a network comes before the start of the next.
    pub(super) is_start: bool,
}

impl SetType {
    const V4: Self = Self { key_type: abi::TYPE_IPV4, key_length: 4, flags: 0 };
    const V6: Self = Self { key_type: abi::TYPE_IPV6, key_length: 16, flags: 0 };
    const NET4: Self = Self { flags: abi::SET_INTERVAL, ..Self::V4 };
    const NET6: Self = Self { flags: abi::SET_INTERVAL, ..Self::V6 };
    const PORTS: Self = Self { key_type: abi::TYPE_PORT, key_length: 2, flags: 0 };

    pub(super) fn of(elements: &Elements) -> Self {
        match elements {
            Elements::V4(_) => Self::V4,
            Elements::V6(_) => Self::V6,
            Elements::Net4(_) => Self::NET4,
            Elements::Net6(_) => Self::NET6,
            Elements::Ports(_) => Self::PORTS,
        }
    }
}

impl Key {
    /// From the bytes of a key; `None` if longer than any of ours.
    pub(super) fn read(content: &[u8], is_start: bool) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..content.len())?.copy_from_slice(content);
        Some(Self { bytes, is_start })
    }

    fn start(content: &[u8]) -> Self {
        Self::read(content, true).unwrap_or(Self { bytes: [0; 16], is_start: true })
    }

    fn v4(self) -> Ipv4Addr {
        let [a, b, c, d, ..] = self.bytes;
        Ipv4Addr::new(a, b, c, d)
    }

    fn port(self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    /// As a number that goes up with the address, of 32 or 128 bits.
    fn position(self, bits: u32) -> u128 {
        u128::from_be_bytes(self.bytes) >> (128 - bits)
    }
}

/// Keys of elements in ascending order.
pub(super) fn keys(elements: &Elements) -> Vec<Key> {
    match elements {
        Elements::V4(set) => set.iter().map(|address| Key::start(&address.octets())).collect(),
        Elements::V6(set) => set.iter().map(|address| Key::start(&address.octets())).collect(),
        Elements::Ports(set) => set.iter().map(|port| Key::start(&port.to_be_bytes())).collect(),
        Elements::Net4(set) => set
            .iter()
            .flat_map(|net| {
                let end = u32::from(net.broadcast()).checked_add(1);
                interval(net.network().octets(), end.map(u32::to_be_bytes))
            })
            .collect(),
        Elements::Net6(set) => set
            .iter()
            .flat_map(|net| {
                let end = u128::from(net.broadcast()).checked_add(1);
                interval(net.network().octets(), end.map(u128::to_be_bytes))
            })
            .collect(),
    }
}

fn interval<const N: usize>(start: [u8; N], end: Option<[u8; N]>) -> impl Iterator<Item = Key> {
    let end = end.map(|end| Key { is_start: false, ..Key::start(&end) });
    std::iter::once(Key::start(&start)).chain(end)
}

/// What came out of a dump.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Elements of a type of ours.
    Elements(Elements),
    /// A type we never make, or intervals that are no networks.
    Foreign,
    /// A key came twice. The kernel resizes its hash tables behind a dump, which then repeats some elements and
    /// misses as many others; the dump has to be done again.
    Repeated,
}

/// Types the keys of a whole set.
pub(super) fn typed(kind: SetType, keys: Vec<Key>) -> Typed {
    match kind {
        SetType::V4 => unique(keys, Elements::V4, Key::v4),
        SetType::V6 => unique(keys, Elements::V6, |key| Ipv6Addr::from(key.bytes)),
        SetType::PORTS => unique(keys, Elements::Ports, Key::port),
        SetType::NET4 => networks(keys, 32, |start, length| {
            Ipv4Net::new(Ipv4Addr::from(u32::try_from(start).ok()?), length).ok()
        })
        .map_or(Typed::Foreign, |nets| Typed::Elements(Elements::Net4(nets))),
        SetType::NET6 => networks(keys, 128, |start, length| Ipv6Net::new(start.into(), length).ok())
            .map_or(Typed::Foreign, |nets| Typed::Elements(Elements::Net6(nets))),
        _ => Typed::Foreign,
    }
}

fn unique<T: Ord>(keys: Vec<Key>, wrap: impl Fn(BTreeSet<T>) -> Elements, read: impl Fn(Key) -> T) -> Typed {
    let count = keys.len();
    let set: BTreeSet<T> = keys.into_iter().map(read).collect();
    if set.len() == count { Typed::Elements(wrap(set)) } else { Typed::Repeated }
}

/// Pairs starts with ends; `None` where an interval is not exactly one network.
fn networks<T: Ord>(
    mut keys: Vec<Key>,
    bits: u32,
    make: impl Fn(u128, u8) -> Option<T>,
) -> Option<BTreeSet<T>> {
    keys.sort_unstable();
    let mut nets = BTreeSet::new();
    let mut open = None;
    for key in keys {
        let position = key.position(bits);
        match (open, key.is_start) {
            (None, true) => open = Some(position),
            (Some(start), false) => {
                nets.insert(make(start, prefix_length(start, position.checked_sub(1)?, bits)?)?);
                open = None;
            }
            // The `nft` tool writes an end at address zero to say that no interval is open there.
            (None, false) => {}
            (Some(_), true) => return None,
        }
    }
    if let Some(start) = open {
        nets.insert(make(start, prefix_length(start, u128::MAX >> (128 - bits), bits)?)?);
    }
    Some(nets)
}

/// Prefix length of the network from `start` to `last`, if these are the ends of one.
fn prefix_length(start: u128, last: u128, bits: u32) -> Option<u8> {
    let span = last.checked_sub(start)?;
    let is_network = span & span.wrapping_add(1) == 0 && start & span == 0;
    is_network.then(|| u8::try_from(bits - span.count_ones()).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(elements: &Elements) -> Typed {
        let mut raw = keys(elements);
        raw.reverse();
        typed(SetType::of(elements), raw)
    }

    #[test]
    fn networks_at_the_ends_of_the_address_space_come_back() {
        for list in [
            vec!["0.0.0.0/0"],
            vec!["0.0.0.0/8", "255.255.255.255/32"],
            vec!["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/23", "128.0.0.0/1"],
            vec![],
        ] {
            let nets = Elements::Net4(list.iter().map(|net| net.parse().unwrap()).collect());
            assert_eq!(back(&nets), Typed::Elements(nets));
        }
        for list in [vec!["::/0"], vec!["fd00::/64", "fd00:0:0:1::/64", "ffff::/16"], vec!["::/128"]] {
            let nets = Elements::Net6(list.iter().map(|net| net.parse().unwrap()).collect());
            assert_eq!(back(&nets), Typed::Elements(nets));
        }
    }

    #[test]
    fn an_interval_that_is_no_network_is_foreign() {
        let start = Key::start(&[10, 0, 0, 1]);
        let end = Key { is_start: false, ..Key::start(&[10, 0, 0, 5]) };
        assert_eq!(typed(SetType::NET4, vec![start, end]), Typed::Foreign);
    }

    #[test]
    fn a_repeated_key_is_noticed() {
        let key = Key::start(&[10, 0, 0, 1]);
        assert_eq!(typed(SetType::V4, vec![key, key]), Typed::Repeated);
    }
}
