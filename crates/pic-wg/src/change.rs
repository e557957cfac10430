//! What a request changes about peers that exist already. Pure.
//!
//! A peer that is changed in place keeps its session, endpoint and counters; one that is as requested is left alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use gotatun::device::configure::PeerMut;
use gotatun::device::uapi::command::SetPeer;
use ipnetwork::IpNetwork;
use x25519_dalek::PublicKey;

use crate::mirror::{Configured, KeyBytes, Mirror, Touched};

/// What to do about the peers of a request.
pub(crate) struct Plan {
    /// Peers to change in place.
    pub(crate) changes: Vec<Change>,
    /// Peers to add or remove: left to the device.
    pub(crate) rest: Vec<SetPeer>,
}

/// New settings of one peer. `None`: as before. No `Debug`: holds a key.
#[derive(Default)]
pub(crate) struct Change {
    public_key: KeyBytes,
    preshared_key: Option<Option<KeyBytes>>,
    endpoint: Option<SocketAddr>,
    keepalive: Option<Option<u16>>,
    allowed_ips: Option<Vec<IpNetwork>>,
}

impl Change {
    pub(crate) fn public_key(&self) -> PublicKey {
        self.public_key.into()
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

/// Splits a request. `touched` is what `before` comes to by the peers `wanted`; `endpoints` are those that peers of the
/// device have at this moment.
pub(crate) fn plan(
    before: &Mirror,
    touched: &Touched,
    wanted: Vec<SetPeer>,
    endpoints: &BTreeMap<KeyBytes, SocketAddr>,
) -> Plan {
    let mut moved: BTreeMap<KeyBytes, SocketAddr> = wanted
        .iter()
        .filter_map(|peer| Some((peer.peer.public_key.0, peer.peer.endpoint?)))
        .filter(|(key, endpoint)| endpoints.get(key) != Some(endpoint))
        .collect();
    let both = touched.iter().filter_map(|(key, after)| Some((key, before.get(key)?, after.as_ref()?)));
    let changes = both.map(|(key, old, new)| difference(*key, old, new, moved.remove(key)));
    let changes = changes.filter(|change| !change.is_empty()).collect();
    let rest = wanted.into_iter().filter_map(|mut peer| {
        let key = peer.peer.public_key.0;
        let after = touched.get(&key)?;
        if let Some(after) = after {
            // The request may have given one network to several peers.
            peer.peer.allowed_ip.clone_from(&after.allowed_ips);
        }
        (before.get(&key).is_none() || after.is_none()).then_some(peer)
    });
    Plan { changes, rest: rest.collect() }
}

fn difference(
    public_key: KeyBytes,
    old: &Configured,
    new: &Configured,
    endpoint: Option<SocketAddr>,
) -> Change {
    Change {
        public_key,
        preshared_key: (old.preshared_key != new.preshared_key).then_some(new.preshared_key),
        endpoint,
        keepalive: (old.keepalive != new.keepalive).then_some(new.keepalive),
        allowed_ips: (old.allowed_ips != new.allowed_ips).then(|| new.allowed_ips.clone()),
    }
}

#[cfg(test)]
mod tests {
    use gotatun::device::Peer;

    use super::*;

    fn peer(n: u8, networks: &[&str]) -> Peer {
        Peer::new(PublicKey::from([n; 32])).with_allowed_ips(networks.iter().map(|n| n.parse().unwrap()))
    }

    fn wanted(n: u8, networks: &[&str]) -> SetPeer {
        let mut wanted = SetPeer::new([n; 32]);
        wanted.replace_allowed_ips = true;
        wanted.peer.allowed_ip = networks.iter().map(|n| n.parse().unwrap()).collect();
        wanted
    }

    fn plan_of(known: Vec<Peer>, wanted: Vec<SetPeer>) -> Plan {
        let endpoints =
            known.iter().filter_map(|peer| Some((peer.public_key.to_bytes(), peer.endpoint?))).collect();
        let mirror = Mirror::new(known);
        let touched = mirror.after(&wanted).unwrap();
        plan(&mirror, &touched, wanted, &endpoints)
    }

    #[test]
    fn what_is_as_wished_is_left_alone() {
        let plan = plan_of(vec![peer(1, &["10.0.0.1/32"])], vec![wanted(1, &["10.0.0.1/32"])]);
        assert!(plan.changes.is_empty() && plan.rest.is_empty());
    }

    #[test]
    fn known_peers_change_and_unknown_ones_pass_through() {
        let known = vec![peer(1, &["10.0.0.1/32"]), peer(2, &[])];
        let mut gone = wanted(2, &[]);
        gone.remove = true;
        let plan = plan_of(known, vec![wanted(1, &["10.0.0.9/32"]), gone, wanted(3, &[])]);
        assert_eq!((plan.changes.len(), plan.rest.len()), (1, 2));
        let change = &plan.changes[0];
        assert_eq!(change.allowed_ips, Some(vec!["10.0.0.9/32".parse().unwrap()]));
        assert!(change.preshared_key.is_none() && change.endpoint.is_none() && change.keepalive.is_none());
    }

    #[test]
    fn who_loses_a_network_is_changed_without_being_named() {
        let known = vec![peer(1, &["10.0.0.1/32", "10.0.0.2/32"])];
        let plan = plan_of(known, vec![wanted(2, &["10.0.0.2/32"])]);
        assert_eq!(plan.changes[0].public_key, [1; 32]);
        assert_eq!(plan.changes[0].allowed_ips, Some(vec!["10.0.0.1/32".parse().unwrap()]));
        assert_eq!(plan.rest.len(), 1);
    }

    #[test]
    fn only_another_endpoint_is_a_change() {
        let there = "192.0.2.1:5".parse().unwrap();
        let ask = |endpoint: &str| {
            let mut wanted = wanted(1, &[]);
            wanted.peer.endpoint = Some(endpoint.parse().unwrap());
            plan_of(vec![peer(1, &[]).with_endpoint(there)], vec![wanted]).changes.len()
        };
        assert_eq!((ask("192.0.2.1:5"), ask("192.0.2.1:6")), (0, 1));
    }
}
