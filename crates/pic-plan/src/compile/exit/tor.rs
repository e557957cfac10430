//! Exits into the Tor network. There is no interface: TCP of whoever leaves by one is led to Tor on this host
//! ([`super::firewall`]), and all else finds nothing but the unreachable default in the exit's table.

use std::collections::BTreeMap;

use pic_model::Desired;
use pic_model::exit::Kind;
use pic_model::snapshot::exit::names_at;
use pic_model::snapshot::tor::{TorSnapshot, VERSION};

use super::{Resolved, taken_in};
use crate::compile::Network;
use crate::facts::Facts;
use crate::marks;
use crate::target::file::File;

/// Snapshots of the exits whose program is installed.
pub(in crate::compile) fn files(
    exits: &[Resolved<'_>],
    desired: &Desired,
    facts: &Facts,
    network: &Network,
) -> BTreeMap<String, File> {
    let one = |exit: &Resolved<'_>| {
        let is_tor = |_: &Vec<_>| exit.exit.kind == Kind::Tor;
        let transparent = Some(taken_in(exit, desired, facts, network)).filter(is_tor)?;
        if transparent.is_empty() {
            return None;
        }
        let names = names_at(exit.name.number());
        let snapshot = TorSnapshot { version: VERSION, transparent, names };
        // Plain data always serialises; an empty file would be refused by the service.
        let content = serde_json::to_vec(&snapshot).unwrap_or_default();
        Some((marks::TOR.file(&exit.interface()), File { content, mode: 0o644 }))
    };
    exits.iter().filter_map(one).collect()
}
