//! Ranges of addresses, walked once.

use std::net::Ipv4Addr;

/// The pools of a network, and how far they have been given out for the first time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pools {
    ranges: Vec<(u32, u32)>,
    /// Range and address from which on none was ever given.
    at: usize,
    next: u64,
}

impl Pools {
    /// From the first and last address of each range.
    pub fn new(ranges: &[(Ipv4Addr, Ipv4Addr)]) -> Self {
        let ranges = ranges.iter().map(|(first, last)| (first.to_bits(), last.to_bits()));
        let ranges: Vec<_> = ranges.filter(|(first, last)| first <= last).collect();
        let next = ranges.first().map_or(0, |(first, _)| u64::from(*first));
        Self { ranges, at: 0, next }
    }

    /// Whether an address is in one of them.
    pub fn contains(&self, address: u32) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&address))
    }

    /// Number of addresses.
    pub fn size(&self) -> u32 {
        self.ranges.iter().fold(0, |sum, (first, last)| (last - first).saturating_add(1).saturating_add(sum))
    }

    /// The next address that `is_free`, going forward only.
    pub fn fresh(&mut self, is_free: impl Fn(u32) -> bool) -> Option<u32> {
        while let Some((_, last)) = self.ranges.get(self.at) {
            while let Some(candidate) = u32::try_from(self.next).ok().filter(|next| next <= last) {
                self.next += 1;
                if is_free(candidate) {
                    return Some(candidate);
                }
            }
            self.at += 1;
            self.next = self.ranges.get(self.at).map_or(0, |(first, _)| u64::from(*first));
        }
        None
    }
}
