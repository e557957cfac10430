//! From the keys of a whole set to typed values.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::{Ipv4Net, Ipv6Net};
use pic_plan::target::nft::{Elements, Flow, L4, Meter};

use super::key::{Key, port, service, v4, v6};
use super::kind::{MILLISECONDS, SetType};

/// What came out of a dump.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::nft) enum Typed {
    /// Elements of a type of ours.
    Elements(Elements),
    /// A type we never make, or intervals that are no networks.
    Foreign,
    /// A key came twice. The kernel resizes its hash tables behind a dump, which then repeats some elements and
    /// misses as many others; the dump has to be done again.
    Repeated,
}

/// Types the keys of a whole set.
pub(in crate::nft) fn typed(kind: SetType, keys: Vec<Key>) -> Typed {
    if let Some(meter) = meter(kind) {
        return Typed::Elements(meter);
    }
    match kind {
        SetType::V4 => unique(keys, Elements::V4, |key| Some(key.v4())),
        SetType::V6 => unique(keys, Elements::V6, |key| Some(key.v6())),
        SetType::RATES4 => by_address(keys, Elements::Rates4, |key| (key.v4(), key.rate())),
        SetType::TWINS6 => by_address(keys, Elements::Twins6, |key| (key.v6(), v4(&key.data, 0))),
        // A packet that extends the life of an element while it is renewed makes another one with the same key, which stays:
        // not a sign of a disturbed dump, and no difference to a look-up.
        SetType::LEARNED4 => Typed::Elements(Elements::Learned4(keys.into_iter().map(Key::v4).collect())),
        SetType::LEARNED6 => Typed::Elements(Elements::Learned6(keys.into_iter().map(Key::v6).collect())),
        SetType::TALLY4 => Typed::Elements(Elements::Tally4),
        SetType::TALLY6 => Typed::Elements(Elements::Tally6),
        SetType::TALLY_LINKS => unique(keys, Elements::TallyLinks, Key::link),
        SetType::PORTS => unique(keys, Elements::Ports, |key| Some(key.port())),
        SetType::PAIRS4 => unique(
            keys,
            |set| Elements::Pairs4(set.into()),
            |key| Some((v4(&key.bytes, 0), v4(&key.bytes, 4))),
        ),
        SetType::PAIRS6 => unique(
            keys,
            |set| Elements::Pairs6(set.into()),
            |key| Some((v6(&key.bytes, 0), v6(&key.bytes, 16))),
        ),
        SetType::FLOWS4 => unique(
            keys,
            |set| Elements::Flows4(set.into()),
            |key| {
                let (transport, port) = service(&key.bytes, 8)?;
                Some(Flow { source: v4(&key.bytes, 0), destination: v4(&key.bytes, 4), transport, port })
            },
        ),
        SetType::FLOWS6 => unique(
            keys,
            |set| Elements::Flows6(set.into()),
            |key| {
                let (transport, port) = service(&key.bytes, 32)?;
                Some(Flow { source: v6(&key.bytes, 0), destination: v6(&key.bytes, 16), transport, port })
            },
        ),
        SetType::FORWARDS4 => mapped(keys, Elements::Forwards4, |data| (v4(data, 0), port(data, 4))),
        SetType::FORWARDS6 => mapped(keys, Elements::Forwards6, |data| (v6(data, 0), port(data, 16))),
        SetType::NET4 => networks(keys, 32, |start, length| {
            Ipv4Net::new(Ipv4Addr::from(u32::try_from(start).ok()?), length).ok()
        })
        .map_or(Typed::Foreign, |nets| Typed::Elements(Elements::Net4(nets))),
        SetType::NET6 => networks(keys, 128, |start, length| Ipv6Net::new(start.into(), length).ok())
            .map_or(Typed::Foreign, |nets| Typed::Elements(Elements::Net6(nets))),
        _ => Typed::Foreign,
    }
}

/// A set that the kernel fills, if it is one like ours.
fn meter(kind: SetType) -> Option<Elements> {
    let meter = Meter { remembered: u32::try_from(kind.timeout / MILLISECONDS).ok()? };
    [Elements::Meter4(meter), Elements::Meter6(meter)].into_iter().find(|one| SetType::of(one) == kind)
}

fn unique<T: Ord>(
    keys: Vec<Key>,
    wrap: impl Fn(BTreeSet<T>) -> Elements,
    read: impl Fn(Key) -> Option<T>,
) -> Typed {
    let count = keys.len();
    let Some(set) = keys.into_iter().map(read).collect::<Option<BTreeSet<T>>>() else {
        return Typed::Foreign;
    };
    if set.len() == count { Typed::Elements(wrap(set)) } else { Typed::Repeated }
}

fn by_address<A: Ord, V>(
    keys: Vec<Key>,
    wrap: impl Fn(BTreeMap<A, V>) -> Elements,
    read: impl Fn(Key) -> (A, V),
) -> Typed {
    let count = keys.len();
    let map: BTreeMap<_, _> = keys.into_iter().map(read).collect();
    if map.len() == count { Typed::Elements(wrap(map)) } else { Typed::Repeated }
}

fn mapped<V>(
    keys: Vec<Key>,
    wrap: impl Fn(BTreeMap<(L4, u16), V>) -> Elements,
    read: impl Fn(&[u8]) -> V,
) -> Typed {
    let count = keys.len();
    let entries = keys.into_iter().map(|key| Some((service(&key.bytes, 0)?, read(&key.data))));
    let Some(map) = entries.collect::<Option<BTreeMap<_, _>>>() else { return Typed::Foreign };
    if map.len() == count { Typed::Elements(wrap(map)) } else { Typed::Repeated }
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
