//! Greeting peers whose device was lost and made anew: the new one knows no endpoint, and a peer notices only after
//! its own 15 seconds of silence (WireGuard paper, section 6.1). Given the endpoint back and one keepalive to send, the
//! cell begins the handshake itself. The keepalive interval is off again at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use netlink_packet_wireguard::{
    WireguardAttribute, WireguardPeer, WireguardPeerAttribute, WireguardPeerFlags,
};
use pic_model::key::PublicKey;
use pic_plan::target::link::Kind;

use super::{Error, kernel, kind, uapi};

/// Switching the interval on is what sends the first keepalive; its length matters for no time.
const INTERVALS: [u16; 2] = [25, 0];
/// Peers in one kernel message; each takes about 100 bytes of 8 KiB.
const AT_ONCE: usize = 64;

/// Tells a device where its peers were last, and to speak first. Peers it does not have are left out.
pub fn greet(name: &str, peers: &BTreeMap<PublicKey, SocketAddr>) -> Result<(), Error> {
    if peers.is_empty() {
        return Ok(());
    }
    match kind(name)? {
        Some(Kind::Wireguard) => {
            let all: Vec<_> = peers.iter().collect();
            let messages =
                all.chunks(AT_ONCE).flat_map(|some| INTERVALS.map(|interval| message(name, some, interval)));
            kernel::set_all(name, messages.collect())
        }
        Some(Kind::Tun) => INTERVALS.into_iter().try_for_each(|interval| uapi::greet(name, peers, interval)),
        Some(Kind::Foreign | Kind::Vlan(_) | Kind::Veth) | None => Ok(()),
    }
}

fn message(name: &str, peers: &[(&PublicKey, &SocketAddr)], interval: u16) -> Vec<WireguardAttribute> {
    let peer = |(key, endpoint): &(&PublicKey, &SocketAddr)| {
        WireguardPeer(vec![
            WireguardPeerAttribute::PublicKey(*key.as_bytes()),
            WireguardPeerAttribute::Flags(WireguardPeerFlags::UpdateOnly),
            WireguardPeerAttribute::Endpoint(**endpoint),
            WireguardPeerAttribute::PersistentKeepalive(interval),
        ])
    };
    vec![
        WireguardAttribute::IfName(name.to_owned()),
        WireguardAttribute::Peers(peers.iter().map(peer).collect()),
    ]
}
