//! An answer to `get=1` or `set=1` as plain data.

use std::collections::BTreeMap;
use std::str::FromStr;

use pic_model::key::PublicKey;
use pic_plan::target::wireguard::{Device, Peer, PeerLive};

use crate::wireguard::{Observation, decode};

/// An answer: the device (blank in answers to `set=1`) and its word on the request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) observation: Observation,
    pub(super) errno: i32,
}

/// Peer whose lines are being read.
struct Current {
    key: PublicKey,
    peer: Peer,
    live: PeerLive,
}

/// Reads an answer; the error is the number of the line that means nothing. Keys that we do not know are skipped, so
/// that a newer device may say more.
pub(super) fn answer(text: &[u8]) -> Result<Answer, usize> {
    let mut device = Device { private_key: None, listen_port: 0, fwmark: 0, peers: BTreeMap::new() };
    // Maps are built from rows at the end: keys come in no order, and ten thousand inserted one by one take far longer.
    let (mut peers, mut live) = (Vec::new(), Vec::new());
    let mut current: Option<Current> = None;
    let mut errno = None;
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let understood = (|| {
            let at = line.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (&line[..at], &line[at + 1..]);
            match (name, &mut current) {
                (b"public_key", _) => {
                    let next = Current {
                        key: PublicKey::from_bytes(key(value)?),
                        peer: decode::blank_peer(),
                        live: PeerLive::default(),
                    };
                    finish(current.replace(next), &mut peers, &mut live);
                }
                (b"errno", _) => errno = Some(number_of(value)?),
                (_, Some(current)) => peer_line(name, value, current)?,
                (_, None) => device_line(name, value, &mut device)?,
            }
            Some(())
        })();
        understood.ok_or(number + 1)?;
    }
    finish(current, &mut peers, &mut live);
    device.peers = peers.into_iter().collect();
    // An answer without the device's word was cut off.
    let errno = errno.ok_or_else(|| text.split(|byte| *byte == b'\n').count())?;
    Ok(Answer { observation: (device, live.into_iter().collect()), errno })
}

fn finish(
    current: Option<Current>,
    peers: &mut Vec<(PublicKey, Peer)>,
    live: &mut Vec<(PublicKey, PeerLive)>,
) {
    if let Some(current) = current {
        peers.push((current.key, current.peer));
        live.push((current.key, current.live));
    }
}

fn device_line(name: &[u8], value: &[u8], device: &mut Device) -> Option<()> {
    match name {
        b"private_key" => device.private_key = decode::private_key(key(value)?),
        b"listen_port" => device.listen_port = number_of(value)?,
        b"fwmark" => device.fwmark = number_of(value)?,
        _ => {}
    }
    Some(())
}

fn peer_line(name: &[u8], value: &[u8], current: &mut Current) -> Option<()> {
    let Current { peer, live, .. } = current;
    match name {
        b"preshared_key" => peer.preshared_key = decode::preshared_key(key(value)?),
        b"allowed_ip" => drop(peer.allowed_ips.insert(number_of(value)?)),
        b"persistent_keepalive_interval" => {
            peer.keepalive = Some(number_of(value)?).filter(|seconds| *seconds > 0);
        }
        // Only shown; a form we cannot read (a zone by name) is not worth failing for.
        b"endpoint" => {
            peer.endpoint = number_of(value).map(decode::unmapped);
            live.endpoint = peer.endpoint;
        }
        b"last_handshake_time_sec" => {
            live.last_handshake = Some(number_of(value)?).filter(|seconds| *seconds > 0);
        }
        b"rx_bytes" => live.rx_bytes = number_of(value)?,
        b"tx_bytes" => live.tx_bytes = number_of(value)?,
        _ => {}
    }
    Some(())
}

fn number_of<T: FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn key(value: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if value.len() != 64 {
        return None;
    }
    // Decoded without a branch for each digit and looked at once: ten thousand devices have more than a million digits.
    let mut all = 0;
    for (byte, pair) in bytes.iter_mut().zip(value.as_chunks::<2>().0) {
        let [high, low] = pair.map(|character| DIGITS[usize::from(character)]);
        *byte = (high << 4) | low;
        all |= high | low;
    }
    (all < NO_DIGIT).then_some(bytes)
}

/// What is in [`DIGITS`] for whatever is no digit.
const NO_DIGIT: u8 = 0x10;

/// The value of each hexadecimal digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < NO_DIGIT {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        digits[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_device_with_peers() {
        let text = format!(
            "private_key={}\nlisten_port=51820\nfwmark=7\nnew_word=1\npublic_key={}\npreshared_key={}\n\
             protocol_version=1\nendpoint=192.0.2.1:5555\nlast_handshake_time_sec=17\nlast_handshake_time_nsec=3\n\
             rx_bytes=5\ntx_bytes=6\npersistent_keepalive_interval=25\nallowed_ip=10.0.0.2/32\n\
             allowed_ip=fd00::2/128\npublic_key={}\npersistent_keepalive_interval=0\nerrno=0\n\n",
            "48".repeat(32),
            "01".repeat(32),
            "00".repeat(32),
            "02".repeat(32),
        );
        let answer = answer(text.as_bytes()).unwrap();
        let (device, live) = answer.observation;
        assert_eq!((device.listen_port, device.fwmark, device.peers.len(), answer.errno), (51820, 7, 2, 0));
        assert_eq!(device.private_key.unwrap().expose()[0], 0x48);
        let first = PublicKey::from_bytes([1; 32]);
        assert_eq!((device.peers[&first].allowed_ips.len(), device.peers[&first].keepalive), (2, Some(25)));
        assert!(device.peers[&first].preshared_key.is_none());
        assert_eq!(
            (live[&first].rx_bytes, live[&first].tx_bytes, live[&first].last_handshake),
            (5, 6, Some(17))
        );
        assert_eq!(live[&first].endpoint, Some("192.0.2.1:5555".parse().unwrap()));
        assert_eq!(device.peers[&PublicKey::from_bytes([2; 32])], decode::blank_peer());
    }

    #[test]
    fn names_the_line_it_cannot_read_and_notices_a_cut_answer() {
        assert_eq!(answer(b"listen_port=1\nfwmark=x\nerrno=0\n\n").unwrap_err(), 2);
        assert_eq!(answer(b"garbage\n\n").unwrap_err(), 1);
        assert_eq!(answer(b"public_key=00\n\n").unwrap_err(), 1);
        assert!(answer(b"listen_port=1\n").is_err());
        assert_eq!(answer(b"errno=-22\n\n").unwrap().errno, -22);
    }
}
