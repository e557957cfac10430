//! Messages made of some of the records of another.

use std::collections::BTreeMap;

use crate::wire::{CLASS_IN, HEADER, name, u16_at, u32_at};

use super::record::{Case, Record, Sections};
use super::types;

/// The sections that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Answer,
    Authority,
}

/// The records of a message that were shown to be authentic.
#[derive(Debug, Default)]
pub struct Kept(Vec<(Part, Box<[u8]>, u16)>);

impl Kept {
    pub(super) fn add(&mut self, part: Part, owner: &[u8], rtype: u16) {
        self.0.push((part, owner.into(), rtype));
    }

    fn holds(&self, part: Part, record: &Record) -> bool {
        let rtype = match record.rtype {
            types::RRSIG => u16_at(&record.rdata, 0).unwrap_or(0),
            rtype => rtype,
        };
        let owner = record.owner.to_ascii_lowercase();
        self.0.iter().any(|(at, name, set)| *at == part && *set == rtype && **name == *owner)
    }
}

fn is_dnssec(record: &Record, qtype: u16) -> bool {
    matches!(record.rtype, types::RRSIG | types::NSEC | types::NSEC3) && record.rtype != qtype
}

/// The message with nothing but what was shown to be authentic, without signatures and proofs if they are not `wanted`.
pub fn authentic(wire: &[u8], kept: &Kept, qtype: u16, wanted: bool) -> Option<Vec<u8>> {
    let mut sections = Sections::parse(wire, Case::Kept)?;
    let keeps = |part| move |r: &Record| kept.holds(part, r) && (wanted || !is_dnssec(r, qtype));
    sections.answer.retain(keeps(Part::Answer));
    sections.authority.retain(keeps(Part::Authority));
    // Nothing shows them to be authentic, and nobody needs them.
    sections.additional.clear();
    compose(wire, &sections)
}

/// The message without signatures and proofs, for clients that do not want them (RFC 4035 section 3.2.1). `None` if
/// there are none.
pub(crate) fn strip(wire: &[u8], qtype: u16) -> Option<Vec<u8>> {
    let mut sections = Sections::parse(wire, Case::Kept)?;
    let count = |s: &Sections| s.answer.len() + s.authority.len() + s.additional.len();
    let before = count(&sections);
    for section in [&mut sections.answer, &mut sections.authority, &mut sections.additional] {
        section.retain(|record| !is_dnssec(record, qtype));
    }
    (count(&sections) < before).then(|| compose(wire, &sections)).flatten()
}

fn compose(wire: &[u8], sections: &Sections) -> Option<Vec<u8>> {
    let question = name::plain_len(wire.get(HEADER..)?)? + 4;
    let mut out = wire.get(..HEADER + question)?.to_vec();
    let mut places = BTreeMap::new();
    places.insert(out.get(HEADER..HEADER + question - 4)?.to_ascii_lowercase(), HEADER);
    let lists = [&sections.answer, &sections.authority, &sections.additional];
    for (count, list) in [6, 8, 10].into_iter().zip(lists) {
        out.get_mut(count..count + 2)?.copy_from_slice(&u16::try_from(list.len()).ok()?.to_be_bytes());
        list.iter().try_for_each(|record| push(&mut out, &mut places, record))?;
    }
    (out.len() <= usize::from(u16::MAX)).then_some(out)
}

fn push(out: &mut Vec<u8>, places: &mut BTreeMap<Vec<u8>, usize>, record: &Record) -> Option<()> {
    let owner = record.owner.to_ascii_lowercase();
    match places.get(&owner).and_then(|place| u16::try_from(*place).ok()).filter(|place| *place < 0x4000) {
        Some(place) => out.extend_from_slice(&(0xC000 | place).to_be_bytes()),
        None => {
            places.insert(owner, out.len());
            out.extend_from_slice(&record.owner);
        }
    }
    out.extend_from_slice(&record.rtype.to_be_bytes());
    out.extend_from_slice(&CLASS_IN.to_be_bytes());
    out.extend_from_slice(&record.ttl.to_be_bytes());
    out.extend_from_slice(&u16::try_from(record.rdata.len()).ok()?.to_be_bytes());
    out.extend_from_slice(&record.rdata);
    Some(())
}

/// Lowers TTLs that are higher than what was signed (RFC 4035 section 5.3.3).
pub(crate) fn cap(wire: &mut [u8], ttls: &[u16], life: u32) {
    for at in ttls.iter().map(|at| usize::from(*at)) {
        let ttl = u32_at(wire, at).unwrap_or(0).min(life);
        if let Some(place) = wire.get_mut(at..at + 4) {
            place.copy_from_slice(&ttl.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Vec<u8> {
        let mut message = vec![0, 1, 0x80, 0, 0, 1, 0, 2, 0, 0, 0, 0];
        message.extend(b"\x03www\x07example\x00\x00\x01\x00\x01");
        let mut signature = vec![0, 1, 8, 2];
        signature.extend([0; 14]);
        signature.extend(b"\x07example\x00sig");
        for (rtype, rdata) in [(1_u16, &[192, 0, 2, 1][..]), (types::RRSIG, &signature)] {
            message.extend(b"\xC0\x0C");
            message.extend(rtype.to_be_bytes());
            message.extend([0, 1, 0, 0, 1, 0, 0, u8::try_from(rdata.len()).unwrap()]);
            message.extend(rdata);
        }
        message
    }

    #[test]
    fn signatures_go_only_to_those_who_ask() {
        let message = message();
        let bare = strip(&message, 1).unwrap();
        assert_eq!(Sections::parse(&bare, Case::Kept).unwrap().answer.len(), 1);
        assert!(strip(&bare, 1).is_none(), "nothing left to take away");
        assert!(strip(&message, types::RRSIG).is_none(), "asked for by type");
        let mut kept = Kept::default();
        assert_eq!(
            Sections::parse(&authentic(&message, &kept, 1, true).unwrap(), Case::Kept).unwrap().answer.len(),
            0
        );
        kept.add(Part::Answer, b"\x03www\x07example\x00", 1);
        assert_eq!(authentic(&message, &kept, 1, true).unwrap(), message);
        assert_eq!(authentic(&message, &kept, 1, false).unwrap(), bare);
    }
}
