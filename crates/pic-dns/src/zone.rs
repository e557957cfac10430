//! Our own zones, compiled for lookup.
//!
//! Owns: which names exist, what they hold, and the synthesised SOA and NS. Pure: built from a snapshot, then only read.
//! Never: answers for a name outside its zones ([`Found::Elsewhere`]), or lets one inside them go elsewhere.

mod reverse;

use std::net::IpAddr;

use pic_model::snapshot::dns::{DnsSnapshot, Host, Record, RecordData};

use crate::map::FastMap;
use crate::special;
use crate::wire::{name, rtype};

/// Life of "no such name" in our zones. Short, so that a device added a moment ago is soon found.
const NEGATIVE_TTL: u32 = 10;
/// Life of SOA and NS themselves.
const APEX_TTL: u32 = 300;

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
}

impl Kind {
    fn negative_ttl(self) -> u32 {
        match self {
            Self::Cell | Self::Reverse => NEGATIVE_TTL,
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

/// All records of one type at one name.
#[derive(Debug)]
pub struct RrSet {
    /// Type number.
    pub rtype: u16,
    /// Seconds.
    pub ttl: u32,
    /// Values, without duplicates.
    pub rdata: Vec<Box<[u8]>>,
}

/// A name that exists. Without sets it is an empty non-terminal: there are names beneath it.
#[derive(Debug)]
struct Node {
    zone: usize,
    sets: Vec<RrSet>,
}

/// Result of a lookup.
#[derive(Debug)]
pub enum Found<'z> {
    /// Records of the type asked for.
    Records(&'z RrSet),
    /// The name exists, the type does not.
    NoData(&'z Zone),
    /// No such name in this zone.
    NxDomain(&'z Zone),
    /// Not in any zone of ours.
    Elsewhere,
}

/// Why a snapshot cannot be compiled.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ZoneError {
    /// Not a name.
    #[error("{0:?} is not a valid domain name")]
    Name(String),
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
    nodes: FastMap<Box<[u8]>, Node>,
    zones: Vec<Zone>,
    loopback: Vec<RrSet>,
}

impl Zones {
    /// Compiles the zones of a snapshot and adds the special ones it does not define itself.
    pub fn compile(snapshot: &DnsSnapshot) -> Result<Self, ZoneError> {
        let mut zones =
            Self { nodes: FastMap::default(), zones: Vec::new(), loopback: special::loopback_sets() };
        let [_, _, _, _, a, b, c, d] = snapshot.generation.to_be_bytes();
        let serial = u32::from_be_bytes([a, b, c, d]);
        // The first zone names the server; its apex carries the cell's own address.
        let server = snapshot.zones.first().map(|zone| wire_name(&zone.name)).transpose()?;
        let reverse = snapshot.reverse.iter().map(|name| (name, Kind::Reverse));
        for (name, kind) in snapshot.zones.iter().map(|zone| (&zone.name, Kind::Cell)).chain(reverse) {
            let apex = wire_name(name)?;
            let server = server.clone().unwrap_or_else(|| apex.clone());
            zones.add_zone(apex, kind, &server, serial);
        }
        let specials = special::empty_zones().map(|name| (name, Kind::Empty));
        for (text, kind) in specials.chain([("localhost".to_owned(), Kind::Loopback)]) {
            let apex = wire_name(&text)?;
            if !zones.is_apex(&apex) {
                zones.add_zone(apex.clone(), kind, &apex, 1);
            }
        }
        let names = snapshot.zones.iter().map(|zone| zone.hosts.len() + zone.records.len()).sum::<usize>();
        zones.nodes.reserve(names);
        for (index, zone) in snapshot.zones.iter().enumerate() {
            for host in &zone.hosts {
                zones.add_host(index, host, zone.ttl)?;
            }
            for record in &zone.records {
                zones.add_record(index, &zone.name, record)?;
            }
        }
        zones.add_empty_non_terminals();
        Ok(zones)
    }

    /// Looks up a name in lower-case wire form.
    pub fn lookup(&self, name: &[u8], qtype: u16) -> Found<'_> {
        if let Some(node) = self.nodes.get(name) {
            return match node.sets.iter().find(|set| set.rtype == qtype) {
                Some(set) => Found::Records(set),
                None => self.missing_type(&self.zones[node.zone], qtype),
            };
        }
        let Some(zone) = self.enclosing(name) else { return Found::Elsewhere };
        match zone.kind {
            Kind::Loopback => self.missing_type(zone, qtype),
            Kind::Cell | Kind::Reverse | Kind::Empty => Found::NxDomain(zone),
        }
    }

    fn missing_type<'z>(&'z self, zone: &'z Zone, qtype: u16) -> Found<'z> {
        let everywhere = self.loopback.iter().find(|set| zone.kind == Kind::Loopback && set.rtype == qtype);
        everywhere.map_or(Found::NoData(zone), Found::Records)
    }

    /// The zone with the longest apex that contains `name`.
    fn enclosing(&self, name: &[u8]) -> Option<&Zone> {
        self.zones.get(self.enclosing_index(name)?)
    }

    fn enclosing_index(&self, name: &[u8]) -> Option<usize> {
        let mut rest = Some(name);
        while let Some(suffix) = rest {
            if let Some(node) = self.nodes.get(suffix) {
                return Some(node.zone);
            }
            rest = name::parent(suffix);
        }
        None
    }

    fn is_apex(&self, name: &[u8]) -> bool {
        self.nodes.get(name).is_some_and(|node| *self.zones[node.zone].apex == *name)
    }

    fn add_zone(&mut self, apex: Vec<u8>, kind: Kind, server: &[u8], serial: u32) {
        let soa = soa_rdata(server, serial, kind.negative_ttl());
        let sets = vec![
            RrSet { rtype: rtype::SOA, ttl: APEX_TTL, rdata: vec![soa.clone()] },
            RrSet { rtype: rtype::NS, ttl: APEX_TTL, rdata: vec![server.into()] },
        ];
        self.nodes.insert(apex.clone().into(), Node { zone: self.zones.len(), sets });
        self.zones.push(Zone { apex: apex.into(), soa, kind });
    }

    fn add_record(&mut self, zone: usize, zone_name: &str, record: &Record) -> Result<(), ZoneError> {
        let owner = wire_name(&record.name)?;
        let (rtype, rdata) = encode(&record.data)?;
        if !name::is_within(&owner, &self.zones[zone].apex) {
            return Err(ZoneError::Outside { record: record.name.clone(), zone: zone_name.to_owned() });
        }
        self.add(zone, owner, rtype, record.ttl, rdata);
        Ok(())
    }

    /// The addresses of a host, and the pointers back to it.
    fn add_host(&mut self, zone: usize, host: &Host, ttl: u32) -> Result<(), ZoneError> {
        let owner = name::beneath(&host.name, &self.zones[zone].apex);
        let owner = owner.ok_or_else(|| ZoneError::Name(host.name.clone()))?;
        for address in &host.addresses {
            let pointer = reverse::name(*address);
            let reverse =
                self.enclosing_index(&pointer).filter(|zone| self.zones[*zone].kind == Kind::Reverse);
            if let Some(reverse) = reverse {
                self.add(reverse, pointer, rtype::PTR, ttl, owner.as_slice().into());
            }
            let (rtype, rdata) = encode_address(*address);
            self.add(zone, owner.clone(), rtype, ttl, rdata);
        }
        Ok(())
    }

    fn add(&mut self, zone: usize, owner: Vec<u8>, rtype: u16, ttl: u32, rdata: Box<[u8]>) {
        let node = self.nodes.entry(owner.into()).or_insert_with(|| Node { zone, sets: Vec::new() });
        match node.sets.iter_mut().find(|set| set.rtype == rtype) {
            Some(set) => {
                // RFC 2181 5.2: one TTL for the whole set.
                set.ttl = set.ttl.min(ttl);
                if !set.rdata.contains(&rdata) {
                    set.rdata.push(rdata);
                }
            }
            None => {
                // Most names have few types.
                node.sets.reserve_exact(1);
                node.sets.push(RrSet { rtype, ttl, rdata: vec![rdata] });
            }
        }
    }

    /// A name with something beneath it exists (RFC 8020): without this, a "no such name" for `a.home.cell` would
    /// let resolvers conclude that `b.a.home.cell` does not exist either.
    fn add_empty_non_terminals(&mut self) {
        let mut missing = Vec::new();
        for owner in self.nodes.keys() {
            let mut path = Vec::new();
            let mut rest = name::parent(owner);
            while let Some(suffix) = rest {
                if let Some(node) = self.nodes.get(suffix) {
                    missing.extend(path.drain(..).map(|name: &[u8]| (Box::from(name), node.zone)));
                    break;
                }
                path.push(suffix);
                rest = name::parent(suffix);
            }
        }
        for (name, zone) in missing {
            self.nodes.entry(name).or_insert_with(|| Node { zone, sets: Vec::new() });
        }
    }
}

fn wire_name(text: &str) -> Result<Vec<u8>, ZoneError> {
    name::from_text(text).ok_or_else(|| ZoneError::Name(text.to_owned()))
}

fn encode(data: &RecordData) -> Result<(u16, Box<[u8]>), ZoneError> {
    Ok(match data {
        RecordData::Address(ip) => encode_address(*ip),
        RecordData::Ptr(target) => (rtype::PTR, wire_name(target)?.into()),
    })
}

fn encode_address(ip: IpAddr) -> (u16, Box<[u8]>) {
    match ip {
        IpAddr::V4(ip) => (rtype::A, ip.octets().into()),
        IpAddr::V6(ip) => (rtype::AAAA, ip.octets().into()),
    }
}

/// Primary, mailbox (`hostmaster` at the server), serial, refresh, retry, expire, minimum.
fn soa_rdata(server: &[u8], serial: u32, negative: u32) -> Box<[u8]> {
    let mut rdata = server.to_vec();
    // A server name too long to be prefixed is its own mailbox: nobody reads the field, it only has to be a name.
    if server.len() + 11 <= name::MAX {
        rdata.extend_from_slice(b"\x0Ahostmaster");
    }
    rdata.extend_from_slice(server);
    for number in [serial, 3_600, 600, 604_800, negative] {
        rdata.extend_from_slice(&number.to_be_bytes());
    }
    rdata.into()
}

#[cfg(test)]
mod tests;
