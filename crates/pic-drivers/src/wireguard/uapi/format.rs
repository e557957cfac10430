//! A change as one `set=1` request.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;

use pic_model::key::PublicKey;
use pic_plan::target::wireguard::{Delta, Peer};
use zeroize::Zeroizing;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The whole request, ending with the empty line. Peers are removed before others are set.
pub(super) fn request(delta: &Delta) -> Zeroizing<Vec<u8>> {
    // Enough for what a peer usually takes: growing would leave copies of keys behind in freed memory.
    let networks: usize = delta.set.values().map(|peer| peer.allowed_ips.len()).sum();
    let size = 256 + 128 * delta.remove.len() + 256 * delta.set.len() + 64 * networks;
    let mut text = Zeroizing::new(Vec::with_capacity(size));
    text.extend_from_slice(b"set=1\n");
    if let Some(key) = &delta.private_key {
        key_line(&mut text, b"private_key=", key.expose());
    }
    if let Some(port) = delta.listen_port {
        line(&mut text, format_args!("listen_port={port}"));
    }
    if let Some(mark) = delta.fwmark {
        line(&mut text, format_args!("fwmark={mark}"));
    }
    for key in &delta.remove {
        key_line(&mut text, b"public_key=", key.as_bytes());
        text.extend_from_slice(b"remove=true\n");
    }
    for (key, peer) in &delta.set {
        set(&mut text, key, peer);
    }
    text.push(b'\n');
    text
}

/// A request that gives peers the device has their endpoint and a keepalive interval.
pub(super) fn greeting(peers: &BTreeMap<PublicKey, SocketAddr>, interval: u16) -> Vec<u8> {
    let mut text = b"set=1\n".to_vec();
    for (key, endpoint) in peers {
        key_line(&mut text, b"public_key=", key.as_bytes());
        line(
            &mut text,
            format_args!("update_only=true\nendpoint={endpoint}\npersistent_keepalive_interval={interval}"),
        );
    }
    text.push(b'\n');
    text
}

fn set(text: &mut Vec<u8>, key: &PublicKey, peer: &Peer) {
    key_line(text, b"public_key=", key.as_bytes());
    key_line(text, b"preshared_key=", peer.preshared_key.as_ref().map_or(&[0; 32], |key| key.expose()));
    line(text, format_args!("persistent_keepalive_interval={}", peer.keepalive.unwrap_or(0)));
    if let Some(endpoint) = peer.endpoint {
        line(text, format_args!("endpoint={endpoint}"));
    }
    text.extend_from_slice(b"replace_allowed_ips=true\n");
    for network in &peer.allowed_ips {
        line(text, format_args!("allowed_ip={network}"));
    }
}

fn line(text: &mut Vec<u8>, content: std::fmt::Arguments<'_>) {
    // Writing into a vector cannot fail.
    let _ = writeln!(text, "{content}");
}

fn key_line(text: &mut Vec<u8>, name: &[u8], key: &[u8; 32]) {
    text.extend_from_slice(name);
    for byte in key {
        text.push(HEX[usize::from(byte >> 4)]);
        text.push(HEX[usize::from(byte & 15)]);
    }
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_exactly_what_changes() {
        let peer = Peer {
            preshared_key: None,
            allowed_ips: ["10.0.0.2/32".parse().unwrap(), "fd00::2/128".parse().unwrap()].into(),
            keepalive: Some(25),
            endpoint: Some("192.0.2.1:51820".parse().unwrap()),
        };
        let delta = Delta {
            listen_port: Some(51820),
            set: [(PublicKey::from_bytes([0x1f; 32]), peer)].into(),
            remove: [PublicKey::from_bytes([0xa0; 32])].into(),
            ..Delta::default()
        };
        let expected = format!(
            "set=1\nlisten_port=51820\npublic_key={}\nremove=true\npublic_key={}\npreshared_key={}\n\
             persistent_keepalive_interval=25\nendpoint=192.0.2.1:51820\nreplace_allowed_ips=true\nallowed_ip=10.0.0.2/32\n\
             allowed_ip=fd00::2/128\n\n",
            "a0".repeat(32),
            "1f".repeat(32),
            "00".repeat(32),
        );
        assert_eq!(std::str::from_utf8(&request(&delta)).unwrap(), expected);
    }
}
