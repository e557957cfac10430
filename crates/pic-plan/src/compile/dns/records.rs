//! The owner's records, and what parts of the zone other servers answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use pic_model::Desired;
use pic_model::desired::DnsRecord;
use pic_model::dns::RecordType;
use pic_model::snapshot::dns::{Forward, Record, RecordData, Upstream};

use super::views::Views;
use super::{PORT, TTL};

/// Records of the cell's zone. What hands a part of it to other servers is a forward instead.
pub(super) fn records(desired: &Desired, views: &Views<'_>) -> Vec<Record> {
    let zone = desired.cell.name.zone();
    compiled(desired, views, |record| record.name.is_within(&zone) && !is_cut(record, &zone))
}

/// Records of reverse zones.
pub(super) fn pointers(desired: &Desired, views: &Views<'_>) -> Vec<Record> {
    compiled(desired, views, |record| record.name.is_reverse())
}

fn compiled(desired: &Desired, views: &Views<'_>, is_wanted: impl Fn(&DnsRecord) -> bool) -> Vec<Record> {
    let one = |record: &DnsRecord| Record {
        name: record.name.as_str().to_owned(),
        ttl: record.ttl.unwrap_or(TTL),
        data: data(record),
        views: views.of(record.audience.as_ref()),
    };
    let mut all: Vec<Record> =
        desired.dns.records.iter().filter(|record| is_wanted(record)).map(|record| one(record)).collect();
    all.sort();
    all
}

fn data(record: &DnsRecord) -> RecordData {
    match address(record) {
        Some(address) => RecordData::Address(address),
        None => RecordData::Raw { rtype: record.rtype.number(), hex: hex(&record.data.wire) },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn address(record: &DnsRecord) -> Option<IpAddr> {
    let is_address = matches!(record.rtype, RecordType::A | RecordType::AAAA);
    // Its canonical text is the address itself.
    record.data.text.parse().ok().filter(|_| is_address)
}

fn is_cut(record: &DnsRecord, zone: &str) -> bool {
    record.rtype == RecordType::NS && record.name.as_str() != zone
}

/// Zones asked elsewhere: those of the file, and the parts of our own zone that NS records hand to servers whose
/// addresses are in it.
pub(super) fn forwards(desired: &Desired) -> Vec<Forward> {
    let zone = desired.cell.name.zone();
    let mut all: BTreeMap<String, Vec<Upstream>> = BTreeMap::new();
    for record in desired.dns.records.iter().filter(|record| is_cut(record, &zone)) {
        let servers = addresses_of(desired, &zone, record.data.text.trim_end_matches('.'));
        let upstreams = servers.into_iter().map(|ip| Upstream::Plain { address: SocketAddr::new(ip, PORT) });
        all.entry(record.name.as_str().to_owned()).or_default().extend(upstreams);
    }
    for forward in &desired.dns.forwards {
        all.insert(forward.zone.as_str().to_owned(), forward.upstreams.clone());
    }
    all.into_iter().map(|(zone, upstreams)| Forward { zone, upstreams }).collect()
}

fn addresses_of(desired: &Desired, zone: &str, name: &str) -> Vec<IpAddr> {
    let records = desired
        .dns
        .records
        .iter()
        .filter(|record| record.name.as_str() == name)
        .filter_map(|record| address(record));
    let peers = desired.peers.iter().filter(|(peer, _)| format!("{peer}.{zone}") == name);
    records.chain(peers.map(|(_, peer)| IpAddr::V4(peer.address))).collect()
}
