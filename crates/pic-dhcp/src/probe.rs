//! Conflict probes under way: a packet waits here until its address was asked for on the link and nobody answered.
//! Others are served meanwhile. Pure; time comes in as milliseconds.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Milliseconds that a host has to say that an address is its own.
pub const PATIENCE: u64 = 400;
/// When the question is asked a second time: a sleeping radio misses the first.
const AGAIN: u64 = 150;
/// Probes at once; more are a flood, and their clients ask again.
const MAX: usize = 256;

/// A packet that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The client's message.
    pub packet: Vec<u8>,
    /// The client's Ethernet address: its own claim is no conflict.
    pub mac: [u8; 6],
    /// Network it came in by.
    pub lan: usize,
    since: u64,
    asked_again: bool,
}

/// All probes under way, by address.
#[derive(Debug, Default)]
pub struct Probes(BTreeMap<Ipv4Addr, Waiting>);

impl Probes {
    /// Begins one; whether the question is to be asked now. The same client asking again changes nothing.
    pub fn begin(&mut self, address: Ipv4Addr, lan: usize, mac: [u8; 6], packet: &[u8], now: u64) -> bool {
        if self.0.len() >= MAX || self.0.contains_key(&address) {
            return false;
        }
        let waiting = Waiting { packet: packet.to_vec(), mac, lan, since: now, asked_again: false };
        self.0.insert(address, waiting);
        true
    }

    /// Somebody says to have an address; the packet that waited for it, if that is somebody else.
    pub fn claimed(&mut self, address: Ipv4Addr, by: [u8; 6]) -> Option<Waiting> {
        self.0.get(&address).filter(|waiting| waiting.mac != by)?;
        self.0.remove(&address)
    }

    /// Addresses to ask for a second time.
    pub fn again(&mut self, now: u64) -> Vec<(Ipv4Addr, usize)> {
        let due = self.0.iter_mut().filter(|(_, one)| !one.asked_again && now >= one.since + AGAIN);
        due.map(|(address, one)| {
            one.asked_again = true;
            (*address, one.lan)
        })
        .collect()
    }

    /// Those nobody answered in time.
    pub fn proved(&mut self, now: u64) -> Vec<(Ipv4Addr, Waiting)> {
        self.0.extract_if(.., |_, one| now >= one.since + PATIENCE).collect()
    }

    /// Milliseconds until something is to be done.
    pub fn next(&self, now: u64) -> Option<u64> {
        let due = |one: &Waiting| one.since + if one.asked_again { PATIENCE } else { AGAIN };
        self.0.values().map(|one| due(one).saturating_sub(now)).min()
    }

    /// Forgets all, as the networks are others now.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_asks_twice_and_believes_others_only() {
        let (a, b) = (Ipv4Addr::from([10, 0, 0, 1]), Ipv4Addr::from([10, 0, 0, 2]));
        let mut probes = Probes::default();
        assert!(probes.begin(a, 0, [1; 6], b"a", 0) && probes.begin(b, 1, [2; 6], b"b", 10));
        assert!(!probes.begin(a, 0, [1; 6], b"a", 20), "already under way");
        assert_eq!(probes.claimed(a, [1; 6]), None, "its own");
        assert_eq!(probes.claimed(b, [9; 6]).unwrap().packet, b"b");
        assert_eq!(probes.next(100), Some(50));
        assert_eq!(probes.again(150), [(a, 0)]);
        assert!(probes.again(151).is_empty() && probes.proved(399).is_empty());
        assert_eq!(probes.proved(400)[0].0, a);
        assert_eq!(probes.next(400), None);
    }
}
