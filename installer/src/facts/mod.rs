//! What this host is, before anything is decided. Only reads; a thing that cannot be read is absent, not an error.

mod firewall;
mod machine;
mod sockets;

use pic_drivers::host::HostFacts;
pub(crate) use picctl::session::Session;

pub(crate) use firewall::{BaseChain, Firewalls};
pub(crate) use machine::{Machine, Resolver};
pub(crate) use sockets::Listener;
#[cfg(test)]
pub(crate) use sockets::Owner;

/// Facts at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The way out, resolvers, networks.
    pub(crate) host: HostFacts,
    /// What listens.
    pub(crate) listeners: Vec<Listener>,
    /// WireGuard interfaces that are not the cell's.
    pub(crate) wireguard: Vec<String>,
    /// Other firewalls.
    pub(crate) firewalls: Firewalls,
    /// Disk, memory, clock, kernel.
    pub(crate) machine: Machine,
    /// The SSH session this runs in.
    pub(crate) session: Option<Session>,
}

/// Looks at the host. Only the routing table must be readable.
pub(crate) fn collect() -> Result<Facts, pic_drivers::host::Error> {
    let programs = sockets::programs();
    Ok(Facts {
        host: pic_drivers::host::observe()?,
        listeners: sockets::listeners(&programs),
        wireguard: machine::wireguard_interfaces(),
        firewalls: firewall::read(&programs),
        machine: machine::read(),
        session: picctl::session::session(),
    })
}
