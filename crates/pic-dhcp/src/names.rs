//! Names that leases bring along, for `pic-dns`.

use std::net::Ipv4Addr;

use pic_model::snapshot::dhcp::{LeaseName, LeaseNames, VERSION};

use crate::label;
use crate::server::Server;

/// The names of all leases that stand, in order of who was there first. Devices whose name is written down have that
/// and no other.
pub fn of(server: &Server, now: u64) -> LeaseNames {
    let mut names = Vec::new();
    for net in server.nets() {
        let written = |address: u32| {
            let index = net.reservation_of(address);
            index.and_then(|index| net.lan.reservations.get(index)).is_some_and(|one| one.name.is_some())
        };
        for (address, lease) in net.table.iter().filter(|(_, lease)| lease.is_bound(now)) {
            if let Some(name) = lease.name.as_deref().filter(|_| !written(address)) {
                let one = LeaseName {
                    name: name.to_owned(),
                    otherwise: label::otherwise(name, lease.mac),
                    addresses: vec![Ipv4Addr::from_bits(address).into()],
                };
                names.push((lease.first_seen, address, one));
            }
        }
    }
    names.sort_by_key(|(first, address, _)| (*first, *address));
    LeaseNames { version: VERSION, names: names.into_iter().map(|(_, _, name)| name).collect() }
}
