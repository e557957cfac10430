//! The elements of sets and maps.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::{L4, Shared};

/// The elements of a set or map, which also say its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elements {
    /// Single v4 addresses (hash).
    V4(BTreeSet<Ipv4Addr>),
    /// Single v6 addresses (hash).
    V6(BTreeSet<Ipv6Addr>),
    /// v4 networks (interval). They must not overlap.
    Net4(BTreeSet<Ipv4Net>),
    /// v6 networks (interval). They must not overlap.
    Net6(BTreeSet<Ipv6Net>),
    /// Ports (hash).
    Ports(BTreeSet<u16>),
    /// v4 sources with destinations (hash of `ip saddr . ip daddr`).
    Pairs4(Shared<(Ipv4Addr, Ipv4Addr)>),
    /// v6 sources with destinations.
    Pairs6(Shared<(Ipv6Addr, Ipv6Addr)>),
    /// v4 sources with destinations and their ports (hash of `ip saddr . ip daddr . meta l4proto . th dport`).
    Flows4(Shared<Flow<Ipv4Addr>>),
    /// v6 sources with destinations and their ports.
    Flows6(Shared<Flow<Ipv6Addr>>),
    /// Transport and port to a v4 address and port (map).
    Forwards4(BTreeMap<(L4, u16), (Ipv4Addr, u16)>),
    /// Transport and port to a v6 address and port (map).
    Forwards6(BTreeMap<(L4, u16), (Ipv6Addr, u16)>),
    /// v4 addresses, each with a counter (hash, filled by the kernel at the first packet: ten thousand counters that nobody
    /// needs yet would be half of loading the table). Who is in it, and what was counted, is nobody's to compare.
    Tally4,
    /// The same of v6.
    Tally6,
    /// Interfaces by name, each with a counter of what it was found for (hash). What the counters say is nobody's to compare.
    TallyLinks(BTreeSet<String>),
    /// v4 addresses, each with the bytes in a second up to which it is not found (hash).
    Rates4(BTreeMap<Ipv4Addr, u64>),
    /// v6 addresses to the v4 address of the same device (map), so that both can share one element of another set.
    Twins6(BTreeMap<Ipv6Addr, Ipv4Addr>),
    /// v4 addresses that come while the host runs, and are forgotten by the kernel [`pic_model::egress::LIFE`] after they were
    /// put there or last matched (hash). Those that are here must be in it; more may be.
    Learned4(BTreeSet<Ipv4Addr>),
    /// The same of v6.
    Learned6(BTreeSet<Ipv6Addr>),
    /// v4 sources that rules keep count of (hash, filled by the kernel). Who is in it is nobody's to compare.
    Meter4(Meter),
    /// The same of v6, by their /64.
    Meter6(Meter),
}

/// A set in which the kernel keeps count of sources by itself. It never has elements of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// Seconds after its last packet for which a source is remembered.
    pub remembered: u32,
}

/// Who may open which port where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow<A> {
    /// From, cut to the length that the rule says.
    pub source: A,
    /// To, cut likewise.
    pub destination: A,
    /// TCP or UDP.
    pub transport: L4,
    /// Destination port.
    pub port: u16,
}

/// Room of a new set of addresses: 256 KiB of buckets each.
const ROOM: usize = 16_384;

/// Addresses that the kernel keeps count of in one set at one time. It takes no more; those beyond are neither limited nor
/// counted.
const KEPT: u32 = 65_536;

macro_rules! each {
    ($self:ident, $set:ident => $body:expr) => {
        match $self {
            Self::V4($set) => $body,
            Self::V6($set) => $body,
            Self::Net4($set) => $body,
            Self::Net6($set) => $body,
            Self::Ports($set) => $body,
            Self::Pairs4($set) => $body,
            Self::Pairs6($set) => $body,
            Self::Flows4($set) => $body,
            Self::Flows6($set) => $body,
            Self::Forwards4($set) => $body,
            Self::Forwards6($set) => $body,
            Self::Rates4($set) => $body,
            Self::Twins6($set) => $body,
            Self::TallyLinks($set) => $body,
            Self::Learned4($set) => $body,
            Self::Learned6($set) => $body,
            Self::Tally4 | Self::Tally6 | Self::Meter4(_) | Self::Meter6(_) => {
                let $set: [(); 0] = [];
                $body
            }
        }
    };
}

impl Elements {
    /// Most elements that a set made for these can hold, for the types whose table the kernel makes once in full size
    /// when told. Growing it by halves costs a quarter of loading ten thousand peers.
    pub fn room(&self) -> Option<u32> {
        match self {
            Self::V4(_)
            | Self::V6(_)
            | Self::Rates4(_)
            | Self::Twins6(_)
            | Self::Pairs4(_)
            | Self::Pairs6(_)
            | Self::Flows4(_)
            | Self::Flows6(_) => {
                let room = if self.len() <= ROOM { ROOM } else { self.len().saturating_mul(2) };
                u32::try_from(room).ok()
            }
            Self::Tally4 | Self::Tally6 | Self::Meter4(_) | Self::Meter6(_) => Some(KEPT),
            // Twice, as one that is put there anew is there twice for a moment.
            Self::Learned4(_) | Self::Learned6(_) => {
                u32::try_from(2 * pic_model::egress::MOST_ADDRESSES).ok()
            }
            Self::Net4(_)
            | Self::Net6(_)
            | Self::Ports(_)
            | Self::TallyLinks(_)
            | Self::Forwards4(_)
            | Self::Forwards6(_) => None,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        each!(self, set => set.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What must be added to and removed from `present` to get `self`; `None` when the types differ.
    pub fn delta(&self, present: &Self) -> Option<(Self, Self)> {
        macro_rules! same_type {
            ($($variant:ident: $lacking:ident),*) => {
                match (self, present) {
                    (Self::Tally4, Self::Tally4) | (Self::Tally6, Self::Tally6) => {
                        Some((self.clone(), self.clone()))
                    }
                    (Self::Meter4(want), Self::Meter4(have)) | (Self::Meter6(want), Self::Meter6(have)) => {
                        (want == have).then(|| (self.clone(), self.clone()))
                    }
                    // What is there and not known here was learnt meanwhile.
                    (Self::Learned4(want), Self::Learned4(have)) => {
                        Some((Self::Learned4(set(want, have).0), Self::Learned4(BTreeSet::new())))
                    }
                    (Self::Learned6(want), Self::Learned6(have)) => {
                        Some((Self::Learned6(set(want, have).0), Self::Learned6(BTreeSet::new())))
                    }
                    $((Self::$variant(want), Self::$variant(have)) => {
                        let (add, remove) = $lacking(want, have);
                        Some((Self::$variant(add.into()), Self::$variant(remove.into())))
                    })*
                    _ => None,
                }
            };
        }
        same_type!(
            V4: set, V6: set, Net4: set, Net6: set, Ports: set, Pairs4: set, Pairs6: set, Flows4: set,
            Flows6: set, TallyLinks: set, Forwards4: map, Forwards6: map, Rates4: map, Twins6: map
        )
    }
}

impl Elements {
    /// Takes elements away and then others in, as the kernel does: what goes is told by its key, and a key is not there
    /// twice. `false`, and nothing is changed, where the types differ.
    pub fn change(&mut self, add: &Self, remove: &Self) -> bool {
        macro_rules! same_type {
            ($($set:ident),*; $($shared:ident),*; $($map:ident),*) => {
                match (self, add, remove) {
                    $((Self::$shared(own), Self::$shared(add), Self::$shared(remove)) => {
                        let own = own.to_mut();
                        for one in remove.iter() {
                            own.remove(one);
                        }
                        own.extend(add.iter().copied());
                    })*
                    $((Self::$set(own), Self::$set(add), Self::$set(remove)) => {
                        for one in remove {
                            own.remove(one);
                        }
                        own.extend(add.iter().cloned());
                    })*
                    $((Self::$map(own), Self::$map(add), Self::$map(remove)) => {
                        for key in remove.keys() {
                            own.remove(key);
                        }
                        own.extend(add.iter().map(|(key, value)| (*key, *value)));
                    })*
                    _ => return false,
                }
            };
        }
        same_type!(V4, V6, Learned4, Learned6, Net4, Net6, Ports, TallyLinks; Pairs4, Pairs6, Flows4, Flows6; Forwards4, Forwards6, Rates4, Twins6);
        true
    }
}

/// What either has and the other lacks, found in one walk along both.
fn set<T: Ord + Clone>(one: &BTreeSet<T>, other: &BTreeSet<T>) -> (BTreeSet<T>, BTreeSet<T>) {
    let (mut only_one, mut only_other) = (BTreeSet::new(), BTreeSet::new());
    let (mut ones, mut others) = (one.iter().peekable(), other.iter().peekable());
    loop {
        let order = match (ones.peek(), others.peek()) {
            (Some(one), Some(other)) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return (only_one, only_other),
        };
        if order.is_le() {
            only_one.extend(ones.next().filter(|_| order.is_lt()).cloned());
        }
        if order.is_ge() {
            only_other.extend(others.next().filter(|_| order.is_gt()).cloned());
        }
    }
}

/// The same of maps; another value is another entry.
fn map<K: Ord + Copy, V: PartialEq + Copy>(
    one: &BTreeMap<K, V>,
    other: &BTreeMap<K, V>,
) -> (BTreeMap<K, V>, BTreeMap<K, V>) {
    let lacking = |one: &BTreeMap<K, V>, other: &BTreeMap<K, V>| {
        let lacks = |(key, value): &(&K, &V)| other.get(key) != Some(value);
        one.iter().filter(lacks).map(|(key, value)| (*key, *value)).collect()
    };
    (lacking(one, other), lacking(other, one))
}
