//! What the time service serves from. There is one where Debian's chrony is installed, which does the work.

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::snapshot::time::{TimeSnapshot, VERSION};
use pic_model::time::NTP_PORT;

use super::firewall::rule;
use super::{Network, ResolvedLan};
use crate::facts::Facts;
use crate::marks;
use crate::target::file::File;
use crate::target::nft::{Expr, L4, Rule};

/// Whether devices can ask this cell for the time.
pub fn is_served(desired: &Desired, facts: &Facts) -> bool {
    desired.time.serve && !desired.time.upstreams.is_empty() && facts.chronyd
}

/// The service's snapshot; none where it has nothing to do.
pub(super) fn file(
    desired: &Desired,
    facts: &Facts,
    network: &Network,
    lans: &[ResolvedLan<'_>],
) -> Option<(String, File)> {
    let snapshot = TimeSnapshot {
        version: VERSION,
        sources: desired.time.upstreams.clone(),
        clients: clients(network, lans).collect(),
    };
    // Plain data always serialises; an empty file would be refused by the service.
    let content = serde_json::to_vec(&snapshot).unwrap_or_default();
    is_served(desired, facts).then(|| (marks::FILE_TIME.to_owned(), File { content, mode: 0o644 }))
}

fn clients(network: &Network, lans: &[ResolvedLan<'_>]) -> impl Iterator<Item = IpNet> {
    let lans = lans.iter().flat_map(|lan| lan.reached().collect::<Vec<_>>());
    network.networks().chain(lans)
}

/// Lets packets with these marks ask for the time at one of the cell's own addresses.
pub(super) fn accept(from: impl IntoIterator<Item = Expr>, at: Expr) -> Rule {
    let ask = [at, Expr::L4(L4::Udp), Expr::DestinationPort(NTP_PORT), Expr::Accept];
    rule("granted: time", from.into_iter().chain(ask))
}
