//! Exits into the Tor network. There is no interface: TCP of whoever leaves by one is led to Tor on this host
//! ([`super::firewall`]), and all else finds nothing but the unreachable default in the exit's table.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use pic_model::exit::Kind;
use pic_model::snapshot::tor::{TorSnapshot, VERSION, names_at, transparent_port};

use super::Resolved;
use crate::compile::Network;
use crate::facts::Facts;
use crate::marks;
use crate::target::file::File;

/// Where Tor takes in what was sent elsewhere, in each family of the cell; none for other exits, for one that is off, and
/// without the program: what else listens there is nobody's way out.
pub(in crate::compile) fn taken_in(exit: &Resolved<'_>, facts: &Facts, network: &Network) -> Vec<SocketAddr> {
    if exit.exit.kind != Kind::Tor || !exit.exit.enabled || !facts.exits.tor {
        return Vec::new();
    }
    let port = transparent_port(exit.name.number());
    let addresses = network.cell_addresses().map(|net| net.addr());
    addresses.map(|address| SocketAddr::new(address, port)).collect()
}

/// Snapshots of the exits whose program is installed.
pub(in crate::compile) fn files(
    exits: &[Resolved<'_>],
    facts: &Facts,
    network: &Network,
) -> BTreeMap<String, File> {
    let one = |exit: &Resolved<'_>| {
        let transparent = Some(taken_in(exit, facts, network)).filter(|all| !all.is_empty())?;
        let names = names_at(exit.name.number());
        let snapshot = TorSnapshot { version: VERSION, transparent, names };
        // Plain data always serialises; an empty file would be refused by the service.
        let content = serde_json::to_vec(&snapshot).unwrap_or_default();
        Some((marks::tor(&exit.interface()).1, File { content, mode: 0o644 }))
    };
    exits.iter().filter_map(one).collect()
}
