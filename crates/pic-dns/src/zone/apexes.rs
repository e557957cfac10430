//! Where zones begin.

use crate::map::FastMap;
use crate::wire::name;

/// The apexes of all zones. There are a hundred, most of a few lengths, so that a name's own zone is found by a look per
/// length: an IPv6 pointer has 34 labels, and a look for each of them would cost more.
#[derive(Debug, Default)]
pub(super) struct Apexes {
    zones: FastMap<Box<[u8]>, usize>,
    /// Of the apexes, the longest first.
    lengths: Vec<usize>,
}

impl Apexes {
    pub(super) fn insert(&mut self, apex: &[u8], zone: usize) {
        self.zones.insert(apex.into(), zone);
        if let Err(at) = self.lengths.binary_search_by(|length| apex.len().cmp(length)) {
            self.lengths.insert(at, apex.len());
        }
    }

    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.zones.contains_key(name)
    }

    /// The zone with the longest apex at or above `name`.
    pub(super) fn closest(&self, name: &[u8]) -> Option<usize> {
        let ends = self.lengths.iter().filter_map(|length| name.get(name.len().checked_sub(*length)?..));
        ends.filter(|end| name::is_within(name, end)).find_map(|end| self.zones.get(end).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_apex_of_whole_labels_wins() {
        let wire = |text| name::from_text(text).unwrap();
        let mut apexes = Apexes::default();
        for (zone, apex) in
            ["cell", "home.cell", "10.in-addr.arpa", "77.10.in-addr.arpa"].into_iter().enumerate()
        {
            apexes.insert(&wire(apex), zone);
        }
        let closest = |text| apexes.closest(&wire(text));
        assert_eq!(closest("home.cell"), Some(1));
        assert_eq!(closest("phone.home.cell"), Some(1));
        assert_eq!(closest("phonehome.cell"), Some(0));
        assert_eq!(closest("2.0.77.10.in-addr.arpa"), Some(3));
        assert_eq!(closest("2.0.177.10.in-addr.arpa"), Some(2));
        assert_eq!(closest("example"), None);
        assert!(apexes.contains(&wire("home.cell")) && !apexes.contains(&wire("x.home.cell")));
    }
}
