//! The names that devices have in DNS, as `pic-dns` gives them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pic_model::Desired;
use pic_model::snapshot::dhcp::{LeaseName, LeaseNames, LeaseState, VERSION};

/// Names of leases by their addresses.
pub(super) fn of(leases: &[LeaseState], desired: &Desired) -> BTreeMap<IpAddr, String> {
    // A device with an address of each family has one name.
    let mut devices: BTreeMap<_, Vec<&LeaseState>> = BTreeMap::new();
    for lease in leases.iter().filter(|lease| lease.state == "bound" && lease.hostname.is_none()) {
        if let Some(says) = &lease.says {
            devices.entry((says, lease.mac)).or_default().push(lease);
        }
    }
    let mut named: Vec<_> = devices.into_iter().collect();
    named.sort_by_key(|(_, leases)| leases.iter().map(|lease| (lease.first_seen, lease.address)).min());
    let mut names = LeaseNames { version: VERSION, names: Vec::new() };
    for (((name, otherwise), _), leases) in named {
        names.names.push(LeaseName {
            name: name.clone(),
            otherwise: otherwise.clone(),
            addresses: leases.iter().map(|lease| lease.address).collect(),
        });
    }
    let written = written(desired);
    let settled = names.settle(written.iter().map(String::as_str).collect());
    let leased = names.names.iter().zip(settled).flat_map(|(lease, name)| {
        let addresses = lease.addresses.iter().filter(move |_| name.is_some());
        addresses.map(move |address| (*address, name.unwrap_or_default().to_owned()))
    });
    let kept = leases.iter().filter_map(|lease| Some((lease.address, lease.hostname.clone()?)));
    leased.chain(kept).collect()
}

/// Names in the zone that are written down: they go before those that devices bring along.
fn written(desired: &Desired) -> BTreeSet<String> {
    let zone = desired.cell.name.zone();
    let peers = desired.peers.keys().map(ToString::to_string);
    let kept = desired.reservations.iter().filter_map(|kept| Some(kept.name.as_ref()?.to_string()));
    let records =
        desired.dns.records.iter().filter_map(|record| Some(record.name.beneath(&zone)?.to_owned()));
    peers.chain(kept).chain(records).collect()
}
