//! WireGuard devices and their peers.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use pic_model::key::{PresharedKey, PrivateKey, PublicKey};

/// One device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `None` where the device has no key yet.
    pub private_key: Option<PrivateKey>,
    /// UDP port; 0 where any will do.
    pub listen_port: u16,
    /// Mark of the packets the device itself sends; 0 is none.
    pub fwmark: u32,
    /// Peers by key.
    pub peers: BTreeMap<PublicKey, Peer>,
}

/// One peer as we set it. What the peer itself decides (handshake, counters, and where a device is) is in [`PeerLive`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Symmetric key.
    pub preshared_key: Option<PresharedKey>,
    /// Source addresses it may use and destinations that go to it.
    pub allowed_ips: BTreeSet<IpNet>,
    /// Seconds between keepalives; `None` is off.
    pub keepalive: Option<u16>,
    /// Where it is dialled; `None` leaves that to itself.
    pub endpoint: Option<std::net::SocketAddr>,
}

impl Peer {
    /// Whether a peer that is so as `present` need not be set again. Where it is counts only if that is said.
    pub fn is_met_by(&self, present: &Self) -> bool {
        let same = (&self.preshared_key, &self.allowed_ips, self.keepalive)
            == (&present.preshared_key, &present.allowed_ips, present.keepalive);
        same && self.endpoint.is_none_or(|endpoint| present.endpoint == Some(endpoint))
    }
}

/// What a peer is doing; for status only, never compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerLive {
    /// Where its last packet came from.
    pub endpoint: Option<std::net::SocketAddr>,
    /// Unix seconds of the last handshake.
    pub last_handshake: Option<i64>,
    /// Bytes received from it.
    pub rx_bytes: u64,
    /// Bytes sent to it.
    pub tx_bytes: u64,
}

/// What must change on one device; never a replacement, which would cost every live peer its session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// New private key, if another one.
    pub private_key: Option<PrivateKey>,
    /// New port, if another one.
    pub listen_port: Option<u16>,
    /// New mark, if another one.
    pub fwmark: Option<u32>,
    /// Peers to add or to bring to this state (their allowed addresses are replaced).
    pub set: BTreeMap<PublicKey, Peer>,
    /// Peers to remove.
    pub remove: BTreeSet<PublicKey>,
}

impl Device {
    /// What the device is after a change that the kernel has acknowledged.
    pub fn change(&mut self, delta: &Delta) {
        self.private_key = delta.private_key.clone().or(self.private_key.take());
        self.listen_port = delta.listen_port.unwrap_or(self.listen_port);
        self.fwmark = delta.fwmark.unwrap_or(self.fwmark);
        for key in &delta.remove {
            self.peers.remove(key);
        }
        for (key, peer) in &delta.set {
            self.peers.insert(*key, peer.clone());
        }
    }
}

impl Delta {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
