//! Peers that were never heard from.
//!
//! The device library counts a peer's time only from when it knows where the peer is. A session that begins later than
//! three minutes after the peer was added is therefore taken for an expired one, and the device stays dark until it
//! tries again, 15 seconds later. So peers that nobody was heard from are made anew before they get that old.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gotatun::device::{DefaultDeviceTransports, Device, Peer};

use crate::mirror::KeyBytes;

/// How often to look: at ten thousand peers a look takes 50 ms of processor time.
pub(crate) const PERIOD: Duration = Duration::from_secs(20);
/// A peer is made anew when it is older than this: a third of a session's life (`REJECT_AFTER_TIME`, 180 s).
const OLD: Duration = Duration::from_secs(60);
/// Most of them at a time: ten thousand are through in [`OLD`] and five looks, before any is three minutes old.
const BATCH: usize = 2000;

/// When each peer without an address was made, as far as known.
#[derive(Default)]
pub(crate) struct Unseen(BTreeMap<KeyBytes, Instant>);

impl Unseen {
    /// Makes those anew that are old. Between two of them packets flow.
    pub(crate) async fn renew(&mut self, device: &Device<DefaultDeviceTransports>) {
        let peers = device.peers().await.into_iter().map(|known| known.peer);
        let unseen = peers.filter(|peer| peer.endpoint.is_none()).collect();
        for peer in self.due(unseen, Instant::now()) {
            let renewed = device.write(async |device| {
                device.remove_peer(&peer.public_key).await;
                device.add_peer(peer);
            });
            if renewed.await.is_err() {
                tracing::warn!("a device that was never seen could not be renewed");
            }
        }
    }

    /// Those that are to be made anew now, and takes note that they are.
    fn due(&mut self, unseen: Vec<Peer>, now: Instant) -> Vec<Peer> {
        let mut known = std::mem::take(&mut self.0);
        let mut due = Vec::new();
        for peer in unseen {
            let key = peer.public_key.to_bytes();
            let made = known.remove(&key).unwrap_or(now);
            let is_due = now.saturating_duration_since(made) >= OLD && due.len() < BATCH;
            self.0.insert(key, if is_due { now } else { made });
            if is_due {
                due.push(peer);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use x25519_dalek::PublicKey;

    use super::*;

    fn peers(count: u16) -> Vec<Peer> {
        let key = |n: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            PublicKey::from(bytes)
        };
        (0..count).map(|n| Peer::new(key(n))).collect()
    }

    #[test]
    fn each_is_renewed_when_it_is_old_and_some_at_a_time() {
        let (mut unseen, begin) = (Unseen::default(), Instant::now());
        assert!(unseen.due(peers(2700), begin).is_empty(), "new ones are not old");
        assert!(unseen.due(peers(2700), begin + OLD / 2).is_empty());
        assert_eq!(unseen.due(peers(2700), begin + OLD).len(), BATCH);
        assert_eq!(unseen.due(peers(2700), begin + OLD + PERIOD).len(), 700);
        assert!(unseen.due(peers(2700), begin + OLD + PERIOD).is_empty());
        assert_eq!(unseen.due(peers(2700), begin + 2 * OLD).len(), BATCH);
        unseen.due(peers(1), begin + 3 * OLD);
        assert_eq!(unseen.0.len(), 1, "who was heard from is forgotten");
    }
}
