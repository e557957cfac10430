//! What two peers must not share, and addresses for those that have none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::reader::Reader;
use super::sections::{Marks, PeerAt};
use crate::address;
use crate::desired::{Desired, Peer, WireGuard};
use crate::name::PeerName;
use crate::problem::ProblemCode;

/// Gives addresses to the peers without one and refuses what two peers share.
pub(super) fn unique(
    root: &mut Reader<'_, '_>,
    mut peers: Vec<PeerAt>,
    wireguard: &WireGuard,
    before: Option<&Desired>,
) -> (BTreeMap<PeerName, Peer>, Marks) {
    let mut taken: BTreeSet<_> = peers.iter().filter(|p| p.has_address).map(|p| p.peer.address).collect();
    keep_known(&mut peers, wireguard.ipv4, before, &mut taken);
    // `taken` only grows, so what was passed over once need not be looked at again.
    let mut hosts = address::peers_v4(wireguard.ipv4);
    let (mut by_key, mut by_address, mut by_address6) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut out: BTreeMap<PeerName, Peer> = BTreeMap::new();
    let mut marks = Marks {
        peers: Vec::with_capacity(peers.len()),
        given: BTreeMap::new(),
        lans: Vec::new(),
        subnets: Vec::new(),
        reservations: Vec::new(),
        dns: super::dns::Marks::default(),
        tests: Vec::new(),
        groups: Vec::new(),
        policy: super::policy::Marks::default(),
        exits: Vec::new(),
        egress: Vec::new(),
    };
    for mut at in peers {
        if !at.has_address && at.peer.address.is_unspecified() {
            let Some(address) = hosts.find(|address| !taken.contains(address)) else {
                let message = format!("no address is left in {} for peer {}", wireguard.ipv4, at.name);
                root.refuse(
                    &at.span,
                    at.path,
                    ProblemCode::Exhausted,
                    message,
                    "choose a larger wireguard.ipv4",
                );
                continue;
            };
            at.peer.address = address;
        }
        if !at.has_address {
            marks.given.insert(at.name.clone(), at.peer.address);
        }
        let mut clash = |what: &str, other: Option<PeerName>| {
            if let Some(other) = other {
                let message = format!("peer {} has the same {what} as peer {other}", at.name);
                let path = format!("{}.{}", at.path, what.replace(' ', "_"));
                root.refuse(
                    &at.span,
                    path,
                    ProblemCode::Duplicate,
                    message,
                    "give it another one, or remove one of the two",
                );
            }
        };
        clash("public key", by_key.insert(at.peer.public_key, at.name.clone()));
        // One that was refused already is nobody's.
        if !at.peer.address.is_unspecified() {
            clash("address", by_address.insert(at.peer.address, at.name.clone()));
        }
        if let Some(address6) = at.peer.address6 {
            clash("address6", by_address6.insert(address6, at.name.clone()));
        }
        clash("name", out.contains_key(&at.name).then(|| at.name.clone()));
        marks.peers.push((at.name.clone(), at.path, at.span));
        out.insert(at.name, at.peer);
    }
    (out, marks)
}

/// A peer without an address keeps the one that it had, by its key, or else by its name.
fn keep_known(peers: &mut [PeerAt], net: Ipv4Net, before: Option<&Desired>, taken: &mut BTreeSet<Ipv4Addr>) {
    let (Some(before), true) = (before, peers.iter().any(|at| !at.has_address)) else { return };
    let by_key: BTreeMap<_, _> = before.peers.values().map(|peer| (peer.public_key, peer.address)).collect();
    for at in peers.iter_mut().filter(|at| !at.has_address) {
        let by_name = || before.peers.get(&at.name).map(|peer| peer.address);
        let known = by_key.get(&at.peer.public_key).copied().or_else(by_name);
        let free = known.filter(|address| address::is_peer_v4(net, *address) && taken.insert(*address));
        at.peer.address = free.unwrap_or(at.peer.address);
    }
}
