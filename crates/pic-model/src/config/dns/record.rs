//! `[[dns.record]]`, each right by itself, and a few more of them beside many that are right already.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Check, Mark};
use crate::config::place::Places;
use crate::config::reader::Reader;
use crate::config::values::{self, Bad, Value, quoted};
use crate::desired::{Audience, Desired, DnsRecord};
use crate::dns::{MAX_TTL, Name, Origin, RData, RecordType, rdata};
use crate::name::SubjectName;

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
    let apart = |(at, record): (usize, &Arc<DnsRecord>)| {
        let before = desired.dns.records.iter().chain(more.iter().take(at));
        // What is handed to others needs their addresses, and has nothing of ours beneath it.
        !is_cut(record, &zone) && before.into_iter().all(|other| get_along(record, other, &zone))
    };
    problems.is_empty() && more.iter().enumerate().all(apart)
}

/// Whether two records can be told to stand together by looking at these two alone.
fn get_along(new: &DnsRecord, old: &DnsRecord, zone: &str) -> bool {
    if new.name != old.name {
        return !(is_cut(old, zone) && new.name.is_within(old.name.as_str()));
    }
    let alias = [new.rtype, old.rtype].contains(&RecordType::CNAME);
    !alias && !is_cut(old, zone) && (new.rtype, &new.data.wire) != (old.rtype, &old.data.wire)
}
