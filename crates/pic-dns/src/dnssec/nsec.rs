//! Proofs by NSEC: the next name of a zone, so that there is none between (RFC 4034 section 4, RFC 4035 section 5.4).

use std::cmp::Ordering;

use crate::wire::name;

use super::denial::{Delegation, Proof};
use super::types;

/// One link of the chain of names of a zone. Names in lower case.
#[derive(Debug)]
pub(super) struct Nsec<'r> {
    owner: &'r [u8],
    next: Vec<u8>,
    types: &'r [u8],
}

impl<'r> Nsec<'r> {
    pub(super) fn parse(owner: &'r [u8], rdata: &'r [u8]) -> Option<Self> {
        let length = name::plain_len(rdata)?;
        let (next, types) = rdata.split_at_checked(length)?;
        Some(Self { owner, next: next.to_ascii_lowercase(), types })
    }

    fn has(&self, rtype: u16) -> bool {
        types::contains(self.types, rtype)
    }

    /// It was made by the parent for a zone cut, or hands its subtree to an alias: it says nothing about names beneath
    /// (RFC 6840 section 4.1).
    fn is_cut(&self) -> bool {
        (self.has(types::NS) && !self.has(types::SOA)) || self.has(types::DNAME)
    }

    fn covers(&self, name: &[u8]) -> bool {
        if name::is_within(name, self.owner) && self.is_cut() {
            return false;
        }
        let after = name::compare(self.owner, name) == Ordering::Less;
        // The last one leads back to the apex.
        let is_last = name::compare(&self.next, self.owner) != Ordering::Greater;
        after && (is_last || name::compare(name, &self.next) == Ordering::Less)
    }

    /// The nearest existing name above a covered one.
    fn encloser<'n>(&self, covered: &'n [u8]) -> Option<&'n [u8]> {
        let is_above =
            |above: &&[u8]| name::is_within(self.owner, above) || name::is_within(&self.next, above);
        name::and_above(covered).find(is_above)
    }
}

/// What a zone's NSEC records in one message prove.
#[derive(Debug)]
pub(super) struct Chain<'r> {
    pub(super) links: Vec<Nsec<'r>>,
}

impl Chain<'_> {
    fn matching(&self, name: &[u8]) -> Option<&Nsec<'_>> {
        self.links.iter().find(|link| link.owner == name)
    }

    fn covering(&self, name: &[u8]) -> Option<&Nsec<'_>> {
        self.links.iter().find(|link| link.covers(name))
    }

    pub(super) fn delegation(&self, cut: &[u8]) -> Option<Delegation> {
        if let Some(link) = self.matching(cut) {
            if link.has(types::DS) || link.has(types::SOA) {
                return None;
            }
            return Some(if link.has(types::NS) { Delegation::Unsigned } else { Delegation::None });
        }
        self.covering(cut).map(|_| Delegation::None)
    }

    pub(super) fn nodata(&self, asked: &[u8], qtype: u16) -> Option<Proof> {
        if let Some(link) = self.matching(asked) {
            // At a zone cut only the parent speaks about DS, and about nothing else.
            let is_parents = qtype == types::DS && name::parent(asked).is_some();
            let right_side = if is_parents { !link.has(types::SOA) } else { !link.is_cut_for(qtype) };
            return (right_side && !link.has(qtype) && !link.has(types::CNAME)).then_some(Proof::Holds);
        }
        let link = self.covering(asked)?;
        // A name that exists only because there are names beneath it.
        if name::is_within(&link.next, asked) {
            return Some(Proof::Holds);
        }
        let wildcard = wildcard(link.encloser(asked)?);
        let link = self.matching(&wildcard)?;
        (!link.has(qtype) && !link.has(types::CNAME)).then_some(Proof::Holds)
    }

    pub(super) fn nxdomain(&self, asked: &[u8]) -> Option<Proof> {
        let link = self.covering(asked)?;
        if name::is_within(&link.next, asked) {
            return None;
        }
        self.covering(&wildcard(link.encloser(asked)?)).map(|_| Proof::Holds)
    }

    /// The wildcard beneath the last `labels` of `asked` may stand for it: nothing nearer exists.
    pub(super) fn expansion(&self, asked: &[u8], labels: usize) -> Option<Proof> {
        let link = self.covering(asked)?;
        (name::labels(link.encloser(asked)?) == labels).then_some(Proof::Holds)
    }
}

impl Nsec<'_> {
    fn is_cut_for(&self, qtype: u16) -> bool {
        self.has(types::NS) && !self.has(types::SOA) && qtype != types::NSEC
    }
}

fn wildcard(encloser: &[u8]) -> Vec<u8> {
    [b"\x01*", encloser].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> Vec<u8> {
        name::from_text(text).unwrap()
    }

    /// A chain of these owners, next names and types.
    fn prove<T>(links: &[(&str, &str, &[u16])], check: impl Fn(&Chain<'_>) -> T) -> T {
        let bitmap = |list: &[u16]| {
            let mut bits = [0_u8; 8];
            for rtype in list {
                bits[usize::from(rtype / 8)] |= 0x80 >> (rtype % 8);
            }
            [&[0, 8][..], &bits].concat()
        };
        let owned: Vec<_> = links.iter().map(|(o, n, t)| (wire(o), [wire(n), bitmap(t)].concat())).collect();
        check(&Chain { links: owned.iter().map(|(o, r)| Nsec::parse(o, r).unwrap()).collect() })
    }

    const ZONE: &[(&str, &str, &[u16])] = &[
        ("example", "a.example", &[types::NS, types::SOA]),
        ("a.example", "sub.example", &[1]),
        ("sub.example", "x.y.example", &[types::NS]),
        ("x.y.example", "example", &[1, 15]),
    ];

    #[test]
    fn what_exists_is_not_denied() {
        prove(ZONE, |chain| {
            assert_eq!(chain.nxdomain(&wire("b.example")), Some(Proof::Holds));
            assert_eq!(chain.nxdomain(&wire("zz.example")), Some(Proof::Holds), "behind the last");
            for there in ["a.example", "sub.example", "y.example", "www.sub.example"] {
                assert_eq!(chain.nxdomain(&wire(there)), None, "{there}");
            }
            assert_eq!(chain.nodata(&wire("a.example"), 28), Some(Proof::Holds));
            assert_eq!(chain.nodata(&wire("a.example"), 1), None);
            assert_eq!(chain.nodata(&wire("y.example"), 1), Some(Proof::Holds), "empty, with a name beneath");
            assert_eq!(chain.nodata(&wire("sub.example"), 1), None, "the child's to say");
            assert_eq!(chain.nodata(&wire("sub.example"), types::DS), Some(Proof::Holds));
        });
    }

    #[test]
    fn delegations_are_told_apart() {
        prove(ZONE, |chain| {
            assert_eq!(chain.delegation(&wire("sub.example")), Some(Delegation::Unsigned));
            assert_eq!(chain.delegation(&wire("a.example")), Some(Delegation::None));
            assert_eq!(chain.delegation(&wire("y.example")), Some(Delegation::None));
            assert_eq!(chain.delegation(&wire("deep.sub.example")), None, "beneath a cut");
        });
        let signed: &[(&str, &str, &[u16])] = &[("sub.example", "z.example", &[types::NS, types::DS])];
        prove(signed, |chain| assert_eq!(chain.delegation(&wire("sub.example")), None));
    }

    #[test]
    fn wildcards_stand_for_what_does_not_exist() {
        let zone: &[(&str, &str, &[u16])] =
            &[("example", "*.w.example", &[types::SOA]), ("*.w.example", "b.w.example", &[1])];
        prove(zone, |chain| {
            assert_eq!(chain.expansion(&wire("a.w.example"), 2), Some(Proof::Holds));
            assert_eq!(chain.expansion(&wire("a.b.w.example"), 2), None, "b.w exists");
            assert_eq!(chain.nxdomain(&wire("a.w.example")), None, "the wildcard answers");
            assert_eq!(chain.nodata(&wire("a.w.example"), 28), Some(Proof::Holds));
            assert_eq!(chain.nodata(&wire("a.w.example"), 1), None);
        });
    }
}
