//! The WireGuard interface and its peers.

use std::collections::BTreeMap;

use ipnet::IpNet;
use pic_model::Desired;

use super::{Network, exit, is_active};
use crate::facts::Facts;
use crate::marks::WIREGUARD_INTERFACE;
use crate::target::link::{Kind, Link};
use crate::target::wireguard::{Device, Peer};

/// Seconds; keeps the way through address translation open.
const KEEPALIVE: u16 = 25;

pub(super) fn links(desired: &Desired, facts: &Facts, network: &Network) -> BTreeMap<String, Link> {
    let link = Link {
        kind: if facts.kernel_wireguard { Kind::Wireguard } else { Kind::Tun },
        mtu: u32::from(desired.wireguard.mtu),
        up: true,
        addresses: network.cell_addresses().collect(),
        parent: None,
    };
    BTreeMap::from([(WIREGUARD_INTERFACE.to_owned(), link)])
}

pub(super) fn devices(desired: &Desired, facts: &Facts, network: &Network) -> BTreeMap<String, Device> {
    let preshared = facts.preshared_seed.deriver();
    let active = desired.peers.values().filter(|peer| is_active(peer, facts.now));
    let peers = active.map(|peer| {
        let v6 = network.peer6(peer).map(|v6| IpNet::from(std::net::IpAddr::V6(v6)));
        let target = Peer {
            preshared_key: peer.preshared.then(|| preshared.derive(&peer.public_key)),
            allowed_ips: std::iter::once(IpNet::from(std::net::IpAddr::V4(peer.address))).chain(v6).collect(),
            // One that is dialled is there because of it, and hears from us so that it can answer.
            keepalive: peer.endpoint.as_ref().map(|_| KEEPALIVE),
            endpoint: peer.endpoint.as_ref().and_then(|endpoint| exit::dialled(endpoint, facts)),
        };
        (peer.public_key, target)
    });
    let device = Device {
        private_key: Some(facts.private_key.clone()),
        listen_port: desired.wireguard.port,
        fwmark: 0,
        peers: peers.collect(),
    };
    BTreeMap::from([(WIREGUARD_INTERFACE.to_owned(), device)])
}
