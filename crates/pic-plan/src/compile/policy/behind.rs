//! Which networks a device must send into its tunnel to get at what it may reach.

use std::collections::BTreeSet;

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::desired::Peer;
use pic_model::policy::Subject;

use super::directory::{Directory, Named};
use crate::compile::{Network, ResolvedLan};
use crate::facts::Facts;

/// LANs in which a peer is ever granted anything, and other networks that it is granted, beside the tunnel's own. What a
/// schedule says about now is no matter: a device keeps its configuration.
pub(in crate::compile) fn networks_for(desired: &Desired, facts: &Facts, peer: &Peer) -> BTreeSet<IpNet> {
    let network = Network::new(desired, facts);
    let lans = ResolvedLan::all(desired, facts);
    let directory = Directory::new(desired, facts, &network, &lans);
    let is_it = |subject: &Subject| match subject {
        Subject::Peers => true,
        Subject::Named(name) => match directory.get(name.as_str()) {
            Some(Named::Peer(one)) => one.address == peer.address,
            Some(Named::Group) => peer.groups.iter().any(|group| group.as_str() == name.as_str()),
            Some(Named::Lan(_) | Named::Kept(_) | Named::Service(_)) | None => false,
        },
    };
    let grants = desired.grants.iter().filter(|grant| grant.from.iter().any(is_it));
    let targets = grants.flat_map(|grant| &grant.to);
    let to = targets.flat_map(|target| directory.destinations(target).0);
    let to = to.filter(|net| !network.networks().any(|own| own.contains(net)));
    let whole = |net: IpNet| {
        let mut reached = lans.iter().flat_map(ResolvedLan::reached);
        reached.find(|lan| lan.contains(&net)).unwrap_or(net)
    };
    to.map(whole).map(|net| net.trunc()).collect()
}
