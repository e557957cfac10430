//! From a snapshot to zones.

use std::collections::BTreeSet;

use pic_model::snapshot::dns::{DnsSnapshot, Host, Record, RecordData};
use smallvec::{SmallVec, smallvec};

use super::{Kind, Name, Node, RrSet, Values, Zone, ZoneError, Zones, encode, reverse};
use crate::map::FastMap;
use crate::special;
use crate::wire::{name, rtype};

/// Life of SOA and NS themselves.
const APEX_TTL: u32 = 300;

/// Whom a set is for.
#[derive(Debug, Clone, Copy)]
struct For<'s> {
    views: Option<&'s [u16]>,
    own: u32,
}

impl Zones {
    /// Compiles the zones of a snapshot and adds the special ones it does not define itself.
    pub fn compile(snapshot: &DnsSnapshot) -> Result<Self, ZoneError> {
        let mut zones = Building::default();
        zones.built.loopback = special::loopback_sets();
        zones.add_zones(snapshot)?;
        let names = snapshot.zones.iter().map(|zone| zone.hosts.len() + zone.records.len()).sum::<usize>();
        // Each with a pointer back.
        zones.built.nodes.reserve(if snapshot.reverse.is_empty() { names } else { 2 * names });
        for (index, zone) in snapshot.zones.iter().enumerate() {
            for host in &zone.hosts {
                zones.add_host(index, host, zone.ttl)?;
            }
            for record in &zone.records {
                zones.add_record(index, &zone.name, record)?;
            }
        }
        for record in &snapshot.pointers {
            zones.add_pointer(record)?;
        }
        // Behind what was said outright, which they give way to.
        for record in snapshot.zones.iter().flat_map(|zone| &zone.records) {
            zones.add_implied_pointer(record)?;
        }
        Ok(zones.finish())
    }
}

/// Zones, and what is left to do once all names are in them: found on the way, because one more way through a large zone would
/// cost as much again as putting a name into it.
#[derive(Default)]
struct Building {
    built: Zones,
    /// Clients that names are about, so far.
    owners: u32,
    /// Names with something beneath them, below their zone's apex.
    parents: FastMap<Name, usize>,
    /// Names with several values of one type, some of which may be the same.
    crowded: BTreeSet<Name>,
}

impl Building {
    fn add_zones(&mut self, snapshot: &DnsSnapshot) -> Result<(), ZoneError> {
        let [_, _, _, _, a, b, c, d] = snapshot.generation.to_be_bytes();
        let serial = u32::from_be_bytes([a, b, c, d]);
        // The first zone names the server; its apex carries the cell's own address.
        let server = snapshot.zones.first().map(|zone| encode::name(&zone.name)).transpose()?;
        let cells = snapshot.zones.iter().map(|zone| (&zone.name, Kind::Cell));
        let reverse = snapshot.reverse.iter().map(|name| (name, Kind::Reverse));
        let forwards = snapshot.forwards.iter().enumerate();
        let forwards = forwards.map(|(at, forward)| (&forward.zone, Kind::Forward(at)));
        for (name, kind) in cells.chain(reverse).chain(forwards) {
            let apex = encode::name(name)?;
            let server = server.clone().unwrap_or_else(|| apex.clone());
            self.add_zone(apex, kind, &server, serial);
        }
        let specials = special::empty_zones().map(|name| (name, Kind::Empty));
        for (text, kind) in specials.chain([("localhost".to_owned(), Kind::Loopback)]) {
            let apex = encode::name(&text)?;
            if !self.built.apexes.contains(&apex) {
                self.add_zone(apex.clone(), kind, &apex, 1);
            }
        }
        Ok(())
    }

    fn add_zone(&mut self, apex: Vec<u8>, kind: Kind, server: &[u8], serial: u32) {
        let soa = encode::soa(server, serial, kind.negative_ttl());
        let sets = match kind {
            Kind::Forward(_) => SmallVec::new(),
            Kind::Cell | Kind::Reverse | Kind::Empty | Kind::Loopback => smallvec![
                RrSet::open(rtype::SOA, APEX_TTL, Values::of(&soa)),
                RrSet::open(rtype::NS, APEX_TTL, Values::of(server)),
            ],
        };
        self.built.apexes.insert(&apex, self.built.zones.len());
        let zone = self.built.zones.len();
        let (node, _) = self.built.nodes.entry(&apex, || Node { zone, parent: false, sets: SmallVec::new() });
        (node.zone, node.sets) = (zone, sets);
        self.built.zones.push(Zone { apex: apex.into(), soa, kind });
    }

    fn add_record(&mut self, zone: usize, zone_name: &str, record: &Record) -> Result<(), ZoneError> {
        let owner = encode::name(&record.name)?;
        if !name::is_within(&owner, &self.built.zones[zone].apex) {
            return Err(ZoneError::Outside { record: record.name.clone(), zone: zone_name.to_owned() });
        }
        self.built.wildcards |= owner.starts_with(b"\x01*");
        let (rtype, rdata) = encode::data(&record.name, &record.data)?;
        self.add(zone, &owner, rtype, record.ttl, &rdata, For { views: record.views.as_deref(), own: 0 });
        Ok(())
    }

    fn add_pointer(&mut self, record: &Record) -> Result<(), ZoneError> {
        let owner = encode::name(&record.name)?;
        let zone = self.reverse_zone(&owner);
        let outside = || ZoneError::Outside { record: record.name.clone(), zone: "reverse zones".to_owned() };
        let (rtype, rdata) = encode::data(&record.name, &record.data)?;
        let zone = zone.ok_or_else(outside)?;
        self.add(zone, &owner, rtype, record.ttl, &rdata, For { views: record.views.as_deref(), own: 0 });
        Ok(())
    }

    /// The zone of pointers that a name lies in.
    fn reverse_zone(&self, name: &[u8]) -> Option<usize> {
        self.built.apexes.closest(name).filter(|zone| self.built.zones[*zone].kind == Kind::Reverse)
    }

    /// The pointer back from an address of a record, where nothing else says what it points to.
    fn add_implied_pointer(&mut self, record: &Record) -> Result<(), ZoneError> {
        let RecordData::Address(address) = record.data else { return Ok(()) };
        let pointer = reverse::name(address);
        let is_free = self.built.nodes.get(&pointer).is_none_or(|node| node.sets.is_empty());
        if let Some(zone) = self.reverse_zone(&pointer).filter(|_| is_free && !record.name.starts_with('*')) {
            let owner = encode::name(&record.name)?;
            let whom = For { views: record.views.as_deref(), own: 0 };
            self.add(zone, &pointer, rtype::PTR, record.ttl, &owner, whom);
        }
        Ok(())
    }

    /// The addresses of a host, and the pointers back to it.
    fn add_host(&mut self, zone: usize, host: &Host, ttl: u32) -> Result<(), ZoneError> {
        let owner = name::beneath(&host.name, &self.built.zones[zone].apex);
        let owner = owner.ok_or_else(|| ZoneError::Name(host.name.clone()))?;
        let own = if host.views.is_some() { self.add_owner(host) } else { 0 };
        let whom = For { views: host.views.as_deref(), own };
        for address in &host.addresses {
            let pointer = reverse::name(*address);
            if let Some(reverse) = self.reverse_zone(&pointer) {
                self.add(reverse, &pointer, rtype::PTR, ttl, &owner, whom);
            }
            let (rtype, rdata) = encode::address(*address);
            self.add(zone, &owner, rtype, ttl, &rdata, whom);
        }
        Ok(())
    }

    fn add_owner(&mut self, host: &Host) -> u32 {
        // Not by how many addresses there are: of two hosts with one address, the next would be taken for the second.
        self.owners += 1;
        let own = self.owners;
        self.built.owners.extend(host.addresses.iter().map(|address| (address.to_canonical(), own)));
        own
    }

    fn add(&mut self, zone: usize, owner: &[u8], rtype: u16, ttl: u32, rdata: &[u8], whom: For<'_>) {
        let (node, is_new) =
            self.built.nodes.entry(owner, || Node { zone, parent: false, sets: SmallVec::new() });
        if is_new {
            note_parents(&mut self.parents, owner, self.built.zones[zone].apex.len(), zone);
        }
        let same = |set: &&mut RrSet| {
            set.rtype == rtype && set.views.as_deref() == whom.views && set.own == whom.own
        };
        match node.sets.iter_mut().find(same) {
            Some(set) => {
                // RFC 2181 5.2: one TTL for the whole set.
                set.ttl = set.ttl.min(ttl);
                set.rdata.add(rdata);
                if !self.crowded.contains(owner) {
                    self.crowded.insert(Name::from_slice(owner));
                }
            }
            None => {
                let views = whom.views.map(Box::from);
                node.sets.push(RrSet { rtype, ttl, rdata: Values::of(rdata), views, own: whom.own });
                if node.sets.len() > 1 && node.sets.iter().any(|set| set.views.is_some()) {
                    node.sets.sort_by_key(|set| set.views.as_deref().map_or(usize::MAX, <[u16]>::len));
                }
            }
        }
    }

    fn finish(self) -> Zones {
        let Self { built: mut zones, parents, crowded, .. } = self;
        for name in crowded {
            let sets = zones.nodes.get_mut(&name).map(|node| &mut node.sets);
            sets.into_iter().flatten().for_each(|set| set.rdata.dedup());
        }
        for (name, zone) in parents {
            zones.nodes.entry(&name, || Node { zone, parent: true, sets: SmallVec::new() }).0.parent = true;
        }
        zones
    }
}

/// Notes the names above `owner`, up to the apex of its zone. A name with something beneath it exists (RFC 8020): without
/// this, a "no such name" for `a.home.cell` would let resolvers conclude that `b.a.home.cell` does not exist either.
fn note_parents(parents: &mut FastMap<Name, usize>, owner: &[u8], apex: usize, zone: usize) {
    let above = |name| name::parent(name).filter(|suffix: &&[u8]| suffix.len() > apex);
    let mut rest = above(owner);
    while let Some(suffix) = rest.filter(|suffix| !parents.contains_key(*suffix)) {
        parents.insert(Name::from_slice(suffix), zone);
        rest = above(suffix);
    }
}
