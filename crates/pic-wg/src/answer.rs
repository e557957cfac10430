//! The answer to `get=1`: the device and its peers, one `key=value` a line.
//!
//! The device library has one, too, which formats each of some fifty thousand lines by itself: with ten thousand peers a sixth of the
//! time of an answer. (Half is the library's walk through each peer's networks, which cannot be left out.) Pure.
//! Tested: here, and in `tests/netns.rs` by what `wg` reads.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use gotatun::device::Peer;
use x25519_dalek::StaticSecret;

/// A device as it is.
pub(crate) struct State {
    pub(crate) private_key: Option<StaticSecret>,
    pub(crate) listen_port: u16,
    pub(crate) fwmark: Option<u32>,
    pub(crate) peers: Vec<Known>,
}

/// A peer as it is.
pub(crate) struct Known {
    pub(crate) peer: Peer,
    /// Since the last handshake.
    pub(crate) handshake: Option<Duration>,
    /// Bytes received from it.
    pub(crate) rx: usize,
    /// Bytes sent to it.
    pub(crate) tx: usize,
}

/// Bytes of a peer with one network of each family, about.
const OF_A_PEER: usize = 384;

impl State {
    /// The answer; `now` is the time since 1970.
    pub(crate) fn text(&self, now: Duration) -> String {
        let mut text = Lines(String::with_capacity((self.peers.len() + 1) * OF_A_PEER));
        if let Some(key) = &self.private_key {
            text.key("private_key", key.as_bytes());
        }
        text.line("listen_port", self.listen_port);
        if let Some(mark) = self.fwmark {
            text.line("fwmark", mark);
        }
        self.peers.iter().for_each(|peer| text.peer(peer, now));
        text.line("errno", 0);
        text.0.push('\n');
        text.0
    }
}

struct Lines(String);

impl Lines {
    fn line(&mut self, name: &str, value: impl Display) {
        self.0.push_str(name);
        // A string takes all that is written to it.
        let _ = writeln!(self.0, "={value}");
    }

    fn key(&mut self, name: &str, key: &[u8; 32]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.0.push_str(name);
        self.0.push('=');
        let digit = |half: u8| char::from(DIGITS[usize::from(half & 0xf)]);
        self.0.extend(key.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]));
        self.0.push('\n');
    }

    fn peer(&mut self, Known { peer, handshake, rx, tx }: &Known, now: Duration) {
        self.key("public_key", peer.public_key.as_bytes());
        if let Some(key) = &peer.preshared_key {
            self.key("preshared_key", key);
        }
        if let Some(endpoint) = peer.endpoint {
            self.line("endpoint", endpoint);
        }
        if let Some(seconds) = peer.keepalive {
            self.line("persistent_keepalive_interval", seconds);
        }
        if let Some(at) = handshake.and_then(|ago| now.checked_sub(ago)) {
            self.line("last_handshake_time_sec", at.as_secs());
            self.line("last_handshake_time_nsec", at.subsec_nanos());
        }
        self.line("rx_bytes", rx);
        self.line("tx_bytes", tx);
        for network in &peer.allowed_ips {
            self.line("allowed_ip", network);
        }
    }
}

#[cfg(test)]
mod tests {
    use x25519_dalek::PublicKey;

    use super::*;

    #[test]
    fn says_what_the_protocol_says() {
        let mut peer = Peer::new(PublicKey::from([0x1f; 32])).with_preshared_key([0xa0; 32]);
        peer.endpoint = Some("[2001:db8::1]:5".parse().unwrap());
        peer.keepalive = Some(25);
        peer.allowed_ips = vec!["10.77.0.2/32".parse().unwrap(), "fd00::2/128".parse().unwrap()];
        let seen = Known { peer, handshake: Some(Duration::from_millis(1500)), rx: 7, tx: 8 };
        let unseen = Known { peer: Peer::new(PublicKey::from([2; 32])), handshake: None, rx: 0, tx: 0 };
        let private_key = Some(StaticSecret::from([0x48; 32]));
        let state = State { private_key, listen_port: 51820, fwmark: Some(7), peers: vec![seen, unseen] };
        let expected = format!(
            "private_key={}\nlisten_port=51820\nfwmark=7\npublic_key={}\npreshared_key={}\nendpoint=[2001:db8::1]:5\n\
             persistent_keepalive_interval=25\nlast_handshake_time_sec=98\nlast_handshake_time_nsec=500000000\nrx_bytes=7\n\
             tx_bytes=8\nallowed_ip=10.77.0.2/32\nallowed_ip=fd00::2/128\npublic_key={}\nrx_bytes=0\ntx_bytes=0\nerrno=0\n\n",
            "48".repeat(32),
            "1f".repeat(32),
            "a0".repeat(32),
            "02".repeat(32),
        );
        assert_eq!(state.text(Duration::from_secs(100)), expected);
    }
}
