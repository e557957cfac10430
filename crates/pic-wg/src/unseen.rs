//! Peers that were never heard from.
//!
//! The device library looks at a peer's clock only once it knows where the peer is. Until then the peer's time stands at when it was
//! added, and a session that begins is taken to be as old as that: `wg show` tells a first handshake that is long past, the
//! session ends so much too early, and one that begins three minutes late is expired when it begins. (The stamps inside
//! handshakes come from a clock of their own and are right.) So peers that nobody was heard from are made anew before they get old,
//! the sooner the fewer they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use gotatun::device::{DefaultDeviceTransports, Device, Peer};

use crate::mirror::KeyBytes;

/// How often to look whether it is time to look.
pub(crate) const PERIOD: Duration = Duration::from_secs(4);
/// So many peers are many: a look at ten thousand takes 50 ms of processor time.
const MANY: u32 = 10_000;
/// Most of them at a time: ten thousand are through in five looks, before any is three minutes old.
const BATCH: usize = 2000;
/// Most of them in one go, in which no packets flow.
const GO: usize = 1000;

/// How often to look at so many, and how old they may get: each 4 s and 8 s for a household's, 20 s and 60 s for ten thousand. With
/// less than four thousand none gets so old that its first session ends before it is renewed (`REKEY_AFTER_TIME`, 120 s).
fn pace(unseen: usize) -> (Duration, Duration) {
    let share = u32::try_from(unseen).unwrap_or(MANY).min(MANY);
    let slower = |seconds: u64| Duration::from_secs(seconds) * share / MANY;
    // Less than the time between two looks whether it is time, which a little more would double.
    (Duration::from_secs(3) + slower(17), Duration::from_secs(7) + slower(53))
}

/// When each peer without an address was made, as far as known.
pub(crate) struct Unseen {
    made: BTreeMap<KeyBytes, Instant>,
    next: Instant,
}

impl Unseen {
    /// Of a new device.
    pub(crate) fn new(now: Instant) -> Self {
        Self { made: BTreeMap::new(), next: now }
    }

    /// Makes those anew that are old, if it is time.
    pub(crate) async fn renew(&mut self, device: &Device<DefaultDeviceTransports>) {
        if Instant::now() < self.next {
            return;
        }
        let peers = device.peers().await.into_iter().map(|known| known.peer);
        let unseen = peers.filter(|peer| peer.endpoint.is_none()).collect();
        for some in self.due(unseen, Instant::now()).chunks(GO) {
            let renewed = device.write(async |device| {
                // One that was heard from a moment ago would lose its session.
                let peers = device.peers().await.into_iter().map(|known| known.peer);
                let unseen = peers.filter(|peer| peer.endpoint.is_none());
                let unseen: BTreeSet<_> = unseen.map(|peer| peer.public_key.to_bytes()).collect();
                for peer in some.iter().filter(|peer| unseen.contains(&peer.public_key.to_bytes())) {
                    device.remove_peer(&peer.public_key).await;
                    device.add_peer(peer.clone());
                }
            });
            if renewed.await.is_err() {
                tracing::warn!("devices that were never seen could not be renewed");
            }
        }
    }

    /// Those that are to be made anew now, and takes note that they are.
    fn due(&mut self, unseen: Vec<Peer>, now: Instant) -> Vec<Peer> {
        let (look, old) = pace(unseen.len());
        self.next = now + look;
        let known = std::mem::take(&mut self.made);
        let made = |peer: &Peer| known.get(&peer.public_key.to_bytes()).copied().unwrap_or(now);
        let mut due: Vec<_> = unseen.into_iter().map(|peer| (made(&peer), peer)).collect();
        self.made = due.iter().map(|(made, peer)| (peer.public_key.to_bytes(), *made)).collect();
        due.retain(|(made, _)| now.saturating_duration_since(*made) >= old);
        // The oldest first: the others' turn would never come where there are more than fit.
        due.sort_by_key(|(made, _)| *made);
        due.truncate(BATCH);
        let due: Vec<_> = due.into_iter().map(|(_, peer)| peer).collect();
        self.made.extend(due.iter().map(|peer| (peer.public_key.to_bytes(), now)));
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

    /// How old the oldest of so many gets, of those that were there from the beginning.
    fn oldest(count: u16) -> Duration {
        let begin = Instant::now();
        let (mut unseen, mut now, mut oldest) = (Unseen::new(begin), begin, Duration::ZERO);
        while now < begin + Duration::from_secs(600) {
            if now >= unseen.next {
                let ages = unseen.made.values().map(|made| now - *made);
                oldest = ages.chain([oldest]).max().unwrap();
                unseen.due(peers(count), now);
            }
            now += PERIOD;
        }
        oldest
    }

    #[test]
    fn none_gets_old_and_few_stay_young() {
        for (count, most) in [(1, 12), (100, 16), (1000, 24), (4000, 60), (10_000, 150)] {
            let oldest = oldest(count);
            assert!(oldest <= Duration::from_secs(most), "{count} peers: {oldest:?}");
        }
    }

    #[test]
    fn many_are_renewed_some_at_a_time() {
        let (begin, (_, old)) = (Instant::now(), pace(2700));
        let mut unseen = Unseen::new(begin);
        assert!(unseen.due(peers(2700), begin).is_empty(), "new ones are not old");
        assert!(unseen.due(peers(2700), begin + old / 2).is_empty());
        assert_eq!(unseen.due(peers(2700), begin + old).len(), BATCH);
        assert_eq!(unseen.due(peers(2700), begin + old).len(), 700);
        assert!(unseen.due(peers(2700), begin + old).is_empty());
        unseen.due(peers(1), begin + 3 * old);
        assert_eq!(unseen.made.len(), 1, "who was heard from is forgotten");
    }
}
