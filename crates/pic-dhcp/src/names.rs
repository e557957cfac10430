//! Names that leases bring along, for `pic-dns`, and prefixes that routers were given, for the agent.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use pic_model::snapshot::dhcp::{LeaseName, LeaseNames, RoutedPrefix, RoutedPrefixes, VERSION};

use crate::delegation::Book;
use crate::label;
use crate::lease::Lease;
use crate::prefixes;
use crate::server::Server;
use crate::server6::Server6;

/// Names before they are in order: by what tells one device from another, with who was there first.
type Found = BTreeMap<(String, Vec<u8>), (u64, Vec<IpAddr>, String)>;

/// The names of all leases that stand, in order of who was there first. Devices whose name is written down have that
/// and no other. A device that has an address of either family under the same name has both under it.
pub fn of(server: &Server, server6: &Server6, book: &Book, now: u64) -> LeaseNames {
    let mut found = Found::new();
    for net in server.nets() {
        let written = |address: u32| {
            let index = net.reservation_of(address);
            index.and_then(|index| net.lan.reservations.get(index)).is_some_and(|one| one.name.is_some())
        };
        for (address, lease) in net.table.iter().filter(|(_, lease)| lease.is_bound(now)) {
            if !written(address) {
                add(&mut found, lease, &lease.client, [Ipv4Addr::from_bits(address).into()]);
            }
        }
    }
    for (_, net) in server6.nets() {
        let prefixes = prefixes::of(&net.lan, book, now);
        // Those that hosts no longer begin connections with are no longer told.
        let prefixes: Vec<_> = prefixes.iter().filter(|prefix| prefix.life.preferred > 0).collect();
        for (number, lease) in net.table.iter().filter(|(_, lease)| lease.is_bound(now)) {
            let duid = lease.client.get(..lease.client.len().saturating_sub(4)).unwrap_or_default();
            let mac = (lease.mac != [0; 6]).then_some(lease.mac);
            let kept = net.reservation_of(number).or_else(|| net.reservation_for(duid, mac));
            if kept.is_none_or(|kept| kept.name.is_none()) {
                let all = prefixes.iter().map(|prefix| crate::server6::join(prefix.net, number).into());
                add(&mut found, lease, duid, all);
            }
        }
    }
    let mut names: Vec<_> = found.into_iter().collect();
    names.sort_by(|a, b| (a.1.0, &a.1.1).cmp(&(b.1.0, &b.1.1)));
    let one = |((name, _), (_, addresses, otherwise))| LeaseName { name, otherwise, addresses };
    LeaseNames { version: VERSION, names: names.into_iter().map(one).collect() }
}

/// Prefixes of routers, for the agent, which leads there what is for them.
pub fn routed(server: &Server, server6: &Server6, book: &Book, now: u64) -> RoutedPrefixes {
    let mut routes = Vec::new();
    for (at, net) in server6.nets() {
        let Some(lan) = server.nets().get(at).map(|net| &net.lan) else { continue };
        for (end, via) in net.routers(now) {
            // Also what hosts begin no more connections from, as long as it lasts at all.
            let alive = net.prefixes_of(end, book, now).into_iter().filter(|one| one.life.valid > 0);
            let interface = lan.interface.clone();
            routes.extend(alive.map(|one| RoutedPrefix {
                prefix: one.net,
                via,
                interface: interface.clone(),
            }));
        }
    }
    routes.sort_by_key(|one| one.prefix);
    RoutedPrefixes { version: VERSION, routes }
}

fn add(found: &mut Found, lease: &Lease, client: &[u8], addresses: impl IntoIterator<Item = IpAddr>) {
    let Some(name) = lease.name.as_deref() else { return };
    let otherwise = otherwise(name, lease.mac, client);
    let device = if lease.mac != [0; 6] { lease.mac.to_vec() } else { client.to_vec() };
    let place = found.entry((name.to_owned(), device)).or_insert((lease.first_seen, Vec::new(), otherwise));
    place.0 = place.0.min(lease.first_seen);
    place.1.extend(addresses);
}

/// The name of a device whose first choice is taken: with the end of whatever tells it from others.
pub fn otherwise(name: &str, mac: [u8; 6], client: &[u8]) -> String {
    let end = client.last_chunk::<3>().map_or([0; 6], |[a, b, c]| [0, 0, 0, *a, *b, *c]);
    label::otherwise(name, if mac == [0; 6] { end } else { mac })
}
