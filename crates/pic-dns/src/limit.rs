//! How much is answered to whom by datagrams, toward the internet: their senders may be forged, and an answer is larger than its
//! question, so that many of them could be used to drown somebody else.
//!
//! A bucket for each /24 and /56, from which every answer takes. Where it is empty, every second answer is cut short to "ask by TCP",
//! which a forger cannot, and the others are not sent. Memory is fixed: networks share a bucket when there are too many.

use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Buckets; 8 bytes each.
const BUCKETS: usize = 1 << 14;
/// Answers each second that a network gets on and on.
const RATE: u32 = 20;
/// Answers that it gets at once after a pause.
const BURST: u32 = 60;
/// Milliseconds that one answer takes up.
const COST: u32 = 1_000 / RATE;

/// What to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it.
    Send,
    /// Ask for TCP instead.
    Truncate,
    /// Send nothing.
    Drop,
}

/// The buckets. Each is the milliseconds from the begin until which its answers have taken up all time (GCRA).
#[derive(Debug)]
pub struct Limiter {
    buckets: Box<[AtomicU64]>,
    hasher: std::hash::RandomState,
    slips: AtomicU32,
    begin: Instant,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            // Keyed, so that nobody can choose whose bucket is emptied.
            hasher: std::hash::RandomState::new(),
            slips: AtomicU32::new(0),
            begin: Instant::now(),
        }
    }
}

impl Limiter {
    /// Takes an answer out of the bucket of `source`.
    pub fn take(&self, source: IpAddr, now: Instant) -> Verdict {
        let now = u64::try_from(now.saturating_duration_since(self.begin).as_millis()).unwrap_or(u64::MAX);
        let Some(bucket) = self.buckets.get(self.bucket(source)) else { return Verdict::Send };
        let taken = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
            let from = until.max(now);
            (from - now <= u64::from(COST * (BURST - 1))).then_some(from + u64::from(COST))
        });
        match taken {
            Ok(_) => Verdict::Send,
            Err(_) if self.slips.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => Verdict::Truncate,
            Err(_) => Verdict::Drop,
        }
    }

    fn bucket(&self, source: IpAddr) -> usize {
        usize::try_from(self.hasher.hash_one(network(source)) % BUCKETS as u64).unwrap_or(0)
    }
}

/// What shares a bucket: whoever has one address of it has the others, too.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & !0xFF).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !((1 << 72) - 1)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn count(limiter: &Limiter, source: &str, times: u32, now: Instant) -> [u32; 3] {
        let mut counts = [0; 3];
        for _ in 0..times {
            counts[limiter.take(source.parse().unwrap(), now) as usize] += 1;
        }
        counts
    }

    #[test]
    fn a_network_gets_its_rate_and_half_of_the_rest_is_asked_to_come_by_tcp() {
        let all = ["198.51.100.7", "198.51.101.7", "2001:db8:0:7700::1", "2001:db8:0:7800::1"];
        let bucket = |limiter: &Limiter, source: &str| limiter.bucket(source.parse().unwrap());
        // By chance two networks could share a bucket.
        let mut each = std::iter::repeat_with(Limiter::default);
        let limiter = each.find(|limiter| {
            all.iter().map(|source| bucket(limiter, source)).collect::<std::collections::BTreeSet<_>>().len()
                == 4
        });
        let limiter = limiter.unwrap();
        let now = limiter.begin + Duration::from_secs(1);
        assert_eq!(count(&limiter, "198.51.100.7", 100, now), [60, 20, 20]);
        assert_eq!(count(&limiter, "198.51.100.99", 10, now), [0, 5, 5], "of the same network");
        assert_eq!(count(&limiter, "::ffff:198.51.100.9", 2, now), [0, 1, 1]);
        assert_eq!(count(&limiter, "198.51.101.7", 1, now), [1, 0, 0]);
        let later = now + Duration::from_secs(1);
        assert_eq!(count(&limiter, "198.51.100.7", 30, later), [20, 5, 5]);
        let much_later = later + Duration::from_secs(3_600);
        assert_eq!(
            count(&limiter, "198.51.100.7", 61, much_later)[0],
            60,
            "no more than a burst is saved up"
        );
        assert_eq!(count(&limiter, "2001:db8:0:7700::1", 61, now)[0], 60);
        assert_eq!(count(&limiter, "2001:db8:0:77ff::1", 2, now)[0], 0);
        assert_eq!(count(&limiter, "2001:db8:0:7800::1", 2, now)[0], 2);
    }
}
