//! Names and what they hold.

use std::hash::BuildHasher;

use smallvec::SmallVec;

use super::Node;

/// A name in wire form, lower case; one of usual length needs no memory of its own.
pub(super) type Name = SmallVec<[u8; 31]>;

/// Marks of a free place.
const FREE: u64 = 0;
const NUMBER: u64 = 0xFFFF_FFFF;

/// The names, side by side in the order they came, and a table of their numbers by which they are found. A large zone is
/// compiled anew for each change: putting 128 bytes for each name to a place that follows from its hash took most of that
/// time, waiting for memory; 8 bytes do not.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    entries: Vec<(Name, Node)>,
    /// A power of two, at most seven eighths in use: in the upper half a part of the hash, in the lower one the number of the
    /// entry, counted from 1.
    places: Box<[u64]>,
    /// Of the kind whose low bits are good alone: they choose the place.
    hasher: foldhash::quality::RandomState,
}

impl Nodes {
    /// Makes room for so many more.
    pub(super) fn reserve(&mut self, more: usize) {
        self.entries.reserve(more);
        let needed = (self.entries.len() + more).saturating_mul(8) / 7 + 1;
        if needed > self.places.len() {
            self.spread(needed.next_power_of_two());
        }
    }

    /// What a name holds.
    pub(super) fn get(&self, name: &[u8]) -> Option<&Node> {
        let (_, number) = self.find(name, self.hash(name)).ok()?;
        self.entries.get(number).map(|(_, node)| node)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, name: &[u8]) -> Option<&mut Node> {
        let (_, number) = self.find(name, self.hash(name)).ok()?;
        self.entries.get_mut(number).map(|(_, node)| node)
    }

    /// What a name holds, and whether it came with `new`.
    pub(super) fn entry(&mut self, name: &[u8], new: impl FnOnce() -> Node) -> (&mut Node, bool) {
        // Before looking: the place must not move behind our back.
        if (self.entries.len() + 1).saturating_mul(8) > self.places.len().saturating_mul(7) {
            self.spread((2 * self.places.len()).max(64));
        }
        let hash = self.hash(name);
        let (number, is_new) = match self.find(name, hash) {
            Ok((_, number)) => (number, false),
            Err(place) => {
                let number = self.entries.len();
                self.places[place] = mark(hash, number);
                self.entries.push((Name::from_slice(name), new()));
                (number, true)
            }
        };
        (&mut self.entries[number].1, is_new)
    }

    fn hash(&self, name: &[u8]) -> u64 {
        self.hasher.hash_one(name)
    }

    /// Place and number of a name, or the place where it would come.
    fn find(&self, name: &[u8], hash: u64) -> Result<(usize, usize), usize> {
        let mut place = first(hash, self.places.len());
        // One in eight is free, so this ends; none is there before the first name.
        while let Some(found) = self.places.get(place).copied().filter(|found| *found != FREE) {
            if (found ^ hash) & !NUMBER == 0 {
                let number = usize::try_from(found & NUMBER).unwrap_or(0).wrapping_sub(1);
                if self.entries.get(number).is_some_and(|(known, _)| known.as_slice() == name) {
                    return Ok((place, number));
                }
            }
            place = (place + 1) & (self.places.len() - 1);
        }
        Err(place)
    }

    /// Makes the table anew with so many places.
    fn spread(&mut self, places: usize) {
        self.places = vec![FREE; places].into();
        for (number, (name, _)) in self.entries.iter().enumerate() {
            let hash = self.hasher.hash_one(name.as_slice());
            let mut place = first(hash, places);
            while self.places[place] != FREE {
                place = (place + 1) & (places - 1);
            }
            self.places[place] = mark(hash, number);
        }
    }
}

fn first(hash: u64, places: usize) -> usize {
    // The length is a power of two, so what is cut off does not matter.
    usize::try_from(hash & NUMBER).unwrap_or(0) & places.wrapping_sub(1)
}

/// There are never more names than fit: a snapshot has no more bytes than that.
fn mark(hash: u64, number: usize) -> u64 {
    hash & !NUMBER | (u64::try_from(number).unwrap_or(0) + 1) & NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(zone: usize) -> Node {
        Node { zone, parent: false, sets: SmallVec::new() }
    }

    #[test]
    fn finds_what_was_put_in_and_nothing_else() {
        let name = |n: usize| format!("name{n}").into_bytes();
        let mut nodes = Nodes::default();
        assert!(nodes.get(b"name0").is_none() && nodes.get_mut(b"").is_none());
        for n in 0..5_000 {
            if n == 1_000 {
                nodes.reserve(2_000);
            }
            let (put, is_new) = nodes.entry(&name(n), || node(n));
            assert!(put.zone == n && is_new);
            let (known, is_new) = nodes.entry(&name(n / 2), || node(9_999));
            assert!(known.zone == n / 2 && !is_new);
        }
        nodes.get_mut(&name(7)).unwrap().parent = true;
        for n in 0..5_000 {
            assert!(nodes.get(&name(n)).is_some_and(|node| node.zone == n && node.parent == (n == 7)), "{n}");
        }
        assert!((5_000..9_000).all(|n| nodes.get(&name(n)).is_none()));
        assert!(nodes.entries.len() * 8 <= nodes.places.len() * 7);
    }
}
