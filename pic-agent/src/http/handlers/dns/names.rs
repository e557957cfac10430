//! Everything the cell answers by itself but pointers, as the name server has it: what is compiled for it, and the names of
//! leases that it takes from the DHCP service.

use std::path::Path;

use pic_api::dns::{DnsRecord, RecordSource};
use pic_drivers::files;
use pic_model::Desired;
use pic_model::chain;
use pic_model::desired::Audience;
use pic_model::snapshot::dhcp::{LeaseNames, VERSION};
use pic_model::snapshot::dns::{DnsSnapshot, Host};
use pic_plan::compile::{DNS_TTL, dns_snapshot};

use crate::http::call::Cell;

/// As much as the name server reads.
const MAX: u64 = 128 << 20;

/// In no order. `leases` is the file that the DHCP service writes.
pub(super) fn all(cell: &Cell, leases: &Path) -> Vec<DnsRecord> {
    let mut snapshot = dns_snapshot(&cell.desired, &cell.facts);
    if let Some(names) = read(leases) {
        snapshot.add_leases(&names);
    }
    let zone = snapshot.zones.first();
    let hosts = zone.into_iter().flat_map(|zone| &zone.hosts);
    let hosts = hosts.flat_map(|host| of_host(&cell.desired, &snapshot, host));
    hosts.chain(cell.desired.dns.records.iter().map(|record| of_owner(record))).collect()
}

/// What cannot be read the name server does not know either, and says so.
fn read(path: &Path) -> Option<LeaseNames> {
    let bytes = files::read_bounded(path, MAX);
    let bytes = bytes.map_err(|error| tracing::warn!("{}", chain(&error))).ok().flatten()?;
    let names = serde_json::from_slice::<LeaseNames>(&bytes);
    let names = names.map_err(|error| tracing::warn!("{} does not count: {error}", path.display())).ok();
    names.filter(|names| names.version == VERSION)
}

fn of_host<'a>(
    desired: &'a Desired,
    snapshot: &'a DnsSnapshot,
    host: &'a Host,
) -> impl Iterator<Item = DnsRecord> + 'a {
    let zone = desired.cell.name.zone();
    let name = if host.name.is_empty() { zone } else { format!("{}.{zone}", host.name) };
    let source = source(desired, &host.name);
    let audience = host.views.as_ref().map(|views| audience(snapshot, views, &host.name, source));
    host.addresses.iter().map(move |address| DnsRecord {
        name: name.clone(),
        rtype: if address.is_ipv4() { "A" } else { "AAAA" }.to_owned(),
        value: address.to_string(),
        ttl: DNS_TTL,
        audience: audience.clone(),
        source,
    })
}

/// A name is one thing's alone; what is not written down is a lease's.
fn source(desired: &Desired, name: &str) -> RecordSource {
    let kept =
        |kept: &pic_model::lan::Reservation| kept.name.as_ref().is_some_and(|one| one.as_str() == name);
    if name.is_empty() {
        RecordSource::Cell
    } else if desired.peers.keys().any(|peer| peer.as_str() == name) {
        RecordSource::Peer
    } else if desired.services.keys().any(|service| service.as_str() == name) {
        RecordSource::Service
    } else if desired.reservations.iter().any(kept) {
        RecordSource::Reservation
    } else {
        RecordSource::Lease
    }
}

/// Who is shown a name: the device itself, and the views. The cell's own host, which sees everything, is not told.
fn audience(snapshot: &DnsSnapshot, views: &[u16], name: &str, source: RecordSource) -> Vec<String> {
    let own = (source == RecordSource::Peer).then(|| name.to_owned());
    let named = |view: &u16| snapshot.views.get(usize::from(*view)).map(|view| view.name.clone());
    let others = views.iter().filter(|view| **view != 0).filter_map(named);
    own.into_iter().chain(others).collect()
}

fn of_owner(record: &pic_model::desired::DnsRecord) -> DnsRecord {
    let audience = record.audience.as_ref();
    DnsRecord {
        name: record.name.to_string(),
        rtype: record.rtype.to_string(),
        value: record.data.text.clone(),
        ttl: record.ttl.unwrap_or(DNS_TTL),
        audience: audience.map(|list| list.iter().map(Audience::as_str).map(str::to_owned).collect()),
        source: RecordSource::Record,
    }
}
