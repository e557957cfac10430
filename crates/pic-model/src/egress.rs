//! Exits by destination: the words of `[[egress]]`, and what was learnt of the addresses of names.
//!
//! A network is known from the file. The addresses of a name are known once it is looked up: the name server tells them before
//! its answer leaves, and the [`Book`] keeps them for as long as a device may use them without asking again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::dns::Name;
use crate::exit::WayOut;
use crate::policy::Subject;

/// Lines that a cell has at the most: each costs rules, and the name server has a bit for each.
pub const MOST: usize = 64;
/// Names and networks of one line at the most.
pub const MOST_TARGETS: usize = 512;
/// Addresses of one line and IP family at the most. An answer whose addresses find no room is not given.
pub const MOST_ADDRESSES: usize = 8192;
/// Seconds for which an address belongs to a line after it was last told to a device, or last sent to.
pub const LIFE: u32 = 7200;
/// Longest time for which a device is told to keep the addresses of such a name, in seconds. What it keeps longer all the same
/// belongs to the line for [`LIFE`].
pub const TTL: u32 = 300;

/// `[[egress]]`: whoever is meant leaves to these destinations by these exits, whatever else is said of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// Who; empty is all peers and all LANs.
    pub from: BTreeSet<Subject>,
    /// To these names.
    pub names: BTreeSet<Pattern>,
    /// To these networks of the internet.
    pub networks: BTreeSet<IpNet>,
    /// By the first of these that works.
    pub exit: Vec<WayOut>,
}

/// A name, or all names beneath one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(Name);

impl Pattern {
    /// Whether a name is meant.
    pub fn fits(&self, name: &Name) -> bool {
        match self.0.as_str().strip_prefix("*.") {
            Some(zone) => name.beneath(zone).is_some_and(|rest| !rest.is_empty()),
            None => self.0 == *name,
        }
    }

    /// The name, or the one beneath which all are meant.
    pub fn apex(&self) -> &str {
        self.0.as_str().strip_prefix("*.").unwrap_or(self.0.as_str())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// What can stand in `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// A name, or all beneath one.
    Name(Pattern),
    /// A network; an address is one, too.
    Network(IpNet),
}

/// What a text is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ToError {
    /// Neither a name nor a network.
    #[error("is no name of the internet, address or network")]
    Form,
    /// A network with bits behind its prefix.
    #[error("has bits set behind its prefix")]
    Bits,
    /// Everything.
    #[error("is the whole internet")]
    Everything,
    /// Nothing of the internet.
    #[error("is not on the internet")]
    Inside,
}

impl FromStr for To {
    type Err = ToError;

    fn from_str(text: &str) -> Result<Self, ToError> {
        let network = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse::<IpNet>());
        if let Ok(network) = network {
            return match network {
                net if net.prefix_len() == 0 => Err(ToError::Everything),
                net if net.addr() != net.network() => Err(ToError::Bits),
                net if !is_outside(net.addr()) => Err(ToError::Inside),
                net => Ok(Self::Network(net)),
            };
        }
        let name = Name::absolute(text).map_err(|_| ToError::Form)?;
        // One label is a name of the cell's own; "*.com" is far too much, but it is what was said.
        let labels = name.as_str().split('.').count();
        let is_number =
            name.as_str().rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        if labels < 2 || is_number || name.is_reverse() {
            Err(ToError::Form)
        } else {
            Ok(Self::Name(Pattern(name)))
        }
    }
}

/// Whether packets to an address may leave by an exit at all: not to networks that are nobody's on the internet.
pub fn is_outside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let local = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast();
            !local && !ip.is_unspecified() && !ip.is_broadcast()
        }
        IpAddr::V6(ip) => {
            let local = ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local();
            !local && !ip.is_unspecified() && !ip.is_multicast() && ip.to_ipv4_mapped().is_none()
        }
    }
}

/// The version of the file of the book.
pub const VERSION: u32 = 1;

/// Which addresses belong to which set of the firewall, and until when in Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// [`VERSION`].
    pub version: u32,
    /// By set.
    pub sets: BTreeMap<String, BTreeMap<IpAddr, i64>>,
}

impl Default for Book {
    fn default() -> Self {
        Self { version: VERSION, sets: BTreeMap::new() }
    }
}

/// Why a book cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// No JSON of this shape.
    #[error("is damaged")]
    Json(#[from] serde_json::Error),
    /// Of another release.
    #[error("is of version {0}")]
    Version(u32),
}

/// Sets that a book has room for: those of lines of before are kept until their addresses are forgotten.
const MOST_SETS: usize = 4 * MOST;

impl Book {
    /// From the bytes of its file.
    pub fn parse(bytes: &[u8]) -> Result<Self, BookError> {
        let book: Self = serde_json::from_slice(bytes)?;
        if book.version == VERSION { Ok(book) } else { Err(BookError::Version(book.version)) }
    }

    /// Notes addresses of a set until a time. `false`: there is no room for all of them, and none was noted.
    pub fn learn(&mut self, set: &str, addresses: impl Iterator<Item = IpAddr> + Clone, until: i64) -> bool {
        if !self.sets.contains_key(set) && self.sets.len() >= MOST_SETS {
            return false;
        }
        let known = self.sets.entry(set.to_owned()).or_default();
        let new = |is_v4| {
            let all: BTreeSet<_> = addresses.clone().filter(|ip| ip.is_ipv4() == is_v4).collect();
            all.iter().filter(|ip| !known.contains_key(*ip)).count()
        };
        let there = |is_v4| known.keys().filter(|ip| ip.is_ipv4() == is_v4).count();
        if [true, false].into_iter().any(|is_v4| there(is_v4) + new(is_v4) > MOST_ADDRESSES) {
            return false;
        }
        for address in addresses {
            let at = known.entry(address).or_insert(until);
            *at = (*at).max(until);
        }
        true
    }

    /// Forgets what is over; whether anything was.
    pub fn forget(&mut self, now: i64) -> bool {
        let before: usize = self.sets.values().map(BTreeMap::len).sum();
        for addresses in self.sets.values_mut() {
            addresses.retain(|_, until| *until > now);
        }
        self.sets.retain(|_, addresses| !addresses.is_empty());
        before != self.sets.values().map(BTreeMap::len).sum::<usize>()
    }

    /// What belongs to each set at this moment.
    pub fn now(&self, now: i64) -> BTreeMap<String, BTreeSet<IpAddr>> {
        let of = |addresses: &BTreeMap<IpAddr, i64>| {
            addresses.iter().filter(|(_, until)| **until > now).map(|(address, _)| *address).collect()
        };
        self.sets.iter().map(|(set, addresses)| (set.clone(), of(addresses))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_names_and_networks_of_the_internet() {
        let fits = |pattern: &str, name: &str| match pattern.parse::<To>() {
            Ok(To::Name(pattern)) => pattern.fits(&Name::absolute(name).unwrap()),
            other => panic!("{pattern}: {other:?}"),
        };
        assert!(
            fits("*.video.example", "www.video.example") && fits("*.Video.example.", "a.b.video.example")
        );
        assert!(!fits("*.video.example", "video.example") && !fits("*.video.example", "www.myvideo.example"));
        assert!(fits("video.example", "video.example") && !fits("video.example", "www.video.example"));
        assert_eq!("203.0.113.0/24".parse(), Ok(To::Network("203.0.113.0/24".parse().unwrap())));
        assert_eq!("2001:db8::1".parse(), Ok(To::Network("2001:db8::1/128".parse().unwrap())));
        for (text, error) in [
            ("0.0.0.0/0", ToError::Everything),
            ("203.0.113.1/24", ToError::Bits),
            ("192.168.1.0/24", ToError::Inside),
            ("fd00::/8", ToError::Inside),
            ("printer", ToError::Form),
            ("a b.example", ToError::Form),
            ("203.0.113", ToError::Form),
            ("", ToError::Form),
        ] {
            assert_eq!(text.parse::<To>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_book_forgets_in_time_and_is_bounded() {
        let mut book = Book::default();
        let ip = |n: u32| IpAddr::from(std::net::Ipv4Addr::from(0xCB00_7100 + n));
        assert!(book.learn("a", [ip(1), ip(2)].into_iter(), 100));
        assert!(book.learn("a", [ip(1)].into_iter(), 50), "never earlier than said before");
        assert!(book.learn("a", [ip(2)].into_iter(), 200));
        assert_eq!(book.now(99)["a"].len(), 2);
        assert_eq!(book.now(100)["a"], [ip(2)].into());
        assert!(book.forget(100) && !book.forget(100));
        assert!(!book.learn("a", (0..9000).map(ip), 300));
        assert_eq!(book.now(100)["a"].len(), 1, "all or none");
        let bytes = serde_json::to_vec(&book).unwrap();
        assert_eq!(Book::parse(&bytes).unwrap(), book);
        assert!(Book::parse(b"{}").is_err());
    }
}
