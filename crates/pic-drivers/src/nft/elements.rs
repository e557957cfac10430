//! Elements of sets between typed values and the keys that the kernel keeps.
//!
//! A set of networks is an interval set: each network is a start key and an end key one past its last address. A
//! network that reaches the end of the address space has no end key.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use pic_plan::target::nft::{Counted, Elements, Flow, L4, Meter};

use super::abi;

/// What the kernel does by itself when it finds an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// Counts.
    Count,
    /// Is not found up to a rate of its own.
    Limit,
    /// Something that none of ours does.
    Foreign,
}

/// Type of a set or map in the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SetType {
    pub(super) key_type: u32,
    pub(super) key_length: u32,
    pub(super) flags: u32,
    /// Of a map; zero for a set.
    pub(super) data_type: u32,
    pub(super) data_length: u32,
    /// Milliseconds after which the kernel forgets an element; zero is never.
    pub(super) timeout: u64,
    pub(super) effect: Effect,
}

/// Of a second.
const MILLISECONDS: u64 = 1000;
/// Longest key: two v6 addresses, transport, port.
const KEY: usize = 40;
/// Longest value: a v6 address and a port.
const DATA: usize = 20;

/// One element: key and value left-aligned, and whether it ends an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) bytes: [u8; KEY],
    /// `false` sorts before `true`: at one key, the end of a network comes before the start of the next.
    pub(super) is_start: bool,
    /// Value in a map, or the bytes in a second of an element with a rate.
    pub(super) data: [u8; DATA],
}

/// A type of several fields.
const fn fields(types: &[u32]) -> u32 {
    let (mut whole, mut at) = (0, 0);
    while at < types.len() {
        whole = whole << abi::TYPE_BITS | types[at];
        at += 1;
    }
    whole
}

impl SetType {
    const V4: Self = Self {
        key_type: abi::TYPE_IPV4,
        key_length: 4,
        flags: 0,
        data_type: 0,
        data_length: 0,
        timeout: 0,
        effect: Effect::None,
    };
    const V6: Self = Self { key_type: abi::TYPE_IPV6, key_length: 16, ..Self::V4 };
    const TALLY4: Self = Self { effect: Effect::Count, ..Self::V4 };
    const TALLY6: Self = Self { effect: Effect::Count, ..Self::V6 };
    const TALLY_LINKS: Self = Self { key_type: abi::TYPE_INTERFACE, key_length: 16, ..Self::TALLY4 };
    const RATES4: Self = Self { effect: Effect::Limit, ..Self::V4 };
    const RATES6: Self = Self { effect: Effect::Limit, ..Self::V6 };
    const NET4: Self = Self { flags: abi::SET_INTERVAL, ..Self::V4 };
    const NET6: Self = Self { flags: abi::SET_INTERVAL, ..Self::V6 };
    const PORTS: Self = Self { key_type: abi::TYPE_PORT, key_length: 2, ..Self::V4 };
    const PAIRS4: Self =
        Self { key_type: fields(&[abi::TYPE_IPV4, abi::TYPE_IPV4]), key_length: 8, ..Self::V4 };
    const PAIRS6: Self =
        Self { key_type: fields(&[abi::TYPE_IPV6, abi::TYPE_IPV6]), key_length: 32, ..Self::V4 };
    const FLOWS4: Self = Self {
        key_type: fields(&[abi::TYPE_IPV4, abi::TYPE_IPV4, abi::TYPE_TRANSPORT, abi::TYPE_PORT]),
        key_length: 16,
        ..Self::V4
    };
    const FLOWS6: Self = Self {
        key_type: fields(&[abi::TYPE_IPV6, abi::TYPE_IPV6, abi::TYPE_TRANSPORT, abi::TYPE_PORT]),
        key_length: 40,
        ..Self::V4
    };
    const FORWARDS4: Self = Self {
        key_type: fields(&[abi::TYPE_TRANSPORT, abi::TYPE_PORT]),
        key_length: 8,
        flags: abi::SET_MAP,
        data_type: fields(&[abi::TYPE_IPV4, abi::TYPE_PORT]),
        data_length: 8,
        timeout: 0,
        effect: Effect::None,
    };
    const FORWARDS6: Self =
        Self { data_type: fields(&[abi::TYPE_IPV6, abi::TYPE_PORT]), data_length: 20, ..Self::FORWARDS4 };

    fn meter(self, meter: &Meter) -> Self {
        Self {
            flags: abi::SET_EVAL | abi::SET_TIMEOUT,
            timeout: u64::from(meter.remembered) * MILLISECONDS,
            ..self
        }
    }

    /// Whether its elements are the kernel's own.
    pub(super) fn is_meter(self) -> bool {
        self.flags & abi::SET_EVAL != 0
    }

    pub(super) fn of(elements: &Elements) -> Self {
        match elements {
            Elements::V4(_) => Self::V4,
            Elements::V6(_) => Self::V6,
            Elements::Net4(_) => Self::NET4,
            Elements::Net6(_) => Self::NET6,
            Elements::Ports(_) => Self::PORTS,
            Elements::Pairs4(_) => Self::PAIRS4,
            Elements::Pairs6(_) => Self::PAIRS6,
            Elements::Flows4(_) => Self::FLOWS4,
            Elements::Flows6(_) => Self::FLOWS6,
            Elements::Forwards4(_) => Self::FORWARDS4,
            Elements::Forwards6(_) => Self::FORWARDS6,
            Elements::Rates4(_) => Self::RATES4,
            Elements::Rates6(_) => Self::RATES6,
            Elements::Tally4(_) => Self::TALLY4,
            Elements::Tally6(_) => Self::TALLY6,
            Elements::TallyLinks(_) => Self::TALLY_LINKS,
            Elements::Meter4(meter) => Self::V4.meter(meter),
            Elements::Meter6(meter) => Self::V6.meter(meter),
        }
    }
}

impl Key {
    /// From the bytes of a key; `None` if longer than any of ours.
    pub(super) fn read(content: &[u8], is_start: bool) -> Option<Self> {
        let mut bytes = [0; KEY];
        bytes.get_mut(..content.len())?.copy_from_slice(content);
        Some(Self { bytes, is_start, data: [0; DATA] })
    }

    /// With the bytes of a value; `None` if longer than any of ours.
    pub(super) fn with(mut self, data: &[u8]) -> Option<Self> {
        self.data.get_mut(..data.len())?.copy_from_slice(data);
        Some(self)
    }

    fn start(content: &[u8]) -> Self {
        Self::read(content, true).unwrap_or(Self { bytes: [0; KEY], is_start: true, data: [0; DATA] })
    }

    fn v4(self) -> Ipv4Addr {
        v4(&self.bytes, 0)
    }

    fn v6(self) -> Ipv6Addr {
        v6(&self.bytes, 0)
    }

    /// An interface's name, which the kernel pads with zeros.
    fn link(self) -> Option<String> {
        let name = self.bytes.split(|byte| *byte == 0).next()?;
        String::from_utf8(name.to_vec()).ok()
    }

    /// What something of this type is counted by.
    pub(super) fn counted(self, kind: SetType) -> Option<Counted> {
        match kind {
            SetType::TALLY4 => Some(Counted::Address(self.v4().into())),
            SetType::TALLY6 => Some(Counted::Address(self.v6().into())),
            SetType::TALLY_LINKS => self.link().map(Counted::Link),
            _ => None,
        }
    }

    /// Bytes in a second of an element with a rate.
    pub(super) fn rate(self) -> u64 {
        u64::from_be_bytes(part(&self.data, 0))
    }

    fn port(self) -> u16 {
        port(&self.bytes, 0)
    }

    /// As a number that goes up with the address, of 32 or 128 bits.
    fn position(self, bits: u32) -> u128 {
        u128::from(self.v6()) >> (128 - bits)
    }
}

/// The `N` bytes at a place; zeros beyond the end.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn v4(bytes: &[u8], at: usize) -> Ipv4Addr {
    part(bytes, at).into()
}

fn v6(bytes: &[u8], at: usize) -> Ipv6Addr {
    part(bytes, at).into()
}

fn port(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(part(bytes, at))
}

/// Transport and port, each in a word of its own.
fn service(bytes: &[u8], at: usize) -> Option<(L4, u16)> {
    let [number] = part(bytes, at);
    let transport = [L4::Tcp, L4::Udp, L4::Icmp, L4::Icmp6].into_iter().find(|l4| l4.number() == number)?;
    Some((transport, port(bytes, at + WORD)))
}

/// Fields of a key or value begin at multiples of this.
const WORD: usize = 4;

/// Several fields in a row.
fn row(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(KEY);
    for part in parts {
        bytes.extend_from_slice(part);
        bytes.resize(bytes.len().next_multiple_of(WORD), 0);
    }
    bytes
}

fn flow<A: Copy, const N: usize>(flow: &Flow<A>, octets: fn(&A) -> [u8; N]) -> Key {
    let (source, destination) = (octets(&flow.source), octets(&flow.destination));
    Key::start(&row(&[&source, &destination, &[flow.transport.number()], &flow.port.to_be_bytes()]))
}

fn forward(from: &(L4, u16), to: &[u8], port: u16) -> Key {
    let key = Key::start(&row(&[&[from.0.number()], &from.1.to_be_bytes()]));
    key.with(&row(&[to, &port.to_be_bytes()])).unwrap_or(key)
}

fn limited(content: &[u8], rate: u64) -> Key {
    let key = Key::start(content);
    key.with(&rate.to_be_bytes()).unwrap_or(key)
}

/// Keys of elements in ascending order.
pub(super) fn keys(elements: &Elements) -> Vec<Key> {
    match elements {
        Elements::Meter4(_) | Elements::Meter6(_) => Vec::new(),
        Elements::Rates4(map) => map.iter().map(|(ip, rate)| limited(&ip.octets(), *rate)).collect(),
        Elements::Rates6(map) => map.iter().map(|(ip, rate)| limited(&ip.octets(), *rate)).collect(),
        Elements::TallyLinks(set) => set.iter().map(|name| Key::start(name.as_bytes())).collect(),
        Elements::V4(set) | Elements::Tally4(set) => {
            set.iter().map(|address| Key::start(&address.octets())).collect()
        }
        Elements::V6(set) | Elements::Tally6(set) => {
            set.iter().map(|address| Key::start(&address.octets())).collect()
        }
        Elements::Ports(set) => set.iter().map(|port| Key::start(&port.to_be_bytes())).collect(),
        Elements::Pairs4(set) => {
            set.iter().map(|(from, to)| Key::start(&row(&[&from.octets(), &to.octets()]))).collect()
        }
        Elements::Pairs6(set) => {
            set.iter().map(|(from, to)| Key::start(&row(&[&from.octets(), &to.octets()]))).collect()
        }
        Elements::Flows4(set) => set.iter().map(|one| flow(one, Ipv4Addr::octets)).collect(),
        Elements::Flows6(set) => set.iter().map(|one| flow(one, Ipv6Addr::octets)).collect(),
        Elements::Forwards4(map) => {
            map.iter().map(|(from, (to, port))| forward(from, &to.octets(), *port)).collect()
        }
        Elements::Forwards6(map) => {
            map.iter().map(|(from, (to, port))| forward(from, &to.octets(), *port)).collect()
        }
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
    if let Some(meter) = meter(kind) {
        return Typed::Elements(meter);
    }
    match kind {
        SetType::V4 => unique(keys, Elements::V4, |key| Some(key.v4())),
        SetType::V6 => unique(keys, Elements::V6, |key| Some(key.v6())),
        SetType::RATES4 => rates(keys, Elements::Rates4, Key::v4),
        SetType::RATES6 => rates(keys, Elements::Rates6, Key::v6),
        SetType::TALLY4 => unique(keys, Elements::Tally4, |key| Some(key.v4())),
        SetType::TALLY6 => unique(keys, Elements::Tally6, |key| Some(key.v6())),
        SetType::TALLY_LINKS => unique(keys, Elements::TallyLinks, Key::link),
        SetType::PORTS => unique(keys, Elements::Ports, |key| Some(key.port())),
        SetType::PAIRS4 => unique(keys, Elements::Pairs4, |key| Some((v4(&key.bytes, 0), v4(&key.bytes, 4)))),
        SetType::PAIRS6 => {
            unique(keys, Elements::Pairs6, |key| Some((v6(&key.bytes, 0), v6(&key.bytes, 16))))
        }
        SetType::FLOWS4 => unique(keys, Elements::Flows4, |key| {
            let (transport, port) = service(&key.bytes, 8)?;
            Some(Flow { source: v4(&key.bytes, 0), destination: v4(&key.bytes, 4), transport, port })
        }),
        SetType::FLOWS6 => unique(keys, Elements::Flows6, |key| {
            let (transport, port) = service(&key.bytes, 32)?;
            Some(Flow { source: v6(&key.bytes, 0), destination: v6(&key.bytes, 16), transport, port })
        }),
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

fn rates<A: Ord>(
    keys: Vec<Key>,
    wrap: impl Fn(BTreeMap<A, u64>) -> Elements,
    read: impl Fn(Key) -> A,
) -> Typed {
    let count = keys.len();
    let map: BTreeMap<_, _> = keys.into_iter().map(|key| (read(key), key.rate())).collect();
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
    fn rows_of_fields_and_maps_come_back() {
        let (a, b): (Ipv4Addr, Ipv4Addr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let (c, d): (Ipv6Addr, Ipv6Addr) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        for elements in [
            Elements::Pairs4([(a, b), (b, a)].into()),
            Elements::Pairs6([(c, d), (d, c)].into()),
            Elements::Flows4([Flow { source: a, destination: b, transport: L4::Tcp, port: 445 }].into()),
            Elements::Flows6([Flow { source: c, destination: d, transport: L4::Udp, port: 53 }].into()),
            Elements::Forwards4([((L4::Tcp, 8443), (a, 443)), ((L4::Udp, 8443), (b, 1))].into()),
            Elements::Forwards6([((L4::Tcp, 8443), (c, 443))].into()),
        ] {
            assert_eq!(back(&elements), Typed::Elements(elements));
        }
    }

    #[test]
    fn a_repeated_key_is_noticed() {
        let key = Key::start(&[10, 0, 0, 1]);
        assert_eq!(typed(SetType::V4, vec![key, key]), Typed::Repeated);
    }
}
