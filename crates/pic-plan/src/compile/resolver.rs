//! Pointing the host itself at the cell.

use std::net::IpAddr;

use pic_model::Desired;
use pic_model::snapshot::resolver::{ResolverSnapshot, VERSION};

use super::Network;
use crate::marks;
use crate::target::Targets;
use crate::target::file::File;
use crate::target::resolver::Resolver;

/// One address is enough: it is on this host. libc asks three at the most, and two of its own should stay among them.
pub(super) fn add(desired: &Desired, network: &Network, targets: &mut Targets) {
    if desired.dns.host == Some(false) {
        return;
    }
    let server = IpAddr::V4(network.cell4);
    let snapshot = ResolverSnapshot {
        version: VERSION,
        server,
        interface: marks::WIREGUARD_INTERFACE.to_owned(),
        probe: desired.cell.name.zone(),
    };
    let probe = snapshot.probe.clone();
    // Plain data always serialises; an empty file would be refused by its reader.
    let content = serde_json::to_vec(&snapshot).unwrap_or_default();
    targets.files.insert(marks::FILE_RESOLVER.to_owned(), File { content, mode: 0o644 });
    targets.resolver = Some(Resolver { server, probe, demanded: desired.dns.host == Some(true) });
}
