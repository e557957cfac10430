//! What the kernel tells of a device, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use ipnet::IpNet;
use netlink_packet_wireguard::{
    WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute, WireguardPeer, WireguardPeerAttribute,
};
use pic_model::key::{PresharedKey, PrivateKey, PublicKey};
use pic_plan::target::wireguard::{Device, Peer, PeerLive};

use super::Observation;

/// Folds the attributes of all messages of one dump. The kernel continues a peer with many networks in further
/// entries with the same key, so entries are merged by key.
pub(super) fn device(attributes: impl IntoIterator<Item = WireguardAttribute>) -> Observation {
    let mut device = Device { private_key: None, listen_port: 0, fwmark: 0, peers: BTreeMap::new() };
    let mut live = BTreeMap::new();
    for attribute in attributes {
        match attribute {
            WireguardAttribute::PrivateKey(bytes) => device.private_key = private_key(bytes),
            WireguardAttribute::ListenPort(port) => device.listen_port = port,
            WireguardAttribute::Fwmark(mark) => device.fwmark = mark,
            WireguardAttribute::Peers(peers) => {
                for peer in peers {
                    merge(peer, &mut device.peers, &mut live);
                }
            }
            _ => {}
        }
    }
    (device, live)
}

/// A private key as read back; all zeros where none is set.
pub(super) fn private_key(bytes: [u8; 32]) -> Option<PrivateKey> {
    (bytes != [0; 32]).then(|| PrivateKey::from_random(bytes))
}

/// A preshared key as read back; all zeros where none is set.
pub(super) fn preshared_key(bytes: [u8; 32]) -> Option<PresharedKey> {
    (bytes != [0; 32]).then(|| PresharedKey::from_bytes(bytes))
}

/// A peer of which nothing is known yet but its key.
pub(super) fn blank_peer() -> Peer {
    Peer { preshared_key: None, allowed_ips: BTreeSet::new(), keepalive: None, endpoint: None }
}

fn merge(
    entry: WireguardPeer,
    peers: &mut BTreeMap<PublicKey, Peer>,
    live: &mut BTreeMap<PublicKey, PeerLive>,
) {
    let key = entry.iter().find_map(|attribute| match attribute {
        WireguardPeerAttribute::PublicKey(bytes) => Some(PublicKey::from_bytes(*bytes)),
        _ => None,
    });
    let Some(key) = key else { return };
    let peer = peers.entry(key).or_insert_with(blank_peer);
    let live = live.entry(key).or_default();
    for attribute in entry.0 {
        match attribute {
            WireguardPeerAttribute::PresharedKey(bytes) => peer.preshared_key = preshared_key(bytes),
            WireguardPeerAttribute::PersistentKeepalive(seconds) => {
                peer.keepalive = Some(seconds).filter(|seconds| *seconds > 0);
            }
            WireguardPeerAttribute::AllowedIps(networks) => {
                peer.allowed_ips.extend(networks.iter().filter_map(network));
            }
            WireguardPeerAttribute::Endpoint(address) => {
                peer.endpoint = Some(unmapped(address));
                live.endpoint = peer.endpoint;
            }
            WireguardPeerAttribute::LastHandshake(at) => {
                live.last_handshake = Some(at.seconds).filter(|seconds| *seconds > 0);
            }
            WireguardPeerAttribute::RxBytes(bytes) => live.rx_bytes = bytes,
            WireguardPeerAttribute::TxBytes(bytes) => live.tx_bytes = bytes,
            _ => {}
        }
    }
}

/// A v4 endpoint as such, also where a dual-stack socket says `::ffff:192.0.2.1`.
pub(super) fn unmapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

fn network(entry: &WireguardAllowedIp) -> Option<IpNet> {
    let (mut ip, mut length) = (None, None);
    for attribute in entry.iter() {
        match attribute {
            WireguardAllowedIpAttr::IpAddr(address) => ip = Some(*address),
            WireguardAllowedIpAttr::Cidr(bits) => length = Some(*bits),
            _ => {}
        }
    }
    IpNet::new(ip?, length?).ok()
}

#[cfg(test)]
mod tests {
    use netlink_packet_wireguard::WireguardTimeSpec;

    use super::*;

    fn entry(attributes: Vec<WireguardPeerAttribute>) -> WireguardPeer {
        let mut all = vec![WireguardPeerAttribute::PublicKey([5; 32])];
        all.extend(attributes);
        WireguardPeer(all)
    }

    fn allowed(text: &str) -> WireguardAllowedIp {
        let net: IpNet = text.parse().unwrap();
        WireguardAllowedIp(vec![
            WireguardAllowedIpAttr::IpAddr(net.addr()),
            WireguardAllowedIpAttr::Cidr(net.prefix_len()),
        ])
    }

    #[test]
    fn continued_peers_are_one_peer() {
        let first = entry(vec![
            WireguardPeerAttribute::PresharedKey([1; 32]),
            WireguardPeerAttribute::PersistentKeepalive(25),
            WireguardPeerAttribute::RxBytes(10),
            WireguardPeerAttribute::LastHandshake(WireguardTimeSpec { seconds: 99, nano_seconds: 1 }),
            WireguardPeerAttribute::AllowedIps(vec![allowed("10.0.0.1/32")]),
        ]);
        let second = entry(vec![WireguardPeerAttribute::AllowedIps(vec![allowed("fd00::/64")])]);
        let (device, live) =
            device([WireguardAttribute::Peers(vec![first]), WireguardAttribute::Peers(vec![second])]);
        let peer = &device.peers[&PublicKey::from_bytes([5; 32])];
        assert_eq!(peer.allowed_ips.len(), 2);
        assert_eq!(peer.keepalive, Some(25));
        assert_eq!(peer.preshared_key, Some(PresharedKey::from_bytes([1; 32])));
        let live = &live[&PublicKey::from_bytes([5; 32])];
        assert_eq!((live.rx_bytes, live.last_handshake), (10, Some(99)));
    }

    #[test]
    fn zeros_are_nothing() {
        let peer = entry(vec![
            WireguardPeerAttribute::PresharedKey([0; 32]),
            WireguardPeerAttribute::PersistentKeepalive(0),
            WireguardPeerAttribute::LastHandshake(WireguardTimeSpec::default()),
        ]);
        let (device, live) =
            device([WireguardAttribute::PrivateKey([0; 32]), WireguardAttribute::Peers(vec![peer])]);
        let key = PublicKey::from_bytes([5; 32]);
        assert_eq!((device.private_key.is_none(), device.peers[&key].clone()), (true, blank_peer()));
        assert_eq!(live[&key].last_handshake, None);
    }
}
