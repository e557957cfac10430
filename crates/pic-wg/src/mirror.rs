//! What the device was told about its peers.
//!
//! Owns: the configured state of every peer and whose each network is. It is kept because asking the device means
//! visiting all its peers, which for ten thousand takes longer than adding one. Pure.
//! Never: what peers decide themselves (endpoint, session, counters).
//! Tested: here against requests, in `tests/netns.rs` against what `wg` reads back.

use std::collections::{BTreeMap, BTreeSet};

use gotatun::device::Peer;
use gotatun::device::uapi::command::{SetPeer, SetUnset};
use ipnetwork::IpNetwork;

/// Raw bytes of a key.
pub(crate) type KeyBytes = [u8; 32];

/// Configured state of one peer. No `Debug`: holds a key.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Configured {
    /// Symmetric key.
    pub(crate) preshared_key: Option<KeyBytes>,
    /// Seconds between keepalives; never zero.
    pub(crate) keepalive: Option<u16>,
    /// Its networks: without host bits, sorted, none of them another peer's.
    pub(crate) allowed_ips: Vec<IpNetwork>,
}

/// Configured state of all peers.
#[derive(Default)]
pub(crate) struct Mirror {
    peers: BTreeMap<KeyBytes, Configured>,
    owners: BTreeMap<IpNetwork, KeyBytes>,
}

/// State after a request of the peers it touches; `None` is a peer that is gone.
pub(crate) type Touched = BTreeMap<KeyBytes, Option<Configured>>;

impl Mirror {
    /// A mirror of the peers a device has.
    pub(crate) fn new(peers: impl IntoIterator<Item = Peer>) -> Self {
        let mut mirror = Self::default();
        let touched = peers.into_iter().map(|peer| {
            let configured = Configured {
                preshared_key: peer.preshared_key,
                keepalive: peer.keepalive.filter(|seconds| *seconds > 0),
                allowed_ips: sorted(peer.allowed_ips.iter().map(whole)),
            };
            (peer.public_key.to_bytes(), Some(configured))
        });
        mirror.take(touched.collect());
        mirror
    }

    /// A peer's state.
    pub(crate) fn get(&self, key: &KeyBytes) -> Option<&Configured> {
        self.peers.get(key)
    }

    /// What the peers of a request come to, and all who lose a network to them; `None` if a peer is named twice.
    ///
    /// A network belongs to one peer: the last one it is given to.
    pub(crate) fn after(&self, wanted: &[SetPeer]) -> Option<Touched> {
        let mut named = BTreeSet::new();
        let mut draft = Draft { mirror: self, touched: Touched::new(), given: BTreeMap::new() };
        for peer in wanted {
            if !named.insert(peer.peer.public_key.0) {
                return None;
            }
            draft.request(peer);
        }
        Some(draft.touched)
    }

    /// Takes over a result of [`Self::after`] once the device has it.
    pub(crate) fn take(&mut self, touched: Touched) {
        let gone = touched.keys().filter_map(|key| self.peers.remove(key));
        for network in gone.flat_map(|peer| peer.allowed_ips) {
            self.owners.remove(&network);
        }
        for (key, after) in touched {
            let Some(after) = after else { continue };
            self.owners.extend(after.allowed_ips.iter().map(|network| (*network, key)));
            self.peers.insert(key, after);
        }
    }
}

/// A request half-way.
struct Draft<'m> {
    mirror: &'m Mirror,
    touched: Touched,
    /// Networks this request has given, and to whom.
    given: BTreeMap<IpNetwork, KeyBytes>,
}

impl Draft<'_> {
    fn request(&mut self, wanted: &SetPeer) {
        let key = wanted.peer.public_key.0;
        let present = self.present(&key);
        if wanted.remove || (wanted.update_only && present.is_none()) {
            if present.is_some() {
                self.touched.insert(key, None);
            }
            return;
        }
        let mut peer = present.unwrap_or_default();
        match &wanted.peer.preshared_key {
            Some(SetUnset::Set(preshared)) => peer.preshared_key = Some(preshared.0),
            Some(SetUnset::Unset) => peer.preshared_key = None,
            None => {}
        }
        if let Some(seconds) = wanted.peer.persistent_keepalive_interval {
            peer.keepalive = Some(seconds).filter(|seconds| *seconds > 0);
        }
        if wanted.replace_allowed_ips {
            peer.allowed_ips.clear();
        }
        for network in wanted.peer.allowed_ip.iter().map(whole) {
            self.rob(&key, network);
            peer.allowed_ips.push(network);
        }
        peer.allowed_ips = sorted(peer.allowed_ips.into_iter());
        self.touched.insert(key, Some(peer));
    }

    /// Takes a network from whoever has it.
    fn rob(&mut self, key: &KeyBytes, network: IpNetwork) {
        let loser = self.given.insert(network, *key).or_else(|| self.mirror.owners.get(&network).copied());
        let Some(loser) = loser.filter(|loser| loser != key) else { return };
        if let Some(mut peer) = self.present(&loser) {
            peer.allowed_ips.retain(|other| *other != network);
            self.touched.insert(loser, Some(peer));
        }
    }

    fn present(&self, key: &KeyBytes) -> Option<Configured> {
        self.touched.get(key).cloned().unwrap_or_else(|| self.mirror.get(key).cloned())
    }
}

/// The device keeps networks without host bits.
fn whole(network: &IpNetwork) -> IpNetwork {
    IpNetwork::new(network.network(), network.prefix()).unwrap_or(*network)
}

fn sorted(networks: impl Iterator<Item = IpNetwork>) -> Vec<IpNetwork> {
    let mut networks: Vec<_> = networks.collect();
    networks.sort_unstable();
    networks.dedup();
    // One of these lives as long as its peer, and there may be very many.
    networks.shrink_to_fit();
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(networks: &[&str]) -> Vec<IpNetwork> {
        networks.iter().map(|n| n.parse().unwrap()).collect()
    }

    /// A request about one peer that replaces its networks.
    fn wanted(n: u8, networks: &[&str]) -> SetPeer {
        let mut wanted = SetPeer::new([n; 32]);
        wanted.replace_allowed_ips = true;
        wanted.peer.allowed_ip = nets(networks);
        wanted
    }

    fn mirror(peers: &[(u8, &[&str])]) -> Mirror {
        let mut mirror = Mirror::default();
        let requests: Vec<_> = peers.iter().map(|(n, networks)| wanted(*n, networks)).collect();
        mirror.take(mirror.after(&requests).unwrap());
        mirror
    }

    fn allowed(touched: &Touched, n: u8) -> Vec<IpNetwork> {
        touched[&[n; 32]].as_ref().unwrap().allowed_ips.clone()
    }

    #[test]
    fn a_network_moves_from_one_peer_to_another() {
        let mirror = mirror(&[(1, &["10.0.0.1/32", "10.0.0.2/32"])]);
        let touched = mirror.after(&[wanted(2, &["10.0.0.2/32"])]).unwrap();
        assert_eq!(allowed(&touched, 1), nets(&["10.0.0.1/32"]));
        assert_eq!(allowed(&touched, 2), nets(&["10.0.0.2/32"]));
    }

    #[test]
    fn the_last_one_named_gets_a_network() {
        let mut mirror = mirror(&[(3, &["10.0.0.1/32"])]);
        let both = [wanted(1, &["10.0.0.1/32"]), wanted(2, &["10.0.0.1/32", "10.0.0.9/24"])];
        let touched = mirror.after(&both).unwrap();
        assert_eq!(allowed(&touched, 1), nets(&[]));
        assert_eq!(allowed(&touched, 2), nets(&["10.0.0.0/24", "10.0.0.1/32"]), "without host bits");
        assert_eq!(allowed(&touched, 3), nets(&[]));
        mirror.take(touched);
        let touched = mirror.after(&[wanted(4, &["10.0.0.1/32"])]).unwrap();
        assert_eq!(allowed(&touched, 2), nets(&["10.0.0.0/24"]), "the new owner is known");
    }

    #[test]
    fn networks_swap_in_one_request() {
        let mut mirror = mirror(&[(1, &["10.0.0.1/32"]), (2, &["10.0.0.2/32"])]);
        let swap = [wanted(1, &["10.0.0.2/32"]), wanted(2, &["10.0.0.1/32"])];
        let touched = mirror.after(&swap).unwrap();
        mirror.take(touched);
        assert_eq!(mirror.get(&[1; 32]).unwrap().allowed_ips, nets(&["10.0.0.2/32"]));
        let touched = mirror.after(&[wanted(3, &["10.0.0.1/32", "10.0.0.2/32"])]).unwrap();
        assert_eq!((allowed(&touched, 1), allowed(&touched, 2)), (nets(&[]), nets(&[])));
    }

    #[test]
    fn what_is_removed_owns_nothing() {
        let mut mirror = mirror(&[(1, &["10.0.0.1/32"])]);
        let mut gone = wanted(1, &[]);
        gone.remove = true;
        let touched = mirror.after(&[gone]).unwrap();
        assert!(touched[&[1; 32]].is_none());
        mirror.take(touched);
        assert!(mirror.get(&[1; 32]).is_none() && mirror.owners.is_empty());
    }

    #[test]
    fn unknown_peers_are_neither_removed_nor_only_updated() {
        let (mut gone, mut update) = (wanted(1, &[]), wanted(2, &[]));
        (gone.remove, update.update_only) = (true, true);
        assert!(Mirror::default().after(&[gone, update]).unwrap().is_empty());
    }

    #[test]
    fn naming_a_peer_twice_is_an_error() {
        assert!(Mirror::default().after(&[wanted(1, &[]), wanted(1, &[])]).is_none());
    }
}
