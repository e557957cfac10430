//! What a request changes about peers that exist already. Pure.
//!
//! A peer that is changed in place keeps its session, endpoint and counters; one that is as requested is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use gotatun::device::Peer;
use gotatun::device::configure::PeerMut;
use gotatun::device::uapi::command::{SetPeer, SetUnset};
use ipnetwork::IpNetwork;
use x25519_dalek::PublicKey;

type KeyBytes = [u8; 32];

/// What to do about the peers of a request.
pub(crate) struct Plan {
    /// Peers to change in place.
    pub(crate) changes: Vec<Change>,
    /// Peers to add or remove: left to the device.
    pub(crate) rest: Vec<SetPeer>,
}

/// New settings of one peer. `None`: as before. No `Debug`: holds a key.
pub(crate) struct Change {
    public_key: PublicKey,
    preshared_key: Option<Option<KeyBytes>>,
    endpoint: Option<SocketAddr>,
    keepalive: Option<Option<u16>>,
    allowed_ips: Option<BTreeSet<IpNetwork>>,
}

impl Change {
    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Makes the change.
    pub(crate) fn apply(&self, peer: &mut PeerMut) {
        if let Some(key) = self.preshared_key {
            peer.set_preshared_key(key);
        }
        if let Some(endpoint) = self.endpoint {
            peer.set_endpoint(Some(endpoint));
        }
        if let Some(keepalive) = self.keepalive {
            peer.set_keepalive(keepalive);
        }
        if let Some(allowed) = &self.allowed_ips {
            peer.clear_allowed_ips();
            peer.add_allowed_ips(allowed.iter().copied());
        }
    }

    fn is_empty(&self) -> bool {
        self.preshared_key.is_none()
            && self.endpoint.is_none()
            && self.keepalive.is_none()
            && self.allowed_ips.is_none()
    }
}

/// Compares `wanted` with the peers the device has; `None` if a peer is named twice.
pub(crate) fn plan(known: Vec<Peer>, wanted: Vec<SetPeer>) -> Option<Plan> {
    let known: BTreeMap<KeyBytes, Peer> =
        known.into_iter().map(|peer| (peer.public_key.to_bytes(), peer)).collect();
    let named: BTreeSet<KeyBytes> = wanted.iter().map(|peer| peer.peer.public_key.0).collect();
    if named.len() != wanted.len() {
        return None;
    }
    let mut changes = robbed(&known, &named, &wanted);
    let mut rest = Vec::new();
    for peer in wanted {
        match known.get(&peer.peer.public_key.0).filter(|_| !peer.remove) {
            Some(old) => changes.extend(Some(difference(old, &peer)).filter(|change| !change.is_empty())),
            None => rest.push(peer),
        }
    }
    Some(Plan { changes, rest })
}

fn difference(old: &Peer, new: &SetPeer) -> Change {
    let before: BTreeSet<_> = old.allowed_ips.iter().copied().collect();
    let mut allowed: BTreeSet<_> = new.peer.allowed_ip.iter().copied().collect();
    if !new.replace_allowed_ips {
        allowed.extend(&before);
    }
    let preshared_key = new.peer.preshared_key.as_ref().map(|key| match key {
        SetUnset::Set(key) => Some(key.0),
        SetUnset::Unset => None,
    });
    let keepalive = new.peer.persistent_keepalive_interval.map(|seconds| Some(seconds).filter(|s| *s > 0));
    Change {
        public_key: old.public_key,
        preshared_key: preshared_key.filter(|key| *key != old.preshared_key),
        endpoint: new.peer.endpoint.filter(|endpoint| Some(*endpoint) != old.endpoint),
        keepalive: keepalive.filter(|keepalive| *keepalive != old.keepalive.filter(|s| *s > 0)),
        allowed_ips: Some(allowed).filter(|allowed| *allowed != before),
    }
}

/// A network belongs to one peer: who has one that is now given to another loses it.
fn robbed(known: &BTreeMap<KeyBytes, Peer>, named: &BTreeSet<KeyBytes>, wanted: &[SetPeer]) -> Vec<Change> {
    let given: BTreeSet<IpNetwork> = wanted.iter().flat_map(|peer| &peer.peer.allowed_ip).copied().collect();
    let bystanders = known.iter().filter(|(key, _)| !named.contains(*key)).map(|(_, peer)| peer);
    let losing = bystanders.filter(|peer| peer.allowed_ips.iter().any(|network| given.contains(network)));
    losing
        .map(|peer| Change {
            public_key: peer.public_key,
            preshared_key: None,
            endpoint: None,
            keepalive: None,
            allowed_ips: Some(
                peer.allowed_ips.iter().copied().filter(|network| !given.contains(network)).collect(),
            ),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey::from([n; 32])
    }

    fn peer(n: u8, networks: &[&str]) -> Peer {
        Peer::new(key(n)).with_allowed_ips(networks.iter().map(|n| n.parse().unwrap()))
    }

    fn wanted(n: u8, networks: &[&str]) -> SetPeer {
        let mut wanted = SetPeer::new([n; 32]);
        wanted.replace_allowed_ips = true;
        wanted.peer.allowed_ip = networks.iter().map(|n| n.parse().unwrap()).collect();
        wanted
    }

    #[test]
    fn what_is_as_wished_is_left_alone() {
        let plan = plan(vec![peer(1, &["10.0.0.1/32"])], vec![wanted(1, &["10.0.0.1/32"])]).unwrap();
        assert!(plan.changes.is_empty() && plan.rest.is_empty());
    }

    #[test]
    fn known_peers_change_and_unknown_ones_pass_through() {
        let known = vec![peer(1, &["10.0.0.1/32"]), peer(2, &[])];
        let mut gone = wanted(2, &[]);
        gone.remove = true;
        let plan = plan(known, vec![wanted(1, &["10.0.0.9/32"]), gone, wanted(3, &[])]).unwrap();
        assert_eq!((plan.changes.len(), plan.rest.len()), (1, 2));
        let change = &plan.changes[0];
        assert_eq!(change.allowed_ips, Some(BTreeSet::from(["10.0.0.9/32".parse().unwrap()])));
        assert!(change.preshared_key.is_none() && change.endpoint.is_none() && change.keepalive.is_none());
    }

    #[test]
    fn a_network_moves_from_one_peer_to_another() {
        let known = vec![peer(1, &["10.0.0.1/32", "10.0.0.2/32"])];
        let plan = plan(known, vec![wanted(2, &["10.0.0.2/32"])]).unwrap();
        assert_eq!(*plan.changes[0].public_key(), key(1));
        assert_eq!(plan.changes[0].allowed_ips, Some(BTreeSet::from(["10.0.0.1/32".parse().unwrap()])));
    }

    #[test]
    fn naming_a_peer_twice_is_an_error() {
        assert!(plan(vec![], vec![wanted(1, &[]), wanted(1, &[])]).is_none());
    }
}
