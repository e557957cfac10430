//! Proofs by NSEC3: as NSEC, over hashes of names (RFC 5155 section 8).

use crate::wire::name;

use super::budget::Budget;
use super::denial::{Delegation, Proof};
use super::{Fault, crypto, types};

const SHA1: u8 = 1;
const OPT_OUT: u8 = 1;
/// Above it a zone counts as unsigned (RFC 9276 section 3.2 lets us): its owner wants us to work.
pub(super) const MAX_ITERATIONS: u16 = 100;

/// One link of the chain of hashes.
#[derive(Debug)]
pub(super) struct Nsec3<'r> {
    hash: Vec<u8>,
    next: &'r [u8],
    types: &'r [u8],
    opt_out: bool,
    parameters: Parameters<'r>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameters<'r> {
    pub(super) iterations: u16,
    salt: &'r [u8],
}

impl<'r> Nsec3<'r> {
    /// `None` for hashes and flags that we do not know, which count as absent (RFC 5155 sections 8.1 and 8.2), and for
    /// records that are not directly beneath `apex`.
    pub(super) fn parse(owner: &[u8], rdata: &'r [u8], apex: &[u8]) -> Option<Self> {
        let [algorithm, flags, i0, i1, salt_len, rest @ ..] = rdata else { return None };
        let (salt, rest) = rest.split_at_checked(usize::from(*salt_len))?;
        let (hash_len, rest) = rest.split_first()?;
        let (next, types) = rest.split_at_checked(usize::from(*hash_len))?;
        let hash = base32hex(name::first_label(owner)?)?;
        let known = *algorithm == SHA1 && *flags & !OPT_OUT == 0 && hash.len() == next.len();
        let placed = name::parent(owner) == Some(apex);
        let parameters = Parameters { iterations: u16::from_be_bytes([*i0, *i1]), salt };
        (known && placed).then_some(Self { hash, next, types, opt_out: *flags & OPT_OUT != 0, parameters })
    }

    pub(super) fn parameters(&self) -> Parameters<'r> {
        self.parameters
    }

    fn has(&self, rtype: u16) -> bool {
        types::contains(self.types, rtype)
    }

    fn is_cut(&self) -> bool {
        (self.has(types::NS) && !self.has(types::SOA)) || self.has(types::DNAME)
    }

    fn covers(&self, hash: &[u8]) -> bool {
        let (own, next) = (&self.hash[..], self.next);
        if own < next { own < hash && hash < next } else { own < hash || hash < next }
    }
}

/// What a zone's NSEC3 records in one message prove. All have the same parameters.
#[derive(Debug)]
pub(super) struct Hashes<'r> {
    pub(super) apex: &'r [u8],
    pub(super) links: Vec<Nsec3<'r>>,
}

/// The nearest existing name above one that does not exist.
struct Encloser<'n> {
    name: &'n [u8],
    /// The name next beneath it lies in a gap where unsigned delegations may be left out.
    opt_out: bool,
}

impl Hashes<'_> {
    fn hash(&self, name: &[u8], budget: &mut Budget) -> Result<Box<[u8]>, Fault> {
        budget.hash()?;
        let Some(Parameters { iterations, salt }) = self.links.first().map(Nsec3::parameters) else {
            return Ok(Box::default());
        };
        let first = crypto::sha1(&[name, salt]);
        Ok((0..iterations.min(MAX_ITERATIONS)).fold(first, |hash, _| crypto::sha1(&[&hash, salt])))
    }

    fn matching(&self, name: &[u8], budget: &mut Budget) -> Result<Option<&Nsec3<'_>>, Fault> {
        let hash = self.hash(name, budget)?;
        Ok(self.links.iter().find(|link| link.hash[..] == *hash))
    }

    fn covering(&self, name: &[u8], budget: &mut Budget) -> Result<Option<&Nsec3<'_>>, Fault> {
        let hash = self.hash(name, budget)?;
        Ok(self.links.iter().find(|link| link.covers(&hash)))
    }

    /// RFC 5155 section 8.3.
    fn encloser<'n>(&self, asked: &'n [u8], budget: &mut Budget) -> Result<Option<Encloser<'n>>, Fault> {
        let mut beneath = asked;
        for above in name::and_above(asked).skip(1).take_while(|above| name::is_within(above, self.apex)) {
            if let Some(link) = self.matching(above, budget)? {
                if link.is_cut() {
                    return Ok(None);
                }
                let gap = self.covering(beneath, budget)?;
                return Ok(gap.map(|gap| Encloser { name: above, opt_out: gap.opt_out }));
            }
            beneath = above;
        }
        Ok(None)
    }

    pub(super) fn delegation(&self, cut: &[u8], budget: &mut Budget) -> Result<Option<Delegation>, Fault> {
        if let Some(link) = self.matching(cut, budget)? {
            if link.has(types::DS) || link.has(types::SOA) {
                return Ok(None);
            }
            return Ok(Some(if link.has(types::NS) { Delegation::Unsigned } else { Delegation::None }));
        }
        let encloser = self.encloser(cut, budget)?;
        Ok(encloser.map(|found| if found.opt_out { Delegation::Unsigned } else { Delegation::None }))
    }

    pub(super) fn nodata(
        &self,
        asked: &[u8],
        qtype: u16,
        budget: &mut Budget,
    ) -> Result<Option<Proof>, Fault> {
        if let Some(link) = self.matching(asked, budget)? {
            let cut = link.has(types::NS) && !link.has(types::SOA);
            let is_parents = qtype == types::DS && name::parent(asked).is_some();
            let right_side = if is_parents { !link.has(types::SOA) } else { !cut };
            let none = right_side && !link.has(qtype) && !link.has(types::CNAME);
            return Ok(none.then_some(Proof::Holds));
        }
        let Some(encloser) = self.encloser(asked, budget)? else { return Ok(None) };
        if let Some(link) = self.matching(&wildcard(encloser.name), budget)? {
            let none = !link.has(qtype) && !link.has(types::CNAME);
            return Ok(none.then_some(encloser.proof()));
        }
        // RFC 5155 section 8.6: no DS in a gap with unsigned delegations.
        Ok((qtype == types::DS && encloser.opt_out).then_some(Proof::OptedOut))
    }

    pub(super) fn nxdomain(&self, asked: &[u8], budget: &mut Budget) -> Result<Option<Proof>, Fault> {
        if self.matching(asked, budget)?.is_some() {
            return Ok(None);
        }
        let Some(encloser) = self.encloser(asked, budget)? else { return Ok(None) };
        let gap = self.covering(&wildcard(encloser.name), budget)?;
        Ok(gap.map(|_| encloser.proof()))
    }

    pub(super) fn expansion(
        &self,
        asked: &[u8],
        labels: usize,
        budget: &mut Budget,
    ) -> Result<Option<Proof>, Fault> {
        let Some(next_closer) = name::last_labels(asked, labels + 1) else { return Ok(None) };
        let gap = self.covering(next_closer, budget)?;
        Ok(gap.map(|gap| if gap.opt_out { Proof::OptedOut } else { Proof::Holds }))
    }
}

impl Encloser<'_> {
    fn proof(&self) -> Proof {
        if self.opt_out { Proof::OptedOut } else { Proof::Holds }
    }
}

fn wildcard(encloser: &[u8]) -> Vec<u8> {
    [b"\x01*", encloser].concat()
}

/// Base 32 with extended hex alphabet, without padding (RFC 4648 section 7).
fn base32hex(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut bits) = (Vec::with_capacity(text.len() * 5 / 8), 0_u32, 0);
    for letter in text {
        let value = match letter.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'a'..=b'v' => letter - b'a' + 10,
            _ => return None,
        };
        held = held << 5 | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            let [.., byte] = (held >> bits).to_be_bytes();
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_the_standard_does() {
        // RFC 5155 appendix A: 12 rounds with salt aabbccdd.
        let rdata = b"\x01\x01\x00\x0C\x04\xAA\xBB\xCC\xDD\x14AAAAAAAAAAAAAAAAAAAA";
        let apex = name::from_text("example").unwrap();
        let owner = name::from_text("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example").unwrap();
        let link = Nsec3::parse(&owner, rdata, &apex).unwrap();
        let hashes = Hashes { apex: &apex, links: vec![link] };
        let mut budget = Budget::new();
        assert!(hashes.matching(&apex, &mut budget).unwrap().is_some());
        assert!(hashes.matching(&name::from_text("a.example").unwrap(), &mut budget).unwrap().is_none());
        let elsewhere = name::from_text("other").unwrap();
        assert!(Nsec3::parse(&owner, rdata, &elsewhere).is_none(), "of another zone");
    }

    #[test]
    fn the_last_gap_goes_round() {
        let apex = name::from_text("example").unwrap();
        let owner = name::from_text("vvvvvvvv.example").unwrap();
        let link = Nsec3::parse(&owner, b"\x01\x00\x00\x00\x00\x05\x10\x00\x00\x00\x00", &apex).unwrap();
        assert!(link.covers(&[0x0F, 0, 0, 0, 0]) && !link.covers(&[0x11, 0, 0, 0, 0]));
        assert!(!link.covers(&[0xFF; 5]), "its own");
    }
}
