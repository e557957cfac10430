//! `[dns]` and its lists.

pub(super) mod blocklist;
pub(super) mod record;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::fields;
use super::place::Places;
use super::reader::Reader;
use super::values::{self, Bad, Value, quoted};
use crate::desired::{Audience, Desired, Dns, DnsForward, DnsRecord};
use crate::dns::{Name, RecordType};
use crate::name::{GroupName, LanName, PeerName};
use crate::problem::{Problem, ProblemCode};

/// The service keeps a bit for each.
const MAX_BLOCKLISTS: usize = 64;

/// About 16 MiB at worst, a third of that as names are.
const MAX_QUERY_LOG: i64 = 50_000;

const ANCHORS: &str = "put DS or DNSKEY records into a file that everybody may read, and write its path";

/// Path and place of something.
pub(super) type Mark = (String, Range<usize>);

/// Where records and forwards stand, in the order of [`Dns`].
#[derive(Debug, Default)]
pub(super) struct Marks {
    records: Vec<Mark>,
    forwards: Vec<Mark>,
    blocklists: Vec<Mark>,
}

/// The whole table. `zone` is the cell's own.
pub(super) fn dns(t: &mut Reader<'_, '_>, zone: &str) -> (Dns, Marks) {
    let host = t.boolean("host").map(|at| at.value);
    let upstreams = t.strings("upstreams");
    let upstreams = t.each(upstreams, values::upstream);
    let dnssec = t.boolean("dnssec").map(|at| at.value);
    let trust_anchor = t.string("trust_anchor");
    let trust_anchor = trust_anchor.and_then(|at| match blocklist::path(&at.value) {
        Ok(path) => Some(path),
        Err(bad) => {
            t.bad(&at, Bad { hint: ANCHORS, ..bad });
            None
        }
    });
    let private = t.strings("private");
    let private = t.each(private, full_name).unwrap_or_default();
    let query_log = query_log(t);
    let outside = t.boolean("outside").is_some_and(|at| at.value);
    let tls = t.has("tls").then(|| t.table("tls", tls::tls)).flatten();
    let mut marks = Marks::default();
    let records = record::all(t, zone, &mut marks.records);
    let forwards = t.tables("forward", |t, span| {
        let forward = forward(t)?;
        marks.forwards.push((t.path().to_owned(), span));
        Some(forward)
    });
    let blocklists = t.tables("blocklist", |t, span| {
        let list = blocklist::blocklist(t)?;
        marks.blocklists.push((t.path().to_owned(), span));
        Some(list)
    });
    let allow = t.strings("allow");
    let allow = t.each(allow, full_name).unwrap_or_default();
    let dns = Dns {
        host,
        upstreams,
        dnssec,
        trust_anchor,
        private,
        records,
        forwards,
        blocklists,
        allow,
        query_log,
        tls,
        outside,
    };
    (dns, marks)
}

fn query_log(t: &mut Reader<'_, '_>) -> u32 {
    let Some(at) = t.integer("query_log") else { return 0 };
    match u32::try_from(at.value).ok().filter(|_| at.value <= MAX_QUERY_LOG) {
        Some(number) => number,
        None => {
            let message = format!("{} is not a number of questions from 0 to {MAX_QUERY_LOG}", at.value);
            t.bad(&at, Bad { message, hint: "write query_log = 1000, or leave it out to keep none" });
            0
        }
    }
}

fn full_name(text: &str) -> Value<Name> {
    let bad =
        |error| Bad { message: format!("{} is no name: {error}", quoted(text)), hint: "write a full name" };
    Name::absolute(text).map_err(bad)
}

fn forward(t: &mut Reader<'_, '_>) -> Option<DnsForward> {
    let zone = t.needed("zone", "write zone = \"office.cell\"", full_name);
    let list = t.strings("upstreams");
    if list.as_ref().is_none_or(Vec::is_empty) {
        t.missing("upstreams", "write upstreams = [\"10.99.0.1\"]");
        return None;
    }
    let upstreams = t.each(list, values::upstream)?;
    Some(DnsForward { zone: zone?, upstreams })
}

/// What must hold between records, peers and forwards.
pub(super) fn check(desired: &Desired, marks: &Marks, place: &Places<'_>, problems: &mut Vec<Problem>) {
    let mut check = Check { desired, zone: desired.cell.name.zone(), place, problems };
    check.records(marks);
    check.forwards(marks);
    check.blocklists(marks);
}

struct Check<'c, 't> {
    desired: &'c Desired,
    zone: String,
    place: &'c Places<'t>,
    problems: &'c mut Vec<Problem>,
}

impl Check<'_, '_> {
    fn refuse(&mut self, mark: &Mark, code: ProblemCode, message: String, hint: &str) {
        self.problems.push(self.place.problem(&mark.1, mark.0.clone(), code, message, hint));
    }

    fn records(&mut self, marks: &Marks) {
        let desired = self.desired;
        let mut by_name: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (index, (record, mark)) in desired.dns.records.iter().zip(&marks.records).enumerate() {
            by_name.entry(&record.name).or_default().push(index);
            self.own_names(record, mark);
            self.known_audience(record.audience.as_ref(), mark);
            if !seen.insert((&record.name, record.rtype, &record.data.wire, &record.audience)) {
                let message =
                    format!("{} {} {} stands here twice", record.name, record.rtype, record.data.text);
                self.refuse(mark, ProblemCode::Duplicate, message, "remove one of the two");
            }
        }
        let cuts: BTreeSet<&Name> =
            desired.dns.records.iter().filter(|r| self.is_cut(r)).map(|r| &r.name).collect();
        for (record, mark) in desired.dns.records.iter().zip(&marks.records) {
            self.alone(record, mark, &by_name);
            self.beneath_cuts(record, mark, &cuts);
            if self.is_cut(record) {
                self.glue(record, mark);
            }
        }
    }

    fn is_cut(&self, record: &DnsRecord) -> bool {
        record::is_cut(record, &self.zone)
    }

    /// Names that the cell itself gives addresses to.
    fn own_names(&mut self, record: &DnsRecord, mark: &Mark) {
        let is_address = matches!(record.rtype, RecordType::A | RecordType::AAAA | RecordType::CNAME);
        let peer = record.name.beneath(&self.zone).is_some_and(|label| {
            label.parse::<PeerName>().is_ok_and(|name| self.desired.peers.contains_key(&name))
        });
        let is_apex = record.name.as_str() == self.zone;
        if is_address && (peer || is_apex) {
            let whose = if peer { "a peer" } else { "the cell" };
            let message = format!("{} is the name of {whose}, which has its own addresses", record.name);
            self.refuse(mark, ProblemCode::Duplicate, message, "choose another name");
        }
        if record.name.is_reverse() && record.rtype != RecordType::PTR {
            let message = format!("{} is the name of an address and may only have PTR", record.name);
            self.refuse(mark, ProblemCode::Conflict, message, "write type = \"PTR\"");
        }
    }

    fn known_audience(&mut self, audience: Option<&BTreeSet<Audience>>, mark: &Mark) {
        let desired = self.desired;
        for name in audience.into_iter().flatten() {
            let Audience::Named(name) = name else { continue };
            if desired.subject(name.as_str()).is_some() {
                continue;
            }
            let known = desired.peers.keys().map(PeerName::as_str);
            let known = known.chain(desired.groups.iter().map(GroupName::as_str));
            let known = known
                .chain(desired.lans.keys().chain(desired.subnets.keys()).map(LanName::as_str))
                .chain(["peers", "outside"]);
            let hint = match fields::near(known, name.as_str()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "write \"peers\", or the name of a [[peer]], a [[group]] or a [[lan]]".to_owned(),
            };
            let message = format!("there is no peer, group or LAN named \"{name}\" that this could be for");
            self.refuse(mark, ProblemCode::BadValue, message, &hint);
        }
    }

    fn blocklists(&mut self, marks: &Marks) {
        let desired = self.desired;
        let mut seen = BTreeSet::new();
        for (index, (list, mark)) in desired.dns.blocklists.iter().zip(&marks.blocklists).enumerate() {
            self.known_audience(list.audience.as_ref(), mark);
            if !seen.insert(&list.name) {
                let message = format!("there are two blocklists named {}", list.name);
                self.refuse(mark, ProblemCode::Duplicate, message, "give one of them another name");
            }
            if index == MAX_BLOCKLISTS {
                let message = format!("there are more than {MAX_BLOCKLISTS} blocklists");
                self.refuse(mark, ProblemCode::Exhausted, message, "put several lists into one file");
            }
        }
    }

    /// An alias is the only record of its name (RFC 1034 section 3.6.2), as far as one client sees.
    fn alone(&mut self, record: &DnsRecord, mark: &Mark, by_name: &BTreeMap<&Name, Vec<usize>>) {
        if record.rtype != RecordType::CNAME {
            return;
        }
        let desired = self.desired;
        let beside =
            by_name.get(&record.name).into_iter().flatten().filter_map(|at| desired.dns.records.get(*at));
        let same_eyes = |other: &DnsRecord| other.audience == record.audience;
        let mut others = beside.filter(|other| !std::ptr::eq(&***other, record));
        let clash = others.find(|other| other.rtype != RecordType::CNAME || same_eyes(other));
        if let Some(other) = clash {
            let message = format!("{} has a CNAME and beside it {}", record.name, other.rtype);
            self.refuse(mark, ProblemCode::Conflict, message, "a name with a CNAME has no other record");
        }
    }

    fn beneath_cuts(&mut self, record: &DnsRecord, mark: &Mark, cuts: &BTreeSet<&Name>) {
        let is_address = matches!(record.rtype, RecordType::A | RecordType::AAAA);
        let cut = cuts.iter().find(|cut| record.name.is_within(cut.as_str()));
        if let Some(cut) = cut.filter(|_| record.rtype != RecordType::NS && !is_address) {
            let message = format!("{} belongs to the servers that NS hands {cut} to", record.name);
            self.refuse(mark, ProblemCode::Conflict, message, "remove it, or the NS");
        }
    }

    /// A server that part of the zone is handed to is asked by us, so its address must be known here.
    fn glue(&mut self, record: &DnsRecord, mark: &Mark) {
        let is_glue = |other: &Arc<DnsRecord>| {
            matches!(other.rtype, RecordType::A | RecordType::AAAA) && other.name.wire() == record.data.wire
        };
        let desired = self.desired;
        let is_peer = desired.peers.keys().any(|name| record.data.text == format!("{name}.{}.", self.zone));
        if !is_peer && !desired.dns.records.iter().any(is_glue) {
            let message = format!("{} has no address in this zone", record.data.text);
            let hint = "add an A record for it, or use [[dns.forward]] with addresses";
            self.refuse(mark, ProblemCode::Missing, message, hint);
        }
    }

    fn forwards(&mut self, marks: &Marks) {
        let desired = self.desired;
        let mut seen = BTreeSet::new();
        for (forward, mark) in desired.dns.forwards.iter().zip(&marks.forwards) {
            if !seen.insert(&forward.zone) {
                let message = format!("{} is forwarded twice", forward.zone);
                self.refuse(
                    mark,
                    ProblemCode::Duplicate,
                    message,
                    "put all upstreams into one [[dns.forward]]",
                );
            }
            if forward.zone.as_str() == self.zone || forward.zone == Name::ROOT {
                let message = format!("{} cannot be asked elsewhere", forward.zone);
                let hint = "the cell answers its own zone; all other names go to dns.upstreams";
                self.refuse(mark, ProblemCode::BadValue, message, hint);
            }
        }
    }
}
