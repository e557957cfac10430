//! A set of names as 64-bit hashes: 16 bytes a name, one look into memory for most questions.
//!
//! Two names with one hash are a matter of chance: one in 10^12 questions against a million names.

/// Hash of nothing; also the mark of an empty place, which no name has.
const EMPTY: u64 = 0;
const SEED: u64 = 0xCBF2_9CE4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01B3;
/// Labels looked at; deeper names are judged by their last ones.
const MAX_LABELS: usize = 16;

/// Hashes of a name and of all names above it that have two labels or more.
#[derive(Debug)]
pub(super) struct Hashes {
    all: [u64; MAX_LABELS],
    len: usize,
}

impl Hashes {
    /// Of a name in lower-case wire form.
    pub(super) fn of(name: &[u8]) -> Self {
        let mut starts = [0_usize; MAX_LABELS];
        let (mut at, mut labels) = (0, 0_usize);
        while let Some(length) = name.get(at).filter(|length| **length > 0) {
            starts[labels % MAX_LABELS] = at;
            labels += 1;
            at += 1 + usize::from(*length);
        }
        let mut hashes = Self { all: [EMPTY; MAX_LABELS], len: 0 };
        let (mut end, mut hash) = (at, SEED);
        for label in (labels.saturating_sub(MAX_LABELS)..labels).rev() {
            let start = starts[label % MAX_LABELS];
            hash = name
                .get(start..end)
                .unwrap_or_default()
                .iter()
                .fold(hash, |h, b| (h ^ u64::from(*b)).wrapping_mul(PRIME));
            end = start;
            if label + 1 < labels {
                hashes.all[hashes.len] = mixed(hash);
                hashes.len += 1;
            }
        }
        hashes
    }

    /// Of the whole name; `None` for one of a single label.
    pub(super) fn whole(&self) -> Option<u64> {
        self.all.get(self.len.checked_sub(1)?).copied()
    }
}

/// Spreads all bits over the low ones, which choose the place.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (hash ^ hash >> 29) | 1
}

/// Hash of a name in lower-case wire form, as [`Table::new`] takes it; `None` for one of a single label.
pub(super) fn hash(name: &[u8]) -> Option<u64> {
    Hashes::of(name).whole()
}

/// The set. Open addressing, at most half full.
#[derive(Debug)]
pub(super) struct Table {
    places: Box<[u64]>,
}

impl Table {
    pub(super) fn new(hashes: &[u64]) -> Self {
        let mut places = vec![EMPTY; (2 * hashes.len()).next_power_of_two()].into_boxed_slice();
        if hashes.is_empty() {
            places = Box::default();
        }
        let mut table = Self { places };
        for hash in hashes {
            table.insert(*hash);
        }
        table
    }

    fn insert(&mut self, hash: u64) {
        let mut at = self.first(hash);
        while self.places[at] != EMPTY && self.places[at] != hash {
            at = (at + 1) % self.places.len();
        }
        self.places[at] = hash;
    }

    /// The length is a power of two, so what is cut off does not matter.
    fn first(&self, hash: u64) -> usize {
        usize::try_from(hash >> 1 & (self.places.len() as u64 - 1)).unwrap_or(0)
    }

    /// Whether one of the names is in it.
    pub(super) fn has_any(&self, hashes: &Hashes) -> bool {
        !self.places.is_empty() && hashes.all[..hashes.len].iter().any(|hash| self.has(*hash))
    }

    fn has(&self, hash: u64) -> bool {
        let mut at = self.first(hash);
        // Half of the places are empty, so this ends.
        while self.places[at] != EMPTY {
            if self.places[at] == hash {
                return true;
            }
            at = (at + 1) % self.places.len();
        }
        false
    }
}
