//! Records of a message, names in full, and the canonical form that is signed (RFC 4034 section 6).

use crate::wire::{CLASS_IN, HEADER, name, u16_at, u32_at};

use super::types;

/// How names inside are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// As they came.
    Kept,
    /// In lower case, where the signed form has them so.
    Lower,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Wire form without compression.
    pub(super) owner: Box<[u8]>,
    pub(super) rtype: u16,
    pub(super) ttl: u32,
    /// The same.
    pub(super) rdata: Box<[u8]>,
}

/// The sections of a message that matter.
#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) answer: Vec<Record>,
    pub(super) authority: Vec<Record>,
    pub(super) additional: Vec<Record>,
}

/// Sanity: a message of the largest size holds a few thousand records.
const MAX_RECORDS: usize = 4_096;
/// Bytes of all records together once their names are written out; beyond it is an attempt to fill the memory.
const MAX_EXPANDED: usize = 512 << 10;

impl Sections {
    /// Reads a message without OPT; `None` if it is malformed or of another class.
    pub(super) fn parse(message: &[u8], case: Case) -> Option<Self> {
        let question = name::plain_len(message.get(HEADER..)?)? + 4;
        let mut at = HEADER + question;
        let (mut sections, mut count, mut expanded) = (Self::default(), 0, 0);
        let lists = [&mut sections.answer, &mut sections.authority, &mut sections.additional];
        for (place, list) in [6, 8, 10].into_iter().zip(lists) {
            for _ in 0..u16_at(message, place)? {
                let (record, behind) = read(message, at, case)?;
                at = behind;
                count += 1;
                expanded += record.owner.len() + record.rdata.len();
                if count > MAX_RECORDS || expanded > MAX_EXPANDED {
                    return None;
                }
                list.push(record);
            }
        }
        Some(sections)
    }
}

fn read(message: &[u8], start: usize, case: Case) -> Option<(Record, usize)> {
    let (mut owner, fixed) = name::expand(message, start)?;
    if case == Case::Lower {
        owner.make_ascii_lowercase();
    }
    let rtype = u16_at(message, fixed)?;
    if u16_at(message, fixed + 2)? != CLASS_IN {
        return None;
    }
    let ttl = u32_at(message, fixed + 4)?;
    let end = fixed + 10 + usize::from(u16_at(message, fixed + 8)?);
    let rdata = rdata(message, rtype, fixed + 10, end, case)?;
    Some((Record { owner: owner.into(), rtype, ttl, rdata: rdata.into() }, end))
}

/// What the value of a type consists of, up to its last name; all behind that is copied.
enum Part {
    Bytes(usize),
    Text,
    Name,
}

/// The types whose names may be compressed or are signed in lower case: RFC 3597 section 4 and RFC 4034 section 6.2,
/// without those that RFC 6840 section 5.1 takes out again.
fn layout(rtype: u16) -> &'static [Part] {
    use Part::{Bytes, Name, Text};
    match rtype {
        types::NS | 3 | 4 | types::CNAME | 7 | 8 | 9 | 12 | 30 | types::DNAME => &[Name],
        types::SOA | 14 | 17 => &[Name, Name],
        15 | 18 | 21 | 36 => &[Bytes(2), Name],
        26 => &[Bytes(2), Name, Name],
        33 => &[Bytes(6), Name],
        35 => &[Bytes(4), Text, Text, Text, Name],
        24 | types::RRSIG => &[Bytes(18), Name],
        _ => &[],
    }
}

fn rdata(message: &[u8], rtype: u16, start: usize, end: usize, case: Case) -> Option<Vec<u8>> {
    let whole = message.get(..end)?;
    let (mut out, mut at) = (Vec::with_capacity(end.checked_sub(start)?), start);
    for part in layout(rtype) {
        let length = match part {
            Part::Bytes(length) => *length,
            Part::Text => 1 + usize::from(*whole.get(at)?),
            Part::Name => {
                let (mut name, behind) = name::expand(whole, at)?;
                if case == Case::Lower {
                    name.make_ascii_lowercase();
                }
                out.extend(name);
                at = behind;
                continue;
            }
        };
        out.extend_from_slice(whole.get(at..at + length)?);
        at += length;
    }
    out.extend_from_slice(whole.get(at..)?);
    Some(out)
}

/// The records of one name and type, with their signatures.
#[derive(Debug)]
pub(super) struct RrSet<'r> {
    pub(super) owner: &'r [u8],
    pub(super) rtype: u16,
    pub(super) records: Vec<&'r Record>,
    pub(super) signatures: Vec<&'r Record>,
}

/// The set of this name and type in a section; `None` if there is no such record.
pub(super) fn set<'r>(section: &'r [Record], owner: &[u8], rtype: u16) -> Option<RrSet<'r>> {
    let own = || section.iter().filter(|record| *record.owner == *owner);
    let records: Vec<&Record> = own().filter(|record| record.rtype == rtype).collect();
    let owner = &records.first()?.owner;
    let covers = |record: &&Record| record.rtype == types::RRSIG && u16_at(&record.rdata, 0) == Some(rtype);
    Some(RrSet { owner, rtype, signatures: own().filter(covers).collect(), records })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_out() {
        let mut message = vec![0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        message.extend(b"\x03WWW\x07Example\x00\x00\x0F\x00\x01");
        message.extend(b"\xC0\x0C\x00\x0F\x00\x01\x00\x00\x00\x3C\x00\x09\x00\x0A\x04MAIL\xC0\x10");
        let read = |case| Sections::parse(&message, case).unwrap().answer.remove(0);
        assert_eq!(*read(Case::Lower).rdata, *b"\x00\x0A\x04mail\x07example\x00");
        assert_eq!(*read(Case::Kept).rdata, *b"\x00\x0A\x04MAIL\x07Example\x00");
        assert_eq!(*read(Case::Lower).owner, *b"\x03www\x07example\x00");
        assert!(Sections::parse(&message[..message.len() - 1], Case::Kept).is_none(), "cut");
    }
}
