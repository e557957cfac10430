//! A change of a kernel device as netlink messages of bounded size.
//!
//! The messages together are not atomic; each peer is complete within one unless it has hundreds of networks.

use ipnet::IpNet;
use netlink_packet_core::Nla;
use netlink_packet_wireguard::{
    WireguardAddressFamily, WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute, WireguardPeer,
    WireguardPeerAttribute, WireguardPeerFlags,
};
use pic_model::key::PublicKey;
use pic_plan::target::wireguard::{Delta, Peer};

/// Bytes of peers in one message; with the device's own attributes it stays below 8 KiB.
const MESSAGE: usize = 7 * 1024;
/// Networks of a peer in one message: at most 40 bytes each, so that such a part fits into [`MESSAGE`].
const NETWORKS: usize = 120;

/// Attributes of each message, in the order to send. Peers are removed before others are set, and the device's own
/// settings go first.
pub(super) fn messages(name: &str, delta: &Delta) -> Vec<Vec<WireguardAttribute>> {
    let parts =
        delta.remove.iter().map(removal).chain(delta.set.iter().flat_map(|(key, peer)| parts(key, peer)));
    let mut messages = Vec::new();
    let mut device = device(delta);
    let (mut pack, mut size) = (Vec::new(), 0);
    for part in parts {
        let length = part.value_len() + 4;
        if size + length > MESSAGE {
            messages.push(message(name, &mut device, std::mem::take(&mut pack)));
            size = 0;
        }
        size += length;
        pack.push(part);
    }
    if !pack.is_empty() || !device.is_empty() {
        messages.push(message(name, &mut device, pack));
    }
    messages
}

fn message(
    name: &str,
    device: &mut Vec<WireguardAttribute>,
    peers: Vec<WireguardPeer>,
) -> Vec<WireguardAttribute> {
    let mut attributes = vec![WireguardAttribute::IfName(name.to_owned())];
    attributes.append(device);
    if !peers.is_empty() {
        attributes.push(WireguardAttribute::Peers(peers));
    }
    attributes
}

fn device(delta: &Delta) -> Vec<WireguardAttribute> {
    let key = delta.private_key.as_ref().map(|key| WireguardAttribute::PrivateKey(*key.expose()));
    let port = delta.listen_port.map(WireguardAttribute::ListenPort);
    let mark = delta.fwmark.map(WireguardAttribute::Fwmark);
    [key, port, mark].into_iter().flatten().collect()
}

fn removal(key: &PublicKey) -> WireguardPeer {
    WireguardPeer(vec![
        WireguardPeerAttribute::PublicKey(*key.as_bytes()),
        WireguardPeerAttribute::Flags(WireguardPeerFlags::RemoveMe),
    ])
}

/// The peer with its first networks, replacing those it had, then the rest of its networks.
fn parts(key: &PublicKey, peer: &Peer) -> Vec<WireguardPeer> {
    let networks: Vec<WireguardAllowedIp> = peer.allowed_ips.iter().map(network).collect();
    let mut chunks = networks.chunks(NETWORKS);
    let mut parts = vec![WireguardPeer(vec![
        WireguardPeerAttribute::PublicKey(*key.as_bytes()),
        WireguardPeerAttribute::Flags(WireguardPeerFlags::ReplaceAllowedIps),
        // To the kernel a key of zeros is none, and a keepalive of 0 is off.
        WireguardPeerAttribute::PresharedKey(
            peer.preshared_key.as_ref().map_or([0; 32], |key| *key.expose()),
        ),
        WireguardPeerAttribute::PersistentKeepalive(peer.keepalive.unwrap_or(0)),
        WireguardPeerAttribute::AllowedIps(chunks.next().unwrap_or_default().to_vec()),
    ])];
    if let (Some(endpoint), Some(first)) = (peer.endpoint, parts.first_mut()) {
        first.0.push(WireguardPeerAttribute::Endpoint(endpoint));
    }
    parts.extend(chunks.map(|chunk| {
        WireguardPeer(vec![
            WireguardPeerAttribute::PublicKey(*key.as_bytes()),
            WireguardPeerAttribute::AllowedIps(chunk.to_vec()),
        ])
    }));
    parts
}

fn network(net: &IpNet) -> WireguardAllowedIp {
    let family = match net {
        IpNet::V4(_) => WireguardAddressFamily::Ipv4,
        IpNet::V6(_) => WireguardAddressFamily::Ipv6,
    };
    WireguardAllowedIp(vec![
        WireguardAllowedIpAttr::Family(family),
        WireguardAllowedIpAttr::IpAddr(net.addr()),
        WireguardAllowedIpAttr::Cidr(net.prefix_len()),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use netlink_packet_core::Emitable;
    use netlink_packet_wireguard::{WireguardCmd, WireguardMessage};
    use pic_model::key::{PresharedKey, PrivateKey};

    use super::*;
    use crate::wireguard::decode;

    fn key(number: u16) -> PublicKey {
        let mut bytes = [7; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        PublicKey::from_bytes(bytes)
    }

    fn peer(networks: u32) -> Peer {
        let mut allowed_ips: BTreeSet<IpNet> = (0..networks)
            .map(|n| IpNet::new(std::net::Ipv4Addr::from(0x0a00_0000 + n).into(), 32).unwrap())
            .collect();
        allowed_ips.insert("fd00::7/128".parse().unwrap());
        Peer {
            preshared_key: Some(PresharedKey::from_bytes([9; 32])),
            allowed_ips,
            keepalive: Some(25),
            endpoint: None,
        }
    }

    fn delta() -> Delta {
        Delta {
            private_key: Some(PrivateKey::from_random([3; 32])),
            listen_port: Some(51820),
            fwmark: Some(1),
            set: (0..500).map(|n| (key(n), peer(if n == 3 { 600 } else { 2 }))).collect(),
            remove: (600..700).map(key).collect(),
        }
    }

    #[test]
    fn messages_stay_small_and_lose_nothing() {
        let delta = delta();
        let messages = messages("pic0", &delta);
        assert!(messages.len() > 5, "{}", messages.len());
        for attributes in &messages {
            let message = WireguardMessage { cmd: WireguardCmd::SetDevice, attributes: attributes.clone() };
            assert!(message.buffer_len() < 8 * 1024 - 64, "{}", message.buffer_len());
        }
        let (device, _) = decode::device(messages.into_iter().flatten());
        assert_eq!(device.private_key, delta.private_key);
        assert_eq!((device.listen_port, device.fwmark), (51820, 1));
        for (key, peer) in &delta.set {
            assert_eq!(device.peers.get(key), Some(peer));
        }
    }

    #[test]
    fn removals_go_first_and_peers_are_never_replaced_as_a_whole() {
        let messages = messages("pic0", &delta());
        let mut seen_set = false;
        for attribute in messages.iter().flatten() {
            assert!(!matches!(attribute, WireguardAttribute::Flags(_)));
            let WireguardAttribute::Peers(peers) = attribute else { continue };
            for peer in peers {
                let removes = peer.contains(&WireguardPeerAttribute::Flags(WireguardPeerFlags::RemoveMe));
                assert!(!(removes && seen_set));
                seen_set |= !removes;
            }
        }
    }

    #[test]
    fn only_the_first_part_of_a_peer_replaces_its_networks() {
        let parts = parts(&key(1), &peer(600));
        let replacing =
            |part: &WireguardPeer| part.iter().any(|a| matches!(a, WireguardPeerAttribute::Flags(_)));
        assert_eq!(
            parts.iter().map(replacing).collect::<Vec<_>>(),
            [true, false, false, false, false, false]
        );
    }

    #[test]
    fn nothing_to_do_is_no_message() {
        assert!(messages("pic0", &Delta::default()).is_empty());
    }
}
