//! `[[dns.record]]`, each right by itself, and a few more of them beside many that are right already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Check, Mark};
use crate::config::place::Places;
use crate::config::reader::Reader;
use crate::config::values::{self, Bad, Value, quoted};
use crate::desired::{Audience, Desired, DnsRecord};
use crate::dns::{MAX_TTL, Name, Origin, RData, RecordType, rdata};
use crate::name::SubjectName;

/// Records of one name up to which new ones are compared with each.
const FEW: usize = 32;

/// All of a file's, with where they stand.
pub(in crate::config) fn all(
    t: &mut Reader<'_, '_>,
    zone: &str,
    marks: &mut Vec<Mark>,
) -> Vec<Arc<DnsRecord>> {
    t.tables("record", |t, span| {
        let record = record(t, zone)?;
        marks.push((t.path().to_owned(), span));
        Some(Arc::new(record))
    })
}

fn record(t: &mut Reader<'_, '_>, zone: &str) -> Option<DnsRecord> {
    let origin = Origin { zone, strict: false };
    let name = t.needed("name", "write name = \"printer\"", |text| owner(text, origin));
    let rtype = t.needed("type", "write type = \"A\"", |s| values::parsed::<RecordType>(s, "a type"));
    let data = t.needed("value", "write value = \"192.168.40.20\"", |text| match rtype {
        Some(rtype) => value(rtype, text, origin).map(Some),
        None => Ok(None),
    });
    let ttl = t.integer("ttl").and_then(|at| {
        let ttl = u32::try_from(at.value).ok().filter(|ttl| *ttl <= MAX_TTL);
        if ttl.is_none() {
            let message = format!("{} is not a number of seconds from 0 to {MAX_TTL}", at.value);
            t.bad(&at, Bad { message, hint: "leave it out for 60" });
        }
        ttl
    });
    let audience = t.strings("for");
    let audience = t.each(audience, self::audience).map(|list| list.into_iter().collect::<BTreeSet<_>>());
    Some(DnsRecord { name: name?, rtype: rtype?, data: data??, ttl, audience })
}

/// Name of a record, which must be one the cell can answer for.
fn owner(text: &str, origin: Origin<'_>) -> Value<Name> {
    let name = origin.owner(text).map_err(|error| Bad {
        message: format!("{} is no name: {error}", quoted(text)),
        hint: "write \"printer\", \"_ipp._tcp.printer\", \"*.apps\" or \"@\"",
    })?;
    if name.is_within(origin.zone) || name.is_reverse() {
        return Ok(name);
    }
    Err(Bad {
        message: format!("{} is outside {}", quoted(text), origin.zone),
        hint: "a record's name is in the cell's zone; other zones are asked elsewhere: [[dns.forward]]",
    })
}

fn value(rtype: RecordType, text: &str, origin: Origin<'_>) -> Value<RData> {
    RData::parse(rtype, text, origin).map_err(|error| Bad {
        message: format!("{} is no value of {rtype}: {error}", quoted(text)),
        hint: rdata::hint(rtype),
    })
}

pub(super) fn audience(text: &str) -> Value<Audience> {
    match text {
        "peers" => Ok(Audience::Peers),
        "outside" => Ok(Audience::Outside),
        _ => values::parsed::<SubjectName>(text, "\"peers\", \"outside\" or a name").map(Audience::Named),
    }
}

/// Whether a record hands a part of the zone to another server.
pub(super) fn is_cut(record: &DnsRecord, zone: &str) -> bool {
    record.rtype == RecordType::NS && record.name.as_str() != zone
}

/// Whether records that come behind those of a right file leave it right. `false` leaves that to the check of the whole.
pub(in crate::config) fn are_right(
    more: &[Arc<DnsRecord>],
    marks: &[Mark],
    desired: &Desired,
    place: &Places<'_>,
) -> bool {
    let zone = desired.cell.name.zone();
    let mut problems = Vec::new();
    let mut check = Check { desired, zone: zone.clone(), place, problems: &mut problems };
    for (record, mark) in more.iter().zip(marks) {
        check.own_names(record, mark);
        check.known_audience(record.audience.as_ref(), mark);
    }
    let cuts: Vec<_> = desired.dns.records.iter().filter(|record| is_cut(record, &zone)).collect();
    let is_apart = |record: &DnsRecord| {
        // What is handed to others needs their addresses, and has nothing of ours beneath it.
        !is_cut(record, &zone) && !cuts.iter().any(|cut| record.name.is_within(cut.name.as_str()))
    };
    problems.is_empty()
        && more.iter().all(|record| is_apart(record))
        && of_one_name(more, &desired.dns.records).values().all(Group::is_right)
}

/// Records of one name: how many of them are new, which are the first.
#[derive(Default)]
struct Group<'r> {
    new: usize,
    records: Vec<&'r DnsRecord>,
}

/// The new records by their names, each with those that were there before.
fn of_one_name<'r>(
    more: &'r [Arc<DnsRecord>],
    before: &'r [Arc<DnsRecord>],
) -> BTreeMap<&'r Name, Group<'r>> {
    let mut groups: BTreeMap<&Name, Group<'_>> = BTreeMap::new();
    for record in more {
        let group = groups.entry(&record.name).or_default();
        group.new += 1;
        group.records.push(record);
    }
    for record in before {
        if let Some(group) = groups.get_mut(&record.name) {
            group.records.push(record);
        }
    }
    groups
}

impl Group<'_> {
    /// Whether the new ones can be told to stand with all others. Each is compared with each: many are left to the whole.
    fn is_right(&self) -> bool {
        let others = |at: usize| self.records.iter().skip(at + 1);
        let new = self.records.iter().take(self.new).enumerate();
        self.records.len() <= FEW
            && new.into_iter().all(|(at, one)| others(at).all(|other| get_along(one, other)))
    }
}

/// Whether two records of one name can be told to stand together by looking at these two alone.
fn get_along(one: &DnsRecord, other: &DnsRecord) -> bool {
    let is_alias = [one.rtype, other.rtype].contains(&RecordType::CNAME);
    !is_alias && (one.rtype, &one.data.wire) != (other.rtype, &other.data.wire)
}

/// Whether a right file stays right without some records. `false` leaves that to the check of the whole.
pub(in crate::config) fn can_go(gone: &[Arc<DnsRecord>], kept: &[Arc<DnsRecord>], desired: &Desired) -> bool {
    let zone = desired.cell.name.zone();
    let is_address = |record: &Arc<DnsRecord>| matches!(record.rtype, RecordType::A | RecordType::AAAA);
    // An address may be that of a server that a part of the zone is handed to.
    !gone.iter().any(is_address) || !kept.iter().any(|record| is_cut(record, &zone))
}
