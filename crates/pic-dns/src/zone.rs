//! Our own zones, compiled for lookup.
//!
//! Owns: which names exist for whom, what they hold, and the synthesised SOA and NS. Pure: built from a snapshot, then
//! only read. Never: answers for a name outside its zones ([`Found::Elsewhere`]), lets one inside them go elsewhere
//! unless the snapshot forwards it, or shows a name to a view that may not see it.

mod apexes;
mod build;
mod encode;
mod nodes;
mod reverse;
mod values;

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::map::FastMap;
use crate::policy::Client;
use crate::special;
use crate::wire::{name, rtype};
use apexes::Apexes;
use nodes::{Name, Nodes};
pub use values::Values;

/// Life of "no such name" in our zones. Short, so that a device added a moment ago is soon found.
const NEGATIVE_TTL: u32 = 10;

/// What a zone holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What the snapshot says.
    Cell,
    /// Pointers to the hosts of the snapshot.
    Reverse,
    /// Nothing: names that must not leave (RFC 6303 and others).
    Empty,
    /// The loopback addresses at every name (RFC 6761 6.3).
    Loopback,
    /// Asked at others: the forward with this number.
    Forward(usize),
}

impl Kind {
    fn negative_ttl(self) -> u32 {
        match self {
            Self::Cell | Self::Reverse | Self::Forward(_) => NEGATIVE_TTL,
            Self::Empty | Self::Loopback => special::TTL,
        }
    }
}

/// Apex data of a zone.
#[derive(Debug)]
pub struct Zone {
    /// Name in wire form, lower case.
    pub apex: Box<[u8]>,
    /// RDATA of the SOA, to put beside a "no".
    pub soa: Box<[u8]>,
    kind: Kind,
}

impl Zone {
    /// TTL of the SOA beside a "no".
    pub fn negative_ttl(&self) -> u32 {
        self.kind.negative_ttl()
    }
}

/// All records of one type at one name that the same views see.
#[derive(Debug)]
pub struct RrSet {
    /// Type number.
    pub rtype: u16,
    /// Seconds.
    pub ttl: u32,
    /// Values.
    pub rdata: Values,
    /// Views that see it; `None`: all that see our names.
    views: Option<Box<[u16]>>,
    /// The client that always sees it, being what it speaks of; 0: nobody.
    own: u32,
}

impl RrSet {
    /// A set that everyone sees.
    pub fn open(rtype: u16, ttl: u32, rdata: Values) -> Self {
        Self { rtype, ttl, rdata, views: None, own: 0 }
    }

    /// Whether nobody who sees our names is kept from it.
    pub fn is_for_all(&self) -> bool {
        self.views.is_none()
    }

    fn is_seen(&self, client: &Client) -> bool {
        let by_view =
            || self.views.as_deref().map_or(!client.outside, |v| v.binary_search(&client.view.0).is_ok());
        (client.cell && by_view()) || (self.own != 0 && self.own == client.own)
    }
}

/// A name that exists.
#[derive(Debug)]
struct Node {
    zone: usize,
    /// There are names beneath it, so it exists even for those who see nothing at it.
    parent: bool,
    /// Those of the same type in order of how many views see them, the fewest first.
    sets: SmallVec<[RrSet; 1]>,
}

/// Result of a lookup.
#[derive(Debug)]
pub enum Found<'z> {
    /// Records of the type asked for.
    Records(&'z RrSet),
    /// The name is another name for what this set's one value says.
    Alias(&'z RrSet),
    /// The name exists, the type does not.
    NoData(&'z Zone),
    /// No such name in this zone, or none that this client may see.
    NxDomain(&'z Zone),
    /// To be asked at the forward with this number.
    Forward(usize),
    /// Not in any zone of ours.
    Elsewhere,
}

/// Why a snapshot cannot be compiled.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ZoneError {
    /// Not a name.
    #[error("{0:?} is not a valid domain name")]
    Name(String),
    /// Not an even number of hex digits, or not a name where it must be one.
    #[error("the value of record {0:?} is not one of its type")]
    Value(String),
    /// A record lies outside the zone it is listed in.
    #[error("record {record:?} is not within zone {zone:?}")]
    Outside {
        /// Owner name.
        record: String,
        /// Zone it is listed in.
        zone: String,
    },
}

/// All zones.
#[derive(Debug, Default)]
pub struct Zones {
    nodes: Nodes,
    zones: Vec<Zone>,
    apexes: Apexes,
    loopback: Vec<RrSet>,
    /// Numbers of the clients that names are about.
    owners: FastMap<IpAddr, u32>,
    wildcards: bool,
}

impl Zones {
    /// Number of the client with this address among those that names are about; 0: none.
    pub fn owner(&self, address: IpAddr) -> u32 {
        self.owners.get(&address).copied().unwrap_or(0)
    }

    /// All clients that names are about.
    pub fn owners(&self) -> impl Iterator<Item = (IpAddr, u32)> {
        self.owners.iter().map(|(address, own)| (*address, *own))
    }

    /// Whether a name has records, whoever may see them.
    pub fn has_records(&self, name: &[u8]) -> bool {
        self.nodes.get(name).is_some_and(|node| !node.sets.is_empty())
    }

    /// Whether a name is in a zone that the cell gives names in, and not one that it only keeps from leaving.
    pub fn is_of_cell(&self, name: &[u8]) -> bool {
        let zone = self.apexes.closest(name).and_then(|zone| self.zones.get(zone));
        zone.is_some_and(|zone| zone.kind == Kind::Cell)
    }

    /// Looks up a name in lower-case wire form.
    pub fn lookup(&self, name: &[u8], qtype: u16, client: &Client) -> Found<'_> {
        if let Some(node) = self.nodes.get(name) {
            return self.at(node, qtype, client);
        }
        let Some((closest, node)) = self.closest(name) else { return Found::Elsewhere };
        let Some(zone) = self.zones.get(node.zone) else { return Found::Elsewhere };
        match zone.kind {
            Kind::Loopback => self.missing_type(zone, qtype),
            Kind::Forward(number) => Found::Forward(number),
            Kind::Cell if self.wildcards => self.wildcard(closest, zone, qtype, client),
            Kind::Cell | Kind::Reverse | Kind::Empty => Found::NxDomain(zone),
        }
    }

    /// What the `*` right beneath the closest existing name says (RFC 4592).
    fn wildcard<'z>(&'z self, closest: &[u8], zone: &'z Zone, qtype: u16, client: &Client) -> Found<'z> {
        let star = [b"\x01*", closest].concat();
        match self.nodes.get(&star) {
            Some(node) => self.at(node, qtype, client),
            None => Found::NxDomain(zone),
        }
    }

    fn at<'z>(&'z self, node: &'z Node, qtype: u16, client: &Client) -> Found<'z> {
        let Some(zone) = self.zones.get(node.zone) else { return Found::Elsewhere };
        if let Kind::Forward(number) = zone.kind {
            return Found::Forward(number);
        }
        // The apex holds SOA and NS, which no view hides.
        let (mut exists, mut alias) =
            (node.parent || zone.kind != Kind::Cell && zone.kind != Kind::Reverse, None);
        for set in
            node.sets.iter().filter(|set| matches!(set.rtype, rtype::SOA | rtype::NS) || set.is_seen(client))
        {
            exists = true;
            if set.rtype == qtype {
                return Found::Records(set);
            }
            if set.rtype == rtype::CNAME && alias.is_none() {
                alias = Some(set);
            }
        }
        match alias {
            Some(set) => Found::Alias(set),
            None if exists => self.missing_type(zone, qtype),
            None => Found::NxDomain(zone),
        }
    }

    fn missing_type<'z>(&'z self, zone: &'z Zone, qtype: u16) -> Found<'z> {
        let everywhere = self.loopback.iter().find(|set| zone.kind == Kind::Loopback && set.rtype == qtype);
        everywhere.map_or(Found::NoData(zone), Found::Records)
    }

    /// The nearest existing name at or above `name`.
    fn closest<'n>(&self, name: &'n [u8]) -> Option<(&'n [u8], &Node)> {
        let mut rest = Some(name);
        while let Some(suffix) = rest {
            if let Some(node) = self.nodes.get(suffix) {
                return Some((suffix, node));
            }
            rest = name::parent(suffix);
        }
        None
    }
}

#[cfg(test)]
mod tests;
