//! Ranges of addresses, walked once.

use std::fmt::Debug;

/// An address as a number.
pub trait Number: Copy + Ord + Debug + Into<u64> + TryFrom<u64> {
    /// The greatest.
    const LAST: Self;
}

impl Number for u32 {
    const LAST: Self = Self::MAX;
}

impl Number for u64 {
    const LAST: Self = Self::MAX;
}

/// The pools of a network, and how far they have been given out for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pools<A = u32> {
    ranges: Vec<(A, A)>,
    /// Range and offset in it from which on none was ever given.
    at: usize,
    offset: u64,
}

impl<A> Default for Pools<A> {
    fn default() -> Self {
        Self { ranges: Vec::new(), at: 0, offset: 0 }
    }
}

impl<A: Number> Pools<A> {
    /// From the first and last address of each range.
    pub fn new(ranges: impl IntoIterator<Item = (A, A)>) -> Self {
        Self { ranges: ranges.into_iter().filter(|(first, last)| first <= last).collect(), at: 0, offset: 0 }
    }

    /// Whether an address is in one of them.
    pub fn contains(&self, address: A) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&address))
    }

    /// Number of addresses.
    pub fn size(&self) -> u64 {
        let of = |(first, last): &(A, A)| ((*last).into() - (*first).into()).saturating_add(1);
        self.ranges.iter().fold(0, |sum, range| sum.saturating_add(of(range)))
    }

    /// The address at a place counted over all ranges.
    pub fn at(&self, mut place: u64) -> Option<A> {
        for (first, last) in &self.ranges {
            let (begin, end): (u64, u64) = ((*first).into(), (*last).into());
            if place <= end - begin {
                return A::try_from(begin + place).ok();
            }
            place -= end - begin + 1;
        }
        None
    }

    /// The next address that `is_free`, going forward only.
    pub fn fresh(&mut self, is_free: impl Fn(A) -> bool) -> Option<A> {
        while let Some((first, last)) = self.ranges.get(self.at) {
            let next = |offset| (*first).into().checked_add(offset).and_then(|next| A::try_from(next).ok());
            while let Some(candidate) = next(self.offset).filter(|next| next <= last) {
                self.offset += 1;
                if is_free(candidate) {
                    return Some(candidate);
                }
            }
            self.at += 1;
            self.offset = 0;
        }
        None
    }
}
