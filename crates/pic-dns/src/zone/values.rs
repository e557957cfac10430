//! Values of a set of records, side by side in one piece of memory.

use std::collections::BTreeSet;

use smallvec::SmallVec;

/// Values of records, each behind its length in two bytes. The usual set, one short value, lies
/// where the set itself lies: a zone of many names would cost one allocation for each, and each lookup a look elsewhere.
#[derive(Debug, Default)]
pub struct Values(SmallVec<[u8; 23]>);

impl Values {
    /// One value, of at most 65,535 bytes; a longer one is none.
    pub fn of(value: &[u8]) -> Self {
        let mut values = Self::default();
        values.add(value);
        values
    }

    /// Adds a value, also one that is there already: see [`Self::dedup`].
    pub(super) fn add(&mut self, value: &[u8]) {
        if let Ok(length) = u16::try_from(value.len()) {
            self.0.extend_from_slice(&length.to_be_bytes());
            self.0.extend_from_slice(value);
        }
    }

    /// Leaves each value once. Done for a whole set at a time: looking through it for each new value would take long
    /// where there are thousands.
    pub(super) fn dedup(&mut self) {
        if self.iter().nth(1).is_none() {
            return;
        }
        let mut seen = BTreeSet::new();
        let mut once = Self::default();
        for value in self.iter().filter(|value| seen.insert(*value)) {
            once.add(value);
        }
        drop(seen);
        *self = once;
    }

    /// All of them, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk::<2>()?;
            let (value, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = behind;
            Some(value)
        })
    }

    /// The first.
    pub fn first(&self) -> Option<&[u8]> {
        self.iter().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_values_apart_and_once() {
        let mut values = Values::of(b"\x0A\x00\x00\x01");
        for value in [b"" as &[u8], b"\x0A\x00\x00\x01", &[7; 300], b""] {
            values.add(value);
        }
        values.dedup();
        let lengths = values.iter().map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(lengths, [4, 0, 300]);
        assert_eq!(values.first(), Some(b"\x0A\x00\x00\x01" as &[u8]));
        values.add(&[0; 65_536]);
        assert_eq!(values.iter().count(), 3);
    }
}
